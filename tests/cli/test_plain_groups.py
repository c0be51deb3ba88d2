"""Lines of lanes with several param groups, of hand-made events."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

from lrtui.core.state.race_state import RaceState, apply
from lrtui.plain.json_lines import JsonLines
from lrtui.plain.text_lines import PlainLines
from support.fake_run import make_race, story
from support.param_groups import with_groups


def written(lines, race):
    """Everything about a race whose lane B has two param groups."""
    out = io.StringIO()
    state = RaceState(race)
    follower = SimpleNamespace(run="x", reader=SimpleNamespace(race=race), state=state)
    writer = lines(follower, out) if lines is JsonLines else lines(out)
    told = [*story(0, "steady", 40, over=False), *with_groups(story(1, "steady", 40, over=False))]
    for event in told:
        apply(state, event)
        writer.write(state, event)
    writer.tick(state)
    return out.getvalue().splitlines()


def test_plain_line_has_the_rate_of_each_group():
    lines = [line for line in written(PlainLines, make_race(("steady", "rests"))) if " lr " in line]
    assert [line.partition("  lr ")[2].partition("  ")[0] for line in lines] == [
        "0.06757",
        "body 0.006757, head 0.06757",
    ]


def test_json_lanes_have_names_of_groups_and_the_recipe():
    race = make_race(("steady", "rests"), clip_grad_norm=1.0)
    lanes = json.loads(written(JsonLines, race)[0])["lanes"]
    assert [lane["groups"] for lane in lanes] == [None, ["body", "head"]]
    assert [lane["recipe"] for lane in lanes] == [{"clip_grad_norm": 1.0}] * 2
