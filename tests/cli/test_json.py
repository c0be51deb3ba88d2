"""The JSON Lines of a race that was really run."""

from __future__ import annotations

import pytest

from support.command import curves, race, rest

EVENTS = {
    "race": {
        "run",
        "title",
        "task",
        "seed",
        "device",
        "epochs",
        "steps",
        "batch_size",
        "intra_op_threads",
        "lanes",
    },
    "steps": {"lane", "first", "loss", "applied_lr", "next_lr"},
    "measured": {
        "lane",
        "steps",
        "gain",
        "step_size",
        "rate_p10",
        "rate_p50",
        "rate_p90",
        "realised",
        "update_ratio",
    },
    "epoch": {"lane", "epoch", "step", "loss", "metrics"},
    "alert": {"lane", "step", "kind", "text"},
    "start": {"lane", "step", "device", "steps", "groups", "init_checksum", "batch_checksum"},
    "joined": {"lane", "name", "optimizer", "lr", "schedule", "recipe", "parent", "step"},
    "rate": {"lane", "step", "factor", "lr"},
    "snapshot": {"lane", "step", "tag", "bytes"},
    "rewound": {"lane", "step", "why"},
    "end": {"lane", "step", "reason"},
    "status": {"lane", "step", "status"},
    "note": {"lane", "text"},
    "result": {"lanes", "sentences", "run"},
}


IN_LANE = {
    "letter",
    "name",
    "optimizer",
    "lr",
    "schedule",
    "recipe",
    "groups",
    "init_checksum",
    "batch_checksum",
}


IN_RESULT = {
    "letter",
    "name",
    "place",
    "value",
    "seed",
    "status",
    "verdict",
    "reason",
    "steps",
    "smooth_loss",
    "first_loss",
    "last_loss",
    "best_loss",
    "best_step",
    "steps_per_second",
    "factor",
    "parent",
    "first_step",
    "step_gain",
    "measuring_s",
    "sentence",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A race that was really run, one lane of it to NaN: what it printed, and its runs folder."""
    runs = tmp_path_factory.mktemp("recorded")
    return race("explode", "--steps", "30", "--set", "pace=0", "--json", runs=runs), runs


@pytest.mark.xdist_group("recorded")
class TestJson:
    def test_it_exits_with_0_though_lanes_went_nan_and_says_nothing_on_stderr(self, recorded):
        said, _ = recorded
        assert said.code == 0
        assert said.err == ""

    def test_the_race_comes_first_and_the_result_last(self, recorded):
        names = [line["event"] for line in recorded[0].lines]
        assert names[0] == "race"
        assert names[-1] == "result"
        assert names.count("race") == names.count("result") == 1

    def test_every_line_has_the_keys_that_its_event_promises(self, recorded):
        for line in recorded[0].lines:
            assert EVENTS[line["event"]] <= line.keys()
        assert {line["event"] for line in recorded[0].lines} >= {
            "race",
            "steps",
            "epoch",
            "alert",
            "end",
            "result",
        }

    def test_all_lanes_began_alike(self, recorded):
        lanes = recorded[0].lines[0]["lanes"]
        assert [lane["letter"] for lane in lanes] == ["A", "B", "C", "D"]
        assert [lane["lr"] for lane in lanes] == [0.1, 0.03, 0.003, 1e-5]
        for lane in lanes:
            assert lane.keys() >= IN_LANE
            assert lane["init_checksum"] == lanes[0]["init_checksum"]
            assert lane["batch_checksum"] == lanes[0]["batch_checksum"]
        assert lanes[0]["init_checksum"]

    def test_steps_have_columns_of_one_length_without_holes(self, recorded):
        found = curves(recorded[0].lines)
        assert {lane for lane, _ in found} == set("ABCD")
        assert (
            len(found["D", "loss"])
            == len(found["D", "applied_lr"])
            == len(found["D", "next_lr"])
            == 30
        )
        assert found["D", "applied_lr"] == [1e-5] * 30

    def test_what_was_measured_stands_by_step_and_null_where_it_was_not(self, recorded):
        measured = [line for line in recorded[0].lines if line["event"] == "measured"]
        assert {line["lane"] for line in measured} == set("ABCD")
        for line in measured:
            columns = EVENTS["measured"] - {"lane", "steps"}
            assert all(len(line[name]) == len(line["steps"]) for name in columns)
            assert all(
                isinstance(value, float) or value in (None, "-Infinity")
                for name in columns
                for value in line[name]
            )
            assert line["steps"] == sorted(line["steps"])
        first = next(line for line in measured if line["lane"] == "D")
        assert first["steps"][0] == 0
        assert first["gain"][0] == pytest.approx(1.0, abs=0.01)
        assert first["step_size"][0] == pytest.approx(1e-5)  # plain SGD
        assert first["realised"][0] == pytest.approx(1e-5, rel=0.01)

    def test_the_result_has_a_sentence_for_each_lane_and_some_for_the_race(self, recorded):
        result = recorded[0].lines[-1]
        assert [lane["sentence"][0] for lane in result["lanes"]] == [
            lane["letter"] for lane in result["lanes"]
        ]
        assert "not finite at step" in result["lanes"][-1]["sentence"]
        assert any(" won: " in sentence for sentence in result["sentences"])
        assert all(lane["measuring_s"] > 0 for lane in result["lanes"])

    def test_numbers_that_are_not_finite_are_strings(self, recorded):
        found = curves(recorded[0].lines)["A", "loss"]
        assert found[-1] in ("NaN", "Infinity")
        assert all(isinstance(value, float) for value in found[:-1])

    def test_the_nan_lane_says_where(self, recorded):
        last = len(curves(recorded[0].lines)["A", "loss"]) - 1
        assert [
            (line["step"], line["kind"])
            for line in recorded[0].lines
            if line["event"] == "alert" and line["lane"] == "A" and line["kind"] == "nan"
        ] == [(last, "nan")]
        assert [
            line["reason"]
            for line in recorded[0].lines
            if line["event"] == "end" and line["lane"] == "A"
        ] == ["nan"]

    def test_the_result_stands_in_the_order_of_the_standings(self, recorded):
        lanes = recorded[0].lines[-1]["lanes"]
        assert all(lane.keys() == IN_RESULT for lane in lanes)
        assert [lane["letter"] for lane in lanes] == ["C", "D", "B", "A"]
        assert [lane["status"] for lane in lanes] == ["finished", "finished", "nan", "nan"]
        assert [lane["verdict"] for lane in lanes[2:]] == ["nan", "nan"]

    def test_watching_it_again_says_the_same(self, recorded, lrtui):
        said, runs = recorded
        again = lrtui("watch", "--runs", str(runs), "--json")
        assert again.code == 0
        assert again.err == ""
        assert curves(again.lines) == curves(said.lines)
        assert [line for line in rest(again.lines) if line["event"] in ("race", "result")] == [
            said.lines[0],
            said.lines[-1],
        ]
        for letter in "ABCD":
            assert [line for line in rest(again.lines) if line.get("lane") == letter] == [
                line for line in rest(said.lines) if line.get("lane") == letter
            ]

    def test_watching_it_as_text_ends_with_standings_chart_and_place(self, recorded, lrtui):
        _, runs = recorded
        said = lrtui("watch", "--runs", str(runs), "--plain")
        assert said.code == 0
        table = said.out[said.out.index("Explode: plain SGD") :].splitlines()
        assert [line.split()[1] for line in table[2:6]] == ["C", "D", "B", "A"]
        assert "loss by step (log)" in said.out
        assert any(0x2800 < ord(sign) < 0x2900 for sign in said.out)
        assert said.out.rstrip().splitlines()[-1].startswith(f"run: {runs}")

    def test_the_chart_keeps_within_the_terminal(self, recorded, lrtui, monkeypatch):
        for columns in (60, 80, 200):
            monkeypatch.setenv("COLUMNS", str(columns))
            said = lrtui("watch", "--runs", str(recorded[1]), "--plain")
            drawn = [line.rstrip() for line in said.out.splitlines() if "│" in line or "┤" in line]
            assert drawn
            assert all(len(line) <= columns for line in drawn)
