"""Scenario files written by hand, and checks of the errors about them."""

import re
from pathlib import Path

import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race

TASK = "class Mine:\n    pass\n\n\nclass Other:\n    pass\n"
"""The task file of the fixture `folder`."""
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys, and those that reorder text."""
HEAD = 'task = "linear-toy"\nsteps = 10\n'
"""A scenario without lanes."""
LANE = HEAD + "[[lane]]\n"
"""A scenario of one lane."""
THREE = (
    HEAD
    + """
[defaults]
weight_decay = 0.1
[[lane]]
name = "one"
lr = 0.1
[[lane]]
name = "two"
lr = 0.2
schedule = "linear"
[[lane]]
name = "three"
optimizer = "SGD"
lr = 0.1
momentum = 0.9
schedule = "linear"
"""
)


def write_scenario(folder: Path, text: str | bytes, name: str = "race.toml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load_scenario(
    folder: Path, text: str | bytes, changes: dict[str, object] | None = None
) -> Race:
    """The race of a file race.toml with this text, with `changes` laid over it."""
    return scenario_file.load(str(write_scenario(folder, text)), changes)


def assert_refused(folder: Path, text: str | bytes, words: list[str]) -> None:
    """The scenario raises an error that names its file and has these parts."""
    with pytest.raises(LrtuiError) as refused:
        load_scenario(folder, text)
    assert "race.toml" in refused.value.message
    for word in words:
        assert word in str(refused.value)
    assert_readable(refused.value)


def assert_readable(error: LrtuiError) -> None:
    """At most three lines without control characters: file and key, then what was expected."""
    text = str(error)
    assert not CONTROL.search(text), text
    assert text.count("\n") <= 2
    assert error.hint.startswith("expected "), error.hint
