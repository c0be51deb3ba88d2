"""A GAN on points of a ring: two optimizers that step in turn, the discriminator after two
backward()s, the generator after one.

Prints a JSON line for each step of either optimizer: what it backward()ed before that.
"""

import argparse
import json

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=2e-4)
parser.add_argument("--steps", type=int, default=60, help="of each optimizer")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--seed", type=int)
args = parser.parse_args()
if args.seed is not None:
    torch.manual_seed(args.seed)

NOISE = 4


def net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, outputs))


def ring(count):
    angle = torch.rand(count) * 2 * torch.pi
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(count, 2)


def against(judged, value):
    return cross_entropy(judged, torch.full_like(judged, value))


discriminator, generator = net(2, 1), net(NOISE, 2)
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=args.lr, betas=(0.5, 0.999))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=args.lr / 2, betas=(0.5, 0.999))

for step in range(args.steps):
    made = generator(torch.randn(args.batch_size, NOISE))

    optimizer_d.zero_grad()
    real_loss = against(discriminator(ring(args.batch_size)), 1.0)
    real_loss.backward()
    fake_loss = against(discriminator(made.detach()), 0.0)
    fake_loss.backward()
    optimizer_d.step()
    losses = [real_loss.item(), fake_loss.item()]
    print(json.dumps({"step": step, "optimizer": "D", "losses": losses, "lr": args.lr}))

    optimizer_g.zero_grad()
    loss = against(discriminator(made), 1.0)
    loss.backward()
    optimizer_g.step()
    print(json.dumps({"step": step, "optimizer": "G", "losses": [loss.item()], "lr": args.lr / 2}))
