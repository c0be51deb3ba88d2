"""The one place where tests wait: for a condition, by looking again, with a deadline that only a
broken program meets."""

import shutil
import threading
import time

import pytest

_nobody = threading.Event()


def until(condition, what, seconds=120.0):
    """Looks until `condition()` is true and returns what it gave; fails with `what` after
    `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain for {what}")
        _nobody.wait(0.01)


def deleted(run):
    """Delete a run's folder while trainers go on writing into it: one pass may find a new file in a
    folder it has emptied."""
    until(
        lambda: shutil.rmtree(run, ignore_errors=True) or not run.exists(), "the end of the folder"
    )
