"""Imports only point down: each module, in an interpreter of its own, loads what it may and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

import lrtui

PACKAGE = Path(lrtui.__file__).parent
MODULES = sorted(
    ".".join(["lrtui", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)
SCREEN = ["textual", "rich", "plotext", "click", "lrtui.tui", "lrtui.cli", "lrtui.plain", "lrtui.report"]
TORCH = ["torch", "lrtui.training"]
ABOVE = {
    # what a layer must not load
    "lrtui.core": [*SCREEN, *TORCH, "lrtui.store", "lrtui.launch", "lrtui.follow", "sqlite3", "psutil"],
    "lrtui.store": [*SCREEN, *TORCH, "lrtui.launch", "lrtui.follow"],
    "lrtui.training": [*SCREEN, "lrtui.launch", "lrtui.follow"],
    "lrtui.tui": [*TORCH, "plotext", "lrtui.cli", "lrtui.plain", "lrtui.report"],
    "lrtui.plain": [*TORCH, "textual", "click", "lrtui.tui", "lrtui.cli"],
    "lrtui.report": [*TORCH, "textual", "click", "lrtui.tui", "lrtui.cli", "lrtui.plain"],
    "lrtui.follow": [*SCREEN, *TORCH, "lrtui.launch"],
    "lrtui.launch": [*SCREEN, *TORCH, "lrtui.follow"],
    "lrtui.settings": [*SCREEN, *TORCH, "lrtui.launch", "lrtui.follow"],
    "lrtui.manual": [*SCREEN, *TORCH, "lrtui.core", "lrtui.store", "lrtui.launch", "lrtui.follow"],
    "lrtui.palette": [*SCREEN, *TORCH, "lrtui.launch", "lrtui.follow"],
    "lrtui": TORCH,
}


def layer(module):
    """The longest name above that the module lies in."""
    return max((name for name in ABOVE if module == name or module.startswith(name + ".")), key=len)


def loaded_by(module):
    # `python -m lrtui.training` is what __main__ is for: importing it must do nothing.
    code = f"import sys, importlib; importlib.import_module({module!r}); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_all_modules_are_found():
    assert {"lrtui", "lrtui.core.spec", "lrtui.store.reader", "lrtui.training.loop", "lrtui.launch"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_loads_nothing_from_above_it(module):
    forbidden = ABOVE[layer(module)]
    assert [name for name in loaded_by(module) if any(name == bad or name.startswith(bad + ".") for bad in forbidden)] == []


def test_the_crew_itself_needs_no_torch():
    """Only the forkserver loads it: the crew answers at once and stays small."""
    assert "torch" not in loaded_by("lrtui.training.crew")


@pytest.mark.parametrize(
    ("name", "needs_torch"), [("Race", False), ("Lane", False), ("OptimizerSpec", False), ("Task", True), ("batch_order", True)]
)
def test_public_names_cost_torch_only_where_they_need_it(name, needs_torch):
    code = f"import sys, lrtui; lrtui.{name}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == str(
        needs_torch
    )


def test_every_public_name_is_there_and_no_other():
    assert all(getattr(lrtui, name) for name in lrtui.__all__)
    assert lrtui._HOMES.keys() == set(lrtui.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        lrtui.nonsense  # noqa: B018
