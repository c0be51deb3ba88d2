"""Pictures as PNG, and as text that a page can hold: enough of the format for small ones. Knows no
file."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGBA = 6
"""PNG's number for the kind of pixels that has red, green, blue and opacity."""


def png(pixels: Pixels) -> bytes:
    """A picture of shape (H, W, 4), red, green, blue and opacity, 0..255, as the bytes of a PNG
    file."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # before each row stands its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, RGBA, 0, 0, 0)
    return (
        SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def strip(images: Pixels, edge: int) -> Pixels:
    """Pictures of shape (N, H, W, 3) side by side with a clear column between two, shape (H, ..,
    4); those with an edge longer than `edge` lose rows and columns. There is one, and each has a
    pixel at least."""
    stride = max(1, -(-max(images.shape[1:3]) // edge))
    images = images[:, ::stride, ::stride]
    count, height, width, _ = images.shape
    wide = np.zeros((height, count, width + 1, 4), np.uint8)
    wide[:, :, :width, :3] = images.transpose(1, 0, 2, 3)
    wide[:, :, :width, 3] = 255
    return wide.reshape(height, count * (width + 1), 4)[:, :-1]


def address(body: bytes) -> str:
    """A PNG file as the address of an image within a page."""
    return "data:image/png;base64," + base64.b64encode(body).decode("ascii")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
