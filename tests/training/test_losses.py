"""What loss() and metrics() may give: one line where it will not do, and a dict's numbers step by
step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from lrtui.core.charts.metric_series import quantities, track
from lrtui.core.errors import TaskError
from lrtui.core.protocol.events import Ended, Evaluated, Steps
from lrtui.core.scenario.spec import TaskRef
from lrtui.core.state.race_state import RaceState, apply
from lrtui.training import losses, snapshot, task as tasks
from lrtui.training.loop import train_lane
from lrtui.training.session import Training
from support.training import column, make_race, train

from .tasks_for_tests import Dropped, Plain

REF = TaskRef("file", "/home/me/project/mine.py", "Mine")
WEIGHTS = torch.ones(3, requires_grad=True)


@dataclass
class Output:
    """A model's output that is no dict."""

    loss: torch.Tensor


class Dict(dict):
    """As other libraries derive theirs."""


def test_task_with_a_loop_of_its_own_is_told_that_it_is_not_called():
    class Trainer:
        def training_step(self, batch):
            pass

        def configure_optimizers(self):
            pass

    said = tasks.unused_loop(Trainer())
    assert said.startswith("the task's training_step(), configure_optimizers() is not called")
    assert tasks.unused_loop(object()) == ""


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        (
            (WEIGHTS.sum(), WEIGHTS),
            "a tuple (tensor of shape [], float32, tensor of shape [3], float32)",
            "dict",
        ),
        (
            (WEIGHTS.sum(), WEIGHTS.mean()),
            "a tuple (tensor of shape [], float32, tensor of shape [], float32)",
            "two in one loop (a GAN) do not fit a task",
        ),
        ([WEIGHTS.sum()], "a list (tensor of shape [], float32)", "dict"),
        (0.53, "the float 0.53", "before .item()"),
        (None, "None", "return"),
        (WEIGHTS * 2, "a tensor of shape [3], float32", "mean()"),
        (torch.tensor(3), "a tensor of shape [], int64", "floating-point"),
        (WEIGHTS.sum().to(torch.complex64), "a tensor of shape [], complex64", "real"),
        (
            {"logits": WEIGHTS, "total": WEIGHTS.sum()},
            "a dict with 'logits', 'total'",
            'under the key "loss"',
        ),
        ({"loss": 0.5}, 'the float 0.5 as "loss"', ".item()"),
        ({"loss": None, "logits": WEIGHTS}, 'None as "loss"', "return"),
        ({"loss": WEIGHTS}, 'a tensor of shape [3], float32 as "loss"', "mean()"),
        (Output(WEIGHTS.sum()), "a Output", "return its .loss"),
        ("0.5", "a str", "scalar tensor"),
        (WEIGHTS.sum().detach(), "a scalar without a gradient", "detached"),
        ({"loss": WEIGHTS.sum().detach()}, "a scalar without a gradient", "detached"),
    ],
)
def test_one_line_says_what_it_gave_and_what_is_expected(given, said, hint):
    with pytest.raises(TaskError) as error:
        losses.of_step(given, REF)
    assert error.value.message == f"loss() of mine.py:Mine gave {said}"
    assert hint in error.value.hint


@pytest.mark.parametrize(
    "name",
    ["loss/1", "applied_lr", "grad_norm", "seconds", "val_loss", "applied_lr/1", "event", "a\nb"],
)
def test_a_number_may_not_have_a_name_of_lrtuis_own(name):
    with pytest.raises(TaskError, match="expected another name"):
        losses.of_step({"loss": WEIGHTS.sum(), name: 1.0}, REF)


def test_what_is_no_number_is_left_out_and_a_tensor_is_detached():
    given = Dict(
        loss=WEIGHTS.sum(),
        kl=WEIGHTS.mean(),
        n=7,
        logits=WEIGHTS,
        words="x",
        flag=True,
        **{"loss/recon": 0.5},
    )
    loss, numbers = losses.of_step(given, REF)
    assert loss is given["loss"]
    assert numbers == {"kl": 1.0, "n": 7.0, "flag": 1.0, "loss/recon": 0.5}
    assert not numbers["kl"].requires_grad


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([1.0], "gave a list (float)"),
        (None, "gave None"),
        ({"f1": torch.ones(2)}, 'tensor of shape [2], float32 as "f1"'),
        ({"report": "good"}, 'a str as "report"'),
    ],
)
def test_metrics_that_are_no_numbers_are_told(given, said):
    with pytest.raises(TaskError) as error:
        losses.metrics(given, REF)
    assert said in error.value.message
    assert "metrics() of mine.py:Mine" in error.value.message


class Parts(Dropped):
    """Gives its loss in parts; the first is a tensor, one comes at every third step."""

    def __init__(self):
        self.calls = 0

    def loss(self, model, batch):
        made = model(batch[0])
        loss = nn.functional.mse_loss(made, batch[1])
        self.calls += model.training and torch.is_grad_enabled()
        odd = {"third": float(self.calls)} if model.training and self.calls % 3 == 0 else {}
        return {"loss": loss, "kl": loss.detach() * 2, "size": len(made), "made": made, **odd}


class PartsPlain(Plain):
    """The same of a linear model, for LBFGS."""

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        return {"loss": loss, "kl": loss * 2}


@pytest.fixture
def given(monkeypatch):
    """Trains a class of this file in the place of the task that the race names."""

    def use(made):
        monkeypatch.setattr(tasks, "load", lambda ref: made())

    return use


@pytest.mark.parametrize("deferred", [False, True])
def test_a_dicts_loss_is_trained_bit_for_bit_and_its_numbers_are_columns(given, deferred):
    race = make_race([{"lr": 0.01}], gauge=False)
    plain = train(race)
    given(Parts)
    events = train(race, deferred=deferred)
    assert column(events) == column(plain)
    assert [event.metrics["val_loss"] for event in events if isinstance(event, Evaluated)] == [
        event.metrics["val_loss"] for event in plain if isinstance(event, Evaluated)
    ]
    assert column(events, "kl") == [2 * loss for loss in column(plain)]
    assert column(events, "size") == [16.0, 16.0, 16.0, 2.0] * 3
    blocks = [event for event in events if isinstance(event, Steps)]
    third = [
        value
        for event in blocks
        for value in (
            event.values("third").tolist() if "third" in event.columns else [math.nan] * event.count
        )
    ]
    assert [step for step, value in enumerate(third) if not math.isnan(value)] == [2, 5, 8, 11]
    assert "made" not in blocks[0].columns


def test_the_numbers_are_quantities_at_the_steps_where_they_were_given(given):
    race = make_race([{"lr": 0.01}], gauge=False)
    given(Parts)
    state = RaceState(race)
    for event in train(race):
        apply(state, event)
    names = [each.name for each in quantities(state)]
    assert names[:6] == ["loss", "kl", "size", "third", "val_loss", "mae"]
    third = track(state.lanes[0], "third")
    assert third.steps.tolist() == [2, 5, 8, 11]
    assert third.series.values.tolist() == [3.0, 6.0, 9.0, 12.0]


def test_optimizer_with_a_closure_records_the_values_of_its_first_call(given):
    race = make_race([{"optimizer": "LBFGS", "lr": 0.1}], task="Plain", epochs=2)
    plain = train(race)
    given(PartsPlain)
    events = train(race)
    assert column(events) == column(plain)
    assert column(events, "kl") == [2 * loss for loss in column(plain)]


def test_a_step_that_goes_non_finite_has_its_numbers_too(given):
    given(PartsPlain)
    race = make_race([{"optimizer": "SGD", "lr": 1e12}], task="Plain", epochs=20, gauge=False)
    for deferred in (False, True):
        events = train(race, deferred=deferred)
        assert isinstance(events[-1], Ended)
        assert events[-1].reason == "nan"
        assert len(column(events, "kl")) == len(column(events))


def test_a_lane_that_goes_on_from_a_snapshot_keeps_its_columns(given):
    race = make_race([{"lr": 0.01}], gauge=False)
    given(Parts)
    whole = train(race)
    training = Training(race, 0, torch.device("cpu"))
    told = []
    for event in train_lane(training):
        if event is not None:
            told.append(event)
        # one step before the end of the epoch is told with what follows
        elif training.step_recorder.step == 4:
            break
    told += training.step_recorder.flush()
    again = Training(
        race,
        0,
        torch.device("cpu"),
        snapshot=snapshot.decode(snapshot.encode(training.state_dict())),
    )
    told += [event for event in train_lane(again) if event is not None]
    assert column(told, "kl") == column(whole, "kl")
