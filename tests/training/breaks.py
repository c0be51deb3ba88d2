"""Lanes that are interrupted: a snapshot at each break that the loop offers, and a new lane from
any of them."""

from typing import NamedTuple

import torch

from lrtui.core.protocol.events import Ended, Evaluated, FindingsUpdated, Sampled
from lrtui.training import snapshot
from lrtui.training.loop import train_lane
from lrtui.training.session import Training
from support.training import column

CPU = torch.device("cpu")
COLUMNS = ("loss", "applied_lr", "next_lr", "grad_norm")


class Break(NamedTuple):
    """A moment at which the loop said None."""

    payload: bytes
    told: list
    """The events until then."""
    flushed_steps: int
    """How many steps they tell of."""
    step: int
    validating: bool
    open: bool = False
    """True between two micro-batches of a step."""


def whole(race, index=0, *, factor=1.0, deferred=None):
    """(training at its end, its events): a lane that nobody interrupts."""
    training = Training(race, index, CPU, deferred=deferred)
    training.set_factor(factor)
    return training, [event for event in train_lane(training) if event is not None]


def breaks(race, index=0, *, factor=1.0, deferred=None):
    """Every break of a lane, which goes on after each of them."""
    training = Training(race, index, CPU, deferred=deferred)
    training.set_factor(factor)
    told, found = [], []
    for event in train_lane(training):
        if event is not None:
            told.append(event)
            continue
        told += training.step_recorder.flush()
        payload = snapshot.encode(training.state_dict())
        found.append(
            Break(
                payload,
                list(told),
                training.step_recorder.flushed_steps,
                training.step_recorder.step,
                training.progress.before_validation is not None,
                training.recipe.accumulation.done > 0,
            )
        )
    return found


def resumed(race, moment, index=0, *, deferred=None):
    """(training at its end, all events): a new lane from the snapshot of a break, in a process that
    has drawn other numbers."""
    torch.manual_seed(12345)
    training = Training(
        race, index, CPU, deferred=deferred, snapshot=snapshot.decode(moment.payload)
    )
    assert training.step_recorder.step == moment.step
    return training, moment.told + [event for event in train_lane(training) if event is not None]


def record(training, events):
    """All that must be the same, bit for bit."""
    judged = [event for event in events if isinstance(event, FindingsUpdated)]
    ends = [(event.reason, event.step, event.error) for event in events if isinstance(event, Ended)]
    return {
        **{name: repr(column(events, name)) for name in COLUMNS},  # NaN equals itself in a text
        "evaluated": [
            (event.epoch, event.step, repr(event.loss), repr(event.metrics))
            for event in events
            if isinstance(event, Evaluated)
        ],
        "sampled": [
            (event.epoch, event.step, event.pixels)
            for event in events
            if isinstance(event, Sampled)
        ],
        "judged": repr(judged[-1].findings),
        "ended": ends,
        "weights": [
            (name, value.dtype, value.numpy().tobytes())
            for name, value in weights(training).items()
        ],
    }


def weights(training):
    """Parameters and buffers by name, those that are not persistent too."""
    model = training.model
    return {
        name: value.detach() for name, value in [*model.named_parameters(), *model.named_buffers()]
    }


def unequal(race, moments, index=0, *, factor=1.0, deferred=None):
    """What differs between the lane that nobody interrupts and those that were resumed at
    `moments`: (step, what)."""
    expected = record(*whole(race, index, factor=factor, deferred=deferred))
    found = []
    for moment in moments:
        got = record(*resumed(race, moment, index, deferred=deferred))
        found += [(moment.step, name) for name in expected if got[name] != expected[name]]
    return found
