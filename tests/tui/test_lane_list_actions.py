"""Which lanes are shown and in what order: the table, the filter, pins, solo, pages and
differences, by real presses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lrtui.core.protocol.events import Column
from lrtui.tui.render.standings import (
    IMPORTANT,
    WIDTHS,
    available,
    change_words,
    fitting,
    gap_words,
    in_sight,
)
from lrtui.tui.screens.dialogs import FilterBar
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import KINDS, block, make_run, say
from support.viewer import Viewer


@pytest.fixture
def viewer(over: Path):
    """Before the run `over`, wide enough for every column."""
    with Viewer(over.parent, over, (119, 40)) as found:
        found.look()
        yield found


def rows_of(viewer: Viewer) -> list[str]:
    """The rows of the standings."""
    race = next(screen for screen in viewer.app.screen_stack if isinstance(screen, RaceScreen))
    x, y, width, height = race.painter.layout.standings
    lines = [line[x : x + width] for line in viewer.lines[y + 1 : y + height]]
    return [
        line
        for line in lines
        if (words := line[1:].split()) and words[0].isdigit() and len(words) > 4
    ]


def table(viewer: Viewer) -> list[list[str]]:
    """The same as words: place, letter, name, numbers."""
    return [line[1:].split() for line in rows_of(viewer)]


def letters(viewer: Viewer) -> str:
    """Of the lanes in the standings, best first."""
    return "".join(row[1].rstrip("*") for row in table(viewer))


def panes(viewer: Viewer) -> str:
    """The letters of the lanes whose panes are shown, in their order."""
    state = viewer.screen.state
    return "".join(state.lanes[index].lane.letter for index in viewer.screen.painter.layout.panes)


def heading(viewer: Viewer) -> str:
    return next(line[line.index("# lane") - 2 :] for line in viewer.lines if "# lane " in line)


def selected(viewer: Viewer) -> str:
    return viewer.screen.selected.lane.letter


class TestTheTable:
    def test_it_says_what_the_lanes_are_ordered_by_and_v_goes_round(self, viewer):
        for expected in (" ↓val loss ", "↓best val loss ", "↓val loss@60 ", " ↓val loss "):
            assert expected in heading(viewer)
            viewer.press("v")

    def test_the_leader_leads_and_the_others_are_behind_by_a_factor(self, viewer):
        rows = {row[1]: row for row in table(viewer)}
        assert rows["F"][4] == "leads"
        assert rows["A"][4] == "×2.000"
        assert "NaN" in rows["B"]

    def test_table_has_steps_and_time_of_each_lane_that_reached_the_target(self, over):
        with Viewer(over.parent, over, (230, 32)) as viewer:
            viewer.screen.view.target = 0.5
            viewer.look(5)
            assert "→0.5000" in heading(viewer)
            at = heading(viewer).index("→0.5000") - 1
            found = {
                row[1]: line[at : at + 17].split()
                for row, line in zip(table(viewer), rows_of(viewer), strict=True)
            }
            for letter, steps in (("A", 52), ("F", 10)):
                assert int(found[letter][0]) == pytest.approx(steps, abs=12)
                assert found[letter][1] == f"0:0{int(found[letter][0]) // 20}"
            assert found["C"] == ["–", "–"]

    def test_rounding_does_not_make_lanes_change_places(self, tmp_path):
        run = make_run(tmp_path, ("steady", "steady"), done=60, live=True, rank_by="loss")
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            assert letters(viewer) == "AB"
            for step, part, expected in ((60, 0.99, "AB"), (61, 0.5, "BA")):
                steps = block(1, "steady", step, step + 1)
                losses = Column.pack(
                    [part * viewer.screen.state.lanes[1].losses.smooth.value], "f4"
                )
                say(run, msgspec.structs.replace(steps, columns={**steps.columns, "loss": losses}))
                viewer.look(5)
                assert letters(viewer) == expected

    @pytest.mark.parametrize("left_out", [{"best"}, {"spread", "range", "seeds"}, set()])
    def test_columns_come_with_the_width_the_important_ones_first(self, left_out):
        important = [key for key in IMPORTANT if key not in left_out]
        for width in range(44, 250):
            keys, name, status = fitting(width, 20, important)
            assert set(keys) == set(important[: len(keys)])
            assert 4 + name + sum(WIDTHS[key] + 1 for key in keys) + 1 + status <= width
            assert name >= 11
            assert status >= 9
            assert "gap" in keys
        assert len(keys) == len(important)

    def test_what_lanes_cost_is_said_while_they_train_and_where_there_is_room(self, live):
        with Viewer(live.parent, live, (240, 66)) as viewer:
            viewer.look(30)
            assert viewer.screen.view.loads
            assert " memory  time " in heading(viewer)
            assert [row.split()[-3:-1] for row in rows_of(viewer) if "running" in row] == [
                # an old record, without the names of its processes
                ["–", "25%"],
                ["–", "25%"],
                ["–", "50%"],
            ]
            for lane, role in zip(
                viewer.screen.state.lanes, ("trainer 0", "trainer 1", "trainer 1"), strict=True
            ):
                lane.lifecycle.process_roles.append(role)
            viewer.look(30)
            assert [row.split()[-4:-1] for row in rows_of(viewer) if "MB" in row] == [
                ["149", "MB", "25%"],
                ["312", "MB", "25%"],
                ["149", "MB", "50%"],
            ]
            viewer.screen.view.loads = {}
            assert "memory" not in available(viewer.screen.view.ranked, viewer.screen.view)

    def test_where_not_all_fit_the_leader_and_the_chosen_lane_stay_in_sight(self):
        assert in_sight(4, 7, 3) == [0, 1, 2, 3]
        assert in_sight(12, 5, 11) == [0, 8, 9, 10, 11]
        assert in_sight(12, 5, 0) == [0, 1, 2, 3, 4]
        for rows in range(1, 12):
            for place in range(12):
                found = in_sight(12, rows, place)
                assert len(found) == len(set(found)) == rows
                assert found == sorted(found)
                assert place in found
                assert found[0] == 0 or rows <= 2

    def test_a_name_that_is_cut_says_so_everywhere(self, tmp_path):
        run = make_run(tmp_path, ("steady-at-0.000215", *KINDS), done=20)
        with Viewer(tmp_path, run, (60, 16)) as viewer:
            viewer.look()
            assert "A steady-at-0.000215" not in viewer.text
            cut = [line for line in viewer.lines if "A steady" in line]
            assert len(cut) == 2
            assert all("…" in line for line in cut)

    @pytest.mark.parametrize(
        ("gap", "ratio", "text"),
        [
            (1.0, True, "×1.000"),
            (1.23456, True, "×1.235"),
            (12.345, True, "×12.3"),
            (123456.0, True, "×123k"),
            (float("nan"), True, "–"),
            (0.5, False, "+0.5000"),
            (0.0, False, "+0.000"),
            (12345.678, False, "+12346"),
        ],
    )
    def test_a_gap_in_words(self, gap, ratio, text):
        assert gap_words(gap, ratio, leads=False) == text

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (-0.01234, "-1.2%"),
            (0.5, "+50%"),
            (-0.5, "-50%"),
            (0.0, "+0.0%"),
            (42.0, "×43"),
            (float("nan"), "–"),
            (-30.0, "×-29"),
        ],
    )
    def test_a_change_in_words(self, change, text):
        assert change_words(change) == text


class TestTheFilter:
    def test_what_is_typed_hides_lanes_everywhere_at_once_and_enter_keeps_it(self, viewer):
        viewer.press("slash", *"!nan")
        assert isinstance(viewer.screen, FilterBar)
        assert "5 of 6 shown" in viewer.lines[-2]
        viewer.press("enter")
        assert panes(viewer) == "ACDEF"
        assert sorted(letters(viewer)) == list("ACDEF")
        assert "5 of 6 shown: !nan" in viewer.lines[0]

    def test_escape_in_it_shows_all_again_and_so_does_escape_after_it(self, viewer):
        viewer.press("slash", *"steady", "escape")
        assert panes(viewer) == "ABCDEF"
        viewer.press("slash", *"steady", "enter")
        assert panes(viewer) == "A"
        viewer.press("o", "escape")
        assert panes(viewer) == "A"
        viewer.press("escape")
        assert panes(viewer) == "ABCDEF"
        assert "shown" not in viewer.lines[0]

    def test_what_cannot_be_read_is_said_and_the_last_good_filter_stays(self, viewer):
        viewer.press("slash", *"steady", "space", *"lr>=")
        assert "expected a finite number" in viewer.lines[-2]
        viewer.press("enter")
        assert isinstance(viewer.screen, FilterBar)
        viewer.press(*"1", "enter")
        assert panes(viewer) == ""
        viewer.press("slash", *["backspace"] * 6, "enter")
        assert panes(viewer) == "A"

    def test_keys_that_come_in_one_piece_are_typed_into_it(self, viewer):
        viewer.burst("/paints\r")
        assert panes(viewer) == "F"

    def test_where_nothing_matches_it_says_so_and_how_to_go_back(self, viewer):
        viewer.press("slash", *"zzz")
        assert "no lane matches" in viewer.lines[-2]
        assert "A steady" in viewer.text
        viewer.press("enter")
        assert panes(viewer) == ""
        assert "No lane matches zzz" in viewer.text
        assert "Esc shows all lanes again" in viewer.text
        for key in ("o", "d", "I", "L", "w", "tab", "right", "enter", "v", "9", "space", "R"):
            viewer.press(key)
        assert "no lane is shown: Esc shows all" in viewer.toasts
        viewer.press("escape", "escape", "escape")
        assert panes(viewer) == "ABCDEF"

    def test_keys_are_about_a_lane_that_is_shown(self, viewer):
        viewer.press("2", "slash", *"paints", "enter")
        assert selected(viewer) == "F"

    def test_a_lane_that_stops_matching_goes_by_itself(self, tmp_path):
        run = make_run(tmp_path, ("steady", "rests"), done=20, live=True)
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("slash", *"step<30", "enter")
            assert panes(viewer) == "AB"
            say(run, block(1, "rests", 20, 40))
            viewer.look()
            assert panes(viewer) == "A"


class TestPinsAndSolo:
    def test_a_pinned_lane_comes_first_and_stays_whatever_the_filter_says(self, viewer):
        viewer.press("3", "p")
        assert panes(viewer) == "CABDEF"
        assert any(row[1] == "C*" for row in table(viewer))
        assert "▶C* diverges" in viewer.text
        viewer.press("slash", *"paints", "enter")
        assert panes(viewer) == "CF"
        viewer.press("p")
        assert panes(viewer) == "F"

    def test_tab_and_digits_go_by_what_is_shown(self, viewer):
        viewer.press("3", "p", "tab")
        assert selected(viewer) == "A"
        viewer.press("1")
        assert selected(viewer) == "C"
        viewer.press("shift+tab")
        assert selected(viewer) == "F"

    def test_solo_shows_one_lane_everywhere_goes_with_tab_and_ends_with_itself(self, viewer):
        viewer.press("2", "O")
        assert panes(viewer) == letters(viewer) == "B"
        assert "1 of 6 shown: only B" in viewer.lines[0]
        viewer.press("tab")
        assert panes(viewer) == "C"
        viewer.press("O")
        assert panes(viewer) == "ABCDEF"
        assert selected(viewer) == "C"


class TestManyLanes:
    @pytest.fixture
    def many(self, tmp_path):
        run = make_run(tmp_path, KINDS * 10 + KINDS[:4], done=40, over=False)
        with Viewer(tmp_path, run, (100, 30)) as viewer:
            viewer.look()
            yield viewer

    def test_a_page_of_panes_says_that_it_is_one(self, many):
        shown = len(panes(many))
        pages = -(-64 // len(many.screen.painter.layout.panes))
        assert shown > 0
        assert f"page 1 of {pages}" in many.lines[0]
        for _ in range(len(many.screen.painter.layout.panes)):
            many.press("tab")
        assert f"page 2 of {pages}" in many.lines[0]
        many.press("shift+tab")
        assert f"page 1 of {pages}" in many.lines[0]
        many.press("o")
        assert "page" not in many.lines[0]

    def test_pages_are_turned_by_the_keys_that_the_header_names(self, many):
        size, pages = (
            len(many.screen.painter.layout.panes),
            -(-64 // len(many.screen.painter.layout.panes)),
        )
        for pressed, page in (
            ("pageup", 1),
            ("pagedown", 2),
            ("end", pages),
            ("pagedown", pages),
            ("pageup", pages - 1),
            ("home", 1),
        ):
            many.press(pressed)
            assert (
                f"page {page} of {pages} ({'PgUp' if page == pages else 'PgDn'})" in many.lines[0]
            )
            assert (page - 1) * size in many.screen.painter.layout.panes

    def test_the_chosen_lane_is_in_sight_in_pane_and_table(self, many):
        many.press(*["shift+tab"] * 3)
        assert many.screen.view.selected in many.screen.painter.layout.panes
        assert sum("▶" in line for line in many.lines) == 2

    def test_a_filter_makes_few_of_many(self, many):
        many.press("slash", *"rests", "enter")
        assert len(many.screen.view.shown) == 10
        assert "10 of 64 shown: rests" in many.lines[0]


class TestDifferences:
    def test_only_what_differs_is_in_the_table_and_the_rest_on_top(self, viewer):
        viewer.press("d")
        text = "\n".join(viewer.lines[1:20])
        assert "all 6 lanes: Adam, no schedule, 10 epochs, batch 16, seed 7" in text
        row = next(line for line in viewer.lines if line.startswith(" lr"))
        assert row.split() == ["lr", "0.1", "0.01", "0.001", "0.0001", "1e-5", "0.1"]
        assert "optimizer" not in text
        viewer.press("d")
        assert panes(viewer) == "ABCDEF"

    def test_hidden_lanes_are_not_compared(self, viewer):
        viewer.press("slash", *"lr=0.1", "enter", "d")
        assert "all 2 lanes: Adam, lr 0.1" in viewer.text
        assert "All settings are equal" in viewer.text

    def test_many_lanes_stand_below_each_other_and_scroll(self, tmp_path):
        run = make_run(tmp_path, KINDS * 10, done=20)
        with Viewer(tmp_path, run, (80, 24)) as viewer:
            viewer.look()
            viewer.press("d")
            assert "A steady" in viewer.text
            assert "more below" in viewer.text
            viewer.press(*["pagedown"] * 20)
            assert "BH" in "\n".join(viewer.lines[1:15])
            assert "the end" in viewer.text
            viewer.press("pageup")
            assert "more below" in viewer.text
