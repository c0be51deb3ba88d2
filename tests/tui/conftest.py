"""Fake runs, and the usual look after tests that change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lrtui.client.follower import Follower
from lrtui.tui.tiers import Look
from support.fake_run import make_run


@pytest.fixture
def _usual_look() -> Iterator[None]:
    """For tests that choose colours, a theme or glyphs (`Look(...).use()`, `Viewer(look=...)`): afterwards all is as it was."""
    yield
    Look().use()


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
