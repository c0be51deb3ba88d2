"""What lies in the record is found again: pictures and lines of the log, after ways back too."""

import numpy as np
import pytest

from lrtui.client.follower import Follower
from lrtui.core.protocol import event_text
from lrtui.core.protocol.events import (
    Ended,
    LogMessage,
    RateChanged,
    Rewound,
    Sampled,
    Started,
    StatusChanged,
)
from lrtui.core.state.race_state import LOG_LINES
from lrtui.store import reader as reading
from lrtui.store.reader import Reader
from lrtui.store.record_index import LogIndex, SampleIndex, SampleRef
from lrtui.store.writer import Writer, create_run, row
from support.records import block, make_race


def drawn(step, lane=0, red=0):
    pixels = np.full((1, 2, 2, 3), red, np.uint8)
    return Sampled(
        lane=lane,
        at=float(step),
        epoch=step // 10,
        step=step,
        shape=pixels.shape,
        pixels=pixels.tobytes(),
    )


@pytest.fixture
def writer(tmp_path):
    found = Writer(create_run(tmp_path, make_race()), "trainer 0")
    yield found
    found.close()


@pytest.fixture
def follower(writer):
    found = Follower(writer.run)
    yield found
    found.close()


def write(writer, *events):
    writer.append([row(event) for event in events])


class TestPictures:
    def test_the_newest_until_a_step_is_found_in_the_record(self, writer, follower):
        write(
            writer,
            drawn(0, red=1),
            block(0),
            drawn(10, red=2),
            drawn(10, lane=1, red=3),
            block(10),
            drawn(20, red=4),
        )
        follower.catch_up()
        for step, red in ((0, 1), (9, 1), (10, 2), (19, 2), (20, 4), (999, 4)):
            picture = follower.samples.at(0, step)
            assert follower.reader.event(picture.row).images()[0, 0, 0, 0] == red
        assert follower.samples.at(1, 9) is None
        assert follower.samples.steps([0, 1]) == [0, 10, 20]
        assert follower.samples.steps([1]) == [10]

    def test_a_way_back_forgets_those_beyond_it(self, writer, follower):
        back = Rewound(lane=0, step=10, why="rewound")
        write(writer, drawn(0), drawn(10), drawn(10, lane=1), drawn(20), back, drawn(20, red=9))
        follower.catch_up()
        assert [picture.step for picture in follower.samples.of(0)] == [0, 10, 20]
        assert follower.reader.event(follower.samples.of(0)[2].row).images().max() == 9
        assert len(follower.samples.of(1)) == 1

    def test_what_is_drawn_twice_after_the_same_step_is_there_once(self):
        pictures = SampleIndex()
        for number in (5, 6):
            pictures.add(number, drawn(10))
        assert pictures.of(0) == [SampleRef(step=10, epoch=1, row=6)]


class TestReadingAgain:
    def test_only_so_much_is_kept(self, writer, follower, monkeypatch):
        monkeypatch.setattr(reading, "KEPT_BYTES", 300)
        write(writer, *[drawn(step) for step in range(20)])
        reader = Reader(writer.run)
        for again in range(2):
            for number in range(1, 21):
                assert reader.event(number).step == number - 1
            assert reader._again_bytes <= 300, again
            assert 1 < len(reader._again) < 10
        reader.close()

    def test_a_row_that_is_not_there_is_nothing(self, follower):
        assert follower.reader.event(99) is None
        assert follower.reader.event(0) is None


class TestLines:
    def test_each_line_of_the_log_has_its_row(self, writer, follower):
        write(
            writer,
            block(0),
            LogMessage(lane=-1, text="one"),
            block(10),
            block(0, lane=1),
            LogMessage(lane=1, text="two"),
            RateChanged(lane=0, step=5, factor=2.0, rate=0.2),
            RateChanged(lane=0, step=6, factor=2.0, rate=0.2),
            StatusChanged(lane=0, step=7, status="paused"),
            Ended(lane=1, step=10, reason="stopped"),
        )
        follower.catch_up()
        told = [text for _, _, text in follower.state.log]
        assert len(follower.log_index) == follower.state.log_count == len(told) == 5
        again = [
            event_text.describe(follower.reader.event(follower.log_index.row(number)))
            for number in range(5)
        ]
        assert again[:4] == told[:4]
        assert told[4].startswith(again[4])

    def test_lines_that_memory_has_let_go_of_are_still_known(self, writer, follower):
        write(
            writer,
            *[
                LogMessage(lane=number % 2, text=f"line {number}")
                for number in range(LOG_LINES + 50)
            ],
        )
        follower.catch_up()
        assert len(follower.state.log) == LOG_LINES
        assert follower.reader.event(follower.log_index.row(7)).text == "line 7"
        assert follower.log_index.among([1])[:3].tolist() == [1, 3, 5]

    def test_lines_of_the_whole_run_concern_every_lane(self):
        lines = LogIndex()
        for lane in (0, -1, 1, 2):
            lines.add(1, lane)
        assert lines.among([1]).tolist() == [1, 2]
        assert lines.among([]).tolist() == [1]

    def test_an_end_that_is_only_presumed_has_no_row(self, writer, follower, monkeypatch):
        write(writer, LogMessage(lane=0, text="one"))
        follower.catch_up()
        monkeypatch.setattr(follower, "_no_writer_left", lambda: True)
        follower._look()
        assert len(follower.log_index) == follower.state.log_count == 3
        assert follower.log_index.row(1) == 0


def test_a_lane_knows_the_processes_that_trained_it(writer, follower):
    begun = {
        "device": "cpu",
        "steps_per_epoch": 10,
        "total_steps": 100,
        "parameters": 1,
        "init_checksum": "",
        "batch_checksum": "",
        "intra_op_threads": 1,
        "validated": False,
    }
    for role in ("trainer 0", "trainer 0", "trainer 3"):
        write(writer, Started(lane=0, role=role, **begun))
    write(writer, Started(lane=1, **begun))
    follower.catch_up()
    assert follower.state.lanes[0].lifecycle.process_roles == ["trainer 0", "trainer 3"]
    assert follower.state.lanes[1].lifecycle.process_roles == []
