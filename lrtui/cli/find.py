"""`lrtui find`: a learning rate, by a sweep and a short race that checks it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from lrtui.cli.appearance import look_options, paper
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.frontends import has_screen, open_screen
from lrtui.cli.options import json_option, plain_option, recipe_options, runs_folder, runs_option
from lrtui.cli.output import complain
from lrtui.cli.plain_frontend import print_run
from lrtui.cli.race_flags import read_race
from lrtui.cli.signals import Signals
from lrtui.client.follower import Follower
from lrtui.client.lr_finder import DECADES, HIGH, LOW, POINTS, FinderPlan, LrFinder, no_finder, plan
from lrtui.core.errors import LaunchError, ScenarioError
from lrtui.core.numbers import loss, rate
from lrtui.core.protocol.event_lines import alert_line
from lrtui.core.protocol.events import Alerted, AnyEvent
from lrtui.core.results.finder_result import point_line
from lrtui.core.streams import OutputLost

if TYPE_CHECKING:
    from lrtui.plain.json_lines import JsonLines

_MODES = {"sweep": "--from, --to and --points", "race": "--lr"}


@click.command()
@click.argument("name", metavar="[SCENARIO]", required=False)
@click.option(
    "--task", metavar="REF", help="What to train: bundled name, file.py:Name or module:Name."
)
@click.option(
    "--optimizer",
    metavar="NAME",
    help="Default: that of the scenario's first lane, with its options.",
)
@click.option(
    "--from", "low", type=float, help=f"The lowest rate of the sweep.  [default: {LOW:g}]"
)
@click.option("--to", "high", type=float, help=f"The highest one.  [default: {HIGH:g}]")
@click.option(
    "--points", type=int, help=f"How many rates, a training step each.  [default: {POINTS}]"
)
@click.option(
    "--mode",
    type=click.Choice(list(_MODES)),
    default="sweep",
    show_default=True,
    help="sweep, then a check; or race: an epoch at each of some rates, and no sweep.",
)
@click.option(
    "--lr",
    "rates",
    multiple=True,
    type=float,
    help="A rate of --mode race; default: 1e-5, 1e-4, ... 1.",
)
@click.option(
    "--race", "race_after", is_flag=True, help="Then start the full race with the winner in it."
)
@click.option("--batch-size", type=click.IntRange(1), help="Samples per batch.")
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of weights, batch order and all random generators."
)
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")
@recipe_options
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any key of the scenario, as in TOML: --set defaults.momentum=0.9",
)
@runs_option
@look_options
@plain_option
@json_option
def find(race_after: bool, runs: str | None, plain: bool, as_json: bool, **flags: Any) -> int:
    """Find a learning rate for a SCENARIO (a name or a .toml file), or for a task of your own with
    --task."""
    asked = read_plan(flags)
    folder = runs_folder(runs)
    if not (plain or as_json or not has_screen(say=True)):
        return open_screen(folder, asked=asked, race_after=race_after)
    finder = LrFinder(asked, folder, race_after=race_after)
    lines = _JsonPoints() if as_json else _PlainPoints()
    with Signals() as signals:
        try:
            if not _play(finder, lines, signals):
                return _stopped(finder)
            if finder.outcome is None or finder.outcome.winner is None:
                return ExitCode.ALL_FAILED
            if not race_after:
                return ExitCode.RACED
            with signals.waiting_for(finder):
                run = finder.start_full_race()
            return print_run(run, as_json, signals)
        except OutputLost as lost:
            finder.stop()
            complain(f"standard output: {lost}; the search has been stopped")
            return ExitCode.OUTPUT_LOST
        except (KeyboardInterrupt, LaunchError):
            if signals.came():
                return _stopped(finder)
            finder.stop()
            raise
        except BaseException:  # an interrupt during the start leaves no supervisor behind
            finder.stop()
            raise
        finally:
            finder.close()


def _stopped(finder: LrFinder) -> int:
    """The end of a finder that was interrupted."""
    finder.stop()
    complain("interrupted; the search has been stopped")
    return ExitCode.INTERRUPTED


def read_plan(flags: dict[str, Any]) -> FinderPlan:
    """Read the finder's plan from the flags."""
    flags = dict(flags)
    name, mode, rates, optimizer = (
        flags.pop(key) for key in ("name", "mode", "rates", "optimizer")
    )
    sweep = {key: flags.pop(key) for key in ("low", "high", "points")}
    given = {key: value for key, value in sweep.items() if value is not None}
    if (rates and mode == "sweep") or (given and mode == "race"):
        raise ScenarioError(
            f"--mode {mode} does not go with {_MODES['race' if rates else 'sweep']}",
            f"expected {_MODES[mode]} with it",
        )
    if not name and not flags["task"]:
        raise ScenarioError(
            "nothing to find a rate for",
            "name a scenario (see `lrtui scenarios`), or a task with --task file.py:Name",
        )
    if name and name.endswith(".py"):
        raise no_finder(name)
    common = {"rates": (), "schedule": None, "epochs": None, "steps": None}
    race = read_race(name, {**flags, **common, "optimizers": ()})
    wanted = (
        read_race(name, {**flags, **common, "optimizers": (optimizer,)}).lanes[0]
        if optimizer
        else None
    )
    return plan(
        race,
        wanted,
        **given,
        rates=(rates or DECADES) if mode == "race" else (),
        own_lanes=bool(name),
    )


def _play(finder: LrFinder, lines: _JsonPoints | _PlainPoints, signals: Signals) -> bool:
    """Tells a finder from its beginning to its end; False where it was interrupted."""
    from lrtui.plain import POLL_S

    while not finder.over:
        if finder.due:
            with signals.waiting_for(finder):  # it waits for torch: an interrupt need not
                finder.advance()
        with signals.impatient():
            follower = finder.follower
            assert follower is not None
            for event in finder.poll(1.0):
                lines.write(finder, follower, event)
            lines.tick(finder)
        if signals.came():
            return False
        if follower.caught_up and not finder.over and not finder.due:
            time.sleep(POLL_S)
    with signals.impatient():
        lines.finish(finder)
    return True


class _JsonPoints:
    """JSON Lines: points of the sweep, events of the check as of any race, and the result."""

    def __init__(self) -> None:
        self._written = 0
        self._check: JsonLines | None = None

    def write(self, finder: LrFinder, follower: Follower, event: AnyEvent) -> None:
        """One event; of the sweep, alerts alone: its steps are the points."""
        if follower is finder.check:
            from lrtui.plain.json_lines import JsonLines

            self._check = self._check or JsonLines(follower)
            self._check.write(follower.state, event)
        elif isinstance(event, Alerted):
            self.tick(finder)
            self._write(
                alert_line(
                    event.kind, follower.state.lanes[event.lane].lane.letter, event.step, event.text
                )
            )

    def tick(self, finder: LrFinder) -> None:
        """The points that are new."""
        for step in range(self._written, len(finder.losses)):
            self._write(
                point_line(step, finder.rates[step], finder.losses[step], finder.smooth[step])
            )
        self._written = len(finder.losses)

    def finish(self, finder: LrFinder) -> None:
        """The result."""
        self._write(finder.result())

    def _write(self, line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
        sys.stdout.flush()


class _PlainPoints:
    """Text for people: a line a second, then the chart, the check's standings and what follows from
    them."""

    def __init__(self) -> None:
        from lrtui.plain.text_lines import PlainLines

        self._check = PlainLines()
        self._ticked = time.monotonic()
        self._heading = ""

    def write(self, finder: LrFinder, follower: Follower, event: AnyEvent) -> None:
        """Write the lines of an event, if it has any."""
        self._say("sweep:" if follower is finder.sweep else "check:")
        self._check.write(follower.state, event)

    def tick(self, finder: LrFinder) -> None:
        """A line a second of how far it is."""
        if time.monotonic() - self._ticked < 1.0 or finder.over:
            return
        self._ticked = time.monotonic()
        if finder.check is not None:
            self._check.tick(finder.check.state)
        elif finder.losses:
            place = (
                f"step {len(finder.losses)}/{finder.plan.points}  lr {rate(finder.rates[-1], 3)}"
            )
            print(
                f"{place}  loss {loss(finder.losses[-1])}  average {loss(finder.smooth[-1])}",
                flush=True,
            )

    def finish(self, finder: LrFinder) -> None:
        """Write charts, standings and conclusions."""
        from lrtui.report.text import print_outcome

        assert finder.outcome is not None
        print_outcome(
            paper(), finder.found, finder.outcome, finder.check.state if finder.check else None
        )
        for follower in (finder.sweep, finder.check):
            if follower is not None:
                print(f"run: {follower.run}")

    def _say(self, heading: str) -> None:
        if heading != self._heading:
            self._heading = heading
            print(heading, flush=True)
