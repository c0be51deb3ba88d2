"""The keys of a scenario that say how lanes are ranked, and with how many seeds."""

from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.spec import Length, Race, letter, with_seeds
from lrtui.core.toml import toml_value

TASK = {"task": "straight-line", "epochs": 2}


def parse(**keys) -> Race:
    raw = {**TASK, "sweep": {"lr": [0.1, 0.01]}, **keys}
    return scenario_file.parse(raw, source="x.toml", folder=Path())


def test_default_leaves_the_metric_open_and_has_one_seed():
    race = parse()
    assert (race.rank_by, race.best, race.rank_at, race.seeds) == ("", "", "last", 1)
    assert [lane.letter for lane in race.lanes] == ["A", "B"]


def test_keys_reach_the_race():
    race = parse(rank_by="accuracy", best="max", rank_at="best", seeds=3)
    assert (race.rank_by, race.best, race.rank_at, race.seeds) == ("accuracy", "max", "best", 3)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"rank_by": ""}, "rank_by"),
        ({"rank_by": 3}, "rank_by"),
        ({"rank_by": "a" * 200}, "rank_by"),
        ({"best": "highest"}, '"min" or "max"'),
        ({"rank_at": "first"}, '"last" or "best" or "budget"'),
        ({"seeds": 0}, "1 to 100"),
        ({"seeds": 2.5}, "seeds"),
        ({"seeds": True}, "seeds"),
        ({"seeds": 100, "sweep": {"lr": [0.1, 0.2, 0.3]}}, "300 lanes, too many"),
    ],
)
def test_bad_value_is_refused_by_key(keys, words):
    with pytest.raises(ScenarioError) as caught:
        parse(**keys)
    assert words in str(caught.value)


class TestSeeds:
    def test_lanes_of_one_kind_differ_in_letter_and_seed_alone(self):
        lanes = parse(seeds=2).lanes
        assert [lane.letter for lane in lanes] == ["A1", "A2", "B1", "B2"]
        assert [lane.seed for lane in lanes] == [0, 1, 0, 1]
        assert lanes[0].name == lanes[1].name != lanes[2].name
        assert lanes[0].optimizer == lanes[1].optimizer

    def test_letters_do_not_meet_those_of_lanes_that_join(self):
        lanes = with_seeds(parse().lanes, 100)
        joined = {letter(index) for index in range(1000)}
        assert not joined & {lane.letter for lane in lanes}

    def test_race_of_a_lane_has_its_seed(self):
        race = parse(seeds=2, seed=7)
        assert [race.of_lane(index).seed for index in range(4)] == [7, 8, 7, 8]
        assert parse(seeds=2, seed=2**63 - 1).of_lane(1).seed == 0

    def test_race_of_a_lengthened_lane_has_its_budget(self):
        for by_epochs, budgets in (
            (True, [(None, 5), (None, 2)]),
            (False, [(40, None), (None, 2)]),
        ):
            longer = msgspec.structs.replace(parse().lanes[0], length=Length(40, 5, by_epochs))
            race = msgspec.structs.replace(parse(), lanes=(longer, parse().lanes[1]))
            found = [race.of_lane(index) for index in (0, 1)]
            assert [(one.steps, one.epochs) for one in found] == budgets


@pytest.mark.parametrize(
    "keys", [{}, {"seeds": 3}, {"rank_by": "error", "best": "min", "rank_at": "budget", "seeds": 2}]
)
def test_text_of_a_race_reads_back_as_the_same_race(keys, tmp_path):
    race = parse(**keys)
    file = tmp_path / "again.toml"
    file.write_text(scenario_text(race))
    again = scenario_file.load(str(file))
    assert again.lanes == race.lanes
    assert (again.rank_by, again.best, again.rank_at, again.seeds) == (
        race.rank_by,
        race.best,
        race.rank_at,
        race.seeds,
    )


class TestScripts:
    def script(self, tmp_path, **keys) -> Race:
        (tmp_path / "train.py").write_text("pass\n")
        raw = {"script": {"file": "train.py", **keys.pop("script", {})}, **keys}
        return scenario_file.parse(raw, source="x.toml", folder=tmp_path)

    def test_script_has_seeds_and_a_ranking(self, tmp_path):
        race = self.script(tmp_path, seeds=2, rank_by="accuracy", sweep={"lr": [0.1, 0.01]})
        assert [lane.letter for lane in race.lanes] == ["A1", "A2", "B1", "B2"]
        assert race.rank_by == "accuracy"
        file = tmp_path / "again.toml"
        file.write_text(scenario_text(race))
        assert scenario_file.load(str(file)).lanes == race.lanes

    def test_script_that_is_not_seeded_has_no_seeds(self, tmp_path):
        with pytest.raises(ScenarioError, match="no seed reaches the script"):
            self.script(tmp_path, seeds=2, script={"seeded": False})


def test_flag_of_seeds_reaches_a_sweep_of_flags(tmp_path):
    file = tmp_path / "x.toml"
    lines = [f"{key} = {toml_value(value)}" for key, value in TASK.items()]
    file.write_text("\n".join([*lines, "[[lane]]", "lr = 0.5"]))
    race = scenario_file.load(str(file), {"seeds": 2, "lanes.lr": [0.1, 0.01]})
    assert [(lane.letter, lane.lr) for lane in race.lanes] == [
        ("A1", 0.1),
        ("A2", 0.1),
        ("B1", 0.01),
        ("B2", 0.01),
    ]
