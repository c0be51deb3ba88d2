"""`lrtui compare`: several runs as one."""

from __future__ import annotations

import json

import click

from lrtui.cli.appearance import look_options, paper, wanted
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.frontends import has_screen, open_screen
from lrtui.cli.options import object_option, plain_option, runs_folder, runs_option
from lrtui.client.comparison import Comparison
from lrtui.store import run_dir


@click.command()
@click.argument("names", metavar="RUN RUN...", nargs=-1)
@runs_option
@look_options
@plain_option
@object_option
def compare(names: tuple[str, ...], runs: str | None, plain: bool, as_json: bool) -> int:
    """Show two to six RUNs together: their curves in one chart, their lanes in one table, and in
    what they differ."""
    folder = runs_folder(runs)
    found = [run_dir.find(name, folder) for name in names]
    comparison = Comparison(found, wanted().memory * 1_000_000)
    if plain or as_json or not has_screen(say=True):
        return _print(comparison, as_json)
    return open_screen(folder, compared=comparison)


def _print(comparison: Comparison, as_json: bool) -> int:
    from lrtui.report.compared import comparison_json, print_comparison

    try:
        comparison.finish()
        if as_json:
            print(json.dumps(comparison_json(comparison), allow_nan=False))
        else:
            print_comparison(paper(), comparison)
    finally:
        comparison.close()
    return ExitCode.RACED
