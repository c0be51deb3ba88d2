"""Runs of every odd kind: what is printed, the page, the chart and the export of each are whole,
whatever happened in it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import sqlite3
import tomllib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from rich.console import Console

from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Column,
    Ended,
    Evaluated,
    LaneAdded,
    LogMessage,
    Measured,
    RateChanged,
    Rewound,
    Sampled,
    ScheduleForecast,
    Steps,
    encode,
)
from lrtui.report.export import export
from lrtui.report.page import page
from lrtui.report.svg import chart_svg
from lrtui.report.text import print_report
from lrtui.store.run_dir import DATABASE
from lrtui.store.writer import create_run
from support.fake_run import at, make_race, say, started
from support.viewer import Viewer

NAMES = (
    "<b>",
    "loss",
    "a/b",
    "epoch",
    "metrics.epoch",
    "step",
    "seconds",
    "\x1b[31mred",
    "two\nlines",
    "\u202ertl",
    "שלום",
    "x" * 500,
    "",
    "grad_norm",
    "update_ratio/x",
    "\ufffe",
    "gain",
    "%s",
    "{{run}}",
    "a,b",
    'q"uote',
    "__proto__",
)
WORDS = (
    "\ufffe\uffff",
    "\x1b[31mred",
    "a\x00b",
    "\u202ertl",
    "two\nlines\rx\u2028y",
    "x" * 3000,
    "]]>&amp;</script>",
    "   ",
)


def steps(first: int, values: Sequence[float], lane: int = 0, told: float | None = None) -> Steps:
    flat = Column.pack(np.full(len(values), 0.1))
    return Steps(
        lane=lane,
        at=at(first + len(values)) if told is None else told,
        first=first,
        count=len(values),
        columns={
            "loss": Column.pack(list(values)),
            "applied_lr": flat,
            "next_lr": flat,
            "seconds": flat,
        },
    )


def end(step: int, reason: str = "finished") -> Ended:
    return Ended(lane=0, at=at(step), step=step, reason=reason)  # type: ignore[arg-type]


def rewound(step: int, lane: int = 0, why: str = "rewound") -> Rewound:
    return Rewound(lane=lane, at=at(99), step=step, why=why)  # type: ignore[arg-type]


def fork(index: int, parent: int, step: int) -> LaneAdded:
    child = msgspec.structs.replace(
        make_race(("steady",)).lanes[0], letter="ABCD"[index], name=f"fork {index}"
    )
    return LaneAdded(lane=index, at=at(step), child=child, parent=parent, step=step)


def painted(height: int, width: int) -> Sampled:
    return Sampled(
        lane=0,
        at=at(2),
        epoch=1,
        step=2,
        shape=(2, height, width, 3),
        pixels=bytes(2 * height * width * 3),
    )


def evaluated(epoch: int, metrics: dict[str, float]) -> Evaluated:
    return Evaluated(lane=0, at=at(2), epoch=epoch, step=2 * epoch, loss=2.5, metrics=metrics)


ODD: dict[str, list[AnyEvent]] = {
    "nothing": [],
    "no step": [started(0)],
    "one step": [started(0), steps(0, [1.0])],
    "all NaN": [started(0), steps(0, [math.nan] * 5), end(5, "nan")],
    "inf only": [started(0), steps(0, [math.inf, -math.inf] * 2)],
    "huge": [started(0), steps(0, [3.4e38, -3.4e38, 1e308]), end(3)],
    "tiny": [started(0), steps(0, [1e-45, 5e-324, 1e-44]), end(3)],
    "level": [started(0), steps(0, [1.0, 1.0000001, 1.0]), end(3)],
    "rewound twice": [
        started(0),
        steps(0, np.linspace(5, 1, 50)),
        rewound(20),
        steps(20, [2.0] * 10),
        rewound(10),
        steps(10, [1.0] * 9),
        rewound(0, why="restarted"),
        steps(0, [3.0, 2.0]),
    ],
    "rewound before any step": [started(0), rewound(0, why="restarted")],
    "forks of a fork": [
        started(0),
        steps(0, [3.0, 2.0, 1.0, 0.5]),
        fork(1, 0, 2),
        started(1),
        steps(2, [1.0, 0.9], lane=1),
        fork(2, 1, 4),
        started(2),
        steps(4, [0.5], lane=2),
        rewound(0, lane=2, why="restarted"),
        steps(0, [9.0], lane=2),
        fork(3, 1, 4),
        rewound(0, lane=1, why="restarted"),
    ],
    "interrupted": [started(0), steps(0, [3.0, 2.0]), end(2, "interrupted")],
    "a hole": [started(0), steps(100, [3.0, 2.0]), steps(100_000, [1.0])],
    "clocks": [
        started(0),
        steps(0, [3.0], told=0.0),
        steps(1, [3.0], told=1e18),
        steps(2, [1.0], told=5.0),
    ],
    "no picture": [started(0), steps(0, [3.0, 2.0]), painted(0, 4), painted(4, 0)],
    "wide picture": [started(0), steps(0, [3.0, 2.0]), painted(1, 3000)],
    "names": [
        started(0),
        steps(0, [3.0, 2.0]),
        evaluated(1, {name: float(place) for place, name in enumerate(NAMES)}),
        evaluated(2, {"nan": math.nan, "inf": math.inf}),
    ],
    "measured": [
        started(0),
        steps(0, [3.0, 2.0]),
        Measured(
            lane=0,
            at=at(2),
            steps=[0, 1],
            spent=0.1,
            columns={
                "gain": Column.pack([math.nan, math.inf]),
                "update_ratio": Column.pack([400.0, -400.0]),
            },
        ),
    ],
    "dials": [
        started(0),
        steps(0, [3.0, 2.0]),
        *(
            RateChanged(lane=0, at=at(2), step=1, factor=factor, rate=factor)
            for factor in (1e300, 1e-300, math.inf, 0.0)
        ),
    ],
    "notes": [started(0), *(LogMessage(lane=-1, at=1.0, text=words) for words in WORDS)],
}


def made(folder: Path, events: Sequence[AnyEvent], **keys: object) -> Path:
    run = create_run(folder, make_race(("steady",), **keys))
    say(run, *events)
    return run


def reported(run: Path) -> tuple[str, str, str]:
    """What is printed, the page, and the chart."""
    follower, out = Follower(run), io.StringIO()
    try:
        follower.finish()
        print_report(Console(file=out, width=80), follower.state, follower.run)
        return out.getvalue(), page(follower), chart_svg(follower.state)
    finally:
        follower.close()


def hold_together(run: Path, folder: Path) -> None:
    """Writes all that there is to write about a run, and reads it again."""
    printed, html, chart = reported(run)
    assert "\x1b" not in printed + html
    ElementTree.fromstring(chart)
    html.encode("utf-8")
    for form in ("csv", "jsonl"):
        export(run, folder / form, form)  # type: ignore[arg-type]
        about = json.loads((folder / form / "race.json").read_text(encoding="utf-8"))
        tomllib.loads(about["scenario"])
    for path in (folder / "csv").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        assert len(set(head)) == len(head)
        assert {len(row) for row in rows} <= {len(head)}
    for path in (folder / "jsonl").glob("*.jsonl"):
        assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("kind", ODD)
def test_a_run_of_any_kind_is_reported_and_exported(kind: str, tmp_path: Path) -> None:
    hold_together(made(tmp_path / "runs", ODD[kind]), tmp_path / "out")


@pytest.mark.parametrize("words", WORDS)
def test_a_race_may_be_called_anything(words: str, tmp_path: Path) -> None:
    run = made(
        tmp_path / "runs",
        [started(0), steps(0, [3.0, 2.0])],
        title=f"x{words}",
        story=f'{words} "\\',
    )
    hold_together(run, tmp_path / "out")


def test_a_run_of_the_first_version_too(tmp_path: Path) -> None:
    run = tmp_path / "old"
    run.mkdir()
    shutil.copy(Path(__file__).parent / "store" / "version-1.db", run / DATABASE)
    hold_together(run, tmp_path / "out")


def test_a_folder_whose_name_is_no_text_holds_a_run_like_any_other(tmp_path: Path) -> None:
    run = made(tmp_path / "runs", [started(0), steps(0, [3.0, 2.0])])
    strange = Path(os.fsdecode(os.fsencode(run.parent / "run") + b"\xff\x1b[31m\n"))
    run.rename(strange)
    hold_together(strange, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "csv" / "race.json").read_text(encoding="utf-8"))[
        "run"
    ].startswith("run\ufffd")


def test_a_metric_called_like_something_recorded_is_shown_beside_it(tmp_path: Path) -> None:
    run = made(tmp_path / "runs", ODD["names"])
    data = json.loads(reported(run)[1].split('id="record">')[1].split("</script>")[0])
    names = [quantity["name"] for quantity in data["quantities"]]
    assert {"loss", "metrics.loss", "metrics.seconds", "grad_norm", "gain", "metrics.epoch"} <= set(
        names
    )
    assert {"metrics.loss", "metrics.seconds"} <= set(data["lanes"][0]["curves"])


def test_undecodable_event_is_named_and_earlier_events_count(tmp_path: Path) -> None:
    run = made(tmp_path / "runs", [started(0), steps(0, [3.0, 2.0])])
    db = sqlite3.connect(run / DATABASE)
    db.execute("UPDATE events SET body = x'00ff' WHERE kind = 'Steps'")
    db.commit()
    db.close()
    follower = Follower(run)
    assert [type(event).__name__ for event in follower.poll(5.0)] == ["Started"]
    with pytest.raises(LrtuiError, match=r"run\.db behind row \d+: "):
        follower.catch_up()
    assert follower.reader.event(follower.reader._last + 1) is None
    follower.close()
    with pytest.raises(LrtuiError, match=r"run\.db"):
        export(run, tmp_path / "out", "csv")
    assert sorted(os.listdir(tmp_path)) == ["runs"]


def raw(run: Path, event: AnyEvent, **changed: object) -> None:
    """Writes an event down whose fields are other ones, whatever may be in them."""
    body = msgspec.msgpack.encode({**msgspec.msgpack.decode(encode(event)), **changed})
    db = sqlite3.connect(run / DATABASE)
    db.execute(
        "INSERT INTO events (lane, kind, body) VALUES (?, ?, ?)",
        (event.lane, type(event).__name__, body),
    )
    db.commit()
    db.close()


SHORT, NONE = [["f8", bytes(16)], ["f8", b""]]
CANNOT_BE: dict[str, tuple[AnyEvent, dict[str, object]]] = {
    "a negative lane": (steps(2, [1.0]), {"lane": -2}),
    "no steps": (steps(2, [1.0]), {"count": 0}),
    "a negative step": (steps(2, [1.0]), {"first": -1}),
    "a column that is too short": (steps(2, [1.0, 2.0, 3.0]), {"columns": {"loss": SHORT}}),
    "an empty column": (steps(2, [1.0, 2.0, 3.0]), {"columns": {"loss": NONE}}),
    "more steps than there is room for": (steps(2, [1.0]), {"count": 1 << 24}),
    "no time": (steps(2, [1.0]), {"at": math.nan}),
    "measured too little": (
        Measured(lane=0, steps=[1, 2, 3], columns={}, spent=0.1),
        {"columns": {"gain": SHORT}},
    ),
    "a plan without rates": (
        ScheduleForecast(lane=0, steps=[1], rates=[0.1], total=3),
        {"rates": []},
    ),
    "a picture with a hole": (painted(4, 4), {"pixels": b"x"}),
    "a parent below none": (fork(1, 0, 2), {"parent": -2}),
    "an epoch without a step": (started(0), {"steps_per_epoch": 0}),
}
DOES_NOT_FIT: dict[str, AnyEvent] = {
    "steps of a lane that never joined": steps(0, [1.0], lane=7),
    "an alert of one": Alerted(lane=7, at=at(3), step=1, kind="nan", text="x"),
    "a picture of one": msgspec.structs.replace(painted(4, 4), lane=7),
    "an end of one": Ended(lane=7, at=at(3), step=1, reason="finished"),
    "a lane that skips a place": fork(3, 0, 2),
    "a fork of a lane that is not there": fork(1, 5, 2),
    "a fork of itself": fork(1, 1, 2),
    "a fork far ahead of its parent": fork(1, 0, 1 << 40),
    "steps far ahead": steps(1 << 40, [1.0]),
    "a way back that leads far ahead": rewound(1 << 40),
    "steps of no lane": steps(2, [1.0], lane=-1),
    "an epoch of no lane": msgspec.structs.replace(evaluated(1, {"val_loss": 1.0}), lane=-1),
}


@pytest.mark.parametrize("kind", CANNOT_BE)
def test_an_event_that_cannot_be_is_named_and_what_is_before_it_counts(
    kind: str, tmp_path: Path
) -> None:
    run = made(tmp_path / "runs", [started(0), steps(0, [3.0, 2.0])])
    event, changed = CANNOT_BE[kind]
    raw(run, event, **changed)
    follower = Follower(run)
    follower.poll(5.0)
    assert follower.state.lanes[0].steps == 2
    with pytest.raises(LrtuiError, match=r"run\.db behind row \d+: .*Expected"):
        follower.catch_up()
    follower.close()
    with pytest.raises(LrtuiError, match=r"run\.db.*Expected"):
        export(run, tmp_path / "out", "csv")


@pytest.mark.parametrize("kind", DOES_NOT_FIT)
def test_an_event_that_does_not_fit_is_left_out_with_a_line(kind: str, tmp_path: Path) -> None:
    event = DOES_NOT_FIT[kind]
    run = made(tmp_path / "runs", [started(0), steps(0, [3.0, 2.0]), event, event, steps(2, [1.0])])
    follower = Follower(run)
    found = follower.poll(5.0)
    follower.finish()
    assert event not in found
    assert (len(follower.state.lanes), follower.state.lanes[0].steps) == (1, 3)
    doubts = [text for _, _, text in follower.state.log if "damaged" in text]
    assert doubts == [
        "the record is damaged: what does not go with the rest of it is left out, such as "
        f"{type(event).__name__} of lane {event.lane}"
    ]
    assert len(follower.log_index) == follower.state.log_count
    follower.close()
    hold_together(run, tmp_path / "out")


@pytest.mark.parametrize("kind", DOES_NOT_FIT)
def test_the_screen_goes_on_as_well(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "runs", [started(0), steps(0, [3.0, 2.0])])
    with Viewer(run.parent, run) as viewer:
        viewer.look()
        say(run, DOES_NOT_FIT[kind], steps(2, [1.25]))
        viewer.look(6)
        assert "the record is damaged" in viewer.text
        assert "1.25" in viewer.text


def test_a_block_that_lacks_a_column_holds_nothing_there(tmp_path: Path) -> None:
    block = steps(2, [5.0, 5.0])
    run = made(
        tmp_path / "runs",
        [
            started(0),
            steps(0, [3.0, 2.0]),
            *(
                msgspec.structs.replace(
                    block,
                    first=2 + 2 * place,
                    columns={
                        name: column for name, column in block.columns.items() if name != missing
                    },
                )
                for place, missing in enumerate(block.columns)
            ),
        ],
    )
    follower = Follower(run)
    follower.finish()
    columns = follower.state.lanes[0].columns
    follower.close()
    assert {name: len(column) for name, column in columns.items()} == dict.fromkeys(
        block.columns, 10
    )
    for place, name in enumerate(block.columns):
        assert np.flatnonzero(np.isnan(columns[name].values)).tolist() == [
            2 + 2 * place,
            3 + 2 * place,
        ]
    hold_together(run, tmp_path / "out")


def test_a_task_that_goes_mad_makes_no_endless_page(tmp_path: Path) -> None:
    """Alerts and turns of the dial without end, of two lanes; the third has one alert, which is not
    lost among them."""
    run = create_run(tmp_path / "runs", make_race(("steady",) * 3))
    mad = [
        event
        for step in range(20_000)
        for event in (
            Alerted(lane=step % 2, at=at(1), step=step, kind="diverged", text=f"told {step} times"),
            RateChanged(lane=step % 2, at=at(1), step=step, factor=1.0 + step % 4, rate=0.1),
        )
    ]
    say(
        run,
        *(started(lane) for lane in range(3)),
        *mad,
        Alerted(lane=2, at=at(1), step=3, kind="diverged", text="only once"),
    )
    _, html, chart = reported(run)
    assert len(html) < 1_000_000
    assert len(chart) < 500_000
    assert html.count('<b class="bad">diverged</b>') == 100 + 100 + 1
    for text in (
        "told 0 times",
        "told 19999 times",
        "only once",
        "9900 more alerts are left out here",
        "lrtui export",
    ):
        assert text in html
    assert html.count("more changes are left out here") == 2


def test_very_many_metrics_make_no_very_large_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((1500, 20)).round(3).tolist()
    events = [
        Evaluated(
            lane=lane,
            at=at(epoch),
            epoch=epoch + 1,
            step=epoch + 1,
            loss=1.0,
            metrics={f"metric {place}": value for place, value in enumerate(row)},
        )
        for lane in range(6)
        for epoch, row in enumerate(noise)
    ]
    run = create_run(tmp_path, make_race(("steady",) * 6))
    say(run, *(started(lane) for lane in range(6)), *events)
    assert len(reported(run)[1]) < 4_000_000
