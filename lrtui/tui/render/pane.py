"""One lane's pane: words, the applied rate in large, numbers, its curves, its sprites. Pure
drawing; knows no widget."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from lrtui.core.charts.marks import COLDER, HOTTER, SNAPSHOT
from lrtui.core.diagnostics import rate_report
from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.numbers import rate
from lrtui.core.protocol.events import Sampled
from lrtui.core.results.race_words import lane_settings
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import spread_of
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState
from lrtui.core.state.status import FAILED
from lrtui.core.text import literal, one_line
from lrtui.tui.pane_layout import PaneParts
from lrtui.tui.rects import Rect
from lrtui.tui.render import (
    band,
    chart,
    crosshair,
    digits,
    facts,
    lane_figures,
    marks,
    names,
    rule,
    seeds,
    sprite,
    status,
    styles,
    unseen,
    x_labels,
)
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.view import RaceView


def draw(
    canvas: Canvas,
    group: SeedGroup,
    state: RaceState,
    view: RaceView,
    parts: PaneParts,
    *,
    selected: bool,
    figures: bool,
) -> None:
    """Draw the pane of a lane, or of a folded group of seeds, with these parts; `figures` False
    leaves all but the curve as it was."""
    lane, race = group.first, state.race
    if figures:
        canvas.fill()  # the first sprite makes all parts narrower: nothing may stay between them
        _title(canvas.view(parts.title), group, state, view, selected)
        if view.cursor is not None:
            crosshair.words(canvas.view(parts.words), group, race, view)
        else:
            moves = parts.rate_curve is not None or lane.index in view.moving
            _words(canvas.view(parts.words), group, state, view, plain=not moves)
        _rate(canvas.view(parts.rate), group, view, parts.large)
        _numbers(canvas, group, parts)
        if parts.facts and len(group.lanes) > 1:
            seeds.table(canvas.view(parts.facts), group, state, view)
        elif parts.facts:
            facts.draw(canvas.view(parts.facts), lane, verdict(lane, state), view, race)
        elif parts.dial:
            row = canvas.view(parts.dial)
            row.fill()
            facts.dial(row, 0, lane, verdict(lane, state))
    if error := _failure(group):
        _error(canvas, error, parts)
        return
    if lines := view.no_steps.get(lane.index):
        _no_steps(canvas, lines, parts)
        return
    _curves(canvas, group, view, race, parts, figures=figures)
    if parts.sprite:
        _sprite(canvas.view(parts.sprite), view.pictures.get(lane.index, lane.sample))


def _failure(group: SeedGroup) -> str:
    """The error that ended a lane, or every seed of a group."""
    if any(lane.status not in FAILED for lane in group.lanes):
        return ""
    return next((lane.ended.error for lane in group.lanes if lane.ended and lane.ended.error), "")


def _title(
    canvas: Canvas, group: SeedGroup, state: RaceState, view: RaceView, selected: bool
) -> None:
    hue, bad = view.hue(group.first.index), status.lost(group, state)
    bar = (
        styles.ALERT_BAR if bad else styles.lane_chosen(hue) if selected else styles.lane_bold(hue)
    )
    sign = "▶" if selected else " "
    name = sign + names.named(group, pinned=group.first.index in view.pinned)
    forms, count = status.statuses(group, state), len(group.lanes)
    if count > 1:
        least = canvas.width - min(map(text_width, forms)) - 2
        whole, short = f"{name} · {count} seeds", f"{name} ×{count}"
        name = whole if text_width(whole) <= least else short
    words = status.fitting(forms, canvas.width - text_width(name) - 2)
    rule.draw(canvas, name, bar, words, bar)
    if bad or selected:
        canvas.styles[...] = bar


def _words(
    canvas: Canvas, group: SeedGroup, state: RaceState, view: RaceView, *, plain: bool
) -> None:
    """The last alert, or a remark and the lane's settings; `plain`: with a constant rate, which no
    chart shows."""
    canvas.fill()
    lane = group.first
    spec = lane.lane
    hue = styles.lane_bold(view.hue(lane.index))
    alerts = [(one, each) for each in group.lanes for one in each.alerts if one.kind != "diverged"]
    if alerts:
        alert, whose = max(alerts, key=lambda found: found[0].at)
        sign = "" if len(group.lanes) == 1 else f"{whose.lane.letter}: "
        canvas.text(
            1,
            0,
            shortened(sign + one_line(alert.text), canvas.width - 1),
            styles.WARN if alert.kind == "lost" else styles.ALERT,
        )
        return
    before = ""
    if lane.parent is not None:
        before = f"from {state.lanes[lane.parent].lane.letter}@{lane.forked_at} "
    schedule = spec.schedule or ("constant" if plain and not lane.is_script else "")
    parts = [lane_settings(lane), str(schedule), str(spec.recipe)]
    text = one_line(", ".join(filter(None, parts)))
    x = 1
    if remarks := view.remarks.get(lane.index):
        x += canvas.text(x, 0, status.fitting(remarks, canvas.width - 1), styles.WARN) + 2
    x += canvas.text(x, 0, before, styles.TEXT)
    x += canvas.text(x, 0, _turned(group), hue)
    x += canvas.text(x, 0, shortened(text, canvas.width - x), styles.DIM)
    metrics = lane_figures.metric_words(group, canvas.width - x - 3)
    canvas.text(canvas.width - text_width(metrics) - 1, 0, metrics, styles.TEXT)


def _turned(group: SeedGroup) -> str:
    """The factor of the dial if it was turned; of seeds with different ones those of each."""
    factors = {lane.lane.letter: lane.factor for lane in group.lanes}
    if len(set(factors.values())) == 1:
        return f"×{group.first.factor:.3g} " if group.first.factor != 1 else ""
    turned = [f"{sign} ×{factor:.3g}" for sign, factor in factors.items() if factor != 1]
    return ", ".join(turned) + " "


def _rate(canvas: Canvas, group: SeedGroup, view: RaceView, large: bool) -> None:
    """Draw the applied rate of a param group, and the group's name if there are several; of seeds
    with different ones the lowest and the highest."""
    canvas.fill()
    lane = group.first
    shown = view.group_of(lane)
    found = [rate_report.shown_rate(each, view.group_of(each)) for each in group.lanes]
    number = rate_report.known(found[0])
    style = styles.lane_bold(view.hue(lane.index))
    if len({rate_report.known(value) for value in found}) > 1:
        span = spread_of(found)
        number, large = f"{rate(span.low, 2)}…{rate(span.high, 2)}", False
        if text_width(number) + 4 > canvas.width:
            number = "mixed"
    if large:
        x = 2 + digits.write(canvas, 1, 0, number, style)
        canvas.text(x, 0, names.group(lane, shown, canvas.width - x), styles.DIM)
    else:
        name = names.group(lane, shown, canvas.width - 2 - text_width(number)) or "lr"
        canvas.text(1, 0, f"{name} {number}", style)


def _numbers(canvas: Canvas, group: SeedGroup, parts: PaneParts) -> None:
    lines = lane_figures.number_lines(group, [rect.width - (rect.x == 0) for rect in parts.numbers])
    for rect, text in zip(parts.numbers, lines, strict=False):
        view = canvas.view(rect)
        view.fill()
        view.text(0 if rect.x else 1, 0, text)


def _curves(
    canvas: Canvas, group: SeedGroup, view: RaceView, race: Race, parts: PaneParts, *, figures: bool
) -> None:
    place, lane = canvas.view(parts.curve), group.first
    if len(group.lanes) > 1:
        drawn = band.draw(place, group, race, view)
    else:
        drawn = chart.curve(place, lane, race, view)
    if drawn is not None:
        unseen.words(place, group, race, view)
        for each in group.lanes:
            chart.abandoned(place, each, race, view)
        if drawn.end is not None and all(each.status == "nan" for each in group.lanes):
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
            _rates(canvas.view(parts.rate_curve), canvas.view(parts.rate_labels), group, race, view)
        if parts.x_labels:
            _x_labels(canvas, parts.x_labels, view)
    if figures or on_curve:
        # on the curve only what matters most
        but = (SNAPSHOT if on_curve else "") + (HOTTER + COLDER if charted else "")
        for each in group.lanes:
            marks.row(canvas.view(parts.marks), each, race, view, but=but)


def _rates(canvas: Canvas, labels: Canvas, group: SeedGroup, race: Race, view: RaceView) -> None:
    """Draw the rates behind and before a lane: a chart, or a line of text if there is only one
    rate."""
    lane = group.first
    shown = view.group_of(lane)
    if lane.index in view.moving:
        canvas.fill()
        lanes = view.of_own_rates(group)
        for each in lanes:
            chart.rates(canvas, each, race, view)
            chart.ahead(canvas, each, race, view)
        for each in lanes:
            marks.on_rates(canvas, each, race, view)
        if canvas.height > 1:
            chart.y_labels(labels, view.rate_limits)
    else:
        number = rate_report.known(rate_report.shown_rate(lane, shown))
        canvas.text(0, 0, f"constant {number}", styles.DIM)
    crosshair.line(canvas, view)
    taken = labels.codes[0] != ord(" ")
    room = int(taken.argmax()) if taken.any() else labels.width
    if room > 1:
        labels.text(0, 0, names.group(lane, shown, room - 1) or "lr", styles.DIM)


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
