"""A supervisor that is warming up, seen from whoever started it."""

from __future__ import annotations

import signal
import threading

import pytest

from lrtui.client.launcher import Launcher
from lrtui.core.errors import LaunchError, LrtuiError
from lrtui.core.scenario import scenario_file
from support.waiting import PATIENCE_S, until


def test_close_terminates_supervisor_and_fails_a_pending_preview():
    supervisor, race = Launcher(), scenario_file.load("lr-dial")
    said: list[LrtuiError] = []

    def ask() -> None:
        with pytest.raises(LaunchError) as error:
            supervisor.preview(race)
        said.append(error.value)

    asking = threading.Thread(target=ask)
    asking.start()
    until(supervisor._lock.locked, "the question")
    supervisor.close()
    asking.join(PATIENCE_S)
    assert said
    assert (
        supervisor._process.wait(PATIENCE_S) == -signal.SIGTERM
    )  # long before it would have had torch


def test_a_supervisor_answers_more_than_once_and_a_refusal_does_not_end_it(tmp_path):
    supervisor, race = Launcher(), scenario_file.load("effective-lr")
    with pytest.raises(LrtuiError, match="cuda:99"):
        supervisor.start(scenario_file.load("lr-dial", {"device": "cuda:99"}), tmp_path / "runs")
    assert [preview.total for preview in supervisor.preview(race)] == [10, 10, 10]
    supervisor.close()
    assert not (tmp_path / "runs").exists()


def test_what_a_sitecustomize_prints_is_no_answer(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('site of this machine')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    supervisor = Launcher()
    assert supervisor.preview(scenario_file.load("effective-lr"))
    supervisor.close()


def test_close_survives_a_request_that_its_supervisor_did_not_read():
    launcher = Launcher()
    launcher._process.kill()
    launcher._process.wait()
    assert launcher._process.stdin is not None
    launcher._process.stdin.write(b"x" * 10)  # buffered: its flush fails
    launcher.close()
    assert launcher._process.stdin.closed
