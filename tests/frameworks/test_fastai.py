"""The callback for fastai, with optimizers of its own and of torch."""

import math

import pytest
import torch
from torch import nn

from lrtui.core.protocol.commands import ScaleRate, Stop
from lrtui.core.protocol.events import Alerted, Ended, RateChanged
from lrtui.store.run_dir import listing
from support.steering import Pauser, Steering, logged, newest, statuses

pytest.importorskip("fastai")
basics = pytest.importorskip("fastai.basics")
from fastai.callback.core import Callback, CancelFitException, CancelStepException  # noqa: E402
from fastai.callback.schedule import ParamScheduler, SchedCos  # noqa: E402
from fastai.callback.training import GradientAccumulation  # noqa: E402
from fastai.optimizer import OptimWrapper  # noqa: E402

from lrtui.integrations.fastai import LrtuiCallback  # noqa: E402

pytestmark = pytest.mark.xdist_group("fastai")

BATCHES = 6
"""Of an epoch."""
X = torch.randn(8 * BATCHES, 3, generator=torch.Generator().manual_seed(1))
ROWS = list(zip(X, X.sum(1, keepdim=True), strict=True))
SCHEDULE = {"lr": SchedCos(0.05, 0.01)}


def torch_adam(params, **kwargs):
    return OptimWrapper(params, torch.optim.Adam, **kwargs)


class EachStep(Callback):
    """Keeps each batch's loss and each step's rate as fastai has them, and ends when asked."""

    order = 80
    run_valid = False

    def __init__(self, act=None, doubled_from=math.inf):
        super().__init__()
        self.act, self.doubled_from = act, doubled_from
        self.seen, self.rates = [], []

    def before_step(self):
        self.rates.append(self.learn.opt.hypers[-1]["lr"])
        if len(self.rates) > self.doubled_from:
            self.learn.opt.set_hyper("lr", [h["lr"] * 2 for h in self.learn.opt.hypers])

    def after_loss(self):
        self.seen.append(self.learn.loss_grad.item())

    def after_batch(self):
        if self.act and self.act():
            raise CancelFitException


@pytest.fixture(params=["own", "torch"])
def opt_func(request):
    return {"own": basics.Adam, "torch": torch_adam}[request.param]


def fit(opt_func, *callbacks, epochs=2):
    """Trains two groups of parameters under a cosine schedule; the learner."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    loaders = basics.DataLoaders(basics.DataLoader(ROWS, bs=8), basics.DataLoader(ROWS[:8], bs=8))
    learner = basics.Learner(
        loaders,
        model,
        loss_func=nn.MSELoss(),
        opt_func=opt_func,
        splitter=lambda model: [list(model[0].parameters()), list(model[2].parameters())],
        metrics=[basics.mae],
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit(epochs, cbs=[ParamScheduler(SCHEDULE), *callbacks])
    return learner


def equal(one, other):
    return all(map(torch.equal, one.model.parameters(), other.model.parameters()))


def test_recorded_losses_and_rates_are_the_true_ones(runs, opt_func):
    seen = EachStep()
    watched = fit(opt_func, LrtuiCallback(), seen)
    ran = newest(runs)
    assert ran.column("loss") == seen.seen
    assert ran.column("applied_lr") == seen.rates
    assert ran.started.total_steps == 2 * BATCHES
    assert equal(watched, fit(opt_func))
    values = logged(ran)
    assert values["epoch"] == [(BATCHES, 1.0), (2 * BATCHES, 2.0)]
    assert values.keys() == {"epoch", "valid_loss", "mae"}


def test_recorded_losses_are_the_true_ones_with_accumulation(runs, opt_func):
    seen = EachStep()
    fit(opt_func, LrtuiCallback(), seen, GradientAccumulation(24))
    sums = [sum(seen.seen[at : at + 3]) for at in range(0, 2 * BATCHES, 3)]
    assert newest(runs).column("loss") == sums


def test_x2_on_the_dial_is_twice_the_rate_of_every_group(runs, opt_func):
    steering = Steering(runs, ScaleRate(0, 2.0))
    seen = EachStep(steering.step)
    dialled = fit(opt_func, LrtuiCallback(), seen, epochs=100)
    ran = newest(runs)
    [turn], count = ran.of(RateChanged), len(seen.seen)
    left = iter(range(count - 1, -1, -1))
    bare = EachStep(lambda: next(left) == 0, turn.step)
    assert equal(dialled, fit(opt_func, bare, epochs=100))
    assert ran.column("applied_lr") == [
        rate * (2 if step >= turn.step else 1) for step, rate in enumerate(bare.rates)
    ]


@pytest.mark.parametrize("order", [60, 90])
def test_step_that_another_callback_cancels_is_left_out(runs, opt_func, order):
    class Cancel(Callback):
        def before_step(self):
            if self.train_iter == 3:
                raise CancelStepException

    Cancel.order = order
    seen = EachStep()
    fit(opt_func, Cancel(), LrtuiCallback(), seen)
    ran = newest(runs)
    assert ran.column("loss") == seen.seen[:3] + seen.seen[4:]
    rates = ran.column("applied_lr")
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == 2 * BATCHES - 1


def test_stop_ends_within_a_step_and_leaves_the_rates(runs, opt_func):
    steering, seen = Steering(runs, ScaleRate(0, 3.0), Stop(0)), None
    seen = EachStep(lambda: steering.step() and False)
    backward = torch.autograd.backward
    learner = fit(opt_func, seen, LrtuiCallback(), epochs=100)
    ran = newest(runs)
    assert ran.column("loss") == seen.seen
    assert len(seen.seen) < 100 * BATCHES
    assert ran.of(Ended)[0].reason == "stopped"
    assert all(0.01 <= group["lr"] <= 0.05 for group in learner.opt.hypers)
    assert torch.autograd.backward is backward


def test_pause_waits_before_a_step_and_resume_goes_on(runs, opt_func):
    pauser = Pauser(runs)
    fit(opt_func, LrtuiCallback(), EachStep(lambda: pauser.done), epochs=500)
    assert pauser.done
    assert statuses(newest(runs)) == ["paused", "running"]


def test_nan_is_seen_at_its_step(runs, opt_func):
    class Poison(Callback):
        def before_batch(self):
            if self.training and self.train_iter == 3:
                self.learn.xb = (self.xb[0] * math.nan,)

    fit(opt_func, Poison(), LrtuiCallback())
    assert [(alert.kind, alert.step) for alert in newest(runs).of(Alerted)] == [("nan", 3)]


def test_predictions_are_no_run(runs):
    learner = fit(basics.Adam, LrtuiCallback())
    learner.add_cb(LrtuiCallback())
    learner.get_preds()
    assert len(listing(runs)) == 1
