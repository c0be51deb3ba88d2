"""Streams and DataLoaders of a task's own are gone through as a plain loop does: as long as they
are, whatever they say."""

import pytest
import torch

from lrtui.core.protocol.events import Ended, Evaluated, LogMessage, Started
from lrtui.training.loop import train_lane
from lrtui.training.session import Training
from support.training import column, other_race

from . import tasks_of_other_data as tasks
from .breaks import CPU, breaks, unequal, whole
from .plain import plain_loop

HALVES = {"name": "StepLR", "step_size": 1, "gamma": 0.5}


def halves(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


def trained(task, lane=None, **keys):
    race = other_race(task, {"lr": 0.01, **(lane or {})}, **keys)
    return race, whole(race)[1]


def epochs(events):
    return [(event.epoch, event.step) for event in events if isinstance(event, Evaluated)]


@pytest.mark.parametrize(
    ("task", "budget", "expected"),
    [
        ("Bare", {"steps": 11}, [(1, 4), (2, 8), (2, 11)]),  # 52 samples in batches of 16
        ("Sized", {"steps": 9}, [(1, 4), (2, 8), (3, 9)]),
        ("Sized", {"epochs": 2}, [(1, 4), (2, 8)]),
        ("EndlessLoader", {"steps": 25}, [(0, 25)]),
        ("HugeLength", {"steps": 25}, [(1, 25)]),
        ("Bucketed", {"epochs": 2}, [(1, 6), (2, 12)]),
        ("Bucketed", {"steps": 13}, [(1, 6), (2, 12), (3, 13)]),
        ("Whole", {"steps": 9}, [(1, 4), (2, 8), (2, 9)]),
        ("ByBatchSampler", {"epochs": 2}, [(1, 8), (2, 16)]),
        *(
            (task, {"epochs": 3}, [(1, 6), (2, 12), (3, 18)])
            for task in (
                "CountedPasses",
                "DrawsFromItsData",
                "CountsOnItsClass",
                "TakesFromAStream",
            )
        ),
    ],
)
@pytest.mark.parametrize("schedule", [None, HALVES])
def test_a_lane_equals_the_plain_loop_and_an_epoch_is_a_pass(task, budget, expected, schedule):
    race, events = trained(task, {"schedule": schedule} if schedule else None, **budget)
    losses, rates = plain_loop(
        getattr(tasks, task)(),
        seed=race.seed,
        make_scheduler=halves if schedule else None,
        **budget,
    )
    assert column(events) == losses
    assert column(events, "applied_lr") == rates
    assert column(events, "next_lr")[:-1] == rates[1:]
    assert epochs(events) == expected
    assert isinstance(events[-1], Ended)
    assert events[-1].reason == "finished"


def test_a_stream_is_fetched_no_further_than_it_is_trained_on():
    training, _ = whole(other_race("HugeLength", {"lr": 0.01}, steps=10))
    assert training.data._loader.dataset.made == 80


def test_a_stream_without_a_length_says_so_and_nothing_of_its_order():
    _, events = trained("EndlessLoader", steps=7)
    started = next(event for event in events if isinstance(event, Started))
    assert (started.length_known, started.steps_per_epoch, started.total_steps) == (False, 7, 7)
    assert (started.batch_checksum, started.batch_size) == ("", 8)


def test_a_budget_in_epochs_needs_a_length():
    with pytest.raises(Exception, match=r"no length: a budget in epochs.*\n.*--steps"):
        trained("Bare", epochs=2)


def test_a_schedule_by_epochs_is_named_where_nobody_knows_how_long_one_is():
    _, events = trained("Bare", {"schedule": HALVES}, steps=5)
    (note,) = [event for event in events if isinstance(event, LogMessage)]
    assert (note.lane, note.text) == (
        0,
        (
            "StepLR(step_size=1, gamma=0.5) steps at the end of each pass over the training data, "
            'whose length is not known: interval = "batch" counts steps'
        ),
    )
    assert not [
        event
        for event in trained("Sized", {"schedule": HALVES}, steps=5)[1]
        if isinstance(event, LogMessage)
    ]


def test_a_length_that_is_wrong_is_noted_once_and_what_comes_is_trained_on():
    _, events = trained("Bucketed", epochs=3)
    # the first one is about batch_size
    assert [event.text for event in events if isinstance(event, LogMessage)][1:] == [
        "the training data has a length of 5 batches, and an epoch gave 6: the steps of the budget"
        " are counted by the length"
    ]
    assert len(column(events)) == 18


def test_a_stream_that_does_not_begin_anew_is_named():
    with pytest.raises(Exception, match=r"dataset\(\) gave no batch in epoch 2\n.*begins anew"):
        trained("OnlyOnce", steps=5)


@pytest.mark.parametrize("task", ["Bare", "Sized", "Bucketed"])
@pytest.mark.parametrize("schedule", [None, HALVES])
@pytest.mark.parametrize("deferred", [False, True])
def test_a_lane_goes_on_from_any_break_bit_for_bit(task, schedule, deferred):
    race = other_race(
        task, {"lr": 0.01, **({"schedule": schedule} if schedule else {})}, steps=11, gauge=False
    )
    found = breaks(race, deferred=deferred)
    assert unequal(race, found, deferred=deferred) == []


def test_what_a_loader_is_asked_for_its_checksum_leaves_its_sampler_alone():
    race = other_race("CountedPasses", {"lr": 0.01}, epochs=1)
    training = Training(race, 0, CPU)
    assert training.data._loader.sampler.passes == 0
    assert training.batch_checksum == Training(race, 0, CPU).batch_checksum != ""
    list(train_lane(training))
    assert training.data._loader.sampler.passes == 1


@pytest.mark.parametrize(
    ("task", "known"),
    [("DrawsFromItsData", True), ("CountsOnItsClass", True), ("TakesFromAStream", False)],
)
def test_batch_checksum_requires_restorable_sampler_state(task, known):
    race = other_race(task, {"lr": 0.01}, epochs=1)
    sums = {Training(race, 0, CPU).batch_checksum for _ in range(2)}
    assert len(sums) == 1
    assert sums.isdisjoint({""}) == known


def test_a_deferred_lane_makes_the_same_steps():
    race = other_race("Bare", {"lr": 0.01, "schedule": HALVES}, steps=11)
    ways = [whole(race, deferred=deferred)[1] for deferred in (False, True)]
    assert column(ways[0]) == column(ways[1])
    assert column(ways[0], "next_lr") == column(ways[1], "next_lr")
    assert epochs(ways[0]) == epochs(ways[1])
