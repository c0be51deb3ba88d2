"""Fixtures of the tests that train."""

import os
import signal

import psutil
import pytest
import torch

from lrtui.store.run_dir import DATABASE
from support.supervised import pids


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def _nobody_stays(tmp_path):
    """Whatever a test leaves running, a failed one above all, ends with it."""
    yield
    for database in tmp_path.rglob(DATABASE):
        for pid in pids(database.parent, "%"):
            try:
                if "lrtui" in " ".join(psutil.Process(pid).cmdline()):
                    os.kill(pid, signal.SIGKILL)
            except (psutil.Error, ProcessLookupError):
                pass
