"""Names the kind of a sprite, one of eight: a small CNN, batch norm, dropout; loss is
CrossEntropyLoss."""

from __future__ import annotations

from sprites import DRAWINGS, draw_many, judged, noisy
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

KINDS = tuple(DRAWINGS)
TRAINING = 512
VALIDATION = 256


class SpriteCategories:
    """A picture in, eight scores out. Batch norm and dropout make train() and eval() two different
    nets."""

    def model(self) -> nn.Module:
        return nn.Sequential(
            # 8 x 8
            *(nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2)),
            # 4 x 4
            *(nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(24 * 4 * 4, len(KINDS))),
        )

    def dataset(self) -> tuple[Dataset[tuple[Tensor, ...]], Dataset[tuple[Tensor, ...]]]:
        return TensorDataset(*_sprites(TRAINING, seed=1)), TensorDataset(
            *_sprites(VALIDATION, seed=2)
        )

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        pictures, kinds = batch
        return nn.functional.cross_entropy(model(pictures), kinds)

    def metrics(self, model: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        pictures, kinds = batch
        return {"accuracy": _right(model, pictures, kinds).float().mean()}

    def sample(self, model: nn.Module) -> Tensor:
        """A sprite of each kind that training never saw: framed if the net is right, crossed out if
        wrong."""
        pictures, kinds = _sprites(8, seed=3)
        device = next(model.parameters()).device
        return judged(pictures, _right(model, pictures.to(device), kinds.to(device)).cpu())


def _right(model: nn.Module, pictures: Tensor, kinds: Tensor) -> Tensor:
    """Which pictures the model names rightly; a NaN is never right, though argmax would pick it."""
    scores: Tensor = model(pictures)
    return (scores.argmax(dim=1) == kinds) & scores.isfinite().all(dim=1)


def _sprites(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sprites of any colour, moved and mirrored, under noise: only the outline tells the kind."""
    pictures, kinds = draw_many(KINDS, count, seed, hue=0.5, shift=2)
    return noisy(pictures, 0.15, seed), kinds
