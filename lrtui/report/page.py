"""One page about a race, whole in one file: it asks nothing of any network, and runs no script but
its own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from importlib import resources
from typing import TypeVar

from lrtui._version import __version__
from lrtui.client.follower import Follower
from lrtui.core.diagnostics import verdicts
from lrtui.core.numbers import count, duration
from lrtui.core.protocol.events import Alerted
from lrtui.core.results.differences import differences
from lrtui.core.results.fairness import fairness
from lrtui.core.results.lane_sentence import group_sentences
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.race_words import command_line, race_facts
from lrtui.core.results.ranking_words import metric_words
from lrtui.core.results.rate_chart import rate_chart
from lrtui.core.results.rate_sentences import rate_sentences
from lrtui.core.results.standings import Ranked, Standing, race_standings, spread_of, standings
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import UNRANKED
from lrtui.core.text import literal, one_line
from lrtui.report.page_data import page_data, script_json
from lrtui.report.png import address
from lrtui.report.rates_svg import rates_svg
from lrtui.report.repeat import FILE, by_hand, commands, proof, widen_commands
from lrtui.report.sample_strip import Film, SamplePng, film
from lrtui.report.standings_table import cells_of, has_value_column
from lrtui.report.svg import DARK, LIGHT, SHADES, chart_svg, dash_of

Thing = TypeVar("Thing")
KEYS = (
    ("← →", "move the line, with Shift ten times as far"),
    ("+ −", "zoom in and out"),
    ("0", "all again"),
    ("y", "logarithmic or linear"),
    ("s S", "smoothing more, less"),
    ("t", "next x axis"),
    ("m", "next quantity"),
    ("g", "full range"),
    ("Esc", "hide the line"),
)
"""The keys of the chart in the page, where they mean the same as on the screen."""
SCRIPTS = ("numbers.js", "drawing.js", "hands.js")
"""The page's script: one function made of these, in this order."""
ROWS = 300
"""Rows of a list of events about all lanes together: a failing task may raise alerts without
end."""
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdfb\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_TURNED = re.compile(f"[{_RIGHT_TO_LEFT}]+(?:[\\W_]*[{_RIGHT_TO_LEFT}]+)*")
MANY = 12
"""Lanes from which on the sentences about each lane are folded away."""


def page(follower: Follower) -> str:
    """The page about a run that has been read to its end (or to where it stands), as HTML."""
    state = follower.state
    style = _file("page.css") + _colors()
    script = '"use strict";\n(() => {\n' + "\n".join(map(_file, SCRIPTS)) + "})();\n"
    data = page_data(state)
    words = {
        "title": _plain(state.title),
        "heading": _text(state.title),
        "style": style,
        "script": script,
        "facts": _facts(follower),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "outcome": _outcome(state),
        "quantities": _options(quantity["label"] for quantity in data["quantities"]),
        "legend": "".join(map(_legend, state.lanes)),
        "still": chart_svg(state, alone=False),
        "keys": "".join(f"<li><kbd>{key}</kbd> {text}</li>" for key, text in KEYS),
        "standings": _standings(state),
        "rates": _rates(follower),
        "alerts": _alerts(state),
        "samples": _samples(film(follower), state),
        "settings": _settings(state),
        "repeat": _repeat(follower),
        "data": script_json(data),
        "version": _text(__version__),
        "run": _text(follower.run.name),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], _file("page.html"))


def _file(name: str) -> str:
    return resources.files("lrtui.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Hash by which a page's content security policy admits its one script, or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode(
        "ascii"
    )


def _plain(text: str) -> str:
    """Text of one line that cannot be taken for anything else, for where there can be no
    elements."""
    return escape(one_line(text))


def _text(text: str) -> str:
    """Text escaped for HTML, isolated from its neighbours: right-to-left words turn nothing around
    beside them."""
    return _TURNED.sub(r"<bdi>\g<0></bdi>", _plain(text))


def _options(labels: Iterable[str]) -> str:
    return "".join(
        f'<option value="{place}" dir="auto">{_plain(label)}</option>'
        for place, label in enumerate(labels)
    )


def _name(lane: LaneState, letter: str = "") -> str:
    """A lane's letter, or that of its group, and name, its colour beside them."""
    sign = _text(letter or lane.lane.letter)
    return (
        f'<span class="lane l{lane.index % 8}">{_line(lane)}<b>{sign}</b></span>'
        f" {_text(lane.lane.name)}"
    )


def _line(lane: LaneState) -> str:
    dash = f' stroke-dasharray="{dash_of(lane.index)}"' if dash_of(lane.index) else ""
    return (
        '<svg class="line" viewBox="0 0 26 8" width="26" height="8" aria-hidden="true">'
        f'<path d="M1 4h24" stroke="currentColor" stroke-width="2.5" fill="none"{dash}/></svg>'
    )


def _legend(lane: LaneState) -> str:
    return (
        f'<button type="button" aria-pressed="true" data-lane="{lane.index}">{_name(lane)}</button>'
    )


def _facts(follower: Follower) -> str:
    race, created = follower.reader.race, datetime.fromtimestamp(follower.reader.created)
    lanes = follower.state.lanes
    words = [
        str(race.task),
        f"{len(lanes)} lanes",
        *race_facts(lanes, race),
        f"{created:%Y-%m-%d %H:%M}",
        *filter(None, [follower.state.label.note]),
    ]
    return " · ".join(map(_text, words))


def _outcome(state: RaceState) -> str:
    """The sentences about the race, the first one large; those about its lanes below."""
    if not state.over:
        return (
            '<p class="lead">The race was not over when this page was written: this is how it'
            " stood.</p>"
        )
    first, *others = race_sentences(state)
    about = "".join(f"<li>{_text(sentence)}</li>" for sentence in group_sentences(state))
    lanes = f'<ul class="about">{about}</ul>'
    if len(state.lanes) > MANY:
        lanes = f"<details><summary>Each of the {len(state.lanes)} lanes</summary>{lanes}</details>"
    rest = "".join(f"<p>{_text(one)}</p>" for one in others)
    return f'<p class="lead">{_text(first)}</p>{rest}{lanes}'


def _table(headings: list[str], rows: Iterable[list[str]], right: Iterable[str] = ()) -> str:
    """A table of cells that are HTML; on a phone each row is a card, its cells named."""
    side = [' class="right"' if name in right else "" for name in headings]
    head = "".join(
        f'<th scope="col"{css}>{_text(name)}</th>' for name, css in zip(headings, side, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{_plain(name)}"{css}>{cell}</td>'
            for name, css, cell in zip(headings, side, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        "<div"
        f' class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _standings(state: RaceState) -> str:
    found = race_standings(state)
    columns = ["optimizer", "lr", "verdict", "status", "value", "last loss", "best", "at step"]
    if not has_value_column(found):
        columns.remove("value")
    named = {"lr": "rate", "status": "end", "value": metric_words(found.ranking, found.step)}
    headings = ["place", "lane", *(named.get(name, name) for name in columns), "steps", "time"]
    numbers = {named["value"], "last loss", "best", "at step", "steps", "time"}
    return _table(headings, (_standing(row, columns, found, state) for row in found.rows), numbers)


def _standing(row: Standing, columns: list[str], found: Ranked, state: RaceState) -> list[str]:
    cells = cells_of(row.place, row, found.ranking, state)
    words = [verdicts.verdict(lane, state).word for lane in row.group.lanes]
    word = max(words, key=words.count)
    bad = any(lane.status in UNRANKED for lane in row.group.lanes)
    marked = {"verdict": f"verdict v-{word}", "status": "bad" if bad else ""}
    spent = spread_of([lane.clock.own_seconds for lane in row.group.lanes]).mean
    shown = {name: _text(str(cells[name])) or "–" for name in columns}
    shown |= {name: f'<span class="{css}">{shown[name]}</span>' for name, css in marked.items()}
    return [
        str(row.place),
        _name(row.first, row.group.letter),
        *(shown[name] for name in columns),
        count(max(lane.steps for lane in row.group.lanes)),
        duration(spent),
    ]


def _rates(follower: Follower) -> str:
    """The chart of outcomes against rates, what it shows in words, and how to widen it."""
    state = follower.state
    if len(state.lanes) < 2:
        return ""
    chart = rate_chart(state)
    drawn = rates_svg(chart, "", alone=False)
    words = "".join(f"<p>{_text(sentence)}</p>" for sentence in rate_sentences(chart, state))
    ways = "\n".join(widen_commands(chart, state, follower.run))
    figure = f"<figure>{drawn}</figure>" if drawn else ""
    return _section("rates", "Rates", f"{figure}{words}{_pre(ways) if ways else ''}")


def _alerts(state: RaceState) -> str:
    """Alerts, and the traceback of a task that failed."""
    share = _share(sum(bool(lane.alerts) for lane in state.lanes))
    rows = [
        f"<li>{_name(lane)}: {one}</li>"
        for lane in state.lanes
        for one in _ends(lane.alerts, share, "alerts", _alert)
    ]
    rows += [
        f"<li>{_name(lane)}: {_text(lane.status)}<details><summary>what it said</summary>"
        f'<pre tabindex="0">{escape(literal(lane.ended.error))}</pre></details></li>'
        for lane in state.lanes
        if lane.ended and lane.ended.error
    ]
    return _section("alerts", "Alerts", f'<ul class="plain">{"".join(rows)}</ul>') if rows else ""


def _alert(alert: Alerted) -> str:
    return f'step {alert.step}, <b class="bad">{_text(alert.kind)}</b> {_text(alert.text)}'


def _share(lanes: int) -> int:
    """Rows of each of `lanes` lanes in a list."""
    return max(2, ROWS // max(lanes, 1))


def _ends(
    things: Sequence[Thing], most: int, what: str, words: Callable[[Thing], str]
) -> Iterator[str]:
    """The first and the last of them in words, `most` (2 or more) of them at most, and between them
    how many are left out."""
    gone = max(len(things) - most, 0)
    yield from map(words, things[: most // 2] if gone else things)
    if gone:
        yield (
            f"{gone} more {what} are left out here: <code>lrtui export</code> writes down all of"
            " them"
        )
        yield from map(words, things[most // 2 - most :])


def _samples(frames: Film, state: RaceState) -> str:
    if not frames:
        return ""
    rows = [
        f'<div class="film"><h3>{_name(lane)}</h3><div'
        f' class="frames">{"".join(_pictures(frames[lane.index]))}</div></div>'
        for lane in standings(state)
        if lane.index in frames
    ]
    return _section(
        "samples",
        "Samples",
        f"<p>What each lane drew, from its first to its last.</p>{''.join(rows)}",
    )


def _pictures(frames: list[SamplePng]) -> Iterator[str]:
    for frame in frames:
        scale = max(1, 34 // frame.height)
        yield (
            f'<figure><img src="{address(frame.picture)}" width="{scale * frame.width}"'
            f' height="{scale * frame.height}" alt="samples after step'
            f' {frame.step}"><figcaption>step {count(frame.step)}</figcaption></figure>'
        )


def _settings(state: RaceState) -> str:
    """Settings in which the lanes differ, and those they have in common."""
    found = differences(state.lanes, state.race)
    rows = (
        [_name(lane), *(_text(cells[place]) for cells in found.cells)]
        for place, lane in enumerate(state.lanes)
    )
    table = (
        _table(["lane", *found.settings], rows)
        if found.settings
        else "<p>The lanes do not differ in their settings.</p>"
    )
    return f"{table}<p>All lanes: {_text(found.common)}.</p>"


def _repeat(follower: Follower) -> str:
    """Commands, the scenario, and what was done by hand."""
    race, state = follower.reader.race, follower.state
    modified = _by_hand(state, len(race.lanes))
    alike = _text(fairness(state).sentence if race.script else proof(state))
    if race.script and not race.script.supervised:
        lines = "\n".join(command_line(race, lane) for lane in race.lanes)
        return f"<p>The script was started as</p>{_pre(lines)}{modified}<p>{alike}</p>"
    ways = commands(race)
    other = (
        f"<p>It comes with lrtui as it is, so this does the same:</p>{_pre(ways[1])}"
        if len(ways) > 1
        else ""
    )
    return (
        f"<p>Save this as <code>{FILE}</code> and"
        f" run</p>{_pre(ways[0])}{other}{modified}<p>{alike}</p><details"
        f" open><summary>{FILE}</summary>{_pre(scenario_text(race))}</details>"
    )


def _by_hand(state: RaceState, asked: int) -> str:
    """Changes that were made to the lanes of a race, of which it had `asked` at its start."""
    done = {lane.index: list(by_hand(lane, state, asked)) for lane in state.lanes}
    share = _share(sum(map(bool, done.values())))
    hands = [
        f"<li>{_name(lane)}: {'; '.join(_ends(done[lane.index], share, 'changes', _text))}</li>"
        for lane in state.lanes
        if done[lane.index]
    ]
    if not hands:
        return ""
    what = "a repeat does not make" if state.race.script else "the scenario does not repeat"
    return f'<p>Done while it ran, which {what}:</p><ul class="plain">{"".join(hands)}</ul>'


def _pre(text: str) -> str:
    return f'<pre tabindex="0">{escape(literal(text).rstrip())}</pre>'


def _section(name: str, title: str, inner: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>{inner}</section>'


def _colors() -> str:
    """Colours of page and lanes: by the reader's system, unless the button is pressed."""
    light, dark = (
        _variables(SHADES[theme], lanes) for theme, lanes in (("light", LIGHT), ("dark", DARK))
    )
    classes = "".join(f".l{place}{{color:var(--l{place})}}" for place in range(len(LIGHT)))
    return (
        f":root{{color-scheme:light;{light}}}@media"
        " (prefers-color-scheme:dark){:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}:root[data-theme=dark]{{color-scheme:dark;{dark}}}{classes}"
    )


def _variables(shades: dict[str, str], lanes: tuple[str, ...]) -> str:
    return "".join(f"--{name}:{color};" for name, color in shades.items()) + "".join(
        f"--l{place}:{color};" for place, color in enumerate(lanes)
    )
