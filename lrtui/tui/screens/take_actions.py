"""The action that takes a lane's weights home. Knows no Textual."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import NamedTuple

from lrtui.client.commands import CommandClient
from lrtui.client.follower import Follower
from lrtui.client.winner import chosen
from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.screens.forms import FieldError, Form
from lrtui.tui.screens.ui import Severity, Ui
from lrtui.tui.subcommand import run_command
from lrtui.tui.view import RaceView

SHOWN_S = 12.0
WHICH = ("its best evaluation", "its last step")


class _Answer(NamedTuple):
    lane: str
    """The letter of a lane, or of a group of seeds."""
    file: Path
    last: bool


class TakeActions:
    """Takes the weights of the selected lane home, of several seeds the best, by `lrtui take`."""

    def __init__(self, follower: Follower, view: RaceView, commands: CommandClient, ui: Ui) -> None:
        self._follower, self._state, self._view = follower, follower.state, view
        self._commands, self._ui = commands, ui

    def take(self) -> None:
        """Ask for a file, and write the weights into it."""
        self._commands.allow("take")
        if not self._view.shown:
            raise LrtuiError(f"no lane is shown: {self._view.keymap.read('view.back')} shows all")
        group, leader = self._view.groups[self._view.selected], self._leader()
        leads = leader in group.lanes
        other = "" if leads or leader is None else f" {leader.lane.called} is ahead of it."
        seeds = " The seed with the best value is taken." if len(group.lanes) > 1 else ""
        self._ui.ask(
            Form(
                f"Take the weights of {group.called} home",
                {"file": ("write them to", str(_free("best" if leads else group.letter)))},
                lambda given: _read(given, group),
                choices=WHICH,
                explain=(
                    "A state_dict that torch.load reads. The scenario beside it, with the ending"
                    f" .toml, reproduces the lane and says how to load the weights.{seeds}{other}"
                ),
                edited=True,
            ),
            self._on_answer,
        )

    def _leader(self) -> LaneState | None:
        try:
            return chosen(self._state, None)[0]
        except LrtuiError:
            return None

    def _on_answer(self, answer: _Answer | None) -> None:
        if answer is not None:
            self._ui.show(f"writing {answer.file} ...", SHOWN_S)  # torch is loaded for it
            self._ui.in_thread(lambda: self._write(answer), lambda done: self._ui.show(*done))

    def _write(self, answer: _Answer) -> tuple[str, float, Severity]:
        """Write the file; return the message to show. Runs in a thread."""
        words = ["take", str(self._follower.run), answer.lane, "--to", str(answer.file)]
        try:
            lines = run_command(*words, *(["--last"] if answer.last else []))
        except LrtuiError as error:
            return str(error), SHOWN_S, "warning"
        return lines[0] if lines else f"{answer.file} is written", SHOWN_S, "information"


def _free(stem: str) -> Path:
    """A file in the working directory that is not there yet, nor the scenario beside it."""
    paths = (Path.cwd() / f"{stem}{f'-{number}' if number > 1 else ''}.pt" for number in count(1))
    return next(path for path in paths if not any(map(os.path.lexists, _written(path))))


def _written(path: Path) -> tuple[Path, Path]:
    return path, path.with_suffix(".toml")


def _read(given: dict[str, str], group: SeedGroup) -> _Answer:
    path = absolute(given["file"].strip())
    if not given["file"].strip() or os.path.isdir(path):
        raise LrtuiError(
            f"{one_line(str(path))}: not a file", "expected the name of a file, such as best.pt"
        )
    for file in _written(path):
        if os.path.lexists(file):
            raise FieldError(
                "file",
                LrtuiError(f"{one_line(str(file))} is there already", "expected another name"),
            )
    return _Answer(group.letter, path, given["choice"] == "1")
