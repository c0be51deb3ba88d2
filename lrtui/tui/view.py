"""What a person has chosen to see of a race, and the axes that all panes share. Pure; knows no
widget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from lrtui.core.charts.axes import XAxis, XKind
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.metric_series import quantities
from lrtui.core.protocol.events import Sampled
from lrtui.core.results.lane_filter import EVERY, Filter, visible
from lrtui.core.results.standings import Order, Ranked, ranked
from lrtui.core.results.time_to_target import TimeToTarget
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.tui import axis_fit, keys
from lrtui.tui.machine import LaneLoad

PanelName = Literal["panes", "enlarged", "overlay", "filmstrip", "differences", "log", "console"]
"""What the room in the middle shows: all lanes' panes, the chosen lane's alone, or one thing about
all of them."""
CHART_PANELS: tuple[PanelName, ...] = ("panes", "enlarged", "overlay")
"""The stages with curves: log, console, samples and differences are looked at and left, and lead
back to one of these."""
CURVES = (
    "quantity",
    "y_log",
    "x_kind",
    "x_log",
    "smoothing",
    "full_range",
    "zooms",
    "follow",
    "cursor",
    "cursor_label",
)
"""The fields of a view that say what the curves show and how."""
X_WORDS: dict[XKind, str] = {
    "step": "steps",
    "epoch": "epochs",
    "samples": "samples",
    "wall": "wall time",
    "time": "training time",
}


@dataclass
class RaceView:
    """The state of the screen that is not the state of the race."""

    selected: int = 0
    """The index of the lane that keys are about."""
    panel: PanelName = "panes"
    charts: PanelName = "panes"
    """The one of `CHART_PANELS` that was shown last, while another stage is shown."""
    quantity: str = "loss"
    """What the curves show: a name of `core.tracks.quantities`."""
    y_log: bool = True
    """Whether the person wants a logarithmic axis for it; it is linear all the same where a value
    is zero or below."""
    x_kind: XKind = "step"
    x_log: bool = False
    smoothing: float = 0.0
    """Weight of the debiased EMA; 0: none."""
    full_range: bool = False
    """Whether the y axis shows every value; else it leaves outliers out, but never the tail of a
    living lane."""
    zooms: list[tuple[float, float]] = field(default_factory=list)
    """Ranges of x in units of `x_kind`: the last one is shown, those before it are what Backspace
    goes back to; empty: all."""
    follow: bool = False
    """Whether a zoomed range moves with the newest step."""
    cursor: float | None = None
    """Where the crosshair stands, in units of `x_kind`; None: there is none."""
    cursor_label: str = ""
    """What the crosshair has jumped to: "A: spike at step 1234"."""
    order: Order = "smoothed"
    """What the standings go by."""
    last_order: list[int] = field(default_factory=list)
    """The lanes as they stood in the standings when those were last looked at."""
    target: float | None = None
    """The smoothed loss that the standings say the steps to; None: the usual one."""
    time_to_target: TimeToTarget = field(default_factory=TimeToTarget)
    filter_text: str = ""
    """The filter as it was typed, and what it means: the last one that could be read."""
    filter: Filter = EVERY
    pinned: set[int] = field(default_factory=set)
    solo: int | None = None
    """The only lane to be shown; None: all that match."""
    listed: list[int] = field(default_factory=list)
    """The lanes that would be shown if there were no solo."""
    shown: list[int] = field(default_factory=list)
    """The lanes that are not hidden, in the order in which they are shown."""
    scroll: int = 0
    """Lines by which what is longer than the screen is scrolled."""
    scroll_end: int | None = None
    """Of log and console, which grow: the place of the last line to be seen; None: the newest,
    whatever it is."""
    sample_step: int | None = None
    """The filmstrip's step; None: the newest, whatever it is."""
    pictures: dict[int, Sampled | None] = field(default_factory=dict)
    """By a lane's index, while there is a crosshair: what had been drawn last by then; without,
    panes show the newest."""
    time_base: int = 0
    """Of the machine's bars: a place in `machinehistory.BASES`."""
    loads: dict[int, LaneLoad] = field(default_factory=dict)
    """By a lane's index: what it costs; empty while nothing trains."""
    x: XAxis = field(default_factory=lambda: XAxis("step", False, 0.0, 1.0))
    """What all charts show of it, of all lanes alike."""
    limits: AxisLimits = field(
        default_factory=lambda: AxisLimits.around(math.nan, math.nan, log=True)
    )
    """The y axis of the quantity."""
    rate_limits: AxisLimits = field(
        default_factory=lambda: AxisLimits.around(math.nan, math.nan, log=True)
    )
    moving: set[int] = field(default_factory=set)
    """The lanes whose rate moves, behind or before them: those of others are no chart."""
    label: str = "loss"
    """What the quantity is called beside an axis."""
    fitted_for: object = None
    """What `limits` were made for: when it is something else they are made anew, else they move
    rarely."""

    forks: dict[int, list[LaneState]] = field(default_factory=dict)
    """By a lane's index: those that were forked from it."""
    disk_share: float = math.nan
    """Bytes that the snapshots of one lane may take up."""

    def show(self, panel: PanelName) -> None:
        """What takes the place of the panes, from its newest on; asked for again, what was there
        before: panes, or a chart."""
        if self.panel in CHART_PANELS:
            self.charts = self.panel
        self.panel = (
            panel if self.panel != panel else "panes" if panel in CHART_PANELS else self.charts
        )
        self.scroll, self.scroll_end = 0, None

    def fit(self, state: RaceState, *, figures: bool = True) -> None:
        """Takes in what all panes share: the axes, which move rarely, who was forked from whom, the
        room on disk.

        `figures` False leaves the y axes as they are while what they show is the same.
        """
        self.forks = {}
        self._hide(state)
        for lane in state.lanes:
            if lane.parent is not None:
                self.forks.setdefault(lane.parent, []).append(lane)
        self.disk_share = state.race.snapshots.megabytes * 1e6 / len(state.lanes)
        self.label = next(
            (one.label for one in quantities(state) if one.name == self.quantity), self.quantity
        )
        self.x = axis_fit.shown(self, state)
        if figures or not axis_fit.is_fitted(self):
            self.limits = axis_fit.fitted(self, state)
            self.rate_limits = axis_fit.fitted_rates(self, state)
            self.moving = {index for index in self.shown if axis_fit.rate_moves(state.lanes[index])}

    def _hide(self, state: RaceState) -> None:
        """Finds which lanes are shown; keys are never about one that is not, as long as there is
        another."""
        self.listed = visible(state, self.filter, self.pinned)
        self.shown = self.listed if self.solo is None else [self.solo]
        if self.shown and self.selected not in self.shown:
            self.selected = min(self.shown, key=lambda index: abs(index - self.selected))

    def rank(self, state: RaceState) -> Ranked:
        """The standings of the lanes that are shown; neighbours keep their places until one is
        clearly better."""
        found = ranked(
            [state.lanes[index] for index in self.shown], state.lanes, self.order, self.last_order
        )
        self.last_order = [row.lane.index for row in found.rows]
        return found

    def reach(self, state: RaceState) -> tuple[float, dict[int, int]]:
        """The target of the standings (NaN: none yet), and by a lane's index after how many steps
        it was reached."""
        self.time_to_target.look(state.lanes)
        target = (
            self.time_to_target.usual_target(state.lanes) if self.target is None else self.target
        )
        steps = (
            (lane.index, self.time_to_target.reached(lane, state.lanes, target))
            for lane in state.lanes
        )
        return target, {index: step for index, step in steps if step is not None}

    @property
    def axis_words(self) -> str:
        """What the y axis shows, in words that may each have a line."""
        return f"{self.label} {'log' if self.limits.log else 'lin'}"

    @property
    def words_shown(self) -> str:
        """What the charts show: "loss · EMA 0.9 · log · epochs"."""
        parts = [self.label]
        if self.smoothing:
            parts.append(f"EMA {self.smoothing:g}")
        parts.append("log" if self.limits.log else "lin")
        parts.append(("log " if self.x_log else "") + X_WORDS[self.x_kind])
        if self.full_range:
            parts.append("full range")
        if self.zooms:
            parts.append("zoomed, follows" if self.follow else "zoomed")
        return " · ".join(parts)

    @property
    def said(self) -> str:
        """The same, and before it what the crosshair has jumped to."""
        return " · ".join(part for part in (self.cursor_label, self.words_shown) if part)

    @property
    def usual(self) -> bool:
        """Whether the charts show what they show when nobody has chosen anything."""
        return (
            self.quantity,
            self.smoothing,
            self.x_kind,
            self.x_log,
            self.full_range,
            self.zooms,
            self.cursor,
        ) == ("loss", 0.0, "step", False, False, [], None)


def seen(state: RaceState, view: RaceView, page: tuple[int, int] = (1, 1)) -> str:
    """Which part of the race is on the screen: "page 2 of 8 (PgDn) · 30 of 64 shown: adam !nan"; ''
    where it is all of it."""
    why = "" if view.solo is None else f": only {state.lanes[view.solo].lane.letter}"
    why = why or (f": {one_line(view.filter_text)}" if view.filter_text else "")
    hidden = (
        [f"{len(view.shown)} of {len(state.lanes)} shown{why}"]
        if len(view.shown) < len(state.lanes)
        else []
    )
    turns = keys.read("view.page_up" if page[0] == page[1] else "view.page_down")
    paged = (
        [f"page {page[0]} of {page[1]} ({turns})"] if page[1] > 1 and view.panel == "panes" else []
    )
    return " · ".join(paged + hidden)
