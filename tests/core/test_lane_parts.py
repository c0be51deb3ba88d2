"""The parts of a lane's state, each by itself: columns, losses, rates, measurements, throughput."""

import math

import numpy as np
import pytest

from lrtui.core.protocol.events import Column, Measured, RateChanged, ScheduleForecast, Steps
from lrtui.core.state.columns import REQUIRED, Columns
from lrtui.core.state.losses import LossSummary
from lrtui.core.state.measurements import Measurements
from lrtui.core.state.rates import RateHistory
from lrtui.core.state.throughput import WINDOW_S, Throughput


def block(losses, first=0, rates=None, **columns):
    rates = [0.1] * len(losses) if rates is None else rates
    named = {"loss": losses, "applied_lr": rates, "next_lr": rates, **columns}
    packed = {name: Column.pack(values) for name, values in named.items()}
    return Steps(lane=0, first=first, count=len(losses), columns=packed)


def turn(step, factor):
    return RateChanged(lane=0, step=step, factor=factor, rate=0.1 * factor)


class TestColumns:
    def test_a_required_column_that_a_block_lacks_is_nan(self):
        columns = Columns()
        assert columns.append(block([1.0, 2.0])).keys() >= set(REQUIRED)
        assert np.isnan(columns["seconds"].values).all()

    def test_all_columns_are_cut(self):
        columns = Columns()
        columns.append(block([1.0, 2.0, 3.0]))
        before = columns["loss"]
        columns.cut(1)
        assert {len(series) for series in columns.values()} == {1}
        assert columns["loss"] is not before
        assert (columns.last("loss"), columns.last("loss") is math.nan) == (1.0, False)
        assert math.isnan(columns.last("absent"))


class TestLossSummary:
    def folded(self, *losses, begin=0):
        columns = Columns()
        summary = LossSummary(columns, begin)
        columns.append(block(list(losses), begin))
        summary.extend(begin, np.array(losses))
        return summary, columns

    def test_the_best_is_the_first_of_the_lowest_finite_losses(self):
        summary, _ = self.folded(math.nan, 2.0, 1.0, 1.0, math.inf, begin=7)
        assert (summary.best, summary.best_step) == (1.0, 9)
        assert math.isnan(summary.first)
        assert (summary.last, summary.last_text, summary.best_text) == (math.inf, "inf", "1.000")

    def test_a_cut_is_as_if_the_steps_had_never_been(self):
        summary, columns = self.folded(3.0, 2.0, 1.0)
        summary.spikes += [0, 2]
        columns.cut(2)
        summary.cut(2)
        fresh, _ = self.folded(3.0, 2.0)
        for name in ("first", "last", "best", "best_step", "last_text", "best_text"):
            assert getattr(summary, name) == getattr(fresh, name)
        assert summary.smooth.value == fresh.smooth.value
        assert summary.spikes == [0]

    def test_a_dash_stands_for_no_loss_and_not_for_nan(self):
        assert LossSummary(Columns(), 3).last_text == "–"
        assert self.folded(math.nan)[0].last_text == "NaN"


class TestRateHistory:
    def test_a_turn_to_where_the_dial_stands_is_not_one(self):
        rates = RateHistory(Columns())
        assert [rates.apply(turn(*each)) for each in ((0, 1.0), (4, 2.0), (4, 2.0))] == [
            False,
            True,
            False,
        ]
        assert (rates.factor, rates.factor_at(3), rates.factor_at(4)) == (2.0, 1.0, 2.0)
        assert (rates.next, rates.since) == (0.2, 4)

    def test_a_fork_inherits_the_dial_until_it_begins_before_its_fork(self):
        columns = Columns()
        rates = RateHistory(columns, 10, 0.5, reconfigured=True)
        assert (rates.factor, rates.since) == (0.5, 10)
        rates.apply(turn(12, 2.0))
        rates.cut(11)
        assert rates.factor == 0.5
        rates.cut(0)
        assert (rates.factor, rates.since) == (1.0, 0)

    def test_the_rates_of_a_block_are_kept_in_full_precision(self):
        columns = Columns()
        rates = RateHistory(columns)
        rates.extend(columns.append(block([1.0], rates=[0.1])))
        assert (rates.applied, columns.last("applied_lr")) == (0.1, float(np.float32(0.1)))

    def test_the_range_of_a_forecast(self):
        rates = RateHistory(Columns())
        assert math.isnan(rates.forecast_range.low)
        rates.plan(ScheduleForecast(lane=0, steps=[0, 5], rates=[0.1, 0.0], total=10))
        assert rates.forecast_range == (0.0, 0.1, 0.1)


def test_measurements_are_cut_into_new_arrays():
    measured = Measurements()
    columns = {"gain": Column.pack([0.9, math.nan])}
    measured.apply(Measured(lane=0, steps=[0, 4], columns=columns, spent=0.5))
    assert (measured.last("gain"), measured.last_step("gain"), measured.seconds) == (0.9, 0, 0.5)
    before = measured.columns["gain"]
    measured.cut(4)
    assert (list(measured.steps), list(measured.columns["gain"])) == ([0], [0.9])
    assert measured.columns["gain"] is not before
    assert measured.last_step("absent") is None


def test_throughput_looks_at_the_last_seconds_only():
    throughput = Throughput(0)
    assert math.isnan(throughput.speed)
    for second in range(10):
        throughput.mark(float(second), second * 10)
    assert throughput.speed == pytest.approx(10.0)
    throughput.mark(9.0 + 2 * WINDOW_S, 90)
    assert throughput.speed == 0.0
    throughput.mark(100.0, 90, restart=True)
    assert math.isnan(throughput.speed)
