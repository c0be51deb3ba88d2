"""The weights of a lane's best evaluation: kept when they were evaluated, on disk at its end."""

import math
from threading import Event

import pytest
import torch

from lrtui.core.protocol.commands import Pause, Rewind, Stop, TakeSnapshot
from lrtui.core.protocol.events import Evaluated
from lrtui.store import snapshots
from lrtui.training import best_weights as best_module, snapshot, weights
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import SnapshotSchedule
from support.lane_runners import finish, kept, of_kind, run_to, runner_of
from support.training import make_race

HOT = {"optimizer": "SGD", "lr": 0.15}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _any_time(monkeypatch):
    """Copies of weights may take as long as they do on a machine that others keep busy."""
    monkeypatch.setattr(best_module, "FREE_S", math.inf)


def evaluated(tape, metric="val_loss"):
    return {
        event.step: event.metrics[metric] for event in of_kind(tape, Evaluated) if event.metrics
    }


def best(folder, letter="A"):
    found = snapshots.best_weights(folder, letter)
    return found, snapshot.decode(snapshots.load(found.path)[1])


def value_with(race, state, *, averaged=False, metric="val_loss"):
    """A metric of the task's whole validation data with the weights of a file."""
    training = Training(race, 0, CPU)
    training.model.load_state_dict(weights.state_dict(state, averaged=averaged)[0])
    training.model.eval()
    (batch,) = torch.utils.data.DataLoader(training.task.dataset()[1], batch_size=10_000)
    with torch.no_grad():
        if metric == "val_loss":
            return training.task.loss(training.model, batch).item()
        return training.task.metrics(training.model, batch)[metric].item()


@pytest.mark.parametrize(
    ("keys", "choose"),
    [
        ({}, min),
        ({"rank_by": "mae"}, min),
        ({"rank_by": "mae", "best": "max"}, max),
        ({"validate_every": 3}, min),
    ],
)
def test_file_has_the_weights_that_were_evaluated_best(keys, choose, tmp_path):
    race = make_race([HOT], epochs=8, **keys)
    runner, tape = runner_of(race, tmp_path)
    finish(runner)
    kept(runner, tmp_path)
    metric = race.rank_by or "val_loss"
    values = evaluated(tape, metric)
    step = choose(values, key=values.get)
    assert len(set(values.values())) > 2
    found, state = best(tmp_path)
    assert (found.step, found.metric, found.value) == (step, metric, values[step])
    # batches of another size are added in another order
    assert value_with(race, state, metric=metric) == pytest.approx(values[step], rel=1e-5)


def test_lane_ranked_by_its_training_loss_has_no_such_file(tmp_path):
    for keys in ({"rank_by": "loss"}, {"task": "Plain"}):
        runner, _ = runner_of(make_race([HOT], **keys), tmp_path)
        finish(runner)
        kept(runner, tmp_path)
        assert snapshots.best_weights(tmp_path, "A") is None


@pytest.mark.parametrize(
    "end", [Pause(lane=0), Stop(lane=0), Stop(lane=0, for_good=False), TakeSnapshot(lane=0)]
)
def test_file_is_written_when_a_lane_rests_or_is_asked(end, tmp_path):
    runner, tape = runner_of(make_race([HOT], epochs=8), tmp_path)
    run_to(runner, 13).execute(end)
    kept(runner, tmp_path)
    values = evaluated(tape)
    assert best(tmp_path)[0].step == min(values, key=values.get)


def test_copies_do_not_queue_up_behind_a_slow_disk(tmp_path, monkeypatch):
    """At each look one is due, and the first is still being written."""
    monkeypatch.setattr(SnapshotSchedule, "due", lambda *_: True)
    race, told = make_race([{"optimizer": "SGD", "lr": 0.01}], epochs=6), Event()
    write = snapshots.write_best
    steps = []

    def slow(*args):
        steps.append(args[3])
        assert told.wait(60)
        return write(*args)

    monkeypatch.setattr(snapshots, "write_best", slow)
    runner, tape = runner_of(race, tmp_path)
    finish(runner)
    told.set()
    kept(runner, tmp_path)
    values = evaluated(tape)
    assert sorted(values, key=values.get)[-1:] == [4]  # each is better than the one before
    assert len(steps) == 2
    assert best(tmp_path)[0].step == 24


def test_failing_lane_leaves_its_best_weights(tmp_path):
    runner, tape = runner_of(make_race([HOT], task="RaisesLate", epochs=3), tmp_path)
    finish(runner)
    kept(runner, tmp_path)
    assert best(tmp_path)[0].step in evaluated(tape)


def test_rewound_lane_forgets_the_best_weights_after_its_step(tmp_path):
    runner, tape = runner_of(make_race([{"optimizer": "SGD", "lr": 0.01}], epochs=4), tmp_path)
    run_to(runner, 5).execute(TakeSnapshot(lane=0))
    run_to(runner, 10)
    assert runner.execute(Rewind(lane=0, to=5, by=100.0)).ok
    run_to(runner, 7).execute(Stop(lane=0))
    kept(runner, tmp_path)
    values = evaluated(tape)
    assert values[8] < values[4]
    assert best(tmp_path)[0].step == 4


def test_resumed_lane_knows_its_best_evaluation(tmp_path):
    race = make_race([HOT], epochs=8)
    runner, tape = runner_of(race, tmp_path)
    run_to(runner, 13).execute(Stop(lane=0, for_good=False))
    kept(runner, tmp_path)
    again, later = runner_of(race, tmp_path, LaneAssignment(0, "cpu", "last", "resumed"))
    finish(again)
    kept(again, tmp_path)
    values = evaluated(tape) | evaluated(later)
    assert best(tmp_path)[0].step == min(values, key=values.get)


def test_copies_that_would_take_more_than_their_share_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(best_module, "FREE_S", -math.inf)
    runner, _ = runner_of(make_race([HOT], epochs=3), tmp_path)
    finish(runner)
    kept(runner, tmp_path)
    assert snapshots.best_weights(tmp_path, "A") is None


def test_averaged_weights_are_those_of_the_average(tmp_path):
    race = make_race([{**HOT, "ema": 0.5}], task="Validated", epochs=6, rank_by="ema_val_loss")
    runner, tape = runner_of(race, tmp_path)
    finish(runner)
    kept(runner, tmp_path)
    values, own = evaluated(tape, "ema_val_loss"), evaluated(tape)
    found, state = best(tmp_path)
    assert found.step == min(values, key=values.get)
    assert value_with(race, state, averaged=True) == pytest.approx(found.value, rel=1e-5)
    assert value_with(race, state) == pytest.approx(own[found.step], rel=1e-5)


def test_schedule_free_optimizer_has_the_weights_that_it_evaluates_with(tmp_path):
    lane = {"optimizer": "schedulefree:SGDScheduleFree", "lr": 0.1}
    pytest.importorskip("schedulefree")
    race = make_race([lane], task="Validated", epochs=3)
    runner, tape = runner_of(race, tmp_path)
    finish(runner)
    kept(runner, tmp_path)
    found, state = best(tmp_path)
    assert value_with(race, state) == pytest.approx(evaluated(tape)[found.step], rel=1e-5)


def test_shared_weights_are_replaced_wherever_they_stand():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    state = {
        "model": model.state_dict(),
        "parameters": [name for name, _ in model.named_parameters()],
        "average": {"weights": [torch.zeros_like(p) for p in model.parameters()]},
    }
    found, _ = weights.state_dict(state, averaged=True)
    assert all(not value.any() for value in found.values())
    assert list(found) == list(model.state_dict())
