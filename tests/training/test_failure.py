"""What is told of an error: one line for people, the traceback for whoever asks for it."""

from __future__ import annotations

import pytest
import torch
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader

from lrtui.core.errors import LrtuiError, SnapshotUnfit, TaskError
from lrtui.training.failure import failure, line, not_resumed


class Unprintable(Exception):
    """Cannot even say what it is."""

    def __str__(self):
        raise RuntimeError("no")


class Unreadable:
    """A data set whose samples cannot be read."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        raise KeyError(f"row {index}")


def raised(error, cause=None):
    try:
        raise error from cause
    except BaseException as caught:
        return caught


@pytest.mark.parametrize("made", [TaskError, SnapshotUnfit, LrtuiError])
def test_lrtuis_own_errors_are_sentences_without_class_names(made):
    error = raised(made("train.py: no such file", "expected a Python file"))
    alert, end = failure(0, 3, error)
    note, interrupted = not_resumed(0, 3, error)
    sentence = "train.py: no such file; expected a Python file"
    assert (alert.text, end.error, interrupted.error) == (sentence, sentence, sentence)
    assert note.text == f"the lane cannot be resumed: {sentence}"


def test_what_led_to_an_error_of_lrtuis_stands_before_it():
    end = failure(
        0, 3, raised(TaskError("it quit", "expected more"), raised(ValueError("the reason")))
    )[1]
    assert "ValueError: the reason" in end.error
    assert end.error.endswith("\nit quit; expected more")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no"), "ValueError: no (test_failure.py:"),
        (KeyError("rows"), "KeyError: 'rows' (test_failure.py:"),
        (AssertionError(), "AssertionError (test_failure.py:"),
        (Unprintable(), "Unprintable: its message cannot be made: RuntimeError (test_failure.py:"),
        (RuntimeError("x" * 1000), "RuntimeError: " + "x" * 300 + " (test_failure.py:"),
        (
            OSError(2, "No such file or directory", "rows.pt"),
            "FileNotFoundError: [Errno 2] No such file or directory: 'rows.pt' (",
        ),
    ],
)
def test_the_users_keep_their_class_and_say_where(error, said):
    assert line(raised(error)).startswith(said)


def test_the_first_cause_of_a_chain_is_told_last():
    middle = raised(RuntimeError("in between"), raised(FileNotFoundError("rows.pt")))
    told = line(raised(ValueError("at last"), middle))
    assert told.startswith("ValueError: at last (test_failure.py:")
    assert "; caused by FileNotFoundError: rows.pt (test_failure.py:" in told
    assert line(raised(ValueError("by lrtui"), raised(TaskError("not there", "look")))).endswith(
        "; caused by not there; look"
    )


def test_an_error_from_a_worker_is_the_one_that_the_data_set_raised():
    with pytest.raises(KeyError) as real:
        next(iter(DataLoader(Unreadable(), num_workers=1, multiprocessing_context="fork")))
    assert line(real.value) == "KeyError: 'row 0' (test_failure.py:28, in a DataLoader worker)"
    try:
        raise ValueError("of torch's own kind")
    except ValueError:
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(ValueError, match="Caught") as again:
        wrapped.reraise()
    assert line(again.value).startswith("ValueError: of torch's own kind (test_failure.py:")


def test_an_error_that_torch_raises_says_which_line_of_the_users_led_to_it():
    with pytest.raises(RuntimeError) as error:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert "mat1 and mat2 shapes" in line(error.value)
    assert "(test_failure.py:" in line(error.value)
