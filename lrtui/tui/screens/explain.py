"""The card of a lane, or of a group of seeds: its learning rate explained with its own numbers, its
seeds' values side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key as KeyPress
from textual.screen import ModalScreen
from textual.widgets import Static

from lrtui.core.diagnostics import param_groups, rate_report
from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.results.fairness import fairness
from lrtui.core.results.generalization import overfit_words
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.race_words import command_line, config_words
from lrtui.core.results.ranking import value_at
from lrtui.core.results.recipe_words import recipe_words
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import Ranked, spread_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.tui.render.standings import value_headings
from lrtui.tui.render.status import status_words
from lrtui.tui.screens.dialogs import close_unless_scrolled, read_only
from lrtui.tui.view import RaceView

LOGGED = Text("the newest of the numbers that the script logged under this name")


class Explain(ModalScreen[None]):
    """Explains the selected lane's learning rate, one line per number, or shows the seeds of the
    selected group; updated while it is open."""

    PERIOD_S = 0.5

    def __init__(self, state: RaceState, view: RaceView) -> None:
        super().__init__()
        self._state, self._view = state, view
        self._group = view.groups[view.selected]
        self._versions: list[int] = []

    def compose(self) -> ComposeResult:
        with read_only():
            yield Static(id="explained")

    def on_mount(self) -> None:
        self._tell()
        self.set_interval(self.PERIOD_S, self._tell)

    def _tell(self) -> None:
        versions = [lane.version for lane in self._group.lanes]
        if versions == self._versions:
            return
        self._versions = versions
        lane, state, view = self._group.first, self._state, self._view
        ranked = view.ranked or view.rank(state)
        single = len(self._group.lanes) == 1
        about = [
            *([lane_sentence(lane, state)] if single else _about(self._group, ranked, state)),
            *_remark(self._group, ranked, state, view),
        ]
        more = [
            recipe_words(lane, state.race),
            command_line(state.race, lane.lane),
            config_words(state.race),
            fairness(state).sentence,
            *rate_report.caveats(rate_report.own_optimizer(lane), lane.lane.schedule),
            *(race_sentences(state) if state.over else []),
        ]
        table = _rates(lane, view) if single else _seeds(self._group, ranked, state)
        first, rest = (Text("\n".join(filter(None, lines))) for lines in (about, more))
        parts = (first, rest, Text(), table) if single else (first, Text(), table, Text(), rest)
        self.query_one("#explained", Static).update(Group(*parts))

    def on_key(self, event: KeyPress) -> None:
        close_unless_scrolled(self, event)


def _rates(lane: LaneState, view: RaceView) -> Table:
    """The numbers of a lane's rates."""
    table = Table(box=None, show_header=False, pad_edge=False)
    group = view.group_of(lane)
    if called := param_groups.group_name(lane, group):
        place = f"{group + 1} of {len(param_groups.groups(lane))} param groups"
        table.add_row(Text("of", style="dim"), Text(called, style="bold"), Text(place))
    for name, value, words in rate_report.explained(lane, group):
        table.add_row(Text(name, style="bold"), Text(value, style="bold"), Text(words))
    for name, number in lane.metrics.items() if lane.is_script else ():
        table.add_row(Text(one_line(name), style="bold"), Text(loss(number), style="bold"), LOGGED)
    return table


def _about(group: SeedGroup, ranked: Ranked, state: RaceState) -> Iterator[str]:
    """The mean and the range of what a group's seeds are ranked by."""
    found = ranked.ranking
    spread = spread_of([value_at(lane, state.lanes, found, ranked.step) for lane in group.lanes])
    words = f"{group.called}, {len(group.lanes)} seeds"
    if not spread.known:
        yield f"{words}: no value yet."
        return
    name = value_headings(ranked)[0][1:]
    some = f" of the {spread.known} with a value" if spread.known < len(group.lanes) else ""
    beyond = f" ±{loss(spread.deviation)}" if math.isfinite(spread.deviation) else ""
    yield (
        f"{words}: {name} {loss(spread.mean)}{beyond} on average{some},"
        f" {loss(spread.low)} to {loss(spread.high)}."
    )


def _remark(group: SeedGroup, ranked: Ranked, state: RaceState, view: RaceView) -> Iterator[str]:
    """What in its validation contradicts the training loss."""
    if words := overfit_words(group, state.lanes, ranked.ranking):
        if len(group.lanes) > 1:  # else it is in the lane's sentence
            yield f"{group.called} {words}."
    else:
        yield from (
            f"{group.called} {each}." for each in view.remarks.get(group.first.index, ())[:1]
        )


def _seeds(group: SeedGroup, ranked: Ranked, state: RaceState) -> Table:
    """The seeds of a group: what each is ranked by, its training loss, its rate, its state."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("seed", value_headings(ranked)[0][1:], "loss", "rate", "status"):
        table.add_column(Text(heading))
    for lane in group.lanes:
        value = value_at(lane, state.lanes, ranked.ranking, ranked.step)
        numbers = (value, lane.losses.last)
        table.add_row(
            Text(f"{lane.lane.letter}  {state.race.seed + lane.lane.seed}", style="bold"),
            *(Text(loss(one) if math.isfinite(one) else UNKNOWN, style="bold") for one in numbers),
            Text(rate_report.known(rate_report.shown_rate(lane, 0))),
            Text(status_words(lane, verdict(lane, state))),
        )
    return table
