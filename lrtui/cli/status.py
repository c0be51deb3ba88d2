"""`lrtui status`: one look at a run, for scripts and agents."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from lrtui.cli.appearance import paper, wanted
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import object_option, runs_folder, runs_option
from lrtui.client.follower import Follower
from lrtui.store import run_dir
from lrtui.store.reader import summary


@click.command()
@click.argument("run", required=False)
@object_option
@runs_option
def status(run: str | None, as_json: bool, runs: str | None) -> int:
    """Print how a RUN stands, once: a path, a name or the beginning of one; the newest by
    default."""
    return print_look(run_dir.find(run, runs_folder(runs)), as_json)


def print_look(run: Path, as_json: bool) -> int:
    """Print the state of a run, as text or as one JSON object."""
    from lrtui.core.results.race_status import race_status
    from lrtui.plain.status_text import print_status

    follower = Follower(run, wanted().memory * 1_000_000)
    try:
        follower.finish()
        known = summary(run)
        if as_json:
            place = {"run": str(run), "state": known.state, "resumable": known.resumable}
            told = {"created": known.created, "trouble": follower.trouble}
            print(json.dumps(place | told | race_status(follower.state), allow_nan=False))
            return ExitCode.RACED
        print_status(_console(), follower.state, run.name, known.state, follower.trouble)
    finally:
        follower.close()
    return ExitCode.RACED


def _console() -> Console:
    """The terminal's; into a pipe, lines are as long as they are."""
    console = paper()
    return console if console.is_terminal else Console(highlight=False, width=1000)
