"""The patients of `diabetes.py` with a net that has room to learn all of them by heart."""

from __future__ import annotations

from diabetes import Diabetes
from torch import nn


class DiabetesLarge(Diabetes):
    """A 10-256-256-1 net: 69,000 weights for 354 patients."""

    def model(self) -> nn.Module:
        return nn.Sequential(
            *(nn.Linear(10, 256), nn.ReLU()), *(nn.Linear(256, 256), nn.ReLU()), nn.Linear(256, 1)
        )
