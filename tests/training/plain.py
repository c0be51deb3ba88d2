"""The plain loop over data that is not cut into batches by lrtui: one pass after the other, each as
long as it is."""

import torch
from torch.utils.data import DataLoader


def plain_loop(task, *, seed, lr=0.01, epochs=None, steps=None, make_scheduler=None, batch_size=16):
    """Losses and applied rates of each step; the scheduler steps after each whole pass."""
    torch.manual_seed(seed)
    model = task.model()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    data = task.dataset()
    data = data[0] if isinstance(data, tuple) else data
    own = isinstance(data, DataLoader)
    torch.manual_seed(seed)
    loader = data if own else DataLoader(data, batch_size=batch_size, generator=torch.Generator())
    losses, rates, done = [], [], 0
    while done != epochs:
        model.train()
        for batch in loader:
            if len(losses) == steps:
                return losses, rates
            optimizer.zero_grad()
            loss = task.loss(model, batch)
            loss.backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            losses.append(loss.item())
        if scheduler:
            scheduler.step()
        done += 1
    return losses, rates
