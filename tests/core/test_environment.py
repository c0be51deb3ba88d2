"""The environment that a race takes with it: what its code reads by name and what libraries need,
and no secret."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from lrtui.core.scenario import environment, scenario_file
from lrtui.core.scenario.spec import Race

READS = """
import os
from os import environ, getenv
from helper import rows
import deep.config
def late():
    if "BY_IN" in os.environ:
        return os.environ["BY_INDEX"], environ.get("BY_GET", "1"), getenv("BY_GETENV"), os.environ.pop("BY_POP", None)
class Task:
    def model(self): ...
    def dataset(self): ...
    def loss(self, model, batch): ...
"""


@pytest.fixture
def race(tmp_path: Path) -> Race:
    """A race of a task that reads variables, as do the files beside it that it imports."""
    (tmp_path / "task.py").write_text(READS)
    (tmp_path / "helper.py").write_text("import os\nimport task\nrows = os.environ['BY_HELPER']\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "config.py").write_text("from os import getenv\nX = getenv('BY_DEEP')\n")
    (tmp_path / "unused.py").write_text("import os\nX = os.environ['BY_NOBODY']\n")
    return scenario_file.parse(
        {"task": "task.py:Task", "steps": 3, "lane": [{"lr": 0.1}]}, source="test", folder=tmp_path
    )


def kept(race: Race, **variables: str) -> dict[str, str]:
    return environment.needed(race, variables, "/work")


@pytest.mark.parametrize(
    "name", ["BY_IN", "BY_INDEX", "BY_GET", "BY_GETENV", "BY_POP", "BY_HELPER", "BY_DEEP"]
)
def test_what_the_code_reads_by_name_is_recorded(race, name):
    assert kept(race, **{name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name", ["HF_HOME", "TORCH_HOME", "CUBLAS_WORKSPACE_CONFIG", "XDG_CACHE_HOME", "KERAS_BACKEND"]
)
def test_what_libraries_need_is_recorded(race, name):
    assert kept(race, **{name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name", ["BY_NOBODY", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SLURM_JOB_ID", "PATH", "HOME"]
)
def test_what_nobody_reads_and_what_the_machine_says_is_not(race, name):
    assert kept(race, **{name: "x"}) == {}


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "WANDB_API_KEY", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SLACK_WEBHOOK"]
)
def test_a_secret_is_not_recorded_though_the_code_reads_it(tmp_path, race, name):
    (tmp_path / "task.py").write_text(READS + f"\nX = os.environ['{name}']\n")
    assert kept(race, **{name: "x"}) == {}


@pytest.mark.parametrize(
    "value",
    [
        "postgres://me:pw@host/db",
        "hf_abcdef",
        "sk-123456",
        "-----BEGIN RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "a\x1b[31mb",
        "x" * 5000,
    ],
)
def test_nor_is_what_looks_like_one(race, value):
    assert kept(race, BY_GET=value) == {}
    assert kept(race, BY_GET="postgres://host/db") == {"BY_GET": "postgres://host/db"}


def test_relative_entries_of_the_path_of_modules_become_absolute(race):
    given, whole = (
        os.pathsep.join(["src", "/lib/x", ".."]),
        os.pathsep.join(["/work/src", "/lib/x", "/"]),
    )
    assert kept(race, PYTHONPATH=given) == {"PYTHONPATH": whole}


def test_a_bundled_race_needs_nothing():
    assert kept(scenario_file.load("linear"), HF_HOME="x", PYTHONPATH="y") == {}


def test_files_that_import_each_other_or_cannot_be_parsed_do_no_harm(tmp_path, race):
    (tmp_path / "helper.py").write_text("def f(:")
    assert kept(race, BY_GET="1", BY_HELPER="x") == {"BY_GET": "1"}


def test_the_folder_is_recorded_once_and_stays(race, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BY_GET", "first")
    begun = environment.recorded(race)
    assert (begun.folder, begun.environment["BY_GET"]) == (str(tmp_path), "first")
    monkeypatch.chdir("/")
    monkeypatch.setenv("BY_GET", "second")
    assert environment.recorded(msgspec.json.decode(msgspec.json.encode(begun), type=Race)) == begun


def test_a_race_of_an_older_version_has_neither(race):
    old = {
        key: value
        for key, value in msgspec.to_builtins(race).items()
        if key not in ("folder", "environment")
    }
    del old["task"]["found_in"]
    assert msgspec.convert(old, Race) == race


def test_a_deleted_working_directory_is_no_obstacle(race, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert environment.recorded(race).folder == ""
    monkeypatch.chdir(tmp_path)
