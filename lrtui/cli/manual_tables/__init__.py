"""Generates what the manual and the README list from the code.

`python -m lrtui.cli.manual_tables` names the stale files; `--write` brings them up to date. A
generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`. Names, defaults, ranges
and choices come from click, the key table, the settings, the scenario's structs and the JSON
encoders. Sentences come from there too if the code has one. The rest are the dictionaries of
`sentences.py`, which must have exactly the names that the code has. A test compares the checked-in
pages with this package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lrtui import manual
from lrtui.cli.manual_tables import examples, json_lines, tables
from lrtui.tui import key_table as keys

README = Path(__file__).parents[3] / "README.md"
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

PARTS: dict[str, Callable[[], str]] = {
    "commands": tables.commands,
    "actions": tables.actions,
    "exit-codes": tables.exit_codes,
    "keys-race": lambda: tables.key_table(keys.RACE),
    "keys-picker": lambda: tables.key_table(keys.PICKER),
    "keys-finder": lambda: tables.key_table(keys.FINDER),
    "keys-manual": tables.manual_keys,
    "key-ids": tables.key_ids,
    "signs": tables.signs,
    "rules": tables.rules,
    "first-keys": tables.first_keys,
    "scenarios": tables.scenarios,
    "race-keys": tables.race_keys,
    "lane-keys": tables.lane_keys,
    "script-keys": tables.script_keys,
    "recipe-keys": tables.recipe_keys,
    "snapshot-keys": tables.snapshot_keys,
    "pruning-keys": tables.pruning_keys,
    "settings": tables.settings_keys,
    "schedules": tables.schedules,
    "default-rates": tables.default_rates,
    "json-events": json_lines.json_events,
    "folders": tables.folders,
    "topics": tables.topics,
    "examples": examples.examples,
}


def files() -> list[Path]:
    """The files with generated parts: the manual's pages, and the README of a checkout."""
    return [*sorted(manual.FOLDER.glob("*.md")), *([README] if README.is_file() else [])]


def renewed(text: str) -> str:
    """`text` with its generated parts made anew."""
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[4]}", text)


def main(arguments: Sequence[str]) -> int:
    """Names the stale files; with --write brings them up to date."""
    stale = 0
    for path in files():
        before = path.read_text(encoding="utf-8")
        if (after := renewed(before)) != before:
            stale += 1
            print(path)
            if "--write" in arguments:
                path.write_text(after, encoding="utf-8")
    return int(stale > 0 and "--write" not in arguments)
