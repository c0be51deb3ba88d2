"""The state of objects at one moment: compared with the present one, and restored exactly."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import torch

from lrtui.training.state_kinds import ABSENT, ATOMS, DICT, GENERATOR, Kind, alike


class Record(NamedTuple):
    """One object, its content when saved, and its place: index of its parent's name, and label."""

    thing: Any
    kind: Kind
    content: Any
    parent: int
    label: str


class RestoreResult(NamedTuple):
    """Names of objects that had changed, and of those that could not be restored."""

    changed: list[str]
    failed: list[str]


class SavedState:
    """Everything that was reachable at one moment."""

    def __init__(
        self, records: list[Record], names: list[tuple[int, str]], fixed: list[int]
    ) -> None:
        self.records = records
        self._names, self._fixed = names, fixed

    @property
    def fixed(self) -> list[str]:
        """Names of objects whose state cannot be restored, such as an iterator's position."""
        return [self._name(parent) for parent in self._fixed]

    def changed(self) -> list[Record]:
        """The records whose objects differ from their saved content."""
        return [
            record for record in self.records if not record.kind.same(record.thing, record.content)
        ]

    def restore(
        self, *, keep: frozenset[int] = frozenset(), unnamed: frozenset[int] = frozenset()
    ) -> RestoreResult:
        """Restores every object except those whose id is in `keep`. Random generators, which are
        expected to move, and ids in `unnamed` are restored without being named."""
        result = RestoreResult([], [])
        for record in self.changed():
            if id(record.thing) in keep:
                continue
            name = self.name(record)
            if record.kind is not GENERATOR and id(record.thing) not in unnamed:
                result.changed.append(name)
            try:
                with torch.no_grad():
                    record.kind.put(record.thing, record.content)
            except Exception:  # a user's class may raise anything
                result.failed.append(name)
                continue
            if not record.kind.same(record.thing, record.content):
                result.failed.append(name)
        return result

    def name(self, record: Record) -> str:
        """The path to the object, such as `task.critic.weight`; for an instance the paths of its
        attributes that differ."""
        if record.kind is not DICT:
            return self._name(record.parent) + record.label
        before = dict(
            zip(map(_word, record.content), (value for _, value in record.content), strict=True)
        )
        now = dict(zip(map(_word, record.thing.items()), record.thing.values(), strict=True))
        differ = [
            key
            for key in {**before, **now}
            if not alike(now.get(key, ABSENT), before.get(key, ABSENT))
        ]
        path = self._name(record.parent)
        return (
            " and ".join(
                f"{path}.{key}" if record.label else _plainer(f"{path}[{key!r}]")
                for key in differ[:3]
            )
            or path
        )

    def _name(self, index: int) -> str:
        parts: list[str] = []
        while index >= 0:
            index, label = self._names[index]
            parts.append(label)
        return _plainer("".join(reversed(parts)))


def _word(item: tuple[Any, Any]) -> Any:
    """A dict's key as it appears in a path."""
    return item[0] if type(item[0]) in ATOMS else type(item[0]).__name__


def _plainer(path: str) -> str:
    """`model.0.weight` for what a module keeps as `model._modules['0']._parameters['weight']`."""
    return re.sub(r"\._(?:parameters|buffers|modules)\[['\"](.*?)['\"]\]", r".\1", path)
