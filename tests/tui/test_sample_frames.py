"""Which pictures the filmstrip shows, and where its cards stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.protocol.events import Evaluated
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.record_index import SampleIndex
from lrtui.tui.render import filmstrip
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.sample_frames import beside, film, newest
from lrtui.tui.view import RaceView
from support.fake_run import at, make_race, sample, started


@pytest.fixture
def state() -> RaceState:
    """Three lanes that race; the second one is behind, the third one draws nothing."""
    found = RaceState(make_race(("steady",) * 3))
    for lane in range(3):
        apply(found, started(lane))
    return found


@pytest.fixture
def pictures() -> SampleIndex:
    """Of lane 0 after 0, 20, 40 and 60 steps (rows 1, 3, 5, 7), of lane 1 after 0, 20 and 40 (rows
    2, 4, 6)."""
    found = SampleIndex()
    for number, (lane, epoch) in enumerate(
        [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (0, 3)], 1
    ):
        found.add(number, sample(lane, epoch, 20 * epoch))
    return found


def rows(found: object) -> list[int | None]:
    return [card.now.row if card.now else None for card in found.cards]  # type: ignore[attr-defined]


def test_the_newest_is_the_one_that_every_racing_lane_has_drawn(state, pictures):
    found = film(state, pictures, [0, 1, 2], None)
    assert (found.step, found.place, found.total, found.newest) == (40, 3, 4, True)
    assert rows(found) == [5, 6, None]


def test_a_lane_that_no_longer_races_does_not_hold_the_others_up(state, pictures):
    state.lanes[1].lifecycle.status = "paused"
    found = film(state, pictures, [0, 1], None)
    assert found.step == 60
    assert rows(found) == [7, 6]


def test_a_step_between_two_samples_shows_the_one_before(state, pictures):
    assert film(state, pictures, [0, 1], 39).step == 20
    assert rows(film(state, pictures, [0, 1], 39)) == [3, 4]
    assert film(state, pictures, [0, 1], 10_000).step == 60


def test_scrubbing_goes_from_sample_to_sample_and_ends_at_the_newest(state, pictures):
    assert newest(state, pictures, [0, 1]) == 40
    assert beside(state, pictures, [0, 1], None, -1) == 20
    assert beside(state, pictures, [0, 1], 20, -1) == 0
    assert beside(state, pictures, [0, 1], 0, -1) == 0
    assert beside(state, pictures, [0, 1], 0, 1) == 20
    assert beside(state, pictures, [0, 1], 20, 1) is None
    assert beside(state, pictures, [0, 1], None, 1) is None
    assert beside(state, pictures, [0, 1], None, -99) == 0
    assert beside(state, pictures, [2], None, -1) is None


def test_the_best_until_then_goes_by_the_validation_loss(state, pictures):
    for epoch, (loss, val) in enumerate([(0.5, 0.9), (0.4, 0.3), (0.3, 0.8)], 1):
        apply(
            state,
            Evaluated(
                lane=0,
                at=at(20 * epoch),
                epoch=epoch,
                step=20 * epoch,
                loss=loss,
                metrics={"val_loss": val},
            ),
        )
    card = film(state, pictures, [0], None).cards[0]
    assert (card.best.step, card.value) == (40, 0.3)
    assert film(state, pictures, [0], 20).cards[0].best.step == 20
    apply(state, Evaluated(lane=1, at=at(20), epoch=1, step=20, loss=0.4))
    apply(state, Evaluated(lane=1, at=at(40), epoch=2, step=40, loss=float("nan")))
    # no validation: the epoch's mean; NaN is no best
    assert film(state, pictures, [0, 1], None).cards[1].best.step == 20


def test_nothing_has_been_drawn(state):
    found = film(state, SampleIndex(), [0, 1], None)
    assert found.step is None
    assert rows(found) == [None, None]


SIDES = st.sampled_from([1, 2, 7, 8, 16, 28, 32, 64])


@given(st.integers(60, 300), st.integers(6, 80), st.integers(1, 64), st.tuples(SIDES, SIDES))
@settings(max_examples=200, deadline=None)
def test_cards_stay_within_the_stage_and_have_room_for_a_picture(width, height, cards, pixels):
    grid = filmstrip.arrange(width, height, cards, (8, *pixels))
    assert grid.across * grid.width <= width
    assert grid.height <= height or grid.height == filmstrip.CARD_LEAST[1]
    assert grid.width >= filmstrip.CARD_LEAST[0]
    assert grid.height >= filmstrip.CARD_LEAST[1]


@pytest.mark.parametrize(
    ("width", "height", "cards", "whole"),
    [(80, 14, 4, True), (144, 46, 8, True), (60, 8, 16, False)],
)
def test_small_pictures_keep_their_size_where_there_is_room(width, height, cards, whole):
    grid = filmstrip.arrange(width, height, cards, (8, 16, 16))
    fits = grid.height - filmstrip.HEADS >= 8
    assert fits == whole


def test_best_and_now_stand_side_by_side(state, pictures):
    for epoch, val in enumerate([0.3, 0.8, 0.7], 1):
        apply(state, Evaluated(lane=0, at=at(20 * epoch), epoch=epoch, step=20 * epoch, loss=val))
    canvas = Canvas(120, 20)
    asked = []

    def look(picture):
        asked.append(picture.row)
        return np.full((8, 16, 16, 3), 200, np.uint8)

    filmstrip.draw(
        canvas,
        state,
        film(state, pictures, [0, 1], None),
        look,
        RaceView(selected=1),
        nothing_will_come=False,
    )
    text = ["".join(map(chr, line)) for line in canvas.codes]
    assert "samples after 40 steps, 3 of 4 · the newest" in text[0]
    assert "ep 2 step 40" in text[2]
    assert "best: ep 1 0.3000" in text[2]
    assert {3, 5, 6} <= set(asked)
