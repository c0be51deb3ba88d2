"""Random state, taken out and put back: what keeps lanes that share a process, and measuring, out
of each other's way."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch


class RandomState(NamedTuple):
    """Every global generator that training may draw from."""

    cpu: torch.Tensor
    device: torch.Tensor | None
    python: Any
    numpy: Any
    held: tuple[Any, ...] = ()
    """States, as plain values and tensors, of generators that are not global."""


Source = (
    torch.Generator
    | np.random.Generator
    | np.random.RandomState
    | np.random.BitGenerator
    | random.Random
)
"""A generator that is not global: somebody holds it."""


def seed_all(seed: int) -> None:
    """`torch.manual_seed(seed)` (all devices), and Python's and numpy's generators likewise."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def capture(device: torch.device, held: Sequence[Source] = ()) -> RandomState:
    """The state of all global generators, that of `device` among them, and of those in `held`."""
    return RandomState(
        torch.get_rng_state(),
        _device_state(device),
        random.getstate(),
        np.random.get_state(),
        tuple(map(state_of, held)),
    )


def restore(state: RandomState, device: torch.device, held: Sequence[Source] = ()) -> None:
    """Puts a captured state back; `held`: none, or the same ones as it was captured with."""
    for source, own in zip(held, state.held, strict=bool(held)):
        put_back(source, own)
    torch.set_rng_state(state.cpu)
    if state.device is not None:
        getattr(torch, device.type).set_rng_state(
            state.device, *([device] if device.type == "cuda" else [])
        )
    random.setstate(state.python)
    np.random.set_state(state.numpy)


@contextmanager
def preserved(device: torch.device) -> Iterator[None]:
    """Leaves the generators as it found them."""
    state = capture(device)
    try:
        yield
    finally:
        restore(state, device)


def _device_state(device: torch.device) -> torch.Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def packed(state: RandomState) -> dict[str, Any]:
    """The state as plain values and tensors."""
    return {
        "cpu": state.cpu,
        "device": state.device,
        "python": _listed(state.python),
        "numpy": _listed(state.numpy),
        "held": list(state.held),
    }


def unpacked(kept: dict[str, Any], device: torch.device) -> RandomState:
    """What `packed` was given, as far as it is of use where `device` is the lane's: a GPU's state
    is for its like."""
    own, other = _device_state(device), kept["device"]
    fits = own is not None and other is not None and own.shape == other.shape
    return RandomState(
        kept["cpu"],
        other if fits else None,
        _python(kept["python"]),
        _numpy(kept["numpy"]),
        tuple(kept["held"]),
    )


def state_of(source: Source) -> Any:
    """The state of a generator as plain values and tensors, as `put_back` takes it."""
    if isinstance(source, torch.Generator):
        return source.get_state()
    if isinstance(source, random.Random):
        return _listed(source.getstate())
    if isinstance(source, np.random.RandomState):
        return _listed(source.get_state())
    return _unpacked_arrays(_bits(source).state)


def same_state(one: Any, other: Any) -> bool:
    """Whether two states that `state_of` gave of the same generator are equal."""
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def put_back(source: Source, state: Any) -> None:
    """Gives a generator the state that it had."""
    if isinstance(source, torch.Generator):
        source.set_state(state)
    elif isinstance(source, random.Random):
        source.setstate(_python(state))
    elif isinstance(source, np.random.RandomState):
        source.set_state(_numpy(state))
    else:
        _bits(source).state = state


def _bits(source: np.random.Generator | np.random.BitGenerator) -> np.random.BitGenerator:
    """What a numpy generator draws from; a bit generator is that itself."""
    return source if isinstance(source, np.random.BitGenerator) else source.bit_generator


def _unpacked_arrays(state: Any) -> Any:
    """A numpy generator's state with lists for arrays: it takes either."""
    if isinstance(state, dict):
        return {key: _unpacked_arrays(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def _listed(state: Any) -> list[Any]:
    """(name or version, 32-bit words, ...) with the words as bytes: as numbers they would take ten
    times as long."""
    first, words, *rest = state
    return [first, np.asarray(words, dtype="<u4").tobytes(), *rest]


def _python(kept: list[Any]) -> tuple[Any, ...]:
    version, words, gauss = kept
    return version, tuple(np.frombuffer(words, dtype="<u4").tolist()), gauss


def _numpy(kept: list[Any]) -> tuple[Any, ...]:
    name, keys, *rest = kept
    return name, np.frombuffer(keys, dtype="<u4").astype(np.uint32), *rest
