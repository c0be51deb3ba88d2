"""The twenty lines that a lane must equal, bit for bit. It uses torch and `lrtui.batch_order`,
nothing else of lrtui."""

import torch
from torch.utils.data import default_collate

import lrtui


def bare_loop(
    task, make_optimizer, make_scheduler=None, *, seed, epochs, batch_size, per_batch=False
):
    """Losses and applied rates of each step."""
    torch.manual_seed(seed)
    model = task.model()
    optimizer = make_optimizer(model.parameters())
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    data = task.dataset()
    data = data[0] if isinstance(data, tuple) else data
    torch.manual_seed(seed)
    losses, rates = [], []
    for epoch in range(epochs):
        model.train()
        order = lrtui.batch_order(seed, epoch, len(data))
        for start in range(0, len(data), batch_size):
            batch = default_collate([data[i] for i in order[start : start + batch_size]])
            optimizer.zero_grad()
            loss = task.loss(model, batch)
            loss.backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            losses.append(loss.item())
            if scheduler and per_batch:
                scheduler.step()
        if scheduler and not per_batch:
            scheduler.step()
    return losses, rates
