"""Waiting for a condition, with a ceiling that only a broken program meets.

No test sleeps, and none asserts how long something took: a busy machine keeps no time.
"""

import shutil
import threading
import time

import pytest

PATIENCE_S = 300.0
"""Ceiling of every wait, in seconds: ten times what the slowest takes beside eight busy loops."""

_pause = threading.Event()


def until(condition, what, seconds=PATIENCE_S):
    """Return the first true value of `condition()`; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain for {what}")
        _pause.wait(0.01)


def deleted(run):
    """Delete a run's folder while trainers go on writing into it: one pass may find a new file in a
    folder it has emptied."""
    until(
        lambda: shutil.rmtree(run, ignore_errors=True) or not run.exists(), "the end of the folder"
    )
