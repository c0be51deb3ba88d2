"""Takes the weights out of a snapshot: `python -m lrtui.training.weights NAME FILE <SNAPSHOT`, a
process of its own for commands that know no torch.

It is given the open file, which a lane that trains may rename or replace meanwhile; NAME is what
messages call it. Its last line of output is JSON: what was written, or why nothing was.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import torch
from torch import Tensor

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.launch_protocol import WeightsReply
from lrtui.store import snapshots
from lrtui.training import snapshot

AVERAGED = "--averaged"
UNWRITTEN = 74
"""Exit code if the file could not be written."""


def state_dict(state: dict[str, Any], *, averaged: bool) -> tuple[dict[str, Any], str]:
    """The model's state_dict in a snapshot, and which weights it has, in words.

    By default those that the evaluations see: of a schedule-free optimizer not the ones that it
    trains with. `averaged`: the moving average. LrtuiError if there is none.
    """
    model = dict(state["model"])
    average = state.get("average")
    if averaged and not average:
        raise LrtuiError(
            "--averaged: the lane has no averaged weights", "expected a lane with ema in its recipe"
        )
    weights = average["weights"] if averaged and average else state.get("evaluated")
    if weights is None:
        return model, "its weights"
    if "parameters" not in state:
        raise LrtuiError(
            "the snapshot is of a version of lrtui that kept no names of the averaged weights",
            "expected a lane that has trained on since",
        )
    words = "its averaged weights" if averaged else "the weights that its optimizer evaluates with"
    return _replaced(model, state["parameters"], weights), words


def _replaced(model: dict[str, Any], names: list[str], weights: list[Tensor]) -> dict[str, Any]:
    """The state_dict with other values of the parameters, which may stand in it several times."""
    places: dict[Any, list[str]] = {}
    for name, value in model.items():
        if isinstance(value, Tensor):
            places.setdefault(_place(value), []).append(name)
    new = {
        shared: weight
        for name, weight in zip(names, weights, strict=True)
        if name in model
        for shared in places[_place(model[name])]
    }
    return {name: new.get(name, value) for name, value in model.items()}


def _place(value: Tensor) -> Any:
    if value.layout != torch.strided or value.is_nested or not value.numel():
        return id(value)
    return value.data_ptr(), value.shape, value.stride(), value.dtype


def write(source: BinaryIO, name: Path, target: Path, *, averaged: bool) -> WeightsReply:
    """Write the state_dict in a snapshot called `name`; LrtuiError or OSError if that fails."""
    header, payload = snapshots.read(source, name)
    found, words = state_dict(snapshot.decode(payload), averaged=averaged)
    del payload
    buffer = io.BytesIO()
    torch.save(found, buffer)
    with target.open("wb") as file:
        file.write(buffer.getbuffer())
    return WeightsReply(header.step, len(buffer.getbuffer()), words)


def main(arguments: list[str]) -> int:
    """Write what the arguments say, and print the reply."""
    name, target, *flags = arguments
    source = sys.stdin.buffer
    try:
        code, reply = 0, write(source, Path(name), Path(target), averaged=AVERAGED in flags)
    except LrtuiError as error:
        code, reply = 1, WeightsReply(error=error.message, hint=error.hint)
    except OSError as error:
        code, reply = UNWRITTEN, WeightsReply(error=error.strerror or str(error))
    print(msgspec.json.encode(reply).decode(), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
