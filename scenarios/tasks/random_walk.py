"""Reads a random walk step by step and says where it ends: a small recurrent net; loss is MSE.

The weights between two steps begin as the identity, so that the net remembers its 64 inputs from
the start (Le, Jaitly and Hinton, 2015). For the same reason a gradient passes them 64 times, and
nothing keeps it from growing. To say "back at the start" every time costs about 1.0.
"""

from __future__ import annotations

import torch
from scatter import BLUE, GREY, AxisLimits, blank, column_centres, dot
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

STEPS = 64
SPREAD = STEPS**0.5
"""Standard deviation of a walk's end."""
TRAINING, VALIDATION = 512, 256
# the end of a walk, the true and the predicted
WINDOW = AxisLimits(left=-2.5 * SPREAD, right=2.5 * SPREAD, bottom=-2.5 * SPREAD, top=2.5 * SPREAD)


class Recurrent(nn.Module):
    """Sixteen ReLU units that see a step and what they were before it; the last ones give the
    answer."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.RNN(1, 16, nonlinearity="relu", batch_first=True)
        self.answer = nn.Linear(16, 1)
        nn.init.eye_(self.units.weight_hh_l0)

    def forward(self, walks: Tensor) -> Tensor:
        states, _ = self.units(walks)
        answer: Tensor = self.answer(states[:, -1])
        return answer


class RandomWalk:
    """64 steps of +1 or -1 in, their sum over its standard deviation out."""

    def model(self) -> nn.Module:
        return Recurrent()

    def dataset(self) -> tuple[Dataset[tuple[Tensor, ...]], Dataset[tuple[Tensor, ...]]]:
        return TensorDataset(*_walks(TRAINING, seed=1)), TensorDataset(*_walks(VALIDATION, seed=2))

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        walks, ends = batch
        return nn.functional.mse_loss(model(walks), ends)

    def metrics(self, model: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """`error`: how many steps a prediction is off on average."""
        walks, ends = batch
        return {"error": (model(walks) - ends).abs().mean() * SPREAD}

    def sample(self, model: nn.Module) -> Tensor:
        """Walks that training never saw, their ends across and the predicted ones upwards; a
        perfect net puts them on the line."""
        walks, ends = _walks(VALIDATION, seed=2)
        predicted = model(walks.to(next(model.parameters()).device)).cpu()
        picture = blank()
        diagonal = column_centres(WINDOW)
        dot(picture, diagonal, diagonal, WINDOW, GREY)
        dot(picture, ends[:, 0] * SPREAD, predicted[:, 0] * SPREAD, WINDOW, BLUE)
        return picture.unsqueeze(0)


def _walks(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Steps, count x 64 x 1, and ends over their standard deviation, count x 1."""
    rng = torch.Generator().manual_seed(seed)
    steps = 2.0 * torch.randint(0, 2, (count, STEPS, 1), generator=rng) - 1.0
    return steps, steps.sum(dim=1) / SPREAD
