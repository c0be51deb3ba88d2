"""What the commands share: exit codes, common flags, and the fronts of a race: the screen, or lines."""

from __future__ import annotations

import enum
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import click
from rich.text import Text

from lrtui.cli.looks import chosen, paper, wanted
from lrtui.core.commands import Stop
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.owncode import own_code
from lrtui.core.spec import Race
from lrtui.core.standings import FAILED, UNFINISHED
from lrtui.core.text import one_line
from lrtui.find import Plan
from lrtui.follow import Follower
from lrtui.store import rundir
from lrtui.store.reader import Reader

TAKEN_UP_S = 30.0
"""By then a new crew has said the first thing, or its last."""


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
    console = paper(stderr=True)
    return console.status("loading torch ...", spinner="line")


def say_own_code(race: Race) -> None:
    """Names the files of a person's own that a race is about to run, in a line each on stderr."""
    for place in own_code(race):
        print(f"lrtui: runs the code of {one_line(place)}", file=sys.stderr)


def show(runs: Path, run: Path | None = None, asked: Plan | None = None, *, race_after: bool = False) -> int:
    """The screen, until a person leaves it: a run, a finder, or the picker. A screen that broke is no success."""
    from lrtui.tui.app import LrtuiApp
    from lrtui.tui.leaving import signals_kept
    look, settings, faults = chosen()
    app = LrtuiApp(runs, run, asked, race_after=race_after, look=look, wanted=settings, said=faults)
    with signals_kept():
        follower = app.run()
    if app.finder is not None and app.finder.outcome is not None:
        from lrtui.report.text import print_outcome
        check = app.finder.check.state if app.finder.check else None
        print_outcome(paper(), app.finder.found, app.finder.outcome, check)
    if app.broke:
        return _broke(app.broke, app.watched)
    return app.return_code or _leave(follower)


def _broke(why: str, watched: Follower | None) -> int:
    """The last line under the traceback of a screen that broke: the race does not depend on it."""
    goes_on = f"; the race goes on, back to it with: lrtui watch {watched.run.name}" if watched and not watched.state.over else ""
    print(f"lrtui: the screen broke: {why}{goes_on}", file=sys.stderr)
    return ExitCode.ALL_FAILED


def tell(run: Path, as_json: bool, signals: Signals | None = None, *, resumed: bool = False) -> int:
    """Lines until the run has ended. With `signals`, an interrupt stops the race, and the end of it is still told.

    `resumed`: a crew is about to take it up again; the ends that are on record are not its end.
    """
    from lrtui.plain import JsonLines, PlainLines, play
    came: Callable[[], bool] = signals.came if signals else lambda: False
    with signals.kept() if signals else nullcontext():
        if resumed:
            _until_taken_up(run, came)
        follower = Follower(run, wanted().memory * 1_000_000)
        lines = JsonLines(follower) if as_json else PlainLines()
        told = play(follower, lines, lambda: came() or (signals is not None and _only_relegated(follower)))
    if not told:
        _stop_all(follower, for_good=not came(), resumed=resumed)
        play(follower, lines)
    if came():
        print(f"lrtui: interrupted; to go on: lrtui resume {follower.run.name}", file=sys.stderr)
        return ExitCode.INTERRUPTED
    return _outcome(follower)


def _only_relegated(follower: Follower) -> bool:
    """Whether nothing is left but lanes that the race itself has paused: without a screen nobody would resume them."""
    return follower.state.race.relegation is not None and follower.caught_up and not follower.state.training


def _stop_all(follower: Follower, *, for_good: bool, resumed: bool) -> None:
    """Stops every lane, and waits until each has answered: its end is on record then. Of a race that is being taken up, also
    those whose new beginning is not on record yet."""
    lanes = [lane for lane in follower.state.lanes if not lane.over or (resumed and lane.status in UNFINISHED)]
    try:
        numbers = follower.send(Stop(lane=lane.index, for_good=for_good) for lane in lanes)
    except StoreUnavailable as error:
        raise LrtuiError("the race could not be told to stop: " + error.message, "it goes on; see `lrtui watch`") from error
    until = time.monotonic() + TAKEN_UP_S
    while len(follower.results(numbers)) < len(numbers) and not follower.crew_gone and time.monotonic() < until:
        time.sleep(0.02)


def _until_taken_up(run: Path, came: Callable[[], bool]) -> None:
    """Waits until a lane goes on, or the crew has gone again, or an interrupt came."""
    until = time.monotonic() + TAKEN_UP_S
    reader = Reader(run)
    while time.monotonic() < until and not came():
        crew = reader.crew()
        if not reader.outcome()[0] or crew is None or not crew.alive():
            break
        time.sleep(0.02)
    reader.close()


def _outcome(follower: Follower) -> int:
    failed = all(lane.status in (*FAILED, "interrupted") for lane in follower.state.lanes)
    return ExitCode.ALL_FAILED if failed else ExitCode.RACED


def _leave(follower: Follower | None) -> int:
    """What stays in the scrollback when the screen is gone."""
    if follower is None:
        return ExitCode.RACED
    from lrtui.report.text import print_report
    console = paper()
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
