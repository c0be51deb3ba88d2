"""What is said of a process that was lost: real processes that die in every way, and the logs that
they leave."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from lrtui.training.exit_cause import LONGEST, end_of

BEGIN = (
    "import ctypes, faulthandler, os, signal, sys\nfaulthandler.enable(2, all_threads=False)\n"
    "print('epoch 1', file=sys.stderr)\n"
)
DEATHS = {
    "null pointer": (
        "def loss():\n    ctypes.string_at(0)\nloss()",
        "killed by SIGSEGV: Segmentation fault in loss (dies.py:5)",
    ),
    "abort": (
        "def step():\n    os.abort()\nstep()",
        "killed by SIGABRT: Aborted in step (dies.py:5)",
    ),
    "bus error": (
        "os.kill(os.getpid(), signal.SIGBUS)",
        "killed by SIGBUS: Bus error in <module> (dies.py:4)",
    ),
    "fatal error of the interpreter": (
        "faulthandler._fatal_error_c_thread()",
        "killed by SIGABRT: faulthandler_fatal_error_thread: in new thread in <module> (dies.py:4)",
    ),
    "no memory": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        "killed by SIGKILL: by another process, or by the system because memory ran out",
    ),
    "a signal without a word": ("os.kill(os.getpid(), signal.SIGHUP)", "killed by SIGHUP"),
    "exception": (
        "import json\njson.loads('{')",
        (
            "ended with exit code 1: json.decoder.JSONDecodeError: Expecting property name enclosed"
            " in double quotes: line 1 column 2 (char 1)"
        ),
    ),
    "chained exception": (
        "try:\n    {}['x']\nexcept KeyError as error:\n    raise OSError('no labels') from error",
        "ended with exit code 1: OSError: no labels",
    ),
    "exit": (
        "print('licence has run out')\nsys.stdout.flush()\nos._exit(3)",
        "ended with exit code 3: it printed last: licence has run out",
    ),
    "an exit long after an error that was caught": (
        (
            "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n   "
            " traceback.print_exc()\nfor step in range(9):\n    print('step', step,"
            " file=sys.stderr)\nos._exit(4)"
        ),
        "ended with exit code 4: it printed last: step 8",
    ),
    "escape codes": (
        "print('\\x1b[31mred\\x1b[0m alert\\x07', file=sys.stderr)\nos._exit(5)",
        "ended with exit code 5: it printed last: red alert",
    ),
}


@pytest.mark.parametrize("name", DEATHS)
def test_the_cause_that_the_log_names_is_told(tmp_path, name):
    text, said = DEATHS[name]
    (tmp_path / "dies.py").write_text(BEGIN + text)
    done = subprocess.run(
        [sys.executable, "dies.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert end_of(done.returncode, done.stdout) == said


def test_what_the_runtime_of_c_throws_is_told():
    log = (
        "step 5\nterminate called after throwing an instance of 'c10::Error'\n  what():  CUDA"
        " error: device-side assert triggered\nException raised from"
        " c10_cuda_check_implementation\n\nFatal Python error: Aborted\n\nCurrent thread 0x01:\n "
        ' File "/usr/lib/python3/x.py", line 3 in run\n'
    )
    assert (
        end_of(-signal.SIGABRT, log)
        == "killed by SIGABRT: CUDA error: device-side assert triggered"
    )
    bare = "terminate called after throwing an instance of 'std::bad_alloc'\n"
    assert end_of(-signal.SIGABRT, bare) == "killed by SIGABRT: std::bad_alloc"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "ended with exit code 0"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (-99, "killed by signal 99"),
    ],
)
def test_without_a_log_the_end_alone_is_told(code, said):
    assert end_of(code, "") == said


def test_it_stays_one_short_line():
    said = end_of(7, "x" * 10_000 + "\n\n")
    assert len(said) == len("ended with exit code 7: it printed last: ") + LONGEST
    assert "\n" not in end_of(
        1, 'Traceback (most recent call last):\n  File "a", line 1\nValueError: one\ntwo\nthree\n'
    )
