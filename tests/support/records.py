"""Races and events to write, for the tests of the store. No torch."""

from lrtui.core.protocol.events import Column, Steps


def block(first, count=10, lane=0, loss=None):
    """A block of steps whose losses are the numbers of the steps, so that a lost or torn one is
    seen."""
    numbers = [float(step) for step in range(first, first + count)]
    columns = {
        "loss": Column.pack(numbers if loss is None else loss),
        "applied_lr": Column.pack([0.1] * count),
        "next_lr": Column.pack([0.1] * count),
        "grad_norm": Column.pack(numbers, "f4"),
        "seconds": Column.pack([0.01] * count, "f4"),
    }
    return Steps(lane=lane, at=float(first), first=first, count=count, columns=columns)


def losses(events, lane=0):
    """The losses of a lane's blocks, held to be whole and to follow each other; `block` made them
    count."""
    found = []
    for event in events:
        if isinstance(event, Steps) and event.lane == lane:
            found += [int(loss) for loss in event.values("loss")]
            assert {len(event.values(name)) for name in event.columns} == {event.count}
    return found


def read_all(reader):
    """Every event from where the reader is to the end of the record."""
    events = reader.poll()
    while not reader.caught_up:
        events += reader.poll()
    return events
