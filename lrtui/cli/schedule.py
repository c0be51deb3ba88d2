"""`lrtui schedule`: the learning rates of a schedule, or of a scenario's lanes, drawn before
anything is trained."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from lrtui.cli.appearance import paper
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import json_option
from lrtui.client.launcher import Launcher
from lrtui.core.errors import ScenarioError
from lrtui.core.numbers import rate
from lrtui.core.protocol.events import plain
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import catalogue, scenario_file
from lrtui.core.scenario.expression import is_reference
from lrtui.core.scenario.pasted_python import plain_name
from lrtui.core.scenario.spec import Lane, Race
from lrtui.core.text import closest, one_line
from lrtui.terminal.palette import lane_color

EPOCHS, STEPS_PER_EPOCH = 100, 100
"""Length of a schedule that is not part of a scenario."""
MAX_WIDTH, HEIGHT = 120, 18


@click.command()
@click.argument("spec", metavar="SPEC|SCENARIO")
@click.option("--lr", type=float, help="The lane's learning rate.  [default: the optimizer's]")
@click.option(
    "--optimizer", metavar="NAME", help="Whose momentum a schedule may move.  [default: Adam]"
)
@click.option("--epochs", type=click.IntRange(1, 10**9), help=f"The budget.  [default: {EPOCHS}]")
@click.option("--steps", type=click.IntRange(1, 10**12), help="The budget in steps instead.")
@click.option(
    "--steps-per-epoch",
    type=click.IntRange(1, 10**9),
    help=f"Batches of an epoch.  [default: {STEPS_PER_EPOCH}, or the scenario's own]",
)
@json_option
def schedule(spec: str, as_json: bool, steps_per_epoch: int | None, **flags: Any) -> int:
    """Draw the learning rates of a schedule, such as 'CosineAnnealingLR(T_max=50, eta_min=1e-4)',
    or of a SCENARIO."""
    if flags["epochs"] is not None and flags["steps"] is not None:
        raise ScenarioError("--epochs and --steps exclude each other", "expected one budget")
    alone = _is_schedule(spec)
    race = _one_lane(spec, flags) if alone else _of_scenario(spec, flags)
    launcher = Launcher()
    try:
        previews = launcher.preview(
            race, steps_per_epoch or (STEPS_PER_EPOCH if alone else None), run_user_code=True
        )
    finally:
        launcher.close()
    if as_json:
        for lane, preview in zip(race.lanes, previews, strict=True):
            print(json.dumps(_line(lane, preview), allow_nan=False))
    else:
        _draw(race, previews)
    return ExitCode.ALL_FAILED if any(preview.failure for preview in previews) else ExitCode.RACED


def _is_schedule(spec: str) -> bool:
    """True if the word is a schedule, not a scenario: a call, a name of the catalogue, or the
    user's own class."""
    known = {name.lower() for name in (*catalogue.schedules(), *catalogue.ALIASES)}
    return "(" in spec or plain_name(spec).lower() in known or is_reference(spec)


def _one_lane(spec: str, flags: dict[str, Any]) -> Race:
    lane = {key: flags[key] for key in ("lr", "optimizer") if flags[key] is not None}
    budget = (
        {"steps": flags["steps"]}
        if flags["steps"] is not None
        else {"epochs": flags["epochs"] or EPOCHS}
    )
    raw = {
        "task": "straight-line",
        "lane": [{"name": "schedule", "schedule": spec, **lane}],
        **budget,
    }
    return scenario_file.parse(raw, source="flags", folder=Path.cwd(), scenario="flags")


def _of_scenario(name: str, flags: dict[str, Any]) -> Race:
    changes = {key: flags[key] for key in ("epochs", "steps") if flags[key] is not None}
    changes |= {
        f"lanes.{key}": [flags[key]] for key in ("lr", "optimizer") if flags[key] is not None
    }
    try:
        scenario_file.find(name)
    except ScenarioError as error:
        if name.endswith(".toml") or "/" in name:
            raise
        near = closest(
            name, [*catalogue.schedules(), *(path.stem for path in scenario_file.bundled())]
        )
        raise ScenarioError(
            f'no schedule and no scenario "{one_line(name)[:200]}"{near}',
            "expected one such as 'StepLR(step_size=10, gamma=0.1)', or a name from `lrtui"
            " scenarios`",
        ) from error
    race = scenario_file.load(name, changes)
    if race.script:
        raise ScenarioError(
            f"{one_line(name)[:200]}: the schedule of a script is known only to the script",
            "expected the scenario of a task, or a schedule by name",
        )
    return race


def _draw(race: Race, previews: list[Preview]) -> None:
    """Draw the chart, each lane's rates in words, and warnings."""
    from lrtui.report.text import rates_chart

    console = paper()
    drawn = rates_chart(
        previews, min(console.width, MAX_WIDTH), HEIGHT, color=console.color_system is not None
    )
    if drawn:
        console.print(Text.from_ansi(drawn), no_wrap=True, crop=False)
    for index, (lane, preview) in enumerate(zip(race.lanes, previews, strict=True)):
        alone = len(race.lanes) == 1
        heading = (
            str(lane.schedule or "no schedule")
            if alone
            else f"{lane.letter} {lane.name}: {lane.schedule or 'no schedule'}"
        )
        console.print(
            Text(
                one_line(f"{heading} on {lane.optimizer}, {_length(race, lane, preview)}"),
                style=lane_color(index),
            )
        )
        console.print(Text(f"  {one_line(_words(lane, preview))}"))
        for warning in preview.warnings:
            console.print(Text(one_line(f"! {warning}"), style="yellow"))


def _length(race: Race, lane: Lane, preview: Preview) -> str:
    """Length of a schedule, and how often it is stepped."""
    each = f"of {preview.steps_per_epoch} steps" + (" (a guess)" if preview.nominal else "")
    by_epoch = lane.schedule is not None and lane.schedule.interval == "epoch"
    budget = (
        race.budget
        if race.epochs is None and not by_epoch
        else (
            f"{race.budget} {each}"
            if race.epochs is not None
            else f"{race.budget} in epochs {each}"
        )
    )
    return f"{budget}, stepped every {lane.schedule.interval}" if lane.schedule else budget


def _words(lane: Lane, preview: Preview) -> str:
    """First, last, lowest and highest rate with their steps, as text."""
    if not preview.steps:
        return preview.unknown
    lowest, highest = (_extreme(preview, pick) for pick in (min, max))
    until = "" if preview.cut is None else f", known to step {preview.cut} of {preview.total}"
    metric = lane.schedule is not None and lane.schedule.name in catalogue.WANTS_METRIC
    guess = "; drawn as if the validation loss went on improving" if metric else ""
    if len(preview.rates) == 1:
        return f"always {rate(preview.rates[0])}{until}{guess}"
    return (
        f"first {rate(preview.rates[0])}, last {rate(preview.rates[-1])}, lowest {lowest}, highest"
        f" {highest}{until}{guess}"
    )


def _extreme(preview: Preview, pick: Any) -> str:
    value = pick(preview.rates)
    return f"{rate(value)} at step {preview.steps[preview.rates.index(value)]}"


def _line(lane: Lane, preview: Preview) -> dict[str, Any]:
    """A lane's preview for programs: `rates[i]` from step `steps[i]` on."""
    rates = preview.rates or [math.nan]
    return {
        "event": "schedule",
        "lane": lane.letter,
        "name": lane.name,
        "schedule": str(lane.schedule) if lane.schedule else None,
        "interval": lane.schedule.interval if lane.schedule else None,
        "optimizer": str(lane.optimizer),
        "lr": lane.lr,
        "total_steps": preview.total,
        "steps_per_epoch": preview.steps_per_epoch,
        "known_steps": preview.known,
        "first": plain(rates[0]),
        "last": plain(rates[-1]),
        "lowest": plain(min(rates)),
        "highest": plain(max(rates)),
        "steps": preview.steps,
        "rates": preview.rates,
        "unknown": preview.unknown,
        "warnings": preview.warnings,
    }
