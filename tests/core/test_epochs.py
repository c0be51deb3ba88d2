"""The ends of epochs in columns: what was told can be read again, whatever came again or was taken
back."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, strategies as st

from lrtui.core.protocol.events import Evaluated
from lrtui.core.state.epochs import Epochs

METRICS = st.dictionaries(
    st.sampled_from(["val_loss", "acc"]), st.sampled_from([0.25, 1e300, math.nan, math.inf])
)
MOVES = st.lists(
    st.tuples(st.sampled_from(["next", "again", "cut"]), st.integers(0, 60), METRICS), max_size=30
)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(MOVES)
def test_it_holds_what_a_list_of_events_would(moves):
    epochs, told = Epochs(), list[Evaluated]()
    for what, number, metrics in moves:
        if what == "cut":
            epochs.cut(number)
            told = [one for one in told if one.step <= number]
            continue
        at = len(told) + 1 if what == "next" or not told else 1 + number % len(told)
        told = [one for one in told if one.epoch < at]
        told.append(Evaluated(lane=0, epoch=at, step=at * 5, loss=number / 7, metrics=metrics))
        epochs.apply(told[-1])
    assert list(epochs) == [one.epoch for one in told]
    assert epochs.steps.tolist() == [one.step for one in told]
    assert epochs.losses.tolist() == [one.loss for one in told]
    assert (epochs.last is None) == (not told)
    if epochs.last is not None:
        assert (epochs.last.epoch, epochs.last.metrics.keys()) == (
            told[-1].epoch,
            told[-1].metrics.keys(),
        )
        assert all(
            same(value, told[-1].metrics[name]) for name, value in epochs.last.metrics.items()
        )
    for name in ("val_loss", "acc"):
        for since in (0, len(told) // 2):
            steps, values = epochs.metric(name, since)
            known = [one for one in told[since:] if name in one.metrics]
            assert steps.tolist() == [one.step for one in known]
            assert np.array_equal(values, [one.metrics[name] for one in known], equal_nan=True)


def test_a_count_tells_that_some_were_forgotten():
    epochs = Epochs()
    for epoch in (1, 2):
        epochs.apply(Evaluated(lane=0, epoch=epoch, step=epoch, loss=1.0))
    assert epochs.cuts == 0
    epochs.apply(Evaluated(lane=0, epoch=2, step=2, loss=0.5))
    assert epochs.cuts == 1
    epochs.cut(5)
    assert epochs.cuts == 1
    epochs.cut(1)
    assert (epochs.cuts, list(epochs)) == (2, [1])


def test_an_epoch_takes_little():
    epochs = Epochs()
    for epoch in range(1, 10_001):
        epochs.apply(
            Evaluated(lane=0, epoch=epoch, step=epoch * 5, loss=1.0, metrics={"val_loss": 1.0})
        )
    assert 400_000 <= epochs.nbytes < 440_000
