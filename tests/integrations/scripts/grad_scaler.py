"""Mixed precision: gradients are accumulated under torch.amp.GradScaler, unscaled and clipped; a
step whose gradients overflow is skipped.

Prints a JSON line for each update of the scaler: the unscaled losses, and if the step was skipped.
`--init-scale 1e38` makes the first ones overflow.
"""

import argparse
import json

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--steps", type=int, default=40, help="updates of the scaler")
parser.add_argument("--accumulation", type=int, default=2)
parser.add_argument("--init-scale", type=float, default=2.0**16)
parser.add_argument("--clip", type=float, default=1.0)
parser.add_argument("--foreach", action="store_true")
parser.add_argument("--fused", action="store_true", help="the optimizer itself looks for overflows")
parser.add_argument("--seed", type=int)
args = parser.parse_args()
if args.seed is not None:
    torch.manual_seed(args.seed)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.randn(512, 16, device=DEVICE)
y = 10 * x[:, :4].sum(1, keepdim=True).sin()
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1)).to(DEVICE)
optimizer = torch.optim.AdamW(
    model.parameters(), lr=args.lr, foreach=args.foreach or None, fused=args.fused or None
)
scaler = torch.amp.GradScaler(DEVICE, init_scale=args.init_scale)

for step in range(args.steps):
    losses = []
    for _ in range(args.accumulation):
        batch = torch.randint(len(x), (32,), device=DEVICE)
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = nn.functional.mse_loss(model(x[batch]), y[batch]) / args.accumulation
        scaler.scale(loss).backward()
        losses.append(loss.item())
    if args.clip and not args.fused:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)
    scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    skipped = scaler.get_scale() < scale
    print(json.dumps({"step": step, "losses": losses, "skipped": skipped, "lr": args.lr}))
