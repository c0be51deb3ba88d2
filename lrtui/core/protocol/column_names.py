"""Names of columns that a task's own numbers may not have."""

from __future__ import annotations

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
        "clipped",
        "skipped",
        "event",
        "lane",
        "first",
        "step",
        "steps",
        "epoch",
        "metrics",
    )
)
"""Names of columns, and of keys of their lines in `--json`, that no number of a task's loss may
have."""


def is_reserved(name: str) -> bool:
    """True if a column name is reserved; those of further param groups end in a number:
    "applied_lr/1"."""
    family, _, group = name.partition("/")
    return family in RESERVED and (not group or group.isdecimal())
