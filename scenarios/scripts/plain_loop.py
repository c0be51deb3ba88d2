"""A plain PyTorch loop: a small net tells two spirals apart."""

import argparse
import json

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--steps", type=int, default=300)
parser.add_argument("--batch-size", type=int, default=64)
args = parser.parse_args()

angle = torch.rand(1024) * 2 * torch.pi
label = torch.arange(1024) % 2
turned = angle + torch.pi * label
points = torch.stack([turned.cos(), turned.sin()], 1) * angle[:, None] / 6

layers = nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()
model = nn.Sequential(*layers, nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)

for step in range(args.steps):
    batch = torch.randint(len(points), (args.batch_size,))
    loss = nn.functional.cross_entropy(model(points[batch]), label[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    print(json.dumps({"step": step, "loss": loss.item()}))
