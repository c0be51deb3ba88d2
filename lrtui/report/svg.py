"""The losses of a race as one SVG picture, alone in a file or within the page: no script, no
embedded font, light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import step_labels, y_labels
from lrtui.core.charts.marks import ALERT, LOST
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.report.curves import Curve, abandoned, lane_curve, length, loss_limits, marks
from lrtui.terminal.palette import lane_colors

WIDTH, HEIGHT = 960.0, 500.0
LEFT, RIGHT, BOTTOM = 78.0, 16.0, 48.0
ROW = 22.0
"""Height of a row of names."""
LETTER = 7.4
"""Upper bound of a letter's width in units of the picture: the font is the reader's."""
LONGEST = 40
"""Cells of a lane's name in the legend."""
MOST_Y, MOST_X = 9, 10
"""About this many labels stand beside an axis."""
COLUMNS = 900
"""A curve has about a column for each of the picture's units."""
LIGHT, DARK = lane_colors("truecolor", "light"), lane_colors("truecolor", "dark")
"""The colours of eight lanes, on a light and on a dark ground; lane i has the i-th of them, counted
round."""
DASHES = ("", "8 4", "2 3", "10 3 2 3")
"""Line styles, for lanes beyond eight."""
SHADES = {
    "light": {
        "ground": "#ffffff",
        "text": "#1b1f24",
        "dim": "#59636e",
        "grid": "#e6e9ed",
        "alert": "#c5221f",
    },
    "dark": {
        "ground": "#14181d",
        "text": "#e8eaed",
        "dim": "#9aa4af",
        "grid": "#2a3037",
        "alert": "#ff8078",
    },
}


class Scales:
    """Positions of steps and losses in the picture: the x axis has `total` steps, the curves begin
    at height `top`."""

    def __init__(self, total: int, limits: AxisLimits, top: float) -> None:
        self.total, self.limits, self.top, self.bottom = total, limits, top, HEIGHT - BOTTOM

    def x(self, step: float) -> float:
        return LEFT + step / max(self.total - 1, 1) * (WIDTH - LEFT - RIGHT)

    def y(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Of losses; what is beyond the limits lies on them, NaN stays NaN."""
        heights: NDArray[np.floating] = self.bottom - self.limits.shares(values) * (
            self.bottom - self.top
        )
        return heights


def chart_svg(state: RaceState, *, alone: bool = True) -> str:
    """The chart as an SVG document; within a page (not `alone`) the page's own style colours it. It
    may hold no curve at all."""
    lanes = [lane for lane in state.lanes if "loss" in lane.columns]
    limits = loss_limits(state)
    names, rows = legend(((lane.index, lane.lane.called) for lane in state.lanes), LONGEST)
    scales = Scales(
        length(state), limits or AxisLimits.around(math.nan, math.nan, log=True), 46 + rows * ROW
    )
    title = escape(state.title)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img"'
            ' class="still">'
        ),
        f"<title>{title}: training loss by step</title>",
        f"<style>{style()}</style>" if alone else "",
        f'<rect class="ground" width="{WIDTH:g}" height="{HEIGHT:g}"/>' if alone else "",
        f'<text class="head" x="16" y="28">{title}</text>',
        *names,
        *_axes(scales),
    ]
    if limits is None:
        parts.append(
            f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle">no finite loss on'
            " record</text>"
        )
    for lane in lanes if limits else ():
        parts += [
            f'<path {stroke(lane.index)} opacity=".5" d="{path(gone, scales)}"/>'
            for gone in abandoned(lane, COLUMNS)
        ]
        curve = lane_curve(lane, "loss", COLUMNS)
        if curve is not None:
            if (curve.lo < curve.hi).any():  # all that was recorded, faint behind the means
                parts.append(f'<path {stroke(lane.index)} opacity=".3" d="{path(curve, scales)}"/>')
            mean = curve._replace(lo=curve.mean, hi=curve.mean)
            parts.append(f'<path {stroke(lane.index)} d="{path(mean, scales)}"/>')
            parts += _gaps(curve, scales)
            parts += _signs(lane, state, curve, scales)
    return "\n".join(filter(None, parts)) + "\n</svg>\n"


def path(curve: Curve, scales: Scales) -> str:
    """A curve as path data: a stroke up and down in each column, none across what is not finite."""
    lo, hi = scales.y(curve.lo.astype(float)), scales.y(curve.hi.astype(float))
    words: list[str] = []
    at: float | None = None
    for column, (low, high) in enumerate(zip(lo.tolist(), hi.tolist(), strict=True)):
        if math.isnan(low):
            at = None
            continue
        x = scales.x((int(curve.steps[column]) + int(curve.ends[column])) / 2)
        first, last = (
            (low, high) if at is not None and abs(at - low) < abs(at - high) else (high, low)
        )
        words.append(f"{'M' if at is None or curve.cut[column] else 'L'}{x:.1f} {first:.1f}")
        if at is None and first == last:
            words.append("h.1")  # a value between two gaps is a dot
        if first != last:
            words.append(f"V{last:.1f}")
        at = last
    return "".join(words)


def gap_columns(curve: Curve) -> list[int]:
    """Columns with the last finite value before each gap; -1 for a gap at the beginning."""
    begins = np.flatnonzero(curve.gap & ~np.concatenate(([False], curve.gap[:-1])))
    known = np.flatnonzero(np.isfinite(curve.last))
    return [
        int(known[place - 1]) if (place := int(known.searchsorted(column, "right"))) else -1
        for column in begins.tolist()
    ]


def _gaps(curve: Curve, scales: Scales) -> Iterator[str]:
    """A cross where a curve stops being finite."""
    for column in gap_columns(curve):
        if column >= 0:
            y = float(scales.y(curve.mean[column : column + 1].astype(float))[0])
            x = scales.x(int(curve.ends[column]))
            yield (
                f'<text class="alert" x="{x:.1f}" y="{y + 5:.1f}"'
                f' text-anchor="middle">{LOST}</text>'
            )


def _signs(lane: LaneState, state: RaceState, curve: Curve, scales: Scales) -> Iterator[str]:
    """A lane's marks on its curve; pointing at one shows its meaning."""
    standing: dict[int, int] = {}
    for mark in marks(lane, state.lanes):
        column = min(int(curve.steps.searchsorted(mark.step, "right")) - 1, len(curve.steps) - 1)
        if column >= 0 and math.isfinite(curve.last[column]):
            y = float(scales.y(curve.mean[column : column + 1].astype(float))[0])
            # marks of one step stand on each other
            standing[mark.step] = standing.get(mark.step, 0) + 1
            kind = (
                'class="alert"'
                if mark.sign == ALERT
                else f'class="l{lane.index % 8}" fill="currentColor"'
            )
            y += 9 - 13 * standing[mark.step]
            yield (
                f'<text {kind} x="{scales.x(mark.step):.1f}" y="{y:.1f}"'
                f' text-anchor="middle">{mark.sign}<title>{escape(mark.sentence)}</title></text>'
            )
    # a limit may be more than float32 can hold
    beyond = curve.hi.astype(float) > scales.limits.high
    if beyond.any():
        x = scales.x(int(curve.steps[int(beyond.argmax())]))
        yield (
            f'<text class="l{lane.index % 8}" fill="currentColor" x="{x:.1f}"'
            f' y="{scales.top - 2:.1f}" text-anchor="middle">↑</text>'
        )


def _axes(scales: Scales) -> Iterator[str]:
    limits = scales.limits
    for value, label in y_labels(limits, MOST_Y):
        y = float(scales.y(np.array([value]))[0])
        yield f'<path class="grid" d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}"/>'
        yield f'<text x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    for step, label in step_labels(scales.total, MOST_X):
        yield (
            f'<path class="grid" d="M{scales.x(step):.1f} {scales.bottom:g}v5"/><text'
            f' x="{scales.x(step):.1f}" y="{scales.bottom + 19:.1f}"'
            f' text-anchor="middle">{label}</text>'
        )
    yield (
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 10:g}"'
        ' text-anchor="middle">step</text>'
    )
    scale = "training loss, logarithmic" if limits.log else "training loss"
    yield (
        f'<text transform="translate(22 {(scales.top + scales.bottom) / 2:g}) rotate(-90)"'
        f' text-anchor="middle">{scale}</text>'
    )


def legend(names: Iterable[tuple[int, str]], most: int) -> tuple[list[str], int]:
    """Names beside their lines, in rows that are full at most, and how many rows it takes. `names`:
    (number of the line's colour and dashes, name), cut to `most` cells."""
    parts, x, row = [], 16.0, 0
    for index, name in names:
        name = name if cell_len(name) <= most else name[: most - 1] + "…"
        wide = 34 + LETTER * cell_len(name) + 18
        if x + wide > WIDTH and x > 16:
            x, row = 16.0, row + 1
        y = 52 + row * ROW
        parts.append(
            f'<path {stroke(index)} d="M{x:g} {y - 4:g}h26"/>'
            f'<text class="name" x="{x + 33:g}" y="{y:g}">{escape(name)}</text>'
        )
        x += wide
    return parts, row + 1


def stroke(index: int) -> str:
    """The attributes of a line: its colour and dashes by its number."""
    dash = dash_of(index)
    return f'class="curve l{index % len(LIGHT)}" stroke="currentColor"' + (
        f' stroke-dasharray="{dash}"' if dash else ""
    )


def dash_of(index: int) -> str:
    """The line style of lane `index`, as SVG writes it."""
    return DASHES[index // len(LIGHT) % len(DASHES)]


def rules(shades: dict[str, str], lanes: tuple[str, ...]) -> str:
    """The colours of the chart as CSS."""
    return "".join(
        [
            f".ground{{fill:{shades['ground']}}}text{{fill:{shades['dim']}}}.head,.name{{fill:{shades['text']}}}",
            f".grid{{stroke:{shades['grid']}}}.alert{{fill:{shades['alert']}}}",
            *(f".l{index}{{color:{color}}}" for index, color in enumerate(lanes)),
        ]
    )


def style() -> str:
    """The style of a picture that stands alone, light and dark."""
    fixed = (
        'text{font:13px system-ui,-apple-system,"Segoe'
        ' UI",sans-serif}.head{font-size:17px;font-weight:600}'
        "text[fill]{fill:currentColor}.curve{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}"
        ".alert{font-weight:700}"
    )
    dark = rules(SHADES["dark"], DARK)
    return (
        f"{rules(SHADES['light'], LIGHT)}{fixed}@media"
        f" (prefers-color-scheme:dark){{{dark}text[fill]{{fill:currentColor}}}}"
    )
