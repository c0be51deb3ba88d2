"""The parts of the step recorder, each alone: the buffer, the non-finite guard, the loss
reporter."""

from __future__ import annotations

import math

import pytest
import torch

from lrtui.core.protocol.events import Alerted, FindingsUpdated, LossSpiked
from lrtui.training.loss_reporter import LossReporter
from lrtui.training.non_finite import NORM_EVERY, NonFiniteGuard
from lrtui.training.step_buffer import StepBuffer, as_floats


def add_step(buffer: StepBuffer, loss: float, rate: float, *, read: bool = True) -> None:
    buffer.add_loss(torch.tensor(loss), read=read)
    buffer.norms.append(1.0 if read else torch.tensor(1.0))
    buffer.add_applied([rate])
    buffer.add_seconds(0.001)


class TestStepBuffer:
    def test_a_step_without_its_next_rate_waits_for_the_next_block(self):
        buffer = StepBuffer(1)
        add_step(buffer, 3.0, 0.1)
        buffer.set_next([0.2])
        add_step(buffer, 2.0, 0.2)
        assert not buffer.complete
        block = buffer.take(0)
        assert (block.first, block.count) == (0, 1)
        assert block.values("next_lr").tolist() == [0.2]
        assert buffer.first == 1
        assert buffer.take(0) is None
        buffer.set_next([0.3])
        assert buffer.take(0).values("applied_lr").tolist() == [0.2]

    def test_setting_the_next_rate_again_replaces_it(self):
        buffer = StepBuffer(2)
        buffer.add_loss(torch.tensor(1.0), read=True)
        buffer.norms.append(None)
        buffer.add_applied([0.1, 0.2])
        buffer.add_seconds(0.001)
        buffer.set_next([0.1, 0.2])
        buffer.set_next([0.3, 0.4])
        block = buffer.take(0)
        assert block.values("next_lr/1").tolist() == [0.4]
        assert math.isnan(block.values("grad_norm")[0])

    def test_an_extra_number_is_nan_at_steps_that_do_not_give_it(self):
        buffer = StepBuffer(1)
        add_step(buffer, 1.0, 0.1)
        buffer.add_extra({"mse": torch.tensor(0.5)}, read=True)
        add_step(buffer, 1.0, 0.1)
        buffer.set_next([0.1])
        buffer._next[0].insert(0, 0.1)
        values = buffer.take(0).values("mse")
        assert math.isnan(values[0])
        assert values[1] == 0.5

    def test_cut_after_drops_later_steps_and_leaves_nan_rates(self):
        buffer = StepBuffer(1)
        for loss in (1.0, math.inf, 2.0):
            add_step(buffer, loss, 0.1, read=False)
            buffer.set_next([0.1])
        buffer.read()
        assert buffer.losses == [1.0, math.inf, 2.0]
        buffer.cut_after(1, 0.5)
        block = buffer.take(0)
        assert block.count == 2
        assert math.isnan(block.values("applied_lr")[1])
        assert math.isnan(block.values("next_lr")[1])
        assert block.values("seconds")[1] == 0.5

    def test_the_state_holds_the_steps_that_are_left(self):
        buffer = StepBuffer(1)
        add_step(buffer, 3.0, 0.1)
        state, other = buffer.state_dict(), StepBuffer(2)
        other.load_state_dict(state)
        other.set_next([0.1, 0.1])
        block = other.take(0)
        assert block.values("loss").tolist() == [3.0]
        assert math.isnan(block.values("applied_lr/1")[0])

    def test_a_block_with_known_next_rates_has_no_state(self):
        buffer = StepBuffer(1)
        add_step(buffer, 3.0, 0.1)
        buffer.set_next([0.1])
        with pytest.raises(AssertionError, match="not flushed"):
            buffer.state_dict()

    def test_as_floats_leaves_none_in_place(self):
        assert as_floats([torch.tensor(1.5), None, torch.tensor([2.0])]) == [1.5, None, 2.0]
        assert as_floats([]) == []


def guard_of(model, *, rolls_back):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return NonFiniteGuard(model, optimizer, rolls_back=rolls_back)


class TestNonFiniteGuard:
    def model(self) -> torch.nn.Module:
        model = torch.nn.BatchNorm1d(3)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        return model

    @pytest.mark.parametrize(
        ("step", "loss", "bad", "measured"),
        [
            (0, 1.0, False, True),
            (NORM_EVERY, 1.0, False, True),
            (1, 1.0, False, False),
            (1, 1e30, False, True),
            (1, math.nan, False, True),
            (1, 1.0, True, True),
        ],
    )
    def test_the_norm_is_measured_at_some_steps_and_at_suspicious_ones(
        self, step, loss, bad, measured
    ):
        model = self.model()
        if bad:
            model.weight.grad[0] = math.inf
        norm = guard_of(model, rolls_back=False).sampled_norm(step, loss)
        assert (norm is not None) is measured

    def test_roll_back_restores_weights_and_buffers(self):
        model = self.model()
        guard = guard_of(model, rolls_back=True)
        with torch.no_grad():
            model.weight.fill_(2.0)
        guard.keep()
        with torch.no_grad():
            model.weight.fill_(math.nan)
            model.running_mean.fill_(math.nan)
        guard.roll_back()
        assert model.weight.tolist() == [2.0] * 3
        assert model.running_mean.tolist() == [0.0] * 3

    def test_without_a_copy_nothing_is_restored(self):
        model = self.model()
        guard = guard_of(model, rolls_back=False)
        with torch.no_grad():
            model.weight.fill_(5.0)
        guard.roll_back()
        assert model.weight.tolist() == [5.0] * 3


class TestLossReporter:
    def diverging(self, *, sweeps: bool) -> tuple[LossReporter, int]:
        """A reporter that saw a loss explode, and the number of steps that it saw."""
        reporter = LossReporter(0, 1000, sweeps=sweeps)
        losses = [1.0] * 100 + [1e6] * 200
        for step, loss in enumerate(losses):
            reporter.update(step, loss, None)
        return reporter, len(losses)

    def test_a_divergence_is_reported_once(self):
        reporter, steps = self.diverging(sweeps=False)
        assert reporter.alarmed
        events = list(reporter.events(steps, None, force=False))
        assert [type(event) for event in events if isinstance(event, Alerted)] == [Alerted]
        assert not reporter.alarmed
        reporter.update(steps, 1e9, None)
        later = list(reporter.events(steps + 1, None, force=True))
        assert not [event for event in later if isinstance(event, Alerted)]

    def test_a_sweep_diverges_without_an_alert(self):
        reporter, steps = self.diverging(sweeps=True)
        assert not reporter.alarmed
        assert not any(
            isinstance(event, Alerted) for event in reporter.events(steps, None, force=True)
        )

    def test_events_of_later_steps_wait(self):
        reporter, _steps = self.diverging(sweeps=False)
        kinds = {type(event) for event in reporter.events(50, None, force=True)}
        assert kinds == {FindingsUpdated}
        assert reporter.alarmed

    def test_a_spike_is_reported_with_its_step(self):
        reporter = LossReporter(0, 1000, sweeps=False)
        for step in range(200):
            reporter.update(step, 50.0 if step == 150 else 1.0 + 0.01 * (step % 7), None)
        spikes = [
            event
            for event in reporter.events(200, None, force=False)
            if isinstance(event, LossSpiked)
        ]
        assert [event.steps for event in spikes] == [[150]]

    def test_the_state_keeps_what_is_not_reported_yet(self):
        reporter, _steps = self.diverging(sweeps=False)
        other = LossReporter(0, 1000, sweeps=False)
        other.load_state_dict(reporter.state_dict())
        assert other.alarmed
        assert other.smooth == reporter.smooth
        assert other.findings == reporter.findings
