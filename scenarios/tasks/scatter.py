"""Draws points and a curve as a 16 x 16 picture, for tasks that fit numbers; knows nothing of
models.

Points outside the limits or not finite are left out: the picture of a net that blew up is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sprites import BACKGROUND, SIZE
from torch import Tensor

GREY = (0.55, 0.58, 0.66)
BLUE = (0.25, 0.60, 1.00)
ORANGE = (1.00, 0.62, 0.10)


@dataclass(frozen=True)
class AxisLimits:
    """The part of the plane that the picture shows; y points up."""

    left: float
    right: float
    bottom: float
    top: float


def blank() -> Tensor:
    """An empty picture, 3 x 16 x 16."""
    return torch.tensor(BACKGROUND).view(3, 1, 1).repeat(1, SIZE, SIZE)


def dot(
    picture: Tensor, x: Tensor, y: Tensor, limits: AxisLimits, colour: tuple[float, float, float]
) -> None:
    """Colours the pixels under the points (x, y)."""
    column = (x - limits.left) / (limits.right - limits.left) * SIZE
    row = (limits.top - y) / (limits.top - limits.bottom) * SIZE
    seen = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)  # false for NaN
    picture[:, row[seen].long(), column[seen].long()] = torch.tensor(colour).view(3, 1)


def column_centres(limits: AxisLimits) -> Tensor:
    """The x in the middle of each column of pixels: where to ask a model for its curve."""
    width = (limits.right - limits.left) / SIZE
    return limits.left + width * (torch.arange(SIZE) + 0.5)
