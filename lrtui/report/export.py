"""Exports of a run for other programs: steps, evaluations, measured steps and events of each lane,
and the race. Streamed.

A lane's steps, evaluations and measured steps are those of the final record: steps undone by a
rewind are in a file of their own. Events are all that were recorded, in the order of the record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute
from lrtui.core.protocol.events import (
    AnyEvent,
    Evaluated,
    LaneAdded,
    Logged,
    Measured,
    Sampled,
    Started,
    Steps,
    kind,
)
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.spec import Lane, letter
from lrtui.report.staging_dir import clear, staging
from lrtui.report.tables import Form, Table, sound
from lrtui.store.record_stream import LaneColumns, RecordedEvent, RecordStream

RACE = "race.json"
_OURS = re.compile(
    r"(?:[A-Z]+\d*-(?:steps|abandoned|evaluations|measured|logged|events)|run-events)\.(?:csv|jsonl)"
)
_EPOCH_COLUMNS = ("epoch", "step", "at", "train_loss")
_EVENT_COLUMNS = ("row", "at", "kind", "step", "text", "more")


class Written(NamedTuple):
    """Files and rows that an export has written."""

    folder: Path
    files: int
    bytes: int


def export(run: Path, folder: Path, form: Form, *, force: bool = False) -> Written:
    """Export a run's record into `folder`, which appears whole or not at all.

    A folder with content is refused, unless `force`: then its files of the same names are replaced
    one by one, those of an earlier export are removed, everything else stays. Into an empty folder
    that must stay (a mounted disk) files come one by one, too. Leftovers of an export that was
    killed are removed. Raises LrtuiError if it is refused or cannot be written.
    """
    folder = absolute(folder)
    place = Path(os.path.realpath(folder))  # a link to a folder stays one
    try:
        if place.exists() and not place.is_dir():
            raise LrtuiError(
                f"{folder}: is a file", "expected the name of a folder that is made, or is empty"
            )
        for where in (place, place.parent):
            clear(where, place.name, _ours)
        held = place.is_dir() and any(place.iterdir())
        if held and not force:
            raise LrtuiError(
                f"{folder}: the folder is not empty",
                "expected a new or empty folder; --force replaces its files",
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        stays = held or (
            place.exists() and (os.path.ismount(place) or not os.access(place.parent, os.W_OK))
        )
        with staging(place if stays else place.parent, place.name) as made:
            _write(run, made, form)
            sizes = [path.stat().st_size for path in made.iterdir()]
            if stays:
                _replace(made, place)
            else:
                made.chmod(0o777 & ~_umask())
                os.rename(made, place)  # an empty folder gives way
        return Written(folder, len(sizes), sum(sizes))
    except OSError as error:
        raise LrtuiError(
            f"{folder}: {error.strerror or error}", "expected a folder that can be written"
        ) from error


def _sign(lanes: Sequence[Lane], index: int) -> str:
    """The letter of a lane, also of one that a damaged record lacks."""
    return lanes[index].letter if index < len(lanes) else letter(index)


def _replace(made: Path, folder: Path) -> None:
    """Moves files into `folder`, and removes those that only an earlier export had; nothing where a
    folder is in the way."""
    names = {path.name for path in made.iterdir()}
    for name in sorted(names):
        if (folder / name).is_dir():
            raise LrtuiError(
                f"{folder / name}: is a folder",
                "expected to write a file of that name: move it out of the way",
            )
    for name in names:
        os.replace(made / name, folder / name)
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in names and not path.is_dir():
            path.unlink()


def _ours(name: str) -> bool:
    return name == RACE or _OURS.fullmatch(name) is not None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _write(run: Path, folder: Path, form: Form) -> None:
    record = RecordStream(run)
    try:
        files: dict[int, _LaneFiles] = {-1: _LaneFiles(folder, "run", LaneColumns(), form)}
        lanes = list(record.race.lanes)
        for index in range(len(lanes)):
            files[index] = _LaneFiles(
                folder, _sign(lanes, index), record.lane_columns.get(index, LaneColumns()), form
            )
        for recorded in record.events():
            event = recorded.event
            if isinstance(event, LaneAdded) and event.lane == len(lanes):
                lanes.append(event.child)
            if event.lane not in files:
                files[event.lane] = _LaneFiles(
                    folder,
                    _sign(lanes, event.lane),
                    record.lane_columns.get(event.lane, LaneColumns()),
                    form,
                )
            files[event.lane].take(recorded)
        for one in files.values():
            one.finish()
        about = _about(run, record, lanes, files)
        (folder / RACE).write_text(
            json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )
    finally:
        record.close()


class _LaneFiles:
    """The tables of one lane; each is made when its first row comes."""

    def __init__(self, folder: Path, sign: str, columns_of_lane: LaneColumns, form: Form) -> None:
        self._folder, self._sign, self._course, self._form = folder, sign, columns_of_lane, form
        self._metrics = _own_columns(columns_of_lane.metrics, _EPOCH_COLUMNS, "metrics")
        self._logged = _own_columns(columns_of_lane.logged, ("step",), "logged")
        self._held: Evaluated | None = None
        """Last epoch written: a process that resumed from a snapshot may report it again, and the
        later report counts."""
        self.groups: list[str] = []
        """Names of the lane's param groups, in the order of their columns."""
        self.tables: dict[str, Table] = {}

    def take(self, recorded: RecordedEvent) -> None:
        event = recorded.event
        self._table("events", _EVENT_COLUMNS).row(_event_row(recorded.row, event))
        if not recorded.counts:
            return
        match event:
            case Started():
                self.groups = event.groups
            case Steps():
                self._steps("steps", event, 0, min(max(recorded.cut - event.first, 0), event.count))
                self._steps(
                    "abandoned",
                    event,
                    min(max(recorded.cut - event.first, 0), event.count),
                    event.count,
                )
            case Measured():
                self._sparse(
                    "measured", event, {name: name for name in self._course.measured}, recorded.cut
                )
            case Logged():
                self._sparse("logged", event, self._logged, recorded.cut)
            case Evaluated() if event.step <= recorded.cut:
                held = self._held  # one at the same step comes again after a rewind
                if held is not None and (held.epoch, held.step) < (event.epoch, event.step):
                    self._evaluated(held)
                self._held = event

    def finish(self) -> None:
        if self._held is not None:
            self._evaluated(self._held)
        for table in self.tables.values():
            table.finish()

    def _table(self, name: str, columns: tuple[str, ...]) -> Table:
        if name not in self.tables:
            self.tables[name] = Table(
                self._folder / f"{self._sign}-{name}.{self._form}", columns, self._form
            )
        return self.tables[name]

    def _steps(self, name: str, event: Steps, start: int, stop: int) -> None:
        if start < stop:
            table = self._table(name, ("step", *self._course.columns))
            values = [
                event.values(column)[start:stop] if column in event.columns else None
                for column in self._course.columns
            ]
            table.numbers([range(event.first + start, event.first + stop), *values])

    def _sparse(
        self, name: str, event: Measured | Logged, columns: Mapping[str, str], cut: int
    ) -> None:
        """Values at some steps; `columns`: the table's column by the name of each."""
        kept = np.flatnonzero(np.array(event.steps) < cut)
        if len(kept):
            table = self._table(name, ("step", *columns.values()))
            values = [event.values(own)[kept] if own in event.columns else None for own in columns]
            table.numbers([[event.steps[place] for place in kept], *values])

    def _evaluated(self, event: Evaluated) -> None:
        table = self._table("evaluations", (*_EPOCH_COLUMNS, *self._metrics.values()))
        own = zip(_EPOCH_COLUMNS, (event.epoch, event.step, event.at, event.loss), strict=True)
        table.row(dict(own) | {self._metrics[name]: value for name, value in event.metrics.items()})


def _own_columns(names: Iterable[str], fixed: Iterable[str], prefix: str) -> dict[str, str]:
    """The column of each name beside the `fixed` ones: the name itself, but for one that is
    taken."""
    columns: dict[str, str] = {}
    taken = {*fixed}
    for name in names:
        column = name
        while column in taken:
            column = f"{prefix}.{column}"
        taken.add(column)
        columns[name] = column
    return columns


def _event_row(row: int, event: AnyEvent) -> dict[str, Any]:
    """An event as a row of words; the numbers of steps, which have files of their own, and pixels
    are only counted."""
    fields: dict[str, Any] = msgspec.structs.asdict(event)
    match event:
        case Steps():
            fields |= {"step": event.first, "columns": list(event.columns)}
        case Measured() | Logged():
            fields |= {
                "step": event.steps[0] if event.steps else None,
                "columns": list(event.columns),
            }
        case Sampled():
            fields["pixels"] = len(event.pixels)
    known = {
        "row": row,
        "kind": kind(event),
        **{name: fields.pop(name, None) for name in ("at", "step", "text")},
    }
    fields.pop("lane")
    return {**known, "more": sound(msgspec.to_builtins(fields))}


def _about(
    run: Path, record: RecordStream, lanes: list[Lane], files: Mapping[int, _LaneFiles]
) -> dict[str, Any]:
    """The race as it was asked for, what became of each lane, and which file holds what."""
    stand = {lane.index: lane for lane in record.lanes()}
    entries = []
    for index, lane in enumerate(lanes):
        known = stand.get(index)
        entries.append(
            {
                "letter": _sign(lanes, index),
                "lane": msgspec.to_builtins(lane),
                "parent": _sign(lanes, known.parent) if known and known.parent >= 0 else None,
                "first_step": known.forked_at if known else 0,
                "ended": known.end if known else None,
                "device": known.device if known else "",
                "intra_op_threads": known.threads if known else 0,
                "groups": files[index].groups if index in files else [],
                "files": (
                    {
                        name: {"file": table.path.name, "rows": table.rows}
                        for name, table in files[index].tables.items()
                    }
                    if index in files
                    else {}
                ),
            }
        )
    name = os.fsencode(run.name).decode("utf-8", "replace")
    # it is the machine's affair, and files are passed on
    race = msgspec.structs.replace(record.race, environment={})
    return {
        "run": name,
        "created": record.created,
        "lrtui": record.version,
        "race": sound(msgspec.to_builtins(race)),
        "scenario": scenario_text(record.race),
        "lanes": sound(entries),
    }
