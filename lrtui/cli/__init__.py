"""The command line: click commands that read flags, start or open runs, and choose a front end.

The only package that knows all others.

- One module per command or family: `race.py` (race, watch, resume), `run.py`, `find.py`, `send.py`,
  `take.py`, `more.py`, `report.py` (report, export), `schedule.py`, `runs.py`, `note.py`,
  `status.py`, `settings_cmd.py`, `help.py`.
- `options.py`, `script_flags.py` and `appearance.py` hold shared options, `race_flags.py` makes a
  race of them, `exit_codes.py` and `output.py` what the shell gets, `signals.py` interrupts.
- `frontends.py` opens the screen, `plain_frontend.py` prints lines.
- `manual_tables/` generates the tables of the manual.

Begin to read here with `main`, then `race.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from lrtui._version import __version__
from lrtui.cli import (
    compare,
    find,
    help as manual,
    more,
    note,
    race,
    report,
    run,
    runs,
    schedule,
    send,
    settings_cmd,
    status,
    take,
)
from lrtui.cli.appearance import look_options
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.frontends import has_screen, open_screen
from lrtui.cli.options import runs_folder, runs_option
from lrtui.cli.output import complain, give_up, opened
from lrtui.cli.signals import settle
from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.streams import OutputLost


def main(args: Sequence[str] | None = None) -> None:
    """Run a command; the console script. Errors that the user can mend become one short message on
    stderr."""
    if not os.environ.get("TERM"):
        os.environ["TERM"] = "dumb"  # so that Rich sees it as we do
    with opened():
        code = _run(args)
    settle()
    sys.exit(code)


def _run(args: Sequence[str] | None) -> int:
    """Run a command and write all of its output; return its exit code."""
    try:
        code = cli.main(args=args, standalone_mode=False) or 0
        sys.stdout.flush()
        return int(code)
    except OutputLost as lost:
        return give_up(lost)
    except click.ClickException as error:
        complain(*_usage(error))
        return ExitCode.BAD_INPUT
    except LrtuiError as error:
        complain(*filter(None, (error.message, error.hint)))
        return ExitCode.BAD_INPUT
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED


def _usage(error: click.ClickException) -> tuple[str, str]:
    """An error of the command line, and where to read on."""
    context = getattr(error, "ctx", None)
    hint = f"see `{' '.join(['lrtui', *_commands(context)])} --help`"
    if isinstance(error, click.NoSuchOption):
        near = f': did you mean "{error.possibilities[0]}"?' if error.possibilities else ""
        return f'unknown option "{error.option_name}"{near}', hint
    return error.format_message(), hint


def _commands(context: click.Context | None) -> list[str]:
    """The commands under `lrtui` that a context is in."""
    if context is None or context.parent is None:
        return []
    return [*_commands(context.parent), str(context.info_name)]


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lrtui")
@runs_option
@look_options
@click.pass_context
def cli(context: click.Context, runs: str | None) -> int:
    """Race learning rates and watch the race. Without a command: pick a scenario with the arrow
    keys.

    `lrtui help` is the manual.
    """
    if context.invoked_subcommand is not None:
        return ExitCode.RACED
    if not has_screen():
        raise ScenarioError(
            "no terminal to pick a scenario in",
            "name one: `lrtui race lr-dial`, or see `lrtui scenarios`",
        )
    return open_screen(runs_folder(runs))


for command in (
    race.race,
    run.run,
    race.watch,
    race.resume,
    status.status,
    compare.compare,
    send.send,
    take.take,
    more.more,
    find.find,
    schedule.schedule,
    report.report,
    report.export,
    runs.list_runs,
    note.note,
    runs.scenarios,
    settings_cmd.show_settings,
    manual.show_help,
):
    cli.add_command(command)
