"""Several runs side by side: the settings in which their races differ, and the values of lanes that
several runs have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lrtui.core.results.batch_size import batch_words
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line

TASK = "task"


class Difference(NamedTuple):
    """A setting that the runs do not share."""

    what: str
    values: list[str]
    """Of each run, in their order."""

    @property
    def sentence(self) -> str:
        """It in words: "seed: 7, 8"."""
        return one_line(f"{self.what}: {', '.join(self.values)}")


def run_differences(states: Sequence[RaceState]) -> list[Difference]:
    """The settings of races, other than those of lanes, that differ between runs."""
    rows = [_settings(state) for state in states]
    return [
        Difference(what, values)
        for what in rows[0]
        if len(set(values := [row[what] for row in rows])) > 1
    ]


def _settings(state: RaceState) -> dict[str, str]:
    race = state.race
    return {
        TASK: str(race.task),
        "seed": _seed(race),
        "seeds": str(race.seeds),
        "budget": race.budget or "not known",
        "batch size": batch_words(state.lanes, race) or "not known",
        "last batch": "left out if short" if race.drop_last else "as it is",
        "device": race.device,
        "ranked by": " ".join(filter(None, (race.rank_by or "default", race.best, race.rank_at))),
        "on_nan": race.on_nan,
        "on_divergence": race.on_divergence,
        "pruning": "yes" if race.pruning else "no",
    }


def _seed(race: Race) -> str:
    return str(race.seed) if race.script is None or race.script.seeded else "none"
