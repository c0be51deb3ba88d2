"""accelerate: a plain loop that needs no callback, whenever it is watched."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrtui
from lrtui.core.protocol.commands import ScaleRate, Stop
from lrtui.core.protocol.events import Ended, RateChanged
from support.steering import Steering, doubled_from, newest

accelerate = pytest.importorskip("accelerate")

pytestmark = pytest.mark.xdist_group("accelerate")

EPOCHS = 60
X = torch.randn(36, 3, generator=torch.Generator().manual_seed(1))
DATA = TensorDataset(X, X.sum(1, keepdim=True))


class Loop:
    """Nine batches an epoch, three to a step."""

    def __init__(self, precision="no"):
        accelerate.state.AcceleratorState._reset_state(True)
        torch.manual_seed(0)
        self.accelerator = accelerate.Accelerator(
            cpu=True, gradient_accumulation_steps=3, mixed_precision=precision
        )
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        self.losses, self.rates = [], []

    def prepare(self):
        scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.99)
        self.prepared, self.wrapped, self.loader, self.scheduler = self.accelerator.prepare(
            self.model, self.optimizer, DataLoader(DATA, batch_size=4), scheduler
        )
        return self

    def steps(self, epochs=EPOCHS):
        """Trains; stands still after each step."""
        total = 0.0
        for _ in range(epochs):
            for x, y in self.loader:
                with self.accelerator.accumulate(self.prepared):
                    loss = nn.functional.mse_loss(self.prepared(x), y)
                    self.accelerator.backward(loss)
                    total += (loss / 3).item()
                    rate = self.wrapped.param_groups[0]["lr"]
                    self.wrapped.step()
                    self.scheduler.step()
                    self.wrapped.zero_grad()
                if self.accelerator.sync_gradients:
                    self.losses.append(total)
                    self.rates.append(rate)
                    total = 0.0
                    yield len(self.losses)


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("before", [True, False])
def test_recorded_losses_and_rates_are_the_true_ones(runs, before, precision):
    loop = Loop(precision)
    run = lrtui.watch(loop.optimizer) if before else None
    loop.prepare()
    run = run or lrtui.watch(loop.wrapped)
    for _ in loop.steps(3):
        pass
    run.finish()
    assert len(loop.losses) == 9
    assert newest(runs).column("loss") == loop.losses
    assert newest(runs).column("applied_lr") == loop.rates


def test_x2_on_the_dial_is_twice_the_rate(runs):
    loop, steering = Loop().prepare(), Steering(runs, ScaleRate(0, 2.0))
    with lrtui.watch(loop.wrapped):
        next(count for count in loop.steps() if steering.step())
    [turn] = newest(runs).of(RateChanged)
    bare = Loop()
    doubled_from(bare.optimizer, turn.step)
    bare.prepare()
    next(count for count in bare.steps() if count == len(loop.losses))
    assert all(map(torch.equal, loop.model.parameters(), bare.model.parameters()))
    assert newest(runs).column("applied_lr") == [
        rate * (2 if step >= turn.step else 1) for step, rate in enumerate(bare.rates)
    ]


def test_stop_ends_the_block_within_a_step(runs):
    loop, steering = Loop().prepare(), Steering(runs, Stop(0))
    with lrtui.watch(loop.wrapped) as run:
        for _ in loop.steps():
            steering.step()
    assert run.path is None
    assert newest(runs).of(Ended)[0].reason == "stopped"
    assert newest(runs).column("loss") == loop.losses
    assert not loop.optimizer._optimizer_step_pre_hooks
