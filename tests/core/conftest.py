"""Fixtures of several test files of this folder."""

import pytest

from support.scenarios import TASK


@pytest.fixture
def folder(tmp_path):
    """A folder with a task file, and three that cannot be read as Python."""
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "broken.py").write_text("class Mine(:\n")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.py").mkdir()
    return tmp_path
