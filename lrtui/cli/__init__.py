"""The commands. The only package that knows everyone; what it does itself is to read flags and to choose a front."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

import lrtui
from lrtui.cli import find, lists, preferences, race, report, schedule, send
from lrtui.cli.fronts import ExitCode, has_screen, runs_folder, runs_option, show
from lrtui.cli.looks import fold_what_cannot_be_written, look_options
from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.text import one_line


def main(args: Sequence[str] | None = None) -> None:
    """The console script: runs a command, turns what a person can mend into one short message on stderr."""
    if not os.environ.get("TERM"):
        os.environ["TERM"] = "dumb"  # so that Rich sees it as we do
    fold_what_cannot_be_written()
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
@runs_option
@look_options
@click.pass_context
def cli(context: click.Context, runs: str | None) -> int:
    """Race learning rates and watch the race. Without a command: pick a scenario with the arrow keys."""
    if context.invoked_subcommand is not None:
        return ExitCode.RACED
    if not has_screen():
        raise ScenarioError("no terminal to pick a scenario in", "name one: `lrtui race lr-dial`, or see `lrtui scenarios`")
    return show(runs_folder(runs))


for command in (race.race, race.watch, race.resume, send.send, find.find, schedule.schedule, report.report, report.export,
                lists.list_runs, lists.scenarios, preferences.show_settings):
    cli.add_command(command)
