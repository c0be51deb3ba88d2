"""What the commands share: common flags, and the fronts of a race: the screen, or lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.text import Text

from lrtui.cli.appearance import chosen, paper
from lrtui.cli.output import ExitCode, complain
from lrtui.cli.signals import Signals
from lrtui.cli.tell import outcome, tell
from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import FinderPlan
from lrtui.core.errors import LaunchError
from lrtui.core.scenario.spec import Race
from lrtui.core.scenario.user_code_files import user_code_files
from lrtui.store import run_dir

if TYPE_CHECKING:
    from lrtui.tui.app import LrtuiApp

Begun = TypeVar("Begun")

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


def has_screen(say: bool = False) -> bool:
    """Whether a screen can be drawn; if not, and if asked to, says so once on stderr."""
    dumb = os.environ.get("TERM", "") in ("", "dumb")
    there = sys.stdout.isatty() and sys.stdin.isatty() and not dumb
    if say and not there and sys.stdout.isatty():
        complain(f"{'TERM is dumb' if dumb else 'no keyboard'}: plain lines")
    return there


def loading() -> AbstractContextManager[object]:
    """A word on stderr, where a person sees it, for the seconds that torch takes to be loaded;
    nothing of it stays."""
    console = paper(stderr=True)
    return console.status("loading torch ...", spinner="line")


def begun(signals: Signals, launcher: Launcher, begin: Callable[[], Begun]) -> Begun | None:
    """What `begin` gives when `supervisor` has begun a race, or gone on with one; None where an
    interrupt came before."""
    try:
        with loading(), signals.waiting_for(launcher):
            return begin()
    except LaunchError:
        if signals.came():
            complain("interrupted before the race began")
            return None
        raise


def say_own_code(race: Race) -> None:
    """Names the files of a person's own that a race is about to run, in a line each on stderr."""
    for place in user_code_files(race):
        complain(f"runs the code of {place}")


def show(
    runs: Path,
    run: Path | None = None,
    asked: FinderPlan | None = None,
    *,
    race_after: bool = False,
    signals: Signals | None = None,
    resumed: bool = False,
) -> int:
    """The screen, until a person leaves it: a run, a finder, or the picker. A screen that broke is
    no success.

    `signals`: those of a front that has started `run`, or had it `resumed`; one that came before
    there is a screen stops it.
    """
    from lrtui.tui.app import LrtuiApp
    from lrtui.tui.textual_patches.signals import signals_kept

    look, settings, faults = chosen()
    app = LrtuiApp(runs, run, asked, race_after=race_after, look=look, wanted=settings, said=faults)
    with nullcontext(signals) if signals else Signals() as kept:
        if run is not None and signals is not None and signals.came():
            return tell(run, False, signals, resumed=resumed)
        if kept.came():
            return ExitCode.INTERRUPTED
        with signals_kept():
            follower = app.run()
        return _left(app, follower)


def _left(app: LrtuiApp, follower: Follower | None) -> int:
    """What is said when the screen is gone."""
    if app.finder is not None and app.finder.outcome is not None:
        from lrtui.report.text import print_outcome

        check = app.finder.check.state if app.finder.check else None
        print_outcome(paper(), app.finder.found, app.finder.outcome, check)
    if app.broke:
        return _broke(app.broke, app.watched)
    return app.return_code or _leave(follower)


def _broke(why: str, watched: Follower | None) -> int:
    """The last line under the traceback of a screen that broke: the race does not depend on it."""
    goes_on = (
        f"; the race goes on, back to it with: lrtui watch {watched.run.name}"
        if watched and not watched.state.over
        else ""
    )
    complain(f"the screen broke: {why}{goes_on}")
    return ExitCode.ALL_FAILED


def _leave(follower: Follower | None) -> int:
    """What stays in the scrollback when the screen is gone."""
    if follower is None:
        return ExitCode.RACED
    from lrtui.report.text import print_report

    console = paper()
    print_report(console, follower.state, follower.run)
    if not follower.state.over:
        console.print(
            Text(f"the race goes on; back to it with: lrtui watch {follower.run.name}"),
            soft_wrap=True,
        )
        return ExitCode.RACED
    return outcome(follower)
