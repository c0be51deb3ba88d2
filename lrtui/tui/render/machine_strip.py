"""The machine in a row or a few: what it is doing, and the last minutes of it as small bars. Pure
drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from lrtui.core.numbers import size
from lrtui.core.state.race_state import RaceState
from lrtui.tui.machine import Gpu, LaneLoad, Reading
from lrtui.tui.machine_history import BASES, BINS, History
from lrtui.tui.render import styles
from lrtui.tui.render.canvas import Canvas, text_width

BARS = " ▁▂▃▄▅▆▇█"
WIDTHS = (BINS, BINS // 2, BINS // 3, BINS // 5)
"""Cells that a history may take."""


class Part(NamedTuple):
    """Something in the strip."""

    text: str
    past: Sequence[float] = ()
    """In percent, the newest last; empty: it has none."""
    tail: str = ""
    """After the bars."""


def draw(
    canvas: Canvas, state: RaceState, reading: Reading | None, history: History, base: int
) -> None:
    """The strip; `reading` is None while nothing trains: then only what does not change stands
    there."""
    canvas.fill()
    where = devices(state)
    if reading is None:
        canvas.text(1, 0, where, styles.DIM)
        return
    cpu = Part(f"cpu {_percent(reading.cpu)} of {reading.cores}", history.of("cpu", base))
    memory = Part(f"memory {_gigabytes(reading.used, reading.total)}", history.of("memory", base))
    gpus = [
        Part(
            f"gpu {gpu.number} {_percent(gpu.busy)}",
            history.of(f"gpu {gpu.number}", base),
            gpu_words(gpu),
        )
        for gpu in reading.gpus
    ]
    time_base = [Part(f"bars: {BASES[base][0]}")]
    if canvas.height == 1 or not gpus:
        rest = gpus or [Part("no GPU")]
        flat = [part._replace(past=()) for part in (cpu, memory)]
        _row(
            canvas,
            0,
            [
                [Part(where), cpu, memory, *rest, *time_base],
                [cpu, memory, *rest, *time_base],
                [cpu, memory, *rest],
                [*flat, *rest],
                [*flat, Part(_together(reading.gpus))],
                flat,
                flat[:1],
            ],
        )
        return
    _row(canvas, 0, [[Part(where), cpu, memory, *time_base], [cpu, memory, *time_base]])
    rows = canvas.height - 1
    each = -(-len(gpus) // rows)
    for row in range(rows):
        mine = gpus[row * each : (row + 1) * each]
        _row(canvas, 1 + row, [mine, [part._replace(tail="") for part in mine]])


def devices(state: RaceState) -> str:
    """Devices of the race as text: 'cuda:0 · 8 threads a lane'."""
    names = dict.fromkeys(lane.started.device for lane in state.lanes if lane.started)
    threads = next((lane.started.intra_op_threads for lane in state.lanes if lane.started), None)
    return " ".join(names) + (
        f" · {threads} thread{'s' * (threads != 1)} a lane" if threads else ""
    )


def gpu_words(gpu: Gpu) -> str:
    """Memory, power and temperature of a GPU, as far as its driver reports them."""
    figures = [
        (gpu.used, _gigabytes(gpu.used, gpu.total)),
        (gpu.watts, f"{gpu.watts:.0f} W"),
        (gpu.celsius, f"{gpu.celsius:.0f}C"),
    ]
    return " ".join(text for value, text in figures if math.isfinite(value))


def bars(past: Sequence[float], width: int) -> str:
    """Percents as bars, `width` of them, each the mean of as many neighbours; a space where nothing
    is known."""
    if not width or not past:
        return ""
    each = len(past) // width
    groups = [
        [value for value in past[first : first + each] if math.isfinite(value)]
        for first in range(0, each * width, each)
    ]
    return "".join(bar(sum(group) / len(group)) if group else " " for group in groups)


def bar(percent: float) -> str:
    """A bar for 0 to 100; what is known is at least the lowest one."""
    return BARS[1 + round(min(max(percent, 0.0), 100.0) / 100 * (len(BARS) - 2))]


def load_words(load: LaneLoad) -> str:
    """Cost of a lane as text; '' while unknown."""
    among = f" ÷ {load.lanes} lanes" if load.lanes > 1 else ""
    memory = [
        f"{name} {size(value)}"
        for name, value in (("memory", load.memory), ("on GPU", load.gpu_memory))
        if value == value
    ]
    share = [f"{load.share:.0%} of the training time"] if math.isfinite(load.share) else []
    return ", ".join([f"{' '.join(memory)}{among}"] * bool(memory) + share)


def _row(canvas: Canvas, y: int, choices: list[list[Part]]) -> None:
    """The first of some choices that fits, with the widest bars with which it does; the last one
    without, and cut."""
    found = next(
        (
            (parts, width)
            for parts in choices
            for width in WIDTHS
            if _width(parts, width) <= canvas.width - 2
        ),
        (choices[-1], 0),
    )
    x = 1
    for number, part in enumerate(part for part in found[0] if part.text):
        x += canvas.text(x, y, " · " if number else "", styles.DIM)
        x += canvas.text(x, y, part.text, styles.DIM)
        if found[1] and part.past:
            x += canvas.text(x, y, " " + bars(part.past, found[1]), styles.DIM)
        x += canvas.text(x, y, f" {part.tail}" if part.tail else "", styles.DIM)


def _width(parts: list[Part], bar_width: int) -> int:
    shown = [part for part in parts if part.text]
    return sum(
        text_width(part.text)
        + (1 + bar_width) * bool(part.past and bar_width)
        + (1 + len(part.tail)) * bool(part.tail)
        for part in shown
    ) + 3 * (len(shown) - 1)


def _percent(value: float) -> str:
    return f"{value:.0f} %" if math.isfinite(value) else "?"


def _gigabytes(used: float, total: float) -> str:
    return f"{used / 1e9:.1f}/{total / 1e9:.0f} GB"


def _together(gpus: Sequence[Gpu]) -> str:
    """Many GPUs in a few words."""
    busy = [gpu.busy for gpu in gpus if math.isfinite(gpu.busy)]
    if not gpus:
        return "no GPU"
    return f"{len(gpus)} GPUs" + (f" {min(busy):.0f} to {max(busy):.0f} %" if busy else "")
