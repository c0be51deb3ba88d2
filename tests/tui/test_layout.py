"""At every size and for any number of lanes: nothing overlaps, nothing is outside, nothing is empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.tui.layout import PANE_LEAST, WIDE, PaneParts, Rect, arrange, page_size, pane_parts

WIDTHS, HEIGHTS, LANES = st.integers(60, 300), st.integers(16, 90), st.integers(1, 64)


def covered(width: int, height: int, rects: list[Rect]) -> np.ndarray:
    """How many rects lie over each cell; fails when one is outside."""
    counts = np.zeros((height, width), int)
    for rect in rects:
        assert rect.x >= 0
        assert rect.y >= 0
        assert rect.right <= width
        assert rect.bottom <= height
        counts[rect.y : rect.bottom, rect.x : rect.right] += 1
    return counts


@given(WIDTHS, HEIGHTS, LANES, st.data())
@settings(max_examples=500, deadline=None)
def test_the_parts_cover_the_screen_exactly_once(width: int, height: int, lanes: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, lanes - 1))
    big = data.draw(st.sampled_from([None, chosen]))
    gpus = data.draw(st.integers(0, 16))
    layout = arrange(width, height, range(lanes), big, chosen, gpus)
    assert not layout.too_small
    parts = [layout.header, *layout.panes.values(), layout.standings, layout.log, layout.machine, layout.footer]
    assert (covered(width, height, parts) == 1).all()
    assert covered(width, height, [layout.stage]).sum() == sum(w * h for _, _, w, h in layout.panes.values())
    assert chosen in layout.panes
    assert layout.standings.height >= 2
    assert layout.standings.width >= 44
    assert layout.machine.height == (1 if height < 40 else min(1 + gpus, height // 10))


@given(WIDTHS, HEIGHTS, LANES, st.data())
@settings(max_examples=300, deadline=None)
def test_panes_are_never_too_small_and_all_show_where_they_fit(width: int, height: int, lanes: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(0, lanes - 1))
    layout = arrange(width, height, range(lanes), chosen=chosen, gpus=data.draw(st.integers(0, 16)))
    assert all(pane.width >= PANE_LEAST[0] and pane.height >= PANE_LEAST[1] for pane in layout.panes.values())
    assert len(layout.panes) == min(lanes, page_size(layout.stage))
    assert sorted(layout.panes) == list(range(min(layout.panes), max(layout.panes) + 1))
    heights = {pane.height for pane in layout.panes.values()}
    assert max(heights) - min(heights) <= 1


@pytest.mark.parametrize(("width", "height"), [(59, 16), (60, 15), (1, 1), (200, 3), (0, 0)])
def test_a_small_screen_only_asks_for_more_room(width: int, height: int) -> None:
    layout = arrange(width, height, range(4))
    assert layout.too_small
    assert not layout.panes
    assert not layout.stage.width
    assert layout.header.width == width
    assert layout.header.height <= height


def test_four_lanes_at_80_by_24_show_everything() -> None:
    layout = arrange(80, 24, range(4))
    assert [(pane.width, pane.height) for pane in layout.panes.values()] == [(40, 7)] * 4
    assert layout.standings.height == 5
    assert layout.log.height == 2
    assert layout.machine.height == layout.footer.height == layout.header.height == 1


def test_standings_and_log_stand_at_the_right_of_a_wide_screen() -> None:
    for width in (WIDE, 200, 300):
        layout = arrange(width, 50, range(8))
        assert layout.standings.x == layout.log.x == layout.stage.width
        assert 44 <= layout.standings.width <= 56
    assert arrange(WIDE - 1, 50, range(8)).standings.x == 0


def test_eight_lanes_at_200_by_50_have_large_rates() -> None:
    panes = arrange(200, 50, range(8)).panes.values()
    assert all(pane_parts(pane.width, pane.height).large for pane in panes)


def test_the_page_goes_with_the_chosen_lane() -> None:
    first, last = arrange(80, 24, range(64), chosen=0), arrange(80, 24, range(64), chosen=63)
    assert 0 in first.panes
    assert 63 in last.panes
    assert list(first.panes.values()) == list(last.panes.values())


def rects_of(parts: PaneParts) -> list[Rect]:
    single = [parts.title, parts.words, parts.rate, parts.y_labels, parts.curve, *parts.numbers]
    maybe = [parts.rate_labels, parts.rate_curve, parts.x_labels, parts.sprite, parts.facts, parts.dial]
    return single + [rect for rect in maybe if rect is not None]


@given(st.integers(26, 300), st.integers(6, 90), st.booleans(), st.booleans())
@example(26, 6, True, False)
@example(34, 9, True, False)  # a sprite beside a line of numbers that just fits
@example(52, 12, False, True)  # the smallest with facts
@example(80, 14, True, True)
@settings(max_examples=800, deadline=None)
def test_the_parts_of_a_pane_fit_it_and_leave_the_curve_room(width: int, height: int, has_sprite: bool, facts: bool) -> None:
    parts = pane_parts(width, height, has_sprite, facts)
    rects = rects_of(parts)
    assert covered(width - 1, height, rects).max() == 1
    assert all(rect.width > 0 and rect.height > 0 for rect in rects)
    assert parts.curve.width >= 16
    assert parts.curve.height >= 3
    assert (parts.rate.height == 3) == parts.large
    assert 1 <= len(parts.numbers) <= 4
    assert all(line.width >= 12 for line in parts.numbers)
    assert parts.sprite is None or has_sprite
    assert parts.facts is None or (facts and parts.facts.height >= 4)
    assert parts.dial is None or (not facts and parts.dial.height == 1)


@pytest.mark.parametrize(("height", "large", "has_rate_curve"), [(7, False, False), (10, False, True), (14, True, True)])
def test_a_higher_pane_shows_more(height: int, large: bool, has_rate_curve: bool) -> None:
    parts = pane_parts(40, height)
    assert parts.large == large
    assert (parts.rate_curve is not None) == has_rate_curve


def test_a_sprite_stands_at_the_right_where_it_leaves_the_curve_room() -> None:
    assert pane_parts(26, 6, True).sprite is None
    assert pane_parts(40, 7, True).sprite == Rect(31, 2, 8, 5)
    large = pane_parts(72, 23, True).sprite
    assert large is not None
    assert large.width >= 16


@pytest.mark.parametrize(("width", "height", "rows"), [(80, 24, 4), (100, 30, 4), (200, 50, 7), (60, 16, None), (60, 22, 4)])
@pytest.mark.parametrize("has_sprite", [False, True])
def test_the_large_view_has_the_facts_where_there_is_room(width: int, height: int, rows: int | None, has_sprite: bool) -> None:
    pane = arrange(width, height, range(4), big=0).panes[0]
    facts = pane_parts(pane.width, pane.height, has_sprite, facts=True).facts
    if width < 80 and has_sprite:
        return  # then the sprite goes first
    assert (facts.height if facts else None) == rows


def test_a_pane_among_others_has_a_dial_where_there_is_room_to_spare() -> None:
    assert pane_parts(51, 16).dial == Rect(0, 5, 50, 1)
    assert pane_parts(50, 16).dial is None
    assert pane_parts(51, 15).dial is None
    assert pane_parts(51, 16, facts=True).dial is None


def test_panes_stand_in_the_order_in_which_lanes_are_shown() -> None:
    assert list(arrange(80, 24, [5, 0, 3]).panes) == [5, 0, 3]
    assert list(arrange(80, 24, [5, 0, 3], big=3).panes) == [3]


def test_where_no_lane_is_shown_there_are_no_panes_and_everything_else_is_there() -> None:
    layout = arrange(80, 24, [])
    assert layout.panes == {}
    assert layout.stage.height > 0
    assert layout.standings.height >= 2
    assert layout.page == (1, 1)


@given(WIDTHS, HEIGHTS, LANES, st.data())
@settings(max_examples=100, deadline=None)
def test_going_through_all_lanes_goes_through_all_pages(width: int, height: int, lanes: int, data: st.DataObject) -> None:
    shown = data.draw(st.permutations(range(lanes)))
    layouts = [arrange(width, height, shown, chosen=lane) for lane in shown]
    assert all(lane in layout.panes for lane, layout in zip(shown, layouts, strict=True))
    pages = [layout.page[0] for layout in layouts]
    assert pages == sorted(pages)
    assert set(pages) == set(range(1, layouts[0].page[1] + 1))
