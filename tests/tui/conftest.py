"""A held clock, fake runs, and viewers on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lrtui.client.follower import Follower
from lrtui.tui import keys
from lrtui.tui.tiers import Look
from support.fake_run import make_run
from support.viewer import Clock, hold_the_time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Every clock of the screens, held."""
    return hold_the_time(monkeypatch)


@pytest.fixture
def _usual_look() -> Iterator[None]:
    """For tests that choose colours, a theme, glyphs or keys (`Look(...).use()`, `Viewer(look=...,
    wanted=...)`): afterwards all is as it was."""
    yield
    Look().use()
    keys.choose({})


@pytest.fixture(scope="session")
def over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a lane of each kind whose supervisor is long gone; tests only read it."""
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A run of three lanes that are 60 steps far; its supervisor is this process."""
    return make_run(tmp_path, ("steady", "diverges", "paints"), done=60, live=True)


@pytest.fixture
def follower(over: Path) -> Iterator[Follower]:
    """What is known of the run `over`, all of it."""
    found = Follower(over)
    while not found.caught_up:
        found.poll(5.0)
    yield found
    found.close()
