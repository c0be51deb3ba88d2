"""Events as one line of JSON, for the commands of a user and for `--json`. Pure."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from lrtui.core.protocol.events import AlertKind, plain

NewsKind = Literal["finished", "leader", AlertKind]
"""finished: every lane has ended by itself. leader: another lane has taken the lead and held it.
lost: the process of a lane, or the supervisor, is going. The others: an alert of that kind."""


class News(NamedTuple):
    """Something about a race that a person may want to hear of when no screen is open."""

    event: NewsKind
    text: str
    lane_index: int = -1
    """-1: the whole race."""
    lane: str | None = None
    """The lane's letter, of seeds their common letter; None: the whole race."""
    name: str | None = None
    step: int | None = None
    value: float | None = None
    """What the lane is ranked by; None where that is not known."""


def alert_line(kind: str, lane: str | None, step: int | None, text: str) -> dict[str, Any]:
    """An alert of the lane of this letter as `--json` prints it, and as a command of `--on-alert`
    reads it."""
    return {"event": "alert", "lane": lane, "step": step, "kind": kind, "text": text}


def news_line(news: News, run: str) -> dict[str, Any]:
    """News as a command of `--on-event` reads them."""
    return {
        "event": news.event,
        "run": run,
        "lane": news.lane,
        "name": news.name,
        "step": news.step,
        "value": None if news.value is None else plain(news.value),
        "text": news.text,
    }
