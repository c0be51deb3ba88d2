"""DistributedDataParallel: each process of torchrun has a share of the data.

torchrun --standalone --nproc-per-node 2 torchrun_ddp.py
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()

on_gpus = torch.cuda.is_available()
dist.init_process_group("nccl" if on_gpus else "gloo")
rank = dist.get_rank()
device = f"cuda:{rank}" if on_gpus else "cpu"

generator = torch.Generator().manual_seed(0)  # the same data in all
x = torch.randn(256, 8, generator=generator)
y = (x[:, :1] * x[:, 1:2]).tanh()
data = TensorDataset(x, y)
sampler = DistributedSampler(data)
loader = DataLoader(data, batch_size=8, sampler=sampler)

net = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 1))
model = DistributedDataParallel(net.to(device))
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)

step = 0
for epoch in range(args.epochs):
    sampler.set_epoch(epoch)
    for inputs, targets in loader:
        outputs = model(inputs.to(device))
        loss = nn.functional.mse_loss(outputs, targets.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if rank == 0:
            print(json.dumps({"step": step, "loss": loss.item()}))
        step += 1
dist.destroy_process_group()
