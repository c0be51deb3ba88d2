"""A page of the manual as Rich renders it; loaded only to show one, for Rich is slow to load."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown, TableElement
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

WIDTH = 100
"""Columns of a page, at most: longer lines are hard to read."""
_RULES = {"h1": "═", "h2": "─"}
_THEME = Theme(
    {"markdown.code": "cyan", "markdown.h1": "bold", "markdown.h2": "bold", "markdown.h3": "bold"}
)
"""Without Rich's black ground behind code, which a light terminal does not have."""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class _Heading(Heading):
    """A heading at the left margin that stands out without colours too; Rich's own centres it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text
        if self.tag in _RULES:
            yield Text(_RULES[self.tag] * min(self.text.cell_len, options.max_width))


class _Table(TableElement):
    """A table without vertical lines, with a blank line above it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for shown in super().__rich_console__(console, options):
            if isinstance(shown, Table):
                shown.box, shown.pad_edge, shown.collapse_padding = box.SIMPLE_HEAD, False, True
            yield shown


class _Page(Markdown):
    elements = {  # noqa: RUF012  # as Rich declares it
        **Markdown.elements,
        "heading_open": _Heading,
        "table_open": _Table,
    }


def rendered(markdown: str, console: Console, *, light: bool) -> str:
    """A page as text for this console; `light`: for a light background."""
    page = _Page(markdown, code_theme="ansi_light" if light else "ansi_dark", hyperlinks=False)
    with console.use_theme(_THEME), console.capture() as capture:
        console.print(page, width=min(console.width, WIDTH))
    return _compact(capture.get())


def _compact(rendered: str) -> str:
    """Rendered text without trailing white space, and with single blank lines only."""
    lines: list[str] = []
    for line in rendered.splitlines():
        blank = not _STYLE.sub("", line).strip()
        if not blank:
            lines.append(line.rstrip())
        elif lines and lines[-1]:
            lines.append("")
    return "\n".join(lines) + "\n"
