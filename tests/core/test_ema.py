"""Smoothed values against TensorBoard's own loop, point by point."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.series.ema import ROW, TRAILING, Ema, TensorBoardEma, Trailing, accumulated
from lrtui.core.series.series import Series
from support.curves import tensorboard

WEIGHTS = [1e-9, 0.01, 0.3, 0.6, 0.97, 0.999, 0.9999, 0.999999]
VALUES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 3e38])),
    max_size=120,
)


def in_blocks(values, weight, sizes):
    ema, found, at = TensorBoardEma(weight), [np.empty(0)], 0
    for size in [*sizes, len(values)]:
        found.append(ema.extend(values[at : at + size]))
        at += size
    return np.concatenate(found)


@given(VALUES, st.sampled_from(WEIGHTS))
@settings(max_examples=300, deadline=None)
def test_the_numbers_are_tensorboards(values, weight):
    found = TensorBoardEma(weight).extend(np.array(values, np.float64))
    np.testing.assert_allclose(
        found,
        tensorboard(values, weight),
        rtol=1e-9,
        atol=1e-9 * max([1, *map(abs, _finite(values))]),
    )


@pytest.mark.parametrize("weight", WEIGHTS)
def test_long_curves_with_nan_and_infinities_in_them_are_tensorboards_too(weight):
    random = np.random.default_rng(3)
    values = 2 + 0.1 * random.normal(size=20_000) + np.exp(-np.arange(20_000) / 3000)
    values[random.integers(0, len(values), 300)] = math.nan
    values[random.integers(0, len(values), 30)] = math.inf
    values[:7] = math.nan
    series = Series()
    series.extend(TensorBoardEma(weight).extend(values))
    expected = tensorboard(values.tolist(), weight)
    np.testing.assert_allclose(TensorBoardEma(weight).extend(values), expected, rtol=1e-9)
    np.testing.assert_allclose(series.values, expected, rtol=1e-6)


@given(VALUES, st.lists(st.integers(0, 40), max_size=6), st.sampled_from(WEIGHTS))
@settings(max_examples=300, deadline=None)
def test_block_by_block_is_the_same_to_the_last_bit_as_in_one_go(values, sizes, weight):
    array = np.array(values, np.float64)
    assert (
        in_blocks(array, weight, sizes).tobytes() == TensorBoardEma(weight).extend(array).tobytes()
    )


@pytest.mark.parametrize("value", [0.1, 0.0, -3e38, 1e-42])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_equal_values_stay_themselves(value, weight):
    values = np.full(5000, np.float32(value))
    assert (TensorBoardEma(weight).extend(values) == np.float32(value)).all()
    assert (in_blocks(values, weight, [1, 100, 7]) == np.float32(value)).all()


@pytest.mark.parametrize("weight", WEIGHTS)
def test_sums_of_many_rows_are_those_of_one_after_another(weight):
    values, last, expected = np.random.default_rng(0).normal(size=3001), 5.0, []
    for value in values.tolist():
        last = weight * last + value
        expected.append(last)
    sums, carries = accumulated(values, weight, 5.0)
    np.testing.assert_allclose(sums, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(carries[1:-1], expected[ROW - 1 :: ROW], rtol=1e-9, atol=1e-9)


@given(VALUES, st.lists(st.integers(0, 40), max_size=6), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_a_trailing_average_depends_on_the_numbers_alone(values, sizes, begin):
    array, column, trailing, at = np.array(values, np.float64), Series(), Trailing(0.9), 0
    for size in [*sizes, len(values)]:
        column.extend(array[at : at + size])
        at += size
        trailing.follow(column, begin)
        # a look in between changes nothing
        assert math.isnan(trailing.value) or math.isfinite(trailing.value)
    whole, once = Series(), Trailing(0.9)
    whole.extend(array)
    once.follow(whole, begin)
    assert (
        struct.pack("d", trailing.value)
        == struct.pack("d", once.value)
        == struct.pack("d", once.after(len(values)))
    )


@pytest.mark.parametrize(("count", "holes"), [(1, 0), (40, 3), (TRAILING, 0), (5 * TRAILING, 700)])
def test_a_trailing_average_is_the_debiased_one(count, holes):
    random = np.random.default_rng(count)
    values = np.exp(random.normal(size=count) - np.arange(count) / 300).astype(np.float32)
    values[random.integers(0, count, holes)] = math.nan
    column, trailing = Series(), Trailing(0.9)
    column.extend(values)
    trailing.follow(column, 0)
    smooth = Ema(0.9)
    for value in values.tolist():
        smooth.update(value)
    assert trailing.value == pytest.approx(smooth.value, rel=1e-12)


@pytest.mark.parametrize("weight", [0.0, 1.0, -0.5, 2.0])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(ValueError, match="between 0 and 1"):
        TensorBoardEma(weight)


def _finite(values):
    return [value for value in values if math.isfinite(value)]


class OldSmooth:
    """The average that the verdicts' rates of error were measured with, as it was written then."""

    def __init__(self, factor):
        self.factor, self._sum, self._weight, self.value = factor, 0.0, 0.0, math.nan

    def update(self, value):
        if math.isfinite(value):
            self._sum = self.factor * self._sum + (1 - self.factor) * value
            self._weight = self.factor * self._weight + (1 - self.factor)
            self.value = self._sum / self._weight
        return self.value


@given(
    st.lists(
        st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308, 5e-324]), max_size=80
    ),
    st.lists(st.integers(0, 30), max_size=4),
    st.sampled_from([0.5, 0.9, 0.98]),
)
@settings(max_examples=300, deadline=None)
def test_an_ema_has_the_bits_of_the_measured_verdicts(values, sizes, factor):
    old, one, blocks, found = OldSmooth(factor), Ema(factor), Ema(factor), []
    expected = np.array([old.update(value) for value in values])
    at = 0
    for size in [*sizes, len(values)]:
        found.append(blocks.extend(np.array(values[at : at + size])))
        at += size
    updated = np.array([one.update(value) for value in values])
    assert updated.tobytes() == expected.tobytes()
    assert np.concatenate(found)[: len(values)].tobytes() == expected.tobytes()


def test_an_ema_goes_on_from_its_stored_state():
    first = Ema(0.9)
    first.extend(np.array([3.0, 1.0]))
    second = Ema(0.5)
    second.load_state_dict(first.state_dict())
    assert first.state_dict().keys() == {"factor", "value", "_sum", "_weight"}
    assert second.update(2.0) == first.update(2.0)
