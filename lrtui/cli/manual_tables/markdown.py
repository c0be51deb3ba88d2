"""Markdown of the generated tables: rows, code spans, names with their sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(
        [
            *lines,
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
        ]
    )


def code(text: str) -> str:
    """A code span; keys and options may hold a backtick."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def described(words: dict[str, str], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(name, sentence) of each name; ValueError if a sentence is missing, or is about nothing."""
    given = list(names)
    if odd := set(given) ^ set(words):
        raise ValueError(
            "sentences.py describes other names than the code has: " + ", ".join(sorted(odd))
        )
    return ((name, words[name]) for name in given)
