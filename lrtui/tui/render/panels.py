"""The parts of the race screen around the panes: header, standings, log, machine, footer. Pure drawing."""

from __future__ import annotations

import textwrap

from lrtui.core.results.batch_size import batch_words
from lrtui.core.results.sentences import race_sentences
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.tui import keys
from lrtui.tui.layout import LEAST, Rect
from lrtui.tui.render import styles
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.render.logs import log_line
from lrtui.tui.view import RaceView


def too_small(canvas: Canvas) -> None:
    """What stands on a screen without room for anything else."""
    canvas.fill()
    canvas.text(0, 0, f"lrtui needs {LEAST[0]}x{LEAST[1]}; this is {canvas.width}x{canvas.height}", styles.ALERT)


def header(canvas: Canvas, state: RaceState, trouble: str, seen: str = "") -> None:
    """Title, what part of the race is `seen`, its state, budget, and the proof that the lanes began alike."""
    canvas.fill(styles.TITLE)
    right = one_line(trouble) if trouble else "" if seen and canvas.width < 80 else fairness(state, short=canvas.width < 100)
    room = max(0, canvas.width - text_width(right) - 3)
    race = state.race
    most = [part for part in (shortened(seen, max(16, room - 17)), _phase(state)) if part]
    words = " " + shortened(one_line(race.title), max(12, room - 1 - sum(3 + text_width(part) for part in most)))
    for part in (*most, race.budget, batch_words(state.lanes, race), f"seed {race.seed}"):
        if text_width(words) + 3 + text_width(part) > room:
            break
        words += f" · {part}"
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
        order = f" {words[1]}{min(batches)[:6]}" if min(batches) else ""  # of a stream it is not known beforehand
        return f"fair: {words[0]}{min(weights)[:6]}{order}"
    return "NOT FAIR: " + ("weights" if len(weights) > 1 else "batches") + " differ"


def _phase(state: RaceState) -> str:
    if state.over:
        return "over"
    living = [lane for lane in state.lanes if not lane.over]
    paused = sum(lane.status == "paused" for lane in living)
    return "paused" if paused == len(living) else f"{len(living)} of {len(state.lanes)} lanes racing"


def _outcome(canvas: Canvas, state: RaceState) -> int:
    """The sentences about a race that is over, wrapped where there is room for all; returns the rows that they took."""
    sentences = [one_line(sentence) for sentence in race_sentences(state)]
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, max(8, canvas.width - 2))]
    if len(lines) > canvas.height:
        lines = [shortened(sentence, canvas.width - 2) for sentence in sentences][:canvas.height]
        more = f"  {keys.read('lane.explain')}: all of it"
        lines[-1] = shortened(lines[-1], canvas.width - 2 - text_width(more)) + more
    for y, line in enumerate(lines):
        canvas.text(1, y, line, styles.BOLD)
    return len(lines)


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
    for y, line in enumerate((log_line(state, entry) for entry in entries), int(heading)):
        x = 1 + canvas.text(1, y, line.head, styles.DIM)
        x += canvas.text(x, y, line.sign, line.sign_style) + 1
        canvas.text(x, y, shortened(line.text, canvas.width - x), line.style)


def said(canvas: Canvas, text: str) -> None:
    """What was said to lanes and what they answered, in the place of the machine."""
    canvas.fill()
    canvas.text(1, 0, shortened(text, canvas.width - 2), styles.BOLD)


def view_words(canvas: Canvas, view: RaceView) -> int:
    """What the curves show, at the right end of a row, where that is not the usual; returns the columns that it takes."""
    if view.usual or view.stage not in ("panes", "enlarged"):
        return 0
    words = shortened(view.said, max(0, canvas.width - 24))
    canvas.text(canvas.width - text_width(words) - 1, 0, words, styles.BOLD)
    return text_width(words) + 2


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
