"""Learns to paint sprites: a code goes in (kind and colour), a 16 x 16 picture comes out; loss is
MSE.

The net is a deep stack of sigmoids on purpose. A sigmoid that is pushed too far is flat, a flat one
passes hardly any gradient back, and then no later step can repair it. That is how steps that are
too large leave a net painting one and the same picture, whatever the code.
"""

from __future__ import annotations

import torch
from sprites import DRAWINGS, SIZE, Look, draw
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

KINDS = tuple(DRAWINGS)
CODE = len(KINDS) + 2  # which kind, then hue and brightness
WIDTH = 112
DEPTH = 4

TRAINING = 16 * 16  # 16 steps an epoch, at a batch size of 16
VALIDATION = 64


class SpriteGenerator:
    """Code in, sprite out. Eight numbers of a code name the kind (one is 3, the rest 0), two the
    colour."""

    def model(self) -> nn.Module:
        layers: list[nn.Module] = []
        width, mean = CODE, 0.0
        for _ in range(DEPTH):
            layers += [_centred(width, WIDTH, 5.5, mean), nn.Sigmoid()]
            width, mean = WIDTH, 0.5
        layers += [
            _centred(width, 3 * SIZE * SIZE, 2.0, mean),
            nn.Sigmoid(),
            nn.Unflatten(1, (3, SIZE, SIZE)),
        ]
        return nn.Sequential(*layers)

    def dataset(self) -> tuple[Dataset[tuple[Tensor, ...]], Dataset[tuple[Tensor, ...]]]:
        """The validation sprites are the same kinds in colours that training never shows."""
        return _painted(TRAINING, seed=1), _painted(VALIDATION, seed=2)

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        codes, pictures = batch
        return nn.functional.mse_loss(model(codes), pictures)

    def sample(self, model: nn.Module) -> Tensor:
        """One sprite of each kind, in the middle of its colours."""
        codes = torch.stack([_code(kind, hue=0.0, light=0.0) for kind in range(len(KINDS))])
        pictures: Tensor = model(codes.to(next(model.parameters()).device))
        return pictures


def _centred(inputs: int, outputs: int, gain: float, mean_input: float) -> nn.Linear:
    """A layer whose outputs spread about 0, where a sigmoid is steep.

    A sigmoid's slope is at most 1/4, so with PyTorch's own initial weights each layer passes on a
    small part of the signal, and four layers nearly nothing; a gain above 4 makes up for that. A
    sigmoid's output lies about 1/2, not 0; the bias takes this `mean_input` off again.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, gain)
    with torch.no_grad():
        layer.bias.copy_(-mean_input * layer.weight.sum(dim=1))
    return layer


def _painted(count: int, seed: int) -> TensorDataset:
    """`count` codes with their pictures; the kinds take turns, the colours are drawn from
    `seed`."""
    rng = torch.Generator().manual_seed(seed)
    codes, pictures = [], []
    for number in range(count):
        kind = number % len(KINDS)
        hue, light = (2 * torch.rand(2, generator=rng) - 1).tolist()
        codes.append(_code(kind, hue, light))
        pictures.append(draw(KINDS[kind], Look(hue=0.08 * hue, brightness=0.875 + 0.125 * light)))
    return TensorDataset(torch.stack(codes), torch.stack(pictures))


def _code(kind: int, hue: float, light: float) -> Tensor:
    """`hue` and `light` are in -1..1; 0 is the middle of the kind's colours."""
    code = torch.zeros(CODE)
    code[kind] = 3.0  # large beside hue and light, so that the kinds are told apart first
    code[-2:] = torch.tensor([hue, light])
    return code
