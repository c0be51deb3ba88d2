"""What dataset() may give, and what is said where it gives something else."""

import types
from collections import UserDict

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, random_split

from lrtui.core.errors import TaskError
from lrtui.core.protocol.events import LogMessage, Started
from lrtui.training.batch import batch_length, to_device
from lrtui.training.datasets import datasets
from support.training import column, other_race

from .breaks import breaks, unequal, whole
from .plain import plain_loop
from .tasks_of_other_data import FourApart, Noisy, Point, Row, Shared, SizedShared, table

X, Y = table(12)
ROWS = TensorDataset(X, Y)
SAMPLES = [(x, y) for x, y in zip(X, Y, strict=True)]


def given(made):
    return datasets(types.SimpleNamespace(dataset=lambda: made))


class Lengthless(Dataset):
    def __getitem__(self, index):
        return X[index]


class Frame:
    """As pandas' DataFrame: indexed by its columns."""

    iloc = None

    def __getitem__(self, name):
        raise KeyError(name)

    def __len__(self):
        return 12


class NoMapping(UserDict):
    """A dict of splits that is no dict."""


@pytest.mark.parametrize(
    ("made", "validated"),
    [
        (ROWS, False),
        ((ROWS, ROWS), True),
        ([ROWS, None], False),
        ((ROWS,), False),
        (SAMPLES, False),
        ((SAMPLES, SAMPLES[:3]), True),
        (DataLoader(ROWS), False),
        ((DataLoader(ROWS), ROWS), True),
        ((Shared(), DataLoader(ROWS)), True),
        (SizedShared(), False),
        (X, False),
        (X.numpy(), False),
        ((X, X[:4]), True),
        (range(12), False),
        (SAMPLES[:2], False),
        ([{"x": 1}, {"x": 2}], False),
        (((X, Y), (X[:3], Y[:3])), True),
        ({"train": ROWS, "validation": ROWS}, True),
        ({"train": (X, Y), "val": (X, Y)}, True),
        (NoMapping(train=ROWS, test=ROWS), True),
        ((ROWS, []), False),
        ({"train": Noisy()}, False),
        (list(X), False),
    ],
)
def test_is_taken_as_it_is_meant(made, validated):
    found = given(made)
    assert (found.validation is not None) == validated
    assert found.notes == ()
    if not isinstance(found.training, IterableDataset):
        assert len(found.training) in (2, 12, 48)


@pytest.mark.parametrize(
    ("made", "unused"),
    [
        (random_split(ROWS, [6, 3, 3]), "number 3 is"),
        ((ROWS, ROWS, ROWS, ROWS), "number 3, number 4 is"),
        ((SAMPLES, SAMPLES, SAMPLES), "number 3 is"),
        ({"train": ROWS, "validation": ROWS, "test": ROWS}, '"test" is'),
        ((DataLoader(ROWS), None, ROWS), "number 3 is"),
    ],
)
def test_what_is_not_used_is_said(made, unused):
    (note,) = given(made).notes
    assert note == f"dataset() gave more than training and validation data: {unused} not used"


@pytest.mark.parametrize("made", [(X, Y), [X.numpy(), Y.numpy()], (X, Y.numpy()), (X, Y, Y)])
def test_tensors_of_equal_length_are_the_columns_of_samples(made):
    found = given(made)
    assert found.validation is None
    assert torch.equal(found.training[3][0], X[3])
    assert torch.equal(found.training[3][1], Y[3])
    assert found.notes == (
        f"dataset() gave {len(made)} arrays of 12 rows: they are taken as the columns of samples",
    )


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (None, "dataset() gave None"),
        ("rows", "gave a str"),
        (7, "gave a int"),
        ({1, 2}, "gave a set, which has no indices"),
        (Noisy, "gave the class Noisy"),
        ((row for row in SAMPLES), "gave a generator, which can be iterated only once"),
        (iter(SAMPLES), "only once"),
        ((iter(SAMPLES), iter(SAMPLES)), "only once"),
        (zip(X, Y, strict=True), "gave a zip, which can be iterated only once"),
        (Lengthless(), "gave a Lengthless without a length"),
        ((ROWS, Lengthless()), "without a length"),
        ([], "gave no training samples"),
        (TensorDataset(X[:0]), "gave no training samples"),
        (DataLoader(ROWS, batch_size=99, drop_last=True), "gave no training samples"),
        ({"x": X, "y": Y}, 'the keys "x", "y": none of them is "train"'),
        (Frame(), "a Frame, which is indexed by its columns"),
        ((Frame(), Frame()), "indexed by its columns"),
        (torch.tensor(1.0), "gave a Tensor without a length"),
        ([X[:8], X[8:], Y[:8], Y[8:]], "four arrays of 8, 4, 8, 4 rows"),
        (([[1.0], [2.0]], [0, 1]), "2 inputs and as many targets"),
        ((X.numpy(), [0] * 12), "12 inputs and as many targets"),
    ],
)
def test_what_is_no_data_is_refused_in_the_words_of_dataset(made, told):
    with pytest.raises(TaskError) as refused:
        given(made)
    assert told in refused.value.message
    assert "dataset()" in refused.value.message
    assert refused.value.hint


class Ported:
    """A batch with a `to` of its own, as tokenizers give it."""

    def __init__(self, x):
        self.x = x

    def to(self, device):
        return Ported(self.x.to(device))


class Frozen(dict):
    """A dict that is told more than its entries when it is made."""

    def __init__(self, size):
        super().__init__()
        self.size = size


class Graphs:
    """As torch_geometric's Batch: more nodes than samples."""

    num_graphs = 3
    x = torch.ones(17, 4)


T8 = torch.ones(8, 4)


@pytest.mark.parametrize(
    ("batch", "samples"),
    [
        (T8, 8),
        ([T8, T8], 8),
        ({"x": T8}, 8),
        (Point(T8, T8), 8),
        (Row(T8, "a name of many letters"), 8),
        (("a long name", T8), 8),
        ([["a", "b", "c"], T8], 8),
        (["a", "b", "c"], 3),
        (["a long text", "b"], 2),
        ("a text", 1),
        (torch.Size([3, 32, 32]), 1),
        ({"shape": torch.Size([9, 9]), "x": T8}, 8),
        ({"shape": (9, 9), "names": ["a", "b"]}, 2),
        ({"scale": torch.tensor(1.0), "x": T8}, 8),
        ([torch.ones(3), torch.ones(5)], 2),
        ((tuple(torch.ones(3, 9, 9) for _ in range(5)), (0, 1, 0, 1, 1)), 5),
        (
            (
                tuple(torch.ones(3, n, 9) for n in (4, 5)),
                ({"boxes": torch.ones(2, 4)}, {"boxes": torch.ones(7, 4)}),
            ),
            2,
        ),
        ((T8, torch.ones(2, 50)), 8),
        (Graphs(), 3),
        (np.ones((6, 2)), 6),
        (7, 1),
        ({}, 1),
        ([], 1),
        (UserDict(x=T8), 8),
        (Ported(T8), 8),
        (torch.nn.utils.rnn.pack_sequence([torch.ones(5), torch.ones(2)]), 2),
        ([[T8, T8], [T8, T8]], 8),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged), 2),
        ([1, 0, 1], 3),
    ],
)
def test_a_batch_has_as_many_samples_as_were_put_in(batch, samples):
    assert batch_length(batch) == samples


def test_a_batch_that_refers_to_itself_is_counted():
    batch = types.SimpleNamespace(x=T8)
    batch.owner = batch
    assert batch_length(batch) == 8


@pytest.mark.parametrize(
    ("batch", "tensor"),
    [
        (T8, lambda moved: moved),
        ({"x": T8, "n": "a"}, lambda moved: moved["x"]),
        (Point(T8, 3), lambda moved: moved.x),
        (Row(T8, "one"), lambda moved: moved.x),
        (Ported(T8), lambda moved: moved.x),
        (UserDict(x=[T8]), lambda moved: moved["x"][0]),
        (("a", (T8,)), lambda moved: moved[1][0]),
    ],
)
def test_a_batch_comes_to_the_device_as_what_it_is(batch, tensor):
    moved = to_device(batch, torch.device("meta"))
    assert type(moved) is type(batch)
    assert tensor(moved).device.type == "meta"
    assert tensor(batch).device.type == "cpu"


def test_a_dict_of_a_class_of_its_own_stays_one():
    batch = Frozen(3)
    batch["x"] = T8
    moved = to_device(batch, torch.device("meta"))
    assert (type(moved), moved.size, moved["x"].device.type, batch["x"].device.type) == (
        Frozen,
        3,
        "meta",
        "cpu",
    )


def notes(events):
    return [event.text for event in events if isinstance(event, LogMessage)]


@pytest.mark.parametrize(
    ("task", "keys", "size", "told"),
    [
        (
            "FourApart",
            {},
            4,
            ["batch_size not used: dataset() gives a DataLoader, whose batches are of 4"],
        ),
        ("FourApart", {"batch_size": 4}, 4, []),
        (
            "FourApart",
            {"batch_size": 4, "drop_last": True},
            4,
            [
                "batch_size and drop_last not used: dataset() gives a DataLoader, whose batches are"
                " of 4"
            ],
        ),
        (
            "Bucketed",
            {},
            0,
            [
                "batch_size not used: dataset() gives a DataLoader, whose batches are of a size of"
                " their own"
            ],
        ),
        (
            "ByBatchSampler",
            {},
            6,
            ["batch_size not used: dataset() gives a DataLoader, whose batches are of 6"],
        ),
        ("Linear", {}, 16, []),
        ("Sized", {}, 16, []),
    ],
)
def test_the_batch_size_that_is_told_is_the_true_one(task, keys, size, told):
    _, events = whole(other_race(task, {"lr": 0.01}, epochs=1, **keys))
    assert next(event for event in events if isinstance(event, Started)).batch_size == size
    assert [note for note in notes(events) if "an epoch gave" not in note] == told


def test_a_loaders_batch_size_needs_no_note_where_nobody_said_another():
    race = other_race("FourApart", {"lr": 0.01}, epochs=1)
    assert notes(whole(replace(race, batch_size=32, batch_size_given=False))[1]) == []


class TestDropLast:
    def test_leaves_out_the_short_batch_and_changes_no_other(self):
        races = [
            other_race("Normed", {"lr": 0.01}, batch_size=10, epochs=1, drop_last=drop)
            for drop in (False, True)
        ]
        short, dropped = (whole(race)[1] for race in races)
        assert len(column(short)) == 5
        assert column(dropped) == column(short)[:4]

    def test_is_what_batch_norm_needs(self):
        _, events = whole(
            other_race("Normed", {"lr": 0.01}, batch_size=8, epochs=2, drop_last=True)
        )
        assert len(column(events)) == 12

    @pytest.mark.parametrize("task", ["Normed", "Sized"])
    def test_is_kept_to_from_any_break(self, task):
        race = other_race(task, {"lr": 0.01}, batch_size=8, steps=15, drop_last=True, gauge=False)
        assert unequal(race, breaks(race)) == []

    def test_streams_are_cut_likewise(self):
        race = other_race("Sized", {"lr": 0.01}, batch_size=8, epochs=2, drop_last=True)
        _, events = whole(race)
        assert len(column(events)) == 12

    @pytest.mark.parametrize(
        ("task", "keys", "told"),
        [
            (
                "Normed",
                {"batch_size": 8},
                (
                    "the last batch of the epoch has 1 sample with batch_size = 8.*\n.*drop_last ="
                    " true"
                ),
            ),
            ("Normed", {"batch_size": 1}, "batch_size = 1 makes batches of 1 sample.*\n.*larger"),
            (
                "NormedLoader",
                {},
                "a batch of the task's DataLoader has 1 sample.*\n.*drop_last=True",
            ),
        ],
    )
    @pytest.mark.parametrize("optimizer", ["Adam", "LBFGS"])
    def test_is_named_where_batch_norm_meets_a_single_sample(self, task, keys, told, optimizer):
        with pytest.raises(TaskError, match=told):
            whole(other_race(task, {"lr": 0.01, "optimizer": optimizer}, epochs=1, **keys))

    def test_that_leaves_nothing_is_refused(self):
        with pytest.raises(TaskError, match="49 samples make no batch of 64 with drop_last = true"):
            whole(other_race("Normed", {"lr": 0.01}, batch_size=64, epochs=1, drop_last=True))


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("Ragged", "cannot be put together: .*equal size.*\n.*collate_fn"),
        ("Dataclasses", "cannot be put together: .*Row.*\n.*collate_fn"),
    ],
)
def test_samples_that_make_no_batch_are_told_with_the_cure(task, told):
    with pytest.raises(TaskError, match=told):
        whole(other_race(task, {"lr": 0.01}, epochs=1))


def test_named_tuples_and_strings_are_trained_on():
    race = other_race("Named", {"lr": 0.01}, epochs=2, batch_size=16)
    _, events = whole(race)
    assert len(column(events)) == 6


def test_a_loader_of_its_own_equals_the_plain_loop():
    race = other_race("FourApart", {"lr": 0.01}, epochs=2)
    losses, _ = plain_loop(FourApart(), seed=race.seed, epochs=2)
    assert len(losses) == 24
    assert column(whole(race)[1]) == losses
