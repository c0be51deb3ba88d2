"""A lane that goes on from a snapshot is the lane that nobody interrupted, bit for bit, wherever
the snapshot was taken."""

import io
import pickle
import sys
from collections import OrderedDict

import msgspec
import pytest
import torch

from lrtui.core.errors import LrtuiError, SnapshotDamaged, SnapshotUnfit
from lrtui.core.protocol.events import Alerted, Sampled, ScheduleForecast, Started, Steps
from lrtui.core.scenario import catalogue
from lrtui.core.scenario.spec import OptimizerSpec, ScheduleSpec
from lrtui.training import snapshot
from lrtui.training.loop import train_lane
from lrtui.training.order import BatchOrder, batch_order
from lrtui.training.session import Training
from support.training import column, make_race, task_for

from .breaks import CPU, Break, breaks, resumed, unequal, weights, whole
from .cases import BY_HAND, INTERVALS

SOME = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Adam": {"amsgrad": True},
    "LBFGS": {"max_iter": 3, "history_size": 3},
}
"""Options that make an optimizer remember more."""


def exact_race(lane, **keys):
    """Of a lane whose gauge, which looks at the clock, is off; it measures, and so judges,
    otherwise after an interruption."""
    return make_race([{"lr": 0.05, **lane}], gauge=False, **keys)


def of_each_kind(found):
    """Breaks within an epoch, at its last step, within its validation, in the next epoch, and the
    last one of all."""
    within = next(moment for moment in found if moment.step == 2)
    at_end = next(moment for moment in found if moment.flushed_steps < moment.step)
    validating = [moment for moment in found if moment.validating][:2]
    return [within, at_end, *validating[1:], found[found.index(at_end) + 4], found[-1]]


class TestTheSameBitForBit:
    @pytest.mark.parametrize(
        ("name", "deferred"),
        [
            (name, deferred)
            for name in catalogue.optimizers()
            for deferred in (False, True)
            if not (name == "LBFGS" and deferred)
        ],
    )
    def test_with_every_optimizer_at_every_break(self, name, deferred):
        race = exact_race({"optimizer": name, **SOME.get(name, {})}, task=task_for(name))
        found = breaks(race, deferred=deferred)
        assert len(found) == 3 * (4 + 2 + 1)  # steps, batches of validation, ends of epochs
        assert unequal(race, found, deferred=deferred) == []

    @pytest.mark.parametrize(("name", "interval"), INTERVALS)
    def test_with_every_schedule_at_either_interval(self, name, interval):
        race = exact_race(
            {
                "optimizer": "Adam",
                "schedule": {"name": name, "interval": interval, **BY_HAND[name][0]},
            },
            epochs=5,
        )
        found = breaks(race, factor=0.7)
        assert unequal(race, of_each_kind(found), factor=0.7) == []

    @pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
    @pytest.mark.parametrize("optimizer", ["SGD", "Muon", "Adagrad"])
    def test_with_schedules_that_move_the_momentum(self, name, optimizer):
        options = {"OneCycleLR": {}, "CyclicLR": {"base_lr": 0.01, "step_size_up": 4}}[name]
        momentum = {"momentum": 0.9} if optimizer == "SGD" else {}
        race = exact_race(
            {"optimizer": optimizer, "schedule": {"name": name, **options}, **momentum}
        )
        assert unequal(race, of_each_kind(breaks(race))) == []

    @pytest.mark.parametrize(
        "task",
        [
            "GlobalLoader",
            "AugmentedLoader",
            "Augmented",
            "DrawsEverywhere",
            "DoubleLoss",
            "OwnLoader",
            "Classes",
            "Odd",
        ],
    )
    @pytest.mark.parametrize("budget", [{"epochs": 3}, {"steps": 7}])
    def test_with_all_kinds_of_data_and_models(self, task, budget):
        race = exact_race({"optimizer": "NAdam"}, task=task, **budget)
        found = breaks(race)
        assert unequal(race, found) == []

    @pytest.mark.parametrize("optimizer", ["ASGD", "Adafactor", "AdamW"])
    def test_with_parameters_of_two_types(self, optimizer):
        race = exact_race({"optimizer": optimizer}, task="Odd")
        assert unequal(race, breaks(race)) == []

    @pytest.mark.parametrize(
        ("task", "deferred"), [("Dropped", False), ("Dropped", True), ("Odd", False)]
    )
    def test_although_the_gauge_measures_other_steps_then(self, task, deferred):
        race = make_race([{"lr": 0.05}], task=task)
        differing = unequal(race, breaks(race, deferred=deferred), deferred=deferred)
        assert {what for _, what in differing} <= {"judged"}

    @pytest.mark.parametrize("name", ["Adam", "Adagrad", "LBFGS"])
    def test_before_the_first_step(self, name):
        race = exact_race({"optimizer": name, "schedule": "cosine"}, task="AugmentedLoader")
        built = snapshot.encode(Training(race, 0, CPU).state_dict())
        assert unequal(race, [Break(built, [], 0, 0, False)]) == []

    @pytest.mark.parametrize("deferred", [False, True])
    def test_where_every_step_is_an_epoch(self, deferred):
        race = exact_race({"schedule": {"name": "StepLR", "step_size": 2}}, batch_size=64, epochs=4)
        assert unequal(race, breaks(race, deferred=deferred), deferred=deferred) == []

    def test_with_a_schedule_of_a_persons_own(self):
        for schedule in (
            "torch.optim.swa_utils:SWALR(swa_lr=0.01, anneal_epochs=3)",
            "own_schedules.py:Waits(patience=0)",
        ):
            race = exact_race({"schedule": schedule})
            assert unequal(race, of_each_kind(breaks(race))) == []
        race = exact_race(
            {"schedule": {"name": "LambdaLR", "lr_lambda": "own_schedules.py:halves"}}
        )
        assert unequal(race, of_each_kind(breaks(race))) == []

    def test_where_one_is_resumed_again_and_again(self):
        race = exact_race({"optimizer": "Adam"}, task="Augmented", epochs=2)
        _, events = whole(race)
        moment = breaks(race)[0]
        told, state = moment.told, snapshot.decode(moment.payload)
        while moment is not None:
            training = Training(race, 0, CPU, snapshot=state)
            moment, seen = None, 0
            for event in train_lane(training):
                seen += event is None
                if seen == 3:  # beyond a validation, which begins anew each time
                    moment = told.extend(training.step_recorder.flush()) or training
                    state = snapshot.decode(snapshot.encode(training.state_dict()))
                    break
                told += [event] if event is not None else []
        for name in ("loss", "applied_lr", "next_lr"):
            assert column(told, name) == column(events, name)

    def test_a_lane_that_explodes_does_so_at_the_same_step(self):
        race = exact_race({"optimizer": "SGD", "lr": 1e6}, task="Plain", epochs=200)
        found = breaks(race)
        assert unequal(race, found[1::7]) == []

    def test_an_alert_is_told_once_although_the_lane_is_resumed(self):
        race = exact_race({"optimizer": "SGD", "lr": 1.05}, task="Plain", epochs=30)
        for moment in breaks(race)[::11]:
            _, events = resumed(race, moment)
            assert [event.kind for event in events if isinstance(event, Alerted)] == ["diverged"]


class TestWhatIsTold:
    def test_a_resumed_lane_begins_where_it_was_and_draws_no_first_sample(self):
        race = exact_race({"schedule": "cosine"})
        moment = breaks(race)[1]
        training = Training(race, 0, CPU, snapshot=snapshot.decode(moment.payload))
        first, second, third = [event for event in train_lane(training) if event is not None][:3]
        assert isinstance(first, Started)
        assert first.first == 2
        assert isinstance(second, ScheduleForecast)
        assert not isinstance(third, Sampled)

    def test_a_step_whose_next_rate_is_not_known_yet_is_told_later(self):
        race = exact_race({"schedule": {"name": "StepLR", "step_size": 1}})
        moment = next(moment for moment in breaks(race) if moment.step == 4)
        assert moment.flushed_steps == 3
        _, events = resumed(race, moment)
        block = events[len(moment.told) :]
        assert next(event for event in block if isinstance(event, Started)).first == 3
        assert next(event for event in block if isinstance(event, Steps)).first == 3

    def test_the_lane_starts_with_the_checksums_of_the_race(self):
        race = exact_race({}, task="OwnLoader")
        moment = breaks(race)[6]
        _, events = resumed(race, moment)
        again = [event for event in events if isinstance(event, Started)]
        assert again[0].init_checksum == again[1].init_checksum
        assert again[0].batch_checksum == again[1].batch_checksum


class TestTheBytes:
    def state(self, **keys):
        return Training(exact_race({"optimizer": "Adam"}, **keys), 0, CPU)

    def captured(self, training, steps=3):
        loop = train_lane(training)
        while training.step_recorder.step < steps:
            next(loop)
        training.step_recorder.flush()
        return training.state_dict(), loop

    def test_a_capture_is_a_copy_of_its_moment(self):
        state, loop = self.captured(self.state())
        before = snapshot.encode(state)
        for _ in range(20):
            next(loop)
        assert snapshot.encode(state) == before

    def test_a_state_may_be_used_twice(self):
        race = exact_race({"optimizer": "LBFGS", "max_iter": 3}, task="Plain")
        state = snapshot.decode(breaks(race)[4].payload)
        ends = [
            column([event for event in train_lane(Training(race, 0, CPU, snapshot=state)) if event])
            for _ in range(2)
        ]
        assert ends[0] == ends[1]

    def test_weights_that_are_shared_are_kept_once(self):
        state, _ = self.captured(self.state(task="Odd"))
        weights = state["model"]
        assert weights["inner.weight"] is weights["again.weight"] is weights["other.weight"]

    def test_shared_and_passing_buffers_are_what_they_were(self):
        race = exact_race({}, task="Odd")
        found = breaks(race)
        training = Training(race, 0, CPU, snapshot=snapshot.decode(found[5].payload))
        assert training.model.other.weight is training.model.inner.weight
        assert len(training.model.grows) == 5
        assert training.model.mean.abs().sum() > 0
        assert weights(training).keys() == weights(self.state(task="Odd")).keys()

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda payload: payload[:-30],
            lambda payload: payload[:100],
            lambda payload: b"",
            lambda payload: b"\0" * len(payload),
            lambda payload: payload[:400] + bytes(200) + payload[600:],
            lambda payload: b"not a snapshot",
        ],
    )
    def test_a_damaged_payload_is_refused(self, spoil):
        state, _ = self.captured(self.state())
        with pytest.raises(SnapshotDamaged):
            snapshot.decode(spoil(snapshot.encode(state)))

    @pytest.mark.filterwarnings("ignore:Detected pickle protocol")
    def test_a_payload_runs_no_code(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (open, (str(tmp_path / "sprung"), "w"))

        buffer = io.BytesIO()
        torch.save({"format": 1, "trap": Trap()}, buffer)
        for payload in (buffer.getvalue(), pickle.dumps(Trap())):
            with pytest.raises(SnapshotDamaged):
                snapshot.decode(payload)
        assert not (tmp_path / "sprung").exists()

    @pytest.mark.parametrize("state", [{"format": 2}, {}, [1]])
    def test_another_format_is_refused(self, state):
        with pytest.raises(SnapshotDamaged, match="format"):
            snapshot.decode(snapshot.encode(state))

    def test_a_task_that_is_no_longer_the_same_is_named(self):
        state, _ = self.captured(self.state())
        for task in ("Plain", "Odd"):
            with pytest.raises(
                SnapshotUnfit, match="lane A: the snapshot after step 3 does not fit"
            ):
                Training(exact_race({"optimizer": "Adam"}, task=task), 0, CPU, snapshot=state)

    def test_a_state_with_a_part_missing_does_not_fit(self):
        state, _ = self.captured(self.state())
        # of the recipe's and the later ones, snapshots of older versions have none
        later = {"epoch_began", "position", "accumulation", "scaler", "average", "validates_within"}
        later |= {"validated_at", "parameters", "evaluated", "schedule_length"}
        for key in state.keys() - {"format", "step"} - later:
            with pytest.raises(SnapshotUnfit):
                Training(
                    exact_race({"optimizer": "Adam"}),
                    0,
                    CPU,
                    snapshot={k: v for k, v in state.items() if k != key},
                )


class TestWhatCannotBeKept:
    @pytest.mark.parametrize(
        ("schedule", "message"),
        [
            ("own_schedules.py:Gentle", r"has no state_dict\(\): its lane has no snapshots"),
            ("own_schedules.py:Hoards", "a set cannot be kept: the lane has no snapshots"),
        ],
    )
    def test_lane_of_a_schedule_without_storable_state_has_no_snapshots(self, schedule, message):
        training = Training(exact_race({"schedule": schedule}), 0, CPU)
        loop = train_lane(training)
        while training.step_recorder.step < 2:
            next(loop)
        training.step_recorder.flush()
        with pytest.raises(LrtuiError, match=message):
            training.state_dict()
        assert list(loop)[-1].reason == "finished"  # and goes on as if nobody had asked


class TestForks:
    """Lane B of the race, from a snapshot of lane A."""

    def fork(self, child, parent=None, at=9, **keys):
        """(events of the child, all events of a lane like it from the start, of the parent)."""
        lanes = [
            {"lr": 0.05, **(parent or {"optimizer": "SGD", "momentum": 0.9})},
            {"lr": 0.05, **child},
        ]
        race = make_race(lanes, gauge=False, **keys)
        moment = breaks(race)[at]
        training = Training(race, 1, CPU, snapshot=snapshot.decode(moment.payload))
        started = {name: value.clone() for name, value in weights(training).items()}
        events = [event for event in train_lane(training) if event is not None]
        return moment, training, started, events, whole(race, 1)[1], whole(race, 0)[1]

    def test_an_unchanged_fork_is_its_parent_continued(self):
        moment, _, _, events, _, parent = self.fork({"optimizer": "SGD", "momentum": 0.9})
        assert column(events) == column(parent)[moment.flushed_steps :]
        assert {event.lane for event in events} == {1}

    def test_another_option_holds_from_the_fork_on(self):
        moment, training, _, events, _, parent = self.fork({"optimizer": "SGD", "momentum": 0.5})
        losses = column(parent)[moment.flushed_steps :]
        assert training.optimizer.param_groups[0]["momentum"] == 0.5
        assert column(events)[0] == losses[0]
        assert column(events)[1:] != losses[1:]

    def test_an_option_that_is_given_up_is_torchs_own_again(self):
        _, training, *_ = self.fork({"optimizer": "SGD"})
        assert training.optimizer.param_groups[0]["momentum"] == 0

    @pytest.mark.parametrize(
        "schedule",
        [
            "cosine",
            {"name": "StepLR", "step_size": 1, "gamma": 0.5},
            "OneCycleLR",
            {"name": "CyclicLR", "base_lr": 0.01, "step_size_up": 3},
            "LinearLR",
        ],
    )
    def test_another_schedule_is_as_far_on_as_if_it_had_been_so_from_the_start(self, schedule):
        for at in (4, 9, 10):  # within an epoch, at its last step, within its validation
            moment, _, _, events, like_it, _ = self.fork(
                {"optimizer": "SGD", "momentum": 0.9, "schedule": schedule}, at=at
            )
            assert (
                column(events, "applied_lr")[moment.step - moment.flushed_steps :]
                == column(like_it, "applied_lr")[moment.step :]
            )
            assert column(events, "next_lr") == column(like_it, "next_lr")[moment.flushed_steps :]

    def test_another_initial_rate_too(self):
        child = {"optimizer": "SGD", "momentum": 0.9, "lr": 0.01, "schedule": "cosine"}
        moment, _, _, events, like_it, _ = self.fork(child, {**child, "lr": 0.05})
        assert (
            column(events, "applied_lr")[moment.step - moment.flushed_steps :]
            == column(like_it, "applied_lr")[moment.step :]
        )

    def test_another_option_under_a_schedule_that_moves_the_momentum(self):
        parent = {"optimizer": "Adam", "schedule": "OneCycleLR"}
        moment, _, _, events, like_it, _ = self.fork({**parent, "betas": [0.9, 0.95]}, parent)
        assert column(events, "applied_lr") == column(like_it, "applied_lr")[moment.flushed_steps :]

    def test_a_schedule_that_looks_at_the_loss_keeps_what_it_has_seen(self):
        schedule = {"name": "ReduceLROnPlateau", "mode": "max", "patience": 0, "factor": 0.5}
        moment, *_, events, _, parent = self.fork(
            {"optimizer": "SGD", "weight_decay": 0.1, "schedule": schedule},
            {"optimizer": "SGD", "schedule": schedule},
            at=-2,
        )
        assert column(events, "applied_lr") == column(parent, "applied_lr")[moment.flushed_steps :]
        assert column(events, "applied_lr")[-1] < 0.05

    @pytest.mark.parametrize("optimizer", ["Adam", "Muon", "LBFGS", "Rprop"])
    def test_another_optimizer_begins_with_the_weights_as_they_are(self, optimizer):
        moment, _, started, events, _, _ = self.fork(
            {"optimizer": optimizer, "schedule": "cosine"}, at=8
        )
        known = snapshot.decode(moment.payload)["model"]
        assert all(torch.equal(started[name], value) for name, value in known.items())
        assert events[-1].reason == "finished"
        assert len(column(events)) == 12 - moment.flushed_steps

    def test_its_gauge_measures_although_the_parent_had_none(self):
        race = make_race([{"optimizer": "LBFGS", "lr": 0.1}, {"optimizer": "SGD", "lr": 0.1}])
        moment = breaks(race)[3]
        training = Training(race, 1, CPU, snapshot=snapshot.decode(moment.payload))
        told = [type(event).__name__ for event in train_lane(training) if event is not None]
        assert "Measured" in told


def test_resumed_epoch_fetches_no_earlier_samples():
    order = BatchOrder(3, 50, 16)
    order.epoch, order.first = 2, 2
    assert list(order) == [batch_order(3, 2, 50)[32:48], batch_order(3, 2, 50)[48:]]
    race = exact_race({}, task="Augmented", epochs=1)
    moment = breaks(race)[2]
    training = Training(race, 0, CPU, snapshot=snapshot.decode(moment.payload))
    next(next(training.progress.steps()))
    # the last batch is short
    assert sys.modules[type(training.task).__module__].Augmented.fetched == 2


def test_the_spec_of_the_lane_is_in_its_snapshot():
    race = exact_race(
        {"optimizer": "SGD", "momentum": 0.5, "schedule": {"name": "StepLR", "step_size": 2}}
    )
    state = snapshot.decode(breaks(race)[0].payload)
    lane = msgspec.json.decode(state["lane"], type=type(race.lanes[0]))
    assert lane == race.lanes[0]
    assert lane.optimizer == OptimizerSpec("SGD", {"momentum": 0.5})
    assert lane.schedule == ScheduleSpec("StepLR", "epoch", {"step_size": 2})
    assert not isinstance(state["model"], OrderedDict)
