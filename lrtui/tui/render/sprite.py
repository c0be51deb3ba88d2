"""Pictures as half-block cells, two pixels a cell; as letters by brightness without colours or half
blocks. Pure drawing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

from lrtui.tui.render import glyphs, styles
from lrtui.tui.render.canvas import Codes, StyleIds, style_count, style_id

Pixels = NDArray[np.uint8]
"""(rows, columns, 3) or (pictures, rows, columns, 3) in RGB."""

UPPER = 0x2580
LUMA = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in luminance (Rec. 709), of linear light ..."""
GAMMA = 2.2
"""... which is this power of a pixel's value."""
GAP = 1
"""Cells between pictures."""
MOST_STYLES = 20_000
"""Styles in use from which on colours become coarser: the table of styles is never emptied."""


def cells(pictures: Pixels, width: int, height: int) -> tuple[Codes, StyleIds]:
    """As many pictures as fit a box of `width` x `height` cells, as (codes, style ids) no larger
    than the box.

    They keep their size, or are shrunk by the smallest whole factor with which one fits; nothing is
    stretched.
    """
    pictures = pictures.reshape(-1, *pictures.shape[-3:])
    if not pictures.size or width < 1 or height < 1:
        return np.full((0, 0), 32, np.uint32), np.zeros((0, 0), np.uint16)
    small = shrunk(pictures, factor_for(pictures.shape[1], pictures.shape[2], width, height))
    draw = _half_blocks if styles.colors() != "none" and glyphs.tier() != "ascii" else _letters
    drawn = [draw(picture) for picture in small[: _fitting(small.shape, width, height)]]
    return _arranged(drawn, width)


def factor_for(rows: int, columns: int, width: int, height: int) -> int:
    """The smallest whole factor by which a picture is shrunk to fit a box of cells."""
    return max(1, -(-columns // width), -(-rows // (2 * height)))


def shrunk(pictures: Pixels, factor: int) -> Pixels:
    """Means of squares of factor x factor pixels; those at the right and lower border may be
    smaller."""
    if factor == 1:
        return pictures
    rows, columns = pictures.shape[1:3]
    pad = ((0, 0), (0, -rows % factor), (0, -columns % factor), (0, 0))
    full = np.pad(pictures, pad, mode="edge").astype(np.float32)
    count, tall, wide, depth = full.shape
    squares = full.reshape(count, tall // factor, factor, wide // factor, factor, depth)
    means: Pixels = np.rint(squares.mean(axis=(2, 4))).astype(np.uint8)
    return means


def _fitting(shape: tuple[int, ...], width: int, height: int) -> int:
    across = max(1, (width + GAP) // (shape[2] + GAP))
    down = max(1, (height + GAP) // ((shape[1] + 1) // 2 + GAP))
    return across * down


def _arranged(drawn: list[tuple[Codes, StyleIds]], width: int) -> tuple[Codes, StyleIds]:
    """Left to right, then in further rows."""
    tall, wide = drawn[0][0].shape
    across = max(1, min(len(drawn), (width + GAP) // (wide + GAP)))
    down = -(-len(drawn) // across)
    codes = np.full((down * (tall + GAP) - GAP, across * (wide + GAP) - GAP), 32, np.uint32)
    styles = np.zeros(codes.shape, np.uint16)
    for number, (picture, colours) in enumerate(drawn):
        y, x = number // across * (tall + GAP), number % across * (wide + GAP)
        codes[y : y + tall, x : x + wide], styles[y : y + tall, x : x + wide] = picture, colours
    return codes, styles


def _half_blocks(picture: Pixels) -> tuple[Codes, StyleIds]:
    """Cells of one picture: upper half blocks, spaces where both pixels are equal; an odd last row
    is a half."""
    nibbles = _nibbles(picture)
    top, bottom = nibbles[0::2], nibbles[1::2]
    if len(bottom) < len(top):
        bottom = np.concatenate((bottom, np.full((1, bottom.shape[1]), -1)))
    pairs, where = np.unique((top << 16) | (bottom + 1), return_inverse=True)
    ids = np.array(
        [_pair_style(pair >> 16, (pair & 0xFFFF) - 1) for pair in pairs.tolist()], np.uint16
    )
    codes = np.where(top == bottom, np.uint32(32), np.uint32(UPPER))
    return codes, ids[where].reshape(codes.shape)


def _letters(picture: Pixels) -> tuple[Codes, StyleIds]:
    """Cells of one picture as letters: more ink for brighter, or for darker on a light ground;
    coloured if possible."""
    rows, columns = picture.shape[:2]
    even = np.concatenate((picture, picture[-1:])) if rows % 2 else picture
    means = even.reshape(-1, 2, columns, 3).mean(axis=1)
    ramp = np.array(
        [ord(sign) for sign in (glyphs.RAMP[::-1] if styles.theme() == "light" else glyphs.RAMP)],
        np.uint32,
    )
    brightness = ((means / 255) ** GAMMA @ LUMA) ** (1 / GAMMA)
    codes = ramp[np.rint(brightness * (len(ramp) - 1)).astype(int)]
    if styles.colors() == "none":
        return codes, np.zeros(codes.shape, np.uint16)
    colours, where = np.unique(_nibbles(np.rint(means).astype(np.uint8)), return_inverse=True)
    ids = np.array([_pair_style(colour, -1) for colour in colours.tolist()], np.uint16)
    return codes, ids[where].reshape(codes.shape)


def _nibbles(picture: Pixels) -> NDArray[np.int64]:
    """Each pixel as 0xRGB; 2 bits a channel where the table of styles is nearly full."""
    steps = 15 if style_count() < MOST_STYLES else 3
    channels = (picture.astype(np.int64) * steps + 127) // 255 * (15 // steps)
    return (channels[..., 0] << 8) | (channels[..., 1] << 4) | channels[..., 2]


@lru_cache(8192)
def _pair_style(top: int, bottom: int) -> int:
    """The style of a cell with these two colours, -1 for none; a space when they are equal needs no
    foreground."""
    if bottom < 0:
        return style_id(Style(color=_colour(top)))
    return style_id(Style(color=None if top == bottom else _colour(top), bgcolor=_colour(bottom)))


def _colour(nibbles: int) -> Color:
    return Color.from_rgb((nibbles >> 8) * 17, (nibbles >> 4 & 15) * 17, (nibbles & 15) * 17)
