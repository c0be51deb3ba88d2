"""Keys of a recipe: where they may stand, what replaces what, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.lane_syntax import format_lane, parse_lane
from lrtui.core.scenario.recipe_table import RECIPE_KEYS
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.spec import Race, Recipe
from support.scenarios import HEAD, LANE, assert_readable, assert_refused, load_scenario

VALUES = {
    "clip_grad_norm": (1.5, 0.5),
    "clip_grad_value": (0.25, 2.0),
    "accumulate": (4, 2),
    "precision": ("bf16", "fp16"),
    "compile": ("reduce-overhead", "max-autotune"),
    "ema": (0.999, 0.9),
}
"""Two valid values of each key, as they are kept."""
BAD = {
    **{
        key: {
            "'high'": "'high' is not a number",
            "true": "true is not a number",
            "[1.0]": "a list is not a number",
            "{ a = 1.0 }": "a table is not a number",
            "-1.0": "-1 is an invalid value",
            "nan": "nan is an invalid value",
            "inf": "inf is an invalid value",
        }
        for key in ("clip_grad_norm", "clip_grad_value", "ema")
    },
    "accumulate": {
        "'4'": "'4' is an invalid value",
        "true": "true is an invalid value",
        "[4]": "a list is an invalid value",
        "0": "0 is an invalid value",
        "-1": "-1 is an invalid value",
        "2.0": "2.0 is an invalid value",
        "nan": "nan is an invalid value",
        "inf": "inf is an invalid value",
        "100001": "100001 is an invalid value",
    },
    "precision": {
        "'fp8'": '"fp8" is an invalid value',
        "''": '"" is an invalid value',
        "16": "16 is an invalid value",
        "true": "true is an invalid value",
        "['bf16']": "a list is an invalid value",
        '"\\u001b[31m"': "is an invalid value",
    },
    "compile": {
        "'fast'": "'fast' is an invalid value",
        "''": "'' is an invalid value",
        "1": "1 is an invalid value",
        "['default']": "a list is an invalid value",
        "{ mode = 'default' }": "a table is an invalid value",
        '"\\u001b[31m"': "is an invalid value",
    },
}
"""By key: an invalid value in TOML, and what the message says."""
BAD["ema"]["1.0"] = "1 is an invalid value"
EXPECTED = {
    "clip_grad_norm": "expected a ",
    "clip_grad_value": "expected a ",
    "accumulate": "expected a whole number, 1 to 100000",
    "precision": 'expected "fp32" or "bf16" or "fp16" or "tf32"',
    "compile": 'expected true, false or "default"',
    "ema": "expected a ",
}
INVALID = [
    pytest.param(key, value, words, id=f"{key} {value}")
    for key, values in BAD.items()
    for value, words in values.items()
]
every_key = pytest.mark.parametrize("key", VALUES)


def recipes(folder: Path, text: str, changes: dict[str, object] | None = None) -> list[Recipe]:
    return [lane.recipe for lane in load_scenario(folder, text, changes).lanes]


def test_values_are_given_for_every_key():
    assert VALUES.keys() == BAD.keys() == EXPECTED.keys() == RECIPE_KEYS


@every_key
def test_race_wide_key_is_that_of_every_lane(folder, key):
    first, _ = VALUES[key]
    text = f"{key} = {first!r}\n{LANE}[[lane]]\n"
    assert recipes(folder, text) == [Recipe(**{key: first})] * 2


@every_key
def test_defaults_replace_the_race_wide_key(folder, key):
    first, second = VALUES[key]
    text = f"{key} = {first!r}\n{HEAD}[defaults]\n{key} = {second!r}\n[[lane]]\n"
    assert recipes(folder, text) == [Recipe(**{key: second})]


@every_key
def test_lane_replaces_defaults_and_race_wide_key(folder, key):
    first, second = VALUES[key]
    text = f"{HEAD}[defaults]\n{key} = {first!r}\n[[lane]]\n[[lane]]\n{key} = {second!r}\n"
    wide = f"{key} = {first!r}\n{LANE}[[lane]]\n{key} = {second!r}\n"
    expected = [Recipe(**{key: first}), Recipe(**{key: second})]
    assert recipes(folder, text) == recipes(folder, wide) == expected


@every_key
def test_sweep_over_a_key_makes_a_lane_for_each_value(folder, key):
    first, second = VALUES[key]
    text = f"{HEAD}[sweep]\nlr = [0.1, 0.2]\n{key} = [{first!r}, {second!r}]\n"
    race = load_scenario(folder, text)
    assert [(lane.lr, getattr(lane.recipe, key)) for lane in race.lanes] == [
        (lr, value) for lr in (0.1, 0.2) for value in (first, second)
    ]
    assert len({lane.name for lane in race.lanes}) == 4
    assert all(key in lane.name for lane in race.lanes)


def test_sweep_over_recipes_takes_each_as_a_whole(folder):
    text = (
        HEAD + "[sweep]\nrecipe = [{}, { accumulate = 2, clip_grad_norm = 1 }]\nlr = [0.1, 0.2]\n"
    )
    assert [(lane.lr, lane.recipe) for lane in load_scenario(folder, text).lanes] == [
        (lr, recipe)
        for recipe in (Recipe(), Recipe(accumulate=2, clip_grad_norm=1.0))
        for lr in (0.1, 0.2)
    ]


def test_generated_names_tell_in_what_recipes_differ(folder):
    text = f"accumulate = 4\n{LANE}[[lane]]\nclip_grad_norm = 1\n[[lane]]\nprecision = 'bf16'\n"
    assert [lane.name for lane in load_scenario(folder, text).lanes] == [
        "Adam 0.001",
        "Adam 0.001 clip_grad_norm 1",
        "Adam 0.001 precision bf16",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[{ acumulate = 2 }]", ["sweep.recipe.acumulate", 'did you mean "accumulate"']),
        ("[{ lr = 2 }]", ["sweep.recipe.lr", "unknown key"]),
        ("[1]", ["sweep.recipe", "1 is not a table"]),
        ("{ accumulate = 2 }", ["sweep.recipe", "a list"]),
        ("[{ accumulate = 0 }]", ["sweep.accumulate", "0 is an invalid value"]),
    ],
)
def test_invalid_sweep_over_recipes_is_refused(folder, value, words):
    assert_refused(folder, f"{HEAD}[sweep]\nrecipe = {value}\n", words)


@every_key
@pytest.mark.parametrize(
    "text",
    [
        "{wide}{head}[[lane]]\n",
        "{head}[defaults]\n{wide}[[lane]]\n",
        "{head}[[lane]]\n{wide}",
        "{head}[sweep]\n{swept}",
        "{head}[sweep]\nrecipe = [{{ {inline} }}]\n",
    ],
    ids=["race-wide", "defaults", "lane", "sweep", "sweep of recipes"],
)
def test_flag_replaces_the_key_wherever_it_stands(folder, key, text):
    first, second = VALUES[key]
    inline = f"{key} = {first!r}"
    text = text.format(wide=inline + "\n", swept=f"{key} = [{first!r}]\n", inline=inline, head=HEAD)
    assert recipes(folder, text) == [Recipe(**{key: first})]
    assert recipes(folder, text, {key: second}) == [Recipe(**{key: second})]


def test_flag_over_a_sweep_of_its_key_alone_leaves_one_lane(folder):
    text = HEAD + "[sweep]\naccumulate = [1, 2, 4]\n"
    assert recipes(folder, text, {"accumulate": 8}) == [Recipe(accumulate=8)]


@pytest.mark.parametrize("value", [True, False])
def test_compile_may_be_true_or_false(folder, value):
    expected = Recipe(compile="default" if value else "")
    assert recipes(folder, f"compile = {str(value).lower()}\n{LANE}") == [expected]
    assert recipes(folder, "compile = 'max-autotune'\n" + LANE, {"compile": value}) == [expected]


class TestTwoKindsOfClipping:
    """Clipping by norm and clipping by value exclude each other."""

    NORM, VALUE = Recipe(clip_grad_norm=1.0), Recipe(clip_grad_value=0.5)

    @pytest.mark.parametrize("where", ["race-wide", "defaults", "both"])
    def test_a_lanes_own_kind_replaces_the_other(self, folder, where):
        wide = "clip_grad_norm = 1\n" if where != "defaults" else ""
        usual = "[defaults]\nclip_grad_norm = 1\n" if where != "race-wide" else ""
        text = f"{wide}{HEAD}{usual}[[lane]]\n[[lane]]\nclip_grad_value = 0.5\n"
        assert recipes(folder, text) == [self.NORM, self.VALUE]

    def test_defaults_replace_the_race_wide_kind(self, folder):
        text = f"clip_grad_norm = 1\n{HEAD}[defaults]\nclip_grad_value = 0.5\n[[lane]]\n"
        assert recipes(folder, text) == [self.VALUE]

    def test_zero_of_the_other_kind_is_none_at_all(self, folder):
        text = f"clip_grad_norm = 1\n{LANE}clip_grad_value = 0\n"
        assert recipes(folder, text) == [Recipe()]

    @pytest.mark.parametrize("wide", ["", "clip_grad_norm = 1\n"])
    def test_rate_flags_keep_the_kind_of_each_lane(self, folder, wide):
        own = "" if wide else "clip_grad_norm = 1\n"
        text = f"{wide}{LANE}{own}[[lane]]\nclip_grad_value = 0.5\n"
        race = load_scenario(folder, text, {"lanes.lr": [1.0, 2.0]})
        assert [(lane.lr, lane.recipe) for lane in race.lanes] == [
            (lr, recipe) for lr in (1.0, 2.0) for recipe in (self.NORM, self.VALUE)
        ]

    def test_flag_of_one_kind_replaces_the_other_kind(self, folder):
        text = f"clip_grad_norm = 1\n{LANE}clip_grad_norm = 2\n[[lane]]\nclip_grad_value = 1\n"
        assert recipes(folder, text, {"clip_grad_value": 0.5}) == [self.VALUE] * 2

    @pytest.mark.parametrize(
        "text",
        [
            "clip_grad_norm = 1\nclip_grad_value = 1\n" + LANE,
            HEAD + "[defaults]\nclip_grad_norm = 1\nclip_grad_value = 1\n[[lane]]\n",
            LANE + "clip_grad_norm = 1\nclip_grad_value = 1\n",
            HEAD + "[sweep]\nclip_grad_norm = [1.0]\nclip_grad_value = [1.0]\n",
        ],
        ids=["race-wide", "defaults", "lane", "sweep"],
    )
    def test_both_kinds_in_one_place_are_refused(self, folder, text):
        assert_refused(folder, text, ["clip_grad_value: excludes clip_grad_norm", "expected one"])

    def test_both_kinds_as_flags_are_refused(self, folder):
        with pytest.raises(LrtuiError, match="clip_grad_value: excludes clip_grad_norm"):
            load_scenario(folder, LANE, {"clip_grad_norm": 1.0, "clip_grad_value": 1.0})


@pytest.mark.parametrize(("key", "value", "words"), INVALID)
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{key} = {value}\n{head}[[lane]]\n", "{key}"),
        ("{head}[defaults]\n{key} = {value}\n[[lane]]\n", "lane 1.{key}"),
        ("{head}[[lane]]\n{key} = {value}\n", "lane 1.{key}"),
        ("{head}[sweep]\n{key} = [{value}]\n", "sweep.{key}"),
    ],
    ids=["race-wide", "defaults", "lane", "sweep"],
)
def test_invalid_value_is_refused_by_file_and_key(folder, text, path, key, value, words):
    text = text.format(head=HEAD, key=key, value=value)
    assert_refused(folder, text, [f"{path.format(key=key)}: ", words, EXPECTED[key]])


@pytest.mark.parametrize(("key", "value", "words"), INVALID)
def test_invalid_setting_is_refused_like_a_key(folder, key, value, words):
    changes = {key: tomllib.loads(f"value = {value}")["value"]}
    with pytest.raises(LrtuiError) as refused:
        load_scenario(folder, LANE, changes)
    assert words in refused.value.message
    assert_readable(refused.value)


def test_fp16_is_refused_with_lbfgs(folder):
    text = LANE + "optimizer = 'LBFGS'\nprecision = 'fp16'\n"
    assert_refused(folder, text, ["lane 1.precision", "LBFGS computes the loss itself", '"bf16"'])


OWN = """
class Own:
    def __init__(self, params, lr=0.1, depth=2): ...
    def step(self): ...
"""


@pytest.fixture
def rich(folder: Path) -> Race:
    """Lanes with a recipe of each kind, and two with an optimizer of the user."""
    (folder / "own.py").write_text(OWN)
    lanes = [
        "clip_grad_norm = 0.5\naccumulate = 3\nprecision = 'bf16'\nema = 0.99\n",
        "clip_grad_value = 1e-7\ncompile = true\n",
        "compile = 'max-autotune-no-cudagraphs'\nclip_grad_norm = 0\n",
        "optimizer = 'own.py:Own'\nprecision = 'fp16'\n",
        "optimizer = { name = 'own.py:Own', depth = 3 }\nlr = 0.3\n",
    ]
    return load_scenario(
        folder,
        "clip_grad_norm = 2\nvalidate_every = 50\n"
        + HEAD
        + "".join(f"[[lane]]\n{lane}" for lane in lanes),
    )


def test_race_with_recipes_reads_back_from_its_text(rich):
    again = scenario_file.parse(
        tomllib.loads(scenario_text(rich)), source="again", folder=Path("/"), scenario="race"
    )
    assert again.validate_every == 50
    assert [lane.recipe for lane in again.lanes] == [lane.recipe for lane in rich.lanes]
    assert [lane.optimizer.code for lane in again.lanes] == [
        lane.optimizer.code for lane in rich.lanes
    ]
    assert [lane.optimizer.options for lane in again.lanes] == [{}, {}, {}, {}, {"depth": 3}]
    twice = scenario_file.parse(
        tomllib.loads(scenario_text(again)), source="twice", folder=Path("/"), scenario="race"
    )
    assert twice == again


def test_race_with_recipes_survives_json_and_msgpack(rich):
    assert msgspec.json.decode(msgspec.json.encode(rich), type=Race) == rich
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(rich), type=Race) == rich


def test_lane_with_a_recipe_is_the_same_when_its_words_are_read(rich, monkeypatch):
    monkeypatch.chdir("/")
    for lane in rich.lanes:
        found = parse_lane(lane, format_lane(lane))
        assert msgspec.structs.replace(found, name=lane.name) == lane


def test_lane_in_words_has_no_recipe_unless_it_names_one(rich):
    assert parse_lane(rich.lanes[0], "lr=0.1").recipe == Recipe()
    found = parse_lane(rich.lanes[0], "accumulate=2 compile=true precision=bf16 ema=0.9")
    assert found.recipe == Recipe(accumulate=2, compile="default", precision="bf16", ema=0.9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accumulate=0", "accumulate: 0 is an invalid value"),
        ("precision=fp8", 'precision: "fp8" is an invalid value'),
        ("compile=fast", "compile: 'fast' is an invalid value"),
        ("ema=1", "ema: 1 is an invalid value"),
        ("clip_grad_norm=1 clip_grad_value=1", "clip_grad_value: excludes clip_grad_norm"),
        (
            "optimizer=own.py:Own depht=2",
            'depht: unknown option of own.py:Own; did you mean "depth"',
        ),
        ("optimizer=own.py:Missing", "optimizer"),
    ],
)
def test_invalid_words_of_a_lane_are_refused(rich, folder, monkeypatch, text, words):
    monkeypatch.chdir(folder)
    with pytest.raises(LrtuiError, match=f"lane A: .*{words.split(';')[0]}") as refused:
        parse_lane(rich.lanes[0], text)
    assert words in refused.value.message
    assert_readable(refused.value)
