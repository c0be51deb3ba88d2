"""Lanes that differ in their seed alone: one row of the standings, and what is said of them."""

import math
from pathlib import Path

import msgspec
import pytest

from lrtui.core.protocol.events import Ended, FindingsUpdated, LaneAdded
from lrtui.core.results.differences import differences
from lrtui.core.results.fairness import fairness
from lrtui.core.results.lane_filter import parse, visible
from lrtui.core.results.lane_sentence import group_sentences
from lrtui.core.results.race_result import ranking_line, result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.race_words import seed_words
from lrtui.core.results.seed_groups import seed_groups
from lrtui.core.results.standings import race_standings
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.lane_syntax import as_new_lane
from lrtui.core.scenario.spec import Length, with_seeds
from lrtui.core.state.race_state import RaceState, apply
from support.builders import OK, make_race, started, steps


def raced(*groups, over=True, **keys):
    """A race in which each group has a lane of constant loss for each seed; a word in place of a
    loss is how that lane ended."""
    asked = make_race(len(groups), seeds=len(groups[0]), **keys)
    state = RaceState(msgspec.structs.replace(asked, lanes=with_seeds(asked.lanes, len(groups[0]))))
    for lane, value in enumerate(value for group in groups for value in group):
        end = value if isinstance(value, str) else "finished"
        apply(state, started(lane))
        apply(state, steps([math.nan if isinstance(value, str) else value] * 10, lane=lane))
        apply(state, FindingsUpdated(lane=lane, step=10, findings=OK))
        if over:
            apply(state, Ended(lane=lane, step=10, reason=end))
    return state


def letters(state):
    return [row.group.letter for row in race_standings(state).rows]


class TestTheRow:
    def test_it_stands_where_the_mean_of_its_seeds_does(self):
        state = raced([1.0, 4.0], [2.0, 2.0], [9.0, 1.5])
        assert letters(state) == ["B", "A", "C"]
        row = race_standings(state).rows[1]
        assert (row.value, row.spread.low, row.spread.high) == pytest.approx((2.5, 1.0, 4.0))

    def test_with_a_nan_it_stands_behind_all_without(self):
        state = raced([0.1, "nan", 0.1], [2.0, 2.0, 2.0], ["nan"] * 3, ["nan", "nan", 0.1])
        assert letters(state) == ["B", "A", "D", "C"]
        assert (
            "A lane 0 (0.1) is better in the seeds that stayed finite (0.1000), but 1 of 3 went"
            " NaN: it is placed behind." in race_sentences(state)
        )

    def test_an_error_leaves_its_seed_out(self):
        state = raced([0.1, "error", 0.3], [2.0, 2.0, 2.0])
        assert letters(state) == ["A", "B"]
        assert "(mean of 2 seeds, 0.1000 to 0.3000; 1 of 3 failed)" in race_sentences(state)[0]

    def test_the_result_has_lanes_and_rows(self):
        state = raced([1.0, 4.0], [2.0, 2.0], seed=7)
        rows = ranking_line(state)["standings"]
        assert [(row["letter"], row["lanes"], row["place"]) for row in rows] == [
            ("B", ["B1", "B2"], 1),
            ("A", ["A1", "A2"], 2),
        ]
        assert [(lane["letter"], lane["place"], lane["seed"]) for lane in result(state)] == [
            ("B1", 1, 7),
            ("B2", 1, 8),
            ("A1", 2, 7),
            ("A2", 2, 8),
        ]
        assert [row["sentence"] for row in rows] == group_sentences(state)

    def test_its_sentence_is_about_all_of_it(self):
        state = raced([1.0, 1.2, 1.4], [2.0, 2.0, 2.0])
        assert group_sentences(state)[0] == (
            "A lane 0 (0.1), 3 seeds, such as A1: about right early on (step gain 0.70, margin 0.60"
            " of 2); it ended at 1.200 (mean of 3 seeds, 1.000 to 1.400)."
        )


class TestTheLastSentence:
    def said(self, *groups):
        return race_sentences(raced(*groups))[-1]

    def test_it_says_that_the_first_is_ahead(self):
        said = self.said([1.0, 1.01, 0.99, 1.0, 1.0], [2.0, 2.01, 1.99, 2.0, 2.02])
        assert said.startswith("A lane 0 (0.1) is ahead of B lane 1 (0.1) beyond the spread")

    def test_leads_are_paired_by_seed(self):
        easy_and_hard = [1.0, 5.0, 3.0, 2.0, 4.0]
        said = self.said(easy_and_hard, [value + 0.1 + value / 100 for value in easy_and_hard])
        assert "is ahead of" in said

    def test_it_says_how_many_seeds_would_tell(self):
        said = self.said([1.0, 1.4, 1.0], [1.3, 1.2, 1.5])
        assert said.startswith("A lane 0 (0.1) is not ahead of B lane 1 (0.1) beyond the spread")
        assert said.endswith(" seeds would tell.")
        assert "about" in said
        assert self.said([1.0, 2.0], [2.0, 1.001]).endswith("more than 100 seeds would tell.")

    def test_a_seed_that_went_nan_is_left_out_and_said_to_be(self):
        said = self.said([1.0, 1.0, "error"], [2.0, 2.1, 2.0])
        assert "over 2 seeds (left out: of A lane 0 (0.1) 1 of 3 failed)" in said
        said = self.said([1.0, 1.0, 1.0], [2.0, "nan", 2.0])
        assert said == (
            "A lane 0 (0.1) is before B lane 1 (0.1) for staying finite with more seeds: of"
            " B lane 1 (0.1) 1 of 3 went NaN."
        )
        assert self.said([1.0, "error"], [2.0, 2.0]).startswith("Too few seeds are left")

    def test_with_one_seed_it_is_as_modest_as_before(self):
        said = race_sentences(raced([1.0], [1.01]))
        assert said[0].endswith("level with it (1.010); another seed may turn them round.")
        assert "spread" not in " ".join(said)


class TestElsewhere:
    def test_lanes_of_one_seed_are_compared_for_fairness(self):
        state = raced([1.0, 1.0], [2.0, 2.0], over=False, seed=7)
        for lane in state.lanes:
            checksum = "bad" if lane.lane.letter == "B2" else f"sum{lane.lane.seed}"
            begun = msgspec.structs.replace(started(lane.index), init_checksum=checksum)
            apply(state, begun)
        assert fairness(state).words == "NOT FAIR: weights differ at seed 8"
        apply(state, msgspec.structs.replace(started(3), init_checksum="sum1"))
        assert fairness(state).words == "fair: 2 seeds"

    def test_lanes_that_differ_in_their_seed_alone_differ_in_that(self):
        state = raced([1.0, 1.0], [1.0, 1.0], seed=7)
        table = differences(state.lanes[:2], state.race)
        assert (table.settings, table.cells) == (("seed",), (("7", "8"),))
        assert "seeds 7-8" in table.common
        assert "seed 8" in differences(state.lanes[1:2], state.race).common
        assert seed_words([], make_race(1, seed=3)) == "seed 3"

    @pytest.mark.parametrize(
        ("text", "found"), [("A", [0, 1]), ("A2", [1]), ("letter:b", [2, 3]), ("gap>1.5", [2, 3])]
    )
    def test_a_filter_knows_the_letter_of_a_group(self, text, found):
        assert visible(raced([1.0, 1.2], [2.0, 2.0]), parse(text)) == found

    def test_a_lane_that_joins_has_the_letter_after_those_of_the_groups(self):
        state = raced([1.0, 1.0], [2.0, 2.0], over=False)
        child = as_new_lane(state.race, state.lanes[1].lane, "the fork")
        assert (child.letter, child.seed) == ("C", 1)
        apply(state, LaneAdded(lane=4, parent=1, step=5, child=child))
        assert state.log[-1][2] == "forked from A2 at step 5"
        assert differences(state.lanes[4:], state.race).common.startswith("SGD, lr 0.1")
        assert "forked from A2 at 5" in differences(state.lanes[4:], state.race).common
        assert [group.letter for group in seed_groups(state.lanes)] == ["A", "B", "C"]

    def test_a_group_whose_lane_was_lengthened_stays_one(self):
        raw = {"task": "linear-toy", "steps": 5, "seeds": 3, "lane": [{"lr": 0.1}]}
        race = scenario_file.parse(raw, source="mine.toml", folder=Path("/nowhere"))
        state = RaceState(race)
        lane = state.lanes[1]
        lane.lane = msgspec.structs.replace(lane.lane, length=Length(9, 1))
        assert [group.letter for group in seed_groups(state.lanes)] == ["A"]
