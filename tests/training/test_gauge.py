"""The step gain on losses whose curvature is known, the numbers beside it by hand, and training
that stays as it was."""

import math
import random

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.protocol.events import Alerted, Ended, FindingsUpdated, LossSpiked, Measured, Steps
from lrtui.training import rng
from lrtui.training.gauge import ELEMENTS, RATES_EVERY, Gauge, _spread, gain
from lrtui.training.loop import train_lane
from lrtui.training.optimizers import MuonWithAdamW
from lrtui.training.recompute import Recompute
from lrtui.training.session import Training
from support.training import column, make_race, train

from .bare import bare_loop
from .cases import CASES

CPU = torch.device("cpu")
EPS = torch.finfo(torch.float64).eps


@pytest.fixture
def every_step(monkeypatch):
    """Each step is measured, whatever that costs."""
    monkeypatch.setattr(Sampling, "due", lambda self, step: True)


class Bench:
    """Trains weights on a loss of theirs, every step measured, without a lane around it."""

    def __init__(self, weights, make, loss, buffers=()):
        self.model = nn.Module()
        for index, weight in enumerate(weights):
            self.model.register_parameter(f"w{index}", weight)
        for name, buffer in buffers:
            self.model.register_buffer(name, buffer)
        self.optimizer = make([p for p in self.model.parameters() if p.requires_grad])
        sampling = Sampling(1000)
        sampling.due = lambda step: True
        self.gauge = Gauge(
            0, self.model, self.optimizer, sampling, Recompute(loss, self.model, CPU)
        )
        self.loss, self.step, self.gains, self.samples = loss, 0, [], []

    def train(self, steps):
        for _ in range(steps):
            self.gauge.begin_step(self.step)
            self.gauge.before_forward(None, lambda batch: self.loss())
            self.optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            self.optimizer.step()
            self.samples.append(self.gauge.after_step(self.step, loss, lambda batch: self.loss()))
            self.gains.append(self.samples[-1].gain)
            self.step += 1
        return self

    def columns(self):
        event = self.gauge.take(before=self.step)
        return {name: event.values(name).tolist() for name in event.columns}


def weights(*shapes, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, dtype=dtype, generator=generator)) for shape in shapes]


def sgd(lr, **options):
    return lambda params: torch.optim.SGD(params, lr=lr, **options)


class TestTheGain:
    @pytest.mark.parametrize("times", [1e-3, 0.3, 1.0, 1.9, 2.1, 5.0])
    def test_on_a_parabola_it_is_one_minus_half_of_rate_times_curvature(self, times):
        curvature, (weight,) = 3.0, weights((5,))
        bench = Bench(
            [weight], sgd(times / curvature), lambda: 0.5 * curvature * (weight**2).sum()
        ).train(6)
        assert bench.gains == pytest.approx([1 - times / 2] * 6, rel=1e-9)

    def test_half_is_the_lowest_point_and_below_zero_the_loss_rises(self):
        (weight,) = weights((5,))
        bench = Bench([weight], sgd(1.0), lambda: 0.5 * (weight**2).sum()).train(1)
        assert bench.gains == [pytest.approx(0.5)]
        assert not weight.any()
        (weight,) = weights((5,))
        assert Bench([weight], sgd(2.5), lambda: 0.5 * (weight**2).sum()).train(
            3
        ).gains == pytest.approx([-0.25] * 3)

    def test_between_curvatures_it_is_their_mean_along_the_gradient(self):
        (weight,) = weights((4,))
        curvatures, rate = torch.tensor([1.0, 2.0, 5.0, 9.0], dtype=torch.float64), 0.1
        gradient = curvatures * weight.detach()
        rayleigh = float((curvatures * gradient**2).sum() / (gradient**2).sum())
        bench = Bench([weight], sgd(rate), lambda: 0.5 * (curvatures * weight**2).sum()).train(1)
        assert bench.gains == [pytest.approx(1 - rate * rayleigh / 2)]

    def test_on_a_straight_line_it_is_one(self):
        (weight,) = weights((5,))
        bench = Bench([weight], sgd(0.1), lambda: (torch.arange(5) * weight).sum()).train(5)
        assert bench.gains == pytest.approx([1.0] * 5)

    def test_curvature_loss_lowers_the_gain_where_momentum_goes_uphill(self):
        weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
        bench = Bench([weight], sgd(0.5, momentum=0.9), lambda: 0.5 * (weight**2).sum())
        uphill = 0
        for _ in range(30):
            before = weight.item()
            bench.train(1)
            change, predicted = weight.item() - before, -before * (weight.item() - before)
            lost = 0.5 * change**2  # curvature 1
            assert bench.gains[-1] == pytest.approx(1 - lost / abs(predicted), rel=1e-6)
            assert bench.gains[-1] < 1
            uphill += predicted < 0
        assert uphill > 3

    @pytest.mark.parametrize(
        ("before", "after", "predicted", "expected"),
        [
            (2.0, 1.0, 1.0, 1.0),
            (2.0, 1.5, 1.0, 0.5),
            (2.0, 2.0, 1.0, 0.0),
            (2.0, 3.0, 1.0, -1.0),
            (2.0, 0.5, 1.0, 1.5),
            (2.0, 2.5, -0.25, 0.0),
            (2.0, 2.25, -0.25, 1.0),
            (-1.0, -1.5, 1.0, 0.5),
        ],
    )
    def test_by_hand(self, before, after, predicted, expected):
        assert gain(before, after, predicted, EPS) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("before", "after", "predicted"),
        [
            (math.nan, 1.0, 1.0),
            (1.0, math.nan, 1.0),
            (1.0, 0.5, math.nan),
            (1.0, 0.5, math.inf),
            (1.0, 0.5, -math.inf),
            (1.0, 0.5, 0.0),
        ],
    )
    def test_where_nothing_can_be_said_it_is_nan(self, before, after, predicted):
        assert math.isnan(gain(before, after, predicted, EPS))

    def test_a_loss_that_became_infinite_lost_everything(self):
        assert gain(1.0, math.inf, 0.5, EPS) == -math.inf

    def test_a_difference_within_the_rounding_of_the_loss_counts_as_none(self):
        eps = torch.finfo(torch.float32).eps
        assert gain(1.0, 1.0, 0.0, eps) == 1.0
        assert gain(1.0, 1.0, 7 * eps, eps) == 1.0
        assert gain(1.0, 1.0, 9 * eps, eps) == 0.0
        assert gain(100.0, 100.0, 700 * eps, eps) == 1.0

    def test_a_rate_far_too_low_is_cold_and_not_noise(self):
        model = nn.Linear(16, 1)
        x, y = torch.randn(64, 16), torch.randn(64, 1)
        bench = Bench(
            list(model.parameters()), sgd(1e-9), lambda: nn.functional.mse_loss(model(x), y)
        ).train(20)
        assert bench.gains == [1.0] * 20


class TestTheNumbers:
    def test_what_plain_sgd_realises_is_its_rate(self):
        pair = weights((4, 3), (5,))
        bench = Bench(pair, sgd(0.01), lambda: sum((weight**4).sum() for weight in pair)).train(6)
        assert bench.columns()["realised"] == pytest.approx([0.01] * 6, rel=1e-12)

    def test_with_momentum_it_realises_more(self):
        (weight,) = weights((5,))
        realised = (
            Bench([weight], sgd(0.01, momentum=0.9), lambda: weight.sum())
            .train(60)
            .columns()["realised"]
        )
        assert realised[0] == pytest.approx(0.01)
        assert realised[-1] == pytest.approx(0.1, rel=0.01)

    def test_the_update_ratio_by_hand(self):
        weight = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
        bench = Bench(
            [weight],
            sgd(0.1),
            lambda: (torch.tensor([0.06, 0.08], dtype=torch.float64) * weight).sum(),
        ).train(1)
        found = bench.columns()
        assert found["update_ratio"] == [pytest.approx(math.log10(0.1 * 0.1 / 5.0))]
        assert found["realised"] == [pytest.approx(0.1)]

    def test_step_size_and_quantiles_are_taken_at_every_fourth_sample(self):
        (weight,) = weights((9,))
        found = Bench([weight], sgd(0.01), lambda: (weight**2).sum()).train(9).columns()
        for name in ("step_size", "rate_p10", "rate_p50", "rate_p90"):
            assert [
                index for index, value in enumerate(found[name]) if math.isfinite(value)
            ] == list(range(0, 9, RATES_EVERY))
        assert found["step_size"][0] == found["rate_p10"][0] == found["rate_p90"][0] == 0.01

    def test_the_quantiles_are_those_of_the_elementwise_rates(self):
        (weight,) = weights((100,))
        scale = torch.logspace(-2, 2, 100, dtype=torch.float64)
        bench = Bench(
            [weight],
            lambda params: torch.optim.Adam(params, lr=0.1),
            lambda: (scale * weight).sum(),
        ).train(1)
        found = bench.columns()
        expected = 0.1 / 0.1 / (scale + 1e-8)  # along the average, a tenth of the first gradient
        assert [found[f"rate_p{share}"][0] for share in (10, 50, 90)] == pytest.approx(
            [float(torch.quantile(expected, share / 100)) for share in (10, 50, 90)]
        )
        assert found["step_size"][0] == pytest.approx(0.1 * math.sqrt(1 - 0.999) / (1 - 0.9))

    def test_the_rate_is_that_which_was_applied_not_the_next(self):
        (weight,) = weights((3,))
        bench = Bench([weight], sgd(0.5), lambda: weight.sum())
        bench.optimizer.register_step_post_hook(lambda opt, *_: opt.param_groups[0].update(lr=7.0))
        found = bench.train(1).columns()
        assert found["step_size"] == [0.5]
        assert found["rate_p50"] == [0.5]

    def test_each_param_group_has_its_columns(self):
        first, second = weights((4,), (3,))
        bench = Bench(
            [first, second],
            lambda params: torch.optim.SGD(
                [{"params": params[:1]}, {"params": params[1:], "lr": 0.001}], lr=0.1
            ),
            lambda: (first**2).sum() + (second**2).sum(),
        )
        found = bench.train(1).columns()
        names = {"step_size", "rate_p10", "rate_p50", "rate_p90", "realised", "update_ratio"}
        assert found.keys() == {"gain"} | names | {f"{name}/1" for name in names}
        assert (found["realised"], found["realised/1"]) == (
            [pytest.approx(0.1)],
            [pytest.approx(0.001)],
        )
        assert (found["step_size"], found["step_size/1"]) == ([0.1], [0.001])

    def test_muon_and_adamw_are_two_groups_with_their_own_rules(self):
        matrix, vector = weights((4, 2), (3,), dtype=torch.float32)
        found = (
            Bench(
                [matrix, vector],
                lambda params: MuonWithAdamW(params, lr=0.01),
                lambda: (matrix**2).sum() + (vector**2).sum(),
            )
            .train(1)
            .columns()
        )
        assert found["step_size"] == [pytest.approx(0.01 * math.sqrt(2))]
        assert math.isnan(found["rate_p50"][0])
        assert found["step_size/1"] == [pytest.approx(0.01 * math.sqrt(0.001) / 0.1, rel=1e-4)]
        assert math.isfinite(found["rate_p50/1"][0])

    def test_the_fixed_sample_is_spread_over_all_tensors_and_always_the_same(self):
        tensors = weights((1000, 30), (5,), (7000,))
        places, again = _spread(tensors), _spread(tensors)
        assert all(
            torch.equal(one.chosen, other.chosen) for one, other in zip(places, again, strict=True)
        )
        counts = [len(place.chosen) for place in places]
        assert sum(counts) == ELEMENTS
        assert counts[0] / ELEMENTS == pytest.approx(30000 / 37005, abs=0.01)
        for place in places:
            assert ((place.chosen >= 0) & (place.chosen < place.parameter.numel())).all()
        assert int(places[0].chosen[0]) == 0
        assert int(places[2].chosen[-1]) == 6999

    def test_a_small_group_is_looked_at_whole(self):
        (place,) = _spread(weights((6, 7)))
        assert place.chosen.tolist() == list(range(42))

    def test_unknown_optimizer_has_its_rate_as_step_size_and_no_quantiles(self):
        class Own(torch.optim.Optimizer):
            def __init__(self, params):
                super().__init__(params, {"lr": 0.25})

            @torch.no_grad()
            def step(self, closure=None):
                for weight in self.param_groups[0]["params"]:
                    weight -= 0.25 * weight.grad.sign()

        (weight,) = weights((4,))
        found = Bench([weight], Own, lambda: (weight**2).sum()).train(1).columns()
        assert found["step_size"] == [0.25]
        assert all(math.isnan(found[name][0]) for name in ("rate_p10", "rate_p50", "rate_p90"))
        assert math.isfinite(found["realised"][0])

    @pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "Adafactor", "NAdam"])
    def test_weights_without_a_gradient_are_left_out(self, name):
        used, unused = weights((4,), (3,))
        bench = Bench(
            [used, unused],
            lambda params: getattr(torch.optim, name)(params, lr=0.1),
            lambda: (used**2).sum(),
        ).train(5)
        assert all(map(math.isfinite, bench.gains))
        assert math.isfinite(bench.columns()["step_size"][0])

    def test_a_group_without_any_gradient_has_no_numbers(self):
        used, unused = weights((4,), (3,))
        bench = Bench(
            [used, unused],
            lambda params: torch.optim.SGD(
                [{"params": params[:1]}, {"params": params[1:]}], lr=0.1
            ),
            lambda: (used**2).sum(),
        ).train(2)
        found = bench.columns()
        assert all(map(math.isfinite, found["gain"]))
        assert all(
            math.isnan(found[f"{name}/1"][0])
            for name in ("step_size", "rate_p50", "realised", "update_ratio")
        )

    @pytest.mark.parametrize("name", ["SGD", "Adagrad"])
    def test_sparse_gradients_are_no_trouble(self, name):
        table, weight = nn.Parameter(torch.randn(20, 4)), nn.Parameter(torch.randn(4))

        def loss():
            return (
                (nn.functional.embedding(torch.tensor([1, 5, 5]), table, sparse=True) @ weight)
                .square()
                .sum()
            )

        bench = Bench(
            [table, weight], lambda params: getattr(torch.optim, name)(params, lr=0.01), loss
        ).train(5)
        assert table.grad.is_sparse
        assert bench.columns().keys() >= {"gain", "realised"}

    def test_weights_at_zero_have_no_ratio(self):
        weight = nn.Parameter(torch.zeros(3))
        assert math.isnan(
            Bench([weight], sgd(0.1), lambda: weight.sum()).train(1).columns()["update_ratio"][0]
        )

    def test_what_is_taken_is_gone_and_later_steps_stay(self):
        (weight,) = weights((3,))
        bench = Bench([weight], sgd(0.1), lambda: (weight**2).sum()).train(5)
        first, second = bench.gauge.take(before=3), bench.gauge.take(before=100)
        assert (first.steps, second.steps) == ([0, 1, 2], [3, 4])
        assert bench.gauge.take(before=100) is None
        assert first.spent == second.spent == bench.gauge.spent > 0


class TestTheExtraForward:
    def test_buffers_and_every_random_state_are_as_without_it(self):
        (weight,) = weights((4,), dtype=torch.float32)

        def loss():
            bench.model.counter.add_(1)
            return (weight * torch.rand(4)).sum() * random.random() * np.random.rand()

        bench = Bench([weight], sgd(0.1), loss, buffers=[("counter", torch.zeros(()))])
        rng.seed_all(5)
        bench.train(3)
        found = (torch.rand(()), random.random(), np.random.rand(), float(bench.model.counter))
        rng.seed_all(5)
        for _ in range(3):
            torch.rand(4), random.random(), np.random.rand()
        assert found == (torch.rand(()), random.random(), np.random.rand(), 3.0)
        # and it saw the same numbers: a line stays a line
        assert bench.gains == pytest.approx([1.0] * 3, abs=1e-4)

    @pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
    def test_a_task_that_fails_in_it_goes_on_unmeasured(self, error):
        (weight,) = weights((4,), dtype=torch.float32)

        def loss():
            torch.rand(())
            bench.model.counter.add_(1)
            # in the plain loop there is none while the loss is computed
            if weight.grad is not None:
                raise error
            return (weight**2).sum()

        bench = Bench([weight], sgd(0.1), loss, buffers=[("counter", torch.zeros(()))])
        torch.manual_seed(5)
        bench.train(3)
        assert all(map(math.isnan, bench.gains))
        assert float(bench.model.counter) == 3
        found = torch.rand(())
        torch.manual_seed(5)
        assert found == torch.rand(4)[3]
        assert math.isfinite(bench.columns()["realised"][0])
        assert bench.gauge.unmeasured.startswith("it fails when it is computed a second time")
        assert len(bench.gauge.notes()) == 1

    def test_gain_of_a_loss_with_gradients_starts_at_the_second_sample(self):
        (weight,) = weights((4,))

        def loss():
            value = (weight**2).sum()
            (gradient,) = torch.autograd.grad(value, weight, create_graph=True)
            return value + 0.1 * gradient.square().sum()

        bench = Bench([weight], sgd(0.01), loss).train(3)
        assert math.isnan(bench.gains[0])
        assert bench.gains[1:] == pytest.approx([1 - 0.01 * (2 + 0.8) / 2] * 2)

    def test_it_leaves_no_gradient_behind(self):
        (weight,) = weights((4,))
        bench = Bench([weight], sgd(0.01), lambda: (weight**2).sum())
        before = 2 * weight.detach().clone()
        bench.train(1)
        assert torch.equal(weight.grad, before)


def lane_of(optimizer, options, schedule):
    lane = {"optimizer": optimizer, "lr": 0.01, **options}
    return lane | ({"schedule": {"name": schedule[0], **schedule[1]}} if schedule else {})


def left_behind(race, deferred):
    """All events of a lane, and what its end leaves: weights, buffers, the optimizer's state,
    random numbers."""
    training = Training(race, 0, CPU, deferred=deferred)
    events = [event for event in train_lane(training) if event is not None]
    state = [*training.model.parameters(), *training.model.buffers()]
    for kept in training.optimizer.state_dict().get("state", {}).values():
        state += [value for value in kept.values() if torch.is_tensor(value)]
    random_state = rng.capture(CPU)
    return events, [value.detach().clone() for value in state], random_state


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize(("task", "optimizer", "options", "schedule"), CASES)
@pytest.mark.parametrize("deferred", [False, True])
def test_a_lane_is_the_same_bit_for_bit_with_the_gauge_and_without(
    task, optimizer, options, schedule, deferred
):
    keys = {"task": task.__name__}
    race = make_race([lane_of(optimizer, options, schedule)], **keys)
    on, weights_on, random_on = left_behind(race, deferred)
    off, weights_off, random_off = left_behind(
        make_race([lane_of(optimizer, options, schedule)], gauge=False, **keys), deferred
    )
    measured = [event for event in on if isinstance(event, Measured)]
    assert sum(len(event.steps) for event in measured) == len(column(on))
    assert not any(isinstance(event, Measured) for event in off)
    for name in ("loss", "applied_lr", "next_lr"):
        assert column(on, name) == column(off, name)
    assert all(map(torch.equal, weights_on, weights_off))
    assert torch.equal(random_on.cpu, random_off.cpu)
    assert random_on.python == random_off.python
    assert all(
        np.array_equal(one, other)
        for one, other in zip(random_on.numpy, random_off.numpy, strict=True)
    )

    def scheduler(opt):
        extra = {"total_steps": len(column(on))} if schedule[0] == "OneCycleLR" else {}
        return getattr(torch.optim.lr_scheduler, schedule[0])(opt, **schedule[1], **extra)

    losses, _ = bare_loop(
        task(),
        lambda params: getattr(torch.optim, optimizer)(params, lr=0.01, **options),
        scheduler if schedule else None,
        seed=race.seed,
        epochs=race.epochs,
        batch_size=race.batch_size,
        per_batch=schedule is not None and "cl" in schedule[0].lower(),
    )
    assert column(on) == losses


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("task", ["DrawsEverywhere", "DoubleLoss", "OwnLoader", "RaisesInMetrics"])
def test_so_are_lanes_of_tasks_that_are_odd(task):
    def losses(**keys):
        training, found = (
            Training(make_race([{"optimizer": "SGD", "lr": 0.01}], task=task, **keys), 0, CPU),
            [],
        )
        try:
            for event in train_lane(training):
                if isinstance(event, Steps):
                    found.append(event)
        except ValueError:  # RaisesInMetrics
            found += [
                event
                for event in training.step_recorder.flush(last=True)
                if isinstance(event, Steps)
            ]
        return column(found)

    assert losses() == losses(gauge=False) != []


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("deferred", [False, True])
def test_a_lane_that_explodes_ends_at_the_same_step(deferred):
    def events(**keys):
        return train(
            make_race([{"optimizer": "SGD", "lr": 1e6}], task="Plain", epochs=200, **keys),
            deferred=deferred,
        )

    on, off = events(), events(gauge=False)
    assert repr(column(on)) == repr(column(off))
    assert (on[-1].step, on[-1].reason) == (off[-1].step, off[-1].reason)
    assert (
        max(step for event in on if isinstance(event, Measured) for step in event.steps)
        <= on[-1].step
    )


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize(
    "name", [case[1] for case in CASES] + ["RAdam", "Adamax", "ASGD", "Adafactor", "Muon"]
)
def test_every_optimizer_is_measured_in_a_lane(name):
    events = train(make_race([{"optimizer": name, "lr": 0.01}], task="Classes"))
    measured = [event for event in events if isinstance(event, Measured)]
    assert [step for event in measured for step in event.steps] == list(range(9))
    assert all(math.isfinite(value) for event in measured for value in event.values("gain"))
    assert math.isfinite(measured[0].values("step_size")[0])


def test_lbfgs_has_no_gauge():
    race = make_race([{"optimizer": "LBFGS", "lr": 0.5, "max_iter": 4}], task="Plain")
    assert Training(race, 0, CPU).step_recorder.gauge is None
    assert not any(isinstance(event, Measured) for event in train(race))


def test_a_race_may_do_without_it():
    assert Training(make_race([{"lr": 0.1}], gauge=False), 0, CPU).step_recorder.gauge is None


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize(
    ("optimizer", "lr", "epochs"), [("SGD", 0.01, 40), ("SGD", 1.05, 12), ("Adam", 3.0, 40)]
)
def test_what_the_rules_find_does_not_depend_on_the_blocks(optimizer, lr, epochs, monkeypatch):
    found = []
    blocks = set()
    for block_s in (-1.0, 0.002, 1e9):
        for deferred in (False, True):
            monkeypatch.setattr("lrtui.training.step_recorder.BLOCK_S", block_s)
            events = train(
                make_race([{"optimizer": optimizer, "lr": lr}], task="Plain", epochs=epochs),
                deferred=deferred,
            )
            said = [
                (event.step, event.kind, event.text)
                for event in events
                if isinstance(event, Alerted)
            ]
            spikes = [
                step for event in events if isinstance(event, LossSpiked) for step in event.steps
            ]
            last = [event for event in events if isinstance(event, FindingsUpdated)][-1]
            measured = [event for event in events if isinstance(event, Measured)]
            gains = [gain for event in measured for gain in event.values("gain").tolist()]
            # At every step the norm is known on an accelerator, at each tenth on the CPU: the last
            # one known differs.
            found.append(
                (
                    said,
                    spikes,
                    last.step,
                    gains,
                    msgspec.structs.replace(last.findings, gradient=0.0),
                )
            )
            blocks.add(sum(isinstance(event, Steps) for event in events))
    assert len({repr(one) for one in found}) == 1
    assert found[0][2] == epochs * 3
    assert max(blocks) > 2 * min(blocks)


def test_the_findings_are_told_at_the_end_and_when_the_window_closes():
    events = train(make_race([{"optimizer": "SGD", "lr": 0.01}], task="Plain", epochs=40))
    told = [event for event in events if isinstance(event, FindingsUpdated)]
    assert told[-1].step == 120
    assert not told[-1].findings.early
    assert isinstance(events[-1], Ended)


def test_a_lane_without_a_gauge_is_judged_but_has_no_word():
    events = train(
        make_race([{"optimizer": "SGD", "lr": 0.01}], task="Plain", epochs=40, gauge=False)
    )
    found = [event for event in events if isinstance(event, FindingsUpdated)][-1].findings
    assert (found.word, found.samples, found.early) == ("none", 0, False)
    assert found.progress < 1


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize(("lr", "word"), [(1e-6, "cold"), (0.3, "ok"), (1.0, "hot")])
def test_the_word_on_a_linear_model_is_what_its_curvature_says(lr, word):
    events = train(make_race([{"optimizer": "SGD", "lr": lr}], task="Plain", epochs=40))
    assert [event for event in events if isinstance(event, FindingsUpdated)][
        -1
    ].findings.word == word
