"""A callback for Keras 3, on any of its backends.

    model.fit(x, y, callbacks=[..., LrtuiCallback()])  # last: it sees the rates that others set

Keras's optimizers are none of torch's, and `logs["loss"]` is the epoch's running mean. So the
callback turns the rate around each batch, and has the model's loss metric keep the last value.
"""

from __future__ import annotations

from typing import Any

import keras

from lrtui.integrations.watch import Watch, watch


class LrtuiCallback(keras.callbacks.Callback):
    """Records and steers each `fit()` as a lane of its own. One step is one batch, or as many as
    the optimizer accumulates."""

    def __init__(self, name: str = "") -> None:
        """`name`: of the run; "" is the model's name."""
        super().__init__()
        self._name = name
        self.watch: Watch | None = None
        self._losses: list[float] = []
        """Of the batches since the last step."""
        self._dial: _Dial | None = None

    def set_model(self, model: Any) -> None:
        """Replaces the loss metric before the training function is built, which takes it in. It
        stays: it does all that the other did."""
        super().set_model(model)
        tracker: Any = getattr(model, "_loss_tracker", None)
        if type(tracker) is keras.metrics.Mean:
            model._loss_tracker = _Loss(name=tracker.name)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        steps = self.params.get("steps")
        total = (steps or 0) * self.params["epochs"] // self._accumulated or None
        self._losses = []
        self._dial = _Dial(optimizer)
        self.watch = watch(steps=total, name=self._name or self.model.name, raise_on_stop=False)
        if (at_once := self.model.steps_per_execution) > 1:
            self.watch.note(f"Keras tells of one step in {at_once}: steps_per_execution")

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.watch is None or self._dial is None:
            return
        self._fetch_state()
        self.watch.turn(self._dial.rate())
        self._dial.turn(self.watch.factor)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.watch is None or self._dial is None:
            return
        self._fetch_state()
        self._dial.put_back()
        self._losses.append(self._loss(logs or {}))
        if len(self._losses) >= self._accumulated:
            self.watch.step(loss=sum(self._losses) / len(self._losses), rate=self._dial.applied)
            self._losses.clear()
        if self.watch.stopped:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.watch is not None:
            values = {k: float(v) for k, v in (logs or {}).items() if k not in _SEEN}
            self.watch.log(epoch=epoch + 1, **values)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.watch is not None and self._dial is not None:
            self._dial.remove()
            self.watch.finish()
            self.watch = self._dial = None

    def _fetch_state(self) -> None:
        """Brings what JAX computed back to the variables, and what is assigned to them to it: Keras
        does so when a callback asks for its model."""
        assert self.model is not None

    @property
    def _accumulated(self) -> int:
        """Batches of a step."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        return optimizer.gradient_accumulation_steps or 1

    def _loss(self, logs: dict[str, Any]) -> float:
        """The last batch's; of a model with a loss metric of its own, what it tells."""
        tracker = getattr(self.model, "_loss_tracker", None)
        if isinstance(tracker, _Loss):
            return float(keras.ops.convert_to_numpy(tracker.last.value))
        return float(logs.get("loss", float("nan")))


_SEEN = ("loss", "learning_rate")
"""Of Keras's logs: what is recorded of every step already."""


class _Loss(keras.metrics.Mean):
    """The mean that Keras shows, and the value that was taken into it last."""

    def __init__(self, name: str = "loss", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.last = self.add_variable(shape=(), initializer="zeros", name="last")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        super().update_state(values, sample_weight)
        self.last.assign(keras.ops.cast(keras.ops.mean(values), self.dtype))


class _Dial:
    """Multiplies the rate of an optimizer of Keras during a batch; between batches it is as
    without."""

    def __init__(self, optimizer: Any) -> None:
        self.applied = float("nan")
        """The rate of the present batch."""
        self._optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        self._own: Any = None
        """The rate, or the schedule, while another stands in its place."""
        rate = self._optimizer._learning_rate
        self._schedule = None if isinstance(rate, keras.Variable) else _Turned(rate, optimizer)

    def rate(self) -> float:
        """The rate that stands in the optimizer."""
        return float(keras.ops.convert_to_numpy(self._optimizer.learning_rate))

    def turn(self, factor: float) -> None:
        """Applies `factor` to the batch that comes. A schedule is always replaced: a compiled
        training function takes in what it finds at first."""
        if self._schedule is not None:
            self._schedule.factor.assign(factor)
            self._own, self._optimizer._learning_rate = self._schedule.inner, self._schedule
        elif factor != 1.0:
            self._own = self.rate()
            self._optimizer.learning_rate = self._own * factor
        self.applied = self.rate()

    def put_back(self) -> None:
        """Puts back what stood there, unless another callback has set it for the next batch."""
        if self._schedule is not None:
            self._optimizer._learning_rate = self._own
        elif self._own is not None and self.rate() == self.applied:
            self._optimizer.learning_rate = self._own
        self._own = None

    def remove(self) -> None:
        """Leaves a compiled training function at factor 1."""
        if self._schedule is not None:
            self._schedule.factor.assign(1.0)


@keras.saving.register_keras_serializable("lrtui")
class _Turned(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule, or a function without arguments, times a factor: a variable, which belongs to the
    optimizer where the backend would else take it for a constant."""

    def __init__(self, inner: Any, optimizer: Any) -> None:
        self.inner = inner
        self.factor = (
            optimizer.add_variable((), initializer="ones", name="lrtui_factor")
            if keras.backend.backend() == "jax"
            else keras.Variable(1.0, trainable=False, name="lrtui_factor")
        )

    def __call__(self, step: Any) -> Any:
        scheduled = isinstance(self.inner, keras.optimizers.schedules.LearningRateSchedule)
        rate = self.inner(step) if scheduled else self.inner()
        return rate * keras.ops.convert_to_tensor(self.factor)

    def get_config(self) -> dict[str, Any]:
        """Of an optimizer that is saved within a batch."""
        return {"inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The schedule itself, without a dial."""
        return keras.saving.deserialize_keras_object(config["inner"])
