"""The protocol of a task, and loading one by its reference."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import CodeRef, TaskRef
from lrtui.core.scenario.task_ref import bundled_file
from lrtui.training import lane_modules
from lrtui.training.imports import import_code


@runtime_checkable
class Task(Protocol):
    """A model to train with its data and loss: any class with these three methods, built with no
    arguments.

    More are optional: `metrics(model, batch)` returns {name: number or scalar tensor}, called in
    eval mode without gradients and averaged over the validation samples; `sample(model)` returns
    images, shape (N, C, H, W) with C = 1 or 3 and values in 0..1, called in eval mode without
    gradients.

    So is `param_groups(model)`, for layers with rates or options of their own: a list of dicts as
    torch.optim takes them, with "params", options of the optimizer, a "name" if you like, and
    either "lr_scale", a factor on the lane's rate, or "lr", a rate of the group's own. Without it
    the optimizer gets all of `model.parameters()`.
    """

    def model(self) -> nn.Module:
        """A new model, its weights drawn from torch's global generator."""

    def dataset(self) -> Any:
        """The training data, a pair (training, validation), or a dict {"train": ..., "validation":
        ...}.

        Each is a Dataset, which is cut into batches of the race's `batch_size`, collated by
        default_collate: one with indices in the order of `lrtui.batch_order`, an IterableDataset as
        it comes. Tensors or arrays (X, y) of equal length are taken as a TensorDataset. A
        DataLoader is used as it is, with its own batch size, collation, sampler and workers.
        """

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """The scalar to minimise; `batch` comes from default_collate or the task's own DataLoader,
        on the lane's device."""


def load(ref: TaskRef) -> Task:
    """Builds the task that `ref` names; imports its code anew for the lane that begins."""
    module = lane_modules.imported_anew(str(ref), partial(import_code, ref))
    made = getattr(module, _class_name(ref), None)
    if not callable(made):
        raise TaskError(
            f'"{ref}" not found', f"expected a class {_class_name(ref)} in {ref.target}"
        )
    try:
        task = made()
    except TypeError as error:
        # not raised within the constructor
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise TaskError(
                f"{ref.short} cannot be built: {error}", "expected a class built without arguments"
            ) from error
        raise
    missing = [
        name for name in ("model", "dataset", "loss") if not callable(getattr(task, name, None))
    ]
    if missing:
        raise TaskError(
            f'"{ref}" is not a task: it has no {", ".join(missing)}',
            "expected the methods model, dataset and loss",
        )
    return task  # type: ignore[no-any-return]  # checked above


LOOPS = ("training_step", "configure_optimizers", "optimizer", "optimizers", "step")
"""Methods of classes that bring a training loop, or optimizers, of their own."""


def unused_loop(task: Task) -> str:
    """A sentence about methods of the task that lanes do not call; '' without any."""
    found = [name for name in LOOPS if callable(getattr(task, name, None))]
    if not found:
        return ""
    return (
        f"the task's {', '.join(f'{name}()' for name in found)} is not called: a lane has one"
        " optimizer, the race's, and the loop is lrtui's; two optimizers in one loop do not fit a"
        " task"
    )


def new_model(task: Task) -> nn.Module:
    """Builds the model with `task.model()`; raises TaskError if another lane of this process has it
    already."""
    model: Any = task.model()
    if not isinstance(model, nn.Module):
        several = isinstance(model, (list, tuple)) and len(model) > 1
        raise TaskError(
            f"model() gave a {type(model).__name__}",
            "expected a new torch.nn.Module"
            + ("; several nets with an optimizer each do not fit a task" if several else ""),
        )
    if model in _models:
        raise TaskError(
            "model() gave the same model twice",
            "expected a new one each time: build it inside of model()",
        )
    _models.add(model)
    return model


_models: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Every model returned that still exists."""


def load_user_object(ref: CodeRef) -> Any:
    """The user's class or function that `ref` names."""
    found = getattr(import_code(ref), ref.name, None)
    if not callable(found):
        raise TaskError(
            f'"{ref}" not found', f"expected a class or function {ref.name} in {ref.target}"
        )
    return found


def _class_name(ref: TaskRef) -> str:
    return bundled_file(ref.name)[1] if ref.kind == "bundled" else ref.name
