"""`on_nan` and `on_divergence` in a scenario: what they may be, and what they may not."""

from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.spec import Race

RAW = {"task": "straight-line", "steps": 3, "lane": [{"lr": 0.1}]}


def parsed(**keys):
    return scenario_file.parse({**RAW, **keys}, source="x.toml", folder=Path())


def test_nothing_said_is_stop_for_nan_and_warn_for_divergence():
    assert (parsed().on_nan, parsed().on_divergence) == ("stop", "warn")


@pytest.mark.parametrize("policy", ["warn", "pause", "stop"])
def test_divergence_may_warn_pause_or_stop(policy):
    assert parsed(on_divergence=policy).on_divergence == policy


@pytest.mark.parametrize("key", ["on_nan", "on_divergence"])
def test_either_may_rewind(key):
    assert getattr(parsed(**{key: "rewind"}), key) == "rewind"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("on_nan", "pause", 'expected "stop"'),
        ("on_nan", True, 'expected "stop" or "rewind"'),
        ("on_divergence", "explode", '"pause" or "stop"'),
        ("on_divergence", 3, 'expected "warn" or "pause"'),
        ("on_divergence", "", '"warn" or'),
    ],
)
def test_what_else_is_refused_says_what_would_do(key, value, expected):
    with pytest.raises(ScenarioError) as refused:
        parsed(**{key: value})
    assert expected in str(refused.value)


def test_a_command_is_no_key_of_a_scenario():
    """A scenario file must not run commands."""
    with pytest.raises(ScenarioError, match="on_alert: unknown key"):
        parsed(on_alert="rm -rf ~")


def test_a_run_of_before_there_were_policies_can_still_be_read():
    old = {
        key: value
        for key, value in msgspec.to_builtins(parsed()).items()
        if not key.startswith("on_")
    }
    assert msgspec.json.decode(msgspec.json.encode(old), type=Race).on_divergence == "warn"


def test_a_flag_goes_before_the_file():
    merged = overlay({**RAW, "on_divergence": "warn"}, {"on_divergence": "stop"}, "flags")
    assert scenario_file.parse(merged, source="x", folder=Path()).on_divergence == "stop"
