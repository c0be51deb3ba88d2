"""The picker's card of a scenario or a run: story, lanes, task, budget, and the learning rates to
come. Pure drawing."""

from __future__ import annotations

import shlex
import sys
import textwrap
from datetime import datetime

from lrtui.core.charts.axes import XAxis
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import rate
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.results.batch_size import batch_words
from lrtui.core.scenario.spec import Lane, Race, Script
from lrtui.core.text import literal, one_line
from lrtui.store.reader import Summary
from lrtui.tui.keymap import Keymap
from lrtui.tui.rects import Rect
from lrtui.tui.render import chart, raster, styles, x_labels
from lrtui.tui.render.canvas import Canvas, shortened, text_width

CHART_ROWS = 12
LEAST_CHART = 5


def nothing(canvas: Canvas, keymap: Keymap) -> None:
    """Nothing matches the filter."""
    canvas.text(1, 1, f"nothing matches; {keymap.read('list.clear')} clears the filter", styles.DIM)


def run(canvas: Canvas, found: Summary, race: Race | LrtuiError, keymap: Keymap) -> None:
    """A run in the list."""
    y = _heading(
        canvas,
        found.label.titled(found.title),
        f"{found.state}, started {datetime.fromtimestamp(found.created):%Y-%m-%d %H:%M}",
    )
    if found.label.note:
        y = _wrapped(canvas, found.label.note, y, styles.TEXT) + 1
    if isinstance(race, Race):
        y = _lanes(canvas, race, y, canvas.height - y - 3)
    y = _wrapped(canvas, str(found.path), y + 1, styles.DIM)
    go, resume = keymap.read("list.go"), keymap.read("race.resume")
    watches = f"{go} shows it, {resume} there resumes it" if found.resumable else f"{go} watches it"
    canvas.text(1, y + 1, watches, styles.BOLD)


def race(
    canvas: Canvas,
    found: Race | LrtuiError,
    previews: list[Preview] | LrtuiError | None,
    notice: str,
    keymap: Keymap,
) -> None:
    """A scenario: what it is about, what will race, and each lane's learning rate over the
    budget."""
    if isinstance(found, LrtuiError):
        y = _wrapped(canvas, found.message, 1, styles.ALERT)
        _wrapped(canvas, found.hint, y, styles.TEXT)
        return
    y = _heading(canvas, found.title, _facts(found))
    notes = _notes(found, previews, max(8, canvas.width - 2), canvas.height // 4)
    story = canvas.height - y - len(found.lanes) // found.seeds - LEAST_CHART - len(notes) - 4
    y = _wrapped(canvas, found.story, y, styles.TEXT, max(2, story)) + 1
    y = _lanes(canvas, found, y, max(3, canvas.height - y - LEAST_CHART - len(notes) - 2)) + 1
    place = Rect(1, y, canvas.width - 2, min(CHART_ROWS, canvas.height - y - len(notes) - 1))
    if found.script is not None:
        _command(canvas, found.script, y)
    elif place.height >= 3:
        _rates(canvas.view(place), previews, found.seeds)
    for row, (text, style) in enumerate(
        notes, max(y + place.height, 0) if place.height >= 3 else y
    ):
        canvas.text(1, row, text, style)
    _last_row(canvas, notice, f"{keymap.read('list.go')} races it")


def own_script(canvas: Canvas, notice: str, keymap: Keymap) -> None:
    """A script that is asked for."""
    y = _heading(canvas, "A training script of your own", "unchanged, once for each learning rate")
    for text in (
        "lrtui sees every optimizer step of it: loss, applied rate, gradient norm, NaN. The dial,"
        " pause and stop work as in any race.",
        "On the command line: lrtui race train.py --lr 1e-2 --lr 1e-3 -- ARGS",
        "To have it in this list: a table [tool.lrtui] in its header, or [script] in"
        " scenarios/NAME.toml; see `lrtui help scripts`.",
    ):
        y = _wrapped(canvas, text, y, styles.TEXT) + 1
    _last_row(canvas, notice, f"{keymap.read('list.go')} asks for its path")


def _facts(found: Race) -> str:
    """The race in words: what, how long, how fed, where, with which seed."""
    script = found.script
    parts = [f"task {found.task}", found.budget, batch_words((), found), f"device {found.device}"]
    if script is not None:
        at_once = f"{script.at_once} at a time" if script.at_once else ""
        parts = [f"script {found.task.short}", found.budget, at_once]
    seed = f"seed {found.seed}" if script is None or script.seeded else "not seeded"
    if found.seeds > 1:
        seed = f"seeds {found.seed} to {found.seed + found.seeds - 1} of each lane"
    return " · ".join(filter(None, [*parts, seed]))


def _command(canvas: Canvas, script: Script, y: int) -> None:
    """The command line and the environment of a script."""
    canvas.text(1, y, "what is run", styles.DIM)
    rows = max(1, canvas.height - y - 3)
    program, *arguments = script.command
    words = ["python" if program == sys.executable else program, *arguments]
    command = one_line(shlex.join(words))
    y = _wrapped(canvas, command, y + 1, styles.TEXT, rows, hyphens=False)
    for name, value in list(script.env.items())[: max(0, canvas.height - y - 2)]:
        canvas.text(1, y, shortened(one_line(f"with {name}={value}"), canvas.width - 2), styles.DIM)
        y += 1


def _last_row(canvas: Canvas, notice: str, words: str) -> None:
    style = styles.WARN if notice else styles.BOLD
    canvas.text(1, canvas.height - 1, notice or words, style)


def _heading(canvas: Canvas, title: str, facts: str) -> int:
    canvas.text(1, 0, shortened(one_line(title), max(1, canvas.width - 2)), styles.BOLD)
    return _wrapped(canvas, facts, 1, styles.DIM) + 1


def _wrapped(
    canvas: Canvas, text: str, y: int, style: int, rows: int = 8, *, hyphens: bool = True
) -> int:
    """Write a text in at most `rows` lines, broken at spaces and `hyphens`; return the row after
    it."""
    lines = textwrap.wrap(
        literal(text),
        max(8, canvas.width - 2),
        max_lines=max(1, rows),
        placeholder=" …",
        break_on_hyphens=hyphens,
    )
    for offset, line in enumerate(lines):
        canvas.text(1, y + offset, line, style)
    return y + len(lines)


def _lanes(canvas: Canvas, found: Race, y: int, rows: int) -> int:
    """A row for each lane, whatever the number of its seeds: letter, name, optimizer, rate,
    schedule, recipe. Returns the row after the table."""
    lanes = found.lanes[:: found.seeds]
    names = min(
        max((text_width(lane.name) for lane in lanes), default=0), max(10, canvas.width // 3)
    )
    for lane_index, lane in enumerate(lanes[:rows]):
        left = len(lanes) - lane_index
        if lane_index == rows - 1 and left > 1:
            canvas.text(1, y, f"... and {left} more", styles.DIM)
            return y + 1
        x = 1 + canvas.text(1, y, lane.called, styles.lane_bold(lane_index), names + 3)
        x = max(x, names + 4) + 1
        spec = one_line(_settings(lane))
        canvas.text(x, y, shortened(spec, max(1, canvas.width - x - 1)), styles.TEXT)
        y += 1
    return y


def _settings(lane: Lane) -> str:
    """What a lane is, beside its name."""
    if not lane.optimizer.name:
        given = [f"lr={rate(lane.lr)}"] if lane.lr else []
        given += [f"{name}={value}" for name, value in lane.values.items()]
        words = " ".join(given) or "at its own rate"
        return words if words != lane.name else ""
    parts = [f"{lane.optimizer} lr={rate(lane.lr)}", str(lane.schedule or ""), str(lane.recipe)]
    return "  ".join(filter(None, parts))


def _notes(
    found: Race, previews: list[Preview] | LrtuiError | None, width: int, rows: int
) -> list[tuple[str, int]]:
    """At most `rows` lines of `width` cells about the lanes' schedules, each with its style."""
    if not isinstance(previews, list):
        return []
    lines: list[tuple[str, int]] = []
    pairs = list(zip(found.lanes, previews, strict=True))
    for lane, preview in pairs[:: found.seeds]:
        remarks = [(text, styles.WARN) for text in preview.warnings]
        if preview.unknown:
            remarks.append((preview.unknown, styles.DIM))
        lines += [
            (line, style)
            for text, style in remarks
            for line in textwrap.wrap(f"{lane.letter} {one_line(text)}", width)
        ]
    return (
        lines
        if len(lines) <= rows
        else [*lines[: rows - 1], ("... and more: `lrtui schedule` says it all", styles.WARN)]
    )


def _rates(canvas: Canvas, previews: list[Preview] | LrtuiError | None, seeds: int) -> None:
    """The previewed learning rates of all lanes on a logarithmic axis."""
    if previews is None:
        canvas.text(0, 0, "learning rates: torch is warming up ...", styles.DIM)
        return
    if isinstance(previews, LrtuiError):
        canvas.text(0, 0, one_line(previews.message), styles.ALERT)
        canvas.text(0, 1, one_line(previews.hint), styles.DIM)
        return
    previews = previews[::seeds]
    rates = [value for preview in previews for value in preview.rates if value > 0]
    if not rates:
        return
    limits = AxisLimits.around(min(rates), max(rates), log=True)
    total = max(2, *(preview.total for preview in previews))
    canvas.text(0, 0, "learning rate, as it will be applied", styles.DIM)
    place = canvas.view(Rect(8, 1, canvas.width - 8, canvas.height - 2))
    known = {index: preview for index, preview in enumerate(previews) if preview.steps}
    layers = [
        chart.steps_curve(place, one.steps, one.rates, limits, total, one.known)
        for one in known.values()
    ]
    bits, owner = raster.overlay(layers, list(range(len(layers))))
    for layer, index in enumerate(known):
        owned = owner == layer
        place.codes[owned] = raster.codes(bits)[owned]
        place.styles[owned] = styles.lane(index)
    chart.y_labels(canvas.view(Rect(0, 1, 8, place.height)), limits)
    canvas.put(
        8,
        canvas.height - 1,
        x_labels.row(XAxis("step", False, 0.0, total), 0, place.width),
        styles.DIM,
    )
