"""Keys and values as a scenario or the settings have them, each on one line. Writes TOML; tomllib
reads it."""

from __future__ import annotations

import json
import re
from typing import Any


def toml_value(value: Any) -> str:
    """A value of an option as it stands in a scenario, on one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            return (
                "{ "
                + ", ".join(f"{toml_key(key)} = {toml_value(one)}" for key, one in value.items())
                + " }"
            )
        case list() | tuple():
            return "[" + ", ".join(map(toml_value, value)) + "]"
    return repr(value)


def toml_key(key: str) -> str:
    """A key as it stands in a scenario: bare where that will do."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def listed(options: dict[str, Any]) -> dict[str, Any]:
    """The same with a list for each tuple: what TOML has."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in options.items()
    }
