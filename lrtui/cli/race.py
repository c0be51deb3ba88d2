"""`lrtui race`, `lrtui watch` and `lrtui resume`, and how flags become a race."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from lrtui.cli.appearance import look_options
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.frontends import announce_user_code, has_screen, launch, open_screen, print_frame
from lrtui.cli.options import (
    hook_options,
    json_option,
    plain_option,
    recipe_options,
    runs_folder,
    runs_option,
)
from lrtui.cli.output import complain
from lrtui.cli.plain_frontend import print_run
from lrtui.cli.race_flags import ScriptFlags, read_race
from lrtui.cli.script_flags import WordsAfterDashes, script_options
from lrtui.cli.signals import Signals
from lrtui.cli.status import print_look
from lrtui.client.launcher import Launcher, resumable
from lrtui.core.errors import RunError, ScenarioError
from lrtui.core.protocol.launch_protocol import TRAINERS, HookCommands
from lrtui.core.scenario.spec import MAX_LANES, MAX_SEEDS, RankAt
from lrtui.core.state.label import Label, name_of, note_of
from lrtui.store import run_dir
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.reader import summary


@click.command(cls=WordsAfterDashes)
@click.argument("name", metavar="[SCENARIO|SCRIPT]", required=False)
@click.argument("arguments", metavar="[-- ARGS|COMMAND]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--task", metavar="REF", help="What to train: bundled name, file.py:Name or module:Name."
)
@click.option(
    "--lr", "rates", multiple=True, type=float, help="A learning rate; each one makes lanes."
)
@click.option(
    "--optimizer",
    "optimizers",
    multiple=True,
    metavar="NAME",
    help="An optimizer; each one makes lanes.",
)
@click.option(
    "--schedule", metavar="SPEC", help="For every lane: a name, 'StepLR(step_size=10)', or none."
)
@click.option("--epochs", type=click.IntRange(1), help="The budget in epochs.")
@click.option("--steps", type=click.IntRange(1), help="The budget in steps instead.")
@click.option("--batch-size", type=click.IntRange(1), help="Samples per batch.")
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of weights, batch order and all random generators."
)
@click.option(
    "--seeds", type=click.IntRange(1, MAX_SEEDS), help="Lanes of each kind, with a seed each."
)
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")
@recipe_options
@click.option(
    "--rank-by", metavar="METRIC", help="What lanes are ranked by: val_loss, loss or a metric."
)
@click.option(
    "--best",
    type=click.Choice(("min", "max")),
    help="Which value of it is the best (default: by its name).",
)
@click.option(
    "--rank-at",
    type=click.Choice(get_args(RankAt)),
    help="The newest value, the best so far, or that at equal budget.",
)
@click.option(
    "--on-nan",
    metavar="POLICY",
    help="What becomes of a lane that goes NaN: stop or rewind; of a script's: warn or stop.",
)
@click.option(
    "--on-divergence",
    metavar="POLICY",
    help="What becomes of a lane that diverges: warn, pause, stop or rewind.",
)
@hook_options
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any key of the scenario, as in TOML: --set defaults.momentum=0.9",
)
@click.option(
    "--trainers",
    type=click.IntRange(1, 256),
    default=TRAINERS,
    show_default=True,
    help="Processes; more lanes take turns.",
)
@click.option("--name", "called", default="", help="A name by which commands find the run.")
@click.option("--note", default="", metavar="TEXT", help="A line about the run, for lists.")
@script_options
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=V1,V2",
    help="Values that stand for {NAME} in a script's arguments; each one makes lanes.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, MAX_LANES),
    metavar="N",
    help="Most scripts that run at a time (default: one a GPU, or as many as the cores allow).",
)
@runs_option
@look_options
@plain_option
@json_option
def race(
    name: str | None,
    trainers: int,
    on_event: str,
    on_alert: str,
    called: str,
    note: str,
    runs: str | None,
    plain: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Race a SCENARIO (a name or a .toml file), a task of your own with --task, or a SCRIPT as it
    is: `train.py`, `-m package.module`, or any program after `--`."""
    script = ScriptFlags(**{key: flags.pop(key) for key in ScriptFlags._fields})
    asked = read_race(name, flags, script)
    plain = plain or as_json or not has_screen(say=True)
    if plain and asked.on_divergence == "pause":
        raise ScenarioError(
            'on_divergence = "pause" needs a screen: a paused lane could not be resumed',
            'expected "warn" or "stop" with --plain and --json',
        )
    hooks = HookCommands(on_event, on_alert)
    folder, label = runs_folder(runs), Label(name_of(called), note_of(note))
    run_dir.check_name(label.name, folder)
    announce_user_code(asked)
    with Signals() as signals:
        launcher = Launcher(asked)
        run = launch(
            signals,
            launcher,
            lambda: launcher.start(asked, folder, trainers, hooks),
            torch=asked.script is None,
        )
        if run is None:
            return ExitCode.INTERRUPTED
        _label(run, label)
        if plain:
            return print_run(run, as_json, signals)
        return open_screen(run.parent, run, signals=signals)


def _label(run: Path, label: Label) -> None:
    """Give a run that was started its name and note; it races on if that fails."""
    try:
        run_dir.relabel(run, label.name, label.note)
    except RunError as error:
        complain(error.message)


@click.command()
@click.argument("run", required=False)
@click.option(
    "--once", is_flag=True, help="Print one frame of the screen, or with --plain or --json a state."
)
@runs_option
@look_options
@plain_option
@json_option
def watch(run: str | None, once: bool, runs: str | None, plain: bool, as_json: bool) -> int:
    """Watch a RUN, live or finished: a path, a name or the beginning of one; the newest by
    default."""
    path = run_dir.find(run, runs_folder(runs))
    if once:
        return print_look(path, as_json) if plain or as_json else print_frame(path)
    return (
        print_run(path, as_json)
        if plain or as_json or not has_screen(say=True)
        else open_screen(path.parent, path)
    )


@click.command()
@click.argument("run", required=False)
@click.option(
    "--trainers",
    type=click.IntRange(1, 256),
    default=TRAINERS,
    show_default=True,
    help="Processes; more lanes take turns.",
)
@hook_options
@runs_option
@look_options
@plain_option
@json_option
def resume(
    run: str | None,
    trainers: int,
    on_event: str,
    on_alert: str,
    runs: str | None,
    plain: bool,
    as_json: bool,
) -> int:
    """Go on with a RUN that was interrupted, or whose supervisor died, from its last snapshots; by
    default the newest one."""
    folder = runs_folder(runs)
    path = run_dir.find(run, folder) if run else _newest_resumable(folder)
    race = resumable(path)
    if not any(lane.unfinished for lane in lane_summaries(path)):
        raise RunError(
            f"every lane of {path.name} has ended",
            f"to go back with one: `lrtui send {path.name} A rewind`",
        )
    plain, hooks = plain or as_json or not has_screen(say=True), HookCommands(on_event, on_alert)
    announce_user_code(race)
    with Signals() as signals:
        launcher = Launcher()
        if launch(signals, launcher, lambda: launcher.resume(path, trainers, hooks)) is None:
            return ExitCode.INTERRUPTED
        if plain:
            return print_run(path, as_json, signals, resumed=True)
        return open_screen(path.parent, path, signals=signals, resumed=True)


def _newest_resumable(folder: Path) -> Path:
    """The newest run with lanes that did not end by themselves, and without a supervisor."""
    known = run_dir.listing(folder)
    found = next((run for run in known if summary(run).resumable), None)
    if found is None:
        raise RunError(
            f"nothing to resume among the {len(known)} runs in {folder}", "see `lrtui runs`"
        )
    return found
