"""A callback for fastai's Learner.

    learn = Learner(dls, model, cbs=LrtuiCallback())

fastai's own optimizers are none of torch's: there the callback itself turns the rates around the
step. Inside an OptimWrapper is one of torch's, with hooks of its own.
"""

from __future__ import annotations

from fastai.callback.core import Callback, CancelFitException
from fastai.callback.training import GradientAccumulation
from fastai.optimizer import OptimWrapper

from lrtui.integrations.watch import Watch, watch

_NO_METRICS = ("epoch", "train_loss", "time")


class LrtuiCallback(Callback):  # type: ignore[misc, unused-ignore]
    """Records and steers each `fit()` as a lane of its own; not the learning-rate finder's."""

    order = 70  # behind ParamScheduler (60), which sets the rates, and MixedPrecision
    run_valid = False

    def __init__(self, name: str = "") -> None:
        """`name`: of the run; "" is the model's class."""
        super().__init__()
        self.title = name
        self.watch: Watch | None = None
        self.scheduled: list[float] = []
        """The groups' rates as fastai set them, during a step of an optimizer of its own."""

    def before_fit(self) -> None:
        self.run = not hasattr(self.learn, "lr_finder") and not hasattr(self.learn, "gather_preds")
        if not self.run:
            return
        accumulates = any(isinstance(cb, GradientAccumulation) for cb in self.learn.cbs)
        self.scheduled = []
        self.watch = watch(
            self.learn.opt.opt if self._wraps else None,
            steps=None if accumulates else self.learn.n_epoch * len(self.learn.dls.train),
            name=self.title or type(self.learn.model).__name__,
            raise_on_stop=False,
        )

    def before_step(self) -> None:
        """Multiplies the rates, on top of what ParamScheduler has set."""
        if self.watch is None or self._wraps:
            return
        hypers = self.learn.opt.hypers
        self.scheduled = [group["lr"] for group in hypers]
        self.watch.turn(self.scheduled[-1])
        if (factor := self.watch.factor) != 1.0:
            for group, rate in zip(hypers, self.scheduled, strict=True):
                group["lr"] = rate * factor

    def after_cancel_step(self) -> None:
        """The gradients of a step that another callback cancels are dropped, so its loss is no part
        of the next one's."""
        if self.watch is not None:
            self._put_back()
            self.watch.cancel_step()

    def after_step(self) -> None:
        """Also called behind a cancelled step, which has put the rates back."""
        if self.watch is not None and self.scheduled:
            self.watch.step(rate=self._put_back())

    def after_batch(self) -> None:
        if self.watch is not None and self.watch.stopped:
            raise CancelFitException

    def after_epoch(self) -> None:
        if self.watch is not None:
            told = zip(self.learn.recorder.metric_names, self.learn.recorder.log, strict=False)
            metrics = {
                name: float(v) for name, v in told if name not in _NO_METRICS and v is not None
            }
            self.watch.log(epoch=self.learn.epoch + 1, **metrics)

    def after_fit(self) -> None:
        if self.watch is not None:
            self.watch.finish()
            self.watch = None

    @property
    def _wraps(self) -> bool:
        return isinstance(self.learn.opt, OptimWrapper)

    def _put_back(self) -> float:
        """The rates as fastai set them; returns the last group's that was applied, which is the one
        that fastai shows."""
        hypers = self.learn.opt.hypers
        applied = float(hypers[-1]["lr"])
        for group, rate in zip(hypers, self.scheduled, strict=False):
            group["lr"] = rate
        self.scheduled = []
        return applied
