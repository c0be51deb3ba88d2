"""The view of a race: the user's choices, and the axes that all panes share. Plain data, fitted by
`axis_fit`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lrtui.core.charts.axes import XAxis, XKind
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.diagnostics.param_groups import group_called
from lrtui.core.protocol.events import Sampled
from lrtui.core.results.generalization import remarks
from lrtui.core.results.lane_filter import EVERY, Filter
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import Ranked, ranked
from lrtui.core.results.time_to_target import TimeToTarget
from lrtui.core.scenario.catalogue import WANTS_METRIC
from lrtui.core.scenario.spec import Race, RankAt
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.tui.keymap import Keymap
from lrtui.tui.machine import LaneLoad

PanelName = Literal[
    "panes", "enlarged", "overlay", "rates", "filmstrip", "differences", "log", "console"
]
"""Content of the middle of the screen: all panes, the selected one alone, or a panel about all
lanes."""
CHART_PANELS: tuple[PanelName, ...] = ("panes", "enlarged", "overlay")
"""Panels with curves. All others return to the last one of these."""
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
"""The fields of a view that control the curves."""
X_WORDS: dict[XKind, str] = {
    "step": "steps",
    "epoch": "epochs",
    "samples": "samples",
    "wall": "wall time",
    "time": "training time",
}


@dataclass
class RaceView:
    """The state of the screen, as opposed to the state of the race: the user's choices first, then
    what follows from them and from the race.

    More than 20 fields: it is the one value that actions change and all drawing reads.
    """

    keymap: Keymap = field(default_factory=Keymap)
    """The keys that texts on the screen name."""
    selected: int = 0
    """Index of the lane that key presses address."""
    panel: PanelName = "panes"
    charts: PanelName = "panes"
    """The last one shown of `CHART_PANELS`."""
    quantity: str = "loss"
    """The quantity of the curves: a name of `metric_series.quantities`."""
    y_log: bool = True
    """True requests a logarithmic y axis; it stays linear if a value is <= 0."""
    x_kind: XKind = "step"
    x_log: bool = False
    smoothing: float = 0.0
    """Weight of the debiased EMA, 0 <= weight < 1; 0: none."""
    full_range: bool = False
    """True if the y axis shows every value; otherwise it leaves out outliers, but never the tail
    of a living lane."""
    zooms: list[tuple[float, float]] = field(default_factory=list)
    """Ranges of x in units of `x_kind`: the last one is shown, Backspace returns to the earlier
    ones; empty: the whole axis."""
    follow: bool = False
    """True if a zoomed range moves with the newest step."""
    cursor: float | None = None
    """Position of the crosshair in units of `x_kind`; None: no crosshair."""
    cursor_label: str = ""
    """The mark that the crosshair jumped to: "A: spike at step 1234"; '': none."""
    group: str = ""
    """Name of the param group whose rates are shown, of lanes with such a group; others show their
    first."""
    order: RankAt | None = None
    """Which value of the metric the standings go by; None: what the race says."""
    target: float | None = None
    """Smoothed loss for the standings' steps to target; None: the default target."""
    filter_text: str = ""
    """The last valid filter as typed; `filter` is the parsed form."""
    filter: Filter = EVERY
    pinned: set[int] = field(default_factory=set)
    solo: int | None = None
    """Index of the only lane to show; None: all that match the filter."""
    opened: int | None = None
    """Index of a lane whose group's seeds are shown, each as a lane, and no other lanes; None: all
    groups are folded, and the first lane of one stands for all of it."""
    scroll: int = 0
    """Rows by which filmstrip or differences are scrolled."""
    scroll_end: int | None = None
    """Position of the last visible line of log or console; None: the newest."""
    sample_step: int | None = None
    """Step of the filmstrip; None: the newest."""
    time_base: int = 0
    """Time base of the machine's bars: an index of `machine_history.BASES`."""

    # Derived by `axis_fit.fit` and while drawing

    groups: dict[int, SeedGroup] = field(default_factory=dict)
    """The lanes that each lane stands for, by its index: most often itself; the seeds that match
    the filter if it is the first one of a folded group."""
    hues: tuple[int, ...] = ()
    """By lane index: the number of its colour and line style; the seeds of a folded group have
    one."""
    grouped_for: object = None
    """What `groups` and `hues` were found for."""
    listed: list[int] = field(default_factory=list)
    """Lane indices that match the filter, regardless of `solo`; of a folded group the first one."""
    shown: list[int] = field(default_factory=list)
    """Indices of the visible lanes among these, in display order."""
    forks: dict[int, list[LaneState]] = field(default_factory=dict)
    """Forks by the index of their parent."""
    label: str = "loss"
    """Name of the quantity beside an axis."""
    x: XAxis = field(default_factory=lambda: XAxis("step", False, 0.0, 1.0))
    """The x axis of all charts."""
    limits: AxisLimits = field(
        default_factory=lambda: AxisLimits.around(math.nan, math.nan, log=True)
    )
    """The y axis of the quantity."""
    rate_limits: AxisLimits = field(
        default_factory=lambda: AxisLimits.around(math.nan, math.nan, log=True)
    )
    moving: set[int] = field(default_factory=set)
    """Indices of lanes whose rate changes over the plan: the others need no rate chart."""
    fitted_for: object = None
    """The choices that `limits` were fitted for: after a change they are fitted from scratch,
    otherwise with hysteresis."""
    disk_share: float = math.nan
    """Byte budget for the snapshots of one lane."""
    ranked: Ranked | None = None
    """The last standings."""
    remarks: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """By index of a listed lane: a remark on its validation, the longest form first."""
    last_order: list[int] = field(default_factory=list)
    """Lane indices in the order of the last standings, for hysteresis."""
    time_to_target: TimeToTarget = field(default_factory=TimeToTarget)
    pictures: dict[int, Sampled | None] = field(default_factory=dict)
    """By lane index: the last sample before the crosshair. Empty without a crosshair: panes then
    show the newest."""
    no_steps: dict[int, list[str]] = field(default_factory=dict)
    """By index of each script lane without a step: its state, then the last lines it has
    printed."""
    loads: dict[int, LaneLoad] = field(default_factory=dict)
    """Memory and time by lane index; empty while no lane trains."""

    def show(self, panel: PanelName) -> None:
        """Show a panel; if it is shown already, return to the panes, or to the last chart panel."""
        if self.panel in CHART_PANELS:
            self.charts = self.panel
        self.panel = (
            panel if self.panel != panel else "panes" if panel in CHART_PANELS else self.charts
        )
        self.scroll, self.scroll_end = 0, None

    def group_of(self, lane: LaneState) -> int:
        """The index of the param group whose rates are shown of a lane."""
        return group_called(lane, self.group)

    def step_at_cursor(self, lane: LaneState, race: Race) -> int | None:
        """The steps that a lane had done at the crosshair; None without a crosshair."""
        return None if self.cursor is None else self.x.step(lane, race, self.cursor)

    def hue(self, index: int) -> int:
        """The number of a lane's colour and line style."""
        return self.hues[index] if index < len(self.hues) else index

    def lanes(self, indices: Iterable[int]) -> list[LaneState]:
        """The lanes of some indices, with all seeds of folded groups."""
        return [lane for index in indices for lane in self.groups[index].lanes]

    def of_own_rates(self, group: SeedGroup) -> Sequence[LaneState]:
        """The lanes of a group whose rates may differ: the dial of one was turned, or the schedule
        goes by its losses. Else the one that has come furthest."""
        schedule = group.first.lane.schedule
        by_losses = schedule is not None and (schedule.own or schedule.name in WANTS_METRIC)
        if by_losses or any(lane.rates.changes for lane in group.lanes):
            return group.lanes
        return [max(group.lanes, key=lambda lane: lane.steps)]

    @property
    def folded(self) -> bool:
        """True if a visible row has several seeds."""
        return any(len(self.groups[index].lanes) > 1 for index in self.shown)

    def rank(self, state: RaceState) -> Ranked:
        """The standings of what is visible; neighbours swap only if one is clearly better."""
        found = ranked(
            [self.groups[index] for index in self.shown],
            state.race,
            state.lanes,
            self.order,
            self.last_order,
        )
        self.last_order = [row.first.index for row in found.rows]
        self.ranked, self.remarks = found, remarks(found, state.lanes)
        return found

    def reach(self, state: RaceState) -> tuple[float, dict[int, int]]:
        """The target loss of the standings, NaN if none yet, and by lane index the steps to it."""
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
        """The label of the y axis; each of its words may take a line."""
        return f"{self.label} {'log' if self.limits.log else 'lin'}"

    @property
    def words_shown(self) -> str:
        """The content of the charts: "loss · EMA 0.9 · log · epochs"."""
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
    def chart_heading(self) -> str:
        """`words_shown` after the mark that the crosshair jumped to."""
        return " · ".join(part for part in (self.cursor_label, self.words_shown) if part)

    @property
    def usual(self) -> bool:
        """True if the charts show their defaults."""
        return (
            self.quantity,
            self.smoothing,
            self.x_kind,
            self.x_log,
            self.full_range,
            self.zooms,
            self.cursor,
        ) == ("loss", 0.0, "step", False, False, [], None)
