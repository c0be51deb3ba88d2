"""The callback for Keras, with a functional model on its torch backend."""

import math
import os

import numpy as np
import pytest

from lrtui.core.protocol.commands import ScaleRate, Stop
from lrtui.core.protocol.events import Alerted, Ended, RateChanged
from support.steering import Pauser, Steering, logged, newest, statuses

with pytest.MonkeyPatch.context() as patch:  # Keras reads it when it is imported
    patch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras")
from lrtui.integrations.keras import LrtuiCallback

pytestmark = [
    pytest.mark.xdist_group("keras"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

BATCHES = 5
"""Of an epoch; the last one is short."""
X = np.random.default_rng(0).normal(size=(36, 3)).astype("float32")
Y = X.sum(1, keepdims=True) ** 2
DECAY = {"initial_learning_rate": 0.05, "decay_steps": 10, "decay_rate": 0.5}


class Model(keras.Model):
    """A functional model that keeps the losses which it computed."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training:
            self.losses_seen.append(float(loss.detach()))
        return loss


class EachStep(keras.callbacks.Callback):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def on_train_batch_end(self, batch, logs=None):
        if self.act():
            self.model.stop_training = True


class Scheduled(keras.callbacks.Callback):
    """Sets each batch's rate itself, as many scripts do: a warmup, twice as high from a step on."""

    def __init__(self, doubled_from=math.inf):
        super().__init__()
        self.doubled_from, self.step, self.rates = doubled_from, 0, []

    def on_train_batch_begin(self, batch, logs=None):
        rate = float(np.float32(0.01 + 0.001 * (self.step % 7)))
        self.rates.append(rate)
        self.model.optimizer.learning_rate = rate * (2 if self.step >= self.doubled_from else 1)
        self.step += 1


def made(rate, optimizer="SGD", **options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="tanh")(inputs)
    model = Model(inputs, keras.layers.Dense(1)(hidden))
    model.losses_seen = []
    model.compile(getattr(keras.optimizers, optimizer)(rate, **options), "mse", metrics=["mae"])
    return model


class Begin(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.losses_seen.clear()  # of the building of the model


def fit(model, *callbacks, epochs=2, **options):
    return model.fit(
        X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=[Begin(), *callbacks], **options
    )


def equal(one, other):
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_recorded_losses_are_those_of_the_steps_not_the_running_mean(runs):
    model = made(0.01)
    history = fit(model, LrtuiCallback(), validation_split=0.25)
    assert newest(runs).column("loss") == model.losses_seen
    assert newest(runs).started.total_steps == len(model.losses_seen) == 8
    bare = made(0.01)
    assert fit(bare, validation_split=0.25).history == history.history
    assert equal(model, bare)
    values = logged(newest(runs))
    assert values.keys() == {"epoch", "mae", "val_loss", "val_mae"}
    assert values["val_loss"] == list(zip((4, 8), history.history["val_loss"], strict=True))


def test_recorded_losses_are_the_means_of_accumulated_batches(runs):
    model = made(0.01, gradient_accumulation_steps=3)
    fit(model, LrtuiCallback(), epochs=3)
    assert newest(runs).column("loss") == [
        sum(model.losses_seen[at : at + 3]) / 3 for at in range(0, 3 * BATCHES, 3)
    ]
    assert newest(runs).started.total_steps == BATCHES


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_x2_on_the_dial_is_twice_the_rate_that_others_set(runs, optimizer):
    model, steering, usual = made(0.01, optimizer), Steering(runs, ScaleRate(0, 2.0)), Scheduled()
    fit(model, usual, LrtuiCallback(), EachStep(steering.step), epochs=200)
    [turn] = newest(runs).of(RateChanged)
    bare = made(0.01, optimizer)
    left = iter(range(len(model.losses_seen) - 1, -1, -1))
    fit(bare, Scheduled(turn.step), EachStep(lambda: next(left) == 0), epochs=200)
    assert equal(model, bare)
    assert newest(runs).column("applied_lr") == [
        rate * (2 if step >= turn.step else 1) for step, rate in enumerate(usual.rates)
    ]


def test_x2_on_the_dial_is_twice_the_rate_of_a_schedule(runs):
    schedule = keras.optimizers.schedules.ExponentialDecay
    model, steering = made(schedule(**DECAY)), Steering(runs, ScaleRate(0, 2.0))
    fit(model, LrtuiCallback(), EachStep(steering.step), epochs=200)
    [turn] = newest(runs).of(RateChanged)

    class Doubled(schedule):
        def __call__(self, step):
            return super().__call__(step) * (2.0 if int(step) >= turn.step else 1.0)

    bare = made(Doubled(**DECAY))
    left = iter(range(len(model.losses_seen) - 1, -1, -1))
    fit(bare, EachStep(lambda: next(left) == 0), epochs=200)
    assert equal(model, bare)
    assert type(model.optimizer._learning_rate) is schedule
    rates = [float(Doubled(**DECAY)(step)) for step in range(len(model.losses_seen))]
    assert newest(runs).column("applied_lr") == rates


def test_model_saved_within_a_batch_knows_no_lrtui(runs, tmp_path):
    model = made(keras.optimizers.schedules.ExponentialDecay(**DECAY))
    file = str(tmp_path / "model.keras")
    fit(model, keras.callbacks.ModelCheckpoint(file, save_freq=3), LrtuiCallback())
    saved = keras.saving.load_model(file, custom_objects={"Model": Model})
    assert type(saved.optimizer._learning_rate) is keras.optimizers.schedules.ExponentialDecay


def test_stop_ends_within_a_step_and_leaves_the_rate(runs):
    steering, callback, asked = Steering(runs, ScaleRate(0, 3.0), Stop(0)), LrtuiCallback(), []

    def act():
        asked.append(callback.watch.stopped)  # executed once the step was recorded
        steering.step()

    model = made(0.01)
    fit(model, callback, EachStep(act), epochs=200)
    assert asked == [False] * (len(asked) - 1) + [True]
    assert newest(runs).column("loss") == model.losses_seen
    assert len(model.losses_seen) == len(asked)
    assert newest(runs).of(Ended)[0].reason == "stopped"
    assert float(model.optimizer.learning_rate.numpy()) == float(np.float32(0.01))


def test_pause_waits_before_a_batch_and_resume_goes_on(runs):
    pauser = Pauser(runs)
    fit(made(0.01), LrtuiCallback(), EachStep(lambda: pauser.done), epochs=500)
    assert pauser.done
    assert statuses(newest(runs)) == ["paused", "running"]


def test_nan_is_seen_at_its_step(runs):
    model = made(1e30)
    fit(model, LrtuiCallback())
    ran = newest(runs)
    first = next(at for at, loss in enumerate(model.losses_seen) if not math.isfinite(loss))
    assert first > 0
    assert [(alert.kind, alert.step) for alert in ran.of(Alerted)] == [("nan", first)]
