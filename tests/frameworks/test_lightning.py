"""The callback for Lightning, with a LightningModule; Fabric and plain hooks without one."""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lrtui
from lrtui.core.protocol.commands import ScaleRate, Stop
from lrtui.core.protocol.events import Alerted, Ended, LogMessage, RateChanged
from support.steering import Pauser, Steering, doubled_from, logged, newest, statuses

lightning = pytest.importorskip("lightning")
from lrtui.integrations.lightning import LrtuiCallback  # noqa: E402

pytestmark = [
    pytest.mark.xdist_group("lightning"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning"),
]

EPOCH = 16
"""Batches of an epoch."""
X = torch.randn(4 * EPOCH, 3, generator=torch.Generator().manual_seed(1))
DATA = DataLoader(TensorDataset(X, X.sum(1, keepdim=True)), batch_size=4)


class Fit(lightning.LightningModule):
    """Two groups of parameters, a scheduler, and the losses that were computed."""

    def __init__(self, poisoned=None, manual=False):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.poisoned, self.losses = poisoned, []
        self.automatic_optimization = not manual

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.mse_loss(self.layers(x), y)
        if len(self.losses) == self.poisoned:
            loss = loss * math.nan
        self.losses.append(loss.item())
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        if self.automatic_optimization:
            return loss
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return None

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val_loss", nn.functional.mse_loss(self.layers(x), y))

    def configure_optimizers(self):
        groups = [{"params": layer.parameters()} for layer in (self.layers[0], self.layers[2])]
        groups[1]["lr"] = 0.02
        optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class EachStep(lightning.Callback):
    def __init__(self, act):
        self.act = act

    def on_train_batch_end(self, trainer, *args):
        if self.act(trainer.global_step):
            trainer.should_stop = True


def trainer(*callbacks, **args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lightning.Trainer(
            callbacks=list(callbacks),
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **({"max_epochs": 1} | args),
        )


def test_recorded_losses_are_the_true_ones_with_accumulation(runs):
    module = Fit()
    trainer(LrtuiCallback(), accumulate_grad_batches=3, max_epochs=2).fit(module, DATA)
    parts = [
        [n * EPOCH + i for i in range(EPOCH)][at : at + 3]
        for n in (0, 1)
        for at in range(0, EPOCH, 3)
    ]
    true = [sum(torch.tensor(module.losses[i]).div(3).item() for i in part) for part in parts]
    assert newest(runs).column("loss") == true
    assert newest(runs).started.total_steps == len(true) == 12


def test_x2_on_the_dial_is_twice_the_rate_of_every_group(runs):
    steering = Steering(runs, ScaleRate(0, 2.0))
    dialled, module = (
        trainer(LrtuiCallback(), EachStep(lambda step: steering.step()), max_epochs=40),
        Fit(),
    )
    dialled.fit(module, DATA)
    ran = newest(runs)
    [turn], count = ran.of(RateChanged), dialled.global_step

    class Bare(Fit):
        def configure_optimizers(self):
            found = super().configure_optimizers()
            doubled_from(found[0][0], turn.step)
            return found

    bare = Bare()
    trainer(max_epochs=-1, max_steps=count).fit(bare, DATA)
    assert bare.losses == module.losses[: len(bare.losses)]
    assert all(map(torch.equal, module.parameters(), bare.parameters()))
    for column, first in (("applied_lr", 0.01), ("applied_lr/1", 0.02)):
        rates = [first]
        while len(rates) < count:
            rates.append(rates[-1] * 0.99)
        factors = [2.0 if step >= turn.step else 1.0 for step in range(count)]
        assert ran.column(column) == [r * f for r, f in zip(rates, factors, strict=True)]


def test_manual_optimization_is_recorded_and_stopped_as_well(runs):
    steering, module = Steering(runs, Stop(0)), Fit(manual=True)
    trainer(LrtuiCallback(), EachStep(lambda step: steering.step() and False), max_epochs=40).fit(
        module, DATA
    )
    assert newest(runs).column("loss") == module.losses
    assert newest(runs).of(Ended)[0].reason == "stopped"


def test_stop_ends_within_a_step_and_leaves_no_hooks(runs):
    steering, callback, asked = Steering(runs, Stop(0)), LrtuiCallback(), []
    backward = torch.autograd.backward

    def act(step):
        asked.append(callback.watch.stopped)
        steering.step()

    made, module = trainer(callback, EachStep(act), max_epochs=40), Fit()
    made.fit(module, DATA)
    ran = newest(runs)
    assert asked == [False] * (len(asked) - 1) + [True]
    assert len(ran.column("loss")) == made.global_step == len(asked)
    assert ran.of(Ended)[0].reason == "stopped"
    assert not made.optimizers[0]._optimizer_step_pre_hooks
    assert not made.optimizers[0]._optimizer_step_post_hooks
    assert torch.autograd.backward is backward


def test_stop_waits_for_the_end_of_an_epoch_where_min_epochs_asks(runs):
    steering = Steering(runs, Stop(0), moment=0.25)  # answered long before the third epoch
    each = EachStep(lambda step: steering.step() and False)
    made = trainer(LrtuiCallback(), each, max_epochs=40, min_epochs=3)
    made.fit(Fit(), DATA)
    ran = newest(runs)
    assert len(ran.column("loss")) == 3 * EPOCH
    notes = [note.text for note in ran.of(LogMessage)]
    assert "Lightning goes on to the end of an epoch: min_epochs = 3, min_steps = None" in notes


def test_pause_waits_before_a_step_and_resume_goes_on(runs):
    pauser = Pauser(runs)
    trainer(LrtuiCallback(), EachStep(lambda step: pauser.done), max_epochs=100).fit(Fit(), DATA)
    assert pauser.done
    assert statuses(newest(runs)) == ["paused", "running"]


def test_nan_is_seen_at_its_step(runs):
    trainer(LrtuiCallback()).fit(Fit(poisoned=5), DATA)
    ran = newest(runs)
    assert [(alert.kind, alert.step) for alert in ran.of(Alerted)] == [("nan", 5)]
    assert math.isnan(ran.column("loss")[5])


def test_what_the_module_logs_and_epochs_are_logged_once_each(runs):
    trainer(LrtuiCallback(), max_epochs=3).fit(Fit(), DATA, DATA)
    values = logged(newest(runs))
    assert values["epoch"] == [(EPOCH, 1.0), (2 * EPOCH, 2.0), (3 * EPOCH, 3.0)]
    assert values.keys() == {"epoch", "train_loss", "val_loss"}
    assert [step for step, _ in values["val_loss"]] == [EPOCH, 2 * EPOCH, 3 * EPOCH]
    assert len(values["train_loss"]) == 3


def test_fabric_needs_no_callback(runs):
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    model = Fit()
    optimizer = torch.optim.SGD(model.layers.parameters(), lr=0.1)
    layers, wrapped = fabric.setup(model.layers, optimizer)
    losses = []
    with lrtui.watch(wrapped, name="fabric") as run:
        for x, y in DATA:
            loss = nn.functional.mse_loss(layers(x), y)
            wrapped.zero_grad()
            fabric.backward(loss)
            wrapped.step()
            losses.append(loss.item())
        assert run.rate == 0.1
    assert newest(runs).column("loss") == losses
