"""Random curves, and slow references for series of values."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from lrtui.core.series.series import Series, Window

ODD = st.sampled_from([math.nan, math.inf, -math.inf, 1e38, -1e38, 0.0])


@st.composite
def walks(draw: st.DrawFn) -> NDArray[np.float32]:
    """A random walk with spikes, lone NaNs and infinities, and stretches of NaN."""
    length = draw(st.integers(0, 1500))
    walk = (
        np.random.default_rng(draw(st.integers(0, 99)))
        .normal(size=length)
        .cumsum()
        .astype(np.float32)
    )
    for _ in range(draw(st.integers(0, 8)) if length else 0):
        at = draw(st.integers(0, length - 1))
        walk[at : at + draw(st.sampled_from([1, 1, 2, 20, 300]))] = draw(ODD)
    return walk


def assert_same(window: Window, expected: Window) -> None:
    for name in Window._fields[:6]:
        np.testing.assert_array_equal(getattr(window, name), getattr(expected, name), err_msg=name)
    assert window.before == expected.before
    assert window.after == expected.after


def series_of(values: NDArray[np.float32], block: int = 10**9) -> Series:
    series = Series()
    for at in range(0, len(values), block):
        series.extend(values[at : at + block])
    return series


def tensorboard(values, weight):
    """`classicSmoothing` of TensorBoard's data transformer, line by line."""
    last, accumulated_count = 0.0 if len(values) else math.nan, 0
    first = values[0] if len(values) else None
    is_constant = all(value == first for value in values)
    smoothed = []
    for following in values:
        if is_constant or not math.isfinite(following):
            smoothed.append(following)
        else:
            last = last * weight + (1 - weight) * following
            accumulated_count += 1
            debias_weight = 1.0
            if weight != 1:
                debias_weight = 1 - math.pow(weight, accumulated_count)
            smoothed.append(last / debias_weight)
    return np.array(smoothed, np.float64)
