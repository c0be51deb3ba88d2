"""The table [tool.lrtui] in a script's inline metadata (PEP 723), read as the race of the script.
Runs nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario.script_table import RUN_KEYS, SCRIPT_KEYS, read_script_race
from lrtui.core.scenario.spec import Race
from lrtui.core.scenario.toml_table import Table, shown
from lrtui.core.text import one_line

MAX_BYTES = 64 * 1024
"""A header stands within so many bytes of its file."""
MAX_FILES = 1000
"""Files of a folder that are looked into."""
RACE_KEYS = ("title", "seed", "steps", "lr")
HEADER_KEYS = (*RACE_KEYS, *(key for key in SCRIPT_KEYS if key not in RUN_KEYS))
_BLOCK = re.compile(r"^# /// script$\n((?:^#(?:| .*)$\n)+)^# ///$", re.MULTILINE)


def scripts_with_header(folder: Path) -> list[Path]:
    """The Python files of a folder whose header has a table for lrtui, in the order of their
    names."""
    try:
        files = sorted(folder.glob("*.py"))[:MAX_FILES]
    except OSError:
        return []
    return [path for path in files if path.is_file() and "tool.lrtui" in _metadata(_head(path))]


def header_tables(path: Path) -> dict[str, Any] | None:
    """The tables of the race that a script's header describes; None if it has no such table."""
    if "tool.lrtui" not in (metadata := _metadata(_head(path))):
        return None
    try:
        tools = tomllib.loads(metadata).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ScenarioError(
            f"{_source(path)}: {one_line(str(error))}", "expected TOML in comments"
        ) from error
    table = Table(tools, _source(path), "tool").table("lrtui")
    table.only(HEADER_KEYS)
    script = {key: value for key, value in table.raw.items() if key in SCRIPT_KEYS}
    race = {key: value for key, value in table.raw.items() if key in RACE_KEYS and key != "lr"}
    if not isinstance(rates := table.raw.get("lr", []), list):
        raise table.error(
            "lr", f"{shown(rates)} is not a list", "a list, such as lr = [1e-2, 1e-3]"
        )
    sweep = {"sweep": {"lr": rates}} if rates else {}
    return {"script": {"file": str(path.absolute()), **script}, **race, **sweep}


def load_header(path: Path) -> Race:
    """The race that a script's header describes."""
    tables = header_tables(path)
    if tables is None:
        raise ScenarioError(
            f"{_source(path)}: no [tool.lrtui] in its header", "expected # /// script ... # ///"
        )
    return read_script_race(Table(tables, _source(path)), path.parent, path.stem)


def _metadata(head: str) -> str:
    """The text of the header's comments; "" without one, or with several."""
    blocks = _BLOCK.findall(head)
    if len(blocks) != 1:
        return ""
    return "".join(line[2:] or "\n" for line in blocks[0].splitlines(keepends=True))


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def _source(path: Path) -> str:
    return one_line(path.name)
