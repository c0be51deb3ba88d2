"""Placeholders in a script's arguments: `{NAME}` stands for a lane's value, `{{NAME}}` for the text
`{NAME}`. Any other brace is left alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PLACEHOLDER = re.compile(r"\{\{(" + NAME + r")\}\}|\{(" + NAME + r")\}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with values in place of their names; a name without a value stays as it is."""
    return _PLACEHOLDER.sub(
        lambda found: f"{{{found[1]}}}" if found[1] else values.get(found[2], found[0]), text
    )


def placeholders(text: str) -> set[str]:
    """The names in `text` that stand for values."""
    return {found[2] for found in _PLACEHOLDER.finditer(text) if found[2]}


def literally(text: str) -> str:
    """The text that `filled` turns into `text`, whatever the values are."""
    return _PLACEHOLDER.sub(lambda found: f"{{{found[0]}}}", text)
