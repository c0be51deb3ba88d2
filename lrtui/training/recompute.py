"""Calls of the user's code that the plain loop does not make: a second loss, a validation, a
sample. They leave no trace.

Before such a call all state that the code can reach is saved, after it everything is put back
(training/reachable.py). Where something has a state that cannot be put back the second loss is not
computed, and `reason` says why. Before the first one the loss is rehearsed in a forked process:
where it gives another value though everything was put back, there is state that no walk can see,
and it is not computed either.
"""

from __future__ import annotations

import math
import os
import signal
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lrtui.core.text import one_line
from lrtui.training import rng
from lrtui.training.reachable import Reachable, Saved

NAMED = 3
"""Names that a sentence lists."""
REHEARSALS = 3
"""Losses that a rehearsal computes; the first one may differ, because what is lazy is made by
it."""
REHEARSAL_S = 10
"""A rehearsal that takes longer (a lock that was held when the process forked, a very slow loss) is
ended and says nothing."""


class Recompute:
    """The extra calls of one lane's task. `generators`: those of the task's own, which a step's
    loss may draw from."""

    def __init__(
        self,
        task: Any,
        model: nn.Module,
        device: torch.device,
        generators: Sequence[rng.Source] = (),
        data: Any = None,
    ) -> None:
        """`data`: what a validation reads; it belongs to the state that is put back after one."""
        self.reason = ""
        """Why the loss of a step cannot be computed a second time; '' while it can."""
        self.notes: list[str] = []
        """Sentences for the log that were not told yet."""
        self._model, self._device, self._generators = model, device, generators
        self._loss_state = Reachable({"task": task, "model": model})
        self._whole_state = Reachable({"task": task, "model": model, "validation data": data})
        self._random: rng.RandomState | None = None
        self._began: Saved | None = None
        self._batch: Any = None
        self._rehearsed = False
        self._stateful: bool | None = None
        """True where the loss itself changes more than random state; None before that is known."""
        self._graph = False
        self._told: set[str] = set()
        self._outside: set[str] = set()
        """What the loss changes outside of the model, by name: snapshots do not hold it."""

    def begin(self, batch: Any, again: Callable[[], Tensor]) -> None:
        """Remembers the state before the forward pass of a step on `batch`, whose loss `again` is
        to compute with the same."""
        self._random = rng.capture(self._device, self._generators)
        self._batch = batch
        if self._stateful is not False and not self.reason:
            self._began = self._save()
        if self._began is not None and not self._rehearsed:
            self._rehearsed = True
            if not self._repeats(again, self._began):
                self._refuse(
                    "it gives another value each time, and what it depends on cannot be found"
                )

    def losses(
        self, again: Callable[[], Tensor], initial: Sequence[Tensor] | None = None
    ) -> tuple[float, float]:
        """What `again`, the loss of the step that `begin` preceded, gives with the weights as they
        are now, and with `initial` ones, one for each parameter of the model.

        NaN where the task cannot compute it, or where it was not asked for: a lane never ends
        because it is measured.
        """
        assert self._random is not None
        after, began = rng.capture(self._device, self._generators), self._began
        self._began = None
        saved = None if self.reason else self._save()
        self._batch = None
        if saved is None:
            return math.nan, math.nan
        try:
            now = self._once_more(again, began)
            if initial is None or math.isnan(now):
                return now, math.nan
            with torch.no_grad():
                for parameter, values in zip(self._model.parameters(), initial, strict=True):
                    parameter.copy_(values)
            return now, self._once_more(again, began)
        except RuntimeError as error:  # parameters that came or changed their shape since
            self._tell(f"the loss at the initial weights is not computed: {_words(error)}")
            return math.nan, math.nan
        finally:
            self._put_back(saved)
            rng.restore(after, self._device, self._generators)

    def _once_more(self, again: Callable[[], Tensor], began: Saved | None) -> float:
        """The loss with the random numbers and the state that the step's own loss began with."""
        assert self._random is not None
        if began is not None:
            self._return_to(began)
        rng.restore(self._random, self._device, self._generators)
        try:
            # a loss that changes state may do it only where there are gradients, as a critic's step
            # does
            with torch.set_grad_enabled(self._graph or self._stateful is not False):
                return float(again().item())
        except (Exception, SystemExit) as error:
            if self._graph:
                self._refuse(f"it fails when it is computed a second time ({_words(error)})")
            # the loss may itself ask for gradients: then the next one gives it what it needs
            self._graph = True
            return math.nan

    def _repeats(self, again: Callable[[], Tensor], began: Saved) -> bool:
        """Compute the loss several times from the same state in a forked process; False where its
        values differ.

        Only on a CPU: a context of an accelerator does not live on in a fork.
        """
        if self._device.type != "cpu" or not hasattr(os, "fork"):
            return True
        here, there = os.pipe()
        with warnings.catch_warnings():
            # other threads may hold locks: then the alarm ends the child
            warnings.simplefilter("ignore")
            try:
                pid = os.fork()
            # no memory or no process to be had: a lane never ends because it is measured
            except OSError:
                os.close(here)
                os.close(there)
                return True
        if pid == 0:
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(REHEARSAL_S)
                null = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(null, number)
                torch.set_num_threads(1)  # a pool of threads does not live on either
                values = [self._once_more(again, began) for _ in range(REHEARSALS)]
                os.write(there, struct.pack(f"{REHEARSALS}d", *values))
            finally:
                os._exit(0)
        os.close(there)
        with os.fdopen(here, "rb") as pipe:
            told = pipe.read()
        os.waitpid(pid, 0)
        began.put_back()  # memory that both share
        return len(set(map(repr, struct.unpack(f"{len(told) // 8}d", told)[1:]))) <= 1

    @contextmanager
    def without_trace(self, what: str) -> Iterator[None]:
        """Puts back what a validation or a sample (`what`, for the log) changes; the random state
        is the caller's affair."""
        try:
            saved = self._whole_state.save()
        except Exception as error:  # as in _save
            self._tell(f"{what} may leave a trace in the training: {_words(error)}")
            yield
            return
        if saved.fixed:
            self._tell(f"{what} may move {_list(saved.fixed)}, whose position cannot be put back")
        yield
        result = saved.put_back(unnamed=self._weights())
        if result.failed:
            self._tell(f"{what} changed {_list(result.failed)}, which cannot be put back")
        elif result.changed:
            self._tell(f"{what} changes {_list(result.changed)}: put back")
        else:
            self._whole_state.settle(saved)

    def state_dict(self) -> dict[str, Any]:
        """What was learnt of the task, as plain values."""
        return {"graph": self._graph, "reason": self.reason, "outside": sorted(self._outside)}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        self._graph, self.reason = kept["graph"], kept.get("reason", "")
        if outside := kept.get("outside"):
            self._outside |= set(outside)
            self.notes.append(
                f"{_list(outside)} began anew: the loss changes it, and snapshots do not hold it"
            )

    def _save(self) -> Saved | None:
        """The state as it is; None, with the reason, where the loss cannot be computed again
        without a trace."""
        try:
            saved = self._loss_state.save(batch=self._batch)
        # no memory for a copy, a class that refuses to be looked at, too many objects
        except Exception as error:
            self._refuse(_words(error))
        else:
            if not saved.fixed:
                return saved
            self._refuse(f"it may move {_list(saved.fixed)}, whose position cannot be put back")
        return None

    def _refuse(self, why: str) -> None:
        """Computes no further second loss, and says why."""
        self.reason = why
        self._tell(
            f"the step gain is not measured: the loss cannot be computed a second time, {why}"
        )

    def _return_to(self, began: Saved) -> None:
        """Makes the state what it was before the step's loss, all but the lane's own weights, which
        have moved on."""
        moved = began.put_back(keep=self._weights()).changed
        outside = [name for name in moved if not name.startswith(("model", "batch"))]
        self._outside |= set(outside)
        if moved and not self._stateful:
            kept = "; snapshots do not hold it" if outside else ""
            self._tell(
                f"the loss changes {_list(outside or moved)}: put back whenever it is computed a"
                f" second time{kept}"
            )
        self._stateful = bool(moved) or bool(self._stateful)

    def _put_back(self, saved: Saved) -> None:
        """Puts everything back after a second loss; where that fails no other one is computed."""
        result = saved.put_back(unnamed=self._weights())
        if result.failed:
            self.reason = f"it changes {_list(result.failed)}, which cannot be put back"
            self._tell(
                "the step gain is not measured any more: a second computation of the loss changed "
                f"{_list(result.failed)}, which cannot be put back"
            )
        elif result.changed:
            if not self._stateful:  # else it has been said
                self._tell(
                    f"a second computation of the loss changes {_list(result.changed)}: put back"
                )
        else:
            self._loss_state.settle(saved)

    def _weights(self) -> frozenset[int]:
        """The ids of the lane's own weights and buffers, which are expected to change."""
        return frozenset(
            id(tensor) for tensor in (*self._model.parameters(), *self._model.buffers())
        )

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.notes.append(text)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return one_line(", ".join(names[:NAMED]) + more)


def _words(error: BaseException) -> str:
    text = one_line(str(error))[:150]
    return text if " " in text else f"{type(error).__name__} {text}".strip()
