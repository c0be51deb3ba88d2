"""Tasks whose data is not a Dataset of indices that lrtui batches: workers, streams, loaders of
their own, ragged batches."""

import dataclasses
import os
import signal
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    SequentialSampler,
    TensorDataset,
    get_worker_info,
)


def table(n=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator)
    return x, x.sum(1, keepdim=True)


class Linear:
    """Dropout, so that training draws random numbers of its own."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))

    def dataset(self):
        return TensorDataset(*table())

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])


class Noisy(Dataset):
    """Each time that it is fetched, a sample has other noise."""

    def __init__(self, n=48, seed=0):
        self.x, self.y = table(n, seed)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index] + 0.1 * torch.randn(4) + 0.1 * float(np.random.rand()), self.y[index]


class Counting(Sampler):
    """Another order in each pass, of which it keeps count itself."""

    def __init__(self, data):
        self.data, self.passes = data, 0

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        self.passes += 1
        return iter(
            torch.randperm(
                len(self.data), generator=torch.Generator().manual_seed(self.passes)
            ).tolist()
        )


class Workers(Linear):
    """Two workers, a dataset of this file and a lambda; shuffled by the global generator."""

    def dataset(self):
        return DataLoader(
            Noisy(),
            batch_size=8,
            shuffle=True,
            num_workers=2,
            collate_fn=lambda rows: [torch.stack(column) for column in zip(*rows, strict=True)],
        )


class Persistent(Linear):
    """One worker that stays, a function of this method that sets it up, a sampler of this file."""

    def dataset(self):
        def set_up(number):
            get_worker_info().dataset.x.mul_(1 + number)

        data = Noisy()
        return DataLoader(
            data,
            batch_size=8,
            sampler=Counting(data),
            num_workers=1,
            persistent_workers=True,
            prefetch_factor=3,
            worker_init_fn=set_up,
        )


class Shared(IterableDataset):
    """A stream of which each worker takes its share."""

    def __init__(self, n=52):
        self.n = n

    def __iter__(self):
        x, y = table(self.n)
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for index in range(first, self.n, step):
            yield x[index] + 0.1 * torch.randn(4), y[index]


class SizedShared(Shared):
    def __len__(self):
        return self.n


class StreamOfWorkers(Linear):
    """Two workers that share a stream; validated by a loader with a worker, too. No length."""

    def dataset(self):
        return DataLoader(Shared(), batch_size=8, num_workers=2), DataLoader(
            Noisy(20, 1), batch_size=8, num_workers=1
        )


class RoundedUp(Linear):
    """A sized stream that two workers cut into more batches than its length says: 26 samples each
    are 4 batches, not 7 in all."""

    def dataset(self):
        return DataLoader(SizedShared(), batch_size=8, num_workers=2)


class Bare(Linear):
    """A finite stream without a DataLoader and without a length."""

    def dataset(self):
        return Shared()


class Sized(Linear):
    """A stream with a length, without a DataLoader, and validation data with indices."""

    def dataset(self):
        return SizedShared(), TensorDataset(*table(20, 1))


class Endless(IterableDataset):
    """More than any memory holds."""

    made = 0

    def __iter__(self):
        x, y = table()
        while True:
            for row in zip(x, y, strict=True):
                Endless.made += 1
                yield row


class EndlessLoader(Linear):
    def dataset(self):
        return DataLoader(Endless(), batch_size=8)


class Claiming(Endless):
    """Endless, and said to have 2**40 samples."""

    def __len__(self):
        return 2**40


class HugeLength(Linear):
    def dataset(self):
        return DataLoader(Claiming(), batch_size=8)


class OnlyOnce(Linear):
    """A stream that is used up after the first pass."""

    def dataset(self):
        class Rows(IterableDataset):
            rows = iter(zip(*table(16), strict=True))

            def __iter__(self):
                return self.rows

        return Rows()


class Bucketed(Linear):
    """Batches of sizes of their own, by a batch sampler whose length is a guess, and too low."""

    def dataset(self):
        class Buckets(Sampler):
            def __len__(self):
                return 5

            def __iter__(self):
                return iter(
                    [
                        [0, 1],
                        [2, 3, 4],
                        list(range(5, 15)),
                        [15],
                        list(range(16, 40)),
                        [40, 41, 42, 43, 44, 45, 46, 47],
                    ]
                )

        return DataLoader(TensorDataset(*table()), batch_sampler=Buckets())


class CountedPasses(Linear):
    """A loader in this process, with a sampler that counts its passes."""

    def dataset(self):
        data = TensorDataset(*table())
        return DataLoader(data, batch_size=8, sampler=Counting(data))


class DrawsFromItsData(Linear):
    """A sampler that draws from a generator of the data set, which is copied with no sampler."""

    def dataset(self):
        class Order(Sampler):
            def __init__(self, data):
                self.data = data

            def __len__(self):
                return len(self.data)

            def __iter__(self):
                return iter(torch.randperm(len(self.data), generator=self.data.generator).tolist())

        data = TensorDataset(*table())
        data.generator = torch.Generator().manual_seed(5)
        return DataLoader(data, batch_size=8, sampler=Order(data))


class CountsOnItsClass(Linear):
    """A sampler whose order depends on a counter of its class."""

    def dataset(self):
        class Passes(Sampler):
            made = 0

            def __len__(self):
                return 48

            def __iter__(self):
                Passes.made += 1
                return iter(
                    torch.randperm(
                        48, generator=torch.Generator().manual_seed(Passes.made)
                    ).tolist()
                )

        return DataLoader(TensorDataset(*table()), batch_size=8, sampler=Passes())


class TakesFromAStream(Linear):
    """A sampler whose order depends on the position of an iterator that the data set holds."""

    def dataset(self):
        class Turning(Sampler):
            def __init__(self, data):
                self.data = data

            def __len__(self):
                return len(self.data)

            def __iter__(self):
                first = next(self.data.starts)
                return iter([*range(first, 48), *range(first)])

        data = TensorDataset(*table())
        data.starts = iter(range(5, 48))
        return DataLoader(data, batch_size=8, sampler=Turning(data))


class Normed(Linear):
    """49 samples: in batches of 8 the last one is a single sample."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))

    def dataset(self):
        return TensorDataset(*table(49))


class NormedLoader(Normed):
    def dataset(self):
        return DataLoader(TensorDataset(*table(49)), batch_size=8)


class FourApart(Linear):
    """A DataLoader of batches of four."""

    def dataset(self):
        return DataLoader(TensorDataset(*table()), batch_size=4)


class Ragged(Linear):
    """Samples of unequal length."""

    def dataset(self):
        return [(torch.ones(1 + index % 3), torch.zeros(1)) for index in range(16)]


class Point(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


@dataclasses.dataclass
class Row:
    x: torch.Tensor
    name: str


class Dataclasses(Linear):
    """Samples that default_collate cannot take."""

    def dataset(self):
        return [Row(torch.ones(4), "one") for _ in range(16)]


class Named(Linear):
    """Named tuples; strings beside tensors."""

    def dataset(self):
        x, y = table()
        return [
            {"name": f"row {index}", "point": Point(x[index], y[index])} for index in range(len(x))
        ]

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch["point"].x), batch["point"].y)


class BadRow(Noisy):
    """Goes wrong at its last sample, as `how` says."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def __getitem__(self, index):
        if index == 47:
            if self.how == "raise":
                raise ValueError(f"row {index} has no label\nand more to say")
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(7)
        return super().__getitem__(index)


class Failing(Linear):
    how = "raise"

    def dataset(self):
        return DataLoader(BadRow(self.how), batch_size=8, num_workers=2)


class Killed(Failing):
    how = "kill"


class Left(Failing):
    how = "exit"


class RaggedInWorkers(Linear):
    def dataset(self):
        return DataLoader(
            [torch.ones(1 + index % 3) for index in range(16)], batch_size=8, num_workers=1
        )


class Patient(Linear):
    """Three workers that stay, and steps enough to be met at work."""

    def dataset(self):
        print(f"trainer {os.getpid()}", flush=True)
        return DataLoader(Noisy(), batch_size=8, num_workers=3, persistent_workers=True)


class Spawned(Linear):
    """A worker that is spawned, as those must be that use CUDA: dataset and function of this file
    come to it by pickle."""

    def dataset(self):
        return DataLoader(
            Noisy(),
            batch_size=8,
            num_workers=1,
            multiprocessing_context="spawn",
            collate_fn=stacked,
        )


def stacked(rows):
    return [torch.stack(column) for column in zip(*rows, strict=True)]


class Whole(Linear):
    """A loader that batches nothing: its stream gives batches, of several sizes."""

    def dataset(self):
        class Batches(IterableDataset):
            def __iter__(self):
                x, y = table()
                for first in range(0, 48, 12):
                    yield x[first : first + 5 + first // 12], y[first : first + 5 + first // 12]

        return DataLoader(Batches(), batch_size=None)


class ByBatchSampler(Linear):
    """Batches of six, by torch's own batch sampler."""

    def dataset(self):
        data = TensorDataset(*table())
        return DataLoader(
            data, batch_sampler=BatchSampler(SequentialSampler(data), 6, drop_last=False)
        )


class EndlessValidated(Linear):
    """A stream without an end, and validation data."""

    def dataset(self):
        return Endless(), TensorDataset(*table(20, seed=1))
