"""`lrtui help`: the topics of the manual, a page, a command's options, or where a word is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

import click
from rich.table import Table
from rich.text import Text

from lrtui import manual
from lrtui.cli.appearance import chosen, look_options, paper
from lrtui.cli.exit_codes import ExitCode
from lrtui.core.errors import LrtuiError
from lrtui.core.text import one_line

PER_PAGE = 3
"""Passages of one page that a search prints, at most."""


@click.command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC|COMMAND|WORD]")
@look_options
@click.pass_context
def show_help(context: click.Context, words: tuple[str, ...]) -> int:
    """List the manual's topics, show the page of a TOPIC or a COMMAND's options, or find a WORD."""
    wanted = " ".join(words)
    if not wanted:
        paper().print(_topics())
    elif wanted.lower() in manual.TOPICS:
        _page_through(manual.page(wanted.lower()).text)
    elif isinstance(group := context.find_root().command, click.Group) and wanted in group.commands:
        command = group.commands[wanted]
        click.echo(
            command.get_help(click.Context(command, info_name=wanted, parent=context.find_root()))
        )
    elif found := manual.search(wanted):
        console = paper()
        for line in _found(wanted, found, console.width):
            console.print(line, soft_wrap=True)
    else:
        raise LrtuiError(_unknown(wanted))
    return ExitCode.RACED


def _topics() -> Table:
    table = Table(
        "topic",
        "`lrtui help TOPIC` shows its page, `lrtui help WORD` finds a word",
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    for page in manual.pages():
        table.add_row(Text(page.topic, style="bold"), Text(page.summary))
    return table


def _unknown(wanted: str) -> str:
    near, topics = manual.nearest(wanted)
    instead = (
        f'did you mean "{near}"? See: {", ".join(topics)}'
        if near
        else "`lrtui help` lists the topics"
    )
    return f'no page of the manual has "{one_line(wanted)}"; {instead}'


def _found(wanted: str, hits: list[manual.Hit], width: int) -> Iterator[Text]:
    """Each page that has the words, with its first passages, a line each; the words stand out."""
    for topic, group in groupby(hits, lambda hit: hit.topic):
        found = list(group)
        yield Text(f"lrtui help {topic}", style="bold")
        for hit in found[:PER_PAGE]:
            heading = f"{hit.heading}: " if hit.heading != hit.text else ""
            line = (
                Text("  ")
                .append(heading, style="dim")
                .append(excerpt(hit.text, wanted, width - 2 - len(heading)))
            )
            line.highlight_words([wanted], "bold underline", case_sensitive=False)
            yield line
        if len(found) > PER_PAGE:
            yield Text(f"  and {len(found) - PER_PAGE} more", style="dim")


def excerpt(text: str, wanted: str, room: int) -> str:
    """The part of `text` around `wanted` that has `room` characters, or a few more."""
    room = max(room, len(wanted) + 20)
    if len(text) <= room:
        return text
    begin = max(0, min(text.lower().find(wanted.lower()) - room // 3, len(text) - room))
    end = begin + room
    return (
        ("…" if begin else "")
        + text[begin + bool(begin) : end - (end < len(text))]
        + ("…" if end < len(text) else "")
    )


def _page_through(markdown: str) -> None:
    """Shows a page: as plain text in a pipe, in a pager on a terminal that it does not fit."""
    from lrtui.cli.help_page import rendered
    from lrtui.tui.render.glyphs import fold

    console, look = paper(), chosen().look
    shown = fold(rendered(markdown, console, light=look.theme == "light"), look.glyphs)
    if sys.stdout.isatty() and shown.count("\n") >= console.height:
        click.echo_via_pager(shown)
    else:
        click.echo(shown, nl=False)
