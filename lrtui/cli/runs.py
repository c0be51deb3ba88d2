"""`lrtui runs` and `lrtui scenarios`."""

from __future__ import annotations

import sys
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import runs_folder, runs_option
from lrtui.core.scenario import scenario_file
from lrtui.core.text import literal, one_line
from lrtui.store import run_dir
from lrtui.store.reader import summary


@click.command("runs")
@runs_option
def list_runs(runs: str | None) -> int:
    """List the runs, newest first."""
    folder = runs_folder(runs)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "scenario", "lanes", "started", "state"):
        # the run's name is there to be copied: only the title is cut
        table.add_column(name, no_wrap=name != "scenario")
    for run in map(summary, run_dir.listing(folder)):
        started = f"{datetime.fromtimestamp(run.created):%Y-%m-%d %H:%M}" if run.created else ""
        title = Text(one_line(run.title), no_wrap=True, overflow="ellipsis")
        table.add_row(Text(one_line(run.path.name)), title, str(run.lanes), started, run.state)
    Console(highlight=False).print(table if table.row_count else Text(f"no runs in {folder}"))
    return ExitCode.RACED


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
