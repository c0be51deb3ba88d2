"""Validation within epochs, every so many steps; with streams, which have no epochs."""

import pytest

from lrtui.core.protocol.events import Evaluated, Sampled
from support.training import column, make_race, other_race, train

from .breaks import breaks, unequal


def evaluated(events):
    return [event for event in events if isinstance(event, Evaluated)]


def rows(events):
    return [(event.step, event.epoch, "val_loss" in event.metrics) for event in evaluated(events)]


class TestMapStyleData:
    """Four steps an epoch, three epochs."""

    def test_validation_is_at_its_steps_and_at_the_end_alone(self):
        events = train(make_race([{"lr": 0.01}], validate_every=3))
        assert rows(events) == [
            (3, 0, True),
            (4, 1, False),
            (6, 1, True),
            (8, 2, False),
            (9, 2, True),
            (12, 3, True),
        ]

    def test_training_is_the_same_as_without(self):
        often, seldom = (train(make_race([{"lr": 0.01}], validate_every=every)) for every in (1, 0))
        for name in ("loss", "applied_lr", "next_lr"):
            assert column(often, name) == column(seldom, name)
        last = [[e.metrics for e in evaluated(events)][-1] for events in (often, seldom)]
        assert last[0] == last[1]
        pictures = [
            [e.pixels for e in events if isinstance(e, Sampled)] for events in (often, seldom)
        ]
        assert pictures[0] == pictures[1]

    def test_loss_beside_it_is_the_mean_of_the_epoch_so_far(self):
        events = train(make_race([{"lr": 0.01}], validate_every=3))
        losses = column(events)
        assert evaluated(events)[0].loss == pytest.approx(sum(losses[:3]) / 3)
        assert evaluated(events)[2].loss == pytest.approx(sum(losses[4:6]) / 2)

    def test_schedule_that_looks_at_the_loss_gets_it_at_each_epochs_end(self):
        lane = {"lr": 0.01, "schedule": "ReduceLROnPlateau(patience=0)"}
        events = train(make_race([lane], task="Validated", validate_every=2, batch_size=16))
        assert [row for row in rows(events) if row[0] % 3 == 0] == [
            (3, 1, True),
            (6, 2, True),
            (9, 3, True),
        ]

    @pytest.mark.parametrize("recipe", [{}, {"accumulate": 2, "ema": 0.9}], ids=str)
    def test_lane_resumed_anywhere_is_the_one_nobody_interrupts(self, recipe):
        race = make_race([{"lr": 0.01, **recipe}], validate_every=1, batch_size=10)
        found = breaks(race)
        assert any(moment.validating for moment in found)
        assert unequal(race, found) == []


class TestStream:
    def test_epochs_are_absent_and_validation_comes_at_its_steps(self):
        events = train(other_race("EndlessValidated", {"lr": 0.01}, steps=10, validate_every=4))
        assert rows(events) == [(4, 0, True), (8, 0, True), (10, 0, True)]

    def test_lane_resumed_anywhere_is_the_one_nobody_interrupts(self):
        race = other_race(
            "EndlessValidated", {"lr": 0.01, "accumulate": 2}, steps=5, validate_every=2
        )
        assert unequal(race, breaks(race)) == []
