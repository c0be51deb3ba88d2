"""A crew that is warming up, seen from whoever started it."""

from __future__ import annotations

import signal
import threading

import pytest

from lrtui.client.launcher import Crew
from lrtui.core.errors import LaunchError, LrtuiError
from lrtui.core.scenario import scenario_file

from .waiting import until


def test_closing_a_crew_ends_it_at_once_and_frees_whoever_waits_for_its_answer():
    crew, race = Crew(), scenario_file.load("lr-dial")
    said: list[LrtuiError] = []

    def ask() -> None:
        with pytest.raises(LaunchError) as error:
            crew.preview(race)
        said.append(error.value)
    asking = threading.Thread(target=ask)
    asking.start()
    until(crew._lock.locked, "the question")
    crew.close()
    asking.join(60)
    assert said
    assert crew._process.wait(60) == -signal.SIGTERM  # long before it would have had torch


def test_a_crew_answers_more_than_once_and_a_refusal_does_not_end_it(tmp_path):
    crew, race = Crew(), scenario_file.load("effective-lr")
    with pytest.raises(LrtuiError, match="cuda:99"):
        crew.start(scenario_file.load("lr-dial", {"device": "cuda:99"}), tmp_path / "runs")
    assert [preview.total for preview in crew.preview(race)] == [10, 10, 10]
    crew.close()
    assert not (tmp_path / "runs").exists()
