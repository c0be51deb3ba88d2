"""Predicts how far diabetes goes in a year from ten measurements of a patient: a small ReLU net;
loss is MSE.

Real data: the 442 patients of Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression",
Annals of Statistics 32 (2004), 407-499, in raw units in `diabetes.csv`. The loss is in standardised
units: to guess the mean every time costs 1.0.
"""

from __future__ import annotations

import csv
from pathlib import Path

import torch
from scatter import BLUE, GREY, AxisLimits, blank, column_centres, dot
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

CSV = Path(__file__).with_name("diabetes.csv")
VALIDATION_SHARE = 0.2
# progression, the measured and the predicted
WINDOW = AxisLimits(left=25.0, right=350.0, bottom=25.0, top=350.0)


class Diabetes:
    """A 10-32-32-1 net; inputs and target are standardised by the training patients' mean and
    deviation."""

    def __init__(self) -> None:
        patients = _read(CSV)
        order = torch.randperm(len(patients), generator=torch.Generator().manual_seed(0))
        held_out = round(VALIDATION_SHARE * len(patients))
        training = patients[order[held_out:]]
        self._mean, self._deviation = training.mean(dim=0), training.std(dim=0)
        self._training = self._standardised(training)
        self._validation = self._standardised(patients[order[:held_out]])

    def model(self) -> nn.Module:
        return nn.Sequential(
            *(nn.Linear(10, 32), nn.ReLU()), *(nn.Linear(32, 32), nn.ReLU()), nn.Linear(32, 1)
        )

    def dataset(self) -> tuple[Dataset[tuple[Tensor, ...]], Dataset[tuple[Tensor, ...]]]:
        return TensorDataset(*self._training), TensorDataset(*self._validation)

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        measurements, progression = batch
        return nn.functional.mse_loss(model(measurements), progression)

    def metrics(self, model: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """`error`: how far off a prediction is on average, in points of progression (from 25 to
        346)."""
        measurements, progression = batch
        off = (model(measurements) - progression).abs().mean()
        return {"error": off * self._deviation[-1].item()}

    def sample(self, model: nn.Module) -> Tensor:
        """Held-out patients, measured across and predicted upwards; a perfect net puts them on the
        line."""
        measurements, progression = self._validation
        predicted = model(measurements.to(next(model.parameters()).device)).cpu()
        picture = blank()
        diagonal = column_centres(WINDOW)
        dot(picture, diagonal, diagonal, WINDOW, GREY)
        dot(picture, self._in_points(progression), self._in_points(predicted), WINDOW, BLUE)
        return picture.unsqueeze(0)

    def _standardised(self, patients: Tensor) -> tuple[Tensor, Tensor]:
        scaled = (patients - self._mean) / self._deviation
        return scaled[:, :-1], scaled[:, -1:]

    def _in_points(self, progression: Tensor) -> Tensor:
        return progression[:, 0] * self._deviation[-1] + self._mean[-1]


def _read(path: Path) -> Tensor:
    """All patients, one a row, progression last; lines that start with # say where the data come
    from."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    return torch.tensor([[float(cell) for cell in row] for row in rows[1:]])
