"""Finds a learning rate: a sweep, what the rules make of it, and a short race that checks it. Knows
no torch and no screen.

Both are ordinary races on supervisors of their own, in the runs folder like any other; nothing of
the model, its optimizer or the random state that they used is left when they end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.core.errors import ScenarioError, StoreUnavailable
from lrtui.core.numbers import rate as rate_in_words
from lrtui.core.protocol.commands import Stop
from lrtui.core.protocol.events import Alerted, AnyEvent, Rewound, Steps
from lrtui.core.protocol.thresholds import SMOOTHING
from lrtui.core.results.finder_result import Outcome, conclude, result_line
from lrtui.core.results.lr_suggestions import (
    FEWEST_POINTS,
    HEAD,
    LEAST_USABLE,
    TAIL,
    Found,
    Rise,
    find,
)
from lrtui.core.scenario.spec import (
    MAX_LANES,
    Lane,
    Race,
    ScheduleSpec,
    letter,
    unique_name,
    with_seeds,
)
from lrtui.core.series.ema import Ema
from lrtui.core.state.status import FAILED

LOW, HIGH, POINTS = 1e-7, 10.0, 100
MOST_POINTS = 10_000
DECADES = tuple(10.0**power for power in range(-5, 1))
"""The rates of a race without a sweep, where none are given."""
FACTORS = {"valley / 3": 1 / 3, "valley": 1.0, "valley x 3": 3.0, "valley x 10": 10.0}
"""Rates of the check's lanes, as multiples of the valley."""
SHORT_EPOCH, CHECK_STEPS = 20, 50
"""Of an epoch with fewer steps than the first the check takes several: at least as many as make the
second."""
NEVER = 10**12


class FinderPlan(msgspec.Struct, frozen=True):
    """The search of a rate for `lane`, its optimizer and recipe, on the race's task, with the
    race's seed, batch size and device."""

    race: Race
    lane: Lane
    low: float = LOW
    high: float = HIGH
    points: int = POINTS
    rates: tuple[float, ...] = ()
    """If given, these rates race for an epoch, and there is no sweep."""
    own_lanes: bool = True
    """True if the lanes of `race` are the user's: then they race beside the rate that was found."""

    def lane_at(self, lr: float, sign: str, name: str) -> Lane:
        """The lane at another rate, without a schedule, with the race's seed and budget."""
        return msgspec.structs.replace(
            self.lane,
            letter=sign,
            name=name,
            lr=lr,
            schedule=None,
            schedule_at="",
            expect="",
            seed=0,
            length=None,
            schedule_length=None,
        )

    def rate(self, step: int) -> float:
        """The rate that the sweep applies at a step."""
        return float(self.low * (self.high / self.low) ** (step / (self.points - 1)))


def plan(
    race: Race,
    lane: Lane | None = None,
    *,
    low: float = LOW,
    high: float = HIGH,
    points: int = POINTS,
    rates: Sequence[float] = (),
    own_lanes: bool = True,
) -> FinderPlan:
    """A checked plan for `lane`, by default the race's first; ScenarioError, in the words of the
    flags, for what cannot be swept."""
    if race.script:
        raise no_finder(race.title)
    for flag, value in (("--from", low), ("--to", high), *(("--lr", rate) for rate in rates)):
        if not (math.isfinite(value) and value > 0):
            raise ScenarioError(
                f"{flag}: {value:g} is not a valid learning rate",
                "expected a finite number above 0",
            )
    if not low < high:
        raise ScenarioError(
            f"--from {low:g} is not below --to {high:g}",
            "expected a range that rises, such as 1e-7 to 10",
        )
    if not FEWEST_POINTS <= points <= MOST_POINTS:
        raise ScenarioError(
            f"--points: invalid value {points}",
            f"expected {FEWEST_POINTS} to {MOST_POINTS}: the rules need {LEAST_USABLE} "
            f"points, and leave out one in {HEAD} at the beginning and {TAIL} at the end",
        )
    if len(rates) > MAX_LANES:
        raise ScenarioError(
            f"--lr: {len(rates)} lanes are too many", f"expected at most {MAX_LANES}"
        )
    return FinderPlan(
        race, lane or race.lanes[0], low, high, points, tuple(dict.fromkeys(rates)), own_lanes
    )


def no_finder(script: str) -> ScenarioError:
    """The refusal to find a rate for a script."""
    return ScenarioError(
        f"{script}: the finder cannot set a script's rate at each step",
        "expected a task; of a script race some rates: lrtui race train.py --lr 1e-2 --lr 1e-3",
    )


def sweep_race(asked: FinderPlan) -> Race:
    """One lane whose rate rises by the same factor at each step; the follower stops it once it has
    diverged."""
    schedule = ScheduleSpec("range-test", "batch", {"to": asked.high})
    lane = msgspec.structs.replace(
        asked.lane_at(asked.low, "A", f"{asked.lane.optimizer.short} sweep"),
        schedule=schedule,
        # nothing is evaluated
        recipe=msgspec.structs.replace(asked.lane.recipe, ema=0.0),
    )
    return _short(
        asked.race, "finder", "find", (lane,), steps=asked.points, gauge=False, validate=False
    )


def check_race(asked: FinderPlan, rates: dict[str, float], **budget: int) -> Race:
    """A lane for each of the named rates, from the lowest to the highest; `budget`: epochs or
    steps."""
    pairs = sorted(rates.items(), key=lambda pair: pair[1])
    lanes = tuple(asked.lane_at(lr, letter(index), name) for index, (name, lr) in enumerate(pairs))
    return _short(
        asked.race, "one-epoch race" if asked.rates else "finder's check", "check", lanes, **budget
    )


def full_race(asked: FinderPlan, winner: float) -> Race:
    """The full race: its own lanes and one at the rate that was found; or that rate, a third, three
    times."""
    race = asked.race
    found = {f"found {rate_in_words(winner, 3)}": winner}
    if not asked.own_lanes:
        found |= {
            f"{rate_in_words(winner * factor, 3)}, {words}": winner * factor
            for words, factor in (("a third", 1 / 3), ("three times", 3.0))
            if math.isfinite(winner * factor)
        }
    lanes = list(race.lanes if asked.own_lanes else ())
    taken = {lane.name for lane in lanes}
    for name, lr in found.items():
        sign = letter(len(lanes) // race.seeds)
        lane = asked.lane_at(lr, sign, unique_name(name, taken, sign))
        lanes += with_seeds([lane], race.seeds)
    return msgspec.structs.replace(race, lanes=tuple(lanes))


def _short(race: Race, words: str, suffix: str, lanes: tuple[Lane, ...], **budget: Any) -> Race:
    """A race of the same task, seed, batches and device that is not watched for its pictures nor
    slowed down for the eye. It is too short for a judgement by the validation loss."""
    changes = {"epochs": None, "steps": None, "on_divergence": "warn", **budget}
    changes |= {"rank_by": "loss", "best": "", "rank_at": "last", "seeds": 1}
    return msgspec.structs.replace(
        race,
        title=f"{race.title} ({words})",
        scenario=f"{race.scenario or race.task.name}-{suffix}",
        story="",
        lanes=lanes,
        pace=0,
        sample_every=NEVER,
        **changes,
    )


class LrFinder:
    """A plan on its way: call `advance` (it waits) whenever it is `due`, `poll` all the time, until
    it is `over`."""

    def __init__(
        self,
        asked: FinderPlan,
        runs: Path,
        launcher: Launcher | None = None,
        *,
        race_after: bool = False,
    ) -> None:
        """`launcher`: one that is warm already. `race_after`: keep one warm for the full race."""
        self.plan = asked
        self.runs = runs
        self.sweep: Follower | None = None
        self.check: Follower | None = None
        self.found: Found | None = None
        self.outcome: Outcome | None = None
        """The conclusion; None until the end."""
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smooth: list[float] = []
        """The sweep so far, a point for each step."""
        self._average, self._rise = Ema(SMOOTHING), Rise(asked.points)
        self._bad: int | None = None
        self._risen = False
        """True once the sweep has risen far above its best: later points do not count."""
        self._launcher: Launcher | None = launcher
        self._starting: Launcher | None = None
        self._race_after = race_after
        self._stopped = self._stop_sent = False

    @property
    def over(self) -> bool:
        return self.outcome is not None

    @property
    def due(self) -> bool:
        """True if the next race can be started."""
        ready = self.found is not None or bool(self.plan.rates) or self.sweep is None
        return ready and self.check is None and not self.over and not self._stopped

    @property
    def follower(self) -> Follower | None:
        """The run that is going on, or was the last."""
        return self.check or self.sweep

    def advance(self) -> None:
        """Starts the sweep, or the check: waits until torch is loaded. LrtuiError if it cannot
        start."""
        if self.found is None and not self.plan.rates:
            self.sweep = self._start(sweep_race(self.plan), more=True)
        else:
            rates, budget = self._to_check()
            self.check = self._start(check_race(self.plan, rates, **budget), more=self._race_after)
        if self._stopped:
            self.stop()  # stopped while it waited

    def poll(self, budget_s: float = 0.05) -> list[AnyEvent]:
        """Events of the present run; draws the conclusion once it has ended."""
        follower = self.follower
        if follower is None or self.over:
            return []
        events = follower.poll(budget_s)
        if follower is self.sweep:
            self._take(events)
            if self._risen and not self._stop_sent:
                self._stop_sent = True
                self._send_stop(follower)
        if follower.caught_up and follower.state.over:
            self._conclude(follower)
        return events

    def start_full_race(self) -> Path:
        """Starts the full race, with the winner in it: waits until torch is loaded; returns its
        run."""
        assert self.outcome is not None
        assert self.outcome.winner is not None
        follower = self._start(full_race(self.plan, self.outcome.winner.lane.lr), more=False)
        follower.close()
        return follower.run

    def result(self) -> dict[str, Any]:
        """The result as one JSON object."""
        assert self.outcome is not None
        runs = [str(follower.run) for follower in (self.sweep, self.check) if follower]
        return result_line(self.found, self.outcome, self.check.state if self.check else None, runs)

    def stop(self) -> None:
        """Ends whatever is going on; nothing more is started."""
        self._stopped = True
        for follower in (self.sweep, self.check):
            if follower is not None and not follower.state.over:
                self._send_stop(follower)
        self.close()

    def _send_stop(self, follower: Follower) -> None:
        try:
            follower.send(Stop(lane=lane.index) for lane in follower.state.lanes if not lane.over)
        except StoreUnavailable:
            pass  # a sweep and a check are short: they end by themselves

    def interrupt(self) -> None:
        """Ends the supervisors that have started nothing, or are about to; may be called from a
        signal handler."""
        for launcher in (self._launcher, self._starting):
            if launcher is not None:
                launcher.interrupt()

    def close(self) -> None:
        """Ends the supervisor that is kept warm."""
        for launcher in (self._launcher, self._starting):
            if launcher is not None:
                launcher.close()
        self._launcher = None

    def _start(self, race: Race, *, more: bool) -> Follower:
        """A race on the warm supervisor, started; the next one begins to warm up meanwhile."""
        self._starting, self._launcher = self._launcher or Launcher(), Launcher() if more else None
        try:
            follower = Follower(self._starting.start(race, self.runs))
            self._starting = None
            return follower
        except BaseException:  # whatever kept it: no supervisor is left behind
            self.close()
            raise

    def _to_check(self) -> tuple[dict[str, float], dict[str, int]]:
        """The rates to check by name, and for how many epochs; or steps, where the data has no
        length."""
        if self.plan.rates:
            return {rate_in_words(rate): rate for rate in self.plan.rates}, {"epochs": 1}
        assert self.found is not None
        assert self.sweep is not None
        headline = self.found.suggestions["valley"]
        rates = {
            name: headline * factor
            for name, factor in FACTORS.items()
            if math.isfinite(headline * factor)
        }
        started = self.sweep.state.lanes[0].started
        steps = started.steps_per_epoch if started else CHECK_STEPS
        if started and not started.length_known:
            return rates, {"steps": self.plan.points}
        return rates, {"epochs": 1 if steps >= SHORT_EPOCH else math.ceil(CHECK_STEPS / steps)}

    def _take(self, events: list[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, Alerted) and event.kind == "nan":
                self._bad = event.step
            elif isinstance(event, Rewound):  # its process was lost: the same steps come again
                del self.rates[event.step :], self.losses[event.step :], self.smooth[event.step :]
                self._average, self._rise, self._bad, self._risen = (
                    Ema(SMOOTHING),
                    Rise(self.plan.points),
                    None,
                    False,
                )
                for loss in self.losses:
                    self._risen = self._rise.over(loss, self._average.update(loss))
            elif isinstance(event, Steps):
                for lr, loss in zip(
                    event.values("applied_lr").tolist(), event.values("loss").tolist(), strict=True
                ):
                    if self._risen:
                        return
                    # the lane's own: nothing was applied at a step whose update was refused, and
                    # the first of a task's
                    # param groups may have a rate of its own, or a multiple of the lane's
                    lanes = self.plan.rate(len(self.rates))
                    self.rates.append(lr if math.isclose(lr, lanes, rel_tol=1e-6) else lanes)
                    self.losses.append(loss)
                    self.smooth.append(self._average.update(loss))
                    self._risen = self._rise.over(loss, self.smooth[-1])

    def _conclude(self, follower: Follower) -> None:
        if follower is self.sweep:
            lane = follower.state.lanes[0]
            self.found = find(
                self.rates, self.losses, self._bad, self.plan.points, dead=lane.findings.dead
            )
            cut_off = lane.status == "interrupted" and not self._risen
            if self.found.suggestions and lane.status not in FAILED and not cut_off:
                return
        self.outcome = conclude(
            self.found,
            self.sweep.state if self.sweep else None,
            self.check.state if self.check else None,
        )
