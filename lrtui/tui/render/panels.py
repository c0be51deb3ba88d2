"""The parts of the race screen around the panes: header, standings, log, machine, footer. Pure
drawing."""

from __future__ import annotations

import textwrap

from lrtui.core.results.fairness import fairness
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.race_words import race_facts
from lrtui.core.results.seed_groups import seed_groups
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.tui.keymap import Keymap
from lrtui.tui.layout import LEAST
from lrtui.tui.rects import Rect
from lrtui.tui.render import logs, rule, styles
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.view import RaceView

TIMED_FROM = 40
"""Columns from which on a line of the log begins with the time of day."""
HEADED_FROM = 4
"""Rows from which on log and result have a title."""


def too_small(canvas: Canvas) -> None:
    """Message of a screen without room for anything else."""
    canvas.fill()
    canvas.text(
        0,
        0,
        f"lrtui needs {LEAST[0]}x{LEAST[1]}; this is {canvas.width}x{canvas.height}",
        styles.ALERT,
    )


def header(canvas: Canvas, state: RaceState, trouble: str, seen: str = "") -> None:
    """Title, what part of the race is `seen`, its state, budget, and the proof that the lanes began
    alike."""
    canvas.fill(styles.TITLE)
    right = (
        one_line(trouble)
        if trouble
        else ""
        if seen and canvas.width < 80
        else fairness(state, short=canvas.width < 100).words
    )
    room = max(0, canvas.width - text_width(right) - 3)
    race = state.race
    most = [part for part in (shortened(seen, max(16, room - 17)), _phase(state)) if part]
    words = " " + shortened(
        state.title, max(12, room - 1 - sum(3 + text_width(part) for part in most))
    )
    for part in (*most, *race_facts(state.lanes, race)):
        if text_width(words) + 3 + text_width(part) > room:
            break
        words += f" · {part}"
    canvas.text(0, 0, words, styles.TITLE, room)
    canvas.text(
        max(0, canvas.width - text_width(right) - 1),
        0,
        right,
        styles.ALERT_BAR if trouble else styles.TITLE,
    )


def seen(state: RaceState, view: RaceView, page: tuple[int, int] = (1, 1)) -> str:
    """The visible part of the race: "page 2 of 8 (PgDn) · 30 of 64 shown: adam !nan"; '' if it is
    all visible."""
    why = "" if view.solo is None else f": only {view.groups[view.solo].letter}"
    why = why or (f": {one_line(view.filter_text)}" if view.filter_text else "")
    visible = len(view.lanes(view.shown))
    hidden = [f"{visible} of {len(state.lanes)} shown{why}"] if visible < len(state.lanes) else []
    if view.opened is not None:
        folds = view.keymap.read("view.back")
        hidden = [f"seeds of {seed_letter(state, view)}{why} ({folds} folds)"]
    turns = view.keymap.read("view.page_up" if page[0] == page[1] else "view.page_down")
    paged = (
        [f"page {page[0]} of {page[1]} ({turns})"] if page[1] > 1 and view.panel == "panes" else []
    )
    return " · ".join(paged + hidden)


def seed_letter(state: RaceState, view: RaceView) -> str:
    """The letter of the group whose seeds are shown."""
    every = seed_groups(state.lanes)
    return next(group.letter for group in every if state.lanes[view.opened or 0] in group.lanes)


def _phase(state: RaceState) -> str:
    if state.over:
        return "over"
    living = [lane for lane in state.lanes if not lane.over]
    if all(lane.status == "paused" for lane in living):
        return "paused"
    # a task's lanes wait for a moment, scripts for a place
    queued = sum(lane.status == "waiting" for lane in living) if state.race.script else 0
    waiting = f", {queued} waiting" if queued else ""
    return f"{len(living) - queued} of {len(state.lanes)} lanes racing{waiting}"


def log(canvas: Canvas, state: RaceState, view: RaceView) -> None:
    """Draw the last lines of the log, newest at the bottom; after the race, below its result."""
    canvas.fill()
    if state.over:
        taken = _outcome(_headed(canvas, "result"), state, view.keymap)
        canvas = canvas.view(
            Rect(0, taken + (canvas.height >= HEADED_FROM), canvas.width, canvas.height)
        )
    canvas = _headed(canvas, "log")
    lines = _newest(state, view, canvas.width - 2, canvas.height)
    logs.fill(canvas, len(lines), lines.__getitem__, len(lines))


def _newest(state: RaceState, view: RaceView, width: int, height: int) -> list[logs.Line]:
    """As many of the last lines as have room as a whole; of one that is too long for all of it the
    beginning."""
    found: list[logs.Line] = []
    for entry in reversed(state.log):
        line = logs.log_line(state, entry, view)
        line = line if width >= TIMED_FROM else line._replace(head="")
        rows = len(logs.rows(line, width))
        if rows > height:
            return found[::-1] or (
                [logs.cut(line, width, height)] if height and not state.over else []
            )
        height -= rows
        found.append(line)
    return found[::-1]


def _headed(canvas: Canvas, title: str) -> Canvas:
    """Draw a title where the height allows; the room under it."""
    if canvas.height < HEADED_FROM:
        return canvas
    rule.draw(canvas, f" {title}", styles.BOLD)
    return canvas.view(Rect(0, 1, canvas.width, canvas.height - 1))


def _outcome(canvas: Canvas, state: RaceState, keymap: Keymap) -> int:
    """Draw the sentences about a race that is over; returns the rows that they took."""
    lines = _whole_sentences(
        [one_line(sentence) for sentence in race_sentences(state)],
        canvas.width - 2,
        canvas.height,
        keymap,
    )
    for y, line in enumerate(lines):
        canvas.text(1, y, line, styles.BOLD)
    return len(lines)


def _whole_sentences(sentences: list[str], width: int, height: int, keymap: Keymap) -> list[str]:
    """As many whole sentences as fit, the first ones; if some are missing, the key for the rest."""
    wrapped = [textwrap.wrap(sentence, max(8, width)) for sentence in sentences]
    if sum(map(len, wrapped)) <= height:
        return [line for lines in wrapped for line in lines]
    more = f"{keymap.read('lane.explain')}: all of it"
    for whole in range(len(wrapped) - 1, 0, -1):
        found = [line for lines in wrapped[:whole] for line in lines]
        if len(found) <= height and text_width(found[-1]) + 2 + len(more) <= width:
            return [*found[:-1], f"{found[-1]}  {more}"]
        if len(found) < height:
            return [*found, more]
    first = wrapped[0][:height]  # not even one fits: its beginning
    return [*first[:-1], f"{shortened(first[-1], width - 2 - len(more))}  {more}"] if first else []


def commands(canvas: Canvas, text: str) -> None:
    """Draw the last commands and their answers in place of the machine."""
    canvas.fill()
    canvas.text(1, 0, shortened(text, canvas.width - 2), styles.BOLD)


def view_words(canvas: Canvas, view: RaceView) -> int:
    """Draw what the curves show at the right end of a row, if not the default; return the columns
    taken."""
    if view.usual or view.panel not in ("panes", "enlarged"):
        return 0
    words = shortened(view.chart_heading, max(0, canvas.width - 24))
    canvas.text(canvas.width - text_width(words) - 1, 0, words, styles.BOLD)
    return text_width(words) + 2


def footer(canvas: Canvas, words: list[tuple[str, str]]) -> None:
    """The keys; where not all fit, the last two stay (help and quit)."""
    canvas.fill(styles.BAR)
    shown = list(words)
    while (
        len(shown) > 2
        and sum(text_width(key) + len(word) + 3 for key, word in shown) - 1 > canvas.width
    ):
        del shown[-3]
    x = 1
    for key, word in shown:
        x += canvas.text(x, 0, key, styles.BAR_KEY) + 1
        x += canvas.text(x, 0, word, styles.BAR) + 2
