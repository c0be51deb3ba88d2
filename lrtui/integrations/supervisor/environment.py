"""Environment of each lane of a script race, and the GPUs dealt to it; whether its command can be
started. Knows no process."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line

RUN, LANE, SEED, PATH = "LRTUI_RUN", "LRTUI_LANE", "LRTUI_SEED", "LRTUI_PATH"
"""Variables that tell a script's process its run, by absolute path; the index of its lane; the
lane's seed, if there is one; and the folders of lrtui and its packages, for a script that has an
interpreter of its own."""
PACKAGES = ("lrtui", "msgspec", "psutil", "platformdirs", "numpy")
INJECT = str(Path(__file__).parents[1] / "inject")
"""Folder of the sitecustomize.py that hooks torch in a script's processes."""
SEEDS = 2**32
"""Python's hash seed is below."""


class Places:
    """The places where lanes run at a time: their number, and the GPUs and cores of each."""

    def __init__(self, at_once: int, gpus: list[str], cores: int) -> None:
        """`at_once`: as in Script. `gpus`: names of the visible GPUs, as in
        CUDA_VISIBLE_DEVICES."""
        self._given = at_once
        self._gpus = gpus
        self._cores = cores
        self.limit = at_once or len(gpus) or cores
        """Most lanes that run at a time."""

    def threads(self, lanes: int) -> int | None:
        """Cores of each lane of a race of `lanes` lanes; None for a lane that runs alone."""
        together = min(self.limit, lanes)
        return max(1, self._cores // together) if together > 1 else None

    def gpus(self, place: int, lanes: int) -> list[str] | None:
        """GPUs of a lane at `place` (below `limit`) of a race of `lanes` lanes; None for a lane
        that runs alone: it sees all. By default each lane has one; a number of lanes that was
        asked for shares all of them out."""
        together = min(self.limit, lanes)
        if together == 1 or not self._gpus:
            return None
        step = together if self._given else len(self._gpus)
        return self._gpus[place::step] or [self._gpus[place % len(self._gpus)]]


def lane_environment(
    run: Path, race: Race, index: int, places: Places, place: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a lane's script: `inherited`, what lrtui adds, and the script's own."""
    assert race.script is not None
    unless_set, added = {"PYTHONUNBUFFERED": "1"}, {**marks(run, index), PATH: _packages()}
    if race.script.seeded:
        seed = race.of_lane(index).seed
        unless_set["PYTHONHASHSEED"] = str(seed % SEEDS)
        added[SEED] = str(seed)
    if threads := places.threads(len(race.lanes)):
        unless_set["OMP_NUM_THREADS"] = str(threads)
    if gpus := places.gpus(place, len(race.lanes)):
        added["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    inherited = {name: value for name, value in inherited.items() if name not in (RUN, LANE, SEED)}
    own = race.script.env_of(race.lanes[index])
    path = own.pop("PYTHONPATH", inherited.get("PYTHONPATH"))
    added["PYTHONPATH"] = f"{INJECT}{os.pathsep}{path}" if path else INJECT
    return {**unless_set, **inherited, **added, **own}


def added_variables(
    run: Path, race: Race, places: Places, inherited: Mapping[str, str]
) -> list[dict[str, str]]:
    """The variables of each lane's script that are not `inherited` as they are; lanes beyond the
    first places have those of the lane whose place they take."""
    return [
        {
            name: value
            for name, value in lane_environment(
                run, race, index, places, index % places.limit, inherited
            ).items()
            if inherited.get(name) != value
        }
        for index in range(len(race.lanes))
    ]


def marks(run: Path, index: int) -> dict[str, str]:
    """The variables that all processes of a lane's script have, and no other process."""
    return {RUN: str(run.absolute()), LANE: str(index)}


def _packages() -> str:
    found = [importlib.util.find_spec(name) for name in PACKAGES]
    folders = [str(Path(one.origin).parents[1]) for one in found if one and one.origin]
    return os.pathsep.join(dict.fromkeys(folders))


def check(race: Race) -> None:
    """ScenarioError if the command of a lane cannot be started: a folder, file, module or program
    that is not there."""
    assert race.script is not None
    if race.folder and not os.path.isdir(race.folder):
        raise ScenarioError(f"{race.folder}: no such folder", "expected a folder to run it in")
    for lane in race.lanes:
        program, *arguments = race.script.command_of(lane)
        _check_program(program, race)
        if program == sys.executable:
            _check_python(arguments, race)


def _check_program(program: str, race: Race) -> None:
    assert race.script is not None
    shown = one_line(program)
    if os.sep not in program:
        path = race.script.env.get("PATH", os.environ.get("PATH"))
        if shutil.which(program, path=path) is None:
            raise ScenarioError(f"{shown}: not found on PATH", "expected a program, or a .py file")
        return
    place = os.path.join(race.folder, program)
    if not os.path.isfile(place):
        raise ScenarioError(f"{shown}: no such file", "expected a program, or a .py file")
    if not os.access(place, os.X_OK):
        raise ScenarioError(f"{shown}: not executable", f"expected a program: chmod +x {shown}")


def _check_python(arguments: list[str], race: Race) -> None:
    """The file or the module that the interpreter is to run."""
    match arguments:
        case ["-m", module, *_]:
            top = module.partition(".")[0]
            path = [race.folder or os.curdir, *_python_path(race), *sys.path]
            if not _found(top, path):
                raise ScenarioError(
                    f"{one_line(module)}: no such module",
                    f"expected one that Python finds from {race.folder or 'here'}",
                )
        case [file, *_] if not file.startswith("-"):
            place = os.path.join(race.folder, file)
            if not os.path.exists(place):
                raise ScenarioError(f"{one_line(file)}: no such file", "expected a Python script")
            if not os.access(place, os.R_OK):
                raise ScenarioError(f"{one_line(file)}: cannot be read", "expected a Python script")


def _python_path(race: Race) -> list[str]:
    assert race.script is not None
    path = race.script.env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return [os.path.join(race.folder, part) for part in path.split(os.pathsep) if part]


def _found(module: str, path: list[str]) -> bool:
    """True if Python finds a top-level module in `path`, or in its own way, such as a package that
    is installed as a link to its sources."""
    if importlib.machinery.PathFinder.find_spec(module, path) is not None:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """Names of the GPUs that a process may use, as in CUDA_VISIBLE_DEVICES; [] without any."""
    count = _gpus()
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if not count or chosen is None:
        return [str(number) for number in range(count)]
    names = [name.strip() for name in chosen.split(",")]
    # CUDA ignores what follows an invalid name
    return names[: next((at for at, name in enumerate(names) if name in ("", "-1")), len(names))]


def _gpus() -> int:
    """GPUs of this machine; NVML needs no CUDA context."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except Exception:  # NVML raises its own errors for every way of not being there
        return 0
