"""The machine's row: the most important that fits, true bars, nothing that was not read."""

from __future__ import annotations

import math

import pytest

from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui.machine import Gpu, LaneLoad, Reading
from lrtui.tui.machine_history import BINS, History
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.render.machine_strip import bars, draw, gpu_words, load_words
from support.fake_run import make_race, started

GPU = Gpu(0, 93.0, 10.2e9, 80e9, 285.4, 61.0)


@pytest.fixture
def state() -> RaceState:
    found = RaceState(make_race(("steady",)))
    apply(found, started(0))
    return found


def drawn(
    state: RaceState,
    width: int,
    height: int,
    gpus: tuple[Gpu, ...] = (),
    *,
    reading: bool = True,
    base: int = 0,
) -> list[str]:
    history = History()
    for second in range(0, 120, 2):
        history.take(
            float(second),
            {"cpu": 50.0, "memory": 100.0, **{f"gpu {gpu.number}": gpu.busy for gpu in gpus}},
        )
    canvas = Canvas(width, height)
    now = Reading(0.0, 87.4, 8, 12.1e9, 64e9, gpus) if reading else None
    draw(canvas, state, now, history, base)
    return ["".join(map(chr, row)).strip() for row in canvas.codes]


def test_without_a_gpu_there_is_one_quiet_word(state):
    assert drawn(state, 120, 1) == [
        f"cpu · 1 thread a lane · cpu 87 % of 8 {'▅' * 15} · memory 12.1/64 GB {'█' * 15} · no GPU"
        " · bars: 1 min"
    ]
    assert drawn(state, 80, 1) == [
        f"cpu 87 % of 8 {'▅' * 10} · memory 12.1/64 GB {'█' * 10} · no GPU · bars: 1 min"
    ]
    assert drawn(state, 60, 1)[0].startswith(
        "cpu 87 % of 8 ▅▅▅▅▅▅ · memory 12.1/64 GB ██████ · no GPU"
    )
    for width in range(4, 60):  # beside other words: no part is cut
        parts = drawn(state, width, 1)[0].split(" · ")
        assert {part.rstrip(" ▅█") for part in parts[1:]} <= {"memory 12.1/64 GB", "no GPU"}
    assert drawn(state, 45, 1) == ["cpu 87 % of 8 · memory 12.1/64 GB · no GPU"]
    assert drawn(state, 40, 1) == ["cpu 87 % of 8 · memory 12.1/64 GB"]
    assert drawn(state, 20, 1) == ["cpu 87 % of 8"]


def test_while_nothing_trains_only_the_devices_stand_there(state):
    assert drawn(state, 120, 3, (GPU,), reading=False) == ["cpu · 1 thread a lane", "", ""]


def test_a_gpu_has_its_load_memory_power_and_temperature(state):
    assert "gpu 0 93 % " in drawn(state, 120, 1, (GPU,))[0]
    assert drawn(state, 80, 1, (GPU,)) == [
        "cpu 87 % of 8 · memory 12.1/64 GB · gpu 0 93 % ██████████ 10.2/80 GB 285 W 61C"
    ]
    assert drawn(state, 120, 1, (GPU,))[0].count("10.2/80 GB 285 W 61C") == 1
    rows = drawn(state, 200, 2, (GPU,), base=2)
    assert rows[0].endswith("bars: 30 min")
    assert rows[1] == f"gpu 0 93 % {' ' * (BINS - 2)}██ 10.2/80 GB 285 W 61C"


def test_many_gpus_share_the_rows(state):
    gpus = tuple(GPU._replace(number=number) for number in range(8))
    rows = drawn(state, 200, 5, gpus)
    assert [row.count("gpu ") for row in rows] == [0, 2, 2, 2, 2]
    assert "8 GPUs 93 to 93 %" in drawn(state, 80, 1, gpus)[0]


def test_what_a_gpu_does_not_tell_is_left_out(state):
    assert gpu_words(Gpu(0, math.nan, 1e9, 8e9)) == "1.0/8 GB"
    row = drawn(state, 120, 1, (Gpu(0),))[0]
    assert "gpu 0 ?" in row
    assert "nan" not in row


def test_bars_are_the_means_of_neighbours():
    assert bars([0.0, 100.0] * 15, 15) == "▅" * 15
    assert bars([0.0] * 15 + [100.0] * 15, 10) == "▁▁▁▁▁█████"
    assert bars([math.nan] * 20 + [50.0] * 10, 3) == "  ▅"
    assert bars([50.0] * 30, 0) == ""
    assert bars([math.inf, 250.0, -5.0], 3) == " █▁"


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (LaneLoad(312e6, math.nan, 1, 0.24), "memory 312 MB, 24% of the training time"),
        (
            LaneLoad(312e6, 1.24e9, 3, 0.24),
            "memory 312 MB on GPU 1.24 GB ÷ 3 lanes, 24% of the training time",
        ),
        (LaneLoad(math.nan, math.nan, 3, 0.5), "50% of the training time"),
        (LaneLoad(math.nan, math.nan, 1, math.nan), ""),
    ],
)
def test_what_a_lane_costs_in_words(load, words):
    assert load_words(load) == words
