"""The settings file: the user's wishes for every race's screen. Reads it, reports its faults,
writes single values.

A broken file, or a broken line of it, never keeps anything from working: it is reported once, and
the rest counts.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import platformdirs

from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute, read_small, replace
from lrtui.core.scenario import toml_source
from lrtui.core.text import closest, one_line
from lrtui.core.toml import toml_key, toml_value
from lrtui.terminal.palette import COLORS, GLYPHS, THEMES, Colors, Glyphs, Theme

Notify = Literal["auto", "osc9", "osc777", "osc99", "bell", "off"]
NOTIFY: tuple[Notify, ...] = get_args(Notify)
Keys = dict[str, tuple[str, ...]]
"""Keys that the user wants, by the id of a key in tui/key_table.py."""
FPS = 1, 30
MEMORY = 16, 1_000_000


class Settings(msgspec.Struct, frozen=True):
    """Values of the settings file; None if unset: then the terminal is asked."""

    theme: Theme | None = None
    colors: Colors | None = None
    glyphs: Glyphs | None = None
    fps: int = 10
    """Frames a second at most."""
    memory: int = 1000
    """Megabytes that the history of a race may take up in a viewer."""
    bell: bool = True
    """False: the bell never rings. Else it does at an alert, and at other news where `notify` comes
    down to the bell."""
    notify: Notify = "auto"
    """How news of a race are sent to the terminal's desktop; auto: as it knows, by its name."""
    keys: Keys = {}  # msgspec copies an empty default


Check = Callable[[Keys], Mapping[str, str]]
"""Says of the ids of keys what is wrong with them; those that it does not name are right."""


def path() -> Path:
    """Path of the file, existing or not: $LRTUI_CONFIG, else settings.toml in the platform's config
    folder."""
    given = os.environ.get("LRTUI_CONFIG")
    return (
        absolute(given) if given else Path(platformdirs.user_config_dir("lrtui")) / "settings.toml"
    )


def load(check_keys: Check | None = None) -> tuple[Settings, list[str]]:
    """Read the file; return its values and a line for each fault (file:line: key, what was
    expected)."""
    file = path()
    try:
        text = read_small(file).decode("utf-8")
        raw = tomllib.loads(text)
        own = _flat(raw["keys"]) if isinstance(raw.get("keys"), dict) else []
    except FileNotFoundError:
        return Settings(), []
    except (OSError, ValueError, RecursionError) as error:
        return Settings(), [one_line(f"{file}{_fault(error)}: the settings are not used")]
    lines = toml_source.lines(text)
    wrong: list[str] = []

    def complain(words: str, *key: str) -> None:
        at = lines.get(key) or lines.get(tuple(part for name in key for part in name.split(".")))
        line = f":{at}" if at else ""
        wrong.append(one_line(f"{file}{line}: {'.'.join(key)}: {words}"))

    values = {
        key: value
        for key, value in raw.items()
        if key != "keys" and _is_right(key, value, complain)
    }
    keys = _keys(own, complain)
    if not isinstance(raw.get("keys", {}), dict):
        complain('expected a table: [keys], and lines such as "lane.stop" = "X"', "keys")
    for name, words in (check_keys(keys) if check_keys is not None else {}).items():
        del keys[name]
        complain(words, "keys", name)
    return Settings(**values, keys=keys), wrong


def _fault(error: Exception) -> str:
    """Position and reason of a syntax error."""
    match error:
        case OSError():
            return f": {error.strerror or error}"
        case UnicodeDecodeError():
            return ": not UTF-8"
        case RecursionError():
            return ": nested too deeply"
    found = re.search(r"line (\d+)", str(error))
    return f"{':' + found[1] if found else ''}: {error}"


def _is_right(key: str, value: Any, complain: Callable[..., None]) -> bool:
    expected = _expected(key, value)
    if expected:
        complain(expected, key)
    return not expected


def _expected(key: str, value: Any) -> str:
    """What a key's value has to be; '' if `value` is valid."""
    words: dict[str, tuple[str, ...]] = {
        "theme": THEMES,
        "colors": COLORS,
        "glyphs": GLYPHS,
        "notify": NOTIFY,
    }
    ranges = {"fps": (*FPS, "frames a second"), "memory": (*MEMORY, "megabytes")}
    if key in words:
        right, expected = (
            value in words[key],
            "one of " + ", ".join(f'"{word}"' for word in words[key]),
        )
    elif key in ranges:
        low, high, unit = ranges[key]
        right = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        expected = f"a whole number from {low} to {high} ({unit})"
    elif key == "bell":
        right, expected = isinstance(value, bool), "true or false"
    else:
        known = (*words, *ranges, "bell", "keys")
        return f"no such setting{closest(key, known)}; there are {', '.join(known)}"
    return "" if right else f"expected {expected}"


def _keys(own: list[tuple[str, Any]], complain: Callable[..., None]) -> Keys:
    """Read the table [keys]: "key" or a list of keys for an id."""
    found: Keys = {}
    for name, value in own:
        if name in found:
            complain(
                "stands there twice, with and without quotes; the first one counts", "keys", name
            )
            continue
        given = [value] if isinstance(value, str) else value
        if isinstance(given, list) and given and all(isinstance(key, str) and key for key in given):
            found[name] = tuple(given)
        else:
            complain('expected a key, such as "ctrl+e", or a list of keys', "keys", name)
    return found


def _flat(table: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Ids with dots may be quoted or not: `lane.stop = "X"` without quotes is a table in a
    table."""
    return [
        pair
        for key, value in table.items()
        for pair in (
            _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, value)]
        )
    ]


def write(key: str, value: str) -> None:
    """Changes one of the settings that are text, and leaves all else in the file as it is;
    LrtuiError where it cannot.

    The file is there whole at any moment: as it was before, or as it is after.
    """
    file = Path(os.path.realpath(path()))  # a link to the file stays one
    line = f"{toml_key(key)} = {toml_value(value)}"
    try:
        if file.exists() and not file.is_file():
            raise LrtuiError(
                f"{file}: not a file: {key} is not kept",
                "expected the name of a file in LRTUI_CONFIG",
            )
        text = read_small(file).decode("utf-8") if file.exists() else ""
        head, tables = _split(text)
        pattern = re.compile(rf"^[ \t]*{key}[ \t]*=[^\r\n]*", re.MULTILINE)
        changed = (
            pattern.sub(line, head, count=1) if pattern.search(head) else f"{line}\n{head}"
        ) + tables
        if tomllib.loads(changed) != {**tomllib.loads(text), key: value}:
            raise LrtuiError(
                f"{file}: {key} could not be changed there", f"write {line} into it by hand"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, changed)
    except (OSError, ValueError, RecursionError) as error:
        raise LrtuiError(f"{file}: the settings could not be written{_fault(error)}") from error


def _split(text: str) -> tuple[str, str]:
    """Split the text before the first table from the rest."""
    found = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")
