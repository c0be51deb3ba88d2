"""The finder's sweep is a race of one lane in the one loop: the rates it applies, where it ends,
and that it leaves nothing."""

import gc
import random
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from lrtui.client.lr_finder import plan, sweep_race
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import Alerted, Ended, Evaluated, Sampled, Steps
from lrtui.core.scenario.spec import ScheduleSpec
from lrtui.training.loop import train_lane
from lrtui.training.schedules import Schedule
from lrtui.training.session import Training
from lrtui.training.training_length import TrainingLength
from support.lane_runners import Tape, numbers, run_shortest_slices, runners_of
from support.training import column, make_race, train

LANE = {"optimizer": "SGD", "lr": 0.05, "momentum": 0.9}


def sweep_of(race, **keys):
    return sweep_race(plan(race, **{"low": 1e-5, "high": 1e-1, "points": 40, **keys}))


def test_the_rates_are_a_geometric_row_from_end_to_end():
    asked = plan(make_race([LANE], task="Plain"), low=1e-5, high=1e-1, points=41)
    applied = column(train(sweep_race(asked)), "applied_lr")
    assert applied == pytest.approx([1e-5 * 10 ** (step / 10) for step in range(41)])
    assert applied == pytest.approx([asked.rate(step) for step in range(41)])


def test_the_ratios_of_param_groups_are_kept():
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [{"params": [weights[0]], "lr": 0.1}, {"params": [weights[1]], "lr": 0.001}], lr=0.1
    )
    schedule = Schedule(
        ScheduleSpec("range-test", "batch", {"to": 10.0}), optimizer, 0.1, TrainingLength(30, 1)
    )
    for _ in range(29):
        optimizer.step()
        schedule.after_batch()
        assert optimizer.param_groups[0]["lr"] / optimizer.param_groups[1]["lr"] == pytest.approx(
            100.0
        )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(10.0)


@pytest.mark.parametrize("to", [0.0, -1.0])
def test_a_range_test_to_no_rate_at_all_is_refused(to):
    with pytest.raises(LrtuiError) as refused:
        make_race([{"lr": 0.1, "schedule": {"name": "range-test", "to": to}}])
    assert refused.value.hint.endswith("above 0")


def test_a_sweep_draws_no_sample_between_its_ends():
    samples = [
        event.step for event in train(sweep_of(make_race([LANE]))) if isinstance(event, Sampled)
    ]
    assert samples == [0, 40]


def test_a_sweep_looks_at_no_validation_samples():
    events = train(sweep_of(make_race([LANE])))
    assert not events[0].validated
    assert all(event.metrics == {} for event in events if isinstance(event, Evaluated))


def test_a_sweep_that_goes_nan_ends_before_the_update():
    events = train(
        sweep_of(
            make_race([{"optimizer": "SGD", "lr": 1.0}], task="Plain"),
            low=1.0,
            high=1e6,
            points=200,
        )
    )
    assert events[-1].reason == "nan"
    assert [event.kind for event in events if isinstance(event, Alerted)][-1] == "nan"
    assert not np.isfinite(column(events, "applied_lr")[-1])


def test_a_sweep_is_meant_to_rise_so_that_no_alert_says_it_diverged(tmp_path):
    """Whoever follows it knows where it rose, by its points; it goes on until it is told to stop,
    or is not finite."""
    tape = Tape()
    race = sweep_of(
        make_race([{"optimizer": "SGD", "lr": 1.0}], task="Plain"), low=1e-3, high=3.0, points=4000
    )
    run_shortest_slices([runner := runners_of(race, tape, tmp_path)[0]])
    assert [event.kind for event in tape.events if isinstance(event, Alerted)] == ["nan"]
    assert tape.events[-1].reason == "nan"
    assert tape.events[-1].step < 4000
    assert runner.over


class TestItLeavesNothingBehind:
    def test_a_lane_after_a_sweep_is_bit_identical_to_one_without(self, tmp_path):
        race = make_race([LANE, {"lr": 0.01}])
        alone = [numbers(train(race, index)) for index in range(2)]
        sweep = runners_of(sweep_of(race), Tape(), tmp_path)[0]
        run_shortest_slices([sweep])
        assert [numbers(train(race, index)) for index in range(2)] == alone

    def test_a_lane_that_takes_turns_with_a_sweep_is_too(self, tmp_path):
        race = make_race([LANE])
        alone, tape = numbers(train(race)), Tape()
        run_shortest_slices(
            [runners_of(race, tape, tmp_path)[0], runners_of(sweep_of(race), Tape(), tmp_path)[0]]
        )
        assert numbers(tape.events) == alone

    def test_random_numbers_go_on_where_they_were(self, tmp_path):
        """A slice restores the lane's random state; the lane that trains next restores its own."""
        race, tape = make_race([{"lr": 0.01}], task="DrawsEverywhere"), Tape()
        alone, runner = numbers(train(race)), runners_of(race, tape, tmp_path)[0]
        runner.run(seconds=0.0)
        run_shortest_slices([runners_of(sweep_of(race), Tape(), tmp_path)[0]])
        torch.rand(7), random.random(), np.random.rand()
        run_shortest_slices([runner])
        assert numbers(tape.events) == alone

    def test_the_batches_begin_like_the_races_own(self):
        race = make_race([LANE])
        own, sweep = train(race)[0], train(sweep_of(race))[0]
        assert (own.init_checksum, own.batch_checksum) == (
            sweep.init_checksum,
            sweep.batch_checksum,
        )

    def test_its_model_and_optimizer_are_let_go(self, tmp_path):
        runner = runners_of(sweep_of(make_race([LANE])), Tape(), tmp_path)[0]
        runner.run(seconds=0.0)
        kept = [
            weakref.ref(thing)
            for thing in (
                runner._lane.training.model,
                runner._lane.training.optimizer,
                runner._lane.training,
            )
        ]
        run_shortest_slices([runner])
        gc.collect()
        assert runner._lane is None
        assert [thing() for thing in kept] == [None] * 3


class TestPolicies:
    """`on_divergence`: what becomes of a lane that a rule finds to diverge."""

    def trained(self, policy, tmp_path, epochs=80):
        tape = Tape()
        lanes = [{"optimizer": "SGD", "lr": 0.9}]
        race = make_race(lanes, task="Plain", epochs=epochs, on_divergence=policy)
        runner = runners_of(race, tape, tmp_path)[0]
        run_shortest_slices([runner])
        return runner, tape.events

    def alert(self, events):
        return next(
            event for event in events if isinstance(event, Alerted) and event.kind == "diverged"
        )

    def test_warn_lets_it_go_on(self, tmp_path):
        _, events = self.trained("warn", tmp_path)
        assert events[-1].reason in ("nan", "finished")
        assert events[-1].step > self.alert(events).step

    def test_pause_keeps_it_as_it_is_and_it_goes_on_like_any_other(self, tmp_path):
        runner, events = self.trained("pause", tmp_path)
        assert runner.paused
        assert not any(isinstance(event, Ended) for event in events)
        assert events[-1].status == "paused"
        runner.paused = False
        while not runner.over:
            runner.run()
        _, warned = self.trained("warn", tmp_path)
        assert numbers(runner._recorder.events) == numbers(warned)

    def test_stop_ends_it_soon_after_the_alert_with_all_steps_told(self, tmp_path):
        _, events = self.trained("stop", tmp_path)
        assert events[-1].reason == "stopped"
        assert events[-1].step == sum(event.count for event in events if isinstance(event, Steps))
        assert events[-1].step > self.alert(events).step

    def test_the_record_says_which_policy_it_was(self, tmp_path):
        _, events = self.trained("stop", tmp_path)
        assert 'on_divergence = "stop"' in [getattr(event, "text", "") for event in events]

    def test_no_policy_touches_a_lane_that_does_not_diverge(self, tmp_path):
        race = make_race([LANE], on_divergence="stop")
        tape = Tape()
        run_shortest_slices([runners_of(race, tape, tmp_path)[0]])
        assert numbers(tape.events) == numbers(train(make_race([LANE])))


def test_the_loop_knows_no_policy():
    race = make_race(
        [{"optimizer": "SGD", "lr": 0.9}], task="Plain", epochs=80, on_divergence="stop"
    )
    events = [
        event for event in train_lane(Training(race, 0, torch.device("cpu"))) if event is not None
    ]
    assert events[-1].reason in ("nan", "finished")


@pytest.mark.parametrize("high", [1e-1, 1e6])
def test_where_numbers_are_read_by_the_block_the_points_are_the_same(high):
    """As on an accelerator: a step that must not be is found after later ones were done, which are
    then undone."""
    race = sweep_of(
        make_race([{"optimizer": "SGD", "lr": 1.0}], task="Plain"), low=1e-4, high=high, points=100
    )
    at_once, deferred = train(race), train(race, deferred=True)
    assert np.array_equal(column(deferred), column(at_once), equal_nan=True)
    assert np.array_equal(
        column(deferred, "applied_lr"), column(at_once, "applied_lr"), equal_nan=True
    )
