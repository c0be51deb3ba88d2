"""The callback for XGBoost."""

import math

import numpy as np
import pytest

from lrtui.core.protocol.commands import ScaleRate, SetRate, Stop
from lrtui.core.protocol.events import Alerted, Ended, RateChanged
from support.steering import Pauser, Steering, logged, newest, statuses

xgboost = pytest.importorskip("xgboost")
from lrtui.integrations.xgboost import LrtuiCallback  # noqa: E402

pytestmark = pytest.mark.xdist_group("boosting")

ROUNDS = 2000
"""More than any command needs."""
X = np.random.default_rng(0).normal(size=(60, 3))
DATA = xgboost.DMatrix(X, X.sum(1) ** 2)
PARAMS = {"eta": 0.25, "max_depth": 2, "nthread": 1}


class EachRound(xgboost.callback.TrainingCallback):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def after_iteration(self, model, epoch, evals_log):
        return bool(self.act())


def train(*callbacks, rounds=20, params=PARAMS, evals=((DATA, "train"),)):
    history = {}
    booster = xgboost.train(
        params,
        DATA,
        rounds,
        evals=list(evals),
        evals_result=history,
        callbacks=list(callbacks),
        verbose_eval=False,
    )
    return booster, history


def test_recorded_losses_and_rates_are_those_of_the_rounds(runs):
    booster, history = train(LrtuiCallback(rounds=20), evals=[(DATA, "test"), (DATA, "train")])
    ran = newest(runs)
    assert ran.column("loss") == history["train"]["rmse"]
    assert ran.column("applied_lr") == [0.25] * 20
    assert ran.started.total_steps == 20
    assert logged(ran).keys() == {"test-rmse", "train-rmse"}
    assert booster.get_dump() == train()[0].get_dump()


@pytest.mark.parametrize("first", [True, False])
def test_x2_on_the_dial_is_twice_the_rate_of_a_scheduler(runs, first):
    def rate(round_number):
        return 0.25 / (1 + round_number % 4)

    steering = Steering(runs, ScaleRate(0, 2.0))
    scheduler = xgboost.callback.LearningRateScheduler(rate)
    both = (scheduler, LrtuiCallback()) if first else (LrtuiCallback(), scheduler)
    dialled, history = train(*both, EachRound(steering.step), rounds=ROUNDS)
    ran = newest(runs)
    [turn], count = ran.of(RateChanged), len(history["train"]["rmse"])
    applied = [
        (0.25 if at == 0 else rate(at - 1)) * (2 if at >= turn.step else 1) for at in range(count)
    ]

    def set_rate(round_number):
        return applied[min(round_number + 1, count - 1)]

    bare, _ = train(xgboost.callback.LearningRateScheduler(set_rate), rounds=count)
    assert dialled.get_dump() == bare.get_dump()
    assert ran.column("applied_lr") == pytest.approx(applied, rel=1e-6)


def test_set_rate_is_applied_whatever_the_dial_says(runs):
    steering = Steering(runs, ScaleRate(0, 2.0), SetRate(0, 0.125))
    train(LrtuiCallback(), EachRound(steering.step), rounds=ROUNDS)
    assert newest(runs).column("applied_lr")[-1] == 0.125


def test_stop_ends_within_a_round_and_leaves_the_rate(runs):
    steering = Steering(runs, ScaleRate(0, 2.0), Stop(0))
    callback, asked = LrtuiCallback(), []

    def act():
        asked.append(callback.watch.stopped)
        steering.step()

    booster, history = train(EachRound(act), callback, rounds=ROUNDS)
    count = len(history["train"]["rmse"])
    assert newest(runs).column("loss") == history["train"]["rmse"]
    assert newest(runs).of(Ended)[0].reason == "stopped"
    assert asked == [False] * count
    assert booster.num_boosted_rounds() == count < ROUNDS
    assert '"learning_rate":"0.25"' in booster.save_config()


def test_pause_waits_before_a_round_and_resume_goes_on(runs):
    pauser = Pauser(runs)
    train(LrtuiCallback(), EachRound(lambda: pauser.done), rounds=ROUNDS)
    assert pauser.done
    assert statuses(newest(runs)) == ["paused", "running"]


def test_without_evals_a_missing_loss_is_no_nan(runs):
    train(LrtuiCallback(), evals=())
    ran = newest(runs)
    assert len(ran.column("applied_lr")) == 20
    assert all(map(math.isnan, ran.column("loss")))
    assert ran.of(Alerted) == []


def test_rate_that_explodes_is_an_alert(runs):
    train(LrtuiCallback(), params=PARAMS | {"eta": 10.0}, rounds=60)
    assert {alert.kind for alert in newest(runs).of(Alerted)} & {"nan", "diverged"}


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_rates_of_every_booster_are_found(runs, booster):
    train(LrtuiCallback(), params={"eta": 0.25, "booster": booster}, rounds=3)
    assert newest(runs).column("applied_lr") == [0.25] * 3


def test_early_stop_of_another_callback_leaves_the_rate(runs):
    steering, turned = Steering(runs, ScaleRate(0, 2.0)), []

    class Early(EachRound):
        def after_iteration(self, model, epoch, evals_log):
            turned.append('"learning_rate":"0.5"' in model.save_config())
            return super().after_iteration(model, epoch, evals_log)

    booster, _ = train(Early(steering.step), LrtuiCallback(), rounds=ROUNDS)
    assert turned[-1]
    assert '"learning_rate":"0.25"' in booster.save_config()


def test_cross_validation_is_a_lane_too(runs):
    found = xgboost.cv(PARAMS, DATA, 3, nfold=2, callbacks=[LrtuiCallback()], as_pandas=False)
    assert newest(runs).column("loss") == pytest.approx(found["train-rmse-mean"])
