"""A character-level transformer in the shape of nanoGPT: its own cosine schedule assigns the rate
at every step; gradients are accumulated and clipped; two param groups, one without weight decay.

Prints a JSON line for each optimizer step: what it backward()ed, and the rate that it assigned.
"""

import argparse
import json
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--steps", type=int, default=30)
parser.add_argument("--warmup", type=int, default=5)
parser.add_argument("--accumulation", type=int, default=3)
parser.add_argument("--clip", type=float, default=1.0)
parser.add_argument("--eval-every", type=int, default=10, help="0: never")
parser.add_argument("--seed", type=int, help="without one: whatever the generator is at")
args = parser.parse_args()
if args.seed is not None:
    torch.manual_seed(args.seed)

BATCH, BLOCK, WIDTH, HEADS, LAYERS = 8, 16, 32, 2, 2
text = torch.tensor(list(Path(__file__).read_bytes()))
held_out = len(text) // 10
parts = {"train": text[:-held_out], "val": text[-held_out:]}


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attend = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.project = nn.Linear(WIDTH, WIDTH, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x):
        count, length, _ = x.shape
        heads = self.attend(self.norm1(x)).view(count, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.project(seen.transpose(1, 2).reshape(count, length, WIDTH))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(256, WIDTH)
        self.places = nn.Embedding(BLOCK, WIDTH)
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)), nn.LayerNorm(WIDTH))
        self.head = nn.Linear(WIDTH, 256, bias=False)

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        return functional.cross_entropy(
            self.head(self.layers(x)).flatten(0, 1), targets.flatten(0, 1)
        )


def get_batch(part):
    data = parts[part]
    starts = torch.randint(len(data) - BLOCK - 1, (BATCH,))
    rows = torch.stack([data[start : start + BLOCK + 1] for start in starts])
    return rows[:, :-1], rows[:, 1:]


def get_lr(step):
    """Linear warmup, then half a cosine down to a tenth."""
    if step < args.warmup:
        return args.lr * (step + 1) / (args.warmup + 1)
    done = (step - args.warmup) / max(1, args.steps - args.warmup)
    return args.lr * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def estimate_loss(model):
    model.eval()
    means = {part: sum(model(*get_batch(part)).item() for _ in range(2)) / 2 for part in parts}
    model.train()
    return means


model = Transformer()
matrices = [p for p in model.parameters() if p.dim() >= 2]
vectors = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
    lr=args.lr,
    betas=(0.9, 0.95),
)
batch = get_batch("train")
for step in range(args.steps):
    lr = get_lr(step)
    for group in optimizer.param_groups:
        group["lr"] = lr
    if args.eval_every and step % args.eval_every == 0:
        print(json.dumps({"eval": step, **estimate_loss(model)}))
    losses = []
    for _ in range(args.accumulation):
        loss = model(*batch) / args.accumulation
        batch = get_batch("train")  # fetched ahead
        loss.backward()
        losses.append(loss.item())
    if args.clip:
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    print(json.dumps({"step": step, "losses": losses, "lr": lr}))
