"""Labels of an axis are round, lie on it, are about as many as there is room for, and say what they
stand for."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import number_label, short_label, step_labels, y_labels
from lrtui.core.charts.rounding import nice

VALUES = st.floats(-(2.0**100), 2.0**100, width=32)


@given(VALUES, VALUES, st.booleans(), st.integers(1, 12))
@example(2.220446049250313e-16, 2.220446049250313e-16, False, 1)
def test_y_labels_lie_on_the_axis_and_say_their_values(
    one: float, other: float, log: bool, most: int
) -> None:
    limits = AxisLimits.around(*sorted((one, other)), log)
    found = y_labels(limits, most)
    room = (limits.high - limits.low) * 1e-5
    assert 2 <= len(found) <= 2 * most + 4
    assert [value for value, _ in found] == sorted({value for value, _ in found})
    for value, label in found:
        assert limits.low - room <= value <= limits.high + room
        assert len(label) <= 14
        assert float(label) == pytest.approx(
            value, rel=0.06, abs=max(room, 1e-9 * abs(limits.high))
        )


@pytest.mark.parametrize(
    ("limits", "most", "labels"),
    [
        (AxisLimits(0, 3), 3, "0 1 2 3"),
        (AxisLimits(0, 3), 9, "0.0 0.5 1.0 1.5 2.0 2.5 3.0"),
        (AxisLimits(0.01, 10, True), 6, "0.01 0.1 1 10"),
        (AxisLimits(0.02, 2, True), 3, "0.1 1"),
        (AxisLimits(0.02, 2, True), 9, "0.02 0.05 0.1 0.2 0.5 1 2"),
        (AxisLimits(0.3, 0.34), 3, "0.30 0.32 0.34"),
        (AxisLimits(1e-6, 1e4, True), 3, "1e-4 1 1e4"),
        (AxisLimits(0.3, 5, True), 1, "0.3 5"),
    ],
)
def test_y_labels_are_short_and_alike(limits: AxisLimits, most: int, labels: str) -> None:
    assert [label for _, label in y_labels(limits, most)] == labels.split()


@given(st.integers(1, 10**9), st.integers(1, 10))
def test_steps_are_whole_and_within_the_budget(total: int, most: int) -> None:
    found = step_labels(total, most)
    assert found[0] == (0, "0")
    assert len(found) <= most + 1
    assert all(value == round(value) <= (total - 1) * (1 + 1e-5) for value, _ in found)
    assert len({label for _, label in found}) == len(found)


def test_steps_are_labelled_in_the_unit_of_the_largest() -> None:
    assert [label for _, label in step_labels(12_500, 8)] == [
        "0",
        "2k",
        "4k",
        "6k",
        "8k",
        "10k",
        "12k",
    ]
    assert step_labels(200, 4) == [(0, "0"), (50, "50"), (100, "100"), (150, "150")]


def test_a_number_keeps_the_digits_of_its_step() -> None:
    assert [number_label(value, 5e5, 2e6) for value in (0, 5e5, 2e6)] == ["0", "0.5M", "2.0M"]
    assert [number_label(value, 500, 20_000) for value in (500, 12_500)] == ["0.5k", "12.5k"]
    assert [short_label(value) for value in (123456.0, 1.7e-7)] == ["1e5", "2e-7"]


@given(st.floats(1e-30, 1e30))
def test_nice_steps_are_the_next_1_2_or_5(step: float) -> None:
    assert step * (1 - 1e-8) <= nice(step) <= step * 2.5 * (1 + 1e-8)
