"""What the tests of all frameworks have in common."""

import pytest


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of this test's runs."""
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"
