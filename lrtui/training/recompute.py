"""Calls the user's code where the plain loop does not (a second loss, a validation, a sample),
without leaving a trace.

Before such a call all state that the code can reach is saved, after it everything is restored
(training/reachable.py). If some state cannot be restored, the second loss is not computed, and
`reason` says why. Before the first one the loss is rehearsed in a forked process: if its value
differs although everything was restored, it depends on state that no walk can see, and it is not
computed either.
"""

from __future__ import annotations

import math
import os
import signal
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lrtui.core.text import one_line
from lrtui.training import rng
from lrtui.training.reachable import Reachable
from lrtui.training.saved_state import SavedState

NAMED = 3
"""Names that a sentence lists."""
REHEARSALS = 3
"""Losses that a rehearsal computes; the first may differ, because it makes what is lazy."""
REHEARSAL_S = 10
"""Seconds after which a rehearsal (a lock held at the fork, a very slow loss) is killed without a
result."""


class _Start(NamedTuple):
    """The beginning of a micro-batch's forward pass."""

    batch: Any
    random: rng.RandomState
    state: SavedState | None
    """None if the loss is known to change nothing."""


class Recompute:
    """Makes the extra calls of one lane's task. `generators`: the task's, from which a step's loss
    may draw."""

    def __init__(
        self,
        task: Any,
        model: nn.Module,
        device: torch.device,
        generators: Sequence[rng.Generator] = (),
        data: Any = None,
        *,
        graph: bool = False,
    ) -> None:
        """`data`: the validation data, part of the state that is restored after a validation.
        `graph`: compute the second loss with gradients enabled."""
        self.reason = ""
        """The reason why a step's loss cannot be computed a second time; '' while it can."""
        self.notes: list[str] = []
        """Sentences for the log, not taken yet."""
        self._model, self._device, self._generators = model, device, generators
        self._loss_state = Reachable({"task": task, "model": model})
        self._whole_state = Reachable({"task": task, "model": model, "validation data": data})
        self._starts: list[_Start] = []
        """The beginnings of the present step's micro-batches."""
        self._rehearsed = False
        self._stateful: bool | None = None
        """True if the loss itself changes more than random state; None before that is known."""
        self._graph = graph
        self._logged: set[str] = set()
        self._outside: set[str] = set()
        """Names of the state outside the model that the loss changes: snapshots do not hold it."""

    def restart(self) -> None:
        """Forgets the micro-batches of the step before."""
        self._starts.clear()

    def begin(self, batch: Any, recompute_loss: Callable[[Any], Tensor]) -> None:
        """Saves the state before the forward pass of a micro-batch of the step, from which
        `recompute_loss` will start."""
        saves = self._stateful is not False and not self.reason
        random = rng.capture(self._device, self._generators)
        # the second loss never puts the lane's own tensors back; a rehearsal may have to
        own = self._own() if self._rehearsed else ()
        start = _Start(batch, random, self._save([batch], uncopied=own) if saves else None)
        self._starts.append(start)
        if start.state is not None and not self._rehearsed:
            self._rehearsed = True
            if not self._repeats(recompute_loss, start):
                self._refuse(
                    "it gives another value each time, and what it depends on cannot be found"
                )

    def losses(
        self, recompute_loss: Callable[[Any], Tensor], initial: Sequence[Tensor] | None = None
    ) -> tuple[float, float]:
        """The mean loss of the micro-batches that `begin` preceded, at the present weights and at
        `initial` ones (one tensor for each parameter).

        NaN if the task cannot compute it or it was not asked for: measuring never ends a lane.
        """
        after, starts = rng.capture(self._device, self._generators), self._starts
        self._starts = []
        saved = None if self.reason else self._save([start.batch for start in starts])
        if saved is None:
            return math.nan, math.nan
        try:
            now = self._once_more(recompute_loss, starts)
            if initial is None or math.isnan(now):
                return now, math.nan
            with torch.no_grad():
                for parameter, values in zip(self._model.parameters(), initial, strict=True):
                    parameter.copy_(values)
            return now, self._once_more(recompute_loss, starts)
        except RuntimeError as error:  # parameters that were added or reshaped since
            self._log(f"the loss at the initial weights is not computed: {_words(error)}")
            return math.nan, math.nan
        finally:
            self._restore(saved)
            rng.restore(after, self._device, self._generators)

    def _once_more(
        self, recompute_loss: Callable[[Any], Tensor], starts: Sequence[_Start]
    ) -> float:
        """The mean loss with the random numbers and the state that the step's own losses began
        with, summed in the same order."""
        total: Tensor | None = None
        try:
            for start in starts:
                if start.state is not None:
                    self._return_to(start.state)
                rng.restore(start.random, self._device, self._generators)
                # a loss may change state only if gradients are enabled, as a critic's step does
                with torch.set_grad_enabled(self._graph or self._stateful is not False):
                    loss = recompute_loss(start.batch).detach()
                share = loss / len(starts) if len(starts) > 1 else loss
                total = share if total is None else total + share
            return math.nan if total is None else float(total.item())
        except (Exception, SystemExit) as error:
            if self._graph:
                self._refuse(f"it fails when it is computed a second time ({_words(error)})")
            # the loss may itself need gradients, as a penalty does: the next one gets them
            self._graph = True
            return math.nan

    def _repeats(self, recompute_loss: Callable[[Any], Tensor], start: _Start) -> bool:
        """Computes the loss several times from the same state in a forked process; False if its
        values differ.

        Only on a CPU: an accelerator's context does not survive a fork.
        """
        if self._device.type != "cpu" or not hasattr(os, "fork"):
            return True
        here, there = os.pipe()
        with warnings.catch_warnings():
            # other threads may hold locks: the alarm then ends the child
            warnings.simplefilter("ignore")
            try:
                pid = os.fork()
            except OSError:  # no memory or process left: measuring never ends a lane
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
                torch.set_num_threads(1)  # a thread pool does not survive either
                values = [self._once_more(recompute_loss, [start]) for _ in range(REHEARSALS)]
                os.write(there, struct.pack(f"{REHEARSALS}d", *values))
            finally:
                os._exit(0)
        os.close(there)
        with os.fdopen(here, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(pid, 0)
        if start.state is not None:
            start.state.restore()  # memory shared with the child
        return len(set(map(repr, struct.unpack(f"{len(answer) // 8}d", answer)[1:]))) <= 1

    @contextmanager
    def without_trace(self, what: str) -> Iterator[None]:
        """Restores what a validation or a sample (`what`, for the log) changes, except the random
        state."""
        try:
            saved = self._whole_state.save()
        except Exception as error:  # as in _save
            self._log(f"{what} may leave a trace in the training: {_words(error)}")
            yield
            return
        if saved.fixed:
            self._log(f"{what} may move {_list(saved.fixed)}, whose position cannot be put back")
        yield
        result = saved.restore(unnamed=self._weights())
        if result.failed:
            self._log(f"{what} changed {_list(result.failed)}, which cannot be put back")
        elif result.changed:
            self._log(f"{what} changes {_list(result.changed)}: put back")
        else:
            self._whole_state.skip_copies(saved)

    def state_dict(self) -> dict[str, Any]:
        """The findings about the task, as plain values."""
        return {"graph": self._graph, "reason": self.reason, "outside": sorted(self._outside)}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._graph, self.reason = kept["graph"], kept.get("reason", "")
        if outside := kept.get("outside"):
            self._outside |= set(outside)
            self.notes.append(
                f"{_list(outside)} began anew: the loss changes it, and snapshots do not hold it"
            )

    def _save(
        self, batches: Sequence[Any], *, uncopied: Sequence[Tensor] = ()
    ) -> SavedState | None:
        """Saves the present state, the step's batches included, but not the values of `uncopied`;
        returns None, and sets `reason`, if recomputing the loss would leave a trace."""
        batch = batches[0] if len(batches) == 1 else list(batches)
        try:
            saved = self._loss_state.save(uncopied=uncopied, batch=batch)
        except Exception as error:
            # no memory for a copy, a class that forbids access, too many objects
            self._refuse(_words(error))
        else:
            if not saved.fixed:
                return saved
            self._refuse(f"it may move {_list(saved.fixed)}, whose position cannot be put back")
        return None

    def _refuse(self, why: str) -> None:
        """Ends second losses for this lane, and logs why."""
        self.reason = why
        self._log(
            f"the step gain is not measured: the loss cannot be computed a second time, {why}"
        )

    def _return_to(self, began: SavedState) -> None:
        """Restores the state from before the step's loss, except the lane's weights."""
        moved = began.restore(keep=self._weights()).changed
        outside = [name for name in moved if not name.startswith(("model", "batch"))]
        self._outside |= set(outside)
        if moved and not self._stateful:
            kept = "; snapshots do not hold it" if outside else ""
            self._log(
                f"the loss changes {_list(outside or moved)}: put back whenever it is computed a"
                f" second time{kept}"
            )
        self._stateful = bool(moved) or bool(self._stateful)

    def _restore(self, saved: SavedState) -> None:
        """Restores everything after a second loss; if that fails, no other one is computed."""
        result = saved.restore(unnamed=self._weights())
        if result.failed:
            self.reason = f"it changes {_list(result.failed)}, which cannot be put back"
            self._log(
                "the step gain is not measured any more: a second computation of the loss changed "
                f"{_list(result.failed)}, which cannot be put back"
            )
        elif result.changed:
            if not self._stateful:  # else it is logged already
                self._log(
                    f"a second computation of the loss changes {_list(result.changed)}: put back"
                )
        else:
            self._loss_state.skip_copies(saved)

    def _own(self) -> list[Tensor]:
        """The lane's weights, gradients and buffers."""
        parameters = list(self._model.parameters())
        gradients = [p.grad for p in parameters if p.grad is not None]
        return [*parameters, *gradients, *self._model.buffers()]

    def _weights(self) -> frozenset[int]:
        """Ids of the lane's weights, gradients and buffers, which are expected to change."""
        return frozenset(map(id, self._own()))

    def _log(self, text: str) -> None:
        if text not in self._logged:
            self._logged.add(text)
            self.notes.append(text)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return one_line(", ".join(names[:NAMED]) + more)


def _words(error: BaseException) -> str:
    text = one_line(str(error))[:150]
    return text if " " in text else f"{type(error).__name__} {text}".strip()
