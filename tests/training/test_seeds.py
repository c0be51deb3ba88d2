"""Lanes of several seeds: each is the bare loop with its seed, and lanes of one seed share weights
and batches."""

import torch

from lrtui.core.protocol.events import Started
from support.training import column, make_race, train

from .bare import bare_loop
from .tasks_for_tests import Dropped

LANE = {"optimizer": "SGD", "lr": 0.01, "momentum": 0.9}


def started(events):
    return next(event for event in events if isinstance(event, Started))


def test_lane_of_the_second_seed_is_the_bare_loop_with_the_next_seed():
    race = make_race([LANE], seeds=3, seed=11)
    assert [lane.letter for lane in race.lanes] == ["A1", "A2", "A3"]
    for index, seed in enumerate((11, 12, 13)):
        losses, rates = bare_loop(
            Dropped(),
            lambda groups: torch.optim.SGD(groups, lr=0.01, momentum=0.9),
            seed=seed,
            epochs=3,
            batch_size=16,
        )
        events = train(race, index)
        assert column(events) == losses
        assert column(events, "applied_lr") == rates


def test_lanes_of_one_seed_share_weights_and_the_order_of_batches():
    race = make_race([LANE, {**LANE, "lr": 0.1}], seeds=2, epochs=1)
    begun = [started(train(race, index)) for index in range(4)]
    weights = [event.init_checksum for event in begun]
    batches = [event.batch_checksum for event in begun]
    for checksums in (weights, batches):
        assert checksums[:2] == checksums[2:]
        assert checksums[0] != checksums[1]
