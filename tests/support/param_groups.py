"""Lanes with several param groups: the events of any lane, with further groups added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lrtui.core.protocol.events import AnyEvent, Column, Started, Steps

NAMES = ("body", "head")


def with_groups(
    events: Iterable[AnyEvent], names: Sequence[str] = NAMES, ratio: float = 10.0
) -> list[AnyEvent]:
    """The same events; each further group has `ratio` times the rate of the group before it."""
    return [_with_groups(event, names, ratio) for event in events]


def _with_groups(event: AnyEvent, names: Sequence[str], ratio: float) -> AnyEvent:
    match event:
        case Started():
            return msgspec.structs.replace(event, groups=list(names))
        case Steps():
            more = {
                f"{name}/{group}": Column.pack(ratio**group * event.values(name))
                for group in range(1, len(names))
                for name in ("applied_lr", "next_lr")
            }
            return msgspec.structs.replace(event, columns={**event.columns, **more})
    return event
