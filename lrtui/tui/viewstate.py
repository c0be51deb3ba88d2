"""What a person last chose to see of a scenario's races: kept by the scenario's name, in one file in the state folder.

It is a convenience and no record: a file that cannot be read or written is said once and passed over.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import platformdirs

from lrtui.core.files import read_small, replace
from lrtui.tui.machinehistory import BASES
from lrtui.tui.view import CHARTS, RaceView

KEPT = ("stage", "quantity", "log", "x_kind", "x_log", "smoothing", "full_range", "order", "base")
"""The choices that go for the next race of a scenario as well; which lane, zoom, filter and crosshair are of one race."""
MOST = 200
"""Of so many scenarios, those looked at last."""


def path() -> Path:
    """Where the file is."""
    return Path(platformdirs.user_state_dir("lrtui")) / "views.json"


def restore(view: RaceView, scenario: str) -> str:
    """Gives a view what was kept for a scenario; what is wrong with the file in a line, '' where nothing is."""
    known, wrong = _read()
    for name, value in known.get(scenario, {}).items():
        if name in KEPT and (fit := _fitting(name, value)) is not None:
            setattr(view, name, fit)
    return wrong


def keep(view: RaceView, scenario: str) -> None:
    """Writes down what a view shows now; a disk that does not take it changes nothing."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(path().parent):
            known, _ = _read()
            known.pop(scenario, None)
            known[scenario] = chosen(view)
            for oldest in list(known)[:-MOST]:
                del known[oldest]
            replace(path(), json.dumps(known, indent=0), durable=False)
    except OSError:
        return


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within, no other viewer changes the file: a terminal that is closed may end several of them at one moment."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: the last one counts
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def chosen(view: RaceView) -> dict[str, Any]:
    """What is kept of a view."""
    found = {field.name: getattr(view, field.name) for field in fields(view) if field.name in KEPT}
    return found | {"stage": view.stage if view.stage in CHARTS else view.charts}  # who begins in a log is lost


def _fitting(name: str, value: Any) -> Any:
    """A value that the view can have, of its type and one of its words; None where this is none."""
    try:
        found = msgspec.convert(value, get_type_hints(RaceView)[name])
    except (KeyError, msgspec.ValidationError):
        return None
    if (name == "smoothing" and not 0 <= found < 1) or (name == "base" and not 0 <= found < len(BASES)) \
            or (name == "stage" and found not in CHARTS):
        return None
    return found


def _read() -> tuple[dict[str, dict[str, Any]], str]:
    """What is known by scenario, and what is wrong with the file."""
    try:
        return msgspec.json.decode(read_small(path()), type=dict[str, dict[str, Any]]), ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        return {}, f"{path()}: {getattr(error, 'strerror', None) or 'not what lrtui wrote'}: axes and layout begin as usual"
