"""Tables of numbers and words in a file, CSV or JSON Lines: every float in full, what is not finite
by name."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.events import plain

Form = Literal["csv", "jsonl"]
HELD = 1 << 16
"""Characters of a table that are held before they go to its file, which is open only then: a race
may have 256 lanes."""


class Table:
    """A file of rows with the same columns. Every method may raise OSError."""

    def __init__(self, path: Path, columns: Sequence[str], form: Form) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.rows = 0
        self._form = form
        self._held: list[str] = []
        self._size = 0
        # A row of JSON, into which the numbers go as they are.
        self._pattern = (
            "{" + ", ".join(json.dumps(name).replace("%", "%%") + ": %s" for name in columns) + "}"
        )
        path.touch()
        if form == "csv":
            self._put(_csv_line(columns))

    def numbers(self, columns: Sequence[Iterable[int] | NDArray[np.floating[Any]] | None]) -> None:
        """Rows of numbers, column by column; None for a column that is not known here."""
        count = next(len(column) for column in columns if isinstance(column, Sequence | np.ndarray))
        words = [self._words(column, count) for column in columns]
        made = (
            map(",".join, zip(*words, strict=True))
            if self._form == "csv"
            else (self._pattern % row for row in zip(*words, strict=True))
        )
        self._put("\n".join(made) + "\n")
        self.rows += count

    def row(self, values: Mapping[str, Any]) -> None:
        """One row; a column that `values` does not have is left out (null in JSON)."""
        if self._form == "csv":
            self._put(_csv_line([_cell(values.get(name)) for name in self.columns]))
        else:
            self._put(
                json.dumps(
                    {name: sound(values.get(name)) for name in self.columns}, allow_nan=False
                )
                + "\n"
            )
        self.rows += 1

    def finish(self) -> None:
        """Writes out what is held."""
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.writelines(self._held)
        self._held, self._size = [], 0

    def _put(self, text: str) -> None:
        self._held.append(text)
        self._size += len(text)
        if self._size > HELD:
            self.finish()

    def _words(
        self, column: Iterable[int] | NDArray[np.floating[Any]] | None, count: int
    ) -> list[str]:
        if column is None:
            return ["" if self._form == "csv" else "null"] * count
        if not isinstance(column, np.ndarray):
            return list(map(str, column))
        if count > 1 and (column == column[0]).all():
            return (
                [repr(float(column[0]))] * count
                if math.isfinite(column[0])
                else [self._word(float(column[0]))] * count
            )
        values = column.tolist()
        return (
            list(map(repr, values)) if np.isfinite(column).all() else list(map(self._word, values))
        )

    def _word(self, value: float) -> str:
        word = plain(value)
        return (
            repr(word) if isinstance(word, float) else word if self._form == "csv" else f'"{word}"'
        )


def sound(value: Any) -> Any:
    """A value as JSON can hold it, with NaN and the infinities by name, at any depth."""
    match value:
        case float():
            return plain(value)
        case dict():
            return {str(key): sound(one) for key, one in value.items()}
        case list() | tuple():
            return [sound(one) for one in value]
    return value


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            word = plain(value)
            return repr(word) if isinstance(word, float) else word
        case dict() | list() | tuple():
            return json.dumps(sound(value), allow_nan=False)
    return str(value)


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
