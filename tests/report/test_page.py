"""The page about a race and its chart: whole in one file, true to the record, and no name in it is
taken for anything else."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import tomllib
import unicodedata
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.client.follower import Follower
from lrtui.core.charts.metric_series import MetricSeries
from lrtui.core.protocol.events import (
    Alerted,
    Column,
    Ended,
    Evaluated,
    LaneAdded,
    RateChanged,
    Rewound,
    Steps,
)
from lrtui.core.scenario import scenario_file
from lrtui.core.series.series import Series
from lrtui.core.state.race_state import RaceState, apply
from lrtui.report.curves import curve_of, loss_limits
from lrtui.report.page import page
from lrtui.report.page_data import page_data, script_json
from lrtui.report.png import png, strip
from lrtui.report.svg import SHADES, chart_svg, gap_columns
from lrtui.store.writer import Writer, create_run, row
from lrtui.terminal.palette import lane_colors
from support.fake_run import (
    BROKE_AT,
    DIVERGED_AT,
    KINDS,
    at,
    block,
    losses,
    make_race,
    make_run,
    say,
    started,
    story,
)
from support.param_groups import with_groups

EVIL = "</script><img src=x onerror=alert(1)>'\"&{{run}}<!--"
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


class Parsed(HTMLParser):
    """Every element with its attributes, the text within each kind of element, and whether all that
    was opened is closed."""

    VOID = frozenset({"meta", "img", "br", "input", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self._open[-1:]:
            self.text.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def made(run: Path) -> str:
    follower = Follower(run)
    follower.catch_up()
    text = page(follower)
    follower.close()
    return text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    return made(make_run(tmp_path_factory.mktemp("runs"), KINDS))


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> str:
    lanes = [
        {"name": f"{EVIL} {letter}", "lr": lr, "optimizer": "SGD"}
        for letter, lr in (("a", 0.1), ("b", 0.2))
    ]
    run = make_run(
        tmp_path_factory.mktemp("runs"),
        ("steady", "explodes"),
        title=EVIL,
        over=False,
        story=f"{EVIL}\n\n{EVIL}",
        lane=lanes,
    )
    say(
        run,
        RateChanged(lane=0, step=5, factor=2.0, rate=0.2),
        Ended(lane=0, step=200, reason="error", error=f"{EVIL}\n{EVIL}"),
    )
    return made(run)


def record(text: str) -> dict[str, Any]:
    """What the page's script draws."""
    found = re.search(
        r'<script type="application/json" id="record">(.*?)</script>', text, re.DOTALL
    )
    assert found
    return json.loads(found[1], parse_constant=pytest.fail)


def numbers(packed: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), kind)


class TestTheFile:
    @pytest.mark.parametrize("name", ["whole", "evil"])
    def test_it_asks_nothing_of_any_network(self, name, request):
        text = request.getfixturevalue(name)
        parsed = Parsed(text)
        for tag, attributes in parsed.elements:
            assert tag not in (
                "link",
                "iframe",
                "object",
                "embed",
                "base",
                "form",
                "audio",
                "video",
            ), tag
            for key, value in attributes.items():
                assert key not in ("href", "srcset", "action", "style") or tag == "svg", (tag, key)
                assert not key.startswith("on"), (tag, key)
                assert key != "src" or (value or "").startswith("data:image/png;base64,"), (
                    tag,
                    value,
                )
        code = " ".join(parsed.text["style"] + parsed.text["script"])
        assert not re.search(
            r"https?:|url\(|@import|fetch\(|XMLHttp|WebSocket|import\(|sendBeacon|eval\(", code
        )
        outside = re.sub(r'xmlns="http://www\.w3\.org/2000/svg"', "", text)
        assert not re.search(r"https?://|[\"'(=]//", re.sub(r"[A-Za-z0-9+/=]{60,}", "", outside))

    def test_its_policy_lets_in_its_own_script_and_style_and_no_other(self, whole):
        parsed = Parsed(whole)
        policy = next(
            one["content"]
            for one in parsed.all("meta")
            if one.get("http-equiv") == "Content-Security-Policy"
        )

        def digest(text: str) -> str:
            return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

        style, script = (
            "".join(parsed.text["style"]),
            whole.rsplit("<script>", 1)[1].split("</script>")[0],
        )
        assert (
            policy == f"default-src 'none'; style-src 'sha256-{digest(style)}'; script-src"
            f" 'sha256-{digest(script)}'; img-src data:; base-uri 'none'; form-action 'none'"
        )

    def test_no_name_is_taken_for_markup(self, evil):
        parsed = Parsed(evil)
        assert [one["src"][:5] for one in parsed.all("img")] == []
        assert len(parsed.all("script")) == 2
        assert EVIL in "".join(parsed.text["h1"])
        assert EVIL in "".join(parsed.text["title"])
        assert "onerror=alert(1)>" not in evil
        assert record(evil)["lanes"][0]["name"] == f"{EVIL} a"

    def test_words_from_right_to_left_turn_nothing_beside_them(self, tmp_path):
        race = make_race(("steady",) * 2, title="שלום עולם 3")
        lanes = (
            msgspec.structs.replace(race.lanes[0], name="مرحبا, <b>שלום</b> 1e-3"),
            race.lanes[1],
        )
        run = create_run(tmp_path, msgspec.structs.replace(race, lanes=lanes))
        say(
            run,
            started(0),
            block(0, "steady", 0, 20),
            started(1),
            block(1, "steady", 0, 20),
            Evaluated(lane=0, at=1.0, epoch=1, step=20, loss=1.0, metrics={"דיוק": 0.5}),
            Alerted(lane=0, at=1.0, step=3, kind="diverged", text="הפסד 9.9 is above 4"),
        )
        html = made(run)
        body = html[html.index("<body>") : html.index('<script type="application/json"')]
        apart = (
            r'<figure id="still">.*?</figure>|<pre.*?</pre>|<option.*?</option>| data-label="[^"]*"'
        )
        shown = re.sub(apart, "", body, flags=re.DOTALL)
        assert len(re.findall("<bdi>", shown)) >= 10
        assert not [
            sign
            for sign in re.sub(r"<bdi>[^<]*</bdi>", "", shown)
            if unicodedata.bidirectional(sign) in ("R", "AL")
        ]
        for words in (
            "<h1><bdi>שלום עולם</bdi> 3</h1>",
            "<bdi>مرحبا</bdi>, &lt;b&gt;<bdi>שלום</bdi>&lt;/b&gt; 1e-3",
            "<bdi>הפסד</bdi> 9.9 is above 4",
            'dir="auto">דיוק</option>',
        ):
            assert words in body
        assert "<title>שלום עולם 3</title>" in html

    def test_without_its_script_there_are_chart_tables_and_words(self, whole):
        body = re.sub(r"<script.*?</script>", "", whole, flags=re.DOTALL)
        parsed = Parsed(body)
        assert sum(
            attributes.get("class", "").startswith("curve") for attributes in parsed.all("path")
        ) >= len(KINDS)
        assert [
            one for one in parsed.all("figure") if one.get("id") == "still" and "hidden" not in one
        ]
        words = re.sub(r"<[^>]+>", " ", body)
        assert {"explodes", "DIVERGED", "ValueError: [bold]no[/bold]", "lrtui race race.toml"} <= {
            one
            for one in (
                "explodes",
                "DIVERGED",
                "ValueError: [bold]no[/bold]",
                "lrtui race race.toml",
            )
            if one in words
        }

    def test_it_says_how_to_repeat_the_race(self, evil, tmp_path):
        text = next(one for one in Parsed(evil).text["pre"] if one.startswith("title = "))
        again = scenario_file.parse(tomllib.loads(text), source="page", folder=tmp_path)
        assert (again.title, again.seed, again.batch_size) == (scenario_file.one_line(EVIL), 7, 16)
        assert [lane.lr for lane in again.lanes] == [0.1, 0.2]
        assert "rate 0.2 from step 5 on" in evil

    def test_the_samples_are_pictures_that_can_be_read(self, whole):
        strips = [
            base64.b64decode(one["src"].partition(",")[2]) for one in Parsed(whole).all("img")
        ]
        assert len(strips) == 6
        height, width, rows = unpacked(strips[-1])
        assert (height, width) == (16, 8 * 17 - 1)
        assert rows[0, 0].tolist() == [255, 255, 255, 255]
        assert rows[0, 1].tolist() == [240, 0, 0, 255]
        assert rows[0, 16].tolist() == [0, 0, 0, 0]


def unpacked(body: bytes) -> tuple[int, int, np.ndarray]:
    """Height, width and pixels of a PNG file, whose chunks are checked."""
    assert body[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(body):
        size, kind = int.from_bytes(body[place : place + 4]), body[place + 4 : place + 8]
        chunks[kind] = body[place + 8 : place + 8 + size]
        assert zlib.crc32(kind + chunks[kind]) == int.from_bytes(
            body[place + 8 + size : place + 12 + size]
        )
        place += 12 + size
    width, height = int.from_bytes(chunks[b"IHDR"][:4]), int.from_bytes(chunks[b"IHDR"][4:8])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    assert (rows[:, 0] == 0).all()
    return height, width, rows[:, 1:].reshape(height, width, 4)


def test_large_pictures_lose_rows_and_columns():
    assert strip(np.zeros((2, 100, 50, 3), np.uint8), 64).shape == (50, 51, 4)
    assert unpacked(png(np.full((1, 1, 4), 7, np.uint8)))[2].tolist() == [[[7, 7, 7, 7]]]


class TestWaysBack:
    @pytest.fixture
    def modified(self, tmp_path: Path) -> str:
        """A lane whose dial was turned and that was forked at the same step, and one that went
        back."""
        run = make_run(tmp_path, ("steady", "paints"), done=100, over=False)
        child = msgspec.structs.replace(make_race(("steady",)).lanes[0], letter="C", name="a fork")
        say(
            run,
            RateChanged(lane=0, at=at(60), step=60, factor=3.0, rate=0.3),
            LaneAdded(lane=2, at=at(60), child=child, parent=0, step=60),
            msgspec.structs.replace(started(2), first=60),
            block(2, "diverges", 60, 200),
            Rewound(lane=1, at=at(120), step=50, why="rewound"),
            block(1, "rests", 50, 80),
        )
        return made(run)

    def test_a_fork_begins_where_it_left_its_parent(self, modified):
        fork = record(modified)["lanes"][2]
        assert (fork["curves"]["loss"]["first"], fork["curves"]["loss"]["end"]) == (60, 200)
        assert numbers(fork["time"])[0] == pytest.approx(3.0)

    def test_what_was_given_up_is_kept_apart_from_what_counts(self, modified):
        lane = record(modified)["lanes"][1]
        assert (
            lane["curves"]["loss"]["end"],
            lane["abandoned"][0]["first"],
            lane["abandoned"][0]["end"],
        ) == (80, 50, 100)
        assert numbers(lane["abandoned"][0]["last"])[0] == np.float32(losses("paints")[50])
        assert numbers(lane["curves"]["loss"]["last"])[50] == np.float32(losses("rests")[50])

    def test_it_says_what_was_done_by_hand(self, modified):
        words = re.sub(r"<[^>]+>", "", modified)
        for done in (
            "rate 0.3 from step 60 on",
            "forked from A at step 60",
            "went back to step 50",
        ):
            assert done in words
        marks = [lane["marks"] for lane in record(modified)["lanes"]]
        assert marks == [[[60, "Y"], [60, "▲"]], [[50, "«"]], []]
        said = [re.search(f">{sign}<title>(.*?)</title>", modified) for sign in "Y▲«"]
        assert [one and one[1] for one in said] == [
            "C a fork was forked from it at step 60",
            "rate 0.3 from step 60 on",
            "rewound to here at step 50",
        ]
        assert "a fork" not in next(
            one for one in Parsed(modified).text["pre"] if one.startswith("title = ")
        )


class TestTheNumbers:
    def test_short_curves_are_there_in_full(self, whole):
        told = record(whole)
        for lane, kind in zip(told["lanes"], KINDS, strict=True):
            curve = lane["curves"]["loss"]
            expected = losses(kind).astype("f4")[: curve["end"]]
            found = numbers(curve["last"])
            assert np.array_equal(
                found, np.where(np.isfinite(expected), expected, np.nan), equal_nan=True
            )
            assert len(found) == curve["columns"] == curve["end"]
        assert told["lanes"][1]["curves"]["loss"]["gap"] == [37]
        assert [lane["marks"] for lane in told["lanes"][1:4]] == [
            [],
            [[DIVERGED_AT, "!"]],
            [[BROKE_AT, "!"]],
        ]
        assert [quantity["name"] for quantity in told["quantities"]] == [
            "loss",
            "val_loss",
            "applied_lr",
        ]

    def test_an_epochs_value_lies_at_the_last_step_before_it(self, whole):
        curve = record(whole)["lanes"][0]["curves"]["val_loss"]
        assert numbers(curve["steps"], "<f8").tolist() == list(range(19, 200, 20))

    def test_a_step_whose_gradient_was_not_measured_is_no_gap(self):
        state = RaceState(make_race(("steady",)))
        apply(state, started(0))
        flat = Column.pack([0.1] * 5)
        apply(
            state,
            Steps(
                lane=0,
                at=1.0,
                first=0,
                count=5,
                columns={
                    "loss": flat,
                    "applied_lr": flat,
                    "next_lr": flat,
                    "seconds": flat,
                    "grad_norm": Column.pack([3.0, math.nan, math.nan, 2.0, math.inf], "f4"),
                },
            ),
        )
        curve = page_data(state)["lanes"][0]["curves"]["grad_norm"]
        assert numbers(curve["steps"], "<f8").tolist() == [0, 3, 4]
        assert numbers(curve["last"])[:2].tolist() == [3.0, 2.0]
        assert curve["gap"] == [2]

    def test_times_of_training_are_those_of_the_steps(self, whole):
        assert numbers(record(whole)["lanes"][0]["time"])[[0, 1, 200]] == pytest.approx(
            [0, 0.05, 10.0], rel=1e-6
        )

    @given(st.lists(FLOATS, min_size=1, max_size=400), st.integers(1, 90), st.integers(0, 20))
    @settings(max_examples=200, deadline=None)
    def test_columns_hold_every_step_once_with_their_extremes_and_gaps(
        self, values, columns, forked_at
    ):
        series = Series()
        series.extend(np.array(values, "f4"))
        curve = curve_of(MetricSeries(None, series), min(forked_at, len(values) - 1), columns)
        assert curve is not None
        assert curve.steps[0] == min(forked_at, len(values) - 1)
        assert curve.ends[-1] == len(values) - 1
        assert (curve.steps[1:] == curve.ends[:-1] + 1).all()
        for place, (start, end) in enumerate(zip(curve.steps, curve.ends, strict=True)):
            part = np.array(values[start : end + 1], "f4")
            good = part[np.isfinite(part)]
            assert curve.finite[place] == len(good)
            assert curve.gap[place] == (len(good) < len(part))
            if len(good):
                assert (curve.lo[place], curve.hi[place], curve.last[place]) == (
                    good.min(),
                    good.max(),
                    good[-1],
                )
                assert curve.mean[place] == pytest.approx(
                    float(good.astype(float).mean()), rel=1e-6, abs=1e-30
                ) or (not math.isfinite(curve.mean[place]))

    def test_a_spike_of_one_step_and_a_gap_of_one_are_in_a_million_steps(self):
        values = np.full(1_000_000, 0.5, "f4")
        values[[123_456, 654_321]] = 50.0, math.nan
        series = Series()
        series.extend(values)
        curve = curve_of(MetricSeries(None, series), 0)
        assert curve is not None
        assert len(curve.steps) == 2000
        assert np.flatnonzero(curve.hi == 50.0).tolist() == [246]
        assert np.flatnonzero(curve.gap).tolist() == [1308]
        assert gap_columns(curve) == [1308]

    def test_eight_lanes_of_a_million_steps_are_less_than_three_megabytes(self):
        state = RaceState(make_race(("steady",) * 8))
        noise = np.random.default_rng(0)
        for lane in range(8):
            apply(state, started(lane))
            names = ("loss", "grad_norm", "seconds", "applied_lr", "next_lr")
            columns = {name: Column.pack(noise.random(1_000_000), "f4") for name in names}
            apply(state, Steps(lane=lane, at=at(1), first=0, count=1_000_000, columns=columns))
        assert len(script_json(page_data(state))) < 2_500_000

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner),
            max_leaves=20,
        )
    )
    def test_any_words_come_back_out_of_the_script_element(self, value):
        text = script_json(value)
        assert json.loads(text) == value
        assert not re.search("[<>&\u2028\u2029]", text)


def test_colours_stand_out_from_their_ground():
    def brightness(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for theme in ("light", "dark"):
        ground = brightness(SHADES[theme]["ground"])
        words = [SHADES[theme][name] for name in ("text", "dim", "alert")]
        for color, least in [
            *((one, 3) for one in lane_colors("truecolor", theme)),
            *((one, 4.5) for one in words),
        ]:
            low, high = sorted((brightness(color), ground))
            assert (high + 0.05) / (low + 0.05) >= least, (theme, color)


class TestTheChart:
    def svg(self, state: RaceState) -> ElementTree.Element:
        return ElementTree.fromstring(chart_svg(state))

    def test_it_has_curves_names_axes_and_marks_and_is_well_formed(self, tmp_path):
        follower = Follower(make_run(tmp_path, KINDS, title="<b>&"))
        follower.catch_up()
        root = self.svg(follower.state)
        words = [element.text for element in root.iter() if element.text]
        assert {
            "<b>&",
            "step",
            "training loss, logarithmic",
            "A steady",
            "F paints",
            "✗",
            "!",
        } <= set(words)
        assert "prefers-color-scheme:dark" in chart_svg(follower.state)
        follower.close()

    @pytest.mark.parametrize(
        "values",
        [
            [],
            [math.nan],
            [math.inf, 1.0],
            [0.0] * 5,
            [-1e38, 1e38],
            [1e-45, 1.0],
            [1e30, math.nan, 2.0],
        ],
    )
    def test_no_losses_break_it(self, values):
        state = RaceState(make_race(("steady",)))
        apply(state, started(0))
        if values:
            flat = Column.pack([0.1] * len(values))
            apply(
                state,
                Steps(
                    lane=0,
                    at=1.0,
                    first=0,
                    count=len(values),
                    columns={
                        "loss": Column.pack(values),
                        "applied_lr": flat,
                        "next_lr": flat,
                        "seconds": flat,
                    },
                ),
            )
        text = chart_svg(state)
        ElementTree.fromstring(text)
        assert not re.search(r"\b(?:nan|inf)\b", re.sub(r"<text.*?</text>", "", text))


def test_the_axis_is_the_screens(tmp_path):
    """What exploded, or broke, does not flatten the others; where it began is in sight."""
    follower = Follower(make_run(tmp_path, KINDS))
    follower.catch_up()
    found = loss_limits(follower.state)
    assert found is not None
    assert (found.log, found.high <= 10, found.low < 0.03) == (True, True, True)
    follower.close()


def test_quantities_have_the_names_of_param_groups(tmp_path):
    run = create_run(tmp_path, make_race(("steady",), accumulate=4))
    writer = Writer(run, "trainer 0")
    writer.append([row(event) for event in with_groups(story(0, "steady", 20))])
    writer.close()
    follower = Follower(run)
    while not follower.caught_up:
        follower.poll(5.0)
    text = page(follower)
    follower.close()
    assert ">applied rate body</option>" in text
    assert ">applied rate head</option>" in text
    assert "param groups body, head ×10" in text
    assert "accumulate 4" in text
    assert "batch 64 (16 × 4)" in text
