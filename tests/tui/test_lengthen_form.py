"""The question of how much longer lanes train, and the commands that its answer makes."""

import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import Lengthen
from lrtui.core.state.race_state import RaceState
from lrtui.tui.screens.command_forms import lengthen
from support.fake_run import make_race


def form(**keys):
    state = RaceState(make_race(("steady", "paints"), **keys))
    return lengthen(state, state.lanes, None)


@pytest.mark.parametrize(
    ("text", "choice", "expected"),
    [
        ("10 epochs", "0", {"epochs": 10}),
        ("7", "0", {"epochs": 7}),
        (" 1 epoch ", "1", {"epochs": 1, "pause": True}),
        ("400 steps", "0", {"steps": 400}),
    ],
)
def test_text_becomes_a_command_to_each_lane(text, choice, expected):
    asked = form()
    assert asked.fields["more"][1] == "10 epochs"
    found = asked.read({"more": text, "choice": choice})
    assert found == [Lengthen(lane, **expected) for lane in (0, 1)]


def test_lanes_with_a_schedule_may_have_it_made_anew():
    asked = form(defaults={"schedule": "cosine"})
    assert len(asked.choices) == 4
    (first, _) = asked.read({"more": "3 steps", "choice": "2"})
    assert first == Lengthen(0, steps=3, reschedule=True)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5 epochs", "3 hours", "9" * 13, "2**9"])
def test_anything_else_is_refused(text):
    with pytest.raises(LrtuiError, match="invalid value"):
        form().read({"more": text, "choice": "0"})
