"""Pictures become half blocks of their own colours, no larger than their box."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from rich.color import Color

from lrtui.tui.render.canvas import style
from lrtui.tui.render.sprite import GAP, UPPER, cells, shrunk
from lrtui.tui.tiers import Look


@given(
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 50),
    st.integers(1, 30),
)
@settings(max_examples=100, deadline=None)
def test_cells_never_leave_the_box(
    count: int, rows: int, columns: int, width: int, height: int
) -> None:
    pictures = (
        np.random.default_rng(0).integers(0, 256, (count, rows, columns, 3), np.uint8) // 128 * 255
    )
    codes, styles = cells(pictures, width, height)
    assert codes.shape == styles.shape
    assert 1 <= codes.shape[0] <= height
    assert 1 <= codes.shape[1] <= width


def test_two_pixels_are_one_cell_of_their_colours() -> None:
    picture = np.array([[[255, 0, 0]], [[0, 0, 255]], [[8, 255, 0]], [[8, 255, 0]]], np.uint8)
    codes, styles = cells(picture, 5, 5)
    assert codes.tolist() == [[UPPER], [32]]
    upper, lower = (style(number) for number in styles[:, 0].tolist())
    assert (upper.color, upper.bgcolor) == (Color.from_rgb(255, 0, 0), Color.from_rgb(0, 0, 255))
    assert lower.bgcolor == Color.from_rgb(0, 255, 0)


def test_an_odd_last_row_is_the_upper_half_only() -> None:
    codes, styles = cells(np.full((1, 3, 2, 3), 255, np.uint8), 5, 5)
    assert codes[1].tolist() == [UPPER, UPPER]
    assert style(int(styles[1, 0])).bgcolor is None


def test_as_many_pictures_stand_side_by_side_as_fit() -> None:
    pictures = np.zeros((5, 16, 16, 3), np.uint8)
    assert cells(pictures, 33, 8)[0].shape == (8, 32 + GAP)
    assert cells(pictures, 32, 8)[0].shape == (8, 16)
    assert cells(pictures, 33, 17)[0].shape == (16 + GAP, 32 + GAP)
    assert cells(pictures, 100, 8)[0].shape == (8, 5 * 16 + 4 * GAP)


def test_a_picture_too_large_is_shrunk_by_a_whole_factor() -> None:
    picture = np.zeros((1, 16, 16, 3), np.uint8)
    picture[:, :, ::2] = 200
    assert cells(picture, 9, 30)[0].shape == (4, 8)
    assert (shrunk(picture, 2) == 100).all()
    assert shrunk(picture, 5).shape == (1, 4, 4, 3)


def test_no_picture_and_no_room_are_no_cells() -> None:
    assert cells(np.zeros((0, 4, 4, 3), np.uint8), 5, 5)[0].size == 0
    assert cells(np.zeros((1, 4, 4, 3), np.uint8), 0, 5)[0].size == 0


@pytest.fixture
def _as_usual() -> Iterator[None]:
    yield
    Look().use()


@pytest.mark.usefixtures("_as_usual")
def test_without_colours_and_in_ascii_brightness_becomes_ink() -> None:
    picture = np.zeros((3, 2, 3), np.uint8)
    picture[:, 1] = 255
    picture[2, 0] = (255, 0, 0)
    looks = {
        Look("none"): [" @", "=@"],
        Look("none", "light"): ["@ ", "+ "],
        Look("256", glyphs="ascii"): [" @", "=@"],
    }
    for look, expected in looks.items():
        look.use()
        codes, ids = cells(picture, 10, 10)
        assert ["".join(map(chr, row)) for row in codes.tolist()] == expected
        assert (ids == 0).all() == (look.colors == "none")
    red = style(int(ids[1, 0])).color
    assert red is not None
    assert red.get_truecolor() == (255, 0, 0)
