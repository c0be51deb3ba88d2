"""What a person last chose to see of a scenario's races: kept by the scenario's name, in one file
in the state folder.

It is a convenience and no record: a file that cannot be read or written is said once and passed
over.
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
    "order": "order",
    "base": "time_base",
}
"""Stored key to field of `RaceView`: the choices that the next race of a scenario starts with.
Selected lane, zoom, filter and crosshair belong to one race and are not stored."""
MOST = 200
"""Of so many scenarios, those looked at last."""


def path() -> Path:
    """Where the file is."""
    return Path(platformdirs.user_state_dir("lrtui")) / "views.json"


def restore(view: RaceView, scenario: str) -> str:
    """Gives a view what was kept for a scenario; what is wrong with the file in a line, '' where
    nothing is."""
    known, wrong = _read()
    for name, value in known.get(scenario, {}).items():
        if name in STORED and (fit := _fitting(STORED[name], value)) is not None:
            setattr(view, STORED[name], fit)
    return wrong


def keep(view: RaceView, scenario: str) -> None:
    """Writes down what a view shows now; a disk that does not take it changes nothing."""
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
    """Within, no other viewer changes the file: a terminal that is closed may end several of them
    at one moment."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: the last one counts
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stored(view: RaceView) -> dict[str, Any]:
    """What is kept of a view."""
    found = {name: getattr(view, field) for name, field in STORED.items()}
    # who begins in a log is lost
    return found | {"stage": view.panel if view.panel in CHART_PANELS else view.charts}


def _fitting(name: str, value: Any) -> Any:
    """A value that the view can have, of its type and one of its words; None where this is none."""
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
    """What is known by scenario, and what is wrong with the file."""
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
