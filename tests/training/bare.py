"""The lines that a lane must equal, bit for bit, with whatever recipe. They use torch and
`lrtui.batch_order`, nothing else of lrtui."""

import math
from contextlib import nullcontext

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import default_collate

import lrtui

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def bare_loop(*args, **keys):
    """Losses and applied rates of each step; arguments as of `bare_steps`."""
    losses, rates = [], []
    for loss, rate in bare_steps(*args, **keys):
        losses.append(loss)
        rates.append(rate)
    return losses, rates


def bare_steps(
    task,
    make_optimizer,
    make_scheduler=None,
    *,
    seed,
    epochs,
    batch_size,
    per_batch=False,
    clip_grad_norm=0.0,
    clip_grad_value=0.0,
    accumulate=1,
    precision="fp32",
    compiled=False,
    ema=0.0,
    ends=None,
):
    """Yields loss and applied rate of each step. `ends`: a dict that gets the model, the average
    and the gradient norms."""
    torch.manual_seed(seed)
    model = task.model()
    called = torch.compile(model) if compiled else model
    groups = task.param_groups(model) if hasattr(task, "param_groups") else model.parameters()
    optimizer = make_optimizer(groups)
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema)) if ema else None
    data = task.dataset()
    data = data[0] if isinstance(data, tuple) else data
    torch.manual_seed(seed)
    norms = []
    if hasattr(optimizer, "train"):
        optimizer.train()
    for epoch in range(epochs):
        model.train()
        order = lrtui.batch_order(seed, epoch, len(data))
        starts = list(range(0, len(data), batch_size))
        for first in range(0, len(starts), accumulate):
            group = starts[first : first + accumulate]
            optimizer.zero_grad()
            total = 0.0
            for start in group:
                batch = default_collate([data[i] for i in order[start : start + batch_size]])
                half = precision in TYPES
                with torch.autocast("cpu", TYPES[precision]) if half else nullcontext():
                    loss = task.loss(called, batch)
                if len(group) > 1:
                    loss = loss / len(group)
                scaler.scale(loss).backward()
                total = total + loss.detach()
            scaler.unscale_(optimizer)
            if clip_grad_norm:
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip_grad_norm)
                norms.append(norm.item())
            if clip_grad_value:
                torch.nn.utils.clip_grad_value_(model.parameters(), clip_grad_value)
            rate = optimizer.param_groups[0]["lr"]
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped = scaler.get_scale() < scale
            if average and not skipped:
                average.update_parameters(model)
            if scheduler and per_batch and not skipped:
                scheduler.step()
            yield total.item(), math.nan if skipped else rate
        if scheduler and not per_batch:
            scheduler.step()
    if ends is not None:
        ends.update(model=model, average=average, norms=norms)
