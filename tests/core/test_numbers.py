"""Numbers read as people write them, and never take more room than they are given."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from lrtui.core.numbers import (
    LOSS_WIDTH,
    RATE_WIDTH,
    SIZE_WIDTH,
    ago,
    count,
    duration,
    loss,
    rate,
    size,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"), (1e-5, "1e-5"), (0.00010000000000000002, "0.0001"), (0.1 * 3, "0.3"), (10, "10"),
        (1.2345e-4, "1.234e-4"), (4.5e-7, "4.5e-7"), (0, "0"), (math.nan, "NaN"), (math.inf, "inf"),
    ],
)  # fmt: skip
def test_rates_are_short_and_without_noise(value: float, text: str) -> None:
    assert rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.01234"), (12.34, "12.34"), (1.2, "1.200"), (9.99996, "10.00"), (1234.5, "1234"), (1.2e7, "1.2e+7"),
        (1.234e-5, "1.23e-5"), (0, "0.000"), (1e-38, "1.0e-38"), (0.00999999, "0.01000"), (-0.5, "-0.5000"),
        (math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_losses_have_four_digits(value: float, text: str) -> None:
    assert loss(value) == text


@given(st.floats(0, 2.0**127, width=32))
def test_a_loss_fits_its_width_and_is_right_to_five_percent(value: float) -> None:
    assert len(loss(value)) <= LOSS_WIDTH
    assert float(loss(value)) == pytest.approx(value, rel=0.05, abs=1e-45)


@given(st.floats(1e-9, 1e9))
def test_a_rate_fits_its_width_and_is_right_to_four_digits(value: float) -> None:
    assert len(rate(value)) <= RATE_WIDTH
    assert float(rate(value)) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (12345, "12.3k"),
        (99_950, "100k"),
        (999_999, "1M"),
        (1234567, "1.23M"),
        (math.nan, "NaN"),
    ],
)
def test_counts_have_three_digits_and_a_letter(value: float, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "0:05"),
        (75, "1:15"),
        (3675, "1:01:15"),
        (200_000, "2d 07h"),
        (-1, "0:00"),
        (math.nan, "–"),
    ],
)
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s ago"),
        (42.9, "42 s ago"),
        (91, "1 min ago"),
        (1272, "21 min ago"),
        (5401, "1 h ago"),
        (86_400, "24 h ago"),
        (200_000, "2 days ago"),
    ],
)
def test_how_long_ago_has_one_unit(seconds: float, text: str) -> None:
    assert ago(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (870_400, "870 kB"),
        (999_600, "1 MB"),
        (2_500_000, "2.5 MB"),
        (312e6, "312 MB"),
        (1.24e9, "1.24 GB"),
        (12.4e9, "12.4 GB"),
        (1.5e12, "1.5 TB"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_bytes_have_the_unit_in_which_they_are_short(count: float, text: str) -> None:
    assert size(count) == text


@given(st.integers(0, 999 * 10**15))
def test_bytes_fit_their_width_and_are_right_to_half_a_percent(count: int) -> None:
    text, unit = size(count).split()
    assert len(f"{text} {unit}") <= SIZE_WIDTH
    assert float(text) * 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit) == pytest.approx(
        count, rel=0.0051
    )
