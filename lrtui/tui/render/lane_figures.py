"""The figures of a pane: losses, progress, speed and metrics of a lane or of a group of seeds, in
words. Pure."""

from __future__ import annotations

import math

from lrtui.core.numbers import count, duration, loss
from lrtui.core.results.recipe_words import beside_averaged
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import spread_of, value_of
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.render.canvas import text_width


def number_lines(group: SeedGroup, widths: list[int]) -> list[str]:
    """The figures in lines of these widths, most important first; a number is never cut. Of seeds
    the mean loss and its spread, and the steps and the pace of the one that is least far."""
    lane = min(group.lanes, key=lambda lane: (lane.over, lane.steps))
    forms = _losses(group)
    losses = next((text for text in forms if text_width(text) <= widths[0]), forms[-1])
    if len(widths) == 1:
        return [losses]
    total = lane.total_steps or ("" if lane.is_script else "?")
    steps = f"step {lane.steps}{f'/{total}' if total else ''}"
    epochs = f" ep {lane.epoch}/{_epochs(lane)}" if _epochs(lane) else ""
    if lane.is_script and "epoch" in lane.metrics:
        epochs = f" ep {lane.metrics['epoch']:g}"
    if text_width(steps + epochs) <= widths[1]:
        steps += epochs
    return [losses, steps, _pace(lane, widths[-1])][: len(widths)]


def _losses(group: SeedGroup) -> list[str]:
    """The loss of a lane and its best one, or the smoothed losses of seeds; the longest form
    first."""
    lane = group.first
    if len(group.lanes) == 1:
        return [f"loss {lane.last_loss:<8}best {lane.losses.best_text}", f"loss {lane.last_loss}"]
    found = spread_of([value_of(each) for each in group.lanes])
    if not found.known:
        return [f"loss {lane.last_loss}"]
    mean = f"loss {loss(found.mean)}"
    if found.known == 1:
        return [mean]
    span = f"{loss(found.low)}…{loss(found.high)}"
    return [f"{mean} ({span})", f"{mean} ±{loss(found.deviation)}", mean]


def _pace(lane: LaneState, width: int) -> str:
    """Progress, speed and the time that is left; of a script of unknown length speed and time so
    far."""
    if lane.is_script and not lane.total_steps:
        pace = lane.throughput.speed if lane.ended is None else lane.steps_per_second
        per_second = f"{count(pace)}/s " if pace > 0 else ""
        return f"{per_second}in {duration(lane.clock.own_seconds)}" if lane.started else ""
    # epochs may be longer than the declared length of the data
    done = min(lane.steps / lane.total_steps, 1.0) if lane.total_steps else 0.0
    if lane.ended is not None:
        took = lane.ended.at - lane.started.at if lane.started else 0.0
        return (
            f"{done:4.0%} {f'{count(lane.steps / took)}/s in {duration(took)}' if took > 0 else ''}"
        )
    left = (
        max(lane.total_steps - lane.steps, 0) / lane.throughput.speed
        if lane.throughput.speed > 0
        else math.nan
    )
    speed = "" if math.isnan(lane.throughput.speed) else f"{count(lane.throughput.speed)}/s"
    bar = progress_bar(done, 8) + " " if width >= 34 else ""
    return f"{bar}{done:4.0%} {speed:<7} ETA {duration(left)}"


def progress_bar(done: float, width: int) -> str:
    """A bar of `width` cells, filled to the eighth of a cell."""
    eighths = round(min(max(done, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width, "░")


def metric_words(group: SeedGroup, width: int) -> str:
    """The newest metrics, of seeds their means: the first ones of them that fit, as a number is
    never cut."""
    words = ""
    metrics = {
        name: spread_of([lane.metrics.get(name, math.nan) for lane in group.lanes]).mean
        for name in group.first.metrics
    }
    if len(group.lanes) == 1:
        metrics = dict(group.first.metrics)
    if group.first.is_script:  # an epoch stands beside the steps, and validation matters most
        metrics.pop("epoch", None)
        metrics = dict(sorted(metrics.items(), key=lambda item: item[0] != "val_loss"))
    for name in beside_averaged(metrics):
        more = f"{words}  {one_line(name)} {loss(metrics[name])}".lstrip()
        if text_width(more) > width:
            break
        words = more
    return words


def _epochs(lane: LaneState) -> int:
    """Epochs of the budget; 0 where that is not known."""
    known = lane.started is not None and lane.started.length_known
    return (
        math.ceil(lane.total_steps / lane.started.steps_per_epoch) if lane.started and known else 0
    )
