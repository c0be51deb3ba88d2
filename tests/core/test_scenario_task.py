"""The task of a scenario: bundled, a class in a file, or one in a module."""

import sys

import pytest

from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import TaskRef
from support.scenarios import assert_refused, load_scenario, write_scenario

INVALID = {
    # problem: text of the file, and parts of the message
    "task is a number": ("task = 3\nsteps = 3\n[[lane]]\n", ["task: 3 is not a string"]),
    "unknown bundled task": (
        'task = "linear-toi"\nsteps = 3\n[[lane]]\n',
        ["task", "linear-toi", 'did you mean "linear-toy"?'],
    ),
    "empty task": ('task = ""\nsteps = 3\n[[lane]]\n', ["task", "unknown task"]),
    "file without that class": (
        'task = "task.py:Mein"\nsteps = 3\n[[lane]]\n',
        ['task.py has no "Mein"', 'did you mean "Mine"?', "Other"],
    ),
    "missing file": (
        'task = "nowhere.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "nowhere.py: No such file"],
    ),
    "folder for a file": (
        'task = "folder.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "folder.py: Is a directory"],
    ),
    "file that is no Python": (
        'task = "broken.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "broken.py: line 1"],
    ),
    "file that is no text": (
        'task = "binary.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "binary.py"],
    ),
    "class with no name": ('task = "task.py:"\nsteps = 3\n[[lane]]\n', ["task", "names no class"]),
    "class that cannot be a name": (
        'task = "task.py:a b"\nsteps = 3\n[[lane]]\n',
        ["task", "names no class"],
    ),
    "missing module": (
        'task = "no.such.module:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", 'no module "no.such.module"'],
    ),
    "module without that class": (
        'task = "json.decoder:JSONDecode"\nsteps = 3\n[[lane]]\n',
        ["task", 'did you mean "JSONDecoder"?'],
    ),
    "module that is no Python": (
        'task = "_struct:Struct"\nsteps = 3\n[[lane]]\n',
        ["task", "_struct"],
    ),
    "nobody's home": ('task = "~nobody-by-that-name/x.py:Mine"\nsteps = 3\n[[lane]]\n', ["task"]),
    "a NUL in a path": ('task = "x\\u0000.py:Mine"\nsteps = 3\n[[lane]]\n', ["task"]),
    "a path without end": (f'task = "{"x" * 5000}.py:Mine"\nsteps = 3\n[[lane]]\n', ["task"]),
}


@pytest.mark.parametrize(("text", "words"), INVALID.values(), ids=INVALID)
def test_invalid_task_is_refused_with_file_key_and_expectation(text, words, folder):
    assert_refused(folder, text, words)


def test_task_file_path_is_relative_to_the_scenario(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert load_scenario(folder, 'task = "task.py:Other"\nsteps = 1\n[[lane]]\n').task == TaskRef(
        "file", str(folder / "task.py"), "Other"
    )
    (folder / "deeper").mkdir()
    path = write_scenario(folder / "deeper", 'task = "../task.py:Other"\nsteps = 1\n[[lane]]\n')
    assert scenario_file.load(str(path)).task == TaskRef("file", str(folder / "task.py"), "Other")
    path.write_text(f'task = "{folder}/task.py:Mine"\nsteps = 1\n[[lane]]\n')
    assert scenario_file.load(str(path)).task == TaskRef("file", str(folder / "task.py"), "Mine")


def test_module_task_is_found_in_the_working_folder_without_running_it(folder, monkeypatch):
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("raise SystemExit('run')\n")
    (folder / "pack" / "mod.py").write_text("raise SystemExit('run')\nclass Mine: ...\n")
    monkeypatch.chdir(folder)
    assert load_scenario(folder, 'task = "pack.mod:Mine"\nsteps = 1\n[[lane]]\n').task == TaskRef(
        "module", "pack.mod", "Mine", str(folder)
    )
    assert "pack" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "from other import Mine\n",
        "import other as Mine\n",
        "Mine = object\n",
        "if True:\n    class Mine: ...\n",
        "def Mine(): ...\n",
        "from other import *\n",
        "Mine: type = int\n",
        "async def f(): ...\n(Mine := 3)\n",
    ],
)
def test_task_name_may_be_bound_by_any_statement(source, folder):
    (folder / "other_ways.py").write_text(source)
    assert (
        load_scenario(folder, 'task = "other_ways.py:Mine"\nsteps = 1\n[[lane]]\n').task.name
        == "Mine"
    )
