"""Lanes with a recipe: equal to the hand-written loop, resumed anywhere, and what is recorded."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import lrtui
from lrtui.core.errors import ScenarioError, TaskError
from lrtui.core.protocol.events import Alerted, Ended, Evaluated, LogMessage, Measured
from lrtui.training import snapshot
from lrtui.training.loop import train_lane
from lrtui.training.recipe import check_device
from lrtui.training.session import Training
from support.training import column, make_race, train

from . import tasks_for_tests
from .bare import bare_loop
from .breaks import breaks, unequal, whole

CPU = torch.device("cpu")
BARE = {"seed": 11, "epochs": 3, "batch_size": 16}
RECIPES = [
    {"clip_grad_norm": 0.1},
    {"clip_grad_value": 0.01},
    {"accumulate": 2},
    {"accumulate": 3, "clip_grad_norm": 0.05},
    {"accumulate": 100},
    {"precision": "bf16"},
    {"precision": "fp16", "accumulate": 2, "clip_grad_norm": 0.5},
    {"ema": 0.9},
    {"accumulate": 2, "precision": "bf16", "clip_grad_norm": 0.3, "ema": 0.5},
]


def lane(**keys):
    return {"optimizer": "AdamW", "lr": 0.01, "weight_decay": 0.1, **keys}


def adamw(params):
    return torch.optim.AdamW(params, lr=0.01, weight_decay=0.1)


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_lane_equals_the_bare_loop_with_the_same_recipe(recipe, deferred):
    race = make_race([lane(**recipe)], task="Dropped")
    training, events = whole(race, deferred=deferred)
    ends = {}
    losses, rates = bare_loop(tasks_for_tests.Dropped(), adamw, **BARE, **recipe, ends=ends)
    assert column(events) == losses
    assert repr(column(events, "applied_lr")) == repr(rates)  # NaN where a step was skipped
    mine, theirs = training.model.state_dict(), ends["model"].state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    if "ema" in recipe:
        averaged = list(ends["average"].module.parameters())
        assert all(map(torch.equal, training.recipe.average.weights, averaged))


def test_scheduler_by_the_batch_counts_optimizer_steps():
    recipe = {"accumulate": 2}
    race = make_race([lane(**recipe, schedule="OneCycleLR(max_lr=0.05)")])
    losses, rates = bare_loop(
        tasks_for_tests.Dropped(),
        adamw,
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.05, total_steps=len(column(train(race)))
        ),
        per_batch=True,
        **BARE,
        **recipe,
    )
    events = train(race)
    assert column(events) == losses
    assert column(events, "applied_lr") == rates
    started = events[0]
    assert started.total_steps == len(losses) == 3 * started.steps_per_epoch


@pytest.mark.parametrize(
    "recipe",
    [{"accumulate": 3}, {"accumulate": 2, "precision": "fp16", "ema": 0.9, "clip_grad_norm": 1.0}],
    ids=str,
)
@pytest.mark.parametrize("task", ["Dropped", "AugmentedLoader"])
def test_lane_resumed_between_micro_batches_is_the_one_nobody_interrupts(recipe, task):
    race = make_race([lane(**recipe)], task=task, epochs=2)
    found = breaks(race)
    within = [moment for moment in found if moment.step < found[-1].step]
    assert len(found) > len({moment.step for moment in found}), "no break within a step"
    assert unequal(race, within[:: max(1, len(within) // 8)]) == []


@pytest.mark.parametrize("deferred", [False, True])
def test_numbers_beside_the_loss_are_those_of_their_own_step(deferred):
    events = train(make_race([lane()], task="Tallied", gauge=False), deferred=deferred)
    assert column(events, "tally") == [float(step) for step in range(1, 10)]


@pytest.mark.parametrize("budget", [{"epochs": 3}, {"steps": 9}], ids=str)
def test_fork_may_accumulate_otherwise_after_the_open_step(budget):
    race = make_race([lane(accumulate=3), lane(accumulate=2)], batch_size=8, **budget)
    moments = breaks(race)
    within = next(m for m in moments if m.open)
    training = Training(race, 1, CPU, snapshot=snapshot.decode(within.payload))
    assert training.recipe.accumulation.size == 3
    events = [event for event in train_lane(training) if event is not None]
    assert events[-1].reason == "finished"
    taken = training.progress.epochs_ended
    assert taken == 3 or "steps" in budget


@pytest.mark.parametrize("before", ["fp16", "fp32"])
def test_fork_may_go_on_with_the_open_step_in_another_precision(before):
    usual = {"optimizer": "SGD", "lr": 0.01, "accumulate": 3}
    lanes = [{**usual, "precision": precision} for precision in ("fp16", "fp32")]
    race = make_race(lanes, task="Plain", epochs=2, batch_size=4, gauge=False)
    index = 0 if before == "fp16" else 1
    within = [moment for moment in breaks(race, index) if moment.open]
    kept = snapshot.decode(within[-1].payload)
    training = Training(race, 1 - index, CPU, snapshot=kept)
    was = kept["scaler"].get("scale", 1.0)
    for parameter, gradient in zip(
        training.model.parameters(), kept["accumulation"]["gradients"], strict=True
    ):
        assert torch.equal(parameter.grad / training.recipe.scaler.scale, gradient / was)


def test_fork_drops_an_open_step_whose_scaled_gradients_overflowed():
    lanes = [lane(accumulate=3, precision=precision) for precision in ("fp16", "fp32")]
    race = make_race(lanes, task="Plain", epochs=1, batch_size=4, gauge=False)
    within = next(moment for moment in breaks(race, 0) if moment.open)
    kept = snapshot.decode(within.payload)
    for gradient in kept["accumulation"]["gradients"]:
        gradient.fill_(math.inf)
    training = Training(race, 1, CPU, snapshot=kept)
    assert not training.recipe.accumulation.done
    assert [event for event in train_lane(training) if event is not None][-1].reason == "finished"


def test_gradients_of_untrained_parameters_neither_count_nor_pile_up():
    recipe = {"clip_grad_norm": 0.1, "accumulate": 2}
    race = make_race([lane(**recipe)], task="HalfTrained")
    assert unequal(race, breaks(race)[::3]) == []


def test_accumulated_gradients_are_no_trace_of_the_loss():
    events = train(make_race([lane(accumulate=3)], task="Dropped"))
    assert not [event.text for event in events if isinstance(event, LogMessage)]


class TestClipping:
    def test_norm_on_record_is_the_one_before_clipping_at_each_step(self):
        ends = {}
        bare_loop(tasks_for_tests.Dropped(), adamw, **BARE, clip_grad_norm=0.1, ends=ends)
        events = train(make_race([lane(clip_grad_norm=0.1)]))
        norms = column(events, "grad_norm")
        assert norms == [float(np.float32(norm)) for norm in ends["norms"]]
        assert column(events, "clipped") == [float(norm > 0.1) for norm in norms]

    def test_value_clipping_is_on_record_where_an_element_was_cut(self):
        events = train(make_race([lane(clip_grad_value=1e-9)]))
        assert set(column(events, "clipped")) == {1.0}
        assert set(column(train(make_race([lane(clip_grad_value=1e9)])), "clipped")) == {0.0}

    @pytest.mark.parametrize("key", ["clip_grad_norm", "clip_grad_value"])
    def test_sparse_gradients_are_refused_in_one_line(self, key):
        race = make_race([{"optimizer": "SGD", "lr": 0.1, key: 1.0}], task="Sparse")
        with pytest.raises(TaskError, match=f"{key}: torch does not clip sparse gradients"):
            train(race)

    def test_lane_without_clipping_has_no_such_column(self):
        with pytest.raises(KeyError):
            column(train(make_race([lane()])), "clipped")

    def test_non_finite_gradients_are_refused_before_they_are_clipped(self):
        race = make_race([lane(clip_grad_norm=1.0)], task="InfiniteGradient")
        training, events = whole(race)
        assert events[-1].reason == "nan"
        assert all(torch.isfinite(p).all() for p in training.model.parameters())


class TestFp16:
    def test_overflowing_steps_are_skipped_recorded_and_move_no_schedule(self):
        recipe = {"precision": "fp16"}
        race = make_race(
            [lane(**recipe, schedule={"name": "LinearLR", "total_iters": 50, "interval": "batch"})],
            task="Steep",
            epochs=4,
        )
        events = train(race)
        losses, rates = bare_loop(
            tasks_for_tests.Steep(),
            adamw,
            lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=50),
            per_batch=True,
            **{**BARE, "epochs": 4},
            **recipe,
        )
        skipped = column(events, "skipped")
        assert 0 < sum(skipped) < len(skipped)
        assert column(events) == losses
        applied = column(events, "applied_lr")
        assert [math.isnan(rate) for rate in applied] == [bool(skip) for skip in skipped]
        assert repr(applied) == repr(rates)
        assert not any(isinstance(event, Alerted) for event in events)
        assert events[-1].reason == "finished"

    def test_lane_resumed_after_a_skipped_step_is_the_one_nobody_interrupts(self):
        race = make_race([lane(precision="fp16")], task="Steep")
        assert unequal(race, breaks(race)[::3]) == []

    def test_gradients_that_overflow_at_scale_one_end_the_lane(self):
        events = train(
            make_race([lane(precision="fp16")], task="InfiniteGradient", epochs=None, steps=60)
        )
        assert events[-1].reason == "nan"
        assert 10 < events[-1].step < 40  # the scale was halved down to one
        assert [event.kind for event in events if isinstance(event, Alerted)] == ["nan"]

    def test_optimizer_with_a_closure_refuses_it_in_one_line(self):
        with pytest.raises(ScenarioError, match="precision: LBFGS computes the loss itself"):
            train(make_race([{"optimizer": "LBFGS", "lr": 0.1, "precision": "fp16"}]))


def test_cpu_refuses_tensor_float_32_in_one_line():
    with pytest.raises(ScenarioError, match='precision = "tf32": cpu has no TensorFloat-32'):
        check_device("tf32", CPU)


class TestNaN:
    @pytest.mark.parametrize("deferred", [False, True])
    def test_nan_in_a_micro_batch_is_refused_before_the_step(self, deferred):
        race = make_race([lane(accumulate=2)], task="NanInSecond")
        training, events = whole(race, deferred=deferred)
        assert [event.reason for event in events if isinstance(event, Ended)] == ["nan"]
        assert all(torch.isfinite(p).all() for p in training.model.parameters())
        assert math.isnan(column(events)[-1])


class TestAverage:
    @pytest.mark.parametrize("task", ["Dropped", "MeasuredAtRandom"])
    def test_averaged_weights_are_evaluated_beside_the_raw_ones(self, task):
        plain, both = (
            [
                event.metrics
                for event in train(make_race([lane(ema=decay)], task=task, batch_size=8))
                if isinstance(event, Evaluated)
            ]
            for decay in (0.0, 0.9)
        )
        raw = [
            {name: value for name, value in metrics.items() if not name.startswith("ema_")}
            for metrics in both
        ]
        assert raw == plain
        assert {name.removeprefix("ema_") for name in both[-1]} == set(plain[-1])
        assert both[-1]["ema_val_loss"] != both[-1]["val_loss"]

    def test_parameters_of_whole_numbers_are_taken_as_they_are(self):
        training, events = whole(make_race([lane(ema=0.9)], task="Counted"))
        assert events[-1].reason == "finished"
        assert training.recipe.average.weights[-1].tolist() == [3]

    def test_average_is_that_of_torch_and_its_loss_that_of_its_module(self):
        task, ends = tasks_for_tests.Dropped(), {}
        events = train(make_race([lane(ema=0.9)]))
        bare_loop(task, adamw, **BARE, ema=0.9, ends=ends)
        module = ends["average"].module.eval()
        held_out = task.dataset()[1]
        with torch.no_grad():
            batch = torch.utils.data.default_collate([held_out[i] for i in range(len(held_out))])
            expected = task.loss(module, batch).item()
        last = [event for event in events if isinstance(event, Evaluated)][-1]
        assert last.metrics["ema_val_loss"] == pytest.approx(expected, rel=1e-5)


def test_gauge_measures_the_mean_over_micro_batches():
    """A plain model in float64: the second loss of a step equals its first at the old weights."""
    events = train(make_race([lane(accumulate=3)], task="Dropped"))
    gains = np.concatenate([e.values("gain") for e in events if isinstance(e, Measured)])
    assert np.isfinite(gains).any()


@pytest.mark.parametrize("recipe", [{"clip_grad_norm": 0.01}, {"clip_grad_value": 0.001}], ids=str)
def test_step_gain_is_along_the_gradient_before_clipping(recipe):
    """So short a step is on a straight line: what the gradient predicts is what comes."""
    race = make_race([{"optimizer": "SGD", "lr": 1e-2, **recipe}], task="Plain")
    gains = np.concatenate([e.values("gain") for e in train(race) if isinstance(e, Measured)])
    assert gains == pytest.approx(1.0, abs=0.05)


@pytest.fixture(scope="module")
def compiler():
    """Skips where torch itself finds no compiler for its code."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.ones(3))
    except RuntimeError as error:
        pytest.skip(f"torch.compile does not work here: {str(error)[:100]}")
    # a script that was watched in this process has spared all of lrtui from the compiler
    rules = torch._dynamo.trace_rules
    spared = list(rules.SKIP_DIRS)
    rules.SKIP_DIRS[:] = [path for path in spared if path != f"{Path(lrtui.__file__).parent}/"]
    rules._recompile_re()
    yield
    rules.SKIP_DIRS[:] = spared
    rules._recompile_re()


class TestCompile:
    @pytest.mark.usefixtures("compiler")
    @pytest.mark.parametrize("task", ["Plain", "Subclassed"])
    def test_model_is_compiled_before_the_first_step_and_stays_so(self, task):
        counters = torch._dynamo.utils.counters
        torch._dynamo.reset()
        counters.clear()
        training = Training(make_race([lane(compile=True)], task=task), 0, CPU)
        assert counters["frames"]["ok"] == 1
        assert training.model._compiled_call_impl is not None
        with torch._dynamo.config.patch(error_on_recompile=True):
            events = [event for event in train_lane(training) if event is not None]
        assert events[-1].reason == "finished"

    @pytest.mark.usefixtures("compiler")
    def test_loss_that_calls_parts_of_the_model_compiles_nothing_and_is_told(self):
        events = train(make_race([lane(compile=True)], task="ByParts", epochs=1))
        notes = [e.text for e in events if isinstance(e, LogMessage) and "compile" in e.text]
        assert len(notes) == 1
        assert notes[0].startswith("torch.compile compiled nothing, the model runs as it is")

    @pytest.mark.usefixtures("compiler")
    def test_lanes_of_one_process_share_no_compiled_code(self):
        """Code for another lane's shapes would compute other last bits than the lane alone."""
        counters = torch._dynamo.utils.counters
        torch._dynamo.reset()
        counters.clear()
        race = make_race([lane(compile=True)], task="Plain")
        lanes = [Training(race, 0, CPU) for _ in range(3)]
        assert counters["frames"]["ok"] == len(lanes)

    @pytest.mark.usefixtures("compiler")
    def test_compiled_lane_says_how_long_it_took_and_trains(self):
        events = train(make_race([lane(compile=True)], task="Plain", epochs=1))
        notes = [event.text for event in events if isinstance(event, LogMessage)]
        assert any(note.startswith("torch.compile took") for note in notes), notes
        losses, _ = bare_loop(
            tasks_for_tests.Plain(), adamw, **{**BARE, "epochs": 1}, compiled=True
        )
        assert column(events) == losses

    def test_first_pass_leaves_no_trace_in_the_data(self):
        lanes = [
            {"optimizer": "SGD", "lr": 1e-3, "compile": compiled} for compiled in (True, False)
        ]
        race = make_race(lanes, task="Moving", steps=4)
        assert column(train(race)) == pytest.approx(column(train(race, 1)), rel=1e-5)

    def test_failure_of_the_compiler_falls_back_and_is_logged_once(self, monkeypatch):
        def broken(call, **options):
            def compiled(*args, **kwargs):
                raise RuntimeError("no compiler on this machine")

            return compiled

        monkeypatch.setattr(torch, "compile", broken)
        events = train(make_race([lane(compile=True)], task="Plain", epochs=1))
        notes = [e.text for e in events if isinstance(e, LogMessage) and "compile" in e.text]
        assert len(notes) == 1
        assert "no compiler on this machine" in notes[0]
        assert column(events) == column(train(make_race([lane()], task="Plain", epochs=1)))
