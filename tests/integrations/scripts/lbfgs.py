"""LBFGS: a step calls a closure several times, each of which backward()s; fits a damped wave.

Prints a JSON line for each step: all losses of its closure; the first is the step's own.
"""

import argparse
import json

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.5)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--inner", type=int, default=5, help="most calls of the closure, about")
parser.add_argument("--line-search", choices=["strong_wolfe"])
parser.add_argument("--seed", type=int)
args = parser.parse_args()
if args.seed is not None:
    torch.manual_seed(args.seed)

x = torch.linspace(-3, 3, 128)[:, None]
y = (-x * x / 4).exp() * (3 * x).sin()
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.LBFGS(
    model.parameters(), lr=args.lr, max_iter=args.inner, line_search_fn=args.line_search
)

losses = []


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    losses.append(loss.item())
    return loss


for step in range(args.steps):
    losses.clear()
    first = optimizer.step(closure)
    print(json.dumps({"step": step, "losses": losses, "loss": first.item(), "lr": args.lr}))
