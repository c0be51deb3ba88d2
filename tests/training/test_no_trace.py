"""Measuring, validating and sampling leave no trace, whatever a task's code changes: lanes are the
plain loop, bit for bit."""

import math

import msgspec
import pytest
import torch
from torch import nn

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.protocol.events import Evaluated, LogMessage, Measured
from lrtui.core.scenario import scenario_file
from lrtui.training.object_walk import LARGE
from lrtui.training.reachable import BULKY, Reachable
from lrtui.training.recompute import Recompute
from lrtui.training.task import load
from support.training import TASK_FOLDER, column, make_race, train

from . import stateful_tasks as tasks
from .bare import bare_loop

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _every_step(monkeypatch):
    monkeypatch.setattr(Sampling, "due", lambda self, step: True)


def race_of(task, **keys):
    raw = {
        "task": f"stateful_tasks.py:{task.__name__}",
        "seed": 11,
        "batch_size": 16,
        "epochs": 4,
        "lane": [{"optimizer": "Adam", "lr": 0.01}],
        **keys,
    }
    return scenario_file.parse(raw, source="test", folder=TASK_FOLDER)


def plain(task):
    """The task is loaded anew, as for a lane: its file's globals and classes are its own."""
    loaded = load(race_of(task).task)
    losses, _ = bare_loop(
        loaded, lambda params: torch.optim.Adam(params, lr=0.01), seed=11, epochs=4, batch_size=16
    )
    return losses


def gains(events):
    return [
        gain
        for event in events
        if isinstance(event, Measured)
        for gain in event.values("gain").tolist()
    ]


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("task", [*tasks.PUT_BACK, *tasks.FIXED])
def test_measured_validated_and_sampled_lane_equals_the_plain_loop(task, deferred):
    events = (_without_validation if task in tasks.FIXED else train)(
        race_of(task), deferred=deferred
    )
    assert column(events) == plain(task)


def _without_validation(race, deferred=False):
    """A validation would move the iterator as well, in any loop: these lanes go without, and draw
    nothing."""
    return train(
        msgspec.structs.replace(race, validate=False, sample_every=10**9), deferred=deferred
    )


@pytest.mark.parametrize("task", tasks.PUT_BACK)
def test_its_gain_is_measured_with_the_state_that_the_step_had(task):
    found = gains(train(race_of(task)))
    # the first may fail where the loss asks for gradients
    assert sum(map(math.isfinite, found)) >= len(found) - 1
    if task in (tasks.Counter, tasks.Closure, tasks.GlobalCounter, tasks.InSlots):
        # with another factor it would be far off
        assert all(0.5 < gain < 1.2 for gain in found if math.isfinite(gain))


@pytest.mark.parametrize("task", tasks.FIXED)
def test_unrestorable_position_disables_the_gain_and_is_logged(task):
    events = _without_validation(race_of(task))
    assert all(map(math.isnan, gains(events)))
    notes = [event.text for event in events if isinstance(event, LogMessage)]
    assert len([note for note in notes if note.startswith("the step gain is not measured")]) == 1
    assert all("task.stream" in note for note in notes)


def test_what_a_loss_changes_is_named_once():
    notes = [event.text for event in train(race_of(tasks.Counter)) if isinstance(event, LogMessage)]
    assert sorted(note.partition(":")[0] for note in notes) == [
        "a sample changes task.calls",
        "the loss changes task.calls",
        "validation changes task.calls",
    ]
    assert any(note.endswith("snapshots do not hold it") for note in notes)


def test_validation_sees_the_same_state_each_time():
    metrics = [
        event.metrics["touched"]
        for event in train(race_of(tasks.Counter))
        if isinstance(event, Evaluated)
    ]
    # 3 losses an epoch, then one loss of the validation, then the metric's own call
    assert metrics == pytest.approx([(3 * epoch + 2) / 100 for epoch in (1, 2, 3, 4)])


class Holder:
    """Something to walk over."""


def saved(thing):
    return Reachable({"thing": thing}).save()


def test_a_task_that_holds_itself_is_walked_once():
    thing = Holder()
    thing.own, thing.calls = thing, 0
    before = saved(thing)
    thing.calls = 3
    assert before.restore().changed == ["thing.calls"]
    assert thing.calls == 0


def test_objects_made_after_the_save_are_forgotten_with_what_held_them():
    thing = Holder()
    thing.items = [1]
    before = saved(thing)
    thing.items.append([2])
    thing.more = {"a": [3]}
    assert sorted(before.restore().changed) == ["thing.items", "thing.more"]
    assert vars(thing) == {"items": [1]}


def test_shared_objects_stay_shared_and_the_order_of_a_dict_stays():
    thing = Holder()
    thing.table = {"a": [1], "b": 2}
    thing.alias = thing.table["a"]
    before = saved(thing)
    del thing.table["a"]
    thing.table["a"] = [9]
    before.restore()
    assert thing.table["a"] is thing.alias
    assert list(thing.table) == ["a", "b"]


def test_large_container_restores_its_membership_but_not_its_elements():
    thing = Holder()
    thing.rows = [[n] for n in range(LARGE + 1)]
    before = saved(thing)
    thing.rows[5].append(1)
    thing.rows.append([0])
    assert before.restore().changed == ["thing.rows"]
    assert len(thing.rows) == LARGE + 1
    assert thing.rows[5] == [5, 1]


def test_bulky_tensor_is_copied_until_seen_unchanged_and_then_watched():
    thing = Holder()
    thing.data = torch.zeros(BULKY // 4 + 1)
    reach = Reachable({"thing": thing})
    first = reach.save()
    thing.data[0] = 1
    assert first.restore().failed == []
    assert thing.data[0] == 0
    reach.skip_copies(reach.save())
    second = reach.save()
    thing.data[0] = 1
    assert second.restore().failed == ["thing.data"]  # there was no copy: it is told


def test_bulky_tensor_that_is_written_to_and_put_back_is_copied_again():
    thing = Holder()
    thing.data = torch.zeros(BULKY // 4 + 1)
    reach = Reachable({"thing": thing})
    for _ in range(2):
        before = reach.save()
        thing.data.fill_(1)
        assert before.restore(unnamed=frozenset({id(thing.data)})) == ([], [])
        reach.skip_copies(before)
    assert thing.data[0] == 0


def test_measured_lane_with_bulky_weights_trains_as_if_not_measured():
    keys = {"task": "Bulky", "epochs": 2}
    measured, plain = (
        train(make_race([{"optimizer": "SGD", "lr": 1e-7}], gauge=gauge, **keys))
        for gauge in (True, False)
    )
    assert not [event.text for event in measured if isinstance(event, LogMessage)]
    assert column(measured) == column(plain)


def test_a_class_that_refuses_to_be_put_back_is_told():
    class Locked:
        __slots__ = ("count",)

        def __setattr__(self, name, value):
            object.__setattr__(self, name, value)

    class Stubborn(dict):
        pass

    thing = Holder()
    thing.locked, thing.stubborn = Locked(), Stubborn(a=1)
    thing.locked.count = 0
    before = saved(thing)
    thing.locked.count, thing.stubborn["a"] = 1, 2
    assert before.restore().failed == []
    assert (thing.locked.count, dict(thing.stubborn)) == (0, {"a": 1})


def test_services_of_libraries_and_their_threads_are_left_alone():
    import logging
    from concurrent.futures import ThreadPoolExecutor

    thing = Holder()
    thing.log, thing.pool, thing.calls = logging.getLogger("x"), ThreadPoolExecutor(1), 0
    before = saved(thing)
    assert thing.pool.submit(lambda: 3).result() == 3
    assert before.restore().changed == []
    thing.pool.shutdown()


def test_a_model_whose_weights_have_no_memory_is_measured_no_further(monkeypatch):
    model = nn.Linear(2, 1)
    recompute = Recompute(Holder(), model, CPU)

    def broken(self, **more):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Reachable, "save", broken)
    recompute.begin(None, lambda batch: model.weight.sum())
    assert math.isnan(recompute.losses(lambda batch: model.weight.sum())[0])
    assert recompute.reason == "out of memory"
    assert len(recompute.notes) == 1
