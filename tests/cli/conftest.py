"""A working folder, and `lrtui` in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtui.cli import main
from support.command import Said
from support.fake_run import make_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and a runs folder that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def lrtui(here: Path, capfd: pytest.CaptureFixture[str]):
    """Runs a command in this process (whose trainers, if any, are others)."""

    def run(*args: str) -> Said:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(args))
        out, err = capfd.readouterr()
        return Said(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def recorded_fake(tmp_path):
    return make_run(tmp_path, ("steady", "explodes") * 8)
