"""The parts of the race screen around the panes: header, standings, log, machine, footer, the overlay. Pure drawing."""

from __future__ import annotations

import math
import textwrap
import time

from lrtui.core.numbers import loss, rate
from lrtui.core.sentences import race_sentences
from lrtui.core.standings import FAILED, standings
from lrtui.core.state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.core.verdicts import Verdict, verdict
from lrtui.tui.layout import LEAST, Rect
from lrtui.tui.render import chart, styles
from lrtui.tui.render.canvas import Canvas, text_width
from lrtui.tui.render.pane import status_words
from lrtui.tui.view import RaceView


def too_small(canvas: Canvas) -> None:
    """What stands on a screen without room for anything else."""
    canvas.fill()
    canvas.text(0, 0, f"lrtui needs {LEAST[0]}x{LEAST[1]}; this is {canvas.width}x{canvas.height}", styles.ALERT)


def header(canvas: Canvas, state: RaceState, trouble: str) -> None:
    """Title, state of the race, budget, and the proof that the lanes began alike."""
    canvas.fill(styles.TITLE)
    right = one_line(trouble) if trouble else fairness(state, short=canvas.width < 100)
    room = max(0, canvas.width - text_width(right) - 3)
    race = state.race
    phase = f" · {_phase(state)}"
    title = _cut(one_line(race.title), max(12, room - text_width(phase) - 1))
    words = f" {title}{phase} · {race.budget} · batch {race.batch_size} · seed {race.seed}"
    canvas.text(0, 0, words, styles.TITLE, room)
    canvas.text(max(0, canvas.width - text_width(right) - 1), 0, right, styles.ALERT_BAR if trouble else styles.TITLE)


def fairness(state: RaceState, short: bool = False) -> str:
    """Whether all lanes that have started began with equal weights and equal batches, with the checksums."""
    started = [lane.started for lane in state.lanes if lane.started]
    if not started:
        return "" if state.over else "starting"
    weights, batches = {start.init_checksum for start in started}, {start.batch_checksum for start in started}
    if len(weights) == len(batches) == 1:
        words = ("", "") if short else ("weights ", "batches ")
        return f"fair: {words[0]}{min(weights)[:6]} {words[1]}{min(batches)[:6]}"
    return "NOT FAIR: " + ("weights" if len(weights) > 1 else "batches") + " differ"


def _phase(state: RaceState) -> str:
    if state.over:
        return "over"
    living = [lane for lane in state.lanes if not lane.over]
    paused = sum(lane.status == "paused" for lane in living)
    return "paused" if paused == len(living) else f"{len(living)} of {len(state.lanes)} lanes racing"


def table(canvas: Canvas, state: RaceState, view: RaceView) -> None:
    """The standings, best first; the chosen lane stays in sight where not all fit."""
    canvas.fill()
    wide = canvas.width >= 70
    canvas.text(1, 0, _row("#", "lane", "smoothed", "best", "lr", "status", canvas.width, wide), styles.DIM)
    ranked = standings(state)
    rows = canvas.height - 1
    place = next(index for index, lane in enumerate(ranked) if lane.index == view.chosen)
    first = max(0, min(place - rows // 2, len(ranked) - rows)) if len(ranked) > rows else 0
    for y, lane in enumerate(ranked[first:first + rows], 1):
        row = canvas.view(Rect(0, y, canvas.width, 1))
        _standing(row, first + y, lane, verdict(lane, state), lane.index == view.chosen, wide)


def _standing(canvas: Canvas, place: int, lane: LaneState, said: Verdict, chosen: bool, wide: bool) -> None:
    bad = said.word == "nan" or lane.status in FAILED
    style = styles.ALERT_BAR if bad else styles.lane_chosen(lane.index) if chosen else styles.lane(lane.index)
    if bad or chosen:
        canvas.fill(style)
    name = f"{lane.lane.letter} {one_line(lane.lane.name)}"
    value = loss(lane.smooth.value) if lane.status != "nan" and math.isfinite(lane.smooth.value) else lane.last_words
    now = lane.applied_lr if lane.applied_lr == lane.applied_lr else lane.rate
    text = _row(str(place), name, value, lane.best_words, rate(now, 3), status_words(lane, said), canvas.width, wide)
    canvas.text(0, 0, "▶" if chosen else " ", style)
    canvas.text(1, 0, text, style)


def _row(place: str, name: str, value: str, best: str, lr: str, status: str, width: int, wide: bool) -> str:
    """A line of the table: at least place, name, loss and status; best and rate where there is room."""
    middle = f"{value:>8} {best:>8} {lr:>8} " if wide else f"{value:>8} {lr:>7} " if width >= 50 else f"{value:>8} "
    tail = f"{status:<16}" if wide else f"{status:<14}"
    room = max(4, width - 5 - len(middle) - len(tail))
    return f"{place:>2} {_fitted(name, room)} {middle}{tail}"


def _cut(text: str, width: int) -> str:
    """A text in at most so many cells; where something was cut off stands a dot dot dot."""
    return text if text_width(text) <= width else _fitted(text, width - 1).rstrip() + "…"


def _fitted(text: str, width: int) -> str:
    while text_width(text) > width:
        text = text[:-1]
    return text + " " * (width - text_width(text))


MORE = "  i: all of it"
"""Stands where the sentences about a race are cut."""


def _outcome(canvas: Canvas, state: RaceState) -> int:
    """The sentences about a race that is over, wrapped where there is room for all; returns the rows that they took."""
    sentences = [one_line(sentence) for sentence in race_sentences(state)]
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, max(8, canvas.width - 2))]
    if len(lines) > canvas.height:
        lines = [_cut(sentence, canvas.width - 2) for sentence in sentences][:canvas.height]
        lines[-1] = _cut(lines[-1], canvas.width - 2 - len(MORE)) + MORE
    for y, line in enumerate(lines):
        canvas.text(1, y, line, styles.BOLD)
    return len(lines)


_LOUD = {"nan": styles.ALERT, "error": styles.ALERT, "died": styles.ALERT, "diverged": styles.WARN}


def log(canvas: Canvas, state: RaceState) -> None:
    """The last lines of the log, newest at the bottom; when the race is over, what is said of it comes first."""
    canvas.fill()
    if not canvas.height:
        return
    if state.over:
        told = _outcome(canvas, state)
        canvas = canvas.view(Rect(0, told, canvas.width, canvas.height - told))
    heading = canvas.height > 4  # beside the panes it stands under the standings
    if heading:
        canvas.text(1, 0, "─ log " + "─" * max(0, canvas.width - 8), styles.DIM)
    rows = canvas.height - heading
    entries = list(state.log)[-rows:] if rows > 0 else []
    for y, (at, lane, text) in enumerate(entries, int(heading)):
        stamp = time.strftime("%H:%M:%S", time.localtime(at))
        sign = state.lanes[lane].lane.letter if lane >= 0 else "·"
        canvas.text(1, y, stamp, styles.DIM)
        canvas.text(10, y, sign, styles.lane_bold(lane) if lane >= 0 else styles.DIM)
        style = next((style for word, style in _LOUD.items() if text.startswith(word)), styles.TEXT)
        canvas.text(11 + len(sign), y, _cut(one_line(text), canvas.width - 11 - len(sign)), style)


def machine(canvas: Canvas, text: str, state: RaceState) -> None:
    """Devices and threads of the race, and the machine's load."""
    canvas.fill()
    devices = dict.fromkeys(lane.started.device for lane in state.lanes if lane.started)
    threads = next((lane.started.intra_op_threads for lane in state.lanes if lane.started), None)
    words = " ".join(devices) + (f" · {threads} thread{'s' * (threads != 1)} a lane" if threads else "")
    canvas.text(1, 0, " · ".join(part for part in (words, text) if part), styles.DIM)


def said(canvas: Canvas, text: str) -> None:
    """What was said to lanes and what they answered, in the place of the machine."""
    canvas.fill()
    canvas.text(1, 0, _cut(text, canvas.width - 2), styles.BOLD)


def footer(canvas: Canvas, words: list[tuple[str, str]]) -> None:
    """The keys; where not all fit, the last two stay (help and quit)."""
    canvas.fill(styles.BAR)
    shown = list(words)
    while len(shown) > 2 and sum(text_width(key) + len(word) + 3 for key, word in shown) - 1 > canvas.width:
        del shown[-3]
    x = 1
    for key, word in shown:
        x += canvas.text(x, 0, key, styles.BAR_KEY) + 1
        x += canvas.text(x, 0, word, styles.BAR) + 2


def overlay(canvas: Canvas, state: RaceState, view: RaceView, total: int) -> None:
    """All lanes' losses in one chart with a legend; the chosen lane lies on top."""
    canvas.fill()
    lanes = sorted(state.lanes, key=lambda lane: lane.index == view.chosen)
    gutter, top = 8, _legend(canvas, state, view)
    place = Rect(gutter, top, canvas.width - gutter - 2, canvas.height - top - 1)
    chart.y_labels(canvas.view(Rect(0, place.y, gutter, place.height)), view.loss_limits)
    chart.x_labels(canvas.view(Rect(gutter, place.bottom, place.width, 1)), total)
    area = canvas.view(place)
    ends = chart.overlay(area, lanes, "loss", view.loss_limits, total)
    for lane in lanes:
        if lane.index in ends:
            x, y = ends[lane.index]
            lost = lane.status in ("nan", *FAILED)
            sign, style = (chart.NAN_MARK, styles.ALERT) if lost else (lane.lane.letter, styles.lane_bold(lane.index))
            chart.alert_marks(area, lane, view.loss_limits, total)
            area.text(min(x + 1, area.width - len(sign)), y, sign, style)


def _legend(canvas: Canvas, state: RaceState, view: RaceView) -> int:
    """Names in their colours, in at most three rows; returns the rows taken."""
    x, y = 1, 0
    for lane in state.lanes:
        text = f"{lane.lane.letter} {one_line(lane.lane.name)}"
        if x + text_width(text) > canvas.width - 1:
            x, y = 1, y + 1
            if y == 3:
                return 3
        chosen = lane.index == view.chosen
        x += canvas.text(x, y, text, styles.lane_chosen(lane.index) if chosen else styles.lane(lane.index)) + 2
    return y + 1
