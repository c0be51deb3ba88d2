"""Captures and restores random state: keeps lanes that share a process, and measuring, apart."""

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
    generators: tuple[Any, ...] = ()
    """States of generators that are not global, as plain values and tensors."""


Generator = (
    torch.Generator
    | np.random.Generator
    | np.random.RandomState
    | np.random.BitGenerator
    | random.Random
)
"""A generator that is not global: an object of the user's holds it."""


def seed_all(seed: int) -> None:
    """Calls `torch.manual_seed(seed)` (all devices), and seeds Python's and numpy's generators."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def capture(device: torch.device, generators: Sequence[Generator] = ()) -> RandomState:
    """The state of all global generators, including that of `device`, and of `generators`."""
    return RandomState(
        torch.get_rng_state(),
        _device_state(device),
        random.getstate(),
        np.random.get_state(),
        tuple(map(get_state, generators)),
    )


def restore(state: RandomState, device: torch.device, generators: Sequence[Generator] = ()) -> None:
    """Restores a captured state; `generators`: none, or those that it was captured with."""
    for generator, own in zip(generators, state.generators, strict=bool(generators)):
        set_state(generator, own)
    torch.set_rng_state(state.cpu)
    if state.device is not None:
        getattr(torch, device.type).set_rng_state(
            state.device, *([device] if device.type == "cuda" else [])
        )
    random.setstate(state.python)
    np.random.set_state(state.numpy)


@contextmanager
def preserved(device: torch.device, generators: Sequence[Generator] = ()) -> Iterator[None]:
    """Restores the global generators, and those given, on exit."""
    state = capture(device, generators)
    try:
        yield
    finally:
        restore(state, device, generators)


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
        "held": list(state.generators),
    }


def unpacked(kept: dict[str, Any], device: torch.device) -> RandomState:
    """Reverses `packed`; a device's state is dropped if it does not fit `device`."""
    own, other = _device_state(device), kept["device"]
    fits = own is not None and other is not None and own.shape == other.shape
    return RandomState(
        kept["cpu"],
        other if fits else None,
        _python(kept["python"]),
        _numpy(kept["numpy"]),
        tuple(kept["held"]),
    )


def get_state(generator: Generator) -> Any:
    """The state of a generator as plain values and tensors, as `set_state` takes it."""
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, random.Random):
        return _listed(generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return _listed(generator.get_state())
    return _without_arrays(_bits(generator).state)


def same_state(one: Any, other: Any) -> bool:
    """True if two states that `get_state` returned of the same generator are equal."""
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def set_state(generator: Generator, state: Any) -> None:
    """Sets a generator to a state that `get_state` returned."""
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, random.Random):
        generator.setstate(_python(state))
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(_numpy(state))
    else:
        _bits(generator).state = state


def _bits(generator: np.random.Generator | np.random.BitGenerator) -> np.random.BitGenerator:
    """The bit generator of a numpy generator, or itself."""
    return generator if isinstance(generator, np.random.BitGenerator) else generator.bit_generator


def _without_arrays(state: Any) -> Any:
    """A numpy generator's state with lists for arrays; numpy takes either."""
    if isinstance(state, dict):
        return {key: _without_arrays(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state


def _listed(state: Any) -> list[Any]:
    """(name or version, 32-bit words, ...) with the words as bytes: as numbers they take ten times
    as long."""
    first, words, *rest = state
    return [first, np.asarray(words, dtype="<u4").tobytes(), *rest]


def _python(kept: list[Any]) -> tuple[Any, ...]:
    version, words, gauss = kept
    return version, tuple(np.frombuffer(words, dtype="<u4").tolist()), gauss


def _numpy(kept: list[Any]) -> tuple[Any, ...]:
    name, keys, *rest = kept
    return name, np.frombuffer(keys, dtype="<u4").astype(np.uint32), *rest
