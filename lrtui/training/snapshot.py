"""A lane's whole state as plain values and tensors on the CPU, and back: what comes after is the same bit for bit.

`capture` is legal at every None that `train_lane` yields, within a validation too, and before its first step, once the
caller has told what `probe.seal()` gave and `probe.bad` is still None. What it takes is a copy: training may go on while it
is encoded.

Not part of it, because nobody can see it from outside: what a task, a dataset or a model remembers in attributes that are
neither parameters, buffers nor generators, and the random numbers of a DataLoader's persistent workers.
"""

from __future__ import annotations

import io
import types
from collections import Counter, OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.errors import LrtuiError, SnapshotDamaged, SnapshotUnfit
from lrtui.core.scenario.spec import Lane
from lrtui.training import rng

if TYPE_CHECKING:
    from lrtui.training.loop import Training

FORMAT = 1
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, partial, type)


def capture(training: Training) -> dict[str, Any]:
    """The state of a lane between two steps; see above when. LrtuiError where the lane has something that cannot be kept."""
    lane = training.race.lanes[training.index]
    state = {
        "format": FORMAT, "lane": msgspec.json.encode(lane),
        "schedule": training.schedule.state_dict(),
        "step": training.probe.step, "epochs_ended": training.epochs_ended, "epoch_began": training.epoch_began,
        "validating": training.before_validation is not None,
        "model": training.model.state_dict(), "buffers": _unlisted(training.model),
        "optimizer": [_optimizer_state(part) for part in _parts(training.optimizer)],
        "factor": training.dial.factor, "probe": training.probe.state_dict(),
        "batches": training.data.state_dict(),
        "random": rng.packed(training.before_validation or rng.capture(training.device, training.held)),
    }
    kept: dict[str, Any] = _plain(state, f"lane {lane.letter}", {})
    return kept


def size(training: Training) -> int:
    """Bytes, about: what the lane's weights, and an optimizer that keeps two numbers for each, take up."""
    return 3 * sum(p.numel() * p.element_size() for p in training.model.parameters())


def encode(state: dict[str, Any]) -> bytes:
    """A captured state as bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def decode(payload: bytes) -> dict[str, Any]:
    """What `encode` was given; SnapshotDamaged where that cannot be. Runs no code of whoever wrote it."""
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader met
        raise SnapshotDamaged("the snapshot cannot be read", "expected one that lrtui has written") from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != FORMAT:
        raise SnapshotDamaged(f"the snapshot is of format {found}", f"expected format {FORMAT}")
    return state  # type: ignore[no-any-return]  # a dict, as was just seen


def restore(training: Training, state: dict[str, Any]) -> None:
    """Puts a lane that was just built where `state` was captured, which stays as it is.

    Where the lane is another one (a fork with changes), it keeps its own options; an optimizer of another kind, and a schedule
    or an initial rate that is not the same, begin anew, the schedule as far on as if it had been so from the start.
    SnapshotUnfit where model or data are not those that were captured.
    """
    lane = training.race.lanes[training.index]
    try:
        before = msgspec.json.decode(state["lane"], type=Lane)
        _restore_model(training.model, state)
        _restore_rates(training, before, state)
        training.epochs_ended = state["epochs_ended"]
        training.epoch_began = state.get("epoch_began", training.epochs_ended * training.steps_per_epoch)  # not in older ones
        training.data.load_state_dict(state["batches"])
        training.dial.factor = state["factor"]
        training.probe.load_state_dict(state["probe"])
        random = rng.unpacked(state["random"], training.device)
        training.before_validation = random if state["validating"] else None
        rng.restore(random, training.device, training.held)
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError, msgspec.MsgspecError) as error:
        raise SnapshotUnfit(f"lane {lane.letter}: the snapshot after step {state.get('step')} does not fit: {error}",
                            f"expected {training.race.task} as it was when the race began") from error


def _restore_model(model: nn.Module, state: dict[str, Any]) -> None:
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
            now.detach().copy_(value)  # whoever shares it goes on sharing it
        else:
            module.register_buffer(leaf, value.to(device, copy=True), persistent=False)


def _restore_rates(training: Training, before: Lane, state: dict[str, Any]) -> None:
    """Optimizer and schedule."""
    lane, optimizer = training.race.lanes[training.index], training.optimizer
    given, was = lane.optimizer.options, before.optimizer.options
    changed = {key for key in given | was if given.get(key) != was.get(key)}
    same_kind = lane.optimizer.name == before.optimizer.name
    same_plan = same_kind and (lane.lr, lane.schedule) == (before.lr, before.schedule)
    if changed and training.schedule.can_jump:
        same_plan = False  # where it should be is known anyway; it may be one that moves the momentum, too
    if same_kind:
        for part, kept in zip(_parts(optimizer), state["optimizer"], strict=True):
            groups = _restore_part(part, kept)
            for group, loaded in zip(part.param_groups, groups if same_plan else [], strict=same_plan):
                group.update({key: value for key, value in loaded.items() if key not in changed})
    optimizer._opt_called = True  # type: ignore[attr-defined]  # in another process: torch's schedulers warn where it has not stepped
    if same_plan:
        training.schedule.load_state_dict(state["schedule"])
    else:
        training.schedule.catch_up(state["step"], state["epochs_ended"])


def _restore_part(optimizer: Optimizer, kept: dict[str, Any]) -> list[dict[str, Any]]:
    """Puts the state of the parameters back, in the types that it had, for torch's own way casts it; the groups as kept.

    The optimizer's own groups stay the objects that they are: a scheduler may hold them.
    """
    groups = optimizer.param_groups
    optimizer.load_state_dict({"state": kept["state"], "param_groups": kept["groups"]})
    loaded, optimizer.param_groups = optimizer.param_groups, groups
    parameters = [p for group in groups for p in group["params"]]
    for index, values in kept["state"].items():
        state = optimizer.state[parameters[index]]
        for key, value in values.items():
            there = state[key].device if isinstance(value, Tensor) else torch.device("cpu")
            if kept["host"] is not None:
                there = torch.device("cpu") if [index, key] in kept["host"] else parameters[index].device
            state[key] = _placed(value, there)
    return loaded


def _placed(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, copy=True)
    return [_placed(item, device) for item in value] if isinstance(value, list) else value


def _optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """`host`: (parameter, key) of what lies on the CPU although the parameters do not; None where they do."""
    state = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    host = [[index, key] for index, values in state["state"].items() for key, value in values.items()
            if isinstance(value, Tensor) and value.device.type == "cpu"]
    elsewhere = any(p.device.type != "cpu" for p in parameters)
    return {"state": state["state"], "groups": state["param_groups"], "host": host if elsewhere else None}


def _parts(optimizer: Optimizer) -> list[Optimizer]:
    parts: list[Optimizer] = getattr(optimizer, "parts", [optimizer])
    return parts


def _unlisted(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that a state_dict leaves out."""
    listed = model.state_dict().keys()
    return {name: buffer for name, buffer in model.named_buffers(remove_duplicate=False) if name not in listed}


def _plain(value: Any, where: str, seen: dict[Any, Tensor]) -> Any:
    """A copy of `value` that can be written, and read without running code; functions in a dict are left out of it.

    What a scheduler was given as a function is given to it again when it is built. `seen`: the copies of tensors so far, so
    that weights which two layers share are kept once.
    """
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, Tensor):
        strided = value.layout == torch.strided and not value.is_nested
        place = (value.data_ptr(), value.shape, value.stride(), value.dtype) if strided else id(value)
        if place not in seen:
            seen[place] = value.detach().resolve_conj().resolve_neg().to("cpu", copy=True)
        return seen[place]
    if isinstance(value, dict):
        kind = Counter if isinstance(value, Counter) else dict
        return kind({key: _plain(item, f"{where}, {key}", seen) for key, item in value.items() if not isinstance(item, _CODE)})
    if isinstance(value, (list, tuple)):
        items = [_plain(item, where, seen) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    if isinstance(value, (int, float)):  # an enumeration, say
        return float(value) if isinstance(value, float) else int(value)
    raise LrtuiError(f"{where}: a {type(value).__name__} cannot be kept: the lane has no snapshots",
                     "expected numbers, text, tensors, and lists and dicts of them")
