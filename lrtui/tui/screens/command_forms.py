"""Forms whose results are commands. Knows no screen."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from lrtui.client.commands import next_rate
from lrtui.core.diagnostics import param_groups
from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import loss, rate
from lrtui.core.protocol.commands import (
    Add,
    AnyCommand,
    Fork,
    Lengthen,
    Pause,
    Rewind,
    SetRate,
    unfit,
)
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import race_standings
from lrtui.core.scenario.lane_syntax import as_new_lane, forked_name, format_lane, parse_lane
from lrtui.core.scenario.spec import Lane, Race, letter, unique_name, with_seeds
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.tui.keymap import Keymap
from lrtui.tui.screens.forms import Form
from lrtui.tui.view import RaceView

PAUSES = (False, True)
_MORE = re.compile(r"\s*([0-9]{1,12})\s*(steps?|epochs?)?\s*")
WORDS = (
    "as in a scenario: optimizer, lr, its options, schedule, recipe. What is deleted is as torch"
    " has it."
)


def new_rate(lanes: Sequence[LaneState], seeds: SeedGroup | None, view: RaceView) -> Form:
    """Ask for the rate of some lanes, that of the view's param group; a command holds that of the
    first, and the others keep their ratios to it. `seeds`: the group of all these lanes."""

    def read(given: dict[str, str]) -> list[AnyCommand]:
        value = _number(given["rate"], "rate")
        return [
            _fit(SetRate(lane=lane.index, rate=value / _to_first(lane, view))) for lane in lanes
        ]

    who = lanes[0].lane.called if len(lanes) == 1 else f"{len(lanes)} lanes"
    if seeds and len(lanes) > 1:
        who = _whose(seeds)
    group = param_groups.group_name(lanes[0], view.group_of(lanes[0]))
    now = next_rate(lanes[0]) * _to_first(lanes[0], view)
    others = " The other param groups keep their ratios to it." if group else ""
    return Form(
        f"{who}: the learning rate of {f'{group} at ' if group else ''}the next step",
        {"rate": ("", rate(now, 6) if math.isfinite(now) else "")},
        read,
        explain=(
            "The schedule goes on from there, in proportion;"
            f" {view.keymap.read('lane.schedule')} goes back to it.{others}"
        ),
    )


def _whose(group: SeedGroup) -> str:
    """A lane, or a group with the number of its seeds."""
    seeds = f", {len(group.lanes)} seeds" if len(group.lanes) > 1 else ""
    return f"{group.called}{seeds}"


def _each(group: SeedGroup, child: Lane) -> list[Lane]:
    """A new lane for each seed of a group: they are of one name, and so a group as well."""
    if len(group.lanes) == 1:
        return [msgspec.structs.replace(child, seed=group.first.lane.seed)]
    return [
        msgspec.structs.replace(child, letter=f"{child.letter}{seed + 1}", seed=seed)
        for lane in group.lanes
        for seed in (lane.lane.seed,)
    ]


def _to_first(lane: LaneState, view: RaceView) -> float:
    """The ratio of the next rate of the view's param group to that of the first; 1 if unknown."""
    ratio = lane.rates.next_by(view.group_of(lane)) / (lane.rates.next or math.nan)
    return ratio if math.isfinite(ratio) and ratio > 0 else 1.0


def fork(state: RaceState, group: SeedGroup) -> Form:
    """Ask for name and rate of a copy of a lane, or of each seed, in its current state."""
    lane = group.first
    shown = rate(next_rate(lane), 6)

    def read(given: dict[str, str]) -> list[AnyCommand]:
        child = as_new_lane(state.race, lane.lane, one_line(given["name"]) or usual, "name")
        child = msgspec.structs.replace(child, expect="")
        value = None if given["rate"].strip() in ("", shown) else _number(given["rate"], "rate")
        return [
            _fit(Fork(lane=parent.index, child=own, rate=value))
            for parent, own in zip(group.lanes, _each(group, child), strict=True)
        ]

    usual = forked_name(state.race, lane.lane)
    return Form(
        f"Fork {_whose(group)}: same weights, optimizer and position",
        {"name": ("name", usual), "rate": ("rate of the next step", shown)},
        read,
        explain="With the rate unchanged it goes on exactly as its parent does.",
    )


def rewind(group: SeedGroup) -> Form:
    """Ask for one of a lane's snapshots, of seeds one that each has, and for the factor of the rate
    from there on."""
    lane = group.first
    kept = set(_kept(lane)).intersection(*map(_kept, group.lanes))
    targets: list[int | None] = [None, *sorted(kept, reverse=True), 0]
    lines = [
        "the last good one: before the loss rose",
        *(_snapshot_line(lane, step) for step in targets[1:-1] if step),
        "step 0: the initial weights",
    ]

    def read(given: dict[str, str]) -> list[AnyCommand]:
        by, to = _number(given["by"] or "1", "factor"), targets[int(given["choice"])]
        return [_fit(Rewind(lane=each.index, to=to, by=by)) for each in group.lanes]

    hot = any(
        each.status == "nan" or any(alert.kind in ("nan", "diverged") for alert in each.alerts)
        for each in group.lanes
    )
    return Form(
        f"Rewind {_whose(group)} to a snapshot",
        {"by": ("rate times", "0.5" if hot else "1")},
        read,
        choices=lines,
    )


def _kept(lane: LaneState) -> list[int]:
    """The steps of a lane's snapshots."""
    return [step for step in (lane.snapshots.kept if lane.snapshots else ()) if step > 0]


def edit(state: RaceState, group: SeedGroup, keymap: Keymap) -> Form:
    """Edit a lane in lane syntax; the result becomes a fork, of seeds one of each."""
    lane = group.first
    before = format_lane(lane.lane)

    def read(given: dict[str, str]) -> list[AnyCommand]:
        child = parse_lane(lane.lane, given["lane"])
        if format_lane(child) == before:
            raise LrtuiError(
                "nothing is changed", f"{keymap.read('lane.fork')} forks the lane as it is"
            )
        children = _each(group, as_new_lane(state.race, child))
        return [
            Fork(lane=parent.index, child=own)
            for parent, own in zip(group.lanes, children, strict=True)
        ]

    return Form(
        f"Edit {_whose(group)}: settings of a fork of it",
        {"lane": ("", before)},
        read,
        explain=WORDS,
        edited=True,
    )


def add(state: RaceState, group: SeedGroup) -> Form:
    """Ask for a lane that begins at step 0, one of each seed of the selected group; the initial
    text is that of the selected lane."""
    lane = group.first

    def read(given: dict[str, str]) -> list[AnyCommand]:
        found = parse_lane(msgspec.structs.replace(lane.lane, letter=""), given["lane"])
        children = _each(group, as_new_lane(state.race, found))
        return [Add(lane=-1, child=child) for child in children]

    seeds = len(group.lanes)
    return Form(
        "A new lane, from the initial weights that all lanes share"
        if seeds == 1
        else f"A new lane with {seeds} seeds, each from the initial weights of its seed",
        {"lane": ("", format_lane(lane.lane))},
        read,
        explain=WORDS,
        edited=True,
    )


def cull(state: RaceState, keymap: Keymap) -> Form:
    """Ask for the number of lanes, or of groups of seeds, that continue; the others are paused."""
    rows = race_standings(state).rows
    living = [row.group for row in rows if any(_goes_on(lane) for lane in row.group.lanes)]

    def read(given: dict[str, str]) -> list[AnyCommand]:
        text = given["keep"].strip()
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= len(living)):
            raise LrtuiError(
                f'"{one_line(text)[:20]}": invalid value',
                f"expected a whole number from 1 to {len(living)}",
            )
        culled = [lane for group in living[int(text) :] for lane in group.lanes]
        return [Pause(lane=lane.index) for lane in culled if _goes_on(lane)]

    best = " ".join(group.letter for group in living[:12]) + (" …" if len(living) > 12 else "")
    with_seeds = " with their seeds" if any(len(group.lanes) > 1 for group in living) else ""
    return Form(
        f"Pause all but the best lanes: how many go on{with_seeds}?",
        {"keep": ("", str(math.ceil(len(living) / 3)))},
        read,
        explain=f"Best first: {best}. {keymap.read('lane.pause')} resumes a lane.",
    )


def lengthen(state: RaceState, lanes: Sequence[LaneState], group: SeedGroup | None) -> Form:
    """Ask for how much longer some lanes train, and what becomes of their schedules."""
    unit = "epochs" if state.race.epochs is not None else "steps"
    longest = state.race.of_lane(lanes[0].index)
    usual = longest.epochs or longest.steps or 1
    scheduled = [lane for lane in lanes if lane.lane.schedule is not None]
    ways = [
        (pause, again) for again in ((False, True) if scheduled else (False,)) for pause in PAUSES
    ]

    def read(given: dict[str, str]) -> list[AnyCommand]:
        found = _MORE.fullmatch(given["more"])
        if not found or not int(found[1]):
            raise LrtuiError(
                f'"{one_line(given["more"])[:30]}": invalid value',
                "expected a number of steps or epochs, such as 400 steps or 10 epochs",
            )
        count, by_epochs = int(found[1]), (found[2] or unit).startswith("epoch")
        pause, again = ways[int(given["choice"])]
        steps, epochs = (0, count) if by_epochs else (count, 0)
        return [
            _fit(Lengthen(lane.index, steps, epochs, reschedule=again, pause=pause))
            for lane in lanes
        ]

    who = lanes[0].lane.called if len(lanes) == 1 else f"{len(lanes)} lanes"
    if group is not None:
        who = _whose(group)
    return Form(
        f"Train {who} on, from the last state: how much longer?",
        {"more": ("", f"{usual} {unit}")},
        read,
        choices=[
            (
                "its schedule is made for the new length"
                if again
                else "its schedule goes on as its formula says"
                if scheduled
                else "train on"
            )
            + (", then pause" if pause else "")
            for pause, again in ways
        ],
        explain=(
            "Of a lane that trains, its budget grows; one that has ended goes on with so many from"
            " where it is."
        ),
    )


def _goes_on(lane: LaneState) -> bool:
    return not lane.over and lane.status != "paused"


def lanes(race: Race) -> Form:
    """Edit the lanes of a race that has not started, one per line whatever the number of seeds;
    returns the edited race."""

    def read(given: dict[str, str]) -> Race:
        made: list[Lane] = []
        for (field, text), before in zip(given.items(), (*once, once[-1]), strict=True):
            if text.strip():
                found = parse_lane(msgspec.structs.replace(before, letter=letter(len(made))), text)
                kept = field != "new" and format_lane(found) == format_lane(before)
                name = unique_name(
                    before.name if kept else found.name, [lane.name for lane in made]
                )
                made.append(
                    msgspec.structs.replace(found, name=name, expect=before.expect if kept else "")
                )
        if not made:
            raise LrtuiError("no lane is left", "a race needs one at least")
        return msgspec.structs.replace(race, lanes=with_seeds(made, race.seeds))

    once = race.lanes[:: race.seeds]
    fields = {f"lane{index}": (lane.called, format_lane(lane)) for index, lane in enumerate(once)}
    return Form(
        "The lanes of this race",
        {**fields, "new": ("one more", "")},
        read,
        explain=f"{WORDS} An empty line leaves its lane out. The scenario's file stays as it is.",
        edited=True,
    )


def _snapshot_line(lane: LaneState, step: int) -> str:
    """A snapshot as a list item: its step, and the loss of the step before."""
    losses = lane.columns.get("loss")
    known = (
        f", loss {loss(losses.at(step - 1))}"
        if losses is not None and 0 < step <= len(losses)
        else ""
    )
    return f"step {step}{known}"


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise LrtuiError(
            f'{what}: "{one_line(text)[:30]}" is not a number', "such as 0.001 or 1e-3"
        ) from error


def _fit(command: AnyCommand) -> AnyCommand:
    """The command; LrtuiError if one of its numbers is out of range."""
    if why := unfit(command):
        raise LrtuiError(why)
    return command
