"""What is called the batch size is that of the batches that were trained on."""

import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from lrtui.core.charts.axes import whole
from lrtui.core.protocol.events import Column, Started, Steps
from lrtui.core.results.batch_size import batch_size, batch_words
from lrtui.core.results.differences import differences
from lrtui.core.results.fairness import fairness
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario import scenario_file
from lrtui.core.state.race_state import RaceState, apply
from lrtui.plain.json_lines import _race
from lrtui.report.page_data import page_data
from lrtui.report.repeat import proof
from lrtui.tui.render.lane_figures import number_lines

RACE = scenario_file.parse(
    {"task": "straight-line", "steps": 40, "batch_size": 8, "lane": [{"lr": 0.1}, {"lr": 0.2}]},
    source="test",
    folder=Path("/nowhere"),
)
BEGUN = Started(
    lane=0,
    at=1.0,
    device="cpu",
    steps_per_epoch=10,
    total_steps=40,
    parameters=3,
    init_checksum="abcdef",
    batch_checksum="123456",
    intra_op_threads=1,
    validated=False,
)


def state(race=RACE, **told):
    made = RaceState(race)
    apply(made, replace(BEGUN, **told))
    return made


@pytest.mark.parametrize(
    ("told", "size", "words", "samples"),
    [
        (4, 4, "batch 4", 160),
        (8, 8, "batch 8", 320),
        (0, None, "batches of their own size", 40),
        (None, 8, "batch 8", 320),
    ],
)
def test_is_told_by_the_lanes(told, size, words, samples):
    known = state(batch_size=told)
    assert batch_size(known.lanes, RACE) == size
    assert batch_words(known.lanes, RACE) == words
    assert json.load(io.StringIO(json.dumps(_race(known, RACE, "run"))))["batch_size"] == size
    assert words in differences(known.lanes, RACE).common
    assert whole(known, "samples").stop == samples
    assert page_data(known)["lanes"][0]["stepSamples"] == (size or 1)


def test_is_what_was_asked_for_before_a_lane_has_started():
    assert batch_size(RaceState(RACE).lanes, RACE) == 8


def test_a_batch_that_is_left_out_is_said_where_lrtui_makes_the_batches():
    race = replace(RACE, drop_last=True)
    assert batch_words(state(race, batch_size=8).lanes, race) == "batch 8, last one dropped"
    assert batch_words(state(race, batch_size=4).lanes, race) == "batch 4"


def test_an_order_that_nobody_knows_beforehand_is_not_made_up():
    known = state(batch_checksum="", length_known=False, steps_per_epoch=40)
    assert fairness(known).words == "fair: weights abcdef"
    assert "batches" not in proof(known)
    assert "weights abcdef say" in proof(known)
    assert _race(known, RACE, "run")["lanes"][0]["batch_checksum"] is None
    assert not any(
        " ep " in line for line in number_lines(SeedGroup((known.lanes[0],)), [40, 40, 40, 40])
    )
    assert any(
        " ep 0/4" in line for line in number_lines(SeedGroup((state().lanes[0],)), [40, 40, 40, 40])
    )


def test_a_lane_that_went_further_than_its_data_said_is_done():
    known = state(total_steps=2)
    columns = {
        name: Column.pack([0.1] * 3) for name in ("loss", "applied_lr", "next_lr", "seconds")
    }
    apply(known, Steps(lane=0, at=2.0, first=0, count=3, columns=columns))
    words = " ".join(number_lines(SeedGroup((known.lanes[0],)), [40, 40, 40, 40]))
    assert "step 3/2" in words
    assert "100%" in words
    assert "-" not in words.partition("ETA")[2]
