"""Commands of `lrtui` in processes of their own, and what they print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

LRTUI = [sys.executable, "-m", "lrtui"]


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """JSON Lines; anything else on stdout fails."""
        return [json.loads(line, parse_constant=pytest.fail) for line in self.out.splitlines()]


def race(*args: str, runs: Path, **keys: Any) -> Said:
    """Runs `lrtui race` as another process."""
    done = subprocess.run(
        [*LRTUI, "race", "--runs", str(runs), *args],
        capture_output=True,
        text=True,
        check=False,
        **keys,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def curves(lines: list[dict[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """Each lane's columns, whole: how they are cut into blocks says nothing."""
    found: dict[tuple[str, str], list[Any]] = {}
    for line in lines:
        if line["event"] == "steps":
            for name in ("loss", "applied_lr", "next_lr"):
                column = found.setdefault((line["lane"], name), [])
                assert line["first"] == len(column)
                column.extend(line[name])
    return found


def rest(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything but the steps."""
    return [line for line in lines if line["event"] != "steps"]


def run_lrtui(args: list[str]) -> tuple[int, str, str]:
    done = subprocess.run([*LRTUI, *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
