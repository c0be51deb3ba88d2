"""The commands. The only module that knows everyone; what it does itself is to read flags and to choose a front."""

from __future__ import annotations

import enum
import math
import os
import signal
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lrtui
from lrtui.core import scenario
from lrtui.core.commands import Stop
from lrtui.core.errors import LrtuiError, ScenarioError, StoreUnavailable
from lrtui.core.spec import Race
from lrtui.core.text import literal, one_line
from lrtui.follow import Follower
from lrtui.launch import TRAINERS, Crew
from lrtui.store import rundir
from lrtui.store.reader import summary


class ExitCode(enum.IntEnum):
    """What the shell is told."""

    RACED = 0
    ALL_FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> None:
    """The console script: runs a command, turns what a person can mend into one short message on stderr."""
    if not os.environ.get("TERM"):
        os.environ["TERM"] = "dumb"  # so that Rich sees it as we do
    try:
        sys.exit(cli.main(args=args, standalone_mode=False) or 0)
    except click.ClickException as error:
        _complain(one_line(error.format_message()), "see `lrtui --help`")
        sys.exit(ExitCode.BAD_INPUT)
    except LrtuiError as error:
        _complain(error.message, error.hint)
        sys.exit(ExitCode.BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(ExitCode.INTERRUPTED)


def _complain(message: str, hint: str) -> None:
    for line in filter(None, (f"lrtui: {one_line(message)}", one_line(hint))):
        print(line, file=sys.stderr)


_runs = click.option("--runs", metavar="DIR",
                     help="Folder that keeps the runs (default: $LRTUI_RUNS, else the platform's state folder).")
_plain = click.option("--plain", is_flag=True, help="Lines of text instead of the screen.")
_json = click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; a reader that has seen enough (`| head`) is no error, which click would make of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise click.exceptions.Exit(ExitCode.RACED) from error


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lrtui.__version__, prog_name="lrtui")
@_runs
@click.pass_context
def cli(context: click.Context, runs: str | None) -> int:
    """Race learning rates and watch the race. Without a command: pick a scenario with the arrow keys."""
    if context.invoked_subcommand is not None:
        return ExitCode.RACED
    if not _has_screen():
        raise ScenarioError("no terminal to pick a scenario in", "name one: `lrtui race lr-dial`, or see `lrtui scenarios`")
    return _show(_folder(runs))


@cli.command()
@click.argument("name", metavar="[SCENARIO]", required=False)
@click.option("--task", metavar="REF", help="What to train: bundled name, file.py:Name or module:Name.")
@click.option("--lr", "rates", multiple=True, type=float, help="A learning rate; each one makes lanes.")
@click.option("--optimizer", "optimizers", multiple=True, metavar="NAME", help="An optimizer; each one makes lanes.")
@click.option("--schedule", metavar="SPEC", help="For every lane: a name, 'StepLR(step_size=10)', or none.")
@click.option("--epochs", type=click.IntRange(1))
@click.option("--steps", type=click.IntRange(1))
@click.option("--batch-size", type=click.IntRange(1))
@click.option("--seed", type=click.IntRange(0))
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Any key of the scenario, as in TOML: --set defaults.momentum=0.9")
@click.option("--trainers", type=click.IntRange(1, 256), default=TRAINERS, show_default=True,
              help="Processes; more lanes take turns.")
@_runs
@_plain
@_json
def race(name: str | None, trainers: int, runs: str | None, plain: bool, as_json: bool, **flags: Any) -> int:
    """Race a SCENARIO (a name or a .toml file), or a task of your own with --task."""
    asked = _race(name, flags)
    plain = plain or as_json or not _has_screen(say=True)
    with _Signals() as signals:
        run = Crew().start(asked, _folder(runs), trainers)
        if plain:
            return _tell(run, as_json, signals)
    return _show(run.parent, run)


@cli.command()
@click.argument("run", required=False)
@_runs
@_plain
@_json
def watch(run: str | None, runs: str | None, plain: bool, as_json: bool) -> int:
    """Watch a RUN, live or finished: a path, a name or the beginning of one; the newest by default."""
    path = rundir.find(run, _folder(runs))
    return _tell(path, as_json) if plain or as_json or not _has_screen(say=True) else _show(path.parent, path)


@cli.command("runs")
@_runs
def list_runs(runs: str | None) -> int:
    """List the runs, newest first."""
    folder = _folder(runs)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "scenario", "lanes", "started", "state"):
        table.add_column(name, no_wrap=name != "scenario")  # the run's name is there to be copied: only the title is cut
    for run in map(summary, rundir.listing(folder)):
        started = f"{datetime.fromtimestamp(run.created):%Y-%m-%d %H:%M}" if run.created else ""
        title = Text(one_line(run.title), no_wrap=True, overflow="ellipsis")
        table.add_row(Text(one_line(run.path.name)), title, str(run.lanes), started, run.state)
    Console(highlight=False).print(table if table.row_count else Text(f"no runs in {folder}"))
    return ExitCode.RACED


@cli.command()
@click.argument("name", required=False)
def scenarios(name: str | None) -> int:
    """List the scenarios; with a NAME, print that one, ready to copy."""
    if name:
        sys.stdout.write(literal(scenario.find(name).read_text(encoding="utf-8")))
        return ExitCode.RACED
    table = Table("scenario", "title", "lanes", "budget", box=None, pad_edge=False, header_style="dim")
    for path in scenario.bundled():
        found = scenario.load(str(path))
        table.add_row(Text(path.stem), Text(found.title), str(len(found.lanes)), found.budget)
    Console(highlight=False).print(table)
    return ExitCode.RACED


def _folder(runs: str | None) -> Path:
    """The runs folder; --runs counts before the command as well as after it."""
    return rundir.runs_folder(runs or click.get_current_context().find_root().params.get("runs"))


def _race(name: str | None, flags: dict[str, Any]) -> Race:
    """The race that the command line asks for."""
    changes: dict[str, Any] = {key: value for item in flags.pop("settings") for key, value in [_setting(item)]}
    rates, optimizers, schedule, task = (flags.pop(key) for key in ("rates", "optimizers", "schedule", "task"))
    changes |= {key: value for key, value in flags.items() if value is not None}
    if flags["epochs"] is not None and flags["steps"] is not None:
        raise ScenarioError("--epochs and --steps exclude each other", "expected one budget")
    if task:
        changes["task"] = _from_here(task)
    for rate in rates:
        if not (math.isfinite(rate) and rate > 0):
            raise ScenarioError(f"--lr: {rate:g} is no learning rate", "expected a finite number above 0")
    if rates:
        changes["lanes.lr"] = list(rates)
    if optimizers:
        changes["lanes.optimizer"] = list(optimizers)
    if schedule:
        changes["lanes.schedule"] = schedule
    if name:
        return scenario.load(name, changes)
    if not task:
        raise ScenarioError("what is to be raced?", "name a scenario (see `lrtui scenarios`), or a task with --task file.py:Name")
    own = {"epochs": 10, "sweep": {"lr": [0.1, 0.01, 0.001, 0.0001]}}
    raw = scenario.overlay(own, changes, "flags")
    return scenario.parse(raw, source="flags", folder=Path.cwd(), scenario=task.rpartition(":")[2])


def _from_here(task: str) -> str:
    """A task given on the command line is relative to where one is, not to the scenario's file."""
    file, colon, name = task.rpartition(":")
    return f"{Path(file).expanduser().absolute()}:{name}" if colon and file.endswith(".py") else task


def _setting(item: str) -> tuple[str, Any]:
    key, sign, value = item.partition("=")
    key = key.strip()
    if not sign or not key:
        raise ScenarioError(f'--set "{one_line(item)}" is no setting', "expected KEY=VALUE, such as sample_every=2")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value.strip()  # an unquoted word is a string


def _has_screen(say: bool = False) -> bool:
    """Whether a screen can be drawn; if not, and if asked to, says so once on stderr."""
    dumb = os.environ.get("TERM", "") in ("", "dumb")
    there = sys.stdout.isatty() and sys.stdin.isatty() and not dumb
    if say and not there and sys.stdout.isatty():
        print(f"lrtui: {'TERM is dumb' if dumb else 'no keyboard'}: plain lines", file=sys.stderr)
    return there


def _show(runs: Path, run: Path | None = None) -> int:
    """The screen, until a person leaves it: a run, or the picker. A screen that broke is no success."""
    from lrtui.tui.app import LrtuiApp
    app = LrtuiApp(runs, run)
    follower = app.run()
    return app.return_code or _leave(follower)


def _tell(run: Path, as_json: bool, signals: _Signals | None = None) -> int:
    """Lines until the run has ended. With `signals`, an interrupt stops the race, and the end of it is still told."""
    from lrtui.plain import JsonLines, PlainLines, play
    follower = Follower(run)
    lines = JsonLines(follower) if as_json else PlainLines()
    if signals is None:
        play(follower, lines)
    else:
        with signals.kept():
            told = play(follower, lines, signals.came)
        if not told:
            _stop_all(follower)
            play(follower, lines)
            return ExitCode.INTERRUPTED
    return _outcome(follower)


def _stop_all(follower: Follower) -> None:
    try:
        follower.send(Stop(lane=lane.index) for lane in follower.state.lanes if not lane.over)
    except StoreUnavailable as error:
        raise LrtuiError("the race could not be told to stop: " + error.message, "it goes on; see `lrtui watch`") from error


def _outcome(follower: Follower) -> int:
    failed = all(lane.status in ("error", "died") for lane in follower.state.lanes)
    return ExitCode.ALL_FAILED if failed else ExitCode.RACED


def _leave(follower: Follower | None) -> int:
    """What stays in the scrollback when the screen is gone."""
    if follower is None:
        return ExitCode.RACED
    from lrtui.report import print_report
    console = Console(highlight=False)
    print_report(console, follower.state, follower.run)
    if not follower.state.over:
        console.print(Text(f"the race goes on; back to it with: lrtui watch {follower.run.name}"), soft_wrap=True)
        return ExitCode.RACED
    return _outcome(follower)


class _Signals:
    """Ctrl-C, and SIGTERM, which means the same: an interrupt at once, or kept for a moment when nothing is half said."""

    def __init__(self) -> None:
        self._keep = self._came = False

    def __enter__(self) -> _Signals:
        self._old = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)

    def came(self) -> bool:
        """Whether one is being kept."""
        return self._came

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within, the first one is only kept."""
        self._keep = True
        yield
        self._keep = False

    def _take(self, *_: object) -> None:
        if not self._keep or self._came:
            raise KeyboardInterrupt
        self._came = True
