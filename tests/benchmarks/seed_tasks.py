"""The held-out tasks of verdicts.py with a quarter of their samples held out, so that they have a
validation loss too."""

import torch
import verdict_tasks
from torch.utils.data import random_split


class _Split:
    def dataset(self):
        every = super().dataset()
        held = len(every) // 4
        return tuple(
            random_split(every, [len(every) - held, held], torch.Generator().manual_seed(9))
        )


class CNN(_Split, verdict_tasks.CNN):
    """Convolutions with batch norm."""


class Dropped(_Split, verdict_tasks.Dropped):
    """A deep MLP with dropout."""


class Transformer(_Split, verdict_tasks.Transformer):
    """A small transformer."""


class Recurrent(_Split, verdict_tasks.Recurrent):
    """A recurrent net."""
