"""Source locations in a scenario's file: tomllib drops the lines, and a warning must name the one
to change. Only for text that tomllib has accepted.

Values carry their location: `SourceStr` and `SourceTable` equal the plain values, wherever flags
and sweeps move them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Keys, and indices counted from 0: ("lane", 2, "schedule")."""

_TOKEN = re.compile(
    r'''
    (?P<text>"""(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?\'{3,5} | "(?:\\.|[^"\\])*" | '[^']*')
  | (?P<comment>\#[^\n]*) | (?P<newline>\n) | (?P<mark>[][{},=.]) | (?P<word>[^]\s[{},=.\#"']+)''',
    re.VERBOSE | re.DOTALL,
)


class SourceStr(str):
    """Text that knows where it was written."""

    at = ""


class SourceTable(dict[str, Any]):
    """A table that knows where it was written."""

    at = ""


def with_source(value: Any, at: str) -> Any:
    """`value` with its location if it is a string or a table; anything else as it is."""
    if not isinstance(value, (str, dict)):
        return value
    made = SourceStr(value) if isinstance(value, str) else SourceTable(value)
    made.at = at
    return made


def source_of(value: Any) -> str:
    """Location of a value; "" if unknown."""
    return str(getattr(value, "at", ""))


def with_sources(raw: dict[str, Any], text: str, name: str) -> dict[str, Any]:
    """The tables of a file `name` with that `text`, each schedule of a lane, of [defaults] and of
    [sweep] in its place."""
    known = lines(text)

    def at(*path: str | int) -> str:
        found = known.get(path) or next(
            (line for key, line in known.items() if key[: len(path)] == path), None
        )
        return f"{name}:{found}" if found else ""

    def placed_in(table: Any, *path: str | int) -> Any:
        if not isinstance(table, dict) or "schedule" not in table:
            return table
        path = (*path, "schedule")
        given = table["schedule"]
        if path[0] == "sweep" and isinstance(given, list):
            return {
                **table,
                "schedule": [
                    with_source(item, at(*path, index)) for index, item in enumerate(given)
                ],
            }
        return {**table, "schedule": with_source(given, at(*path))}

    found = {
        key: placed_in(value, key) if key in ("defaults", "sweep") else value
        for key, value in raw.items()
    }
    if isinstance(raw.get("lane"), list):
        found["lane"] = [placed_in(lane, "lane", index) for index, lane in enumerate(raw["lane"])]
    return found


def lines(text: str) -> dict[Path, int]:
    """The line, counted from 1, at which each key and each item of a list begins; empty for what is
    nested too deeply."""
    try:
        return dict(_Scan(text).statements())
    except RecursionError:
        return {}


class _Scan:
    """Goes over the tokens of a file once."""

    def __init__(self, text: str) -> None:
        text = text.replace("\r\n", "\n")
        self._tokens: list[tuple[str, str, int]] = []
        line = 1
        for match in _TOKEN.finditer(text):
            self._tokens.append((match.lastgroup or "", match[0], line))
            line += match[0].count("\n")
        self._tokens.append(("end", "", line))
        self._at = 0
        self._lists: dict[Path, int] = {}
        """Number of tables of each [[list]] so far."""

    def statements(self) -> Iterator[tuple[Path, int]]:
        """(path, line) of all there is, in the order of the file."""
        here: Path = ()
        while self._skip() != "end":
            kind, mark, line = self._tokens[self._at]
            if kind == "mark" and mark == "[":
                here = self._header()
                yield here, line
            else:
                yield from self._pair(here)

    def _header(self) -> Path:
        self._at += 1
        double = self._take("[")
        here: Path = ()
        keys = self._keys("]")
        for index, key in enumerate(keys):
            here = (*here, key)
            last = index == len(keys) - 1
            if last and double:
                self._lists[here] = self._lists.get(here, 0) + 1
            if here in self._lists:
                here = (*here, self._lists[here] - 1)
        self._take("]")
        return here

    def _pair(self, here: Path) -> Iterator[tuple[Path, int]]:
        line = self._tokens[self._at][2]
        path = (*here, *self._keys("="))
        yield path, line
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, int]]:
        if self._take("["):
            index = 0
            while self._skip(",") and not self._take("]"):
                yield (*path, index), self._tokens[self._at][2]
                yield from self._value((*path, index))
                index += 1
        elif self._take("{"):
            while self._skip(",") and not self._take("}"):
                yield from self._pair(path)
        else:
            self._at += 1
            # 1.5, and dates with a space
            while self._tokens[self._at][0] == "word" or self._tokens[self._at][1] == ".":
                self._at += 1

    def _keys(self, end: str) -> Path:
        """A dotted key, up to and with the mark after it."""
        found: list[str] = []
        while not self._take(end):
            kind, text, _ = self._tokens[self._at]
            if kind in ("word", "text"):
                found.append(text[1:-1] if kind == "text" else text)
            self._at += 1
        return tuple(found)

    def _take(self, mark: str) -> bool:
        """Goes past `mark` if it is next."""
        there = self._tokens[self._at][:2] == ("mark", mark)
        self._at += there
        return there

    def _skip(self, mark: str = "") -> str:
        """Goes past new lines, comments and `mark`; the kind of what is next."""
        while self._tokens[self._at][0] in ("newline", "comment") or (mark and self._take(mark)):
            if self._tokens[self._at][0] in ("newline", "comment"):
                self._at += 1
        return self._tokens[self._at][0]
