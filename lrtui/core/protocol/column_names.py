"""Names of columns and metrics that trainers and readers share, and those that a task's own numbers
may not have."""

from __future__ import annotations

CLIPPED, SKIPPED = "clipped", "skipped"
"""Columns of recipes, 1 or 0: the step's gradients were clipped; the GradScaler skipped it."""
METRIC = "metrics."
"""Before the name of a task's metric that is also the name of something recorded at each step."""
LOGGED = "logged."
"""Before the name of a number that a script logged, where the name means something else, too."""
AVERAGED = "ema_"
"""Before the name of a metric that was taken with averaged weights: ema_val_loss."""

LINE_KEYS = ("event", "lane", "first", "step", "steps", "epoch", "metrics")
"""Keys of the lines of steps in `--json`."""
RESERVED = frozenset(
    (
        "loss",
        "applied_lr",
        "next_lr",
        "grad_norm",
        "seconds",
        "gain",
        "step_size",
        "rate_p10",
        "rate_p50",
        "rate_p90",
        "realised",
        "update_ratio",
        "val_loss",
        CLIPPED,
        SKIPPED,
        *LINE_KEYS,
    )
)
"""Names of columns, and of keys of their lines in `--json`, that no number of a task's loss may
have."""


def family(name: str) -> str:
    """A column's name without the number of its param group: "applied_lr" of "applied_lr/1"."""
    return name.partition("/")[0]


def logged_name(name: str) -> str:
    """The name of a number that a script logged, apart from what is recorded under it; `val_loss`
    means the same."""
    free = not is_reserved(name) or name in ("val_loss", *LINE_KEYS)
    taken = not free or name.startswith((LOGGED, METRIC))
    return LOGGED + name if taken else name


def is_reserved(name: str) -> bool:
    """True if a column name is reserved; those of further param groups end in a number:
    "applied_lr/1"."""
    _, _, group = name.partition("/")
    return family(name) in RESERVED and (not group or group.isdecimal())
