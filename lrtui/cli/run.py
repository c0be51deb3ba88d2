"""`lrtui run`: one training script, unchanged, watched and steered."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click
import msgspec

from lrtui.cli.appearance import look_options
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.frontends import has_screen, launch, open_screen
from lrtui.cli.options import hook_options, json_option, plain_option, runs_folder, runs_option
from lrtui.cli.plain_frontend import print_run
from lrtui.cli.race_flags import check_rate
from lrtui.cli.script_flags import WordsAfterOptions, script_of, script_options
from lrtui.cli.signals import Signals
from lrtui.client.launcher import Launcher
from lrtui.core.errors import ScenarioError
from lrtui.core.protocol.launch_protocol import TRAINERS, HookCommands
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.placeholders import literally
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.store.run_dir import reference

USAGE = "lrtui run train.py ARGS, lrtui run -m package.module ARGS, or lrtui run -- PROGRAM ARGS"


@click.command(cls=WordsAfterOptions, context_settings={"allow_interspersed_args": False})
@click.argument("words", metavar="SCRIPT|-- COMMAND [ARGS]", nargs=-1, type=click.UNPROCESSED)
@click.option("--lr", type=float, help="The rate of the first param group (default: its own).")
@click.option("--steps", type=click.IntRange(1), help="End the script after this many steps.")
@click.option("--seed", type=click.IntRange(0), help="Seed of all random generators.")
@script_options
@click.option(
    "--on-nan", metavar="POLICY", help="What becomes of the script at a NaN: warn or stop."
)
@click.option("--name", help="Name of the run and its lane (default: the script's).")
@hook_options
@click.option("--detach", is_flag=True, help="Start the script, and leave it running.")
@click.option("--show", is_flag=True, help="Print what would be run and how; run nothing.")
@runs_option
@look_options
@plain_option
@json_option
def run(
    on_event: str,
    on_alert: str,
    runs: str | None,
    plain: bool,
    as_json: bool,
    detach: bool,
    show: bool,
    **flags: Any,
) -> int:
    """Run a training SCRIPT as it is, watch it and turn its learning rate: a Python file,
    -m MODULE, or any program after `--`. Options stand before it; its exit code is handed on."""
    asked = read_run(**flags)
    folder, hooks = runs_folder(runs), HookCommands(on_event, on_alert)
    if show:
        return _show(asked, folder)
    plain = plain or as_json or (not detach and not has_screen(say=True))
    with Signals() as signals:
        launcher = Launcher(asked)
        made = launch(
            signals, launcher, lambda: launcher.start(asked, folder, TRAINERS, hooks), torch=False
        )
        if made is None:
            return ExitCode.INTERRUPTED
        if detach:
            print(f"{made.name} runs; watch it with: lrtui watch {reference(made)}")
            return ExitCode.RACED
        if plain:
            return print_run(made, as_json, signals)
        return open_screen(made.parent, made, signals=signals)


def read_run(
    words: tuple[str, ...],
    as_written: bool,
    as_module: bool,
    lr: float | None,
    no_seed: bool,
    name: str | None,
    **flags: Any,
) -> Race:
    """The race of one lane that the command line asks for."""
    if lr is not None:
        check_rate(lr)
    if no_seed and flags["seed"] is not None:
        raise ScenarioError("--seed and --no-seed exclude each other", "expected one of the two")
    raw: dict[str, Any] = {key: value for key, value in flags.items() if value is not None}
    if lr is not None:
        raw["sweep"] = {"lr": [lr]}
    program = as_written and not as_module
    if words and not as_module and not program:
        _check_file(words[0])
    named = words[0] if words and not program else None
    script = script_of(named, as_module, words[:1], USAGE)
    # nothing is varied: braces are the script's own
    script["args"] = list(map(literally, words[1:]))
    raw["script"] = script | ({"seeded": False} if no_seed else {})
    race = scenario_file.parse(raw, source="flags", folder=Path.cwd())
    if name is None:
        return race
    called = one_line(name)
    if not called:
        raise ScenarioError("--name: empty", "expected a name that can be seen")
    lanes = tuple(msgspec.structs.replace(lane, name=called) for lane in race.lanes)
    return msgspec.structs.replace(race, lanes=lanes, scenario=called)


def _check_file(word: str) -> None:
    """Refuse a word that names no Python file."""
    if word.endswith(".py") and os.path.isfile(word):
        return
    there = os.path.exists(word)
    raise ScenarioError(
        f"{one_line(word)[:200]}: {'not a Python script' if there else 'no such file'}",
        f"expected a .py file; a program stands after --: lrtui run -- {one_line(word)[:60]} ...",
    )


def _show(race: Race, runs: Path) -> int:
    """Print command, folder and environment of the script."""
    assert race.script is not None
    launcher = Launcher(race)
    try:
        (variables,) = launcher.environments(race, runs)
    finally:
        launcher.close()
    print(one_line(shlex.join(race.script.command_of(race.lanes[0]))))
    print(f"in {one_line(os.getcwd())}")
    for name, value in sorted(variables.items()):
        print(f"{one_line(name)}={one_line(value)}")
    return ExitCode.RACED
