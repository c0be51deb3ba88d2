"""Opens the screen of a race, or decides that there is none; launches a race before either."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from lrtui.cli.appearance import chosen, paper
from lrtui.cli.exit_codes import ExitCode, race_exit_code
from lrtui.cli.output import complain
from lrtui.cli.plain_frontend import print_run
from lrtui.cli.signals import Signals
from lrtui.client.comparison import Comparison
from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import FinderPlan
from lrtui.core.errors import LaunchError
from lrtui.core.scenario.spec import Race
from lrtui.core.scenario.user_code_files import user_code_files
from lrtui.store.run_dir import reference

if TYPE_CHECKING:
    from lrtui.tui.app import LrtuiApp

Launched = TypeVar("Launched")
PIPE_SIZE = (80, 24)
"""Columns and rows of a frame that no terminal shows."""


def has_screen(say: bool = False) -> bool:
    """True if a screen can be drawn. `say`: report on stderr why plain lines come instead."""
    dumb = os.environ.get("TERM", "") in ("", "dumb")
    there = sys.stdout.isatty() and sys.stdin.isatty() and not dumb
    if say and not there and sys.stdout.isatty():
        complain(f"{'TERM is dumb' if dumb else 'no keyboard'}: plain lines")
    return there


def loading_torch() -> AbstractContextManager[object]:
    """A transient status on a terminal's stderr for the seconds that loading torch takes."""
    console = paper(stderr=True)
    return console.status("loading torch ...", spinner="line")


def launch(
    signals: Signals, launcher: Launcher, begin: Callable[[], Launched], *, torch: bool = True
) -> Launched | None:
    """Return what `begin` returns once `launcher` runs a race; None if an interrupt came first.

    `torch`: False for a script, whose supervisor does without.
    """
    try:
        with loading_torch() if torch else nullcontext(), signals.waiting_for(launcher):
            return begin()
    except LaunchError:
        if signals.came():
            complain("interrupted before the race began")
            return None
        raise


def announce_user_code(race: Race) -> None:
    """Name the files of user code that a race will run, in a line each on stderr; of a script the
    command line."""
    if race.script is not None:
        complain(f"runs {shlex.join(race.script.command)}")
        return
    for place in user_code_files(race):
        complain(f"runs the code of {place}")


def open_screen(
    runs: Path,
    run: Path | None = None,
    asked: FinderPlan | None = None,
    *,
    compared: Comparison | None = None,
    race_after: bool = False,
    signals: Signals | None = None,
    resumed: bool = False,
) -> int:
    """Show a run, several runs, a finder or the picker until the user leaves the screen; returns
    the exit code.

    `signals`: those of the frontend that started `run`, or `resumed` it; an interrupt before the
    screen opens stops the run.
    """
    from lrtui.tui.app import LrtuiApp
    from lrtui.tui.textual_patches.signals import signals_kept

    look, settings, faults = chosen()
    app = LrtuiApp(
        runs,
        run,
        asked,
        compared=compared,
        race_after=race_after,
        look=look,
        wanted=settings,
        faults=faults,
    )
    with nullcontext(signals) if signals else Signals() as kept:
        if run is not None and signals is not None and signals.came():
            return print_run(run, False, signals, resumed=resumed)
        if kept.came():
            return ExitCode.INTERRUPTED
        with signals_kept():
            follower = app.run()
        return _after_screen(app, follower)


def print_frame(run: Path) -> int:
    """Print what the screen of a run shows now, at the terminal's size, with a row left for the
    prompt, or at PIPE_SIZE."""
    from lrtui.tui.keymap import Keymap
    from lrtui.tui.still_frame import still_frame

    look, settings, _ = chosen()
    look.use()
    console = paper()
    size = (console.width, console.height - 1) if console.is_terminal else PIPE_SIZE
    follower = Follower(run, settings.memory * 1_000_000)
    try:
        follower.finish()
        canvas = still_frame(follower, *size, Keymap(settings.keys))
    finally:
        follower.close()
    for y in range(canvas.height):
        line = Text.assemble(*((text, style or "") for text, style, _ in canvas.strip(y)))
        line.rstrip()
        console.print(line, no_wrap=True, crop=False)
    return ExitCode.RACED


def _after_screen(app: LrtuiApp, follower: Follower | None) -> int:
    """Print the result that stays in the scrollback; returns the exit code."""
    if app.finder is not None and app.finder.outcome is not None:
        from lrtui.report.text import print_outcome

        check = app.finder.check.state if app.finder.check else None
        print_outcome(paper(), app.finder.found, app.finder.outcome, check)
    if app.broke:
        return _report_crash(app.broke, app.watched)
    return app.return_code or _report_run(follower)


def _report_crash(why: str, watched: Follower | None) -> int:
    """Print the last line below the traceback of a crashed screen: the race continues."""
    goes_on = (
        f"; the race goes on, back to it with: lrtui watch {reference(watched.run)}"
        if watched and not watched.state.over
        else ""
    )
    complain(f"the screen broke: {why}{goes_on}")
    return ExitCode.ALL_FAILED


def _report_run(follower: Follower | None) -> int:
    """Print the report of the run that was watched last."""
    if follower is None:
        return ExitCode.RACED
    from lrtui.report.text import print_report

    console = paper()
    if isinstance(follower, Comparison):
        from lrtui.report.compared import print_comparison

        print_comparison(console, follower)
        return ExitCode.RACED
    print_report(console, follower.state, follower.run)
    if not follower.state.over:
        console.print(
            Text(f"the race goes on; back to it with: lrtui watch {reference(follower.run)}"),
            soft_wrap=True,
        )
        return ExitCode.RACED
    return race_exit_code(follower.state)
