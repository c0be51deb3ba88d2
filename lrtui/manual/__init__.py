"""The manual: one Markdown page for each subject, and a search over all of them.

Knows no command and no screen. The pages are the `.md` files beside this module. What a page lists
from the code (commands, keys, settings, scenario keys, JSON events) stands between two comments,
`<!-- generated: NAME -->` and `<!-- end -->`, and `python -m lrtui.cli.manual_tables --write`
writes it. Begin to read at `page`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
TOPICS = (
    "commands",
    "keys",
    "screen",
    "control",
    "verdicts",
    "ranking",
    "seeds",
    "winner",
    "finder",
    "rates",
    "schedules",
    "optimizers",
    "recipe",
    "scenarios",
    "tasks",
    "scripts",
    "notebooks",
    "examples",
    "param-groups",
    "streams",
    "resume",
    "records",
    "terminals",
    "agents",
    "json",
    "guarantees",
    "architecture",
    "glossary",
)
"""The pages in reading order, as lists and the screen show them."""
NEAR = 3
"""Topics that are proposed for an unknown word, at most."""

_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)
_PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n+", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_WORD = re.compile(r"[a-z][a-z-]{3,}")
_MARKS = re.compile(r"\*\*|`|(?<!\w)_|_(?!\w)")
_RULE = re.compile(r"^\|[\s|:-]+\|$")


class Page(NamedTuple):
    """One subject."""

    topic: str
    title: str
    summary: str
    """The page's first line under its title, without its full stop."""
    text: str
    """Its Markdown as a terminal can show it: no comments, no pictures, no addresses of links."""


class Hit(NamedTuple):
    """One passage of a page that has the words searched for."""

    topic: str
    number: int
    """Its place among the page's hits, counted from 0."""
    heading: str
    text: str
    """The passage on one line, without Markdown's marks."""


@cache
def page(topic: str) -> Page:
    """Text of a topic's page; KeyError for an unknown topic."""
    if topic not in TOPICS:
        raise KeyError(topic)
    source = (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    text = _LINK.sub(r"\1", _PICTURE.sub("", _COMMENT.sub("", source)))
    title, _, rest = text.partition("\n")
    summary = rest.strip().partition("\n")[0]
    return Page(topic, title.removeprefix("# "), summary.rstrip("."), text)


def pages() -> list[Page]:
    """All pages in the order of TOPICS."""
    return [page(topic) for topic in TOPICS]


def search(words: str) -> list[Hit]:
    """The passages that contain `words`, whatever their case.

    A passage is a heading, a paragraph, a list item, a row of a table or a block of code.
    """
    wanted = " ".join(words.lower().split())
    found: list[Hit] = []
    if not wanted:
        return found
    for topic in TOPICS:
        hits = [(heading, text) for heading, text, lower in _searchable(topic) if wanted in lower]
        found.extend(
            Hit(topic, number, heading, text) for number, (heading, text) in enumerate(hits)
        )
    return found


@cache
def _searchable(topic: str) -> list[tuple[str, str, str]]:
    """(heading, text, text in lower case with single spaces) of each passage of a page."""
    return [
        (heading, text, " ".join(text.lower().split()))
        for heading, text in passages(page(topic).text)
    ]


def nearest(word: str) -> tuple[str, list[str]]:
    """The known word most like `word`, and the topics that have it; ("", []) if none is like it."""
    wanted = word.lower()
    if topics := difflib.get_close_matches(wanted, TOPICS, n=NEAR, cutoff=0.7):
        return topics[0], topics
    known = {each: _WORD.findall(page(each).text.lower()) for each in TOPICS}
    near = difflib.get_close_matches(
        wanted, sorted({item for words in known.values() for item in words}), n=1, cutoff=0.75
    )
    if not near:
        return "", []
    counts = {each: words.count(near[0]) for each, words in known.items() if near[0] in words}
    return near[0], sorted(counts, key=lambda each: -counts[each])[:NEAR]


def passages(markdown: str) -> Iterator[tuple[str, str]]:
    """(heading above it, text) of each passage of a page, the headings themselves included."""
    heading, fenced, paragraph = "", False, ""
    code: list[str] = []
    for line in [*markdown.splitlines(), ""]:
        stripped = line.strip()
        begins = not stripped or fenced or stripped.startswith(("#", "|", "```", "- "))
        if begins and paragraph:
            yield heading, plain(paragraph)
            paragraph = ""
        if stripped.startswith("```"):
            fenced = not fenced
            if not fenced and code:
                yield heading, " ".join(code)
            code = []
        elif fenced:
            code.extend(stripped.split())
        elif stripped.startswith("#"):
            heading = plain(stripped.lstrip("# "))
            yield heading, heading
        elif stripped.startswith("|"):
            if not _RULE.match(stripped):
                yield heading, _row(stripped)
        elif stripped:
            paragraph = f"{paragraph} {stripped}".strip()


def plain(markdown: str) -> str:
    """Inline Markdown as a reader sees it."""
    return _MARKS.sub("", markdown.removeprefix("- "))


def _row(line: str) -> str:
    cells = [plain(cell.strip()).replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    return "  ".join(cell for cell in cells if cell)
