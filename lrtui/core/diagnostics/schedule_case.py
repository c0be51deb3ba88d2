"""A lane's schedule beside its previewed rates, for the rules of `schedule_check`. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario.spec import Lane, ScheduleSpec


class Part(NamedTuple):
    """A schedule, or one of its children, and its span, counted in the schedule's interval."""

    spec: ScheduleSpec
    start: int
    stop: int

    def option(self, key: str, default: Any) -> Any:
        """An option's value: `default` if not given, the length of the part for "auto"."""
        value = self.spec.options.get(key, default)
        return self.stop - self.start if value == "auto" else value


class Case:
    """A lane's schedule and the rates that it will apply."""

    def __init__(self, lane: Lane, spec: ScheduleSpec, preview: Preview) -> None:
        self.lane, self.spec, self.preview = lane, spec, preview
        self.each = preview.steps_per_epoch if spec.interval == "epoch" else 1
        self.length = math.ceil(preview.total / self.each)
        """The budget in the schedule's interval."""
        self.unit = spec.interval.replace("batch", "step")

    def rate(self, count: int) -> float:
        """The rate applied after `count` epochs or batches; NaN if unknown."""
        step = count * self.each
        if not 0 <= step < self.preview.known:
            return math.nan
        return self.preview.rates[bisect_right(self.preview.steps, step) - 1]

    def after(self, count: float) -> str:
        """'after 50 of 100 epochs'."""
        return f"after {math.ceil(count)} of {self.counted(self.length)}"

    def counted(self, count: int) -> str:
        """'5 epochs'."""
        return f"{count} {self.unit}{'' if count == 1 else 's'}"

    def parts(self) -> list[Part]:
        """The schedulers that set rates, with their spans; those without any are left out."""
        return [part for part in _parts(self.spec, 0, self.length) if part.start < part.stop]


def _parts(spec: ScheduleSpec, start: int, stop: int) -> Iterator[Part]:
    if not spec.children:
        yield Part(spec, start, stop)
        return
    bounds = [start, *(start + milestone for milestone in spec.options.get("milestones", [])), stop]
    for index, child in enumerate(spec.children):
        if spec.name != "SequentialLR":
            yield from _parts(child, start, stop)
        elif bounds[index] < stop:
            yield from _parts(child, bounds[index], min(bounds[index + 1], stop))
