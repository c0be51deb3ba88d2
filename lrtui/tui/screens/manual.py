"""Shows the manual page by page, and searches all pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from rich.table import Table
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.visual import VisualType
from textual.widgets import Markdown, OptionList, Static
from textual.widgets._markdown import MarkdownTable  # its tables have no public name
from textual.widgets.option_list import Option

from lrtui import manual
from lrtui.tui.screens.dialogs import FilterBar

WITH_TOPICS = 72
"""Columns from which the list of topics is beside the page."""
FOUND = "reverse"
SHORT = 18
"""Columns of a table with cells of at most this many characters are never narrowed."""


class _Rows(Static):
    """A table in one widget; Textual's one widget per cell takes a second on long pages."""

    DEFAULT_CSS = "_Rows { width: 1fr; height: auto; }"

    def __init__(self, headers: list[Content], rows: list[list[Content]]) -> None:
        self._rows = [headers, *rows]
        self.texts = [" ".join(" ".join(cell.plain for cell in row).split()) for row in self._rows]
        """The text of each row for the search, the heading first."""
        super().__init__(self.drawn(None))

    def drawn(self, wanted: re.Pattern[str] | None, rows: int | None = None) -> Table:
        """The table, or its first `rows`: short columns keep their width, others share the rest."""
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for column in zip(*self._rows, strict=True):
            width = max(cell.cell_length for cell in column)
            short = width <= SHORT
            grid.add_column(
                width=width if short else None,
                ratio=None if short else round(10 * width**0.5),
                overflow="fold",
            )
        for number, row in enumerate(self._rows[:rows]):
            cells = [
                Text(cell.plain, style="" if column and number else "bold")
                for column, cell in enumerate(row)
            ]
            for cell in cells:
                if number == 0:
                    cell.stylize("underline")
                if wanted is not None:
                    cell.highlight_regex(wanted, FOUND)
            grid.add_row(*cells)
        return grid

    def above(self, row: int) -> int:
        """Height of the rows above one."""
        console = self.app.console
        options = console.options.update(width=self.size.width, height=None)
        return len(console.render_lines(self.drawn(None, row), options)) if row else 0


class _Table(MarkdownTable):
    """A table of rows."""

    DEFAULT_CSS = "_Table { width: 1fr; height: auto; }"

    def compose(self) -> ComposeResult:
        headers, rows = self._get_headers_and_rows()
        self._blocks.clear()
        yield _Rows(headers, rows)


class _Document(Markdown):
    """Textual's Markdown with lighter tables."""

    BLOCKS = {**Markdown.BLOCKS, "table_open": _Table}  # noqa: RUF012  # as Textual declares it


class _Passage(NamedTuple):
    """A passage of the current page, as `manual.passages` counts them."""

    part: Static
    text: str
    row: int = 0
    """Its row, if the part is a table."""


class ManualScreen(ModalScreen[None]):
    """Shows one page at a time; a search covers the passages of all pages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,right,l", "turn(1)", "The next page", priority=True),
        Binding("shift+tab,left,h", "turn(-1)", "The page before", priority=True),
        Binding("j", "scroll_page(1)", "One line down"),
        Binding("k", "scroll_page(-1)", "One line up"),
        Binding("slash", "search", "Search all pages"),
        Binding("n", "hit(1)", "The next passage that was found, on whatever page"),
        Binding("N", "hit(-1)", "The passage before"),
        Binding("escape,q,question_mark", "close", "Leave the search, then the manual"),
    ]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # as Textual declares it
        (0, "-alone"),
        (WITH_TOPICS, "-with-topics"),
    ]

    def __init__(self, topic: str) -> None:
        """`topic`: the first page."""
        super().__init__()
        self._topic = topic
        self._words = ""
        self._hits: list[manual.Hit] = []
        self._at = 0
        """Index of the current hit."""
        self._loading = asyncio.Lock()
        self._passages: list[_Passage] = []
        self._marked: dict[Static, VisualType] = {}
        """The widgets with marks, and their content without."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="manual"):
            yield OptionList(*(Option(topic) for topic in manual.TOPICS), id="topics", markup=False)
            with VerticalScroll(id="page"):
                yield _Document(open_links=False)

    def on_mount(self) -> None:
        self.query_one("#topics").can_focus = False
        self.query_one("#page").focus()
        self._say()
        self._show()

    def action_turn(self, by: int) -> None:
        """Show the next or previous page, around the end."""
        place = manual.TOPICS.index(self._topic)
        self._topic = manual.TOPICS[(place + by) % len(manual.TOPICS)]
        self._show()

    def action_scroll_page(self, by: int) -> None:
        """Scroll a line down or up."""
        self.query_one("#page").scroll_relative(y=by, animate=False)

    def action_search(self) -> None:
        """Ask for words; the first passage with them is shown while they are typed."""
        self.app.push_screen(
            FilterBar("/", self._words, self._take, "words in all pages, such as  step gain")
        )

    def action_hit(self, by: int) -> None:
        """Show the next or previous passage with the words, on any page."""
        if self._hits:
            self._at = (self._at + by) % len(self._hits)
            self._to_hit()

    def action_close(self) -> None:
        """End the search; without one, return to the screen below."""
        if self._words:
            self._take("", True)
        else:
            self.dismiss()

    def _take(self, words: str, kept: bool) -> str:
        """Search for the words from `FilterBar`; return a description of the result."""
        words = " ".join(words.split())
        if words != self._words:
            self._words = words
            self._hits = manual.search(words)
            topics = [hit.topic for hit in self._hits]
            here = topics.index(self._topic) if self._topic in topics else 0
            self._at = here
            if self._hits:
                self._to_hit()
            else:
                self._show(keep=True)
        return f"{len(self._hits)} found" if self._hits else "no page has this"

    def _to_hit(self) -> None:
        self._topic = self._hits[self._at].topic
        self._show()

    def _say(self) -> None:
        """Update the frame: page, hit, keys."""
        frame = self.query_one("#manual", Horizontal)
        place = f"{manual.TOPICS.index(self._topic) + 1} of {len(manual.TOPICS)}"
        title = f"Manual: {self._topic}, {place}"
        if self._hits:
            here = self._hits[self._at].topic == self._topic
            count = f"{self._at + 1} of {len(self._hits)}" if here else f"{len(self._hits)} found"
            title += f'; "{self._words}" {count}'
            frame.border_subtitle = "n N next, previous   Esc ends the search"
        else:
            frame.border_subtitle = "Tab next page   ↑↓ PgUp PgDn   / search   Esc back"
        frame.border_title = Content(title)  # the words are not markup
        topics = self.query_one("#topics", OptionList)
        topics.highlighted = manual.TOPICS.index(self._topic)
        counts = {topic: sum(hit.topic == topic for hit in self._hits) for topic in manual.TOPICS}
        for index, topic in enumerate(manual.TOPICS):
            topics.replace_option_prompt_at_index(
                index, Text(f"{topic} {counts[topic] or ''}".rstrip())
            )

    @work
    async def _show(self, keep: bool = False) -> None:
        """Load the page, mark the words, scroll to the hit; to the top without one, unless
        `keep`."""
        self._say()
        async with self._loading:  # an update that is cancelled leaves half a page
            await self._load(keep)

    async def _load(self, keep: bool) -> None:
        page, document = self.query_one("#page", VerticalScroll), self.query_one(Markdown)
        text = manual.page(self._topic).text
        if document.source != text:
            await document.update(text)
            self._passages = list(_passages(document))
            self._marked = {}
        found = self._mark()
        hit = self._hits[self._at] if self._hits else None
        if hit is not None and hit.topic == self._topic and hit.number < len(found):
            self.call_after_refresh(self._center, found[hit.number])
        elif not keep:
            page.scroll_home(animate=False)

    def _mark(self) -> list[_Passage]:
        """Mark the words on the page; return the passages with them, in order."""
        words = self._words.lower()
        found = [passage for passage in self._passages if words and words in passage.text.lower()]
        parts = dict.fromkeys(passage.part for passage in found)
        for part in self._marked.keys() - parts:
            part.update(self._marked.pop(part), layout=False)
        wanted = re.compile(r"\s+".join(map(re.escape, self._words.split())), re.IGNORECASE)
        for part in parts:
            usual = self._marked.setdefault(part, part.content)
            part.update(
                part.drawn(wanted) if isinstance(part, _Rows) else _highlighted(usual, wanted),
                layout=False,
            )
        return found

    def _center(self, passage: _Passage) -> None:
        """Scroll a passage to the middle."""
        page = self.query_one("#page", VerticalScroll)
        above = passage.part.above(passage.row) if isinstance(passage.part, _Rows) else 0
        place = passage.part.region.y - page.region.y + round(page.scroll_y) + above
        page.scroll_to(y=place - page.size.height // 2, animate=False)


def _passages(document: Markdown) -> Iterator[_Passage]:
    for part in document.query(Static):
        if isinstance(part, _Rows):
            yield from (_Passage(part, text, row) for row, text in enumerate(part.texts))
        elif isinstance(part.content, Content) and part.content.plain:
            yield _Passage(part, " ".join(part.content.plain.split()))


def _highlighted(usual: VisualType, wanted: re.Pattern[str]) -> VisualType:
    return usual.highlight_regex(wanted, style=FOUND) if isinstance(usual, Content) else usual
