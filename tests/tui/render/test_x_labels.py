"""Labels of the x axis read well in every unit, do not touch and stand where their values lie."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from lrtui.core.charts.axes import KINDS, XAxis
from lrtui.tui.render import x_labels


def labels(kind: str, start: float, stop: float, width: int = 60, log: bool = False) -> list[str]:
    return [tick.label for tick in x_labels.ticks(XAxis(kind, log, start, stop), width)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "start", "stop", "expected"),
    [
        ("step", 0, 240, ["0", "50", "100", "150", "200"]),
        ("step", 0, 12_500, ["0", "2k", "4k", "6k", "8k", "10k", "12k"]),
        ("step", 7, 12, ["7", "8", "9", "10", "11"]),
        ("epoch", 0, 2.5, ["0", "0.5", "1.0", "1.5", "2.0"]),
        (
            "samples",
            10_000,
            30_000,
            ["10k", "12k", "14k", "16k", "18k", "20k", "22k", "24k", "26k", "28k"],
        ),
        ("wall", 0, 90, ["0", "10s", "20s", "30s", "40s", "50s", "1m", "1m10s", "1m20s"]),
        ("wall", 0, 500, ["0", "1m", "2m", "3m", "4m", "5m", "6m", "7m", "8m"]),
        ("time", 3600, 10_000, ["1h", "1h15m", "1h30m", "1h45m", "2h", "2h15m", "2h30m"]),
        ("time", 0, 400_000, ["0", "1d", "2d", "3d", "4d"]),
        ("time", 0, 0.5, ["0", "0.1s", "0.2s", "0.3s", "0.4s"]),
    ],
)
def test_labels_read_well(kind, start, stop, expected):
    assert labels(kind, start, stop) == expected


def test_a_narrow_part_has_two_labels_where_they_fit():
    assert labels("step", 23, 823, 19) == ["200", "400", "600"]
    assert labels("step", 0, 960, 17) == ["0", "500"]
    assert labels("step", 23, 823, 9) == ["500"]


@pytest.mark.parametrize(
    ("kind", "stop", "expected"),
    [
        (
            "step",
            20_000,
            [
                "0",
                "1",
                "2",
                "5",
                "10",
                "20",
                "50",
                "100",
                "200",
                "500",
                "1000",
                "2000",
                "5000",
                "10k",
            ],
        ),
        ("wall", 7000, ["0", "1s", "2s", "5s", "10s", "30s", "1m", "2m", "5m", "10m", "30m", "1h"]),
    ],
)
def test_labels_of_a_logarithmic_axis_read_well(kind, stop, expected):
    found = labels(kind, 0, stop, width=100, log=True)
    assert [one for one in expected if one not in found] == []


@given(
    st.sampled_from(KINDS),
    st.booleans(),
    st.floats(0, 1e7),
    st.floats(0.5, 1e8),
    st.integers(1, 200),
)
def test_labels_stand_at_their_values_and_do_not_touch(kind, log, start, span, width):
    x = XAxis(kind, log, start, start + span)
    found = x_labels.ticks(x, width)
    assert all(tick.cell == x.place(tick.value, width) for tick in found)
    assert all(0 <= tick.cell <= width - len(tick.label) for tick in found)
    assert all(one.cell + len(one.label) < other.cell for one, other in pairwise(found))
    assert len({tick.label for tick in found}) == len(found)


def test_a_part_of_a_decade_has_labels_on_a_logarithmic_axis_too():
    assert labels("step", 1200, 1600, log=True) == [
        "1200",
        "1250",
        "1300",
        "1350",
        "1400",
        "1450",
        "1500",
        "1550",
    ]


@pytest.mark.parametrize(
    ("kind", "gutter", "corner"),
    [
        ("step", 8, "   step 0"),
        ("samples", 8, "samples 0"),
        ("samples", 6, "sampl 0"),
        ("time", 7, "  time 0"),
        ("step", 0, "0"),
    ],
)
def test_in_the_corner_stands_what_the_labels_count(kind, gutter, corner):
    x = XAxis(kind, False, 0.0, 200.0)
    found = x_labels.row(x, gutter, 40)
    assert found.shape == (1, gutter + 40)
    assert "".join(map(chr, found[0])).startswith(corner)
