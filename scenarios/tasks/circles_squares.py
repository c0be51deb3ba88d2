"""Tells circles from squares: a small net on flattened sprites, labels 0 and 1; loss is
BCEWithLogitsLoss."""

from __future__ import annotations

import torch
from sprites import SIZE, draw_many, judged, noisy
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

KINDS = ("circle", "square")  # labels 0 and 1
TRAINING = 512
VALIDATION = 256


class CirclesSquares:
    """A picture in, one number out: above 0 means square, and the further from 0 the surer."""

    def model(self) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def dataset(self) -> tuple[Dataset[tuple[Tensor, ...]], Dataset[tuple[Tensor, ...]]]:
        return TensorDataset(*_shapes(TRAINING, seed=1)), TensorDataset(
            *_shapes(VALIDATION, seed=2)
        )

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        pictures, labels = batch
        return nn.functional.binary_cross_entropy_with_logits(model(pictures).squeeze(1), labels)

    def metrics(self, model: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        pictures, labels = batch
        return {"accuracy": _right(model, pictures, labels).float().mean()}

    def sample(self, model: nn.Module) -> Tensor:
        """Eight sprites that training never saw: framed if the net is right, crossed out if it is
        wrong."""
        pictures, labels = _shapes(8, seed=3)
        device = next(model.parameters()).device
        return judged(pictures, _right(model, pictures.to(device), labels.to(device)).cpu())


def _right(model: nn.Module, pictures: Tensor, labels: Tensor) -> Tensor:
    """Which pictures the model names rightly; a NaN is never right."""
    logits: Tensor = model(pictures).squeeze(1)
    return torch.where(labels > 0.5, logits > 0, logits <= 0)


def _shapes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Shapes of any size and colour, up to a pixel off the middle, under noise: only the form
    tells."""
    pictures, labels = draw_many(KINDS, count, seed, hue=0.5, shift=1)
    return noisy(pictures, 0.1, seed), labels.float()
