"""Training loops of odd shapes: their losses, the optimizer that is the lane's, and steps that end
in an exception."""

import copy
import threading
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from lrtui.core.protocol.commands import Stop
from lrtui.core.protocol.events import Alerted, LogMessage, Steps
from lrtui.integrations.script.loss_capture import MOST
from lrtui.integrations.script.roster import LEAD_AFTER
from lrtui.integrations.script.stopped import Stopped
from support.script_lanes import Script


class TestLosses:
    @pytest.mark.parametrize("zero_grad", ["optimizer", "model"])
    def test_those_whose_gradients_are_thrown_away_do_not_count(self, begin, zero_grad):
        lane, record = begin()
        script = Script()
        for _ in range(3):  # adversarial examples: a backward() for the inputs, before the step's
            x = script.x.clone().requires_grad_()
            (script.model(x) * 7).square().mean().backward()
            script.optimizer.zero_grad() if zero_grad == "optimizer" else script.model.zero_grad()
            loss = script.loss()
            loss.backward()
            script.losses.append(loss.item())
            script.optimizer.step()
        lane.finish()
        assert record.column("loss") == script.losses

    def test_nan_of_a_batch_that_the_script_skips_is_none(self, begin):
        lane, record = begin()
        script = Script()
        script.run(2)
        (script.loss() * float("nan")).backward()
        script.run(2)
        lane.finish()
        assert record.column("loss") == script.losses
        assert not record.of(Alerted)

    def test_of_two_backward_passes_the_one_of_the_update_counts(self, begin):
        lane, record = begin()
        script = Script()
        second = []
        for _ in range(3):  # sharpness-aware: the first one's gradients move the weights and go
            script.loss().backward()
            with torch.no_grad():
                for p in script.model.parameters():
                    p += 0.05 * p.grad
            script.optimizer.zero_grad()
            loss = script.loss()
            loss.backward()
            second.append(loss.item())
            script.optimizer.step()
            script.optimizer.zero_grad()
        lane.finish()
        assert record.column("loss") == second

    def test_a_vector_with_a_gradient_is_its_weighted_sum(self, begin):
        lane, record = begin()
        script = Script()
        losses = ((script.model(script.x) - script.y) ** 2).flatten()
        losses.backward(torch.full_like(losses, 1 / len(losses)))
        script.optimizer.step()
        hidden = script.model(script.x).expand(-1, 2)
        hidden.backward(torch.ones_like(hidden))
        script.optimizer.step()
        lane.finish()
        assert record.column("loss")[0] == pytest.approx(losses.mean().item())
        assert record.column("loss")[1] != record.column("loss")[1]  # no loss: nothing was seen

    def test_steps_within_the_backward_pass_have_its_loss(self, begin):
        lane, record = begin()
        script = Script()
        last = script.model.bias
        optimizer = torch.optim.SGD([last], lr=0.1)

        def step(parameter):
            optimizer.step()
            optimizer.zero_grad()

        last.register_post_accumulate_grad_hook(step)
        losses = []
        for _ in range(3):
            loss = script.loss()
            loss.backward()
            losses.append(loss.item())
        lane.finish()
        assert record.column("loss") == losses

    def test_a_backward_that_raises_leaves_none(self, begin):
        lane, record = begin()
        script = Script()
        handle = script.model.bias.register_hook(lambda grad: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            script.loss().backward()
        handle.remove()
        script.step()
        lane.finish()
        assert record.column("loss") == script.losses

    def test_a_loop_without_steps_keeps_few(self, begin):
        lane, record = begin()
        weight = torch.ones(1, requires_grad=True)
        for _ in range(2 * MOST):
            (weight * 2).sum().backward()
        optimizer = torch.optim.SGD([weight], lr=0.1)
        optimizer.step()
        lane.finish()
        assert record.column("loss") == [4.0 * MOST]

    def test_threads_have_losses_and_rates_of_their_own(self, begin):
        lane, record = begin()
        lane.controls.want(factor=2.0)
        script, other = Script(seed=1), Script(seed=2, lr=0.01)
        script.step()  # it is the lane's
        within = threading.Event(), threading.Event()
        step, kept = other.optimizer.step, []

        def closure():
            within[0].set()
            assert within[1].wait(60)
            return other.loss()

        other.loss().backward()
        thread = threading.Thread(target=step, args=(closure,))
        thread.start()
        assert within[0].wait(60)
        for _ in range(3):
            script.step()
            kept.append(script.optimizer.param_groups[0]["lr"])
        within[1].set()
        thread.join()
        lane.finish()
        assert kept == [0.1] * 3
        assert other.optimizer.param_groups[0]["lr"] == 0.01
        assert record.column("loss") == script.losses
        assert record.column("applied_lr") == [0.2] * 4


class TestOptimizers:
    def test_a_second_one_of_the_same_parameters_succeeds_the_first(self, begin):
        lane, record = begin()
        script = Script()
        script.run(2)
        first = script.optimizer
        script.optimizer = torch.optim.Adam(script.model.parameters(), lr=0.05)
        script.run(2)
        lane.finish()
        assert first is not None
        assert record.column("loss") == script.losses
        assert record.column("applied_lr") == [0.1, 0.1, 0.05, 0.05]

    def test_one_that_steps_on_alone_becomes_the_lanes(self, begin):
        lane, record = begin()
        first, second = Script(), Script(seed=1, lr=0.05)
        first.run(2)
        second.run(LEAD_AFTER + 3)
        lane.finish()
        assert record.column("loss") == first.losses + second.losses[LEAD_AFTER:]
        assert record.column("applied_lr") == [0.1, 0.1, 0.05, 0.05, 0.05]
        assert "its optimizer is SGD now" in [n.text for n in record.of(LogMessage)][-1]

    def test_a_stop_reaches_one_that_steps_on_alone(self, begin):
        _, record = begin()
        Script().run(2)
        other = Script(seed=1)
        other.step()
        record.inbox.append(Stop(0))
        with pytest.raises(Stopped):
            other.run(2)
        assert len(other.losses) == 2

    def test_those_of_each_task_share_a_place(self, begin):
        lane, record = begin()
        script = Script()
        for _ in range(20):
            script.step()
            task = copy.deepcopy(script.model)
            optimizer = torch.optim.SGD(task.parameters(), lr=0.01)
            task(script.x).mean().backward()
            optimizer.step()
            del optimizer
        lane.finish()
        assert record.column("loss") == script.losses
        assert set(record.of(Steps)[-1].columns) <= {
            "loss", "grad_norm", "seconds", "applied_lr", "next_lr", "applied_lr/1", "next_lr/1",
            "loss 2",
        }  # fmt: skip

    def test_a_step_that_raised_does_not_hide_others(self, begin):
        lane, record = begin()
        lane.controls.want(factor=2.0)
        script, other = Script(), Script(seed=1)
        script.step()
        with pytest.raises(ZeroDivisionError):
            script.optimizer.step(lambda: 1 / 0)
        assert script.optimizer.state_dict()["param_groups"][0]["lr"] == 0.1
        other.step()
        script.step()
        lane.finish()
        assert script.optimizer.param_groups[0]["lr"] == 0.1
        assert record.of(Steps)[-1].values("applied_lr/1")[-1] == 0.2

    def test_a_checkpoint_saved_within_a_step_has_the_scripts_rate(self, begin):
        lane, _ = begin()
        lane.controls.want(factor=2.0)
        script = Script()
        saved = []

        def closure():  # where a signal handler may run, too
            saved.append(script.optimizer.state_dict()["param_groups"][0]["lr"])
            assert script.optimizer.param_groups[0]["lr"] == 0.2
            return script.loss()

        script.optimizer.step(closure)
        lane.finish()
        assert saved == [0.1]

    def test_a_subclass_that_calls_the_step_above_makes_one_step(self, begin):
        class Clipped(torch.optim.Adam):
            def step(self, closure=None):
                return super().step(closure)

        torch.optim.Adam([nn.Parameter(torch.ones(1))])
        lane, record = begin()
        lane.controls.want(factor=2.0)
        script = Script(Clipped)
        script.run(3)
        lane.finish()
        assert record.column("loss") == script.losses
        assert record.column("applied_lr") == [0.2] * 3

    def test_a_compiled_step_is_seen_and_turned(self, begin):
        def compiled(factor):
            torch._dynamo.reset()
            script = Script(torch.optim.Adam, lr=0.1 * factor)
            script.optimizer.step = torch.compile(script.optimizer.step, backend="eager")
            return script.run(4)

        twice = compiled(2)
        lane, record = begin()
        lane.controls.want(factor=2.0)
        script = compiled(1)
        lane.finish()
        assert record.column("loss") == script.losses == twice.losses
        assert record.column("applied_lr") == [0.2] * 4

    def test_a_budget_holds_for_a_script_that_ignores_its_end(self, begin):
        lane, record = begin(steps=3)
        script = Script()
        for _ in range(6):
            with pytest.raises(Stopped) if lane.step > 1 else nullcontext():
                script.step()
        lane.finish()
        assert len(record.column("loss")) == 3
