"""At every size and for any number of lanes: nothing overlaps, nothing is outside, nothing is
empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.tui.layout import WIDE, arrange
from lrtui.tui.pane_layout import PANE_LEAST, PaneParts, Wants, pane_parts
from lrtui.tui.rects import Rect

WIDTHS, HEIGHTS, LANES = st.integers(60, 300), st.integers(16, 90), st.integers(1, 64)
WANTS = st.builds(Wants, rates=st.booleans(), sprites=st.booleans())


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
def test_the_parts_cover_the_screen_exactly_once(
    width: int, height: int, lanes: int, data: st.DataObject
) -> None:
    selected = data.draw(st.integers(0, lanes - 1))
    big = data.draw(st.sampled_from([None, selected]))
    gpus = data.draw(st.integers(0, 16))
    layout = arrange(width, height, range(lanes), big, selected, gpus)
    assert not layout.too_small
    panes = list(layout.panes.values())
    counts = covered(
        width,
        height,
        [layout.header, *panes, layout.standings, layout.log, layout.machine, layout.footer],
    )
    across = len({pane.x for pane in panes})
    used = max(pane.right for pane in panes)
    assert counts.max() == 1
    assert (counts[:, :used] == 1).all() or across * panes[0].width < used
    assert (counts[:, across * panes[0].width :] == 1).all() or width - across * panes[
        0
    ].width < across
    assert selected in layout.panes
    assert layout.standings.height >= 2
    assert layout.standings.width >= 44
    assert layout.machine.height == (1 if height < 40 else min(1 + gpus, height // 10))


@given(WIDTHS, HEIGHTS, LANES, WANTS, st.data())
# three panes, then two and two, of other widths and heights, once
@example(200, 50, 7, Wants(), None)
@example(80, 24, 5, Wants(), None)  # free cells too narrow for the standings
@settings(max_examples=500, deadline=None)
def test_panes_of_a_page_are_of_one_size_and_so_are_their_charts(
    width: int, height: int, lanes: int, wants: Wants, data: st.DataObject | None
) -> None:
    selected = data.draw(st.integers(0, lanes - 1)) if data else 0
    gpus = data.draw(st.integers(0, 16)) if data else 0
    layout = arrange(width, height, range(lanes), selected=selected, gpus=gpus, wants=wants)
    panes = list(layout.panes.values())
    assert selected in layout.panes
    assert sorted(layout.panes) == list(range(min(layout.panes), max(layout.panes) + 1))
    assert len({pane.width for pane in panes}) == 1
    assert max(pane.height for pane in panes) - min(pane.height for pane in panes) <= 1
    assert panes[0].width >= PANE_LEAST[0]
    assert min(pane.height for pane in panes) >= PANE_LEAST[1]
    rows = [[pane for pane in panes if pane.y == y] for y in sorted({pane.y for pane in panes})]
    assert all(len(row) == len(rows[0]) for row in rows[:-1])
    # one stands under the other
    assert [pane.x for pane in rows[-1]] == [pane.x for pane in rows[0]][: len(rows[-1])]
    lowest = min(pane.height for pane in panes)
    assert layout.parts == pane_parts(panes[0].width, lowest, wants)


@given(WIDTHS, HEIGHTS, LANES)
@settings(max_examples=300, deadline=None)
def test_what_the_last_row_leaves_free_is_the_race_s(width: int, height: int, lanes: int) -> None:
    layout = arrange(width, height, range(lanes))
    panes = list(layout.panes.values())
    last = panes[-1]
    across = len({pane.x for pane in panes})
    if sum(pane.y == last.y for pane in panes) < across:
        free = [
            part for part in (layout.standings, layout.log) if part.contains(last.right, last.y)
        ]
        assert len(free) == 1
        assert free[0].width >= PANE_LEAST[0]


@given(WIDTHS, HEIGHTS, LANES)
@settings(max_examples=300, deadline=None)
def test_every_lane_has_a_pane_if_least_size_panes_fit(width: int, height: int, lanes: int) -> None:
    layout = arrange(width, height, range(lanes))
    strip = arrange(width, height, range(lanes), whole=True).panel
    assert len(layout.panes) >= min(
        lanes, (strip.width // PANE_LEAST[0]) * (strip.height // PANE_LEAST[1])
    )


@pytest.mark.parametrize(("width", "height"), [(59, 16), (60, 15), (1, 1), (200, 3), (0, 0)])
def test_a_small_screen_only_asks_for_more_room(width: int, height: int) -> None:
    layout = arrange(width, height, range(4))
    assert layout.too_small
    assert not layout.panes
    assert not layout.panel.width
    assert layout.header.width == width
    assert layout.header.height <= height


def test_four_lanes_at_80_by_24_show_everything() -> None:
    layout = arrange(80, 24, range(4))
    assert [(pane.width, pane.height) for pane in layout.panes.values()] == [(26, 10)] * 3 + [
        (26, 11)
    ]
    assert layout.standings.height == 5
    assert layout.log.height == 6
    assert layout.machine.height == layout.footer.height == layout.header.height == 1


def test_standings_and_log_are_side_by_side_on_a_wide_screen() -> None:
    for width in (WIDE, 200, 300):
        layout = arrange(width, 50, range(8))
        assert layout.standings.y == layout.log.y == layout.panel.bottom
        assert layout.standings.right == layout.log.x
        assert layout.log.right == width
        assert 44 <= layout.standings.width <= 72
    layout = arrange(WIDE - 1, 50, range(6))
    assert layout.log.y == layout.standings.bottom


def test_seven_lanes_at_200_by_50_leave_a_pane_s_room_to_the_race() -> None:
    layout = arrange(200, 50, range(7))
    assert [pane[2:] for pane in layout.panes.values()] == [(50, 23)] * 3 + [(50, 23)] + [
        (50, 24)
    ] * 3
    assert (layout.standings.x, layout.standings.y) == (layout.log.x, 24) == (150, 24)
    assert layout.standings.height == 8


def test_the_large_view_leaves_the_leader_and_its_lane_in_the_standings() -> None:
    for size in ((80, 24), (100, 30), (200, 50)):
        layout = arrange(*size, range(8), big=3)
        assert layout.panes == {3: layout.panel}
        assert layout.panel.height == size[1] - 6
        assert layout.standings.height == 3


def test_the_page_goes_with_the_chosen_lane() -> None:
    first, last = arrange(80, 24, range(64), selected=0), arrange(80, 24, range(64), selected=63)
    assert 0 in first.panes
    assert 63 in last.panes
    assert list(first.panes.values()) == list(last.panes.values())


def rects_of(parts: PaneParts) -> list[Rect]:
    single = [parts.title, parts.words, parts.rate, parts.y_labels, parts.curve, *parts.numbers]
    maybe = [
        parts.rate_labels,
        parts.rate_curve,
        parts.x_labels,
        parts.sprite,
        parts.facts,
        parts.dial,
    ]
    return single + [rect for rect in maybe if rect is not None]


@given(
    st.integers(26, 300),
    st.integers(6, 90),
    st.builds(Wants, st.booleans(), st.booleans(), st.booleans()),
)
@example(26, 6, Wants(sprites=True))
@example(34, 9, Wants(sprites=True))  # a sprite beside a line of numbers that just fits
@example(52, 18, Wants(facts=True))  # the smallest with facts
@example(80, 18, Wants(sprites=True, facts=True))
@settings(max_examples=1000, deadline=None)
def test_the_parts_of_a_pane_fit_it_and_leave_the_curve_room(
    width: int, height: int, wants: Wants
) -> None:
    parts = pane_parts(width, height, wants)
    rects = rects_of(parts)
    assert covered(width - 1, height, rects).max() == 1
    assert all(rect.width > 0 and rect.height > 0 for rect in rects)
    assert parts.curve.height >= (0.6 * height if height >= 12 else 3)
    assert parts.curve.width >= (max(16, width / 2) if parts.sprite else 16)
    assert (parts.rate.height == 3) == parts.large
    assert not parts.large or parts.curve.height >= 8
    assert 1 <= len(parts.numbers) <= 3
    assert parts.numbers[0].width >= 12  # a loss is never cut
    assert parts.sprite is None or wants.sprites
    assert parts.rate_curve is None or wants.rates
    assert parts.facts is None or (wants.facts and parts.facts.height >= 4)
    assert parts.dial is None or (not wants.facts and parts.dial.height == 1)
    assert parts.marks.y >= parts.curve.bottom - 1
    assert not any(
        one.contains(parts.marks.x, parts.marks.y)
        for one in rects
        if one not in (parts.curve, parts.rate_curve)
    )


@given(st.integers(26, 300), st.integers(6, 90), st.booleans())
@settings(max_examples=300, deadline=None)
def test_constant_rates_leave_the_curve_more_room_than_those_that_move(
    width: int, height: int, facts: bool
) -> None:
    moves, constant = (
        pane_parts(width, height, Wants(rates=rates, facts=facts)) for rates in (True, False)
    )
    assert constant.rate_curve is None
    # digits take what the rates have left
    assert constant.curve.height >= moves.curve.height or constant.large
    assert constant.curve.height >= 0.6 * height or height < 12


@pytest.mark.parametrize(
    ("height", "large", "rates"),
    [(7, False, 0), (10, False, 1), (16, False, 2), (24, True, 2), (40, True, 4)],
)
def test_a_higher_pane_shows_more(height: int, large: bool, rates: int) -> None:
    parts = pane_parts(60, height)
    assert parts.large == large
    assert (parts.rate_curve.height if parts.rate_curve else 0) == rates


def test_constant_rate_marks_have_their_own_row_from_twelve_rows_on() -> None:
    for height in range(13, 90):
        parts = pane_parts(48, height, Wants(rates=False))
        assert parts.marks.y == parts.curve.bottom
        assert parts.x_labels is not None
        assert parts.x_labels.y == parts.marks.bottom


def test_sprite_is_at_the_right_if_the_curve_keeps_half_the_pane() -> None:
    wants = Wants(sprites=True)
    assert pane_parts(26, 6, wants).sprite is None
    assert pane_parts(40, 7, wants).sprite == Rect(31, 2, 8, 5)
    assert pane_parts(47, 23, wants).sprite == Rect(38, 2, 8, 21)
    assert pane_parts(48, 23, wants).sprite == Rect(31, 2, 16, 21)


@pytest.mark.parametrize(
    ("width", "height", "rows"),
    [(80, 24, 4), (100, 30, 4), (200, 50, 7), (60, 16, None), (60, 24, 4)],
)
@pytest.mark.parametrize("has_sprite", [False, True])
def test_the_large_view_has_the_facts_where_there_is_room(
    width: int, height: int, rows: int | None, has_sprite: bool
) -> None:
    facts = arrange(
        width, height, range(4), big=0, wants=Wants(sprites=has_sprite, facts=True)
    ).parts.facts
    if width < 80 and has_sprite:
        return  # then the sprite goes first
    assert (facts.height if facts else None) == rows


def test_a_pane_among_others_has_a_dial_where_there_is_room_to_spare() -> None:
    assert pane_parts(51, 24).dial == Rect(0, 5, 50, 1)
    assert pane_parts(50, 24).dial is None
    assert pane_parts(51, 20).dial is None
    assert pane_parts(51, 40, Wants(facts=True)).dial is None


def test_panes_stand_in_the_order_in_which_lanes_are_shown() -> None:
    assert list(arrange(80, 24, [5, 0, 3]).panes) == [5, 0, 3]
    assert list(arrange(80, 24, [5, 0, 3], big=3).panes) == [3]


def test_layout_without_lanes_has_everything_but_panes() -> None:
    layout = arrange(80, 24, [])
    assert layout.panes == {}
    assert layout.panel.height > 0
    assert layout.standings.height >= 2
    assert layout.page == (1, 1)


@given(WIDTHS, HEIGHTS, LANES, st.data())
@settings(max_examples=100, deadline=None)
def test_going_through_all_lanes_goes_through_all_pages(
    width: int, height: int, lanes: int, data: st.DataObject
) -> None:
    shown = data.draw(st.permutations(range(lanes)))
    layouts = [arrange(width, height, shown, selected=lane) for lane in shown]
    assert all(lane in layout.panes for lane, layout in zip(shown, layouts, strict=True))
    pages = [layout.page[0] for layout in layouts]
    assert pages == sorted(pages)
    assert set(pages) == set(range(1, layouts[0].page[1] + 1))
