"""Parts of a lane's state as plain values and tensors on the CPU, restored bit for bit.

The whole is `Training.state_dict` (session.py). Not included: attributes of a task, a dataset or a
model that are neither parameters, buffers nor generators, and the random state of a DataLoader's
persistent workers.
"""

from __future__ import annotations

import inspect
import io
import types
from collections import Counter, OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.errors import LrtuiError, SnapshotDamaged
from lrtui.core.scenario.spec import Lane
from lrtui.training import averaging
from lrtui.training.optimizers import OWN_RATE, MuonWithAdamW
from lrtui.training.schedules import Schedule

if TYPE_CHECKING:
    from lrtui.training.session import Training

FORMAT = 1
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, partial, type)


def size(model: nn.Module) -> int:
    """An estimate in bytes: the lane's weights, and an optimizer with two numbers for each."""
    return 3 * sum(p.numel() * p.element_size() for p in model.parameters())


def encode(state: dict[str, Any]) -> bytes:
    """The state as bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def decode(payload: bytes) -> dict[str, Any]:
    """Reverses `encode`; raises SnapshotDamaged if it cannot. Runs no code from the payload."""
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises any error of its reader
        raise SnapshotDamaged(
            "the snapshot cannot be read", "expected one that lrtui has written"
        ) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise SnapshotDamaged(f"the snapshot is of format {found}", f"expected format {FORMAT}")
    return state  # type: ignore[no-any-return]  # a dict, as just checked


def weights(training: Training) -> dict[str, Any]:
    """The part of a lane's state that its evaluations see, not copied."""
    model, average = training.model, training.recipe.average
    return {
        "format": FORMAT,
        "step": training.step_recorder.step,
        "model": model.state_dict(),
        "parameters": [name for name, _ in model.named_parameters()],
        "average": average.state_dict() if average else None,
        "evaluated": averaging.evaluation_weights(model, training.optimizer),
    }


def restore_model(model: nn.Module, state: dict[str, Any]) -> None:
    listed = model.state_dict()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    weights = OrderedDict(state["model"])
    weights._metadata = getattr(listed, "_metadata", None)  # type: ignore[attr-defined]  # versions, which some modules ask for
    model.load_state_dict(weights)
    for name, value in state["buffers"].items():
        owner, _, leaf = name.rpartition(".")
        module = model.get_submodule(owner)
        now = getattr(module, leaf, None)
        if isinstance(now, Tensor) and now.shape == value.shape and now.dtype == value.dtype:
            now.detach().copy_(value)  # in place: it may be shared
        else:
            module.register_buffer(leaf, value.to(device, copy=True), persistent=False)


def restore_part(optimizer: Optimizer, kept: dict[str, Any]) -> list[dict[str, Any]]:
    """Restores the parameters' state in its own types, which torch's load_state_dict casts; returns
    the groups of the snapshot.

    The optimizer keeps its groups as objects: a scheduler may refer to them.
    """
    groups = optimizer.param_groups
    optimizer.load_state_dict({"state": kept["state"], "param_groups": kept["groups"]})
    loaded, optimizer.param_groups = optimizer.param_groups, groups
    parameters = [p for group in groups for p in group["params"]]
    for index, values in _of_parameters(kept["state"]):
        state = optimizer.state[parameters[index]]
        for key, value in values.items():
            there = state[key].device if isinstance(value, Tensor) else torch.device("cpu")
            if kept["host"] is not None:
                there = (
                    torch.device("cpu")
                    if [index, key] in kept["host"]
                    else parameters[index].device
                )
            state[key] = _placed(value, there)
    return loaded


def restore_rates(
    lane: Lane,
    before: Lane,
    optimizer: Optimizer,
    schedule: Schedule,
    state: dict[str, Any],
    *,
    same_length: bool = True,
) -> None:
    """Restores optimizer and schedule of `lane`, which was `before` in the snapshot.
    `same_length`: False if the schedule is made for another length now."""
    given, was = lane.optimizer.options, before.optimizer.options
    changed = {key for key in given | was if given.get(key) != was.get(key)}
    same_kind = (lane.optimizer.name, lane.optimizer.code) == (
        before.optimizer.name,
        before.optimizer.code,
    )
    same_plan = (
        same_kind and same_length and (lane.lr, lane.schedule) == (before.lr, before.schedule)
    )
    if changed and schedule.can_jump:
        # its position is a function of the step; it may be one that moves the momentum, too
        same_plan = False
    if same_kind:
        for part, kept in zip(parts(optimizer), state["optimizer"], strict=True):
            groups = restore_part(part, kept)
            for group, loaded in zip(part.param_groups, groups, strict=True):
                group.update(
                    {
                        key: value
                        for key, value in loaded.items()
                        if key not in changed and (same_plan or key in counters(part, group))
                    }
                )
    # without this torch's schedulers warn if the optimizer has not stepped
    optimizer._opt_called = True  # type: ignore[attr-defined]
    if same_plan:
        schedule.load_state_dict(state["schedule"])
    else:
        schedule.catch_up(state["step"], state["epochs_ended"])


def counters(optimizer: Optimizer, group: dict[str, Any]) -> set[str]:
    """The keys of a param group that are state, not options: torch's optimizers have none, others
    count steps there or keep an estimate of the rate."""
    options = inspect.signature(type(optimizer).__init__).parameters.keys()
    if type(optimizer).__module__.startswith("torch.") or isinstance(optimizer, MuonWithAdamW):
        return set()
    return group.keys() - options - {"params", "initial_lr", "name", OWN_RATE}


def _placed(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, copy=True)
    return [_placed(item, device) for item in value] if isinstance(value, list) else value


def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's state. `host`: (parameter, key) of tensors on the CPU whose parameters are
    not; None if all are on the CPU."""
    state = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    host = [
        [index, key]
        for index, values in _of_parameters(state["state"])
        for key, value in values.items()
        if isinstance(value, Tensor) and value.device.type == "cpu"
    ]
    elsewhere = any(p.device.type != "cpu" for p in parameters)
    return {
        "state": state["state"],
        "groups": state["param_groups"],
        "host": host if elsewhere else None,
    }


def _of_parameters(state: dict[Any, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The entries of parameters; an optimizer may keep others, such as a counter, beside them."""
    return [
        (index, values)
        for index, values in state.items()
        if isinstance(index, int) and isinstance(values, dict)
    ]


def parts(optimizer: Optimizer) -> list[Optimizer]:
    parts: list[Optimizer] = getattr(optimizer, "parts", [optimizer])
    return parts


def unlisted(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that the model's state_dict leaves out."""
    listed = model.state_dict().keys()
    return {
        name: buffer
        for name, buffer in model.named_buffers(remove_duplicate=False)
        if name not in listed
    }


def plain(value: Any, where: str, seen: dict[Any, Tensor]) -> Any:
    """A copy of `value` that can be written, and read without running code; functions in a dict are
    left out.

    A scheduler gets its functions again when it is built. `seen`: the copies of tensors so far, so
    that weights which two layers share are stored once.
    """
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, Tensor):
        strided = value.layout == torch.strided and not value.is_nested
        place = (
            (value.data_ptr(), value.shape, value.stride(), value.dtype) if strided else id(value)
        )
        if place not in seen:
            seen[place] = value.detach().resolve_conj().resolve_neg().to("cpu", copy=True)
        return seen[place]
    if isinstance(value, dict):
        kind = Counter if isinstance(value, Counter) else dict
        return kind(
            {
                key: plain(item, f"{where}, {key}", seen)
                for key, item in value.items()
                if not isinstance(item, _CODE)
            }
        )
    if isinstance(value, (list, tuple)):
        items = [plain(item, where, seen) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    if isinstance(value, (int, float)):  # such as an enumeration
        return float(value) if isinstance(value, float) else int(value)
    raise LrtuiError(
        f"{where}: a {type(value).__name__} cannot be kept: the lane has no snapshots",
        "expected numbers, text, tensors, and lists and dicts of them",
    )
