"""The redraw policy: beats, intervals and parts, counted without a clock."""

from __future__ import annotations

import pytest

from lrtui.tui.redraw_policy import CATCH_UP_EVERY, FIGURES_EVERY, Parts, RedrawPolicy


def poll(policy: RedrawPolicy, **said: bool) -> Parts:
    """The parts to draw after one more poll, of which only this is said."""
    policy.polls += 1
    usual = {"news": False, "moved": False, "behind": False, "resting": False}
    return policy.parts(**(usual | said))


def test_figures_are_drawn_at_every_fifth_poll_and_curves_once_they_moved() -> None:
    policy = RedrawPolicy()
    drawn = [poll(policy, moved=number == 2) for number in range(1, FIGURES_EVERY + 1)]
    assert drawn == ["nothing", "curves", "nothing", "nothing", "everything"]


def test_news_draw_everything_at_once() -> None:
    assert poll(RedrawPolicy(), news=True) == "everything"


def test_what_a_slow_line_missed_is_drawn_when_it_has_rested() -> None:
    policy = RedrawPolicy()
    assert poll(policy, news=True, resting=True) == "nothing"
    assert poll(policy) == "everything"
    assert poll(policy) == "nothing"


def test_a_long_record_is_drawn_in_between() -> None:
    policy = RedrawPolicy()
    drawn = [poll(policy, moved=True, behind=True) for _ in range(2 * CATCH_UP_EVERY)]
    assert [parts != "nothing" for parts in drawn] == ([True] + [False] * 4) * 2


@pytest.mark.parametrize(("fps", "polls"), [(10, 5), (30, 15), (1, 1)])
def test_intervals_are_as_long_in_time_at_any_frame_rate(fps: int, polls: int) -> None:
    policy = RedrawPolicy(fps)
    due = []
    for policy.polls in range(1, 31):
        if policy.every(5):
            due.append(policy.polls)
    assert due == list(range(polls, 31, polls))
    assert policy.interval(5) == 30 // polls


def test_every_other_beat_is_skipped_while_nothing_moves() -> None:
    policy = RedrawPolicy()
    poll(policy)
    assert [policy.beat() for _ in range(4)] == [False, True, False, True]
    poll(policy, moved=True)
    assert [policy.beat() for _ in range(3)] == [True, True, True]


def test_a_low_frame_rate_skips_no_beat() -> None:
    policy = RedrawPolicy(fps=2)
    poll(policy)
    assert all(policy.beat() for _ in range(4))
