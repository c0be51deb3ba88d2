"""Stores the last view of each scenario, in one file in the state folder.

A convenience, not a record: an unreadable file is reported once and ignored, a failed write is
ignored.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import platformdirs

from lrtui.core.files import read_small, replace
from lrtui.tui.machine_history import BASES
from lrtui.tui.view import CHART_PANELS, RaceView

STORED = {
    "stage": "panel",
    "quantity": "quantity",
    "log": "y_log",
    "x_kind": "x_kind",
    "x_log": "x_log",
    "smoothing": "smoothing",
    "full_range": "full_range",
    "group": "group",
    "base": "time_base",
}
"""Stored key to field of `RaceView`: the choices that the next race of a scenario starts with.
Selected lane, zoom, filter, crosshair and the order of the standings belong to one race and are not
stored: a race says itself what it ranks by."""
MOST = 200
"""Scenarios to store: those viewed last."""


def path() -> Path:
    """The path of the file."""
    return Path(platformdirs.user_state_dir("lrtui")) / "views.json"


class StoredView:
    """A view that begins as it was stored for its scenario, and is stored when it has changed."""

    def __init__(self, view: RaceView, scenario: str) -> None:
        self._view = view
        self._scenario = scenario
        self.trouble = restore(view, scenario)
        """The problem with the file, in a line; '' if there is none."""
        self._stored = stored(view)

    def save(self) -> None:
        """Store the view if its choices have changed."""
        if (now := stored(self._view)) != self._stored:
            self._stored = now
            keep(self._view, self._scenario)


def restore(view: RaceView, scenario: str) -> str:
    """Apply the stored choices of a scenario; return the problem with the file, '' if none."""
    known, wrong = _read()
    for name, value in known.get(scenario, {}).items():
        if name in STORED and (fit := _fitting(STORED[name], value)) is not None:
            setattr(view, STORED[name], fit)
    return wrong


def keep(view: RaceView, scenario: str) -> None:
    """Store the choices of a view; ignore a disk error."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(path().parent):
            known, _ = _read()
            known.pop(scenario, None)
            known[scenario] = stored(view)
            for oldest in list(known)[:-MOST]:
                del known[oldest]
            replace(path(), json.dumps(known, indent=0), durable=False)
    except OSError:
        return


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the file against other viewers: closing a terminal may end several at one moment."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: the last write wins
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stored(view: RaceView) -> dict[str, Any]:
    """The choices of a view to store."""
    found = {name: getattr(view, field) for name, field in STORED.items()}
    # a new race begins with charts, not with a log
    return found | {"stage": view.panel if view.panel in CHART_PANELS else view.charts}


def _fitting(name: str, value: Any) -> Any:
    """A stored value converted to its field's type; None if invalid."""
    try:
        found = msgspec.convert(value, get_type_hints(RaceView)[name])
    except (KeyError, msgspec.ValidationError):
        return None
    if (
        (name == "smoothing" and not 0 <= found < 1)
        or (name == "time_base" and not 0 <= found < len(BASES))
        or (name == "panel" and found not in CHART_PANELS)
    ):
        return None
    return found


def _read() -> tuple[dict[str, dict[str, Any]], str]:
    """(choices by scenario, the problem with the file or '')."""
    try:
        return msgspec.json.decode(read_small(path()), type=dict[str, dict[str, Any]]), ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        return (
            {},
            (
                f"{path()}: {getattr(error, 'strerror', None) or 'not what lrtui wrote'}: axes and"
                " layout begin as usual"
            ),
        )
