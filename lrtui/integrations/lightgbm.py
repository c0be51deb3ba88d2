"""A pair of callbacks for LightGBM: `lightgbm.train`, `lightgbm.cv`, and the estimators.

    lightgbm.train(params, data, 500, valid_sets=[data], callbacks=lrtui_callback())
    lightgbm.train(..., callbacks=[*lrtui_callback(), lightgbm.early_stopping(20)])

A round is a step. Its loss is the first metric that falls as a model gets better, of the training
set if it is one of `valid_sets`, else of the first of them; without one no loss is known.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import lightgbm

from lrtui.integrations.watch import Watch, watch

_NAMES = ("learning_rate", "shrinkage_rate", "eta")
"""Of the rate, in the parameters."""
_DEFAULT_RATE = 0.1
_AFTER_SCHEDULES = 20
"""Place among the callbacks before a round: `lightgbm.reset_parameter` is at 10."""
_BEFORE_EARLY_STOPPING = 25


def lrtui_callback(name: str = "") -> list[Callable[[Any], None]]:
    """Two callbacks, for LightGBM asks for one before each round and one after it. They record and
    steer each training as a lane of its own; `name` is the run's."""
    lane = _Lane(name or "lightgbm")

    def turn_rate(env: Any) -> None:
        lane.before(env)

    def record_round(env: Any) -> None:
        lane.after(env)

    weakref.finalize(record_round, lane.finish)
    turn_rate.before_iteration = True  # type: ignore[attr-defined]
    turn_rate.order = _AFTER_SCHEDULES  # type: ignore[attr-defined]
    record_round.order = _BEFORE_EARLY_STOPPING  # type: ignore[attr-defined]
    return [turn_rate, record_round]


class _Lane:
    """One training at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._watch: Watch | None = None
        self._turned = False
        """True while the booster's rate is another than that of its parameters."""
        self._applied = _DEFAULT_RATE

    def before(self, env: Any) -> None:
        """Multiplies the round's rate, in the booster alone: `env.params` stays what others read
        and set."""
        if env.iteration == env.begin_iteration or self._watch is None:
            rounds = env.end_iteration - env.begin_iteration
            self._watch = watch(steps=rounds, name=self._name, raise_on_stop=False)
            self._turned = False
        own = _scheduled(env.params)
        self._applied = self._watch.turn(own)
        if self._applied != own or self._turned:
            env.model.reset_parameter({"learning_rate": self._applied})
        self._turned = self._applied != own

    def after(self, env: Any) -> None:
        if self._watch is None:
            return
        results = [tuple(result)[:4] for result in env.evaluation_result_list or ()]
        told = {f"{data}-{metric}": value for data, metric, value, _ in results}
        falling = [f"{data}-{metric}" for data, metric, _, rises in results if not rises]
        first = min(falling, key=lambda name: not name.startswith("train"), default="")
        self._watch.step(loss=told.get(first), rate=self._applied)
        self._watch.log(**told)
        stopped, last = self._watch.stopped, env.iteration + 1 == env.end_iteration
        if stopped or last:
            self.finish()
        if stopped:
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

    def finish(self) -> None:
        """End the lane; after a stop by another callback, which ends the training before this one
        is called, once nobody holds the callbacks any more."""
        if self._watch is not None:
            self._watch.finish()
            self._watch = None


def _scheduled(params: dict[str, Any]) -> float:
    """The rate that the parameters say, by whichever of its names."""
    return float(next((params[name] for name in _NAMES if name in params), _DEFAULT_RATE))
