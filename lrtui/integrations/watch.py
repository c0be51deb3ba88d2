"""`lrtui.watch`: a script or a notebook as a lane that can be seen and steered.

Under `lrtui run` and `lrtui race` the process has a lane already (attach.py), which a watch joins;
else a watch makes a run of its own, with one lane.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from lrtui.core.protocol.events import Ended, EndReason, Sampled
from lrtui.core.scenario.placeholders import literally
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, Script, TaskRef
from lrtui.core.text import literal, one_line
from lrtui.integrations.script import attach, own_steps
from lrtui.integrations.script.lane import ScriptLane, say
from lrtui.integrations.script.optimizer_hooks import unwrapped
from lrtui.integrations.script.ranks import own_rank
from lrtui.integrations.script.stopped import Stopped
from lrtui.store.run_dir import reference, runs_folder
from lrtui.store.writer import create_run
from lrtui.training.loop import as_pixels

MAX_ERROR = 8000
_watches: list[Watch] = []
"""Those that are not finished."""


def watch(
    optimizer: Any = None,
    *,
    steps: int | None = None,
    name: str = "",
    config: dict[str, Any] | None = None,
    runs: str | None = None,
    raise_on_stop: bool = True,
) -> Watch:
    """Watch and steer the training in this process.

    `optimizer`: a torch optimizer, or a wrapper with one as `.optimizer`; None for a loop that
    calls `Watch.step`. `steps`: the number of steps to come, if it is known. `name`: of the run;
    an unfinished watch of that name, or of the same optimizer, ends. `config`: settings, to be
    shown. `runs`: the folder of runs (default: $LRTUI_RUNS, else in the user's state folder).
    `raise_on_stop`: a stop raises `lrtui.Stopped`; else it only shows in `Watch.stopped`. With
    LRTUI=off in the environment a watch does nothing.
    """
    given, optimizer = optimizer, unwrapped(optimizer)
    if os.environ.get("LRTUI") == "off":
        return Watch(None)
    if given is not None and optimizer is None:
        say(f"a {type(given).__name__} is not watched: expected a torch optimizer")
        return Watch(None)
    try:
        if attach.adopted is not None:
            return _joined(attach.adopted, optimizer, steps, config, raise_on_stop)
        for known in [known for known in _watches if known.clashes(name, optimizer)]:
            known.finish()
        return _begun(optimizer, steps, name, config, runs, raise_on_stop)
    except Exception as error:
        say(f"this training is not watched ({type(error).__name__}: {one_line(str(error))})")
        return Watch(None)


class Watch:
    """A training that is watched. A context manager: its end is that of the lane, and a stop by
    command ends the block without an error."""

    def __init__(self, lane: ScriptLane | None, *, joined: bool = False, name: str = "") -> None:
        self._lane = lane
        self._joined = joined
        self.name = name

    @property
    def path(self) -> Path | None:
        """The run's folder; None if nothing is recorded."""
        return self._lane.run if self._lane else None

    @property
    def rate(self) -> float:
        """The rate that was applied last; NaN before the first step."""
        return self._lane.rate if self._lane else math.nan

    @property
    def factor(self) -> float:
        """The factor by which a loop without a torch optimizer multiplies its next rate."""
        return self._lane.factor if self._lane else 1.0

    @property
    def stopped(self) -> bool:
        """True once the lane is asked to end."""
        return bool(self._lane and self._lane.stopped)

    def log(self, **numbers: Any) -> None:
        """Record numbers, such as `val_loss`, at the present step."""
        if self._lane:
            self._lane.record.log_numbers(self._lane.step, numbers)

    def image(self, name: str, image: Any) -> None:
        """Show images: a tensor or array H x W, C x H x W or N x C x H x W with C = 1 or 3, of
        floats in 0..1 or bytes."""
        if not self._lane or not self._lane.record.recording:
            return
        try:
            pixels = as_pixels(_as_batch(image))
        except Exception as error:
            self._lane.record.note(f"image {name}: {error}")
            return
        self._lane.record.put(
            Sampled(
                lane=self._lane.index,
                epoch=0,
                step=self._lane.step,
                shape=pixels.shape,
                pixels=pixels.tobytes(),
                name=one_line(name),
            )
        )

    def loss(self, loss: Any) -> None:
        """Give the loss of the next optimizer step, in place of the one that is seen."""
        if self._lane:
            self._lane.given_loss = float(loss) if not isinstance(loss, Tensor) else loss.detach()

    def turn(self, rate: float) -> float:
        """Begin a step of a loop without a torch optimizer, which would apply `rate` by itself:
        execute commands, wait while the lane is paused, and return the rate to apply."""
        return own_steps.turn(self._lane, float(rate)) if self._lane else rate

    def step(self, *, loss: Any = None, rate: float = math.nan) -> None:
        """Record a step of a loop without a torch optimizer: its loss (default: what backward() was
        called on since the last step), and the rate it applied. Waits while the lane is paused."""
        if self._lane:
            own_steps.done(self._lane, loss, float(rate))

    def cancel_step(self) -> None:
        """Leave out a step that is not made: forget the losses seen since the last one."""
        if self._lane:
            own_steps.cancel()

    def set_total(self, steps: int) -> None:
        """Set the number of steps that the training will make."""
        if self._lane:
            self._lane.record.set_total(steps)

    def note(self, text: str) -> None:
        """Write a line in the lane's log."""
        if self._lane:
            self._lane.record.note(text)

    def wait_while_paused(self) -> None:
        """Wait between two steps while the lane is paused."""
        if self._lane:
            self._lane.hold()

    def finish(self, reason: EndReason = "finished", error: str = "") -> None:
        """End the watch; the optimizer is as without it. A lane that was joined ends with its
        process."""
        lane, joined = self._lane, self._joined
        if self in _watches:
            _watches.remove(self)
        if lane is None or joined:
            return
        self._lane = None
        if lane.stopped:
            reason = "stopped"
        lane.finish(
            Ended(lane=lane.index, at=time.time(), step=lane.step, reason=reason, error=error)
        )

    def clashes(self, name: str, optimizer: Optimizer | None) -> bool:
        """True if a new watch of that name or optimizer takes the place of this one."""
        mine = self._lane.roster.first if self._lane else None
        return self.name == name or (mine is not None and mine is optimizer)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None or isinstance(error, Stopped):
            self.finish()
            return error is not None and not self._joined
        text = literal("".join(traceback.format_exception(error)))[-MAX_ERROR:]
        interrupted = isinstance(error, KeyboardInterrupt)
        self.finish("stopped" if interrupted else "error", "" if interrupted else text)
        return False


def _joined(
    lane: ScriptLane,
    optimizer: Optimizer | None,
    steps: int | None,
    config: dict[str, Any] | None,
    raises: bool,
) -> Watch:
    """A watch that joins the lane which this process has already."""
    lane.raises = raises
    if optimizer is not None:
        lane.roster.lead(optimizer)
    if steps:
        lane.record.set_total(steps)
    if config:
        lane.record.note("config: " + ", ".join(f"{key} {value}" for key, value in config.items()))
    return Watch(lane, joined=True)


def _begun(
    optimizer: Optimizer | None,
    steps: int | None,
    name: str,
    config: dict[str, Any] | None,
    runs: str | None,
    raises: bool,
) -> Watch:
    """A watch with a run of its own; of a rank other than 0 one that follows rank 0."""
    program = Path(sys.argv[0] or "notebook")
    title = one_line(name) or program.stem
    race = Race(
        title=title,
        task=TaskRef("script", str(program.absolute()) if program.suffix else title, title),
        lanes=(Lane("A", title, OptimizerSpec(""), 0.0),),
        steps=steps,
        on_nan="warn",
        scenario=title,
        script=Script(
            (sys.executable, *map(literally, sys.orig_argv[1:])),
            seeded=False,
            supervised=False,
            config={str(key): one_line(str(value)) for key, value in (config or {}).items()},
        ),
    )
    rank = own_rank()[0]
    run = Path() if rank else create_run(runs_folder(runs), race)
    lane = ScriptLane(run, race, 0, raises=raises)
    lane.install(optimizer)
    found = Watch(lane, name=name)
    _watches.append(found)
    atexit.register(_finish_at_exit, found)
    if not rank:
        say(f"watch this with  lrtui watch {reference(run)}")
    return found


def _finish_at_exit(watched: Watch) -> None:
    """End a watch that the script left open, with the exception that ends the process."""
    error = getattr(sys, "last_value", None)
    if error is None or isinstance(error, SystemExit):
        watched.finish()
    else:
        watched.__exit__(type(error), error, None)


def _as_batch(image: Any) -> Tensor:
    """Images as N x C x H x W in 0..1."""
    images = torch.from_numpy(image) if isinstance(image, np.ndarray) else image
    if isinstance(images, Tensor):
        images = images.detach()
        if images.dtype == torch.uint8:
            images = images.float() / 255
        while images.dim() in (2, 3):
            images = images.unsqueeze(0)
    return images
