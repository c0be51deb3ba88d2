"""Models of every kind of parameter and buffer train as in a plain loop; nothing that is measured
ever ends a lane."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.data import default_collate

from lrtui import batch_order
from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.errors import TaskError
from lrtui.core.protocol.events import Measured, Steps
from lrtui.core.scenario import scenario_file
from lrtui.training import snapshot, tensors
from lrtui.training.loop import train_lane
from lrtui.training.order import weights_checksum
from lrtui.training.session import Training
from lrtui.training.task import load, new_model
from support.training import TASK_FOLDER, column, train

from .bare import bare_loop

CPU = torch.device("cpu")
NAMES = [
    "Complex",
    "ComplexOnly",
    "HalfWeights",
    "Doubles",
    "Mixed",
    "SparseBuffer",
    "CsrBuffer",
    "QuantisedBuffer",
    "Tied",
    "ThawedLater",
    "FrozenByTask",
    "Closures",
    "HookedGradients",
    "OldWeightNorm",
    "Pruned",
    "Spectral",
    "Scripted",
    "Traced",
    "Lazy",
    "LazyConv",
    "EmptyParameter",
    "BoolBuffer",
    "SparseEmbedding",
    "MetaBuilt",
    "Orthogonal",
    "ResizedBuffer",
]


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(Sampling, "due", lambda self, step: True)


def race_of(name, optimizer="SGD", **keys):
    raw = {
        "task": f"typed_tasks.py:{name}",
        "seed": 11,
        "batch_size": 16,
        "epochs": 3,
        "lane": [{"optimizer": optimizer, "lr": 0.01}],
        **keys,
    }
    return scenario_file.parse(raw, source="test", folder=TASK_FOLDER)


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_it_trains_as_in_a_plain_loop(name, deferred):
    race = race_of(name)
    events = train(race, deferred=deferred)
    task = _shaped(load(race.task))
    losses, _ = bare_loop(
        task, lambda params: torch.optim.SGD(params, lr=0.01), seed=11, epochs=3, batch_size=16
    )
    assert column(events) == losses
    assert events[-1].reason == "finished"
    assert all(map(math.isfinite, losses))


def _shaped(task):
    """The task, whose model has its lazy layers materialised by the first batch in eval mode."""
    build = task.model

    def model():
        made, data = build(), task.dataset()
        if any(map(torch.nn.parameter.is_lazy, made.parameters())):
            made.eval()
            with torch.no_grad():
                task.loss(
                    made, default_collate([data[i] for i in batch_order(11, 0, len(data))[:16]])
                )
        return made

    task.model = model
    return task


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("EmptyParameter",)])
def test_its_step_gain_is_measured(name):
    events = train(race_of(name))
    gains = [
        gain
        for event in events
        if isinstance(event, Measured)
        for gain in event.values("gain").tolist()
    ]
    assert sum(map(math.isfinite, gains)) >= len(gains) - 1
    norms = [
        norm
        for event in events
        if isinstance(event, Steps)
        for norm in event.values("grad_norm").tolist()
    ]
    assert math.isfinite(norms[0])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("ThawedLater",)])
def test_it_goes_on_from_a_snapshot_bit_for_bit(name):
    race = race_of(name, optimizer="Adam" if name not in ("SparseEmbedding",) else "SGD")
    whole = column(train(race))
    training, steps = Training(race, 0, CPU), 0
    before = []
    for event in train_lane(training):
        if isinstance(event, Steps):
            before += event.values("loss").tolist()
        elif event is None:
            steps += 1
            if steps == 4:
                break
    before += [
        loss
        for event in training.step_recorder.flush()
        if isinstance(event, Steps)
        for loss in event.values("loss").tolist()
    ]
    state = snapshot.decode(snapshot.encode(training.state_dict()))
    again = Training(race, 0, CPU, snapshot=state)
    after = column([event for event in train_lane(again) if event is not None])
    assert before + after == whole


def test_a_layer_that_the_task_thaws_later_is_trained_from_then_on():
    race = race_of("ThawedLater")
    training = Training(race, 0, CPU)
    frozen = training.model[0].weight.detach().clone()
    moved = [
        not torch.equal(frozen, training.model[0].weight)
        for event in train_lane(training)
        if event is None
    ]
    first = moved.index(True)  # a break at the end of each epoch is no step
    assert 3 <= first <= 5
    assert all(moved[first:])


def test_layers_behind_closures_are_the_ones_that_are_trained():
    training = Training(race_of("Closures"), 0, CPU)
    before = [p.detach().clone() for p in training.model.parameters()]
    for _ in train_lane(training):
        pass
    assert all(
        not torch.equal(a, b) for a, b in zip(before, training.model.parameters(), strict=True)
    )


def test_a_model_that_is_given_out_twice_is_refused_in_one_sentence():
    task = load(race_of("Tied").task)
    kept = task.model()
    task.model = lambda: kept
    assert new_model(task) is kept
    with pytest.raises(TaskError, match=r"model\(\) gave the same model twice"):
        new_model(task)


DTYPES = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
    torch.int8,
    torch.int64,
    torch.uint8,
    torch.bool,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
]


@st.composite
def any_tensor(draw):
    """A tensor of any type and layout, with any values, NaN among them."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.sampled_from([(), (1,), (3,), (0,), (2, 3), (3, 2, 2)]))
    seed = draw(st.integers(0, 2**31))
    words = np.random.default_rng(seed).integers(
        0, 256, (*shape, torch.empty((), dtype=dtype).element_size()), dtype=np.uint8
    )
    if dtype == torch.bool:
        words = words % 2
    dense = torch.empty(shape, dtype=dtype)
    if words.size:
        dense = torch.from_numpy(words.reshape(-1).copy()).view(dtype).reshape(shape)
    layout = draw(st.sampled_from(["dense", "transposed", "conj", "coo", "csr", "quantised"]))
    if layout == "transposed" and dense.dim() == 2:
        return dense.t()
    if layout == "conj" and dense.is_complex():
        return dense.conj()
    plain = torch.arange(6.0).reshape(2, 3) * (seed % 5)
    if layout == "coo":
        return plain.to_sparse()
    if layout == "csr":
        return plain.to_sparse_csr()
    if layout == "quantised":
        return torch.quantize_per_tensor(plain, 0.1 + seed % 3, 0, torch.quint8)
    return dense


@given(any_tensor(), any_tensor())
@settings(max_examples=300, deadline=None)
def test_tensor_of_any_type_and_layout_is_hashed_compared_and_stored(one, other):
    def holder(tensor):
        module = nn.Module()
        module.register_buffer("held", tensor)
        return module

    copy = tensors.copied(one)
    assert tensors.same_values(one, copy)
    assert weights_checksum(holder(one)) == weights_checksum(holder(copy))
    if tensors.same_values(one, other):
        assert weights_checksum(holder(one)) == weights_checksum(holder(other))
    kept = snapshot.decode(
        snapshot.encode({"format": snapshot.FORMAT, "held": snapshot.plain(one, "lane A", {})})
    )["held"]
    assert tensors.same_values(kept, copy.resolve_conj() if one.layout == torch.strided else copy)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64, torch.complex128]
)
def test_a_zero_with_another_sign_is_another_value_and_a_nan_the_same(dtype):
    zero, nan = torch.zeros(2, dtype=dtype), torch.full((2,), math.nan, dtype=dtype)
    assert not tensors.same_values(zero, -zero)
    assert tensors.same_values(nan, nan.clone())


@given(st.lists(st.sampled_from(DTYPES[:6]), min_size=1, max_size=4), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_gradient_norm_of_mixed_types_is_that_of_all_elements(dtypes, seed):
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for dtype in dtypes:
        parameter = nn.Parameter(torch.zeros(3, dtype=dtype))
        real = torch.randn(3, generator=generator, dtype=torch.float64)
        parameter.grad = (torch.complex(real, real) if dtype.is_complex else real).to(dtype)
        parameters.append(parameter)
    expected = math.sqrt(
        sum(float(p.grad.to(torch.complex128).abs().square().sum()) for p in parameters)
    )
    assert float(tensors.gradient_norm(parameters)) == pytest.approx(expected, rel=2e-2)


def test_a_sparse_gradient_counts_the_sum_of_the_entries_of_one_element():
    table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1, 1, 3])).sum().backward()
    assert float(tensors.gradient_norm([table.weight])) == pytest.approx(math.sqrt(2 * 4 + 2 * 1))


def test_what_has_no_norm_is_not_measured():
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.zeros(2)

    class Refusing(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise NotImplementedError

    parameter.__dict__["_own"] = Refusing
    assert float(tensors.gradient_norm([parameter])) == 0.0
    assert tensors.gradient_norm([]) == 0


def test_old_style_and_new_style_reparametrisations_are_known():
    for make in (
        lambda: nn.utils.weight_norm(nn.Linear(2, 2)),
        lambda: parametrizations.weight_norm(nn.Linear(2, 2)),
        lambda: prune.random_unstructured(nn.Linear(2, 2), "weight", 0.5),
    ):
        module = make()
        assert weights_checksum(module) == weights_checksum(module)
