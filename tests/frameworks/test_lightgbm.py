"""The pair of callbacks for LightGBM."""

import math

import numpy as np
import pytest

from lrtui.core.protocol.commands import ScaleRate, Stop
from lrtui.core.protocol.events import Alerted, Ended, RateChanged
from support.steering import Pauser, Steering, logged, newest, statuses

lightgbm = pytest.importorskip("lightgbm")
from lrtui.integrations.lightgbm import lrtui_callback  # noqa: E402

pytestmark = pytest.mark.xdist_group("boosting")

ROUNDS = 2000
"""More than any command needs."""
X = np.random.default_rng(0).normal(size=(120, 3))
Y = X.sum(1) ** 2
PARAMS = {"objective": "l2", "num_leaves": 4, "num_threads": 1, "verbose": -1}


def train(*callbacks, rounds=20, params=PARAMS, valid=True):
    data = lightgbm.Dataset(X, Y, free_raw_data=False)
    history = {}
    record = lightgbm.record_evaluation(history)
    sets = {"valid_sets": [data], "valid_names": ["training"]} if valid else {}
    booster = lightgbm.train(params, data, rounds, callbacks=[*callbacks, record], **sets)
    return booster, history


def trees(booster):
    return [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]


def each_round(act):
    def callback(env):
        if act():
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

    callback.order = 50
    return callback


@pytest.mark.parametrize("name", ["learning_rate", "eta", "shrinkage_rate", ""])
def test_recorded_losses_and_rates_are_those_of_the_rounds(runs, name):
    params = PARAMS | ({name: 0.25} if name else {})
    booster, history = train(*lrtui_callback(), params=params)
    ran = newest(runs)
    assert ran.column("loss") == history["training"]["l2"]
    assert ran.column("applied_lr") == [0.25 if name else 0.1] * 20
    assert ran.started.total_steps == 20
    assert logged(ran).keys() == {"training-l2"}
    assert ran.of(Ended)[0].reason == "finished"
    assert booster.model_to_string() == train(params=params)[0].model_to_string()


def test_x2_on_the_dial_is_twice_the_rate_of_a_schedule(runs):
    def rate(at):
        return 0.25 / (1 + at % 4)

    steering = Steering(runs, ScaleRate(0, 2.0))
    schedule = lightgbm.reset_parameter(learning_rate=rate)
    dialled, history = train(schedule, *lrtui_callback(), each_round(steering.step), rounds=ROUNDS)
    ran = newest(runs)
    [turn], count = ran.of(RateChanged), len(history["training"]["l2"])
    applied = [rate(at) * (2 if at >= turn.step else 1) for at in range(count)]
    bare, _ = train(lightgbm.reset_parameter(learning_rate=applied), rounds=count)
    assert trees(dialled) == trees(bare)
    assert ran.column("applied_lr") == applied


def test_dial_back_at_1_applies_the_rate_of_the_parameters(runs):
    there, back = Steering(runs, ScaleRate(0, 2.0)), Steering(runs, ScaleRate(0, 0.5))

    def act():
        return back.step() if there.more <= 0 else there.step() and False

    dialled, _ = train(*lrtui_callback(), each_round(act), rounds=ROUNDS)
    ran = newest(runs)
    applied = ran.column("applied_lr")
    assert applied[-1] == 0.1
    assert 0.2 in applied
    bare, _ = train(lightgbm.reset_parameter(learning_rate=applied), rounds=len(applied))
    assert trees(dialled) == trees(bare)


def test_stop_ends_within_a_round(runs):
    steering = Steering(runs, Stop(0))
    booster, history = train(*lrtui_callback(), each_round(steering.step), rounds=ROUNDS)
    assert booster.num_trees() == len(newest(runs).column("loss")) < ROUNDS
    assert len(history["training"]["l2"]) == booster.num_trees()
    assert newest(runs).of(Ended)[0].reason == "stopped"


def test_pause_waits_before_a_round_and_resume_goes_on(runs):
    pauser = Pauser(runs)
    train(*lrtui_callback(), each_round(lambda: pauser.done), rounds=ROUNDS)
    assert pauser.done
    assert statuses(newest(runs)) == ["paused", "running"]


def test_without_valid_sets_a_missing_loss_is_no_nan(runs):
    train(*lrtui_callback(), valid=False)
    ran = newest(runs)
    assert len(ran.column("applied_lr")) == 20
    assert all(map(math.isnan, ran.column("loss")))
    assert ran.of(Alerted) == []


def test_metric_that_rises_is_not_taken_for_the_loss(runs):
    params = PARAMS | {"objective": "binary", "metric": ["auc", "binary_logloss"]}
    data = lightgbm.Dataset(X, Y > 1)
    history = {}
    lightgbm.train(
        params,
        data,
        5,
        valid_sets=[data],
        callbacks=[*lrtui_callback(), lightgbm.record_evaluation(history)],
    )
    assert newest(runs).column("loss") == history["training"]["binary_logloss"]


def test_cross_validation_is_a_lane_too(runs):
    data = lightgbm.Dataset(X, Y)
    found = lightgbm.cv(PARAMS, data, 4, nfold=2, stratified=False, callbacks=lrtui_callback())
    assert newest(runs).column("loss") == found["valid l2-mean"]
