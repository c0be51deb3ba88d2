"""`lrtui runs`, which lists and deletes runs, and `lrtui scenarios`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import json_option, runs_folder, runs_option
from lrtui.cli.output import complain
from lrtui.core.errors import RunError
from lrtui.core.numbers import size
from lrtui.core.scenario import scenario_file
from lrtui.core.text import literal, one_line
from lrtui.store import removal, run_dir
from lrtui.store.reader import Summary, summary

UNITS_S = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
"""Seconds of the units of an age."""
_COLUMNS = {"run": 0, "about": 0, "lanes": 100, "started": 0, "size": 70, "state": 0}
"""The columns of the list, and from how many columns of the terminal on each is there."""


class Age(click.ParamType[float]):
    """An age such as 30d, in seconds."""

    name = "age"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds of an age; click's error otherwise."""
        found = re.fullmatch(r"(\d{1,6})([mhdw])", value.strip())
        if found is None:
            self.fail(
                f'"{one_line(value)}" is not an age; expected a number and m, h, d or w: 30d',
                param,
                ctx,
            )
        return int(found[1]) * UNITS_S[found[2]]


@click.command("runs")
@click.argument("names", metavar="[RUN]...", nargs=-1)
@click.option("--delete", is_flag=True, help="Delete these runs, after a question.")
@click.option("--prune", is_flag=True, help="Delete old runs, after a question.")
@click.option(
    "--older", type=Age(), metavar="AGE", help="Of --prune: not written to for so long: 12h, 30d."
)
@click.option(
    "--keep", type=click.IntRange(0), metavar="N", help="Of --prune: spare the newest N runs."
)
@click.option("--yes", is_flag=True, help="Delete without a question.")
@runs_option
@json_option
def list_runs(
    names: tuple[str, ...],
    delete: bool,
    prune: bool,
    older: float | None,
    keep: int | None,
    yes: bool,
    runs: str | None,
    as_json: bool,
) -> int:
    """List the runs, newest first, or some of them; or delete runs."""
    folder = runs_folder(runs)
    _check(names, delete, prune, older, keep, yes, as_json)
    # a deletion is of what was named, not of what happens to be the newest
    named = [run_dir.find(name, folder, newest=not delete) for name in names]
    paths = named or run_dir.listing(folder)
    known = [summary(path) for path in dict.fromkeys(paths)]
    if delete:
        return _delete(known, folder, yes)
    if prune:
        return _prune(known, folder, older, keep, yes)
    if as_json:
        for run in known:
            print(json.dumps(_entry(run)))
        return ExitCode.RACED
    shown = _table(known) if known else Text(f"no runs in {folder}")
    Console(highlight=False).print(shown)
    return ExitCode.RACED


def _check(
    names: Sequence[str],
    delete: bool,
    prune: bool,
    older: float | None,
    keep: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Refuse options that do not go together."""
    if delete and prune:
        raise RunError("--delete and --prune exclude each other", "expected one of the two")
    if delete and not names:
        raise RunError("--delete: no run named", "expected lrtui runs RUN... --delete")
    if prune and names:
        raise RunError("--prune: not for named runs", "expected --delete for these")
    if prune and older is None and keep is None:
        raise RunError("--prune: no rule given", "expected --older AGE, --keep N or both")
    if not prune and (older is not None or keep is not None):
        raise RunError("--older and --keep are rules of --prune", "expected --prune beside them")
    if yes and not (delete or prune):
        raise RunError("--yes: nothing is asked", "expected --delete or --prune beside it")
    if as_json and (delete or prune):
        raise RunError("--json lists runs", "expected no --delete and no --prune beside it")


def _table(known: Sequence[Summary]) -> Table:
    width = Console().width
    shown = [name for name, least in _COLUMNS.items() if width >= least]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in shown:
        # the run's name is there to be copied: only what it is about is cut
        table.add_column(
            name, no_wrap=name != "about", justify="right" if name == "size" else "left"
        )
    for run in known:
        cells = _cells(run)
        table.add_row(*(cells[name] for name in shown))
    return table


def _cells(run: Summary) -> dict[str, str | Text]:
    about = Text(no_wrap=True, overflow="ellipsis")
    about.append(run.label.name, "bold").append("  " if run.label.name else "")
    about.append(run.label.note or one_line(run.title))
    return {
        "run": Text(one_line(run.path.name)),
        "about": about,
        "lanes": str(run.lanes),
        "started": f"{datetime.fromtimestamp(run.created):%Y-%m-%d %H:%M}" if run.created else "",
        "size": size(removal.disk_size(run.path)),
        "state": run.state,
    }


def _entry(run: Summary) -> dict[str, object]:
    """A run as `--json` prints it."""
    return {
        "run": str(run.path),
        "name": run.label.name,
        "note": run.label.note,
        "title": run.title,
        "lanes": run.lanes,
        "created": run.created,
        "state": run.state,
        "resumable": run.resumable,
        "script": run.is_script,
        "bytes": removal.disk_size(run.path),
    }


def _prune(
    known: Sequence[Summary], folder: Path, older: float | None, keep: int | None, yes: bool
) -> int:
    """Delete the runs that the rules name, and tell of those that are spared."""
    found = removal.prune(known, older, keep)
    for run, why in found.spared:
        print(f"spared: {one_line(run.path.name)}, {why}")
    if not found.runs:
        print("nothing to delete")
        return ExitCode.RACED
    return _delete(found.runs, folder, yes)


def _delete(doomed: Sequence[Summary], folder: Path, yes: bool) -> int:
    """Delete runs, all of which may be deleted, after a question; nothing if one may not."""
    for run in doomed:
        if why := removal.refusal(run.path, folder):
            raise RunError(
                f"{one_line(run.path.name)}: {why}; nothing was deleted",
                f"expected runs of {folder} that have ended",
            )
    sizes = {run.path: removal.disk_size(run.path) for run in doomed}
    for run in doomed:
        print(f"{one_line(run.path.name)}  {size(sizes[run.path])}{_mention(run)}")
    what = f"{len(doomed)} run{'' if len(doomed) == 1 else 's'}, {size(sum(sizes.values()))}"
    if not yes and not _confirmed(f"delete {what}, from {one_line(str(folder))}?"):
        print("nothing was deleted")
        return ExitCode.RACED
    return _deleted([run.path for run in doomed], folder, sizes)


def _mention(run: Summary) -> str:
    """What should be known of a run before it is deleted."""
    words = [f'"{run.label.name}"'] if run.label.name else []
    words += [run.label.note] if run.label.note else []
    words += ["can be resumed"] if run.resumable else []
    return "".join(f", {part}" for part in words)


def _confirmed(question: str) -> bool:
    """The answer of the person at the terminal; RunError without one."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise RunError(
            "no terminal to ask at; nothing was deleted", "expected --yes to delete all the same"
        )
    return click.confirm(question)


def _deleted(doomed: Sequence[Path], folder: Path, sizes: dict[Path, int]) -> int:
    """Delete runs one by one and tell what became of each; the exit code."""
    gone = [run for run in doomed if _goes(run, folder)]
    freed = size(sum(sizes[run] for run in gone))
    print(f"deleted: {len(gone)} of {len(doomed)} runs, {freed}, from {one_line(str(folder))}")
    return ExitCode.RACED if len(gone) == len(doomed) else ExitCode.ALL_FAILED


def _goes(run: Path, folder: Path) -> bool:
    try:
        removal.delete(run, folder)
    except RunError as error:
        complain(*filter(None, (error.message, error.hint)))
        return False
    return True


@click.command()
@click.argument("name", required=False)
def scenarios(name: str | None) -> int:
    """List the scenarios; with a NAME, print that one, ready to copy."""
    if name:
        sys.stdout.write(literal(scenario_file.find(name).read_text(encoding="utf-8")))
        return ExitCode.RACED
    table = Table(
        "scenario", "title", "lanes", "budget", box=None, pad_edge=False, header_style="dim"
    )
    for path in scenario_file.bundled():
        found = scenario_file.load(str(path))
        table.add_row(Text(path.stem), Text(found.title), str(len(found.lanes)), found.budget)
    Console(highlight=False).print(table)
    return ExitCode.RACED
