"""Random tables, flags and bytes give a scenario or a readable error, and no other exception."""

import tomllib
from datetime import date, datetime, time
from pathlib import Path

import msgspec
from hypothesis import example, given, settings, strategies as st

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import catalogue, scenario_file
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.scenario_file import parse
from lrtui.core.scenario.spec import Race
from support.scenarios import CONTROL, LANE, TASK, THREE, assert_readable

KEYS = [
    "title",
    "story",
    "task",
    "seed",
    "epochs",
    "steps",
    "batch_size",
    "device",
    "sample_every",
    "defaults",
    "lane",
    "sweep",
    "name",
    "optimizer",
    "lr",
    "schedule",
    "interval",
    "schedulers",
    "milestones",
    "step_size",
    "gamma",
    "momentum",
    "betas",
    "weight_decay",
    "lr_lambda",
    "T_max",
    "total_steps",
    "warmup_ratio",
    "mode",
    "base_lr",
]
WORDS = [
    "linear-toy",
    "task.py:Mine",
    "json:loads",
    "auto",
    "cpu",
    "cuda:0",
    "SGD",
    "Adam",
    "Muon",
    "StepLR",
    "SequentialLR",
    "ChainedScheduler",
    "LambdaLR",
    "ReduceLROnPlateau",
    "cosine",
    "none",
    "batch",
    "epoch",
    "0.9 ** epoch",
    "StepLR(step_size=3)",
    "1 / step",
    "\x1b[31m",
    "min",
    "",
]
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=20),
    st.integers(-3, 40),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.times(),
    st.datetimes(),
)
NAMES = st.one_of(st.sampled_from(KEYS), st.text(max_size=8))
NESTED = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
LANES = st.dictionaries(
    st.sampled_from(["name", "optimizer", "lr", "schedule", "momentum", "betas", "weight_decay"]),
    NESTED,
    max_size=4,
)
SCHEDULES = st.builds(
    lambda name, rest: {**rest, "name": name},
    st.sampled_from([*catalogue.schedules()]),
    st.dictionaries(NAMES, NESTED, max_size=4),
)
# A race that is nearly right: refusals deep inside are reached only this way.
NEARLY = st.fixed_dictionaries(
    {"task": st.sampled_from(["linear-toy", "task.py:Mine"]), "steps": st.just(5)},
    optional={
        "lane": st.lists(
            LANES | SCHEDULES.map(lambda schedule: {"schedule": schedule}), max_size=3
        ),
        "sweep": st.dictionaries(
            st.sampled_from(["lr", "optimizer", "schedule"]),
            st.lists(VALUES | SCHEDULES, max_size=3),
            max_size=3,
        ),
        "defaults": LANES,
        "seed": NESTED,
        "title": NESTED,
        "device": NESTED,
    },
)
ANYTHING = st.dictionaries(NAMES, NESTED, max_size=8) | NEARLY
CHANGES = st.dictionaries(
    st.sampled_from(
        [
            "lanes.lr",
            "lanes.optimizer",
            "lanes.schedule",
            "epochs",
            "seed",
            "defaults.lr",
            "sweep.lr",
            "lane",
        ]
    )
    | NAMES,
    NESTED | st.lists(VALUES, min_size=1, max_size=3),
    max_size=3,
)


def test_toml_types_are_those_of_the_strategies():
    everything = tomllib.loads(
        'a = ""\nb = 1\nc = 1.0\nd = true\ne = 1979-05-27\nf = 07:32:00\ng = 1979-05-27T07:32:00\nh'
        " = []\n[i]\n"
    )
    assert [type(value) for value in everything.values()] == [
        str,
        int,
        float,
        bool,
        date,
        time,
        datetime,
        list,
        dict,
    ]


@settings(max_examples=600, deadline=None)
@given(raw=ANYTHING)
def test_any_tables_give_a_race_or_an_error(raw, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    (folder / "task.py").write_text(TASK)
    try:
        made = parse(raw, source="race.toml", folder=folder)
    except LrtuiError as refused:
        assert_readable(refused)
    else:
        assert msgspec.json.decode(msgspec.json.encode(made), type=Race) == made
        assert not CONTROL.search(made.title + "".join(lane.name for lane in made.lanes))


@settings(max_examples=300, deadline=None)
@given(raw=ANYTHING, changes=CHANGES)
@example(raw={}, changes={"lanes.lr": [], "lanes.optimizer": 0})
def test_any_flags_over_any_tables_give_a_race_or_an_error(raw, changes):
    try:
        assert isinstance(
            parse(overlay(raw, changes, "race.toml"), source="race.toml", folder=Path("/")), Race
        )
    except LrtuiError as refused:
        assert_readable(refused)


@settings(max_examples=300, deadline=None)
@given(
    raw=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.tuples(st.binary(max_size=5), st.sampled_from([THREE, LANE])).map(
        lambda parts: parts[1].encode() + parts[0]
    )
)
def test_any_bytes_give_tables_or_an_error(raw, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(raw)
    try:
        assert isinstance(scenario_file.read(path), dict)
    except LrtuiError as refused:
        assert_readable(refused)
