"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from lrtui.store import run_dir

runs_option = click.option(
    "--runs",
    metavar="DIR",
    help="Folder that keeps the runs (default: $LRTUI_RUNS, else the platform's state folder).",
)
plain_option = click.option("--plain", is_flag=True, help="Lines of text instead of the screen.")
json_option = click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")


def runs_folder(runs: str | None) -> Path:
    """The runs folder; --runs counts before the command as well as after it."""
    return run_dir.runs_folder(runs or click.get_current_context().find_root().params.get("runs"))
