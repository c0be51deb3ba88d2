"""The gauge as a dial and the lane's five numbers, for the large view. Pure drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrtui.core.diagnostics import param_groups, rate_report
from lrtui.core.diagnostics.verdicts import Verdict, gauge_word, margin, warming
from lrtui.core.numbers import size
from lrtui.core.protocol.thresholds import COLD, HOT
from lrtui.core.results.race_words import config_words, short_command
from lrtui.core.results.recipe_words import recipe_words, update_words
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.render import machine_strip, names, styles
from lrtui.tui.render.canvas import Canvas, shortened
from lrtui.tui.view import RaceView

CELL = 12
_ZONES = ((1.0, COLD), (COLD, HOT), (HOT, -0.5))
"""Step gains at the ends of the dial's thirds: cold, right, hot."""


def draw(canvas: Canvas, lane: LaneState, verdict: Verdict, view: RaceView, race: Race) -> None:
    """Draw the numbers, the quantiles of single elements' rates, the dial, and warnings if they
    fit. The view's param group comes first, further ones where rows are left."""
    canvas.fill()
    heads = ("applied", "next", "step size", "realised", "change/wt")
    below = _rates(
        canvas, lane, view, heads[: rate_report.SEEN_OF_SCRIPT] if lane.is_script else heads
    )
    if not lane.is_script:
        _quantiles(canvas, below, lane, view)
        dial(canvas, below + 1, lane, verdict)
        below += 2
    load = view.loads.get(lane.index)
    notes = rate_report.caveats(rate_report.own_optimizer(lane), lane.lane.schedule)
    ours = [
        line
        for line in (
            "; ".join(filter(None, [recipe_words(lane, race), update_words(lane)])),
            short_command(race, lane.lane) if lane.is_script else cost(lane),
            config_words(race),
            machine_strip.load_words(load) if load else "",
            snapshots(lane, view.disk_share),
        )
        if line
    ]
    for y, text in enumerate([*ours, *notes], below):
        if y < canvas.height:
            canvas.text(1, y, one_line(text), styles.DIM if y < below + len(ours) else styles.WARN)


def _rates(canvas: Canvas, lane: LaneState, view: RaceView, heads: Sequence[str]) -> int:
    """Draw the numbers of each param group under their names, as many groups as fit; return the
    row below."""
    fits = max(1, (canvas.width - 1) // CELL)
    chosen, count = view.group_of(lane), len(param_groups.groups(lane))
    _row(canvas, 0, heads[:fits], styles.DIM)
    shown = min(count, max(1, canvas.height - (2 if lane.is_script else 4)))
    for y, group in enumerate(sorted(range(count), key=lambda group: group != chosen)[:shown], 1):
        now = rate_report.rates(lane, group)
        cells = [
            rate_report.known(value)
            for value in (now.applied, now.next, now.step_size, now.realised)
        ]
        row = [*cells, rate_report.ratio_words(now.ratio)]
        _row(canvas, y, row[: min(fits, len(heads))], styles.BOLD)
        x = 1 + CELL * len(heads)
        canvas.text(x, y, names.group(lane, group, canvas.width - x), styles.DIM)
    return 1 + shown


def _quantiles(canvas: Canvas, y: int, lane: LaneState, view: RaceView) -> None:
    now = rate_report.rates(lane, view.group_of(lane))
    quantiles = [
        f"{share}% {rate_report.known(value, 2)}"
        for share, value in ((10, now.p10), (50, now.p50), (90, now.p90))
    ]
    cells = ["per element", *quantiles, f"usual 10^{rate_report.USUAL_RATIO:g}"]
    _row(canvas, y, cells[: max(1, (canvas.width - 1) // CELL)], styles.DIM)


def dial(canvas: Canvas, y: int, lane: LaneState, verdict: Verdict) -> None:
    """cold ────┼──●──┼──── hot, and the gain in numbers where the width allows."""
    found = lane.findings
    width = max(9, min(33, canvas.width - 40)) // 3 * 3
    x = 1 + canvas.text(1, y, "cold ", styles.DIM)
    third = width // 3
    canvas.text(
        x,
        y,
        "".join("┼" if cell in (third, 2 * third) else "─" for cell in range(width)),
        styles.DIM,
    )
    word = gauge_word(lane)
    place = position(found.early_gain, word)
    if place is not None:
        canvas.text(
            x + min(width - 1, int(place * width)),
            y,
            "●",
            styles.ALERT if word == "hot" else styles.BOLD,
        )
    x += width
    x += canvas.text(x, y, " hot  ", styles.DIM)
    canvas.text(x, y, _words(lane, verdict, canvas.width - x), styles.TEXT)


def position(gain: float, word: str) -> float | None:
    """Position of a gain on the dial, 0 (cold) to 1 (hot), within the third of the word. None
    without a verdict."""
    if word == "none" or not math.isfinite(gain):
        return None
    zone = {"cold": 0, "ok": 1, "hot": 2}[word]
    low, high = _ZONES[zone]
    return (zone + min(max((low - gain) / (low - high), 0.0), 0.999)) / 3


def cost(lane: LaneState) -> str:
    """Share of the lane's time that measuring has taken."""
    if not lane.clock.own_seconds or not lane.measured.steps:
        return "nothing has been measured yet" if not lane.over else "nothing was measured"
    share = lane.measured.seconds / lane.clock.own_seconds
    return (
        f"measuring: {share:.1%} of the time, {len(lane.measured.steps)} steps of {lane.steps},"
        f" last {lane.measured.steps[-1]}"
    )


def snapshots(lane: LaneState, share: float) -> str:
    """Bytes of a lane's snapshots and their limit; '' before the first snapshot."""
    kept = lane.snapshots
    if kept is None:
        return ""
    last = f", last at step {kept.kept[-1]}" if kept.kept else ""
    return f"snapshots {len(kept.kept)}{last}, {size(kept.total)} of {size(share)}"


def _words(lane: LaneState, verdict: Verdict, width: int) -> str:
    """The gauge's numbers, as many as fit."""
    found = lane.findings
    if verdict.word in ("nan", "diverged"):
        return str(verdict)
    if found.dead:
        return "no gradient: it cannot learn"
    if found.unmeasured and not found.samples:
        return shortened(one_line(f"not measured: {found.unmeasured}"), width)
    if gauge_word(lane) == "none":
        return (
            "warming up: no verdict"
            if warming(lane)
            else "too few steps for a verdict"
            if lane.over
            else "no verdict yet"
        )
    window = f"so far, {found.samples} samples" if found.early else "early on"
    gain, limit = f"gain {found.early_gain:.2f}", f"margin {margin(found.early_gain):.2f} of 2"
    return next(
        (text for text in (f"{gain}  {limit}  {window}", f"{gain}  {limit}") if len(text) <= width),
        gain,
    )


def _row(canvas: Canvas, y: int, cells: Sequence[str], style: int) -> None:
    for index, text in enumerate(cells):
        canvas.text(1 + index * CELL, y, text, style, CELL - 1)
