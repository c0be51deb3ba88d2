"""News are what happens while a race is followed, each once, and few words of many."""

from __future__ import annotations

import numpy as np

from lrtui.core.protocol.event_lines import News
from lrtui.core.protocol.events import Alerted, Ended
from lrtui.core.results.news import NewsWatch, news_words
from lrtui.core.state.race_state import RaceState, apply
from support.builders import make_race, started, steps

SINCE = 100.0


class Follow:
    """A watch over a race of two lanes whose events come as they are told."""

    def __init__(self, *, caught_up=True):
        self.state, self.watch = RaceState(make_race(2)), NewsWatch(SINCE)
        self.caught_up = caught_up

    def look(self, *events):
        for event in events:
            apply(self.state, event)
        return self.watch.look(self.state, events, caught_up=self.caught_up)


def alert(lane, kind="nan", at=SINCE + 1, text="its process was lost"):
    return Alerted(lane=lane, at=at, step=7, kind=kind, text=text)


def ends(lane, at=SINCE + 2):
    return Ended(lane=lane, at=at, step=400, reason="finished")


def test_alert_is_news_unless_it_is_history():
    found = Follow().look(started(), started(1), alert(0, at=SINCE - 1), alert(1))
    assert found == [News("nan", "its process was lost", 1, "B", "lane 1", 7)]


def test_end_is_news_once_and_not_of_a_race_that_was_over():
    live = Follow()
    live.look(started(), started(1), steps([2.0] * 10), steps([1.0] * 10, lane=1), ends(0))
    (news,) = live.look(ends(1))
    assert (news.event, news.lane, news.value) == ("finished", "B", 1.0)
    assert news.text.startswith("B lane 1 (0.1) won")
    assert live.look() == []
    before = SINCE - 1
    assert Follow().look(started(), started(1), ends(0, before), ends(1, before)) == []


def test_new_leader_is_news():
    follow = Follow()
    follow.look(started(total=400), started(1, total=400))
    follow.look(steps([1.0] * 200), steps([2.0] * 200, lane=1))
    (news,) = follow.look(steps([1.0] * 100, 200), steps([0.1] * 100, 200, lane=1))
    assert (news.event, news.lane) == ("leader", "B")


def test_record_that_is_still_read_holds_no_news():
    follow = Follow(caught_up=False)
    follow.look(started(total=400), started(1, total=400))
    assert follow.look(steps([1.0] * 400), steps(np.linspace(2, 0, 400), lane=1)) == []
    follow.caught_up = True
    assert follow.look() == []


def test_record_is_all_news_to_who_has_no_history():
    state, watch = RaceState(make_race(2)), NewsWatch()
    told = [started(total=400), started(1, total=400), alert(0, at=1.0)]
    told += [steps([1.0] * 400), steps(np.linspace(2, 0, 400), lane=1), ends(0, 2.0), ends(1, 2.0)]
    for event in told:
        apply(state, event)
    found = [one.event for one in watch.look(state, told, caught_up=True)]
    assert found == ["nan", "leader", "finished"]


def test_many_news_are_few_words():
    many = [News("nan", "loss is NaN", 0, letter, "lane") for letter in "ABCDEFGH"]
    leaders = [News("leader", "A leads"), News("leader", "B leads")]
    lost = News("lost", "its process was lost", 2, "C", "lane")
    assert news_words([*leaders, lost, *many, News("finished", "B won")]) == (
        "the race is over: B won; 8 lanes went NaN: A, B, C, D, E, F, ...;"
        " C lane: its process was lost; B leads"
    )
