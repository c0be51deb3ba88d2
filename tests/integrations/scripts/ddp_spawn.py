"""DistributedDataParallel over gloo, its processes started by torch.multiprocessing.spawn.

Every process prints a JSON line for each step, and one at its end with a digest of its weights: of
replicas they are equal. So it is under torchrun, too, which starts the processes itself.
"""

import argparse
import hashlib
import json
import os
import tempfile

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def train(rank, args, meeting):
    """One process: its share of each batch, gradients averaged over all."""
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=args.processes)
    torch.manual_seed(args.seed)
    x = torch.randn(256, 8)
    y = (x[:, :1] * x[:, 1:2]).tanh()
    model = DistributedDataParallel(nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.8)
    for step in range(args.steps):
        share = torch.randint(len(x), (args.processes, 16))[rank]
        loss = nn.functional.mse_loss(model(x[share]), y[share])
        optimizer.zero_grad()
        loss.backward()
        lr = optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()
        say(rank, step=step, losses=[loss.item()], lr=lr)
    weights = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    say(rank, end=hashlib.sha256(weights).hexdigest())
    dist.destroy_process_group()


def say(rank, **values):
    """One line in one write, so that the processes' lines do not mix."""
    os.write(1, (json.dumps({"rank": rank, **values}) + "\n").encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if "RANK" in os.environ:  # under torchrun
        args.processes = int(os.environ["WORLD_SIZE"])
        train(int(os.environ["RANK"]), args, "env://")
    else:
        with tempfile.TemporaryDirectory() as folder:
            meeting = f"file://{folder}/meeting"
            torch.multiprocessing.spawn(train, (args, meeting), args.processes)


if __name__ == "__main__":
    main()
