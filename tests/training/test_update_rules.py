"""What each optimizer makes of its rate, against the change of the weights that was measured and
against closed forms."""

import copy
import math

import pytest
import torch
from torch import nn

from lrtui.training import update_rules
from lrtui.training.optimizers import MuonWithAdamW
from lrtui.training.update_rules import StepContext

STEPS, TURN, DROP = 24, 12, 0.3
"""The rate falls to DROP of itself at step TURN: what is recorded must follow it."""
MATRIX, VECTOR = (6, 5), (7,)


class Step:
    """One step of an optimizer on one float64 tensor, as it was."""

    def __init__(self, optimizer, weight, t):
        group = optimizer.param_groups[0]
        self.before, self.grad = weight.detach().clone(), weight.grad.clone()
        self.eta = update_rules.asgd_eta(optimizer, weight, group)
        optimizer.step()
        self.t, self.lr, self.group = t, group["lr"], dict(group)
        self.state = copy.deepcopy(optimizer.state.get(weight, {}))
        self.change = weight.detach() - self.before
        rule, one = (
            update_rules.rule_of(optimizer),
            StepContext(self.group, self.state, self.before, self.grad, self.eta),
        )
        self.size = rule.step_size(one)
        index = torch.arange(weight.numel())
        self.rates = (
            rule.elementwise(one, index).reshape(weight.shape) if rule.elementwise else None
        )

    def decayed(self):
        """The gradient with the decay that the optimizer adds to it."""
        return self.grad + self.group["weight_decay"] * self.before


def steps(name, shape=MATRIX, noise=1.0, count=STEPS, **options):
    """So many steps on a bowl, with a gradient that the optimizer has not seen before each time."""
    generator = torch.Generator().manual_seed(3)
    weight = nn.Parameter(torch.randn(shape, dtype=torch.float64, generator=generator))
    goal = torch.randn(shape, dtype=torch.float64, generator=generator)
    optimizer = getattr(torch.optim, name)([weight], **options)
    for t in range(1, count + 1):
        if t == TURN + 1:
            optimizer.param_groups[0]["lr"] *= DROP
        optimizer.zero_grad()
        scale = 1 + noise * torch.rand(shape, dtype=torch.float64, generator=generator)
        ((weight - goal) ** 2 * scale).sum().backward()
        yield Step(optimizer, weight, t)


def average(one):
    return one.state["exp_avg"]


def plain(one):
    return one.grad


def decayed(one):
    return one.decayed()


def apart_from_decay(one):
    """The change without the decay that AdamW and Adafactor apply to the weights themselves."""
    return one.change + one.lr * one.group["weight_decay"] * one.before


def whole(one):
    return one.change


ALONG = [
    # optimizer, options, direction, change
    ("SGD", {"lr": 0.05}, plain, whole),
    ("SGD", {"lr": 0.05, "weight_decay": 0.2}, decayed, whole),
    (
        "SGD",
        {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1},
        lambda one: one.state["momentum_buffer"],
        whole,
    ),
    (
        "SGD",
        {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        lambda one: one.decayed() + 0.9 * one.state["momentum_buffer"],
        whole,
    ),
    ("Adam", {"lr": 0.1}, average, whole),
    (
        "Adam",
        {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.95)},
        average,
        whole,
    ),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-3}, average, apart_from_decay),
    ("RAdam", {"lr": 0.1, "betas": (0.9, 0.9)}, average, whole),
    ("RAdam", {"lr": 0.1}, average, whole),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}, average, whole),
    ("RMSprop", {"lr": 0.01}, plain, whole),
    ("RMSprop", {"lr": 0.01, "centered": True, "weight_decay": 0.1, "alpha": 0.9}, decayed, whole),
    (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        decayed,
        whole,
    ),
    ("Adadelta", {"lr": 1.0}, plain, whole),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1, "rho": 0.8, "eps": 1e-4}, decayed, whole),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1}, plain, apart_from_decay),
    (
        "Adafactor",
        {"lr": 0.5, "weight_decay": 0.0, "d": 2.0, "beta2_decay": -0.3},
        plain,
        apart_from_decay,
    ),
    ("Rprop", {"lr": 0.01}, lambda one: one.state["prev"].sign(), whole),
]


@pytest.mark.parametrize("shape", [MATRIX, VECTOR, (2, 3, 4, 5)])
@pytest.mark.parametrize(("name", "options", "direction", "change"), ALONG)
def test_the_measured_change_is_minus_rate_times_direction(name, options, direction, change, shape):
    for one in steps(name, shape, **options):
        torch.testing.assert_close(change(one), -one.rates * direction(one), rtol=1e-6, atol=1e-12)


def test_nadam_moves_along_the_average_and_the_gradient():
    beta1, beta2, decay, eps, product = 0.85, 0.99, 4e-3, 1e-8, 1.0
    for one in steps("NAdam", lr=0.1, betas=(beta1, beta2)):
        mu, following = (beta1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (one.t, one.t + 1))
        product *= mu
        own, ahead = (
            one.lr * (1 - mu) / (1 - product),
            one.lr * following / (1 - product * following),
        )
        denominator = (one.state["exp_avg_sq"] / (1 - beta2**one.t)).sqrt() + eps
        torch.testing.assert_close(
            one.change, -(own * one.grad + ahead * one.state["exp_avg"]) / denominator
        )
        torch.testing.assert_close(one.rates, (own + ahead) / denominator)
        assert one.size == pytest.approx((own + ahead) * math.sqrt(1 - beta2**one.t))


def test_asgd_decays_weights_by_its_rate_and_follows_the_gradient():
    lambd, alpha, expected = 1e-2, 0.75, None
    for one in steps("ASGD", lr=0.05, lambd=lambd, alpha=alpha, t0=1e6):
        expected = 0.05 if expected is None else expected
        assert one.size == pytest.approx(expected)
        torch.testing.assert_close(one.rates, torch.full(MATRIX, expected, dtype=torch.float64))
        torch.testing.assert_close(one.change, -expected * (one.grad + lambd * one.before))
        # what it will use at the next step
        expected = one.lr / (1 + lambd * one.lr * one.t) ** alpha


ADAM = [(0.9, 0.999), (0.8, 0.95)]


@pytest.mark.parametrize("betas", ADAM)
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_the_step_size_of_adam(name, betas):
    for one in steps(name, lr=0.1, betas=betas):
        lr = 0.1 * (DROP if one.t > TURN else 1)
        assert one.size == pytest.approx(
            lr * math.sqrt(1 - betas[1] ** one.t) / (1 - betas[0] ** one.t)
        )


def test_first_step_of_adam_equals_the_rate_in_each_element():
    first = next(steps("Adam", lr=0.1, eps=0.0))
    torch.testing.assert_close(first.change, -0.1 * first.grad.sign())


@pytest.mark.parametrize("beta2", [0.9, 0.999])
def test_the_step_size_of_radam(beta2):
    longest, rectified_from = 2 / (1 - beta2) - 1, []
    for one in steps("RAdam", lr=0.1, betas=(0.9, beta2)):
        length = longest - 2 * one.t * beta2**one.t / (1 - beta2**one.t)
        factor = 1.0
        if length > 5:
            rectified_from.append(one.t)
            rectified = (
                (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            )
            factor = math.sqrt(rectified * (1 - beta2**one.t))
        assert one.size == pytest.approx(one.lr / (1 - 0.9**one.t) * factor)
    assert 1 < rectified_from[0] < 10  # both branches were seen


def test_the_step_size_of_adamax():
    for one in steps("Adamax", lr=0.1):
        assert one.size == pytest.approx(one.lr / (1 - 0.9**one.t))


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", {"momentum": 0.9}), ("RMSprop", {}), ("Adadelta", {})]
)
def test_the_step_size_of_those_that_do_not_correct_it_is_the_rate(name, options):
    assert [one.size for one in steps(name, lr=0.1, **options)] == [0.1] * TURN + [0.1 * DROP] * (
        STEPS - TURN
    )


def test_the_first_step_of_rmsprop_is_ten_times_the_rate():
    first = next(steps("RMSprop", lr=0.01, eps=0.0))
    torch.testing.assert_close(first.change.abs(), torch.full(MATRIX, 0.1, dtype=torch.float64))


def test_the_step_size_of_adagrad():
    for one in steps("Adagrad", lr=0.1, lr_decay=0.2):
        assert one.size == pytest.approx(one.lr / (1 + (one.t - 1) * 0.2))


@pytest.mark.parametrize("shape", [MATRIX, VECTOR])
@pytest.mark.parametrize("lr", [0.01, 100.0])
def test_adafactor_step_size_is_the_weight_rms_times_the_capped_rate(shape, lr):
    for one in steps("Adafactor", shape, lr=lr, weight_decay=0.0, count=STEPS):
        size = math.sqrt(one.before.square().mean().item())
        assert one.size == pytest.approx(max(1e-3, size) * min(one.lr, 1 / math.sqrt(one.t)))


def test_a_rate_above_the_cap_of_adafactor_changes_nothing():
    low, high = (
        [one.change for one in steps("Adafactor", lr=lr, weight_decay=0.0)] for lr in (4.0, 400.0)
    )
    assert all(map(torch.equal, low, high))


def test_the_step_size_of_rprop_is_the_mean_of_the_steps_that_it_keeps():
    found = list(steps("Rprop", lr=0.01))
    assert found[0].size == pytest.approx(0.01)
    for one in found:
        assert one.size == pytest.approx(one.state["step_size"].mean().item())
        torch.testing.assert_close(one.rates, one.state["step_size"])


def test_later_rates_change_nothing_for_rprop():
    found = [one.change for one in steps("Rprop", lr=0.01)]
    generator = torch.Generator().manual_seed(3)  # the same bowl, at a rate that stays
    weight = nn.Parameter(torch.randn(MATRIX, dtype=torch.float64, generator=generator))
    goal = torch.randn(MATRIX, dtype=torch.float64, generator=generator)
    optimizer = torch.optim.Rprop([weight], lr=0.01)
    for t, change in enumerate(found, 1):
        optimizer.zero_grad()
        (
            (weight - goal) ** 2
            * (1 + torch.rand(MATRIX, dtype=torch.float64, generator=generator))
        ).sum().backward()
        assert torch.equal(Step(optimizer, weight, t).change, change)


@pytest.mark.parametrize(
    ("shape", "adjust", "factor"),
    [
        ((8, 2), "original", 2.0),
        ((2, 8), "original", 1.0),
        ((8, 2), "match_rms_adamw", 0.2 * math.sqrt(8)),
        ((2, 8), "match_rms_adamw", 0.2 * math.sqrt(8)),
        ((8, 2), None, 2.0),
    ],
)
def test_the_step_size_of_muon_is_scaled_to_the_shape(shape, adjust, factor):
    for one in steps("Muon", shape, lr=0.05, weight_decay=0.0, adjust_lr_fn=adjust, count=4):
        assert one.rates is None
        assert one.size == pytest.approx(one.lr * factor)
    # Its direction is orthogonal, with singular values near 1 after a few Newton-Schulz steps.
    assert 0.5 < torch.linalg.svdvals(one.change).mean().item() / one.size < 1.3


def test_a_subclass_has_the_rule_of_its_parent():
    class Mine(torch.optim.Adam):
        """One's own."""

    ours, theirs = (kind([nn.Parameter(torch.ones(1))]) for kind in (Mine, torch.optim.Adam))
    assert update_rules.rule_of(ours) is update_rules.rule_of(theirs)


def test_an_optimizer_of_another_kind_has_none_whatever_its_name():
    class Adam(torch.optim.Optimizer):
        """Not torch's, and with another state."""

    assert update_rules.rule_of(Adam([nn.Parameter(torch.ones(1))], {"lr": 0.1})) is None
    # its parts have theirs
    assert update_rules.rule_of(MuonWithAdamW([nn.Parameter(torch.ones(2, 2))], lr=0.1)) is None


def test_every_optimizer_that_a_lane_can_have_but_lbfgs_has_a_rule():
    from lrtui.core.scenario import catalogue

    for name in catalogue.optimizers():
        if name != "LBFGS":
            shape = (3, 3) if name == "Muon" else (3,)
            assert update_rules.rule_of(
                getattr(torch.optim, name)([nn.Parameter(torch.ones(shape))], lr=0.1)
            ), name
