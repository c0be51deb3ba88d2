"""Every bundled task keeps the contract of a task: builds alone, has the same data each time,
trains."""

from __future__ import annotations

import importlib.util
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TASKS = (
    "circles-squares",
    "diabetes",
    "diabetes-large",
    "linear-toy",
    "random-walk",
    "sprite-categories",
    "sprite-denoiser",
    "sprite-generator",
    "straight-line",
)
every_task = pytest.mark.parametrize("name", TASKS)


@pytest.fixture(autouse=True)
def task_folder_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks import the modules beside them, so their folder goes on sys.path, as lrtui's loader has
    it."""
    monkeypatch.syspath_prepend(str(SCENARIOS / "tasks"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Many threads cost more than they give on nets this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def module(name: str) -> ModuleType:
    """The file scenarios/tasks/NAME.py, freshly run."""
    spec = importlib.util.spec_from_file_location(name, SCENARIOS / "tasks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def build(name: str) -> Any:
    """`sprite-generator` is SpriteGenerator in sprite_generator.py."""
    task_class = "".join(part.capitalize() for part in name.split("-"))
    return getattr(module(name.replace("-", "_")), task_class)()


def parts(task: Any) -> tuple[Any, ...]:
    """The task's data sets: training alone, or training and validation."""
    data = task.dataset()
    return data if isinstance(data, tuple) else (data,)


def first_batch(dataset: Any, size: int = 16) -> list[Tensor]:
    batch: list[Tensor] = default_collate([dataset[i] for i in range(size)])
    return batch


def new_model(task: Any, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = task.model()
    return model


def train(task: Any, model: nn.Module, lr: float, epochs: int) -> float:
    """Adam for a few epochs in batches of 16; the mean loss of the last epoch."""
    dataset = parts(task)[0]
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    order = torch.Generator().manual_seed(0)
    losses: list[float] = []
    for _ in range(epochs):
        losses.clear()
        shuffled = torch.randperm(len(dataset), generator=order).tolist()
        for start in range(0, len(dataset), 16):
            optimizer.zero_grad()
            loss = task.loss(
                model, default_collate([dataset[i] for i in shuffled[start : start + 16]])
            )
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)


def sample(task: Any, model: nn.Module) -> Tensor:
    model.eval()
    with torch.no_grad():
        pictures: Tensor = task.sample(model)
    return pictures


def test_the_list_of_tasks_is_what_the_scenarios_name() -> None:
    named = {tomllib.loads(path.read_text("utf-8"))["task"] for path in SCENARIOS.glob("*.toml")}
    assert named == set(TASKS)


@every_task
def test_two_instances_give_equal_data_whatever_the_global_generator(name: str) -> None:
    torch.manual_seed(1)
    first = parts(build(name))
    torch.manual_seed(2)
    second = parts(build(name))
    for one, other in zip(first, second, strict=True):
        assert len(one) == len(other)
        for i in range(len(one)):
            assert all(torch.equal(a, b) for a, b in zip(one[i], other[i], strict=True))


@every_task
def test_equal_seeds_give_equal_weights_and_other_seeds_give_others(name: str) -> None:
    def weights(seed: int) -> Tensor:
        return nn.utils.parameters_to_vector(new_model(build(name), seed).parameters())

    assert torch.equal(weights(7), weights(7))
    assert not torch.equal(weights(7), weights(8))


@every_task
def test_data_and_samples_leave_the_global_generator_alone(name: str) -> None:
    task = build(name)
    model = new_model(task)
    before = torch.random.get_rng_state()
    parts(build(name))
    if hasattr(task, "sample"):
        sample(task, model)
    assert torch.equal(torch.random.get_rng_state(), before)


@every_task
def test_loss_is_one_finite_number_and_reaches_every_parameter(name: str) -> None:
    task = build(name)
    model = new_model(task)
    loss = task.loss(model, first_batch(parts(task)[0]))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@every_task
def test_a_batch_of_one_can_be_trained_on(name: str) -> None:
    task = build(name)
    model = new_model(task)
    assert torch.isfinite(task.loss(model, first_batch(parts(task)[0], size=1)))


@every_task
def test_a_few_epochs_of_adam_bring_the_loss_down(name: str) -> None:
    task = build(name)
    model = new_model(task)
    batch = first_batch(parts(task)[0])
    start = task.loss(model, batch).item()
    train(task, model, lr=0.003, epochs=5)
    assert task.loss(model, batch).item() < 0.99 * start


@every_task
def test_metrics_are_finite_numbers_of_the_validation_set(name: str) -> None:
    task = build(name)
    if not hasattr(task, "metrics"):
        pytest.skip("this task has no metrics")
    model = new_model(task).eval()
    with torch.no_grad():
        metrics = task.metrics(model, first_batch(parts(task)[1]))
    assert metrics
    assert all(
        isinstance(key, str) and math.isfinite(float(value)) for key, value in metrics.items()
    )


@every_task
def test_samples_are_at_most_eight_small_pictures_in_0_to_1(name: str) -> None:
    task = build(name)
    if not hasattr(task, "sample"):
        pytest.skip("this task has no sample")
    model = new_model(task)
    huge = new_model(task)
    for parameter in huge.parameters():
        parameter.data.mul_(1e6)
    for pictures in (sample(task, model), sample(task, huge)):
        assert pictures.dtype == torch.float32
        assert 1 <= len(pictures) <= 8
        assert pictures.shape[1] in (1, 3)
        assert pictures.shape[2:] == (16, 16)
        assert pictures.min() >= 0
        assert pictures.max() <= 1
    assert torch.equal(sample(task, model), sample(task, model)), "a sample's noise is fixed"


def test_every_kind_of_sprite_has_its_own_outline() -> None:
    sprites = module("sprites")
    plain = [sprites.draw(kind) for kind in sprites.KINDS]
    background = torch.tensor(sprites.BACKGROUND).view(3, 1, 1)
    outlines = [(picture != background).any(dim=0) for picture in plain]
    assert all(picture.shape == (3, 16, 16) for picture in plain)
    for i, outline in enumerate(outlines):
        assert 30 < outline.sum() < 200, sprites.KINDS[i]
        assert all((outline != other).sum() >= 15 for other in outlines[:i]), sprites.KINDS[i]


def test_a_drawing_is_sixteen_rows_of_sixteen_known_letters() -> None:
    sprites = module("sprites")
    for kind, (text, hue) in sprites.DRAWINGS.items():
        rows = text.split()
        assert [len(row) for row in rows] == [16] * 16, kind
        assert set("".join(rows)) <= set(sprites.LETTERS), kind
        assert 0 <= hue < 1, kind


def test_a_shifted_sprite_does_not_come_in_again_at_the_other_side() -> None:
    sprites = module("sprites")
    plain = sprites.draw("heart")
    moved = sprites.draw("heart", sprites.Look(dx=3, dy=-2))
    assert torch.equal(moved[:, :14, 3:], plain[:, 2:, :13])
    edge = torch.tensor(sprites.BACKGROUND).view(3, 1, 1)
    assert (moved[:, :, :3] == edge).all()
    assert (moved[:, 14:, :] == edge).all()


def test_a_flipped_sprite_is_its_mirror_image() -> None:
    sprites = module("sprites")
    assert torch.equal(sprites.draw("key", sprites.Look(flip=True)), sprites.draw("key").flip(2))


def test_equal_seeds_draw_equal_sprites_and_kinds_take_turns() -> None:
    sprites = module("sprites")
    pictures, labels = sprites.draw_many(sprites.KINDS, 20, seed=3, hue=0.1, shift=2)
    again, _ = sprites.draw_many(sprites.KINDS, 20, seed=3, hue=0.1, shift=2)
    other, _ = sprites.draw_many(sprites.KINDS, 20, seed=4, hue=0.1, shift=2)
    assert torch.equal(pictures, again)
    assert not torch.equal(pictures, other)
    assert labels.tolist() == [*range(10), *range(10)]


def test_a_right_answer_is_framed_and_a_wrong_one_crossed_out() -> None:
    sprites = module("sprites")
    plain, _ = sprites.draw_many(("circle",), 2, seed=0, hue=0.1, shift=2)
    right, wrong = (sprites.judged(plain, torch.tensor([True, False])) != plain).any(dim=1)
    frame = torch.ones(16, 16, dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    assert torch.equal(right, frame)
    assert torch.equal(wrong, torch.eye(16).bool() | torch.eye(16).bool().flip(1))


def test_a_curve_that_is_not_finite_or_out_of_sight_is_not_drawn() -> None:
    scatter = module("scatter")
    limits = scatter.AxisLimits(left=0.0, right=16.0, bottom=0.0, top=16.0)
    picture = scatter.blank()
    x = torch.full((5,), 0.5)
    y = torch.tensor([float("nan"), float("inf"), -1.0, 16.5, 15.5])
    scatter.dot(picture, x, y, limits, scatter.BLUE)
    changed = (picture != scatter.blank()).any(dim=0)
    assert changed.nonzero().tolist() == [[0, 0]]


def test_sprite_generator_paints_eight_distinct_sprites_at_standard_rate() -> None:
    task = build("sprite-generator")
    model = new_model(task, seed=7)
    assert train(task, model, lr=0.001, epochs=15) < 0.015
    pictures = sample(task, model)
    assert (torch.cdist(pictures.flatten(1), pictures.flatten(1)) + torch.eye(8) * 99).min() > 1.0


def test_sprite_generator_stays_static_at_low_rate_and_collapses_at_high() -> None:
    task = build("sprite-generator")
    low, high = new_model(task, seed=7), new_model(task, seed=7)
    assert train(task, low, lr=0.00001, epochs=15) > 0.12
    assert train(task, high, lr=0.1, epochs=15) > 0.06
    assert sample(task, high).std(dim=0).max() < 0.01


def test_straight_line_has_100_points_of_3x_plus_7_with_noise() -> None:
    (points,) = parts(build("straight-line"))
    x, y = points.tensors
    assert len(points) == 100
    assert x.min() == -10
    assert x.max() == 10
    assert 1.5 < (y - 3 * x - 7).std() < 2.5


def test_epoch_has_16_steps_in_lr_dial_and_one_in_effective_lr() -> None:
    for scenario, steps in (("lr-dial", 16), ("effective-lr", 1)):
        content = tomllib.loads((SCENARIOS / f"{scenario}.toml").read_text("utf-8"))
        training = parts(build(content["task"]))[0]
        assert len(training) == steps * content["batch_size"]


def test_diabetes_has_442_patients_and_a_fifth_for_validation() -> None:
    diabetes = module("diabetes")
    patients = diabetes._read(diabetes.CSV)
    assert patients.shape == (442, 11)
    assert patients[0].tolist() == pytest.approx(
        [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87, 151]
    )
    training, validation = parts(build("diabetes"))
    assert (len(training), len(validation)) == (354, 88)
    measurements, progression = training.tensors
    assert measurements.mean(dim=0).abs().max() < 1e-4
    assert progression.mean().abs() < 1e-4
    assert torch.allclose(measurements.std(dim=0), torch.ones(10), atol=1e-4)
    patients_seen = {
        tuple(row) for part in (training, validation) for row in part.tensors[0].tolist()
    }
    assert len(patients_seen) == 442, "no patient is in both parts"


def test_diabetes_names_its_source() -> None:
    text = (SCENARIOS / "tasks" / "diabetes.csv").read_text("utf-8")
    assert text.startswith("#")
    assert "Least Angle Regression" in text


def test_the_first_picture_of_the_denoiser_is_what_came_out() -> None:
    """A pane has room for one, and what went in is the same in every lane."""
    task = build("sprite-denoiser")
    first, second = (sample(task, new_model(task, seed)) for seed in (1, 2))
    assert not torch.equal(first[0], second[0])
    assert torch.equal(first[1:3], second[1:3])


def test_random_walk_has_512_walks_of_64_steps_with_a_spread_of_one() -> None:
    training, validation = parts(build("random-walk"))
    assert (len(training), len(validation)) == (512, 256)
    walks, ends = training.tensors
    assert walks.shape == (512, 64, 1)
    assert walks.abs().eq(1).all()
    assert torch.equal(ends * 8, walks.sum(dim=1))
    assert 0.9 < ends.std() < 1.1


@pytest.mark.parametrize("seed", [1, 2, 3, 7])
@pytest.mark.parametrize("lr", [0.03, 0.01])
def test_random_walk_needs_clipping_at_the_rates_of_its_scenario(lr: float, seed: int) -> None:
    task = build("random-walk")
    dataset = parts(task)[0]
    model, clipped = new_model(task, seed), new_model(task, seed)
    assert not descend(task, model, dataset, lr, math.inf) < 1e6
    assert descend(task, clipped, dataset, lr, 1.0) < 0.3


def descend(task: Any, model: nn.Module, dataset: Any, lr: float, limit: float) -> float:
    """Five epochs of SGD with a linear schedule; the mean loss of the last one, NaN once a loss or
    a gradient is not finite."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=80)
    losses: list[float] = []
    for step in range(80):
        batch = [tensor[step % 16 * 32 :][:32] for tensor in dataset.tensors]
        optimizer.zero_grad()
        loss = task.loss(model, batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), limit)
        if not torch.isfinite(loss + norm):
            return math.nan
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return sum(losses[-16:]) / 16
