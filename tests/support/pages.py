"""What the README and the manual's pages contain: fenced blocks, commands, links."""

from __future__ import annotations

import re
from pathlib import Path

from lrtui import manual

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *(manual.FOLDER / f"{topic}.md" for topic in manual.TOPICS)]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`(lrtui(?: [^`]*)?)`(?!`)")
_FILE = re.compile(r"^# (\w+\.py)$", re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [
        found[2]
        for found in _FENCE.finditer(path.read_text(encoding="utf-8"))
        if found[1] == language
    ]


def commands() -> dict[str, str]:
    """Each command of the `console` blocks, in order, with the first page that has it."""
    found: dict[str, str] = {}
    for path in PAGES:
        for line in "".join(blocks(path, "console")).splitlines():
            assert line.startswith("$ "), f"{path.name}: {line!r} is no command"
            found.setdefault(line[2:].partition("  #")[0].strip(), path.stem)
    return found


def spans(path: Path) -> list[str]:
    """The commands that are named in a sentence."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return [" ".join(found.split()) for found in _SPAN.findall(text)]


def files() -> dict[str, str]:
    """The Python files that the pages show, by name; a block may begin with its name."""
    found = {}
    for path in PAGES:
        for block in blocks(path, "python"):
            name = _FILE.match(block)
            found.setdefault(name[1] if name else "mymodel.py", block)
    return found
