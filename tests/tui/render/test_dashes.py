"""Line styles tell curves of one colour apart and hide nothing that a curve does."""

from __future__ import annotations

import numpy as np
import pytest

from lrtui.core.series.series import window_of
from lrtui.tui.render import raster
from lrtui.tui.render.dashes import LEVEL, PATTERNS, dashed
from lrtui.tui.render.raster import SIDES

WIDTH, ROWS = 60, 8
STYLES = range(len(PATTERNS))


def bits_of(values: list[float]) -> raster.Bits:
    window = window_of(np.arange(len(values)), values, 0, len(values), 2 * WIDTH)
    return raster.draw(window, ROWS, 0.0, 1.0).bits


def columns(bits: raster.Bits) -> list[int]:
    """How many dots each dot column has."""
    return [
        sum(bool(byte & dot) for byte in bits[:, cell] for dot in dots)
        for cell in range(WIDTH)
        for dots in SIDES
    ]


def test_styles_differ_and_the_first_is_solid():
    level = bits_of([0.5] * 2 * WIDTH)
    drawn = [dashed(level, style).tobytes() for style in STYLES]
    assert len(set(drawn)) == len(PATTERNS)
    assert (dashed(level, 0) == level).all()
    assert (dashed(level, len(PATTERNS)) == level).all()


@pytest.mark.parametrize("style", STYLES)
def test_no_dot_is_added(style):
    bits = bits_of(np.random.default_rng(style).random(2 * WIDTH).tolist())
    assert not (dashed(bits, style) & ~bits).any()


@pytest.mark.parametrize("style", STYLES)
def test_a_spike_is_seen_wherever_it_is(style):
    for at in range(2, 2 * WIDTH - 2):
        values = [0.1] * 2 * WIDTH
        values[at] = 0.9
        assert sum(columns(dashed(bits_of(values), style))[at - 1 : at + 2]) > LEVEL


@pytest.mark.parametrize("style", STYLES)
def test_a_lone_point_is_seen_wherever_it_is(style):
    for at in range(2 * WIDTH):
        values = [np.nan] * 2 * WIDTH
        values[at] = 0.5
        assert columns(dashed(bits_of(values), style))[at] == 1


def test_a_canvas_without_rows_is_no_trouble():
    assert dashed(np.zeros((0, 5), np.uint8), 1).shape == (0, 5)
