"""The lane of a script's process: what hooks see, what commands do, and that a script trains as it
would without them."""

import itertools
import math

import pytest
import torch
from torch import nn

from lrtui.core.protocol.commands import (
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    TakeSnapshot,
)
from lrtui.core.protocol.events import (
    Alerted,
    Logged,
    LogMessage,
    RateChanged,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.integrations.script import lane as script_lane, record as lane_record
from lrtui.integrations.script.lane import ScriptLane
from lrtui.integrations.script.loss_capture import capture
from lrtui.integrations.script.optimizer_hooks import initial_rate
from lrtui.integrations.script.stopped import Stopped
from support.script_lanes import Recorded, Script


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


def halving(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)


SCHEDULES = [None, halving, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 6)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_watched_script_trains_bit_for_bit_as_alone(begin, kind, schedule):
    alone = Script(kind, schedule=schedule).run(8)
    lane, record = begin()
    watched = Script(kind, schedule=schedule).run(8)
    lane.finish()
    assert watched.losses == alone.losses
    assert same(watched, alone)
    assert record.column("loss") == alone.losses
    assert not record.of(LogMessage)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_dial_of_2_equals_twice_the_rate(begin, kind, schedule):
    doubled = Script(kind, lr=0.2, schedule=schedule).run(8)
    lane, _ = begin()
    lane.controls.want(factor=2.0)
    watched = Script(kind, lr=0.1, schedule=schedule).run(8)
    assert watched.losses == doubled.losses
    assert same(watched, doubled)


def test_a_lanes_rate_is_that_of_a_script_with_that_rate(begin):
    asked = Script(lr=0.025, schedule=halving).run(6)
    lane, record = begin(lr=0.025)
    watched = Script(lr=0.1, schedule=halving).run(6)
    lane.finish()
    assert watched.losses == asked.losses
    assert record.column("applied_lr") == [0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625]
    assert record.column("next_lr")[:-1] == record.column("applied_lr")[1:]
    assert math.isnan(record.column("next_lr")[-1])
    assert record.of(Started)[0].initial_lr == 0.1
    assert watched.optimizer.param_groups[0]["lr"] == 0.0125  # the schedule's own, undivided


def test_a_rate_assigned_by_hand_keeps_its_course(begin):
    lane, record = begin(lr=0.01)
    script = Script(lr=0.1)
    for step in range(4):  # a warmup from 0, as nanoGPT writes it
        script.optimizer.param_groups[0]["lr"] = 0.1 * step / 3
        script.step()
    lane.finish()
    assert record.column("applied_lr") == pytest.approx([0, 0.01 / 3, 0.02 / 3, 0.01])


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        (lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.5, total_steps=10), 0.5),
        (lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: step / 5), 0.1),
        (None, 0.1),
    ],
)
def test_the_scripts_own_rate_is_that_of_its_schedule(schedule, rate):
    assert initial_rate(Script(lr=0.1, schedule=schedule).optimizer) == rate


def test_losses_of_micro_batches_are_summed(begin):
    lane, record = begin()
    script = Script().run(3, micro_batches=3)
    lane.finish()
    assert record.column("loss") == script.losses


def test_backward_of_autograd_itself_is_seen(begin):
    lane, record = begin()
    script = Script()
    loss = script.loss()
    torch.autograd.backward([loss, script.loss() * 2])
    script.optimizer.step()
    lane.finish()
    assert record.column("loss") == pytest.approx([3 * loss.item()])


def test_checkpointed_segments_are_not_losses(begin):
    lane, record = begin()
    script = Script()
    hidden = torch.utils.checkpoint.checkpoint(
        script.model, script.x.requires_grad_(), use_reentrant=True
    )
    scalar = torch.utils.checkpoint.checkpoint(torch.mean, hidden, use_reentrant=True)
    scalar.backward()
    script.optimizer.step()
    lane.finish()
    assert record.column("loss") == [scalar.item()]


def test_a_given_loss_wins(begin):
    lane, record = begin()
    script = Script()
    lane.given_loss = 7.0
    script.step()
    lane.finish()
    assert record.column("loss") == [7.0]


def test_losses_that_stay_on_a_device_are_read_at_the_flush(begin):
    lane, record = begin()
    script = Script()
    for value in (3.5, 2.5, math.nan):
        lane.given_loss = torch.tensor(value)
        script.step()
    lane.finish()
    assert record.column("loss")[:2] == [3.5, 2.5]
    assert [(alert.kind, alert.step) for alert in record.of(Alerted)] == [("nan", 2)]


def test_a_step_without_backward_says_how_to_give_its_loss(begin):
    lane, record = begin()
    script = Script()
    for p in script.model.parameters():
        p.grad = torch.ones_like(p)
    script.optimizer.step()
    lane.finish()
    assert "run.loss" in record.of(LogMessage)[0].text
    assert not record.of(Alerted)


def test_the_gradient_norm_is_taken_every_tenth_step(begin):
    lane, record = begin()
    script = Script()
    norms = []
    for _ in range(21):
        script.step()
        norms.append(
            math.sqrt(sum(p.grad.square().sum().item() for p in script.model.parameters()))
        )
    lane.finish()
    there = {step: norm for step, norm in enumerate(record.column("grad_norm")) if norm == norm}
    assert there == pytest.approx({0: norms[0], 10: norms[10], 20: norms[20]}, rel=1e-5)


class TestFaults:
    def test_a_step_that_raises_and_is_tried_again_keeps_its_rate(self, begin):
        lane, record = begin()
        lane.controls.want(factor=10.0)
        script = Script(lr=0.01)
        fails = itertools.repeat(True, 3)
        original = script.optimizer._init_group

        def init_group(*args):
            if next(fails, False):
                raise RuntimeError("out of memory")
            return original(*args)

        script.optimizer._init_group = init_group
        for _ in range(3):
            with pytest.raises(RuntimeError, match="out of memory"):
                script.step()
        script.step()
        lane.finish()
        assert script.optimizer.param_groups[0]["lr"] == 0.01
        assert record.column("applied_lr") == [0.1]

    def test_groups_without_a_rate_are_told_of(self, begin):
        class Rateless(torch.optim.Optimizer):
            def __init__(self, params, lr):
                super().__init__(params, {})

            @torch.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        p -= 0.01 * p.grad

        lane, record = begin(lr=0.5)
        record.inbox.append(ScaleRate(0, 2.0))
        Script(Rateless).run(2)
        lane.finish()
        assert "Rateless has no rate to turn" in record.of(LogMessage)[0].text
        assert "has no rate to turn" in record.results[0].text
        assert all(map(math.isnan, record.column("applied_lr")))

    def test_a_rate_of_none_is_left_alone(self, begin):
        lane, record = begin()
        script = Script()
        lane.controls.want(factor=2.0)
        script.optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
        script.step()
        script.optimizer.param_groups[1]["lr"] = None
        script.step()
        lane.finish()
        assert script.optimizer.param_groups[1]["lr"] is None
        assert record.column("applied_lr") == [0.2, 0.2]

    def test_replaced_param_groups_are_turned(self, begin):
        lane, record = begin()
        script = Script(torch.optim.Adam)
        script.step()
        script.optimizer.load_state_dict(script.optimizer.state_dict())
        lane.controls.want(factor=0.5)
        script.step()
        lane.finish()
        assert record.column("applied_lr") == [0.1, 0.05]
        assert script.optimizer.param_groups[0]["lr"] == 0.1

    def test_a_group_that_is_added_gets_a_column(self, begin):
        lane, record = begin()
        script = Script()
        script.step()
        extra = nn.Parameter(torch.ones(1))
        script.optimizer.add_param_group({"params": [extra], "lr": 0.3, "name": "late"})
        script.run(2)
        lane.finish()
        assert "applied_lr/1" in record.of(Steps)[-1].columns
        assert record.of(Steps)[-1].values("applied_lr/1")[-1] == 0.3

    def test_a_tensor_rate_is_the_same_object_afterwards(self, begin):
        lane, record = begin()
        lane.controls.want(factor=2.0)
        rate = torch.tensor(0.1)
        script = Script(torch.optim.Adam, lr=rate, foreach=False, capturable=False)
        script.step()
        lane.finish()
        assert script.optimizer.param_groups[0]["lr"] is rate
        assert rate.item() == pytest.approx(0.1)
        assert record.column("applied_lr") == pytest.approx([0.2])

    def test_an_optimizer_within_an_optimizer_is_one_step(self, begin):
        within = []

        class Wrapper(torch.optim.Optimizer):
            def __init__(self, inner):
                self.inner = inner
                super().__init__([p for g in inner.param_groups for p in g["params"]], {})
                self.param_groups = inner.param_groups

            def step(self, closure=None):
                self.inner.step()
                within.append(self.param_groups[0]["lr"])

        lane, record = begin()
        lane.controls.want(factor=2.0)
        script = Script()
        script.optimizer = Wrapper(script.optimizer)
        script.run(3)
        lane.finish()
        assert within == record.column("applied_lr") == [0.2, 0.2, 0.2]
        assert script.optimizer.param_groups[0]["lr"] == 0.1

    def test_a_first_optimizer_thrown_away_has_a_successor(self, begin):
        lane, record = begin()
        script = Script()
        script.run(2)
        script.optimizer = torch.optim.SGD(script.model.parameters(), lr=0.05)
        script.run(2)
        lane.finish()
        assert record.column("applied_lr") == [0.1, 0.1, 0.05, 0.05]

    @pytest.mark.parametrize("fused", [False, True])
    def test_a_step_that_the_scaler_skips_is_on_record(self, begin, fused):
        lane, record = begin()
        script = Script(fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
        losses = []
        for step in range(4):
            script.optimizer.zero_grad()
            loss = script.loss()
            scaler.scale(loss).backward()
            if step == 1:
                script.model.weight.grad[0, 0] = math.inf
            scaler.step(script.optimizer)
            scaler.update()
            losses.append(loss.item())
        lane.finish()
        assert record.column("loss") == losses
        assert [math.isnan(rate) for rate in record.column("applied_lr")] == [
            False, True, False, False,
        ]  # fmt: skip
        skipped = [
            value
            for block in record.of(Steps)
            for value in (block.values("skipped").tolist() if "skipped" in block.columns else [0])
        ]
        assert sum(skipped) == 1
        assert not record.of(Alerted)

    def test_closures_are_the_first_call_of_each_step(self, begin):
        lane, record = begin()
        script = Script(torch.optim.LBFGS, max_iter=4)
        firsts = []

        def closure():
            script.optimizer.zero_grad()
            loss = script.loss()
            loss.backward()
            firsts.append(loss.item())
            return loss

        starts = []
        for _ in range(3):
            starts.append(len(firsts))
            script.optimizer.step(closure)
        lane.finish()
        assert len(firsts) > 6
        assert record.column("loss") == [firsts[start] for start in starts]

    def test_a_forked_child_leaves_the_record_alone(self, begin, monkeypatch):
        lane, record = begin()
        script = Script().run(2)
        pid = script_lane.os.getpid()
        monkeypatch.setattr(script_lane.os, "getpid", lambda: pid + 1)
        script.run(2)
        lane.finish()
        monkeypatch.undo()
        lane.finish()
        assert len(record.column("loss")) == 2


class TestNan:
    def spoiled(self, script, at):
        for step in range(6):
            if step == at:
                script.x[0, 0] = math.nan
            script.step()

    def test_nan_is_told_at_its_step_and_the_script_goes_on(self, begin):
        lane, record = begin()
        self.spoiled(Script(), at=3)
        lane.finish()
        assert [(alert.kind, alert.step) for alert in record.of(Alerted)] == [("nan", 3)]
        assert len(record.column("loss")) == 6

    def test_nan_stops_the_script_if_the_race_says_so(self, begin):
        lane, record = begin(on_nan="stop")
        with pytest.raises(Stopped):
            self.spoiled(Script(), at=2)
        lane.finish()
        assert record.of(Alerted)[0].step == 2
        assert len(record.column("loss")) <= 4


class TestCommands:
    def after(self, begin, *commands, steps=2, more=2, lr=0.0, **script):
        lane, record = begin(lr)
        train = Script(**script).run(steps)
        record.inbox.extend(commands)
        train.run(more)
        lane.finish()
        return record, train

    @pytest.mark.parametrize(
        ("command", "rate"),
        [(ScaleRate(0, 3.0), 0.3), (SetRate(0, 0.04), 0.04), (SetFactor(0, 0.5), 0.05)],
    )
    def test_the_dial_turns_the_next_step(self, begin, command, rate):
        record, _ = self.after(begin, command)
        assert record.column("applied_lr") == pytest.approx([0.1, 0.1, rate, rate])
        assert record.results[0].ok
        [turn] = record.of(RateChanged)
        assert (turn.step, turn.rate) == (2, pytest.approx(rate))
        assert turn.factor == pytest.approx(rate / 0.1)

    def test_a_factor_of_1_is_the_lanes_own_rate(self, begin):
        record, _ = self.after(begin, SetFactor(0, 1.0), SetRate(0, 0.02), lr=0.01)
        assert record.column("applied_lr") == pytest.approx([0.01, 0.01, 0.02, 0.02])
        assert record.of(RateChanged)[-1].factor == pytest.approx(2.0)

    @pytest.mark.parametrize(
        "command", [ScaleRate(0, math.nan), SetRate(0, -1.0), SetFactor(0, 0.0)]
    )
    def test_a_command_that_makes_no_rate_is_refused(self, begin, command):
        record, _ = self.after(begin, command)
        assert record.results[0].code == "refused"
        assert not record.of(RateChanged)

    @pytest.mark.parametrize("command", [Rewind(0, 1), TakeSnapshot(0)])
    def test_what_needs_the_scripts_state_is_refused(self, begin, command):
        record, _ = self.after(begin, command)
        assert "does not hold its state" in record.results[0].text

    def test_rprop_and_adafactor_say_that_a_turn_has_no_effect(self, begin):
        record, _ = self.after(begin, ScaleRate(0, 2.0), kind=torch.optim.Rprop)
        assert "sizes its own steps" in record.results[0].text

    def test_a_pause_waits_before_the_next_step(self, begin):
        lane, record = begin()
        train = Script().run(2)
        record.inbox.append(Pause(0))
        record.while_waiting.extend([ScaleRate(0, 2.0), Resume(0)])
        train.run(2)
        lane.finish()
        assert record.waits == 2
        changes = [(event.status, event.step) for event in record.of(StatusChanged)]
        assert changes == [("paused", 2), ("running", 2)]
        assert record.column("applied_lr") == pytest.approx([0.1, 0.1, 0.2, 0.2])
        paused = record.events.index(record.of(StatusChanged)[0])
        before = [event for event in record.events[: paused + 1] if isinstance(event, Steps)]
        assert sum(block.count for block in before) <= 2
        assert sum(block.count for block in record.of(Steps)) == 4

    @pytest.mark.parametrize("raises", [True, False])
    def test_a_stop_ends_the_script_at_the_next_step(self, begin, raises):
        lane, record = begin(raises=raises)
        train = Script().run(2)
        record.inbox.append(Stop(0))
        if raises:
            with pytest.raises(Stopped):
                train.step()
        else:
            train.step()
        assert lane.stopped
        lane.finish()
        assert len(record.column("loss")) == (2 if raises else 3)
        assert train.optimizer.param_groups[0]["lr"] == 0.1

    def test_a_stop_ends_a_pause(self, begin):
        _, record = begin()
        train = Script().run(1)
        record.inbox.append(Pause(0))
        record.while_waiting.append(Stop(0))
        with pytest.raises(Stopped):
            train.step()

    def test_a_budget_ends_the_script_after_its_last_step(self, begin):
        lane, record = begin(steps=3)
        train = Script()
        with pytest.raises(Stopped, match="the budget is used up, at step 3"):
            train.run(10)
        lane.finish()
        alone = Script().run(3)
        assert same(train, alone)
        assert record.column("loss") == alone.losses
        assert record.of(Started)[0].total_steps == 3


class TestSeveralOptimizers:
    def test_the_first_is_the_lane_and_others_are_its_groups(self, begin):
        lane, record = begin()
        lane.controls.want(factor=2.0)
        one, other = Script(lr=0.1), Script(torch.optim.Adam, lr=0.01, seed=1)
        for _ in range(3):
            one.step()
            other.step()
        lane.finish()
        assert record.column("loss") == one.losses
        assert record.column("loss 2") == other.losses
        assert record.column("applied_lr/1") == [0.02] * 3
        assert record.of(Started)[0].groups == ["SGD 1", "Adam 2"]
        assert Script(torch.optim.Adam, lr=0.02, seed=1).run(3).losses == other.losses

    def test_hooks_on_one_optimizer_leave_others_alone(self, begin):
        one, other = Script(lr=0.1), Script(lr=0.1, seed=1)
        lane, record = begin(optimizer=one.optimizer)
        lane.controls.want(factor=5.0)
        other.run(3)
        one.step()
        lane.finish()
        assert same(other, Script(lr=0.1, seed=1).run(3))
        assert record.column("applied_lr") == [0.5]


def test_logged_numbers_come_at_their_steps(begin):
    lane, record = begin()
    script = Script().run(2)
    lane.record.log_numbers(
        lane.step, {"val_loss": torch.tensor(0.5), "accuracy": 0.25, "text": "no number"}
    )
    script.run(1)
    lane.record.log_numbers(lane.step, {"val_loss": math.nan})
    lane.finish()
    values = {}
    for event in record.of(Logged):
        for name in event.columns:
            values.setdefault(name, []).extend(
                (step, value)
                for step, value in zip(event.steps, event.values(name).tolist(), strict=True)
            )
    assert values["accuracy"][0] == (2, 0.25)
    assert values["val_loss"][0] == (2, 0.5)
    assert [step for step, _ in values["val_loss"]] == [2, 3]
    assert "text is a str, expected a number" in record.of(LogMessage)[0].text


BREAKABLE = [
    (ScriptLane, "before_step"),
    (ScriptLane, "rates_known"),
    (ScriptLane, "after_step"),
    (ScriptLane, "begin"),
    (lane_record.LaneRecord, "flush"),
    (Recorded, "put"),
    (Recorded, "commands"),
    (type(capture), "add"),
    (lane_record.ScriptSteps, "take"),
    (script_lane.Roster, "rates"),
]


@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize(("owner", "name"), BREAKABLE)
def test_an_error_of_lrtuis_own_is_told_once_and_the_script_runs_on(
    begin, monkeypatch, capsys, owner, name, call
):
    alone = Script(schedule=halving).run(8)
    begin()
    original, calls = getattr(owner, name), itertools.count(1)

    def broken(*args, **kwargs):
        if next(calls) >= call:
            raise ZeroDivisionError("a fault of our own")
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, broken)
    monkeypatch.setattr(lane_record, "BLOCK_S", 0.0)
    script = Script(schedule=halving).run(8)
    monkeypatch.undo()
    assert script.losses == alone.losses
    assert same(script, alone)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "a fault of our own" in told[0]
    assert "from step" in told[0]
