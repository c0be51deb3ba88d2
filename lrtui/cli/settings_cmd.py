"""`lrtui settings`: path and content of the settings file, and detected values of unset keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import click

from lrtui.cli.appearance import chosen, look_options
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.output import complain
from lrtui.core.text import literal, one_line
from lrtui.core.toml import toml_key, toml_value
from lrtui.terminal import settings


@click.command("settings")
@look_options
def show_settings() -> int:
    """Print the settings, as they go for this terminal, in the form of the file that they can be
    changed in."""
    found = chosen()
    file = settings.path()
    print(
        literal(f"# {file}{'' if os.path.exists(file) else ' (does not exist: all is as usual)'}")
    )
    for name in ("theme", "colors", "glyphs"):
        note = "" if getattr(found.settings, name) else "  # by the terminal or a flag"
        print(f'{name} = "{getattr(found.look, name)}"{note}')
    print(
        f"fps = {found.look.fps}\nmemory = {found.settings.memory}  # megabytes of history\n"
        f'bell = {str(found.settings.bell).lower()}\nnotify = "{found.settings.notify}"'
    )
    print("\n[keys]")
    for line in _keys(found.settings.keys):
        print(one_line(line))
    for words in found.faults:
        complain(words)
    return ExitCode.BAD_INPUT if found.faults else ExitCode.RACED


def _keys(own: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Every key by its id: as in the file, else as a comment with its default."""
    from lrtui.tui import key_names
    from lrtui.tui.key_table import ALL

    for key in (key for table in ALL for key in table):
        signs = ((key_names.read(name), name) for name in key.keys)
        written = own.get(key.id) or tuple(
            sign if len(sign) == 1 and sign.isascii() else name for sign, name in signs
        )
        line = f"{toml_key(key.id)} = {toml_value(written)}"
        yield line if key.id in own else f"# {line} # {key.name}"
