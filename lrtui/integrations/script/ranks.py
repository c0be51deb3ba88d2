"""One plan for all ranks of a distributed script, from the same step on in each.

Rank 0 publishes plans in the store that the process group came up with (`torch.distributed`'s own
key-value store), each for a step to come; every rank follows it when it gets there, and waits on
the host for a rank 0 that is behind. No collective is involved, so that a pause of any length lets
none time out.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import msgspec
from torch import distributed

from lrtui.integrations.script.plan import Plan

LOOK_S = 0.1
"""Seconds between two looks, as rank 0 measures its steps."""
POLL_S = 0.01
KEPT = 500
"""Plans that are kept at least, for ranks that are behind."""
REGISTERED_S = 2.0
"""Seconds to wait for ranks that are about to make their first step."""
PATIENCE_S = 10.0
"""Seconds that a rank waits for rank 0. Ranks that reduce gradients together never do: a rank that
waits makes steps of its own, and rank 0 may wait for it elsewhere, or not train at all."""
APART = b"apart"
"""In place of a plan, by a rank that did not wait for it: from there on each follows none."""


class _Published(msgspec.Struct, frozen=True):
    """A plan, and the step of the look after the one that it is for."""

    plan: Plan
    following: int


GLOO_S = 0.05


def spare_gloo() -> None:
    """Let gloo's threads finish before the script ends its process group.

    They need the interpreter's lock to free what the last collective holds, and the destructor of
    a group waits for them with that lock: a dead end that a busy machine makes likely (3 of 22 runs
    of tests/integrations/scripts/ddp_spawn.py hung without this pause, 0 of 16 with it).
    """
    original = distributed.distributed_c10d.destroy_process_group

    @functools.wraps(original)
    def destroy_process_group(*args: Any, **kwargs: Any) -> None:
        time.sleep(GLOO_S)
        original(*args, **kwargs)

    distributed.destroy_process_group = destroy_process_group
    distributed.distributed_c10d.destroy_process_group = destroy_process_group


def own_rank() -> tuple[int, int]:
    """(rank, number of ranks) of this process; (0, 1) if the script is not distributed."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


class Ranks:
    """The agreement of one rank with the others. All must make the same optimizer steps."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count
        default = distributed.distributed_c10d._get_default_store()
        self._store: Any = distributed.distributed_c10d.PrefixStore("lrtui", default)
        self._step = 0
        """Steps of all optimizers: those of the lane may be others in another rank, as it depends
        on when the interpreter frees an optimizer."""
        self._look, self._following, self._number = 0, 1, 0
        """Steps of the next look and of the one after it; number of the next look."""
        self._published = Plan()
        """By rank 0, for the next look."""
        self._began, self._began_step = time.monotonic(), 0
        self._waits = self._apart = False
        self._store.set(f"rank/{rank}", "1")
        if "gloo" in distributed.get_backend():
            spare_gloo()

    def refusal(self) -> str:
        """The reason why ranks would not follow a plan; "" if they all do."""
        if self._apart or self._store.check([f"plan/{self._number + 1}"]):
            return "the ranks make steps of their own, and would not follow at the same one"
        if missing := self._missing():
            who = ", ".join(map(str, missing))
            return f"rank {who} of {self.count} runs without lrtui's hooks, and would not follow"
        return ""

    def _missing(self) -> list[int]:
        until = time.monotonic() + REGISTERED_S
        while True:
            left = [rank for rank in range(self.count) if not self._store.check([f"rank/{rank}"])]
            if not left or time.monotonic() > until:
                return left
            time.sleep(POLL_S)

    def agree(self, plan: Plan, wanted: Plan) -> Plan:
        """The plan in force at the step of an optimizer that begins: `plan` until the next look;
        `wanted` is what rank 0 publishes for a later one. A paused plan is asked about again until
        it is not."""
        if self._waits:
            return self._resumed(wanted)
        step, self._step = self._step, self._step + 1
        if self._apart or step < self._look:
            return plan
        plan = self._published if self.rank == 0 else self._read(plan)
        if plan.paused and not plan.stop:
            self._waits = True
        else:
            self._advance(step, wanted)
        return plan

    def _read(self, plan: Plan) -> Plan:
        """The plan that rank 0 published for this look; the first look has none."""
        if self._number == 0:
            return plan
        found = self._wait_for(f"plan/{self._number}")
        if found is None:
            self._apart = True
            return plan
        self._following = found.following
        return found.plan

    def _resumed(self, wanted: Plan) -> Plan:
        """The plan after a pause; the paused one while it lasts."""
        key = f"resumed/{self._number}"
        if self.rank == 0:
            if wanted.paused and not wanted.stop:
                return wanted
            self._store.set(key, msgspec.json.encode(_Published(wanted, self._following)))
        elif not self._store.check([key]):
            return Plan(paused=True)
        elif found := self._wait_for(key):
            wanted = found.plan
        self._waits = False
        self._began, self._began_step = time.monotonic(), self._look
        self._advance(self._look, wanted)
        return wanted

    def _advance(self, step: int, wanted: Plan) -> None:
        """Go on to the next look; rank 0 publishes the plan for it."""
        self._number += 1
        self._look = self._following
        if self.rank:
            return
        self._published, self._following = wanted, self._look + self._interval(step)
        body = msgspec.json.encode(_Published(wanted, self._following))
        kept = self._store.compare_set(f"plan/{self._number}", "", body.decode())
        self._apart = kept == APART
        if self._number % KEPT == 0 and self._number > KEPT:
            self._forget(self._number - 2 * KEPT, self._number - KEPT)

    def _forget(self, first: int, oldest: int) -> None:
        """Delete the plans from number `first` up to `oldest`, which no rank is behind."""
        self._store.set("oldest", str(oldest))
        for number in range(first, oldest):
            self._store.delete_key(f"plan/{number}")
            self._store.delete_key(f"resumed/{number}")

    def close(self) -> None:
        """Let the other ranks go on by themselves: this one makes no more steps."""
        if self.rank == 0:
            self._store.set("over", "1")

    def _interval(self, step: int) -> int:
        """Steps that take LOOK_S."""
        now = time.monotonic()
        each = (now - self._began) / max(step - self._began_step, 1)
        self._began, self._began_step = now, step
        return max(1, min(1000, int(LOOK_S / max(each, 1e-6))))

    def _wait_for(self, key: str) -> _Published | None:
        """The value that rank 0 sets under a key; None once rank 0 makes no more steps, and if it
        keeps this one waiting."""
        until = time.monotonic() + PATIENCE_S
        while not self._store.check([key]):
            if self._store.check(["over"]):
                return None
            if time.monotonic() > until:
                self._store.compare_set(key, "", APART.decode())
                break
            if self._store.check(["oldest"]) and int(self._store.get("oldest")) > self._number:
                raise RuntimeError(
                    f"rank {self.rank} is far behind rank 0: they train on their own"
                )
            time.sleep(POLL_S)
        found = self._store.get(key)
        return None if found == APART else msgspec.json.decode(found, type=_Published)
