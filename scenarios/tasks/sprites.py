"""Draws 16 x 16 pixel-art sprites of ten kinds, with seeded variations; knows nothing of models.

A sprite is a float tensor of 3 x 16 x 16 in 0..1. Eight kinds are drawn from text, a letter a
pixel; `circle` and `square` come from a formula, because they vary in size. Tasks beside this file
import it as `sprites`.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

SIZE = 16
BACKGROUND = (0.05, 0.06, 0.11)

# What the letters of a drawing mean: some have one colour for all sprites ...
FIXED = {
    ".": BACKGROUND,
    "w": (0.96, 0.97, 1.00),  # white
    "d": (0.08, 0.08, 0.14),  # dark: eyes, glass, a keyhole
    "x": (0.93, 0.76, 0.52),  # wood, cork, skin
    "y": (0.60, 0.40, 0.22),  # its shade
}
# ... and the body takes the sprite's hue, so that one drawing serves for every colour: (saturation,
# value).
BODY = {
    "m": (0.75, 0.95),
    "l": (0.30, 1.00),  # light
    "s": (0.85, 0.70),  # shade
    "o": (0.85, 0.45),  # outline
}
LETTERS = "".join([*FIXED, *BODY])

HEART = """
................
................
...ooo....ooo...
..ommmo..ommmo..
.omllmmoommmmmo.
.omlmmmmmmmmmmo.
.ommmmmmmmmmmso.
.ommmmmmmmmmmso.
..ommmmmmmmmso..
...ommmmmmmso...
....ommmmmso....
.....ommmso.....
......omso......
.......oo.......
................
................
"""

GHOST = """
................
.....oooooo.....
...oommmmmmoo...
..ommmmmmmmmmo..
..ommmmmmmmmmo..
.ommwwmmmmwwmmo.
.omwwwwmmwwwwmo.
.omwwddmmwwddmo.
.omwwddmmwwddmo.
.ommwwmmmmwwmmo.
.ommmmmmmmmmmso.
.ommmmmmmmmmmso.
.ommmmmmmmmmsso.
.omoommoommoomo.
..o..oo..oo..o..
................
"""

MUSHROOM = """
................
.....oooooo.....
...oommmmmmoo...
..omwwmmmmmmmo..
..owwwwmmmwwmo..
.ommwwmmmwwwwmo.
.ommmmmmmwwwwmo.
.ommmmmmmmwwmmo.
.omwwmmmmmmmmso.
.omwwmoooooomso.
..oooxxxxxxxoo..
....xxdxxdxx....
....xxdxxdxx....
....xxxxxxxy....
.....yyyyyy.....
................
"""

SWORD = """
................
............ooo.
...........olwo.
..........olwmo.
.........olwmo..
........olwmo...
.......olwmo....
......olwmo.....
..yy.olwmo......
..yxylwmo.......
...yxymo........
...yyxyy........
..yxy.yxy.......
.yxy...yy.......
.yy.............
................
"""

TREE = """
................
.......oo.......
......olmo......
.....olmmmo.....
....olmmmmso....
...ooommmsooo...
....olmmmmmo....
...olmmmmmmso...
..olmmmmmmmmso..
..ooommmmmsooo..
...olmmmmmmmo...
..olmmmmmmmmso..
.olmmmmmmmmmmso.
.oooooyxxyooooo.
......yxxy......
......yyyy......
"""

POTION = """
................
.....yyyyyy.....
.....yxxxxy.....
......wwww......
......wddw......
......wddw......
.....wddddw.....
....wddddddw....
...wmmmmmmmmw...
..wmllmmmmmmmw..
..wmlmmmmlmmmw..
..wmmmmmmmmmsw..
..wmmmmlmmmmsw..
...wmmmmmmssw...
....wwwwwwww....
................
"""

KEY = """
................
................
................
...oooo.........
..olmmmo........
.olmmmmmo.......
.olmddmmooooooo.
.ommddmmmmmmmmo.
.ommddmmsssmsmo.
.ommmmmmooomomo.
..ommmso..omomo.
...oooo....o.o..
................
................
................
................
"""

SLIME = """
................
................
................
......oooo......
....oommmmoo....
...ommmmmmmmo...
..ommllmmmmmmo..
..omllmmmmmmmo..
.ommlmmmmmmmmmo.
.ommmddmmddmmmo.
.ommmddmmddmmmo.
.ommmmmmmmmmmso.
.osmmmmddmmmsso.
.ossmmmmmmmssso.
..oooooooooooo..
................
"""

# Each kind with the hue (0..1 round the colour circle) that one expects it to have.
DRAWINGS = {
    "heart": (HEART, 0.98),
    "ghost": (GHOST, 0.53),
    "mushroom": (MUSHROOM, 0.02),
    "sword": (SWORD, 0.60),
    "tree": (TREE, 0.36),
    "potion": (POTION, 0.80),
    "key": (KEY, 0.13),
    "slime": (SLIME, 0.27),
}
SHAPES = {"circle": 0.55, "square": 0.09}
KINDS = (*DRAWINGS, *SHAPES)


@dataclass(frozen=True)
class Look:
    """How one sprite differs from the plain drawing of its kind."""

    hue: float = 0.0
    """Added to the kind's own hue; 1.0 is once round the colour circle."""
    brightness: float = 1.0
    dx: int = 0
    dy: int = 0
    """Pixels to the right and down; what leaves the picture is gone, nothing comes in from the
    other side."""
    flip: bool = False
    """Mirrored, left for right."""
    radius: float = 6.0
    """Half the width of a circle or square, in pixels; the eight drawn kinds have one size."""


def draw(kind: str, look: Look = Look()) -> Tensor:
    """One sprite as 3 x 16 x 16 in 0..1."""
    if kind in DRAWINGS:
        text, hue = DRAWINGS[kind]
        letters = _read(text)
    else:
        letters, hue = _shape(kind, look.radius), SHAPES[kind]
    picture = _palette((hue + look.hue) % 1.0, look.brightness)[letters].permute(2, 0, 1)
    if look.flip:
        picture = picture.flip(2)
    return _shifted(picture, look.dx, look.dy)


def random_look(rng: torch.Generator, hue: float, shift: int) -> Look:
    """A look drawn from `rng`: hue within +-`hue`, position within +-`shift` pixels, and so on."""
    turn, light, size = torch.rand(3, generator=rng).tolist()
    dx, dy = torch.randint(-shift, shift + 1, (2,), generator=rng).tolist()
    flip = bool(torch.randint(2, (1,), generator=rng))
    return Look(hue * (2 * turn - 1), 0.75 + 0.25 * light, dx, dy, flip, 4.8 + 2.0 * size)


def draw_many(
    kinds: Sequence[str], count: int, seed: int, hue: float, shift: int
) -> tuple[Tensor, Tensor]:
    """`count` sprites (count x 3 x 16 x 16) with looks drawn from `seed`, and each one's index in
    `kinds`."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(kinds)
    pictures = [draw(kinds[label], random_look(rng, hue, shift)) for label in labels.tolist()]
    return torch.stack(pictures), labels


def noisy(pictures: Tensor, strength: float, seed: int) -> Tensor:
    """`pictures` under Gaussian noise of standard deviation `strength`, kept in 0..1."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))
    return (pictures + strength * noise).clamp(0, 1)


def judged(pictures: Tensor, right: Tensor) -> Tensor:
    """`pictures` with a blue frame where `right` is true, and an orange cross over them where it is
    not."""
    marked = pictures.clone()
    place = torch.arange(SIZE)
    frame, cross = torch.tensor([[0.25, 0.60, 1.00], [1.00, 0.45, 0.10]]).unsqueeze(2)
    for picture, good in zip(marked, right.tolist(), strict=True):
        if good:
            for edge in (0, SIZE - 1):
                picture[:, edge, :] = picture[:, :, edge] = frame
        else:
            picture[:, place, place] = picture[:, place, SIZE - 1 - place] = cross
    return marked


@cache
def _read(text: str) -> Tensor:
    """A drawing as 16 x 16 places in `LETTERS`."""
    return torch.tensor([[LETTERS.index(letter) for letter in row] for row in text.split()])


def _shape(kind: str, radius: float) -> Tensor:
    """A circle or a square about the middle, a body with a thin outline, as places in `LETTERS`."""
    offset = (torch.arange(SIZE) - (SIZE - 1) / 2).abs()
    across, down = offset.view(1, SIZE), offset.view(SIZE, 1)
    distance = torch.maximum(across, down) if kind == "square" else (across**2 + down**2).sqrt()
    outside, outline, body = (LETTERS.index(letter) for letter in ".om")
    letters = torch.full((SIZE, SIZE), body)
    letters[distance > radius - 1.0] = outline
    letters[distance > radius] = outside
    return letters


def _palette(hue: float, brightness: float) -> Tensor:
    """The colour of each letter in `LETTERS`, for a body of this hue."""
    bodies = [
        colorsys.hsv_to_rgb(hue, saturation, value * brightness)
        for saturation, value in BODY.values()
    ]
    return torch.tensor([*FIXED.values(), *bodies])


def _shifted(picture: Tensor, dx: int, dy: int) -> Tensor:
    """`picture` moved by (dx, dy) pixels, the uncovered edge filled with background."""
    moved = torch.tensor(BACKGROUND).view(3, 1, 1).repeat(1, SIZE, SIZE)
    to_x, to_y = slice(max(dx, 0), SIZE + min(dx, 0)), slice(max(dy, 0), SIZE + min(dy, 0))
    from_x, from_y = slice(max(-dx, 0), SIZE + min(-dx, 0)), slice(max(-dy, 0), SIZE + min(-dy, 0))
    moved[:, to_y, to_x] = picture[:, from_y, from_x]
    return moved
