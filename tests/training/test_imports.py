"""Task files that are scripts, whose folders hold names of other modules, or that are parts of
packages: imported as Python does when it runs them, with what goes wrong told in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.scenario.spec import CodeRef
from lrtui.training.task import load_user_object

TASK = """

class Task:
    def model(self): return None
    def dataset(self): return [1]
    def loss(self, model, batch): return None
"""
FILES = {
    "scripts/argparse_defaults.py": (
        """
import argparse, sys
assert sys.argv == [__file__], sys.argv
parser = argparse.ArgumentParser()
parser.add_argument("--hidden", type=int, default=3)
args = parser.parse_args()
"""
    ),
    "scripts/argparse_required.py": (
        """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--data-root", required=True)
parser.parse_args()
"""
    ),
    "scripts/click_required.py": (
        """
import click
@click.command()
@click.option("--width", required=True)
def main(width): pass
main()
"""
    ),
    "scripts/says_why.py": "import sys\nsys.exit('no such split: train')\n",
    "scripts/prints_why.py": (
        "import sys\nprint('CUDA \\x1b[31mis\\x1b[0m required', file=sys.stderr)\nraise"
        " SystemExit(3)\n"
    ),
    "scripts/quits.py": "exit()\n",
    "scripts/trains.py": (
        "import sys\ndef main(): return 0\nif __name__ == '__main__': sys.exit(main())\n"
    ),
    "scripts/asks.py": "width = int(input('width? '))\n",
    "scripts/start_method.py": (
        """
import multiprocessing
multiprocessing.set_start_method("spawn")
assert multiprocessing.get_start_method() == "spawn"
"""
    ),
    "scripts/handlers.py": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
    "scripts/types_of_numbers.py": (
        """
import torch
weights = torch.zeros(3)
assert weights.dtype == torch.float32, weights.dtype
torch.set_default_dtype(torch.float64)
"""
    ),
    "scripts/threads.py": (
        "import torch\ntorch.set_num_threads(1)\ntorch.set_num_interop_threads(3)\n"
    ),
    "scripts/logs.py": (
        """
import logging, os, sys
logging.basicConfig(stream=sys.stderr)
logging.warning("hello")
print("50%|=====     |", end="\\r", file=sys.stderr)
os.chdir(os.sep)
"""
    ),
    "scripts/odd name.v2.py": (
        """
import dataclasses, pickle
@dataclasses.dataclass
class Row: x: int = 1
assert pickle.loads(pickle.dumps(Row())) == Row()
"""
    ),
    "scripts/parses_late.py": (
        """
import argparse
class Late:
    def __init__(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--depth", required=True)
        parser.parse_args()
"""
    ),
    "unused/types.py": "raise RuntimeError('imported')\n",
    "unused/random.py": "raise RuntimeError('imported')\n",
    "unused/torch.py": "raise RuntimeError('imported')\n",
    "unused/select.py": "raise RuntimeError('imported')\n",
    "unused/lrtui.py": "raise RuntimeError('imported')\n",
    "unused/task.py": "import torch, types, random, select\n",
    "own/test.py": "def evaluate(): return 1\n",
    "own/utils.py": "rows = 2\n",
    "own/late.py": "rows = 3\n",
    "own/code/__init__.py": "rows = 4\n",
    "own/task.py": (
        """
import sys
from test import evaluate
import code, utils
assert (evaluate(), utils.rows, code.rows) == (1, 2, 4)
class Late:
    def model(self):
        import late
        assert late.rows == 3
        standard = [at for at, entry in enumerate(sys.path) if entry.endswith("lib-dynload")]
        assert sys.path.index(__file__.rpartition("/")[0]) > standard[-1], sys.path
    dataset = loss = model
"""
    ),
    "hidden/random.py": "def pick(rows): return rows[0]\n",
    "hidden/task.py": "from random import pick\n",
    "hidden_attribute/queue.py": "def jobs(): return []\n",
    "hidden_attribute/task.py": "import queue\nqueue.jobs()\n",
    "hides/dbm.py": "",
    "hides/task.py": "import shelve\nshelve.open('rows')\n",
    "hides_package/click/__init__.py": "",
    "hides_package/task.py": "from click import echo\n",
    "left/helpers.py": "side = 'left'\n",
    "left/task.py": "import helpers\nside = helpers.side\n",
    "package/__init__.py": "",
    "package/consts.py": "rows = 3\n",
    "package/inner/__init__.py": "",
    "package/inner/near.py": "rows = 4\n",
    "package/inner/task.py": (
        """
from . import near
from ..consts import rows
import near as again
from package.inner.near import rows as whole
assert (near.rows, rows, again.rows, whole, __package__) == (4, 3, 4, 4, "package.inner")
"""
    ),
    "open/part/near.py": "rows = 5\n",
    "open/part/task.py": "from .near import rows\nassert rows == 5\n",
    "modules/mine.py": "import near_it\n",
    "modules/near_it.py": "",
    "modules/queue.py": "",
    "wrong/syntax.py": "def f(:\n",
    "wrong/late_error.py": "import json\njson.loads('[')\n",
    "wrong/chain.py": (
        "try:\n    {}['rows']\nexcept KeyError as error:\n    raise RuntimeError('cannot read')"
        " from error\n"
    ),
    "wrong/group.py": "raise ExceptionGroup('several', [ValueError('the first'), KeyError('x')])\n",
    "wrong/own.py": "class Mine(Exception): pass\nraise Mine('[bold]no')\n",
    "wrong/arguments.py": "class Needs:\n    def __init__(self, args): pass\n",
    "wrong/several_lines.py": (
        "raise RuntimeError('Error(s) in loading:\\n\\tsize mismatch for weight\\n\\tand more')\n"
    ),
}
MAY_BE_GUARDED = '`if __name__ == "__main__":`'


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, str]:
    """What became of each task, loaded twice in a process of its own; "" of those that were
    built."""
    folder = tmp_path_factory.mktemp("tasks")
    refs = {}
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + TASK)
        refs[name] = f"{path}:Task"
    refs["own/task.py"] = refs["own/task.py"].replace(":Task", ":Late")
    refs["scripts/parses_late.py"] = refs["scripts/parses_late.py"].replace(":Task", ":Late")
    refs["wrong/arguments.py"] = refs["wrong/arguments.py"].replace(":Task", ":Needs")
    refs["modules/mine.py"], refs["modules/queue.py"] = (
        f"{folder}/modules/mine:Task",
        f"{folder}/modules/queue:Task",
    )
    refs["modules/gone.py"], refs["left/gone.py"] = (
        f"{folder}/modules/gone:Task",
        f"{folder}/left/gone.py:Task",
    )
    # -P, as the processes of a race are started; its stdin is empty, as theirs is
    done = subprocess.run(
        [sys.executable, "-P", Path(__file__).with_name("load_all.py"), *refs.values()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder / "unused",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))
    return {name: found[ref].replace(str(folder), "") for name, ref in refs.items()}


def test_equally_named_files_of_other_folders_are_separate_modules(tmp_path):
    for side in ("left", "right"):
        (tmp_path / side / "parts").mkdir(parents=True)
        (tmp_path / side / "helpers.py").write_text("import parts.inner\nside = parts.inner.side\n")
        (tmp_path / side / "parts" / "inner.py").write_text(f"side = '{side}'\n")
        (tmp_path / side / "parts" / "__init__.py").write_text("")
        (tmp_path / side / "task.py").write_text("import helpers\nclass Row: side = helpers.side\n")
    refs = [
        CodeRef("file", str(tmp_path / side / "task.py"), "Row")
        for side in ("left", "right", "left")
    ]
    made = [load_user_object(ref) for ref in refs]
    assert [row.side for row in made] == ["left", "right", "left"]
    assert [sys.modules[row.__module__].__file__ for row in made] == [ref.target for ref in refs]
    assert made[0].__module__ != made[1].__module__


@pytest.mark.parametrize(
    "name",
    [
        "scripts/argparse_defaults.py",
        "scripts/trains.py",
        "scripts/start_method.py",
        "scripts/handlers.py",
        "scripts/logs.py",
        "scripts/threads.py",
        "scripts/types_of_numbers.py",
        "scripts/odd name.v2.py",
        "unused/task.py",
        "own/task.py",
        "left/task.py",
        "package/inner/task.py",
        "open/part/task.py",
        "modules/mine.py",
    ],
)
def test_it_is_built_as_the_script_would_be(said, name):
    assert said[name] == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "argparse_required",
            (
                "called sys.exit(2) (argparse_required.py:5): argparse_required.py: error: the"
                " following arguments are required: --data-root"
            ),
        ),
        (
            "click_required",
            "called sys.exit(2) (click_required.py:6): Error: Missing option '--width'",
        ),
        ("says_why", "called sys.exit() (says_why.py:2): no such split: train"),
        ("prints_why", "called sys.exit(3) (prints_why.py:3): CUDA is required"),
        ("quits", "called sys.exit() (quits.py:1)"),
        ("parses_late", "the following arguments are required: --depth"),
    ],
)
def test_what_it_printed_when_it_exited_is_told(said, name, words):
    assert words in said[f"scripts/{name}.py"]
    assert said[f"scripts/{name}.py"].startswith(f"{name}.py") or name == "parses_late"
    assert MAY_BE_GUARDED in said[f"scripts/{name}.py"]


def test_whoever_asks_for_input_gets_none(said):
    assert said["scripts/asks.py"] == "EOFError: EOF when reading a line (asks.py:1)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "hidden/task.py",
            (
                "random.py in /hidden is hidden by the standard library's random: rename it"
                " (ImportError: "
            ),
        ),
        (
            "hidden_attribute/task.py",
            (
                "queue.py in /hidden_attribute is hidden by the standard library's queue: rename it"
                " (Attr"
            ),
        ),
        ("hides/task.py", "dbm.py in /hides hides the standard library's dbm: rename it ("),
        (
            "hides_package/task.py",
            "click/ in /hides_package hides the installed package click: rename it (ImportError: ",
        ),
        ("modules/queue.py", "/modules/queue.py has the name of another module, "),
    ],
)
def test_the_file_that_has_another_modules_name_is_named(said, name, words):
    assert said[name].startswith(words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong/syntax.py", "SyntaxError: invalid syntax (syntax.py:1)"),
        (
            "wrong/late_error.py",
            "JSONDecodeError: Expecting value: line 1 column 2 (char 1) (late_error.py:2)",
        ),
        (
            "wrong/chain.py",
            "RuntimeError: cannot read (chain.py:4); caused by KeyError: 'rows' (chain.py:2)",
        ),
        ("wrong/group.py", "ValueError: the first"),
        ("wrong/own.py", "Mine: [bold]no (own.py:2)"),
        (
            "wrong/arguments.py",
            (
                "arguments.py:Needs cannot be built: Needs.__init__() missing 1 required positional"
                " argument: 'args'; expected a class built without arguments"
            ),
        ),
        (
            "wrong/several_lines.py",
            "RuntimeError: Error(s) in loading: size mismatch for weight (several_lines.py:1)",
        ),
        (
            "modules/gone.py",
            "gone: no such module in /modules; expected it where it was when the race was started",
        ),
        ("left/gone.py", "/left/gone.py: no such file; expected a Python file"),
    ],
)
def test_an_error_is_one_line_with_its_place_in_the_users_code(said, name, words):
    assert said[name] == words
