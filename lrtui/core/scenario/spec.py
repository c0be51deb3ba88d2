"""What was asked for: a race, its lanes, their optimizers and schedules, as plain values. Knows no
torch and no file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec

from lrtui.core.text import one_line

Interval = Literal["batch", "epoch"]
OnNan = Literal["stop", "rewind"]
OnDivergence = Literal["warn", "pause", "stop", "rewind"]
MAX_LANES = 256
Expected = Literal["", "wins", "ok", "hot", "cold", "diverged", "nan"]


class OptimizerSpec(msgspec.Struct, frozen=True):
    """A class of `torch.optim` by name, with its options other than the learning rate."""

    name: str
    options: dict[str, Any] = {}

    def __str__(self) -> str:
        return self.name + _options(self.options)


class CodeRef(msgspec.Struct, frozen=True):
    """A class or function of a person's own: `target` is a file's absolute path or a module's name,
    `name` what is in it."""

    kind: Literal["file", "module"]
    target: str
    name: str
    found_in: str = ""
    """Of a module: the entry of sys.path under which it was found; "" in runs of older versions."""

    def __str__(self) -> str:
        return f"{self.target}:{self.name}"


class ScheduleSpec(msgspec.Struct, frozen=True):
    """A learning-rate scheduler by name, with its options and how often it is stepped."""

    name: str
    """One of the catalogue's, or a reference with a colon: a class of a person's own."""
    interval: Interval
    options: dict[str, Any] = {}
    children: tuple[ScheduleSpec, ...] = ()
    """The schedulers that SequentialLR and ChainedScheduler are made of."""
    code: CodeRef | None = None
    """Where the class, or the function under `lr_lambda`, is found; None where nothing of a
    person's own is used."""

    @property
    def own(self) -> bool:
        """Whether the scheduler is a class of a person's own."""
        return ":" in self.name

    @property
    def runs_code(self) -> bool:
        """Whether a person's own code says what the rates are."""
        return self.code is not None or any(child.runs_code for child in self.children)

    def __str__(self) -> str:
        inner = ", ".join(str(child) for child in self.children)
        return f"{self.name}({inner})" if inner else self.name + _options(self.options)


class TaskRef(msgspec.Struct, frozen=True):
    """Where a task is found: `target` is a file's absolute path or a module's name, `name` the
    class in it."""

    kind: Literal["bundled", "file", "module"]
    target: str
    name: str
    found_in: str = ""
    """Of a module: the entry of sys.path under which it was found; "" in runs of older versions."""

    def __str__(self) -> str:
        return self.name if self.kind == "bundled" else f"{self.target}:{self.name}"

    @property
    def short(self) -> str:
        """The reference without the folders of its file."""
        return f"{self.target.rpartition('/')[2]}:{self.name}" if self.kind == "file" else str(self)


class Lane(msgspec.Struct, frozen=True):
    """One model copy to train: what is different about it."""

    letter: str
    name: str
    optimizer: OptimizerSpec
    lr: float
    """The initial learning rate, finite and above zero; what is applied at a step is up to the
    schedule."""
    schedule: ScheduleSpec | None = None
    schedule_at: str = ""
    """The place to change the schedule, as messages name it: "schedules.toml:32", "--schedule"; ""
    where there is none."""
    expect: Expected = ""
    """What is commonly told of this lane; the end of the race says where the outcome contradicts
    it."""

    @property
    def called(self) -> str:
        """What people are told that it is called: letter and name, on one line."""
        return one_line(f"{self.letter} {self.name}")


class Snapshots(msgspec.Struct, frozen=True):
    """How often a lane's state is put on disk, and how much of it is kept."""

    seconds: float = 5.0
    """Between two of a lane; they become rarer where they would take more than a hundredth of the
    time."""
    steps: int = 0
    """Also after every so many steps; 0: no such rule."""
    last: int = 3
    """How many of the last ones are kept, besides those with a reason of their own (best, alert,
    pause, fork, stop)."""
    megabytes: int = 2000
    """What all snapshots of the run together may take up on disk; each lane has an equal share."""


class Pruning(msgspec.Struct, frozen=True):
    """Pauses the lanes that are behind at fixed points of the budget."""

    rungs: tuple[float, ...] = (1 / 9, 1 / 3)
    """Parts of the budget (above 0, below 1, rising) at which the lanes are compared."""
    keep: float = 1 / 3
    """The fraction of the lanes (above 0, below 1; rounded up) that races on; NaN ranks last."""


class Race(msgspec.Struct, frozen=True):
    """One task, its lanes, a seed and a budget. Exactly one of `epochs` and `steps` is set."""

    title: str
    task: TaskRef
    lanes: tuple[Lane, ...]
    story: str = ""
    seed: int = 0
    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 32
    """Samples of a batch; of no effect where the task gives a DataLoader."""
    batch_size_given: bool = False
    """Whether the scenario, or a flag, says it."""
    drop_last: bool = False
    """Whether a last batch of an epoch that is short is left out of the training."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:N" or "mps"; "auto" and "cuda" deal the lanes out to all GPUs in
    turn."""
    sample_every: int = 1
    """Epochs between two samples."""
    pace: int = 0
    """At most so many steps a second and lane, so that a person can watch a tiny model learn; 0: as
    fast as it goes."""
    gauge: bool = True
    """Whether a few steps are measured more closely; it computes the loss of their batches once
    more."""
    scenario: str = ""
    """The scenario's short name, for the run's own name and for lists."""
    validate: bool = True
    """Whether the validation samples are looked at; no scenario's affair: a finder's sweep has no
    use for them."""
    on_nan: OnNan = "stop"
    """What becomes of a lane whose loss or gradient norm is not finite: it ends before the update,
    or goes back to its last good snapshot, with half the rate."""
    on_divergence: OnDivergence = "warn"
    """What becomes of a lane that is found to diverge: it goes on and a person is told, it is
    paused, it is stopped, or it goes back to its last good snapshot, with half the rate."""
    snapshots: Snapshots = Snapshots()
    # the name that runs store
    pruning: Pruning | None = msgspec.field(default=None, name="relegation")
    folder: str = ""
    """The working directory of the race's trainers; "" before the race is started, and in runs of
    older versions."""
    environment: dict[str, str] = {}
    """Environment variables that the task's code may need when the race is taken up elsewhere
    (core/scenario/environment.py)."""

    @property
    def budget(self) -> str:
        """The budget in words."""
        count, unit = (self.epochs, "epoch") if self.epochs is not None else (self.steps, "step")
        return f"{count} {unit}{'' if count == 1 else 's'}"


def letter(index: int) -> str:
    """A, B, ... Z, AA, AB, ...: the sign of lane `index`, counted from 0."""
    head, tail = divmod(index, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + tail)


def unique_name(name: str, taken: Collection[str], suffix: str = "") -> str:
    """`name`, made different from the names `taken` by `suffix`, or by a number from 2 on."""
    unique, number = name, 2
    while unique in taken:
        unique = f"{unique} {suffix}" if suffix else f"{name} {number}"
        number += 1
    return unique


def number(value: float) -> str:
    """A rate or an option as a person would write it: 0.001, 1e-05 as 1e-5, 0.30000000000000004 as
    0.3."""
    mantissa, mark, exponent = f"{value:.6g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if mark else mantissa


def _options(options: dict[str, Any]) -> str:
    """' (momentum 0.9, nesterov)' in the manner of a call; '' without options."""
    inner = ", ".join(
        f"{key}={number(value) if isinstance(value, float) else value}"
        for key, value in options.items()
    )
    return f"({inner})" if inner else ""
