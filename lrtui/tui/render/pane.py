"""One lane's pane: words, the applied rate in large, numbers, its curves, its sprites. Pure
drawing; knows no widget."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from lrtui.core.charts.marks import COLDER, HOTTER, SNAPSHOT
from lrtui.core.diagnostics import rate_report
from lrtui.core.diagnostics.verdicts import Verdict
from lrtui.core.numbers import count, duration, loss
from lrtui.core.protocol.events import Sampled
from lrtui.core.results.race_words import lane_settings
from lrtui.core.results.recipe_words import beside_averaged
from lrtui.core.scenario.spec import Race, letter
from lrtui.core.state.race_state import LaneState
from lrtui.core.state.status import FAILED
from lrtui.core.text import literal, one_line
from lrtui.tui.pane_layout import PaneParts
from lrtui.tui.rects import Rect
from lrtui.tui.render import (
    chart,
    crosshair,
    digits,
    facts,
    marks,
    names,
    rule,
    sprite,
    styles,
    unseen,
    x_labels,
)
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.view import RaceView

STATUS_WIDTH = 16


def draw(
    canvas: Canvas,
    lane: LaneState,
    verdict: Verdict,
    view: RaceView,
    race: Race,
    parts: PaneParts,
    *,
    selected: bool,
    figures: bool,
) -> None:
    """Draw a pane with these parts; `figures` False leaves all but the curve as it was."""
    if figures:
        canvas.fill()  # the first sprite makes all parts narrower: nothing may stay between them
        _title(canvas.view(parts.title), lane, verdict, selected, lane.index in view.pinned)
        if view.cursor is not None:
            crosshair.words(canvas.view(parts.words), lane, race, view)
        else:
            moves = parts.rate_curve is not None or lane.index in view.moving
            _words(canvas.view(parts.words), lane, plain=not moves)
        _rate(canvas.view(parts.rate), lane, view.group_of(lane), parts.large)
        _numbers(canvas, lane, parts)
        if parts.facts:
            facts.draw(canvas.view(parts.facts), lane, verdict, view, race)
        elif parts.dial:
            row = canvas.view(parts.dial)
            row.fill()
            facts.dial(row, 0, lane, verdict)
    if lane.status in FAILED and lane.ended is not None and lane.ended.error:
        _error(canvas, lane.ended.error, parts)
        return
    if lines := view.no_steps.get(lane.index):
        _no_steps(canvas, lines, parts)
        return
    _curves(canvas, lane, view, race, parts, figures=figures)
    if parts.sprite:
        _sprite(canvas.view(parts.sprite), view.pictures.get(lane.index, lane.sample))


def _title(canvas: Canvas, lane: LaneState, verdict: Verdict, selected: bool, pinned: bool) -> None:
    bad = verdict.word == "nan" or lane.status in FAILED
    bar = (
        styles.ALERT_BAR
        if bad
        else styles.lane_chosen(lane.index)
        if selected
        else styles.lane_bold(lane.index)
    )
    sign = "▶" if selected else " "
    name = sign + names.named(lane, pinned=pinned)
    words = [status_words(lane, verdict), *short_status(lane, verdict)]
    status = next(
        (text for text in words if text_width(name) + len(text) + 2 <= canvas.width), words[-1]
    )
    rule.draw(canvas, name, bar, status, bar)
    if bad or selected:
        canvas.styles[...] = bar


def status_words(lane: LaneState, verdict: Verdict) -> str:
    """Status and verdict of a lane in STATUS_WIDTH cells; NaN with its step."""
    if lane.status == "nan" and lane.ended is not None:
        return f"NaN at step {lane.ended.step}"
    status = {"finished": "done", "error": "ERROR", "died": "LOST"}.get(lane.status, lane.status)
    words = f"{status} {verdict}".rstrip()
    return words if len(words) <= STATUS_WIDTH else str(verdict)


def short_status(lane: LaneState, verdict: Verdict) -> list[str]:
    """Status in ever shorter forms instead of `status_words`: a step that would be cut is left
    out."""
    return [
        text
        for text in (
            str(verdict),
            str(verdict).partition(" ")[0],
            status_words(lane, Verdict("none")),
        )
        if text
    ]


def _words(canvas: Canvas, lane: LaneState, *, plain: bool) -> None:
    """The last alert, or the lane's settings; `plain`: with a constant rate, which no chart
    shows."""
    canvas.fill()
    spec = lane.lane
    alert = next((one for one in reversed(lane.alerts) if one.kind != "diverged"), None)
    if alert is not None:
        canvas.text(
            1,
            0,
            shortened(one_line(alert.text), canvas.width - 1),
            styles.WARN if alert.kind == "lost" else styles.ALERT,
        )
        return
    before = f"from {letter(lane.parent)}@{lane.forked_at} " if lane.parent is not None else ""
    turned = f"×{lane.factor:.3g} " if lane.factor != 1 else ""
    schedule = spec.schedule or ("constant" if plain and not lane.is_script else "")
    parts = [lane_settings(lane), str(schedule), str(spec.recipe)]
    text = one_line(", ".join(filter(None, parts)))
    x = 1 + canvas.text(1, 0, before, styles.TEXT)
    x += canvas.text(x, 0, turned, styles.lane_bold(lane.index))
    x += canvas.text(x, 0, shortened(text, canvas.width - x), styles.DIM)
    metrics = _metrics(lane, canvas.width - x - 3)
    canvas.text(canvas.width - text_width(metrics) - 1, 0, metrics, styles.TEXT)


def _rate(canvas: Canvas, lane: LaneState, group: int, large: bool) -> None:
    """Draw the applied rate of a param group, and the group's name if there are several."""
    canvas.fill()
    number = rate_report.known(rate_report.shown_rate(lane, group))
    style = styles.lane_bold(lane.index)
    if large:
        x = 2 + digits.write(canvas, 1, 0, number, style)
        canvas.text(x, 0, names.group(lane, group, canvas.width - x), styles.DIM)
    else:
        name = names.group(lane, group, canvas.width - 2 - text_width(number)) or "lr"
        canvas.text(1, 0, f"{name} {number}", style)


def _numbers(canvas: Canvas, lane: LaneState, parts: PaneParts) -> None:
    lines = number_lines(lane, [rect.width - (rect.x == 0) for rect in parts.numbers])
    for rect, text in zip(parts.numbers, lines, strict=False):
        view = canvas.view(rect)
        view.fill()
        view.text(0 if rect.x else 1, 0, text)


def number_lines(lane: LaneState, widths: list[int]) -> list[str]:
    """The figures in lines of these widths, most important first; a number is never cut."""
    losses = f"loss {lane.last_loss:<8}best {lane.losses.best_text}"
    if text_width(losses) > widths[0]:
        losses = f"loss {lane.last_loss}"
    if len(widths) == 1:
        return [losses]
    total = lane.total_steps or ("" if lane.is_script else "?")
    steps = f"step {lane.steps}{f'/{total}' if total else ''}"
    epochs = f" ep {lane.epoch}/{_epochs(lane)}" if _epochs(lane) else ""
    if lane.is_script and "epoch" in lane.metrics:
        epochs = f" ep {lane.metrics['epoch']:g}"
    if text_width(steps + epochs) <= widths[1]:
        steps += epochs
    return [losses, steps, _pace(lane, widths[-1])][: len(widths)]


def _pace(lane: LaneState, width: int) -> str:
    """Progress, speed and the time that is left; of a script of unknown length speed and time so
    far."""
    if lane.is_script and not lane.total_steps:
        pace = lane.throughput.speed if lane.ended is None else lane.steps_per_second
        per_second = f"{count(pace)}/s " if pace > 0 else ""
        return f"{per_second}in {duration(lane.clock.own_seconds)}" if lane.started else ""
    # epochs may be longer than the declared length of the data
    done = min(lane.steps / lane.total_steps, 1.0) if lane.total_steps else 0.0
    if lane.ended is not None:
        took = lane.ended.at - lane.started.at if lane.started else 0.0
        return (
            f"{done:4.0%} {f'{count(lane.steps / took)}/s in {duration(took)}' if took > 0 else ''}"
        )
    left = (
        max(lane.total_steps - lane.steps, 0) / lane.throughput.speed
        if lane.throughput.speed > 0
        else math.nan
    )
    speed = "" if math.isnan(lane.throughput.speed) else f"{count(lane.throughput.speed)}/s"
    bar = progress_bar(done, 8) + " " if width >= 34 else ""
    return f"{bar}{done:4.0%} {speed:<7} ETA {duration(left)}"


def progress_bar(done: float, width: int) -> str:
    """A bar of `width` cells, filled to the eighth of a cell."""
    eighths = round(min(max(done, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width, "░")


def _metrics(lane: LaneState, width: int) -> str:
    """The newest metrics, the first ones of them that fit: a number is never cut."""
    words = ""
    metrics = dict(lane.metrics)
    if lane.is_script:  # an epoch stands beside the steps, and validation is what matters most
        metrics.pop("epoch", None)
        metrics = dict(sorted(metrics.items(), key=lambda item: item[0] != "val_loss"))
    for name in beside_averaged(metrics):
        more = f"{words}  {one_line(name)} {loss(metrics[name])}".lstrip()
        if text_width(more) > width:
            break
        words = more
    return words


def _epochs(lane: LaneState) -> int:
    """Epochs of the budget; 0 where that is not known."""
    known = lane.started is not None and lane.started.length_known
    return (
        math.ceil(lane.total_steps / lane.started.steps_per_epoch) if lane.started and known else 0
    )


def _curves(
    canvas: Canvas, lane: LaneState, view: RaceView, race: Race, parts: PaneParts, *, figures: bool
) -> None:
    place = canvas.view(parts.curve)
    drawn = chart.curve(place, lane, race, view)
    if drawn is not None:
        unseen.words(place, lane, race, view)
        chart.abandoned(place, lane, race, view)
        if lane.status == "nan" and drawn.end is not None:
            place.text(*drawn.end, chart.NAN_MARK, styles.ALERT)
    elif place.height:
        text = lane.status if not lane.steps > lane.forked_at else f"no {view.label}"
        text = shortened(text, place.width)
        place.text((place.width - text_width(text)) // 2, place.height // 2, text, styles.DIM)
    crosshair.line(place, view)
    on_curve = parts.marks.y < parts.curve.bottom
    charted = parts.rate_curve is not None and lane.index in view.moving
    if figures:  # rates and axes change slowly
        chart.y_labels(canvas.view(parts.y_labels), view.limits, view.axis_words)
        if parts.rate_curve and parts.rate_labels:
            _rates(canvas.view(parts.rate_curve), canvas.view(parts.rate_labels), lane, race, view)
        if parts.x_labels:
            _x_labels(canvas, parts.x_labels, view)
    if figures or on_curve:
        # on the curve only what matters most
        but = (SNAPSHOT if on_curve else "") + (HOTTER + COLDER if charted else "")
        marks.row(canvas.view(parts.marks), lane, race, view, but=but)


def _rates(canvas: Canvas, labels: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """Draw the rates behind and before a lane: a chart, or a line of text if there is only one
    rate."""
    group = view.group_of(lane)
    if lane.index in view.moving:
        chart.rates(canvas, lane, race, view)
        chart.ahead(canvas, lane, race, view)
        marks.on_rates(canvas, lane, race, view)
        if canvas.height > 1:
            chart.y_labels(labels, view.rate_limits)
    else:
        shown = rate_report.known(rate_report.shown_rate(lane, group))
        canvas.text(0, 0, f"constant {shown}", styles.DIM)
    crosshair.line(canvas, view)
    taken = labels.codes[0] != ord(" ")
    room = int(taken.argmax()) if taken.any() else labels.width
    if room > 1:
        labels.text(0, 0, names.group(lane, group, room - 1) or "lr", styles.DIM)


def _x_labels(canvas: Canvas, rect: Rect, view: RaceView) -> None:
    """The x axis: what it counts, in the corner, and its labels."""
    canvas.put(0, rect.y, x_labels.row(view.x, rect.x, rect.width), styles.DIM)


def _sprite(canvas: Canvas, sample: Sampled | None) -> None:
    canvas.fill()
    if sample is not None:
        codes, numbers = sprite.cells(sample.images(), canvas.width, canvas.height)
        canvas.put(0, 0, codes, numbers)


def _no_steps(canvas: Canvas, lines: Sequence[str], parts: PaneParts) -> None:
    """Draw the state of a script without a step in place of its curves, and below it the end of
    what it has printed."""
    place = _in_place_of_curves(canvas, parts)
    if not place.height:
        return
    state = textwrap.wrap(lines[0], max(8, place.width))[: place.height]
    room = place.height - len(state)
    printed = lines[1:][-room:] if room else []
    for y, (line, style) in enumerate(
        [(line, styles.BOLD) for line in state] + [(line, styles.DIM) for line in printed]
    ):
        place.text(0, y, shortened(line, place.width), style)


def _in_place_of_curves(canvas: Canvas, parts: PaneParts) -> Canvas:
    """The empty area of curves, labels and marks."""
    top = parts.y_labels.y
    canvas.fill(rect=(0, top, canvas.width - 1, canvas.height - top))
    return canvas.view(Rect(1, top, canvas.width - 3, canvas.height - top))


def _error(canvas: Canvas, text: str, parts: PaneParts) -> None:
    """Draw the end of a traceback in place of the curves, wrapped: its last lines say what
    happened."""
    place = _in_place_of_curves(canvas, parts)
    width = max(1, place.width)
    lines = [
        line[start : start + width]
        for line in literal(text).splitlines()
        for start in range(0, max(len(line), 1), width)
    ]
    for y, line in enumerate(lines[-place.height :] if place.height else []):
        place.text(0, y, line, styles.TEXT)
