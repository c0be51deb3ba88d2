"""Data of the page's script as one JSON value: curves in columns, packed as base64 of little-endian
numbers. Pure."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from lrtui.core.charts import metric_series
from lrtui.core.charts.autoscale import ends_well
from lrtui.core.charts.axes import kinds
from lrtui.core.charts.metric_series import quantities, track
from lrtui.core.results.batch_size import step_samples
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.report.curves import COLUMNS, Curve, abandoned, lane_curve, length, marks
from lrtui.report.svg import dash_of

ROOM = 3_000_000
"""Bytes that all curves together may take, about: of a race of very many lanes or metrics each
curve has fewer columns."""
PER_COLUMN = 28
"""Bytes that a column of a curve takes, packed: five numbers of four bytes as base64."""
LEAST_COLUMNS = 100
LABELS = metric_series.LABELS | {
    "loss": "training loss",
    "val_loss": "validation loss",
    "ema_val_loss": "validation loss, averaged weights",
    "grad_norm": "gradient norm",
    "gain": "step gain",
    "applied_lr": "applied rate",
}
"""Names of quantities with more room than on the screen."""


def page_data(state: RaceState) -> dict[str, Any]:
    """Axes, lanes, curves and marks; see `_packed` for how numbers are written."""
    found = quantities(state, LABELS)
    known = (track(lane, quantity.name) for quantity in found for lane in state.lanes)
    # these have times too
    long = sum(one is not None and len(one.series) > LEAST_COLUMNS for one in known) + len(
        state.lanes
    )
    columns = max(LEAST_COLUMNS, min(COLUMNS, ROOM // (PER_COLUMN * max(long, 1))))
    return {
        "total": length(state),
        "axes": kinds(state.race),
        "quantities": [
            {"name": quantity.name, "label": one_line(quantity.label), "log": quantity.log}
            for quantity in found
        ],
        "lanes": [
            _lane(lane, state, [quantity.name for quantity in found], columns)
            for lane in state.lanes
        ],
    }


def script_json(value: Any) -> str:
    """JSON that can stand in a script element whatever its text is."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _lane(lane: LaneState, state: RaceState, names: list[str], columns: int) -> dict[str, Any]:
    curves = {
        name: curve for name in names if (curve := lane_curve(lane, name, columns)) is not None
    }
    ends = (
        np.concatenate(([lane.forked_at - 1], curves["loss"].ends))
        if "loss" in curves
        else np.zeros(0, np.int64)
    )
    return {
        "letter": lane.lane.letter,
        "name": one_line(lane.lane.name),
        "color": lane.index % 8,
        "dash": [int(part) for part in dash_of(lane.index).split()],
        "born": lane.forked_at,
        "stepSamples": step_samples(lane, state.race),
        "perEpoch": lane.started.steps_per_epoch if lane.started else 0,
        "well": ends_well(lane, state),
        "time": _packed(lane.clock.time(ends), "<f4"),
        "wall": _packed(lane.clock.wall(ends), "<f4"),
        "marks": [[mark.step, mark.sign] for mark in marks(lane, state.lanes)],
        "curves": {name: _curve(curve) for name, curve in curves.items()},
        "abandoned": [_curve(curve) for curve in abandoned(lane, columns)],
    }


def _curve(curve: Curve) -> dict[str, Any]:
    """Columns of single values have `last` only; steps are stored unless they are consecutive."""
    single = bool((curve.steps == curve.ends).all() and (curve.finite <= 1).all())
    consecutive = bool((curve.steps[1:] == curve.ends[:-1] + 1).all())
    packed: dict[str, Any] = {
        "columns": len(curve.steps),
        "first": int(curve.steps[0]),
        "end": int(curve.ends[-1]) + 1,
        "last": _packed(curve.last, "<f4"),
    }
    if not consecutive:
        packed |= {"steps": _packed(curve.steps, "<f8"), "ends": _packed(curve.ends, "<f8")}
    if not single:
        packed |= {
            "lo": _packed(curve.lo, "<f4"),
            "hi": _packed(curve.hi, "<f4"),
            "mean": _packed(curve.mean, "<f4"),
        }
    if not single or curve.gap.any():
        packed["finite"] = _packed(curve.finite, "<u4")
    if curve.gap.any():
        packed |= {
            "gap": np.flatnonzero(curve.gap).tolist(),
            "cut": np.flatnonzero(curve.cut).tolist(),
        }
    return packed


def _packed(values: np.ndarray, dtype: str) -> str:
    """Numbers, NaN included, as base64 of their little-endian bytes."""
    return base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode("ascii")
