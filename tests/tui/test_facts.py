"""The large view's numbers and dial, and the page that explains them: from hand-made events, on the
screen itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.protocol.events import Alerted, Column, Ended, FindingsUpdated, Measured
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import COLD, HOT
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui.render import facts
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens.explain import Explain
from lrtui.tui.screens.race import RaceScreen
from lrtui.tui.view import RaceView
from support.fake_run import block, make_race, make_run, say, started
from support.viewer import Viewer

NUMBERS = {
    "gain": 0.71,
    "step_size": 0.0316,
    "rate_p10": 0.0021,
    "rate_p50": 0.0042,
    "rate_p90": 0.0084,
    "realised": 0.0512,
    "update_ratio": -2.34,
}
OK = Findings(early=False, early_gain=0.71, samples=18, first_gain=0.6, peak=1.0, progress=0.9)


def measured(lane: int = 0, steps: tuple[int, ...] = (0, 1), **changes: float) -> Measured:
    columns = {
        name: Column.pack([value] * len(steps)) for name, value in {**NUMBERS, **changes}.items()
    }
    return Measured(lane=lane, at=1.0, steps=list(steps), columns=columns, spent=0.05)


def judged(found: Findings, lane: int = 0) -> FindingsUpdated:
    return FindingsUpdated(lane=lane, at=1.0, step=60, findings=found)


def drawn(
    state: RaceState, width: int = 79, height: int = 7, view: RaceView | None = None
) -> list[str]:
    canvas, lane = Canvas(width, height), state.lanes[0]
    facts.draw(canvas, lane, verdict(lane, state), view or RaceView(), state.race)
    return [canvas.strip(y).text for y in range(height)]


def state_with(*events: object, **keys: object) -> RaceState:
    state = RaceState(make_race(("steady",), **keys))
    for event in (started(0), block(0, "steady", 0, 60), *events):
        apply(state, event)  # type: ignore[arg-type]
    return state


@pytest.fixture
def told(live: Path) -> Path:
    """The live run, whose first lane has been measured and judged."""
    say(live, measured(), judged(OK))
    return live


class TestTheDial:
    @pytest.mark.parametrize(
        ("gain", "word", "place"),
        [
            (1.0, "cold", 0.0),
            (1.5, "cold", 0.0),
            ((1 + COLD) / 2, "cold", 1 / 6),
            (COLD, "ok", 1 / 3),
            ((COLD + HOT) / 2, "ok", 0.5),
            (HOT, "hot", 2 / 3),
            ((HOT - 0.5) / 2, "hot", 5 / 6),
        ],
    )
    def test_each_word_has_its_third(self, gain, word, place):
        assert facts.position(gain, word) == pytest.approx(place)

    @pytest.mark.parametrize(
        ("gain", "word", "third"),
        [
            (-1e9, "hot", 2),
            (0.99, "hot", 2),
            (0.1, "ok", 1),
            (0.999, "ok", 1),
            (0.0, "cold", 0),
            (1e9, "cold", 0),
        ],
    )
    def test_the_word_decides_the_third_whatever_the_gain(self, gain, word, third):
        assert third / 3 <= facts.position(gain, word) < (third + 1) / 3

    @pytest.mark.parametrize(
        ("gain", "word"), [(0.5, "none"), (float("nan"), "ok"), (float("-inf"), "hot")]
    )
    def test_without_a_verdict_there_is_no_place(self, gain, word):
        assert facts.position(gain, word) is None

    @pytest.mark.parametrize(("gain", "third"), [(0.99, 0), (0.6, 1), (0.1, 2)])
    @pytest.mark.parametrize("width", [50, 61, 79, 143])
    def test_the_mark_stands_in_its_third(self, gain, third, width):
        found = Findings(
            early=False, early_gain=gain, samples=18, first_gain=0.6, peak=1.0, progress=0.9
        )
        row = drawn(state_with(judged(found)), width)[3]
        scale = row[row.index("cold ") + 5 : row.index(" hot")]
        assert scale.count("●") == 1
        assert len(scale) % 3 == 0
        assert scale.index("●") * 3 // len(scale) == third
        assert f"gain {gain:.2f}" in row

    def test_margin_and_window_are_said_where_there_is_room(self):
        assert "gain 0.71  margin 0.58 of 2  early on" in drawn(state_with(judged(OK)), 143)[3]
        early = Findings(
            early=True, early_gain=0.71, samples=5, first_gain=0.6, peak=1.0, progress=0.5
        )
        assert "so far, 5 samples" in drawn(state_with(judged(early)), 143)[3]

    @pytest.mark.parametrize(
        ("events", "words"),
        [
            ([], "no verdict yet"),
            ([judged(Findings(samples=2))], "no verdict yet"),
            ([Ended(lane=0, at=1.0, step=60, reason="finished")], "too few steps for a verdict"),
            ([judged(OK), Alerted(lane=0, at=1.0, step=3, kind="diverged", text="")], "DIVERGED"),
            ([judged(OK), Alerted(lane=0, at=1.0, step=3, kind="nan", text="")], "NaN"),
        ],
    )
    def test_what_there_is_to_say_without_a_gain(self, events, words):
        row = drawn(state_with(*events))[3]
        assert words in row
        assert "gain" not in row


class TestTheTable:
    def test_the_five_numbers_stand_under_their_names(self):
        rows = drawn(state_with(measured(), judged(OK)))
        heads, values = rows[0], rows[1]
        for head, value in (
            ("applied", "0.0553"),
            ("next", "0.0547"),
            ("step size", "0.0316"),
            ("realised", "0.0512"),
            ("change/wt", "10^-2.3"),
        ):
            place = heads.index(head)
            assert values[place:].startswith(value)
        assert (
            " ".join(rows[2].split()) == "per element 10% 0.0021 50% 0.0042 90% 0.0084 usual 10^-3"
        )

    def test_numbers_that_are_not_known_are_dashes(self):
        rows = drawn(state_with())
        assert rows[1].split() == ["0.0553", "0.0547", "–", "–", "–"]
        assert "nothing has been measured yet" in rows[4]

    def test_the_cost_is_shown(self):
        assert (
            drawn(state_with(measured()))[4].strip()
            == "measuring: 1.7% of the time, 2 steps of 60, last 1"
        )

    def test_caveats_follow_where_there_is_room(self):
        lanes = [{"name": "steady", "lr": 0.1, "optimizer": "Rprop"}]
        state = state_with(measured(), lane=lanes)
        assert any("Rprop: the rate only sets the first steps" in row for row in drawn(state))
        assert not any("Rprop" in row for row in drawn(state, height=4))

    def test_further_groups_have_a_row_each(self):
        second = {f"{name}/1": value / 2 for name, value in NUMBERS.items() if name != "gain"}
        events = [measured(**second)]
        state = state_with(*events)
        steps = block(0, "steady", 60, 80)
        apply(
            state,
            type(steps)(
                lane=0,
                at=2.0,
                first=60,
                count=20,
                columns={
                    **steps.columns,
                    "applied_lr/1": Column.pack([0.5] * 20),
                    "next_lr/1": Column.pack([0.25] * 20),
                },
            ),
        )
        rows = drawn(state)
        assert rows[1].split()[-2:] == ["group", "1"]
        assert rows[2].split() == ["0.5", "0.25", "0.0158", "0.0256", "10^-1.2", "group", "2"]

    @pytest.mark.parametrize("width", range(50, 150, 7))
    @pytest.mark.parametrize("height", [4, 5, 7])
    def test_nothing_is_drawn_outside_and_no_number_is_cut(self, width, height):
        rows = drawn(state_with(measured(), judged(OK)), width, height)
        assert all(len(row) == width for row in rows)
        assert set(rows[1].split()) <= {"0.0553", "0.0547", "0.0316", "0.0512", "10^-2.3"}

    @pytest.mark.parametrize(
        "value", [3.888e-4, 0.0015888, 0.00015888, 1.2345e-10, 0.99999, 12345.6, 1.2345e10, 3.4e38]
    )
    def test_no_number_is_cut_to_another_one(self, value):
        names = ("step_size", "rate_p10", "rate_p50", "rate_p90", "realised")
        rows = drawn(state_with(measured(**dict.fromkeys(names, value))))
        shown = [float(text) for text in rows[1].split()[2:4]]
        quantiles = [float(part.split()[0]) for part in rows[2].split("%")[1:]]
        assert shown == pytest.approx([value] * 2, rel=0.005)
        assert quantiles == pytest.approx([value] * 3, rel=0.05)


class TestOnTheScreen:
    @pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 50)])
    def test_the_large_view_shows_table_and_dial(self, told, size):
        with Viewer(told.parent, told, size) as viewer:
            viewer.look()
            assert "step size" not in viewer.text
            viewer.press("enter")
            for words in (
                "applied",
                "next",
                "step size",
                "realised",
                "change/wt",
                "0.0316",
                "0.0512",
                "10^-2.3",
                "per element",
                "10% 0.0021",
                "90% 0.0084",
                "usual 10^-3",
                "cold ",
                "●",
                " hot",
                "gain 0.71",
            ):
                assert words in viewer.text
            assert any("┤" in line for line in viewer.lines[8:])  # and the curve has kept some room
            viewer.press("enter")
            assert "step size" not in viewer.text

    def test_the_word_stands_beside_the_lane(self, told):
        with Viewer(told.parent, told) as viewer:
            viewer.look()
            assert any("A steady" in line and "running OK" in line for line in viewer.lines)

    def test_i_explains_the_chosen_lane_with_its_numbers_and_any_key_closes_it(self, told):
        with Viewer(told.parent, told, (120, 40)) as viewer:
            viewer.look()
            viewer.press("i")
            assert isinstance(viewer.screen, Explain)
            words = " ".join(viewer.text.split())
            for number in (
                "0.0553",
                "0.0547",
                "0.0316",
                "0.0021",
                "0.0042",
                "0.0084",
                "0.0512",
                "10^-2.3",
            ):
                assert number in words
            assert "about right early on (step gain 0.71" in words
            viewer.press("z")
            assert isinstance(viewer.screen, RaceScreen)

    def test_it_explains_another_lane_where_that_is_chosen(self, told):
        with Viewer(told.parent, told, (120, 40)) as viewer:
            viewer.look()
            viewer.press("2", "i")
            assert "B diverges (0.01): too few steps" in viewer.text
            assert "0.0316" not in viewer.text  # that is A's

    def test_its_numbers_are_live(self, told):
        with Viewer(told.parent, told, (120, 40)) as viewer:
            viewer.look()
            viewer.press("i")
            explain = viewer.screen
            assert "0.0777" not in viewer.text
            say(told, measured(steps=(2,), step_size=0.0777))
            race = viewer.app.screen_stack[-2]
            assert isinstance(race, RaceScreen)
            viewer._runner.run(_tick(race, explain))
            viewer.settle()
            assert "0.0777" in viewer.text

    def test_at_the_end_it_says_how_the_race_came_out(self, tmp_path):
        run = make_run(tmp_path, ("steady", "explodes"))
        with Viewer(tmp_path, run, (120, 40)) as viewer:
            viewer.look()
            viewer.press("i")
            words = viewer.text
            assert "A steady" in words
            assert " won: val_loss" in words
            assert "Next: " in words

    def test_it_can_be_read_to_its_end_on_a_small_screen(self, told):
        with Viewer(told.parent, told, (60, 16)) as viewer:
            viewer.look()
            viewer.press("i", "end")
            viewer.until(lambda: "customary" in viewer.text, "the last line")


async def _tick(race: RaceScreen, explain: object) -> None:
    """Both timers go off, which the tests hold."""
    race.tick()
    explain._tell()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            Findings(
                early=False, unmeasured="it may move task.stream, whose position cannot be put back"
            ),
            "not measured: it may",
        ),
        (
            Findings(early=False, dead=True, samples=12, early_gain=1.0),
            "no gradient: it cannot learn",
        ),
    ],
)
def test_where_the_gauge_has_nothing_to_say_the_large_view_says_why(found, words):
    assert any(words in row for row in drawn(state_with(measured(), judged(found))))
