"""Looks of screen and print: flags before settings, settings before the detected terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click
from rich.console import Console

from lrtui.cli.output import complain
from lrtui.terminal import settings
from lrtui.terminal.palette import COLORS, GLYPHS, THEMES, Glyphs
from lrtui.terminal.settings import FPS, Settings

if TYPE_CHECKING:
    from lrtui.tui.tiers import Look

_OPTIONS = (
    (
        "theme",
        click.Choice(THEMES),
        "Colours for a dark or a light background, or of high contrast.",
    ),
    ("colors", click.Choice(COLORS), "How many colours the terminal has."),
    (
        "glyphs",
        click.Choice(GLYPHS),
        "What curves are drawn with; ascii: nothing else on the whole screen.",
    ),
    ("fps", click.IntRange(*FPS), "Frames a second at most."),
)
_FLAGS = "lrtui.look"


def look_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --theme, --colors, --glyphs and --fps, which `chosen` finds wherever they were given."""
    for name, kind, words in reversed(_OPTIONS):
        command = click.option(
            f"--{name}", type=kind, expose_value=False, callback=_note, help=words
        )(command)
    return command


def _note(context: click.Context, option: click.Parameter, value: Any) -> Any:
    if value is not None:
        context.meta.setdefault(_FLAGS, {})[option.name] = value
    return value


class Chosen(NamedTuple):
    """Looks of this run of the program."""

    look: Look
    settings: Settings
    faults: list[str]
    """Faults of the settings file, a line for each."""


def chosen() -> Chosen:
    """The look, the settings, and what is wrong with them."""
    from lrtui.tui.keymap import faults

    wanted, wrong = settings.load(faults)
    return Chosen(_look(wanted), wanted, wrong)


def wanted() -> Settings:
    """Settings for commands without a screen; faults of the file are reported on stderr."""
    found, wrong = settings.load()
    for words in wrong:
        complain(words)
    return found


def _look(wanted: Settings) -> Look:
    from lrtui.tui.tiers import detect  # knows Textual, which takes its time to load

    given = click.get_current_context().meta.get(_FLAGS, {})
    encoding = getattr(sys.__stderr__, "encoding", None) or "ascii"  # where Textual writes
    look = detect(os.environ, encoding)
    configured = {
        name: getattr(wanted, name) for name, _, _ in _OPTIONS if getattr(wanted, name) is not None
    }
    return look._replace(**{**configured, **given})


class _Folding:
    """A file that gets its text in characters that the terminal has."""

    def __init__(self, file: IO[str], glyphs: Glyphs) -> None:
        from lrtui.tui.render.glyphs import fold

        self._file = file
        self._fold = partial(fold, tier=glyphs)

    def write(self, text: str) -> int:
        return self._file.write(self._fold(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def paper(*, stderr: bool = False) -> Console:
    """Console of what is printed: on a terminal in the colours and characters of the screen."""
    file = sys.stderr if stderr else sys.stdout
    if not file.isatty():
        return Console(highlight=False, stderr=stderr)
    look = _look(settings.load()[0])
    system: Any = {"truecolor": "truecolor", "256": "256", "16": "standard"}.get(look.colors)
    shown: Any = file if look.glyphs == "braille" else _Folding(file, look.glyphs)
    return Console(highlight=False, file=shown, color_system=system)
