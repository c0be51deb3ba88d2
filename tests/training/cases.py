"""Lanes and schedules that several tests are about: each schedule with its rate by hand."""

import math

from lrtui.core.scenario import catalogue

from .tasks_for_tests import Classes, Dropped, Plain

CASES = [
    (Dropped, "Adam", {}, None),
    (
        Dropped,
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        ("StepLR", {"step_size": 1, "gamma": 0.5}),
    ),
    (Dropped, "AdamW", {"weight_decay": 0.1}, ("OneCycleLR", {"max_lr": 0.05})),
    (Dropped, "RMSprop", {}, ("CosineAnnealingLR", {"T_max": 2})),
    (
        Plain,
        "Adagrad",
        {},
        ("CyclicLR", {"base_lr": 0.001, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False}),
    ),
    (Classes, "NAdam", {}, ("ExponentialLR", {"gamma": 0.9})),
    (Classes, "Adadelta", {}, None),
    (Classes, "Rprop", {}, None),
]


LR = 0.1


EPOCHS, STEPS_PER_EPOCH = 6, 3  # of the task Plain in batches of 16


STEPS = EPOCHS * STEPS_PER_EPOCH


def between(start, stop, share):
    """From `start` at share 0 to `stop` at share 1 along half a cosine wave."""
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(t, n):
    peak = 0.3 * n - 1
    if t <= peak:
        return between(LR / 25, LR, t / peak)
    return between(LR, LR / 25 / 1e4, (t - peak) / (n - 1 - peak))


def warm_restarts(t, n):
    length = 2
    while t >= length:
        t, length = t - length, 2 * length
    return between(LR, 0.01, t / length)


def warmed(warmup, after):
    """The factor t / warmup during the warmup, `after(t, share of the rest, n)` from then on."""
    return lambda t, n: (
        LR * (t / warmup if t < warmup else after(t, (t - warmup) / (n - warmup), n))
    )


def stable_decay(t, n):
    if t < 2:
        return LR * (0.9 * t / 2 + 0.1)
    if t < 2 + 1:
        return LR
    return LR * (between(1, 0.1, (t - 3) / 2) if t < 3 + 2 else 0.1)


BY_HAND = {
    "StepLR": ({"step_size": 2, "gamma": 0.5}, lambda t, n: LR * 0.5 ** (t // 2)),
    "MultiStepLR": (
        {"milestones": [1, 4], "gamma": 0.1},
        lambda t, n: LR * 0.1 ** ((t >= 1) + (t >= 4)),
    ),
    "ConstantLR": ({"factor": 0.25, "total_iters": 2}, lambda t, n: LR * (0.25 if t < 2 else 1)),
    "LinearLR": (
        {"start_factor": 0.5, "end_factor": 1.0, "total_iters": 4},
        lambda t, n: LR * (0.5 + 0.5 * min(t, 4) / 4),
    ),
    "ExponentialLR": ({"gamma": 0.8}, lambda t, n: LR * 0.8**t),
    "LambdaLR": (
        {"lr_lambda": "1 / (1 + epoch) if step < 4 else 0.01 * total"},
        lambda t, n: LR / (1 + t) if t < 4 else LR * 0.01 * n,
    ),
    "MultiplicativeLR": (
        {"lr_lambda": "1 - 0.02 * epoch"},
        lambda t, n: LR * math.prod(1 - 0.02 * k for k in range(1, t + 1)),
    ),
    "CosineAnnealingLR": ({"T_max": 4, "eta_min": 0.01}, lambda t, n: between(LR, 0.01, t / 4)),
    "CosineAnnealingWarmRestarts": ({"T_0": 2, "T_mult": 2, "eta_min": 0.01}, warm_restarts),
    "PolynomialLR": ({"total_iters": 5, "power": 2.0}, lambda t, n: LR * (1 - min(t, 5) / 5) ** 2),
    "CyclicLR": (
        {"base_lr": 0.01, "max_lr": LR, "step_size_up": 4, "cycle_momentum": False},
        lambda t, n: 0.01 + (LR - 0.01) * min(t % 8, 8 - t % 8) / 4,
    ),
    "OneCycleLR": ({}, one_cycle),
    "SequentialLR": (
        {
            "milestones": [2],
            "schedulers": [
                {"name": "ConstantLR", "factor": 0.1, "total_iters": 9},
                {"name": "ExponentialLR", "gamma": 0.5},
            ],
        },
        lambda t, n: LR * (0.1 if t < 2 else 0.5 ** (t - 2)),
    ),
    "ChainedScheduler": (
        {
            "schedulers": [
                {"name": "ConstantLR", "factor": 0.1, "total_iters": 2},
                {"name": "ExponentialLR", "gamma": 0.9},
            ]
        },
        lambda t, n: LR * 0.9**t * (0.1 if t < 2 else 1),
    ),
    # A falling loss, taken for one that should rise: bad from the second epoch's on, a tenth each
    # time.
    "ReduceLROnPlateau": (
        {"mode": "max", "patience": 0, "factor": 0.1},
        lambda t, n: LR * 0.1 ** max(0, t - 1),
    ),
    "SWALR": ({"swa_lr": 0.02, "anneal_epochs": 4}, lambda t, n: between(LR, 0.02, min(t, 4) / 4)),
    # The first loss is the best so far, so the rate rises; as above from then on.
    "greedy": (
        {"mode": "max", "patience": 0, "factor": 0.9, "min_lr": 0.0},
        lambda t, n: LR * 0.9 ** (t - 2 if t else 0),
    ),
    "inverse-time": ({"decay": 0.5}, lambda t, n: LR / (1 + 0.5 * t)),
    "range-test": ({"to": 10.0}, lambda t, n: LR * 100 ** (t / (n - 1))),
    "linear": ({"warmup_steps": 2}, warmed(2, lambda t, share, n: 1 - share)),
    "cosine": ({"warmup_steps": 2}, warmed(2, lambda t, share, n: between(1, 0, share))),
    "cosine_with_restarts": (
        {"warmup_steps": 2, "num_cycles": 2},
        warmed(2, lambda t, share, n: between(1, 0, 2 * share % 1)),
    ),
    "polynomial": (
        {"power": 2.0, "lr_end": 0.02},
        lambda t, n: 0.02 + (LR - 0.02) * (1 - t / n) ** 2,
    ),
    "constant": ({}, lambda t, n: LR),
    "constant_with_warmup": ({"warmup_steps": 4}, warmed(4, lambda t, share, n: 1)),
    "inverse_sqrt": ({"warmup_steps": 3}, warmed(3, lambda t, share, n: math.sqrt(3 / t))),
    "cosine_with_min_lr": (
        {"warmup_steps": 2, "min_lr": 0.03},
        warmed(2, lambda t, share, n: between(1, 0.3, share)),
    ),
    "cosine_warmup_with_min_lr": (
        {"warmup_steps": 3, "min_lr_rate": 0.2, "warmup_lr_rate": 0.5},
        lambda t, n: LR * (0.5 + 0.25 * t if t < 3 else between(1, 0.2, (t - 2) / (n - 3))),
    ),
    "warmup_stable_decay": (
        {"warmup_steps": 2, "num_stable_steps": 1, "num_decay_steps": 2, "min_lr_ratio": 0.1},
        stable_decay,
    ),
}


INTERVALS = [
    (name, interval)
    for name in BY_HAND
    for interval in ("batch", "epoch")
    if not (name in catalogue.WANTS_METRIC and interval == "batch")
]
