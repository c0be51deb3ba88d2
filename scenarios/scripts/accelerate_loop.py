"""Accelerate: a plain loop with gradient accumulation, on any device."""

import argparse
import json

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--accumulation", type=int, default=2)
args = parser.parse_args()

x = torch.randn(256, 8)
y = (x[:, :1] * x[:, 1:2]).tanh()

accelerator = Accelerator(gradient_accumulation_steps=args.accumulation)
model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

step, total = 0, 0.0
for _ in range(args.epochs):
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.mse_loss(model(inputs), targets)
            accelerator.backward(loss)  # divides by the accumulation
            total += loss.item() / args.accumulation
            optimizer.step()
            optimizer.zero_grad()
        if accelerator.sync_gradients:
            accelerator.print(json.dumps({"step": step, "loss": total}))
            step, total = step + 1, 0.0
