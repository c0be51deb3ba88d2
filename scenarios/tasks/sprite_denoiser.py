"""Cleans noisy sprites: noisy picture in, clean picture out, by a small convolutional net; loss is
L1Loss."""

from __future__ import annotations

import torch
from sprites import DRAWINGS, draw_many, noisy
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

KINDS = tuple(DRAWINGS)
TRAINING = 512
VALIDATION = 64
WIDTH = 16


class SpriteDenoiser:
    """The net sees a neighbourhood of 9 x 9 pixels round each one, enough to know an outline from a
    speck."""

    def model(self) -> nn.Module:
        layers: list[nn.Module] = []
        channels = 3
        for _ in range(3):
            layers += [nn.Conv2d(channels, WIDTH, 3, padding=1), nn.ReLU()]
            channels = WIDTH
        return nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1))

    def dataset(self) -> tuple[Dataset[tuple[Tensor, ...]], Dataset[tuple[Tensor, ...]]]:
        return TensorDataset(*_pairs(TRAINING, seed=1)), TensorDataset(*_pairs(VALIDATION, seed=2))

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        before, target = batch
        return nn.functional.l1_loss(model(before), target)

    def sample(self, model: nn.Module) -> Tensor:
        """Two sprites that training never saw, each as after, before, target: where one picture has
        room it is what came out."""
        before, target = _pairs(2, seed=3)
        after = model(before.to(next(model.parameters()).device)).cpu().nan_to_num(0.0).clamp(0, 1)
        return torch.stack([after, before, target], dim=1).flatten(0, 1)


def _pairs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy sprites and the same sprites clean; a sprite's noise is the same in every epoch."""
    clean, _ = draw_many(KINDS, count, seed, hue=0.06, shift=1)
    return noisy(clean, 0.2, seed), clean
