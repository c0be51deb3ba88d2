"""The line of each key in a file is the line where it stands, whatever TOML allows around it."""

import tomllib

import pytest

from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.toml_source import SourceStr, SourceTable, lines, source_of, with_source

TRICKY = '''a.b."c.d" = 1.5  # [x]
date = 1979-05-27 07:32:00
story = """
[[lane]] "" ' # schedule = "no"
escaped \\""" still
schedule = 1 """
raw = \'\'\'
[defaults]
it's\'\'\'
empty = ""
empty_too = """"""
list = []
[[lane]]
lr = 1
[lane.schedule]
name = "StepLR"  # [[lane]]
[[lane]]
schedule.name = "x"
schedule.milestones = [1,
 2,  # two
 { a = { b = 1 }, c = [ ] },
]
[ sweep ]
schedule = [
  "A(x=1)",

  { name = "]" },
]
'''


def leaves(value, path=()):
    """The paths of all values that are neither tables nor lists."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    if not isinstance(value, (dict, list)):
        yield path
    for key, part in parts:
        yield from leaves(part, (*path, key))


def test_each_key_has_the_line_where_it_stands():
    found = lines(TRICKY)
    assert found["a", "b", "c.d"] == 1
    assert found["raw",] == 7
    assert found["lane", 0] == 13
    assert found["lane", 0, "schedule"] == 15
    assert found["lane", 1, "schedule", "name"] == 18
    assert found["lane", 1, "schedule", "milestones", 2, "a", "b"] == 21
    assert found["sweep", "schedule", 0] == 25
    assert found["sweep", "schedule", 1, "name"] == 27


@pytest.mark.parametrize(
    "text",
    [TRICKY, TRICKY.replace("\n", "\r\n"), *(p.read_text() for p in scenario_file.bundled())],
)
def test_whatever_tomllib_reads_has_a_line_and_nothing_else_has(text):
    tables = tomllib.loads(text)
    found = lines(text)
    assert set(leaves(tables)) <= found.keys()
    for path in found:
        part = tables
        for key in path:
            part = part[key]  # what has a line is there


def test_what_is_nested_too_deeply_has_no_lines():
    assert lines("a = " + "[" * 50_000 + "]" * 50_000) == {}


def test_values_in_their_place_are_equal_to_those_without():
    assert with_source("StepLR", "x.toml:3") == "StepLR"
    assert with_source({"name": "a"}, "x.toml:3") == {"name": "a"}
    assert isinstance(with_source("a", "b"), SourceStr)
    assert isinstance(with_source({}, "b"), SourceTable)
    assert source_of(with_source("a", "x.toml:3")) == "x.toml:3"
    assert source_of("a") == source_of(None) == source_of(3) == ""
    assert with_source(3, "x.toml:3") == 3


HEAD = 'task = "linear-toy"\nsteps = 10\n'
PLACES = {
    "a key of the lane": ('[[lane]]\nschedule = "linear"\n', ["race.toml:4"]),
    "a table below the lane": ('[[lane]]\n[lane.schedule]\nname = "linear"\n', ["race.toml:4"]),
    "a dotted key": ('[[lane]]\nlr = 1\nschedule.name = "linear"\n', ["race.toml:5"]),
    "the defaults, for a lane without one": (
        '[defaults]\nschedule = "linear"\n[[lane]]\n[[lane]]\nschedule = "cosine"\n',
        ["race.toml:4", "race.toml:7"],
    ),
    "an item of a sweep": (
        '[sweep]\nschedule = ["none",\n\n"linear",\n"cosine"]\n',
        ["", "race.toml:6", "race.toml:7"],
    ),
    "none": ('[[lane]]\n[[lane]]\nschedule = "none"\n', ["", ""]),
    "after a story that looks like a scenario": (
        'story = """\n[[lane]]\nschedule = "linear"\n"""\n[[lane]]\nschedule = "cosine"\n',
        ["race.toml:8"],
    ),
    "an inline list of lanes": (
        'lane = [{lr = 1.0},\n{schedule = "cosine"}]\n',
        ["", "race.toml:4"],
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_lane_knows_where_its_schedule_stands(name, tmp_path):
    text, places = PLACES[name]
    (tmp_path / "race.toml").write_text(HEAD + text)
    assert [
        lane.schedule_at for lane in scenario_file.load(str(tmp_path / "race.toml")).lanes
    ] == places


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"lanes.schedule": "StepLR(step_size=3)"}, ["--schedule", "--schedule"]),
        ({"defaults.schedule": "cosine"}, ["race.toml:4", "--set defaults.schedule"]),
        ({"lanes.lr": [0.1, 0.2]}, ["race.toml:4", "", "race.toml:4", ""]),
    ],
)
def test_a_flag_is_a_place_too_and_a_sweep_by_flags_keeps_the_lines(changes, places, tmp_path):
    (tmp_path / "race.toml").write_text(HEAD + '[[lane]]\nschedule = "linear"\n[[lane]]\n')
    assert [
        lane.schedule_at for lane in scenario_file.load(str(tmp_path / "race.toml"), changes).lanes
    ] == places
