"""The filmstrip: samples of all lanes at the same step, side by side, each with its best if they
fit. Pure drawing."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import NamedTuple

from lrtui.core.numbers import loss
from lrtui.core.state.race_state import RaceState
from lrtui.store.record_index import SampleRef
from lrtui.tui.rects import Rect
from lrtui.tui.render import sprite, styles
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.render.sprite import Pixels
from lrtui.tui.sample_frames import Card, Film
from lrtui.tui.view import RaceView

Look = Callable[[SampleRef], Pixels | None]
"""Fetches pictures from the record; None where it cannot be read just now."""
CARD_LEAST = 18, 6
"""Columns and rows of the smallest card: name, step, and half-size sprites."""
HEADS = 2
"""Rows of a card over its pictures."""
HOW_TO_DRAW = (
    "A method sample(model) in the task, which returns images N x C x H x W in 0..1, is called"
    " before the first step and after each epoch; its pictures of all lanes stand here side by"
    " side."
)
HOW_A_SCRIPT_DRAWS = (
    "In the script, `run = lrtui.watch(optimizer)` and then `run.image(name, tensor)` show images"
    " N x C x H x W in 0..1; those of all lanes stand here side by side."
)


class Grid(NamedTuple):
    """Layout of the cards."""

    across: int
    width: int
    height: int
    """Rows of a card, its gap to the next one included."""
    both: bool
    """True if the best stands beside the newest."""


def draw(
    canvas: Canvas,
    state: RaceState,
    strip: Film,
    look: Look,
    view: RaceView,
    nothing_will_come: bool,
) -> int:
    """Draw all cards from picture `view.scroll` of each sample on; return that number, or the last
    existing one.

    `nothing_will_come`: the task draws no samples, or it would have done so by now.
    """
    canvas.fill()
    if not strip.cards or strip.step is None:
        _nothing(canvas, state, view, nothing_will_come, shown=bool(strip.cards))
        return 0
    place = canvas.view(Rect(0, 1, canvas.width, canvas.height - 1))
    shape = next(
        (
            pixels.shape
            for card in strip.cards
            if card.now and (pixels := look(card.now)) is not None
        ),
        (1, 16, 16, 3),
    )
    first_picture = min(view.scroll, int(shape[0]) - 1)
    both = any(card.now and card.best and card.best.step != card.now.step for card in strip.cards)
    grid = arrange(
        place.width,
        place.height,
        len(strip.cards),
        (shape[0] - first_picture, shape[1], shape[2]),
        both,
    )
    fit = max(1, place.height // grid.height) * grid.across
    index = next(
        (number for number, card in enumerate(strip.cards) if card.lane == view.selected), 0
    )
    first = min(index // fit * fit, max(0, len(strip.cards) - fit))

    def from_there(picture: SampleRef) -> Pixels | None:
        found = look(picture)
        return None if found is None else found[first_picture:]

    for number, card in enumerate(strip.cards[first : first + fit]):
        x, y = number % grid.across * grid.width, number // grid.across * grid.height
        _card(
            place.view(Rect(x, y, grid.width - 1, grid.height)),
            state,
            card,
            from_there,
            view.hue(card.lane),
            selected=card.lane == view.selected,
            both=grid.both,
        )
    _heading(canvas, strip, view, max(0, len(strip.cards) - fit), first_picture, shape[0])
    return first_picture


def arrange(
    width: int, height: int, cards: int, shape: tuple[int, int, int], best: bool = True
) -> Grid:
    """Arrange the cards of samples of `shape` (pictures, rows, columns of pixels).

    First as many cards as possible, then pictures as large as possible, then the best beside the
    newest if wanted, then as many pictures as possible.
    """
    count, pixels = shape[0], shape[1:]

    def worth(grid: Grid) -> tuple[int, int, bool, int]:
        room, rows = (grid.width - 1) // (1 + grid.both), grid.height - HEADS
        factor = sprite.factor_for(*pixels, room, rows)
        across = max(1, (room + sprite.GAP) // (-(-pixels[1] // factor) + sprite.GAP))
        down = max(1, (rows + sprite.GAP) // (-(-pixels[0] // factor // 2) + sprite.GAP))
        return (
            min(max(1, height // grid.height) * grid.across, cards),
            -factor,
            grid.both,
            min(across * down, count),
        )

    most = max(1, min(cards, width // CARD_LEAST[0]))
    choices = [
        Grid(across, width // across, max(CARD_LEAST[1], height // -(-cards // across)), both)
        for across in range(1, most + 1)
        for both in ((False, True) if best else (False,))
    ]
    return max(
        (grid for grid in choices if not grid.both or grid.width // 2 >= CARD_LEAST[0]), key=worth
    )


def _heading(
    canvas: Canvas, strip: Film, view: RaceView, hidden: int, first: int, pictures: int
) -> None:
    words = f"samples after {strip.step} steps, {strip.place} of {strip.total}"
    words += " · the newest" if strip.newest else ""
    x = 1 + canvas.text(1, 0, words, styles.BOLD)
    from_on = f", from picture {first + 1} of {pictures} on" if first else ""
    x += canvas.text(x, 0, from_on, styles.BOLD)
    for more, style in (
        (f"{hidden} more: {view.keymap.read('lane.next')}", styles.WARN) if hidden else ("", 0),
        (f"{view.keymap.read('lane.left', 'lane.right')} scrub", styles.DIM),
        (
            (f"{view.keymap.read('lane.up', 'lane.down')} other pictures", styles.DIM)
            if pictures > 1
            else ("", 0)
        ),
    ):
        if more and x + 2 + text_width(more) < canvas.width:
            x += 2 + canvas.text(x + 2, 0, more, style)


def _nothing(canvas: Canvas, state: RaceState, view: RaceView, for_ever: bool, shown: bool) -> None:
    lines: tuple[str, ...] = ("No lane has drawn a sample yet.",)
    if not shown:
        lines = ("No lane is shown.", f"{view.keymap.read('view.back')} shows all of them again.")
    elif for_ever:
        what, how = ("task", HOW_TO_DRAW)
        if state.race.script:
            what, how = ("script", HOW_A_SCRIPT_DRAWS)
        lines = (f"This {what} draws no samples.", *textwrap.wrap(how, max(8, canvas.width - 2)))
    for y, text in enumerate(lines):
        canvas.text(1, 1 + y, text, styles.DIM if y else styles.BOLD)


def _card(
    canvas: Canvas,
    state: RaceState,
    card: Card,
    look: Look,
    hue: int,
    *,
    selected: bool,
    both: bool,
) -> None:
    lane = state.lanes[card.lane]
    title = f"{'▶' if selected else ' '}{lane.lane.called}"
    style = styles.lane_chosen(hue) if selected else styles.lane_bold(hue)
    if selected:
        canvas.fill(style, rect=(0, 0, canvas.width, 1))
    canvas.text(0, 0, shortened(title, canvas.width), style)
    if card.now is None:
        canvas.text(1, 1, "nothing drawn by then", styles.DIM)
        return
    now, best = f"ep {card.now.epoch} step {card.now.step}", ""
    if card.best is not None:
        best = "its best" if card.best.step == card.now.step else f"best: ep {card.best.epoch}"
        best += f" {loss(card.value)}"
    if not both:
        words = f"{now}  {best}"
        _pictures(canvas, words if len(words) < canvas.width else now, look(card.now))
        return
    half = (canvas.width - 1) // 2
    _pictures(canvas.view(Rect(0, 0, half, canvas.height)), now, look(card.now))
    if card.best is not None:
        right = canvas.view(Rect(half + 1, 0, half, canvas.height))
        _pictures(right, best, look(card.best) if card.best.step != card.now.step else None)


def _pictures(canvas: Canvas, words: str, pixels: Pixels | None) -> None:
    """Draw the pictures under a card's title: their numbers, and as many as fit."""
    canvas.text(1, 1, words, styles.DIM)
    if pixels is not None:
        codes, numbers = sprite.cells(pixels, canvas.width, canvas.height - HEADS)
        canvas.put(0, HEADS, codes, numbers)
