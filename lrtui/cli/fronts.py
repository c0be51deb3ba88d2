"""What the commands share: exit codes, common flags, and the fronts of a race: the screen, or lines."""

from __future__ import annotations

import enum
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from lrtui.core.commands import Stop
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.standings import FAILED
from lrtui.find import Plan
from lrtui.follow import Follower
from lrtui.store import rundir


class ExitCode(enum.IntEnum):
    """What the shell is told."""

    RACED = 0
    ALL_FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130


runs_option = click.option("--runs", metavar="DIR",
                     help="Folder that keeps the runs (default: $LRTUI_RUNS, else the platform's state folder).")
plain_option = click.option("--plain", is_flag=True, help="Lines of text instead of the screen.")
json_option = click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")


def runs_folder(runs: str | None) -> Path:
    """The runs folder; --runs counts before the command as well as after it."""
    return rundir.runs_folder(runs or click.get_current_context().find_root().params.get("runs"))


def has_screen(say: bool = False) -> bool:
    """Whether a screen can be drawn; if not, and if asked to, says so once on stderr."""
    dumb = os.environ.get("TERM", "") in ("", "dumb")
    there = sys.stdout.isatty() and sys.stdin.isatty() and not dumb
    if say and not there and sys.stdout.isatty():
        print(f"lrtui: {'TERM is dumb' if dumb else 'no keyboard'}: plain lines", file=sys.stderr)
    return there


def loading() -> AbstractContextManager[object]:
    """A word on stderr, where a person sees it, for the seconds that torch takes to be loaded; nothing of it stays."""
    return Console(stderr=True).status("loading torch ...")


def show(runs: Path, run: Path | None = None, asked: Plan | None = None, *, race_after: bool = False) -> int:
    """The screen, until a person leaves it: a run, a finder, or the picker. A screen that broke is no success."""
    from lrtui.tui.app import LrtuiApp
    app = LrtuiApp(runs, run, asked, race_after=race_after)
    follower = app.run()
    if app.finder is not None and app.finder.outcome is not None:
        from lrtui.report import print_outcome
        check = app.finder.check.state if app.finder.check else None
        print_outcome(Console(highlight=False), app.finder.found, app.finder.outcome, check)
    return app.return_code or _leave(follower)


def tell(run: Path, as_json: bool, signals: Signals | None = None) -> int:
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
    failed = all(lane.status in FAILED for lane in follower.state.lanes)
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


class Signals:
    """Ctrl-C, and SIGTERM, which means the same: an interrupt at once, or kept for a moment when nothing is half said."""

    def __init__(self) -> None:
        self._keep = self._came = False

    def __enter__(self) -> Signals:
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
