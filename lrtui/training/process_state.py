"""The state of a process that lanes share, one copy for each lane: random generators, imported
modules, the precision of matrix products."""

from __future__ import annotations

import torch

from lrtui.training import rng
from lrtui.training.lane_modules import LaneModules


class ProcessState:
    """One lane's copy, kept while other lanes run."""

    def __init__(self, device: torch.device) -> None:
        self.modules = LaneModules()
        self._device = device
        self._random = rng.capture(torch.device("cpu"))
        self._matmul_precision = torch.get_float32_matmul_precision()

    def enter(self) -> None:
        """Puts the lane's state in place of another lane's."""
        self.modules.enter()
        rng.restore(self._random, self._device)
        torch.set_float32_matmul_precision(self._matmul_precision)

    def leave(self) -> None:
        """Keeps the state until the lane's next turn."""
        self._random = rng.capture(self._device)
        self._matmul_precision = torch.get_float32_matmul_precision()
