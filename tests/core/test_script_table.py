"""The table [script]: what it gives a race, what it refuses, and the text that reads back as it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.placeholders import filled, literally, placeholders
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.script_table import REFUSED, SCRIPT_KEYS, SCRIPT_RACE_KEYS
from lrtui.core.scenario.spec import MAX_LANES, Race, TaskRef
from support.scenarios import assert_readable


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the script train.py."""
    made = tmp_path_factory.mktemp("scripts")
    (made / "train.py").write_text("print('hello')\n")
    return made


def parsed(folder: Path, script: object, name: str = "mine", **keys: object) -> Race:
    return scenario_file.parse(
        {"script": script, **keys}, source="mine.toml", folder=folder, scenario=name
    )


def refusal(folder: Path, script: object, **keys: object) -> str:
    with pytest.raises(ScenarioError) as refused:
        parsed(folder, script, **keys)
    assert_readable(refused.value)
    return str(refused.value)


def names(race: Race) -> list[str]:
    return [lane.called for lane in race.lanes]


class TestWhatIsRun:
    def test_file_is_run_by_this_interpreter_from_the_scenarios_folder(self, folder):
        race = parsed(folder, {"file": "train.py", "args": ["--epochs", 3, 0.5]})
        assert race.task == TaskRef("script", str(folder / "train.py"), "train")
        assert race.script.command == (
            sys.executable,
            str(folder / "train.py"),
            "--epochs",
            "3",
            "0.5",
        )
        assert race.title == "train.py"
        assert race.budget == ""

    def test_module_and_command_are_run_as_they_are(self, folder):
        module = parsed(folder, {"module": "package.train", "args": ["-v"]})
        assert module.task == TaskRef("script", "package.train", "train")
        assert module.script.command == (sys.executable, "-m", "package.train", "-v")
        program = parsed(folder, {"command": ["torchrun", "--nproc-per-node", 2, "train.py"]})
        assert program.task == TaskRef("script", "torchrun", "train")
        assert program.script.command == ("torchrun", "--nproc-per-node", "2", "train.py")
        assert program.title == "torchrun train.py"

    def test_settings_of_the_process_are_kept(self, folder):
        race = parsed(
            folder,
            {"file": "train.py", "env": {"A": "x", "N": 3}, "at_once": 2, "seeded": False},
            steps=50,
            on_nan="stop",
        )
        assert race.script.env == {"A": "x", "N": "3"}
        assert race.script.at_once == 2
        assert not race.script.seeded
        assert (race.steps, race.epochs, race.on_nan) == (50, None, "stop")


class TestLanes:
    def test_one_lane_runs_at_the_scripts_own_rate(self, folder):
        (lane,) = parsed(folder, {"file": "train.py"}).lanes
        assert (lane.called, lane.lr, lane.optimizer.name) == ("A train", 0.0, "")

    def test_rates_times_varied_values_are_lanes(self, folder):
        race = parsed(
            folder,
            {"file": "train.py", "args": ["--bs", "{bs}"], "vary": {"bs": [16, 32]}},
            sweep={"lr": [1e-2, 1e-3]},
        )
        assert names(race) == [
            "A lr=0.01 bs=16",
            "B lr=0.01 bs=32",
            "C lr=0.001 bs=16",
            "D lr=0.001 bs=32",
        ]
        assert [lane.lr for lane in race.lanes] == [1e-2, 1e-2, 1e-3, 1e-3]
        assert race.script.command_of(race.lanes[3])[-2:] == ["--bs", "32"]

    def test_varied_rate_is_named_by_its_value_and_stays_the_scripts(self, folder):
        race = parsed(
            folder, {"file": "train.py", "args": ["--lr={lr}"], "vary": {"lr": ["1e-3", 1e-4]}}
        )
        assert names(race) == ["A lr=1e-3", "B lr=0.0001"]
        assert {lane.lr for lane in race.lanes} == {0.0}
        assert race.script.command_of(race.lanes[0])[-1] == "--lr=1e-3"

    def test_lane_tables_give_rates_values_names_and_expectations(self, folder):
        race = parsed(
            folder,
            {"file": "train.py", "args": ["{a}"], "env": {"B": "{b}"}, "vary": {"b": ["x", "y"]}},
            lane=[
                {"name": "one", "lr": 0.1, "values": {"a": "1", "b": "z"}, "expect": "hot"},
                {"name": "two", "values": {"a": 2}},
            ],
        )
        assert names(race) == ["A one", "B two b=x", "C two b=y"]
        first, second, _ = race.lanes
        assert (first.values, first.expect) == ({"a": "1", "b": "z"}, "hot")
        assert race.script.env_of(second) == {"B": "x"}

    def test_equal_lanes_get_names_of_their_own(self, folder):
        race = parsed(folder, {"file": "train.py"}, sweep={"lr": [0.1, 0.1]})
        assert names(race) == ["A lr=0.1", "B lr=0.1 B"]


class TestBraces:
    def test_braces_that_hold_no_word_are_left_alone(self, folder):
        race = parsed(folder, {"file": "train.py", "args": ['{"a": 1}', "x{3}", "{}", "{a-b}"]})
        assert race.script.command_of(race.lanes[0])[2:] == ['{"a": 1}', "x{3}", "{}", "{a-b}"]

    def test_doubled_braces_stand_for_themselves(self, folder):
        race = parsed(folder, {"file": "train.py", "args": ["{{lr}}", "${{lr}}"]})
        assert race.script.command_of(race.lanes[0])[2:] == ["{lr}", "${lr}"]

    @given(
        st.text(st.sampled_from("{}ab1 $")),
        st.dictionaries(st.sampled_from("ab"), st.text(max_size=3)),
    )
    @example("{{{a}}}", {"a": "x"})
    def test_any_text_can_be_given_literally(self, text, values):
        assert filled(literally(text), values) == text
        assert not placeholders(literally(text))


REFUSALS = [
    ({}, {}, "script.file: a script is a file, a module or a command"),
    ({"file": "train.py", "module": "x"}, {}, "script.module: a script is a file, a module"),
    ({"file": "nothing.py"}, {}, "script.file: no file "),
    ({"module": "no module"}, {}, 'script.module: "no module" is no module'),
    ({"command": []}, {}, "script.command: empty"),
    ({"command": "torchrun"}, {}, "script.command: 'torchrun' is not a list"),
    ({"command": ["a\0b"]}, {}, "script.command: 'a\\x00b' cannot be given to a program"),
    ({"file": "train.py", "args": [True]}, {}, "script.args: true is not a string"),
    ({"file": "train.py", "args": ["{lr}"]}, {}, "script.args: no value for {lr}"),
    ({"file": "train.py", "env": {"A": "{lr}"}}, {}, "script.env: no value for {lr}"),
    ({"file": "train.py", "env": {"A=B": ""}}, {}, "script.env.A=B: no name of a variable"),
    ({"file": "train.py", "env": {"LRTUI_RUN": ""}}, {}, "LRTUI_RUN: set by lrtui itself"),
    ({"file": "train.py", "vary": {"bs": [1]}}, {}, "vary.bs: {bs} stands in no argument"),
    ({"file": "train.py", "vary": {"bs": []}}, {}, "script.vary.bs: a list has no values"),
    ({"file": "train.py", "vary": {"b s": [1]}}, {}, "vary.b s: no name that {NAME} can have"),
    ({"file": "train.py", "at_once": -1}, {}, "script.at_once: -1 is an invalid value"),
    ({"file": "train.py", "optimizer": "SGD"}, {}, "script.optimizer: unknown key"),
    ({"file": "train.py", "seeded": False}, {"seed": 1}, "seed: without effect"),
    ({"file": "train.py"}, {"on_nan": "rewind"}, 'on_nan: "rewind" is an invalid value'),
    ({"file": "train.py"}, {"lane": [{"lr": 0.0}]}, "lane 1.lr: 0.0 is not a valid"),
    ({"file": "train.py"}, {"lane": [{"name": " "}]}, "lane 1.name: empty"),
    ({"file": "train.py"}, {"lane": [{"values": {"x": 1}}]}, "lane 1.values.x: {x} stands in no"),
    ({"file": "train.py"}, {"lane": [{"schedule": "none"}]}, "lane 1.schedule: a script sets this"),
    (
        {"file": "train.py"},
        {"lane": [{"name": "a"}, {"name": "a"}]},
        'lane 2.name: "a" is also the name of lane 1',
    ),
    (
        {"file": "train.py", "args": ["{a}"], "vary": {"a": [*range(MAX_LANES)]}},
        {"sweep": {"lr": [1, 2]}},
        "lane: too many lanes",
    ),
]


@pytest.mark.parametrize(("script", "keys", "said"), REFUSALS, ids=lambda given: str(given)[:40])
def test_invalid_table_is_refused_by_file_and_key(folder, script, keys, said):
    text = refusal(folder, script, **keys)
    assert text.startswith("mine.toml: ")
    assert said in text


@pytest.mark.parametrize("key", sorted(REFUSED.keys() - {"optimizer", "schedule", "recipe"}))
def test_key_of_other_scenarios_is_refused_with_the_reason(folder, key):
    problem, expected = REFUSED[key]
    assert refusal(folder, {"file": "train.py"}, **{key: 1}) == (
        f"mine.toml: {key}: {problem}\nexpected {expected}"
    )


def test_every_key_of_a_scenario_is_taken_or_refused():
    assert not scenario_file.RACE_KEYS - {*SCRIPT_RACE_KEYS, *REFUSED}


class TestOverlay:
    def read(self, folder: Path, raw: dict[str, object], **changes: object) -> Race:
        return scenario_file.parse(
            overlay(raw, {key.replace("__", "."): value for key, value in changes.items()}, "f"),
            source="f",
            folder=folder,
        )

    def test_rates_replace_those_of_the_lanes_whose_values_stay(self, folder):
        raw = {
            "script": {"file": "train.py", "args": ["{bs}"]},
            "lane": [{"lr": 1.0, "values": {"bs": 1}}, {"lr": 2.0, "values": {"bs": 1}}],
        }
        race = self.read(folder, raw, lanes__lr=[0.5], script__at_once=1, steps=500)
        assert names(race) == ["A lr=0.5 bs=1"]
        assert (race.script.at_once, race.steps) == (1, 500)
        varied = self.read(folder, raw, script__vary__bs=["7", "8"])
        assert names(varied) == ["A lr=1 bs=7", "B lr=1 bs=8", "C lr=2 bs=7", "D lr=2 bs=8"]

    def test_arguments_are_added_behind_those_of_the_scenario(self, folder):
        raw = {"script": {"file": "train.py", "args": ["--epochs", "3"]}}
        race = self.read(folder, raw, lanes__args=["--epochs", "5"])
        assert race.script.command[2:] == ("--epochs", "3", "--epochs", "5")

    def test_seed_and_no_seed_replace_each_other(self, folder):
        unseeded = {"script": {"file": "train.py", "seeded": False}}
        race = self.read(folder, unseeded, seed=3)
        assert (race.seed, race.script.seeded) == (3, True)
        seeded = {"script": {"file": "train.py"}, "seed": 3}
        assert not self.read(folder, seeded, script__seeded=False).script.seeded


WORDS = st.one_of(
    st.sampled_from(
        ["train.py", "{a}", "{b}", "{{a}}", '{"a": 1}', "-m", "", "x.y", "~", "/", "\0", "\x1b[1m"]
    ),
    st.text(max_size=8),
    st.integers(-2, 300),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
)
NESTED = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
LIST = st.lists(WORDS, max_size=4)
TABLE = st.dictionaries(st.sampled_from("ab") | st.text(max_size=3), WORDS, max_size=3)
VARIED = st.dictionaries(st.sampled_from("ab") | st.text(max_size=3), LIST | WORDS, max_size=2)
SCRIPTS = st.fixed_dictionaries(
    {},
    optional={
        "file": st.just("train.py") | NESTED,
        "module": WORDS,
        "command": LIST | NESTED,
        "args": LIST | NESTED,
        "env": TABLE | NESTED,
        "vary": VARIED | NESTED,
        "at_once": WORDS,
        "seeded": WORDS,
        "other": WORDS,
    },
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
NEARLY = st.fixed_dictionaries(
    {"file": st.just("train.py")},
    optional={
        "args": st.lists(st.sampled_from(["{a}", "{b}", "x"]) | TEXT, max_size=4),
        "vary": st.dictionaries(
            st.sampled_from("ab"), st.lists(TEXT | st.floats(), min_size=1, max_size=4), max_size=2
        ),
        "env": st.dictionaries(st.sampled_from(["A", "é", ".x"]), TEXT, max_size=2),
        "at_once": st.integers(0, 3),
        "seeded": st.booleans(),
    },
)
LANES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"name": WORDS, "lr": WORDS, "values": TABLE, "expect": WORDS}
    ),
    max_size=3,
)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "title": WORDS,
        "story": WORDS,
        "seed": WORDS,
        "steps": WORDS,
        "on_nan": st.sampled_from(["warn", "stop", 3]),
        "lane": LANES | NESTED,
        "sweep": st.dictionaries(
            st.sampled_from(["lr", "values", "optimizer"]), LIST | st.lists(TABLE), max_size=2
        ),
        "pace": WORDS,
    },
)
CHANGES = st.dictionaries(
    st.sampled_from(["lanes.lr", "lanes.args", "script.vary.a", "script.seeded", "seed", "steps"])
    | st.text(max_size=4),
    NESTED | LIST,
    max_size=3,
)


@settings(max_examples=600, deadline=None)
@given(script=SCRIPTS | NEARLY | NESTED, keys=KEYS | st.just({}), changes=CHANGES | st.just({}))
def test_any_table_gives_a_race_or_an_error(folder, script, keys, changes):
    raw = {"script": script, **keys}
    try:
        race = scenario_file.parse(overlay(raw, changes, "any.toml"), source="any", folder=folder)
    except LrtuiError as refused:
        assert_readable(refused)
        return
    assert msgspec.json.decode(msgspec.json.encode(race), type=Race) == race
    again = tomllib.loads(scenario_text(race))
    assert scenario_file.parse(again, source="any", folder=folder, scenario=race.scenario) == race
    for lane in race.lanes:
        assert not any("\0" in part for part in race.script.command_of(lane))


@settings(max_examples=200, deadline=None)
@given(script=NEARLY, rates=st.lists(st.floats(1e-9, 1e3), max_size=3))
def test_any_script_race_reads_back_from_its_text(folder, script, rates):
    args = [f"{{{name}}}" for name in script.get("vary", {})]
    texts = [*script.get("args", []), *script.get("env", {}).values()]
    lacking = {name for text in texts for name in placeholders(text)} - script.get(
        "vary", {}
    ).keys()
    values = [{"values": dict.fromkeys(lacking, "x")}] if lacking else []
    race = parsed(
        folder,
        {**script, "args": [*script.get("args", []), *args]},
        **({"sweep": {"lr": rates}} if rates and not values else {"lane": values}),
    )
    assert parsed(folder, **tomllib.loads(scenario_text(race))) == race


def test_keys_of_the_table_are_those_that_are_read():
    assert set(SCRIPT_KEYS) == {
        *("file", "module", "command", "args", "env", "vary", "at_once", "seeded")
    }
