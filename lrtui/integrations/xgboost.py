"""A callback for XGBoost: `xgboost.train`, `xgboost.cv`, and the estimators.

    xgboost.train(params, data, 500, evals=[(data, "train")], callbacks=[LrtuiCallback()])

A round is a step. Its loss is the first metric that falls as a model gets better, of the training
set if it is in `evals`, else of the first set; without one no loss is known.
"""

from __future__ import annotations

import json
import re
from typing import Any

import xgboost

from lrtui.integrations.watch import Watch, watch

_RISING = re.compile(r"(auc|aucpr|pre|ndcg|map)(@|-|$)")
"""XGBoost's metrics that rise, some of them with a cut ("ndcg@3", "map-")."""


class LrtuiCallback(xgboost.callback.TrainingCallback):
    """Records and steers each training as a lane of its own."""

    def __init__(self, name: str = "", rounds: int | None = None) -> None:
        """`name`: of the run; `rounds`: how many there will be, which XGBoost does not tell."""
        super().__init__()
        self._name = name
        self._rounds = rounds
        self.watch: Watch | None = None
        self._base = self._applied = float("nan")
        """The rate as it was set by others, and what was made of it in this round."""

    def before_training(self, model: Any) -> Any:
        self.watch = watch(steps=self._rounds, name=self._name or "xgboost", raise_on_stop=False)
        return model

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if self.watch is None:
            return False
        self._base = self._applied = _rate(model)
        if (rate := self.watch.turn(self._base)) != self._base:
            model.set_param("learning_rate", rate)
            self._applied = _rate(model)
        return self.watch.stopped

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if self.watch is None:
            return False
        self._put_back(model)
        told = {
            f"{data}-{metric}": _last(values[-1])
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        }
        self.watch.step(loss=_loss(told), rate=self._applied)
        self.watch.log(**told)
        return self.watch.stopped

    def after_training(self, model: Any) -> Any:
        """Also puts the rate back where another callback ended the training before this one saw the
        end of the round."""
        if self.watch is not None:
            self._put_back(model)
            self.watch.finish()
            self.watch = None
        return model

    def _put_back(self, model: Any) -> None:
        """The rate as others set it, unless a LearningRateScheduler has set the next round's."""
        if self._applied != self._base and _rate(model) == self._applied:
            model.set_param("learning_rate", self._base)


def _rate(model: Any) -> float:
    """The rate in force, which only the whole configuration tells."""
    booster = model.cvfolds[0].bst if hasattr(model, "cvfolds") else model
    found = _find(json.loads(booster.save_config())["learner"]["gradient_booster"])
    return float("nan") if found is None else float(found)


def _find(config: dict[str, Any]) -> str | None:
    """`learning_rate` of the booster's parameters, which each kind of booster keeps elsewhere."""
    if "learning_rate" in config:
        return str(config["learning_rate"])
    inner = (_find(value) for value in config.values() if isinstance(value, dict))
    return next((rate for rate in inner if rate is not None), None)


def _loss(told: dict[str, float]) -> float | None:
    """The metric that stands for the loss."""
    falling = (name for name in told if not _RISING.match(name.partition("-")[2]))
    return told.get(min(falling, key=lambda name: not name.startswith("train"), default=""))


def _last(value: Any) -> float:
    """A metric; of cross-validation its mean, without the deviation."""
    return float(value[0] if isinstance(value, tuple) else value)
