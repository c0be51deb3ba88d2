"""The race as it was asked for: lanes, optimizers and schedules, as plain values. Knows no torch
and no file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import msgspec

from lrtui.core.scenario.placeholders import filled
from lrtui.core.text import one_line

Interval = Literal["batch", "epoch"]
OnNan = Literal["stop", "rewind", "warn"]
OnDivergence = Literal["warn", "pause", "stop", "rewind"]
MAX_LANES = 256
RankAt = Literal["last", "best", "budget"]
"""last: the newest value (of the training loss, smoothed). best: the best value so far. budget: the
value after as many steps as every lane has made."""
BestIs = Literal["", "min", "max"]
MAX_SEEDS = 100
Expected = Literal["", "wins", "ok", "hot", "cold", "diverged", "nan"]
Precision = Literal["fp32", "bf16", "fp16", "tf32"]
CompileMode = Literal[
    "", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"
]
"""The modes of torch.compile; "" is none."""


class CodeRef(msgspec.Struct, frozen=True):
    """A class or function of the user: `target` is a file's absolute path or a module's name,
    `name` the object in it."""

    kind: Literal["file", "module"]
    target: str
    name: str
    found_in: str = ""
    """Of a module: the entry of sys.path under which it was found; "" in runs of older versions."""

    def __str__(self) -> str:
        return f"{self.target}:{self.name}"


class OptimizerSpec(msgspec.Struct, frozen=True):
    """A class of `torch.optim` by name, or any class with its interface, with its options other
    than the learning rate."""

    name: str
    """A name of the catalogue, or a reference with a colon to a class of the user or a package."""
    options: dict[str, Any] = {}
    code: CodeRef | None = None
    """Location of a class that is not torch's."""

    @property
    def reference(self) -> str:
        """The name as it can be read anywhere, with the absolute path of a file."""
        return str(self.code) if self.code else self.name

    @property
    def short(self) -> str:
        """The name without the package or file of a class that is not torch's."""
        return self.name.rpartition(":")[2]

    def __str__(self) -> str:
        return self.name + _options(self.options)


class ScheduleSpec(msgspec.Struct, frozen=True):
    """A learning-rate scheduler by name, with its options and how often it is stepped."""

    name: str
    """A name of the catalogue, or a reference with a colon to a class of the user."""
    interval: Interval
    options: dict[str, Any] = {}
    children: tuple[ScheduleSpec, ...] = ()
    """The schedulers that SequentialLR and ChainedScheduler are made of."""
    code: CodeRef | None = None
    """Location of the class, or of the function under `lr_lambda`; None without code of the
    user."""

    @property
    def own(self) -> bool:
        """True if the scheduler is a class of the user."""
        return ":" in self.name

    @property
    def runs_code(self) -> bool:
        """True if the rates come from code of the user."""
        return self.code is not None or any(child.runs_code for child in self.children)

    def __str__(self) -> str:
        inner = ", ".join(str(child) for child in self.children)
        return f"{self.name}({inner})" if inner else self.name + _options(self.options)


class TaskRef(msgspec.Struct, frozen=True):
    """Location of a task: `target` is a file's absolute path or a module's name, `name` the class
    in it. Of a script: `target` is its file, its module or its program, `name` a short name; it is
    never imported."""

    kind: Literal["bundled", "file", "module", "script"]
    target: str
    name: str
    found_in: str = ""
    """Of a module: the entry of sys.path under which it was found; "" in runs of older versions."""

    def __str__(self) -> str:
        if self.kind == "script":
            return self.target
        return self.name if self.kind == "bundled" else f"{self.target}:{self.name}"

    @property
    def short(self) -> str:
        """The reference without the folders of its file."""
        if self.kind == "script":
            return self.name
        return f"{self.target.rpartition('/')[2]}:{self.name}" if self.kind == "file" else str(self)


class Script(msgspec.Struct, frozen=True):
    """A training script of the user, run unchanged: one process tree of it for each lane."""

    command: tuple[str, ...]
    """Program and arguments; `{NAME}` stands for the lane's value of that name, `{{NAME}}` for
    itself in single braces (placeholders.py)."""
    env: dict[str, str] = {}
    """Environment variables beside those of the race's own process; `{NAME}` as above."""
    at_once: int = 0
    """Most lanes that run at a time; 0: one for each GPU, or as many as the cores allow."""
    seeded: bool = True
    """True if Python, numpy and torch are seeded before the script's first line."""
    supervised: bool = True
    """False if the script was started by the user, and watches itself (`lrtui.watch`)."""
    config: dict[str, Any] = {}
    """Settings that the script gave to `lrtui.watch`, to be shown."""

    def command_of(self, lane: Lane) -> list[str]:
        """The command with the lane's values in place of `{NAME}`."""
        return [filled(part, lane.values) for part in self.command]

    def env_of(self, lane: Lane) -> dict[str, str]:
        """The environment variables with the lane's values in place of `{NAME}`."""
        return {name: filled(value, lane.values) for name, value in self.env.items()}


class Recipe(msgspec.Struct, frozen=True):
    """How a lane makes a step of its optimizer, beside optimizer and schedule."""

    clip_grad_norm: float = 0.0
    """Highest 2-norm of all gradients together (`torch.nn.utils.clip_grad_norm_`); 0: none."""
    clip_grad_value: float = 0.0
    """Highest absolute value of a gradient's element (`clip_grad_value_`); 0: none."""
    accumulate: int = 1
    """Batches (micro-batches) whose gradients make one step, 1 or more."""
    precision: Precision = "fp32"
    """bf16, fp16: type of `torch.autocast`, fp16 with a GradScaler. tf32: `fp32` with matrix
    products in TensorFloat-32."""
    compile: CompileMode = ""
    """Mode of `torch.compile`; "" runs the model as it is."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, below 1; 0: none."""

    @property
    def clips(self) -> bool:
        """True if gradients are clipped, by norm or by value."""
        return bool(self.clip_grad_norm or self.clip_grad_value)

    def changes(self) -> dict[str, Any]:
        """The settings that are not the defaults, by key."""
        usual = Recipe()
        return {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) != getattr(usual, name)
        }

    def __str__(self) -> str:
        return ", ".join(
            f"{key} {number(value) if isinstance(value, float) else value}"
            for key, value in self.changes().items()
        )


class Length(msgspec.Struct, frozen=True):
    """The length of a lane's training: optimizer steps, and (begun) epochs."""

    steps: int
    epochs: int
    by_epochs: bool = False
    """True if the epochs are the budget, else the steps."""
    pauses: bool = False
    """True if the lane pauses at its end instead of ending."""


class Lane(msgspec.Struct, frozen=True):
    """One model copy to train: what is different about it."""

    letter: str
    name: str
    optimizer: OptimizerSpec
    lr: float
    """The initial learning rate, finite and above zero; what is applied at a step is up to the
    schedule. Of a script's lane also 0: the rate is the script's own."""
    schedule: ScheduleSpec | None = None
    schedule_at: str = ""
    """Location of the schedule in messages: "schedules.toml:32", "--schedule"; "" without a
    schedule."""
    expect: Expected = ""
    """The usual outcome of such a lane; the end of the race reports a contradiction."""
    recipe: Recipe = Recipe()
    values: dict[str, str] = {}
    """Of a script's lane: what stands for each `{NAME}` of the command."""
    seed: int = 0
    """Added to the race's seed."""
    length: Length | None = None
    """Of a lane that was lengthened, in place of the race's budget."""
    schedule_length: Length | None = None
    """Of a lane that was lengthened: the length that its schedule is made for."""

    @property
    def called(self) -> str:
        """Letter and name on one line, as shown to the user."""
        return one_line(f"{self.letter} {self.name}")

    @property
    def settings(self) -> Lane:
        """The lane without the fields that have no effect on its training."""
        return msgspec.structs.replace(self, letter="", name="", expect="")


class Snapshots(msgspec.Struct, frozen=True):
    """Interval and number of the snapshots on disk."""

    seconds: float = 5.0
    """Between two of a lane; they become rarer where they would take more than a hundredth of the
    time."""
    steps: int = 0
    """Also after this many steps; 0: no such rule."""
    last: int = 3
    """Number of the newest ones kept, besides those with another tag (best, alert, pause, fork,
    stop)."""
    megabytes: int = 2000
    """Disk space of all snapshots of the run; each lane has an equal share."""


class Pruning(msgspec.Struct, frozen=True):
    """Pauses the lanes that are behind at fixed points of the budget."""

    rungs: tuple[float, ...] = (1 / 9, 1 / 3)
    """Parts of the budget (above 0, below 1, rising) at which the lanes are compared."""
    keep: float = 1 / 3
    """The fraction of the lanes (above 0, below 1; rounded up) that races on; NaN ranks last."""


class Race(msgspec.Struct, frozen=True):
    """One task or script, its lanes, a seed and a budget. Of a task exactly one of `epochs` and
    `steps` is set; the length of a script is known only if `steps` says it."""

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
    """True if the scenario or a flag sets it."""
    drop_last: bool = False
    """True if a short last batch of an epoch is left out of the training."""
    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:N" or "mps"; "auto" and "cuda" deal the lanes out to all GPUs in
    turn."""
    sample_every: int = 1
    """Epochs between two samples."""
    validate_every: int = 0
    """Steps between two validations; 0: at each epoch's end."""
    pace: int = 0
    """Most steps per second and lane, to make a tiny model watchable; 0: no limit."""
    gauge: bool = True
    """True if a few steps are measured, which computes the loss of their batches again."""
    scenario: str = ""
    """The scenario's short name, for the run's own name and for lists."""
    validate: bool = True
    """False skips the validation samples, as a finder's sweep does; not a key of scenarios."""
    on_nan: OnNan = "stop"
    """Action on a loss or gradient norm that is not finite: end before the update, or rewind to the
    last good snapshot with half the rate."""
    on_divergence: OnDivergence = "warn"
    """Action on divergence: an alert alone, a pause, an end, or a rewind to the last good snapshot
    with half the rate."""
    snapshots: Snapshots = Snapshots()
    # the name that runs store
    pruning: Pruning | None = msgspec.field(default=None, name="relegation")
    folder: str = ""
    """The working directory of the race's trainers; "" before the race is started, and in runs of
    older versions."""
    environment: dict[str, str] = {}
    """Environment variables that the task's code may need when the race is taken up elsewhere
    (core/scenario/environment.py)."""
    script: Script | None = None
    """What the lanes run in place of a task; `task.kind` is then "script"."""
    rank_by: str = ""
    """The metric that lanes are ranked by; "": the validation loss where there is one, else the
    training loss (core/results/ranking.py)."""
    best: BestIs = ""
    """Which value of it is the best; "": what its name says."""
    rank_at: RankAt = "last"
    seeds: int = 1
    """Lanes of equal settings with one seed each; `lanes` has all of them."""

    def of_lane(self, index: int) -> Race:
        """The race with the seed and the budget of one of its lanes."""
        lane = self.lanes[index]
        budget: dict[str, int | None] = {}
        if lane.length:
            by_epochs, steps, epochs = lane.length.by_epochs, lane.length.steps, lane.length.epochs
            budget = {
                "steps": None if by_epochs else steps,
                "epochs": epochs if by_epochs else None,
            }
        if not lane.seed and not budget:
            return self
        return msgspec.structs.replace(self, seed=(self.seed + lane.seed) % 2**63, **budget)

    @property
    def budget(self) -> str:
        """The budget in words; "" if it is not known."""
        if self.epochs is None and self.steps is None:
            return ""
        count, unit = (self.epochs, "epoch") if self.epochs is not None else (self.steps, "step")
        return f"{count} {unit}{'' if count == 1 else 's'}"


def with_lane(race: Race, index: int, lane: Lane) -> Race:
    """The race with other settings of one of its lanes."""
    lanes = (*race.lanes[:index], lane, *race.lanes[index + 1 :])
    return msgspec.structs.replace(race, lanes=lanes)


def letter(index: int) -> str:
    """A, B, ... Z, AA, AB, ...: the sign of lane `index`, counted from 0."""
    head, tail = divmod(index, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + tail)


def next_letter(lanes: Sequence[Lane]) -> str:
    """The letter of the lane that joins next; the lanes of several seeds have one between them."""
    return letter(len({lane.letter.rstrip("0123456789") for lane in lanes}))


def joining_letter(lanes: Sequence[Lane], child: Lane) -> str:
    """The letter of a lane that joins: its own if it joins with other seeds, such as E2, else the
    next one."""
    base = child.letter.rstrip("0123456789")
    kin = [lane for lane in lanes if lane.letter.rstrip("0123456789") == base]
    fits = all(lane.name == child.name for lane in kin) if kin else base == next_letter(lanes)
    own = f"{base}{child.seed + 1}"
    if fits and child.letter == own and own not in {lane.letter for lane in kin}:
        return own
    return next_letter(lanes)


def with_seeds(lanes: Sequence[Lane], seeds: int) -> tuple[Lane, ...]:
    """`seeds` lanes in place of each, with the seeds 0, 1, ...: A1, A2, ... of A."""
    if seeds == 1:
        return tuple(lanes)
    return tuple(
        msgspec.structs.replace(lane, letter=f"{lane.letter}{seed + 1}", seed=seed)
        for lane in lanes
        for seed in range(seeds)
    )


def unique_name(name: str, taken: Collection[str], suffix: str = "") -> str:
    """`name`, made different from the names `taken` by `suffix`, or by a number from 2 on."""
    unique, number = name, 2
    while unique in taken:
        unique = f"{unique} {suffix}" if suffix else f"{name} {number}"
        number += 1
    return unique


def number(value: float) -> str:
    """A rate or an option in its shortest form: 0.001, 1e-05 as 1e-5, 0.30000000000000004 as
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
