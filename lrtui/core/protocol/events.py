"""Events of lanes, and the columns of steps that they carry. Knows no store, no torch and no
screen."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
import numpy as np

from lrtui.core.protocol.findings import Findings
from lrtui.core.scenario.spec import Lane, Length

Status = Literal["waiting", "running", "paused"]
EndReason = Literal["finished", "stopped", "nan", "error", "died", "interrupted"]
"""finished: the budget is used up. stopped: by the user or `on_divergence`. nan: loss or gradient
norm not finite. error: an exception in the task or in torch. died: its process was lost too often.
interrupted: its process was shut down; `lrtui resume` continues from its last snapshot."""
AlertKind = Literal["nan", "diverged", "error", "lost"]
"""lost: the lane's process was lost, and another one continues from the last snapshot."""
SnapshotTag = Literal["ring", "best", "good", "alert", "pause", "fork", "stop"]
"""Reason for a snapshot, or for keeping it. ring: one of the last few. best: at the lowest smoothed
loss. good: the last one before an alert. The others: at an alert, a pause, a fork, an end."""
EndCause = Literal["", "supervisor_gone"]
"""supervisor_gone: interrupted because the supervisor had died. "": any other cause."""
RewindReason = Literal["rewound", "restarted", "recovered", "resumed", "lengthened"]
"""rewound, restarted: the user or a policy sent the lane to a snapshot, or to its initial weights.
recovered: its process was lost. resumed: its race was. lengthened: it trains on beyond its old
length, from where it is."""


LONGEST, HOLE = 1 << 20, 1 << 24
"""Steps of one block at most, and of a hole in the record: of more than a full disk has ever cost
nothing can be made."""
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
Step = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]
"""Numbers outside of these bounds are not read: nothing that was recorded has them, and nothing
could be drawn of them."""


class Column(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of consecutive steps as raw little-endian floats; a single one stands for a constant
    column."""

    dtype: Literal["f4", "f8"]
    data: bytes

    @classmethod
    def pack(cls, values: list[float] | np.ndarray, dtype: Literal["f4", "f8"] = "f8") -> Column:
        """`values`, shape (steps,), packed; equal values, all of them finite, are kept once."""
        array = np.asarray(values, dtype="<" + dtype)
        if len(array) > 1 and (array == array[0]).all():
            array = array[:1]
        return cls(dtype, array.tobytes())

    def unpack(self, count: int) -> np.ndarray:
        """The numbers again, shape (count,); not to be written to."""
        array = np.frombuffer(self.data, dtype="<" + self.dtype)
        # a tenth of what broadcast_to takes, for a block
        return array.repeat(count) if len(array) == 1 else array


_WIDTHS = {"f4": 4, "f8": 8}


def _check(columns: dict[str, Column], count: int) -> None:
    """ValueError where a column does not hold `count` numbers, or one that stands for all of them.
    Every block is checked: it takes a microsecond."""
    for name, column in columns.items():
        width, held = _WIDTHS[column.dtype], len(column.data)
        if held not in (width, width * count) or held > width * count:
            raise ValueError(
                f"Expected {count} numbers in column {name!r}, got {held} bytes of {column.dtype}"
            )


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that happened in a lane. `lane` is its index; `at` seconds since 1970, stamped
    where it happened."""

    lane: Annotated[int, msgspec.Meta(ge=-1, lt=1 << 31)]
    at: Moment = 0.0


class Started(Event, frozen=True, kw_only=True):
    """The lane is built and begins: how long it will be, where it runs, and the proof that it
    started like the others."""

    device: str
    steps_per_epoch: Count
    """Of a script, which has no known epochs: 1, with `length_known` False."""
    total_steps: Step
    """0 if it is not known."""
    parameters: int
    """Number of trainable elements."""
    init_checksum: str
    """Of the initial weights and buffers: equal in all lanes of a fair race."""
    batch_checksum: str
    """Of the order of the first epoch's batches, equal likewise; "" if it is unknown beforehand, as
    of a stream."""
    intra_op_threads: int
    validated: bool
    """True if the task has validation samples."""
    first: Step = 0
    """Its first step: above 0 if it continues from a snapshot."""
    batch_size: int | None = None
    """Samples of a batch, the last of an epoch apart; 0 where that varies or is not known; None in
    runs of older versions."""
    length_known: bool = True
    """False if the training data has no length; `steps_per_epoch` is then the whole budget."""
    groups: list[str] = []
    """Names of the optimizer's param groups, in the order of their columns; one or more, but [] in
    runs of older versions."""
    optimizer: str = ""
    """Class of the optimizer that a script made; "" where the lane's settings say it."""
    initial_lr: float = math.nan
    """Rate of a script's first param group as the script itself set it; NaN where the lane's
    settings say it, and where the group has none."""
    role: str = ""
    """Of the process that trains it, as in the record's `processes`: "trainer 3". '' in runs of
    older versions."""


class Steps(Event, frozen=True, kw_only=True):
    """A block of consecutive steps, from step `first` (counted from 0). NaN in `loss` is what was
    measured.

    Columns: `loss`, `applied_lr` (what the optimizer's pre-hook saw), `next_lr`, `grad_norm`,
    `seconds` (time of the step, without samples and validation); further param groups as
    `applied_lr/1`, `next_lr/1`, ... `clipped` and `skipped`, 1 or 0, with a recipe that clips
    gradients, or whose GradScaler may skip an update (its rates are NaN). Columns of other names
    are numbers that the task's loss gave beside the loss; NaN where it gave none.
    """

    first: Step
    count: Annotated[int, msgspec.Meta(ge=1, le=LONGEST)]
    columns: dict[str, Column]

    def __post_init__(self) -> None:
        _check(self.columns, self.count)

    def values(self, column: str) -> np.ndarray:
        """The numbers of one column, shape (count,)."""
        return self.columns[column].unpack(self.count)


class Measured(Event, frozen=True, kw_only=True):
    """Measurements at sampled steps (counted from 0), one value per step in every column; NaN for a
    missing one.

    Columns: `gain` (the step gain: the actual over the predicted drop of the loss; 1 a straight
    line, 1/2 the lowest point, below 0 the loss rose) of the whole lane; and of each param group,
    with `/1`, `/2`, ... for further ones, `step_size` (factor of the optimizer's direction),
    `rate_p10`, `rate_p50`, `rate_p90` (quantiles of single elements' rates), `realised` (norm of
    the change over norm of the gradient), `update_ratio` (log10 of the norm of the change over the
    norm of the weights).
    """

    steps: list[Step]
    columns: dict[str, Column]
    spent: float
    """Seconds that measuring has taken since the lane began."""

    def __post_init__(self) -> None:
        _check(self.columns, len(self.steps))

    def values(self, column: str) -> np.ndarray:
        """The numbers of one column, shape (len(steps),)."""
        return self.columns[column].unpack(len(self.steps))


class FindingsUpdated(Event, frozen=True, kw_only=True, tag="Judged"):
    """The findings of the diagnostic rules after `step` steps."""

    step: Step
    findings: Findings


class LossSpiked(Event, frozen=True, kw_only=True, tag="Spiked"):
    """Steps (counted from 0) whose loss stands far out of those before: marks on the curve, no
    alert."""

    steps: list[Step]


class ScheduleForecast(Event, frozen=True, kw_only=True, tag="Planned"):
    """The learning rates that the lane's schedule has in store: `rates[i]` from step `steps[i]`
    on."""

    steps: list[Step]
    rates: list[float]
    total: int
    """Nothing is known from this step on: the lane's budget, or less where looking ahead took too
    long."""

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.rates):
            raise ValueError(
                f"Expected a rate for each of {len(self.steps)} steps, got {len(self.rates)}"
            )


class Evaluated(Event, frozen=True, kw_only=True):
    """The end of an epoch, or a validation within one: mean training loss of the epoch so far, and
    validation metrics where the task has any."""

    epoch: int
    """Epochs done, this one included if it ends here."""
    step: Step
    """Steps done by then."""
    loss: float
    metrics: dict[str, float] = {}


class Logged(Event, frozen=True, kw_only=True):
    """Numbers that a script logged at some steps, one value per step in every column; NaN for a
    missing one. `steps` are steps done by then, rising or equal."""

    steps: list[Step]
    columns: dict[str, Column]

    def __post_init__(self) -> None:
        _check(self.columns, len(self.steps))

    def values(self, column: str) -> np.ndarray:
        """The numbers of one column, shape (len(steps),)."""
        return self.columns[column].unpack(len(self.steps))


class Sampled(Event, frozen=True, kw_only=True):
    """The images of `task.sample(model)`: `shape` (N, H, W, 3), `pixels` their bytes, 0..255."""

    epoch: int
    """Of a script, which has no known epochs: 0."""
    step: Step
    shape: tuple[int, int, int, int]
    pixels: bytes
    name: str = ""
    """The name that a script gave them."""

    def __post_init__(self) -> None:
        if min(self.shape) < 0 or math.prod(self.shape) != len(self.pixels):
            raise ValueError(f"Expected the pixels of {self.shape}, got {len(self.pixels)} bytes")

    def images(self) -> np.ndarray:
        """uint8, shape (N, H, W, 3)."""
        return np.frombuffer(self.pixels, dtype=np.uint8).reshape(self.shape)


class Alerted(Event, frozen=True, kw_only=True):
    """An alert for the user: `step` where it happened, `text` one line."""

    step: Step
    kind: AlertKind
    text: str


class StatusChanged(Event, frozen=True, kw_only=True):
    """The lane was paused or resumed."""

    step: Step
    status: Status


class RateChanged(Event, frozen=True, kw_only=True):
    """The dial was turned: from `step` on, what the schedule says is multiplied by `factor`."""

    step: Step
    factor: float
    rate: float
    """The first param group's rate that will be applied at `step`."""


class Snapshotted(Event, frozen=True, kw_only=True):
    """A snapshot of the lane after `step` steps lies in the run's folder."""

    step: Step
    tag: SnapshotTag
    size: int
    """Bytes of this one."""
    kept: list[Step]
    """The steps of all snapshots of the lane that are kept now, rising."""
    total: int
    """Bytes of all of them."""
    smooth: float = math.nan
    """The smoothed loss at that step."""
    spent: float = 0.0
    """Seconds that snapshots have taken from the lane since its process began."""


class LaneAdded(Event, frozen=True, kw_only=True, tag="Joined"):
    """A lane that was not there at the start: forked from `parent` after `step` steps, or added
    (parent -1, step 0)."""

    child: Lane
    parent: Annotated[int, msgspec.Meta(ge=-1)] = -1
    step: Step = 0
    rate: float | None = None
    """The rate that it is to apply first; None: what it would apply anyway."""


class Rewound(Event, frozen=True, kw_only=True):
    """The lane is back where it was after `step` steps: what was recorded from there on is replaced
    by what follows.

    It undoes an end. Nothing that the lane said before counts against what comes now.
    """

    step: Step
    why: RewindReason
    length: Length | None = None
    """Of a lane that is lengthened: how long it is now, in all; None for the other reasons."""
    schedule_length: Length | None = None
    """Of a lane that is lengthened: the length that its schedule is made for."""

    @property
    def replays(self) -> bool:
        """True if the same steps come again, because a process or the race went on from a snapshot;
        False if a user or a policy gave them up."""
        return self.why in ("recovered", "resumed")

    def lengthened(self, lane: Lane) -> Lane:
        """The lane's settings after it."""
        if self.length is None:
            return lane
        return msgspec.structs.replace(
            lane, length=self.length, schedule_length=self.schedule_length
        )


class Ended(Event, frozen=True, kw_only=True):
    """The lane's end; only a Rewound undoes it. `error` is a traceback or the last output of a
    process that died."""

    step: Step
    reason: EndReason
    error: str = ""
    cause: EndCause = ""
    """"" in runs of versions before this field."""
    exit_code: int | None = None
    """Of a script's process, negative for a signal; None without one."""

    @property
    def orphaned(self) -> bool:
        """True if the lane was interrupted because its supervisor had died."""
        return self.cause == "supervisor_gone" or self.error in _ORPHANED_BEFORE_CAUSES


_ORPHANED_BEFORE_CAUSES = ("the supervisor is gone", "the crew is gone")
"""The `error` of such lanes in runs of versions before `Ended.cause`."""


class LogMessage(Event, frozen=True, kw_only=True, tag="Noted"):
    """A line for the log. `lane` is -1 where it concerns the whole run."""

    text: str


AnyEvent = (
    Started
    | ScheduleForecast
    | Steps
    | Measured
    | FindingsUpdated
    | LossSpiked
    | Evaluated
    | Logged
    | Sampled
    | Alerted
    | StatusChanged
    | RateChanged
    | Snapshotted
    | LaneAdded
    | Rewound
    | Ended
    | LogMessage
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyEvent] = msgspec.msgpack.Decoder(AnyEvent)
encode = _encoder.encode
decode = _decoder.decode


def kind(event: AnyEvent) -> str:
    """The name of an event's type as it is stored; it is older than some of the classes' names."""
    return str(event.__struct_config__.tag)


def plain(value: float) -> float | str:
    """A number as JSON can hold it: NaN and the infinities become the strings "NaN", "Infinity",
    "-Infinity"."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
