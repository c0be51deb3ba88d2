"""The held-out tasks of verdicts.py: four kinds of net that no threshold was chosen on. Loaded by
file, as a person's own.

Their data are made here from a fixed seed, so that nothing has to be fetched.
"""

import math

import torch
from torch import nn
from torch.utils.data import TensorDataset


def _generator(seed):
    return torch.Generator().manual_seed(seed)


def _strokes(count, size, seed):
    """Pictures of one of four strokes (-, |, / and \\) somewhere in noise, and which one it is."""
    made = _generator(seed)
    kind = torch.randint(0, 4, (count,), generator=made)
    across = torch.randint(3, size - 3, (count, 2), generator=made)
    pictures = 0.3 * torch.randn(count, 1, size, size, generator=made)
    for picture, which, (x, y) in zip(pictures, kind.tolist(), across.tolist(), strict=True):
        for along in range(-3, 4):
            dx, dy = ((1, 0), (0, 1), (1, 1), (1, -1))[which]
            if 0 <= x + dx * along < size and 0 <= y + dy * along < size:
                picture[0, y + dy * along, x + dx * along] += 1.0
    return TensorDataset(pictures, kind)


class CNN:
    """Convolutions with batch norm; four classes of pictures."""

    def model(self):
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 4),
        )

    def dataset(self):
        return _strokes(512, 12, seed=1)

    def loss(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])


class Dropped:
    """A deep MLP with dropout; a smooth function of twelve numbers."""

    def model(self):
        return nn.Sequential(
            nn.Linear(12, 64),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(64, 1),
        )

    def dataset(self):
        made = _generator(2)
        x = torch.randn(1024, 12, generator=made)
        y = torch.sin(x[:, :4].sum(1)) + 0.5 * x[:, 4] * x[:, 5] + x[:, 6:9].sum(1)
        return TensorDataset(x, (y + 0.1 * torch.randn(1024, generator=made))[:, None])

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])


def _text(count, length, symbols, seed):
    """Sequences in which each symbol follows from the two before it, nine times out of ten."""
    made = _generator(seed)
    table = torch.randint(0, symbols, (symbols, symbols), generator=made)
    text = torch.randint(0, symbols, (count, length), generator=made)
    chance = torch.rand(count, length, generator=made)
    for place in range(2, length):
        follows = table[text[:, place - 2], text[:, place - 1]]
        text[:, place] = torch.where(chance[:, place] < 0.9, follows, text[:, place])
    return TensorDataset(text)


class _Attention(nn.Module):
    """Two layers of a transformer that sees only what came before."""

    def __init__(self, symbols, length, width=32):
        super().__init__()
        self.symbol, self.place = nn.Embedding(symbols, width), nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(width, symbols)

    def forward(self, text):
        length = text.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        return self.out(
            self.layers(
                self.symbol(text) + self.place(torch.arange(length)), mask=mask, is_causal=True
            )
        )


class Transformer:
    """A small transformer that predicts the next of twelve symbols."""

    def model(self):
        return _Attention(12, 15)

    def dataset(self):
        return _text(512, 16, 12, seed=3)

    def loss(self, model, batch):
        text = batch[0]
        return nn.functional.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


class _Gated(nn.Module):
    """A gated recurrent net that reads a wave and says what comes next."""

    def __init__(self, width=24):
        super().__init__()
        self.cells, self.out = nn.GRU(1, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, wave):
        return self.out(self.cells(wave)[0])


class Recurrent:
    """A recurrent net that continues noisy waves of different lengths."""

    def model(self):
        return _Gated()

    def dataset(self):
        made = _generator(4)
        start, length = (torch.rand(512, 1, generator=made) * scale for scale in (2 * math.pi, 0.6))
        wave = torch.sin(start + (0.3 + length) * torch.arange(20.0)) + 0.05 * torch.randn(
            512, 20, generator=made
        )
        return TensorDataset(wave[:, :, None])

    def loss(self, model, batch):
        wave = batch[0]
        return nn.functional.mse_loss(model(wave[:, :-1]), wave[:, 1:])


class _Noisy:
    """A regression whose labels carry as much noise as signal."""

    inputs, noise = 4, 2.0

    def model(self):
        return nn.Sequential(nn.Linear(self.inputs, 16), nn.Tanh(), nn.Linear(16, 1))

    def dataset(self):
        made = _generator(5)
        x = torch.randn(512, self.inputs, generator=made)
        y = (
            x[:, 0]
            - 2.0 * x[:, 1]
            + torch.sin(2.0 * x[:, 2])
            + self.noise * torch.randn(512, generator=made)
        )
        return TensorDataset(x, y[:, None])

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])


class NoisyLine(_Noisy):
    """A linear model of it, one sample a batch."""

    def model(self):
        return nn.Linear(self.inputs, 1)


class NoisyNet(_Noisy):
    """A small net of it, four samples a batch."""


class NoisyTails(_Noisy):
    """Labels whose noise has heavy tails: one in twenty is off by ten times as much."""

    noise = 0.5

    def dataset(self):
        x, y = super().dataset().tensors
        off = torch.rand(len(y), 1, generator=_generator(6)) < 0.05
        return TensorDataset(
            x, torch.where(off, y + 10.0 * torch.randn(len(y), 1, generator=_generator(7)), y)
        )


class NoisyClasses:
    """Three classes, a quarter of the labels wrong."""

    def model(self):
        return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))

    def dataset(self):
        made = _generator(8)
        x = torch.randn(512, 6, generator=made)
        y = (x[:, :3] + 0.5 * x[:, 3:]).argmax(1)
        wrong = torch.rand(512, generator=made) < 0.25
        return TensorDataset(x, torch.where(wrong, torch.randint(0, 3, (512,), generator=made), y))

    def loss(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])


class Unscaled(_Noisy):
    """Inputs of very different scales, so that the losses of single samples differ by orders of
    magnitude."""

    noise = 1.0

    def dataset(self):
        x, y = super().dataset().tensors
        return TensorDataset(
            x * torch.tensor([4.0, 1.0, 0.25, 1.0]), y * (1.0 + x[:, 3:].abs() ** 2)
        )
