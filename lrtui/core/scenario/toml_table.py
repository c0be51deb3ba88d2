"""A TOML table that knows where it stands, so that every refusal names file, key and what was
expected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario.catalogue import EXPRESSIONS, Signature
from lrtui.core.scenario.expression import ExpressionError, is_reference, parse
from lrtui.core.text import closest, one_line

_MISSING: Any = object()
HIGHEST = 10**12
"""No budget or size is larger: epochs times steps must stay a number of 64 bits."""


class Table:
    """`raw` as read from `source`, at the dotted place `path` in it ('' for the top)."""

    def __init__(self, raw: Any, source: str, path: str = "") -> None:
        self.source = source
        self.path = path
        if not isinstance(raw, dict):
            raise ScenarioError(
                f"{source}: {path}: {shown(raw)} is not a table",
                "expected a table of keys and values",
            )
        self.raw: dict[str, Any] = raw

    def key(self, key: str) -> str:
        """The full name of one of its keys."""
        return f"{self.path}.{one_line(key)}" if self.path else one_line(key)

    def error(self, key: str, problem: str, expected: str) -> ScenarioError:
        """The refusal of one key, in two lines."""
        return ScenarioError(f"{self.source}: {self.key(key)}: {problem}", f"expected {expected}")

    def only(self, known: Iterable[str]) -> None:
        """Refuses any key that is not known."""
        for key in self.raw:
            if key not in known:
                raise self.error(
                    key, f"unknown key{closest(key, known)}", "one of " + ", ".join(sorted(known))
                )

    def text(self, key: str, default: str = _MISSING) -> str:
        """A string."""
        value = self._get(key, default, "a string")
        if not isinstance(value, str):
            raise self.error(key, f"{shown(value)} is not a string", "a string")
        return value

    def number(self, key: str, default: float = _MISSING) -> float:
        """A number, as a float; true and false are none."""
        value = self._get(key, default, "a number")
        try:
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return float(value)
        except OverflowError:
            pass
        raise self.error(key, f"{shown(value)} is not a number", "a number, such as 0.001 or 1e-3")

    def whole(self, key: str, default: int, lowest: int, highest: int = HIGHEST) -> int:
        """An integer of at least `lowest`, small enough for sums in 64 bits."""
        if key not in self.raw:
            return default
        value = self.raw[key]
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            bounds = f"{lowest} or more" if highest == HIGHEST else f"{lowest} to {highest}"
            raise self.error(
                key, f"{shown(value)} is an invalid value", f"a whole number, {bounds}"
            )
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._get(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.error(key, f"{shown(value)} is neither true nor false", "true or false")
        return value

    def choice(self, key: str, known: tuple[str, ...]) -> Any:
        """One of `known`; the first is the default."""
        given = self.raw.get(key, known[0])
        if given in known:
            return given
        words = " or ".join(f'"{word}"' for word in known if word)
        named = f'"{one_line(given)}"' if isinstance(given, str) else shown(given)
        raise self.error(key, f"{named} is an invalid value", words)

    def table(self, key: str) -> Table:
        """An inner table; empty if missing."""
        return Table(self.raw.get(key, {}), self.source, self.key(key))

    def tables(self, key: str) -> list[Table]:
        """The tables of a [[list]], each with its number, counted from 1, in its path."""
        raw = self.raw.get(key, [])
        if not isinstance(raw, list):
            raise self.error(key, f"{shown(raw)} is not a list of tables", f"[[{key}]] tables")
        return [
            Table(item, self.source, f"{self.key(key)} {index}")
            for index, item in enumerate(raw, 1)
        ]

    def options(self, signature: Signature, own: Iterable[str]) -> dict[str, Any]:
        """The keys beside `own`, checked as options of an optimizer or a schedule."""
        options = {key: value for key, value in self.raw.items() if key not in own}
        for key, value in options.items():
            option = signature.options.get(key)
            if option is None:
                known = ", ".join(sorted(signature.options))
                near = closest(key, [*signature.options, *own])
                raise self.error(
                    key,
                    f"unknown option of {signature.name}{near}",
                    f"one of {known}" if signature.options else "no options",
                )
            if expected := option.expected(value):
                raise self.error(
                    key, f"{shown(value)} is an invalid value for {signature.name}", expected
                )
            # where a function is found is resolved elsewhere
            if key in EXPRESSIONS and not is_reference(value):
                self._expression(key, value)
        for option in signature.options.values():
            if option.required and option.name not in options:
                raise self.error(
                    option.name, f"missing; {signature.name} needs it", f"{option.name} = ..."
                )
        return options

    def _expression(self, key: str, text: str) -> None:
        try:
            compute = parse(text)
            for step in (0.0, 1.0, 7.0):
                compute({"step": step, "epoch": step, "total": 10.0})
        except (ExpressionError, ArithmeticError, ValueError, TypeError) as error:
            raise self.error(
                key,
                one_line(str(error)),
                'arithmetic on step, epoch, total, such as "0.95 ** epoch", or file.py:function',
            ) from error

    def _get(self, key: str, default: Any, expected: str) -> Any:
        value = self.raw.get(key, default)
        if value is _MISSING:
            raise self.error(key, "missing", expected)
        return value


def shown(value: Any) -> str:
    """A value as an error message can quote it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = one_line(repr(value) if not isinstance(value, bool) else str(value).lower())
    return text if len(text) <= 60 else text[:57] + "..."
