"""Imports only point down: no module of a layer loads more than it may, seen in an interpreter of
the layer's own."""

import json
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
CALLBACKS = {
    f"lrtui.integrations.{name}"
    for name in ("fastai", "huggingface", "keras", "lightgbm", "lightning", "xgboost")
}
"""Load a framework, which is not always there and loads what it likes."""
SCREEN = [
    "textual",
    "rich",
    "plotext",
    "click",
    "lrtui.tui",
    "lrtui.cli",
    "lrtui.plain",
    "lrtui.report",
]
TORCH = ["torch", "lrtui.training", "lrtui.integrations"]
ABOVE = {
    # what a layer must not load
    "lrtui.core": [*SCREEN, *TORCH, "lrtui.store", "lrtui.client", "sqlite3", "psutil"],
    "lrtui.store": [*SCREEN, *TORCH, "lrtui.client"],
    "lrtui.training": [*SCREEN, "lrtui.client", "lrtui.integrations"],
    "lrtui.integrations": [*SCREEN, "lrtui.client"],
    "lrtui.tui": [*TORCH, "plotext", "lrtui.cli", "lrtui.plain", "lrtui.report"],
    "lrtui.plain": [*TORCH, "textual", "click", "lrtui.tui", "lrtui.cli"],
    "lrtui.report": [*TORCH, "textual", "click", "lrtui.tui", "lrtui.cli", "lrtui.plain"],
    "lrtui.client": [*SCREEN, *TORCH],
    "lrtui.manual": [
        *SCREEN,
        *TORCH,
        "lrtui.core",
        "lrtui.store",
        "lrtui.client",
        "lrtui.terminal",
    ],
    "lrtui.terminal": [*SCREEN, *TORCH, "lrtui.client"],
    "lrtui": TORCH,
}


def layer(module):
    """The longest name above that the module lies in."""
    return max((name for name in ABOVE if module == name or module.startswith(name + ".")), key=len)


def loaded_by(*modules):
    """The names in sys.modules after each of the modules was imported in turn, in one interpreter
    of their own.

    `python -m lrtui.training` is what __main__ is for: importing it must do nothing.
    """
    code = f"""
import importlib, json, sys
for module in {modules!r}:
    importlib.import_module(module)
    print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(zip(modules, map(json.loads, done.stdout.splitlines()), strict=True))


def test_all_modules_are_found():
    assert {
        "lrtui",
        "lrtui.core.scenario.spec",
        "lrtui.store.reader",
        "lrtui.training.loop",
        *CALLBACKS,
    } <= set(MODULES)


@pytest.mark.parametrize("name", ABOVE)
def test_no_module_of_a_layer_loads_anything_from_above_it(name):
    modules = [module for module in MODULES if layer(module) == name and module not in CALLBACKS]
    for module, loaded in loaded_by(*modules).items():
        bad = [
            one
            for one in loaded
            if any(one == above or one.startswith(above + ".") for above in ABOVE[name])
        ]
        assert bad == [], module


@pytest.mark.parametrize(
    "module", ["lrtui.training.supervisor_main", "lrtui.integrations.supervisor.supervisor"]
)
def test_the_supervisor_itself_needs_no_torch(module):
    """Only the forkserver and scripts load it: the supervisor answers at once and stays small."""
    assert "torch" not in loaded_by(module)[module]
