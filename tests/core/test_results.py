"""What the finder says of a check: who won, why nobody did, and sentences that hold for the numbers
they were made from."""

import json
import math

import numpy as np
import pytest

from lrtui.core.protocol.events import Alerted, Column, Ended, Started, Steps
from lrtui.core.results.finder_result import conclude, in_order, point_line, result_line
from lrtui.core.results.lr_suggestions import RULES, find
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, TaskRef, letter
from lrtui.core.state.race_state import RaceState, apply

NAMES = ("valley / 3", "valley", "valley x 3", "valley x 10")
RATES = (0.01, 0.03, 0.09, 0.3)


def raced(*losses, ends=None, per_epoch=64, alerts=(), groups=False):
    """A check whose lanes have these losses."""
    count = len(losses)
    lanes = tuple(Lane(letter(i), NAMES[i], OptimizerSpec("SGD"), RATES[i]) for i in range(count))
    state = RaceState(Race("x", TaskRef("bundled", "x.py", "x"), lanes, epochs=1))
    for index, (values, end) in enumerate(zip(losses, ends or ["finished"] * count, strict=True)):
        apply(
            state,
            Started(
                lane=index,
                device="cpu",
                steps_per_epoch=per_epoch,
                total_steps=len(values),
                parameters=1,
                init_checksum="a",
                batch_checksum="b",
                intra_op_threads=1,
                validated=False,
                groups=["body", "head"] if groups else ["all"],
            ),
        )
        flat = Column.pack(np.full(len(values), RATES[index]))
        columns = {
            "loss": Column.pack(values),
            "applied_lr": flat,
            "next_lr": flat,
            "seconds": flat,
        }
        if groups:
            columns["applied_lr/1"] = Column.pack(np.full(len(values), 10 * RATES[index]))
        apply(state, Steps(lane=index, first=0, count=len(values), columns=columns))
        for lane, kind in alerts:
            if lane == index:
                apply(
                    state,
                    Alerted(lane=index, step=len(values) - 1, kind=kind, text=f"{kind} it was"),
                )
        apply(
            state,
            Ended(
                lane=index,
                step=len(values) - 1,
                reason=end,
                error="a\ntraceback" if end == "error" else "",
            ),
        )
    return state


def falling(to, count=64):
    return np.linspace(2.0, to, count).tolist()


def said(check, found=None):
    return " ".join(conclude(found, None, check).sentences)


def swept(*, rising=False):
    rates = [1e-7 * 1e8 ** (step / 99) for step in range(100)]
    losses = (
        np.concatenate([np.linspace(2, 1, 80), np.full(20, 1e3)])
        if rising
        else np.linspace(2, 1, 100)
    )
    return find(rates, losses, None, 100)


class TestTheWinner:
    def test_has_the_lowest_smoothed_loss(self):
        outcome = conclude(
            swept(), None, raced(falling(1.5), falling(1.2), falling(0.7), falling(1.6))
        )
        assert outcome.winner.lane.name == "valley x 3"
        assert [lane.lane.name for lane in outcome.ranked] == [
            "valley x 3",
            "valley",
            "valley / 3",
            "valley x 10",
        ]
        assert (outcome.reason, outcome.error) == ("", "")

    def test_has_param_groups_at_another_rate(self):
        check = raced(falling(1.5), falling(1.2), falling(0.7), falling(1.6))
        outcome = conclude(swept(), None, check)
        assert result_line(swept(), outcome, check, [])["groups"] == []
        check = raced(falling(1.5), falling(1.2), falling(0.7), falling(1.6), groups=True)
        outcome = conclude(swept(), None, check)
        assert "Param groups at another rate: head ×10." in outcome.sentences
        assert result_line(swept(), outcome, check, [])["groups"] == [
            {"name": "body", "ratio": 1.0, "lr": None},
            {"name": "head", "ratio": 10.0, "lr": None},
        ]

    def test_is_never_a_lane_that_diverged_or_went_nan(self):
        check = raced(
            falling(1.5),
            falling(0.1),
            falling(0.2),
            [1.0, math.nan],
            ends=["finished"] * 3 + ["nan"],
            alerts=[(1, "diverged"), (3, "nan")],
        )
        assert [lane.index for lane in in_order(check)] == [2, 0, 1, 3]
        outcome = conclude(swept(), None, check)
        assert outcome.winner.lane.name == "valley x 3"
        assert "0.03 (valley) diverged." in outcome.sentences
        assert "0.3 (valley x 10) went NaN at step 1." in outcome.sentences

    def test_there_is_none_where_all_fail(self):
        check = raced(
            [1.0, math.nan], [1.0, math.nan], ends=["nan", "nan"], alerts=[(0, "nan"), (1, "nan")]
        )
        outcome = conclude(swept(), None, check)
        assert outcome.winner is None
        assert "every lane of the check" in outcome.reason

    def test_there_is_none_where_the_task_fails_in_the_sweep(self):
        sweep = raced([1.0, 2.0], ends=["error"], alerts=[(0, "error")])
        outcome = conclude(find([1e-7, 2e-7], [1.0, 2.0], None, 100), sweep, None)
        assert outcome.reason == "the task failed in the sweep after 2 steps: error it was"
        assert outcome.error == "a\ntraceback"


class TestWhatIsSaid:
    def test_the_winner_its_loss_and_by_how_much(self):
        words = said(raced(falling(1.5), falling(1.0), falling(0.5)))
        assert "0.09 (valley x 3) won with a smoothed loss of 0.7" in words
        assert "% below 0.03 (valley)" in words
        assert "the highest of those checked" in words

    def test_the_headline_where_it_came_in_third(self):
        assert "the headline 0.03 (valley) reached 1.571" in said(
            raced(falling(1.9), falling(1.5), falling(0.5), falling(0.6))
        )

    def test_a_hair(self):
        assert "a hair below" in said(raced(falling(1.0), falling(1.001)))

    def test_the_lowest(self):
        words = said(raced(falling(0.5), falling(1.0)))
        assert "the lowest of those checked: a lower one" in words

    def test_a_winner_that_learned_nothing(self):
        assert "no better than it began, at 2.0" in said(
            raced(np.linspace(2, 3, 64).tolist(), np.linspace(2, 4, 64).tolist())
        )

    def test_how_long_the_check_was_and_why(self):
        assert "for one epoch (64 steps)" in said(raced(falling(1.0)))
        assert "for 13 epochs, because one has only 4 steps (52 steps)" in said(
            raced(falling(1.0, 52), per_epoch=4)
        )
        assert "(4 steps - too few to tell much)" in said(raced(falling(1.0, 4), per_epoch=4))

    def test_whether_the_rules_agree(self):
        found = swept()._replace(suggestions=dict(zip(RULES, (0.1, 0.2, 0.3, 0.4), strict=True)))
        assert "agree within a factor of 4: valley 0.1, steep 0.2, minimum 0.3, slide 0.4." in said(
            None, found
        )
        far = found._replace(suggestions=dict(zip(RULES, (0.1, 1e-5, 0.3, 0.4), strict=True)))
        assert "disagree by a factor of 40k: steep 1e-5, valley 0.1" in said(None, far)

    def test_a_loss_that_still_falls_and_one_that_hardly_does(self):
        assert "a higher --to may show more" in said(None, swept())
        assert "higher --to" not in said(None, swept(rising=True))
        weak = find(swept().rates, np.linspace(2, 1.95, 100))
        assert "fell by only" in said(None, weak)


class TestJson:
    def test_a_result_is_json_whatever_happened(self):
        for found, check in (
            (None, None),
            (swept(), None),
            (None, raced(falling(1.0))),
            (find([1e-7], [math.nan]), None),
            (swept(), raced([1.0, math.nan], ends=["nan"])),
        ):
            line = result_line(found, conclude(found, None, check), check, ["run"])
            assert json.loads(json.dumps(line, allow_nan=False))["event"] == "result"
            assert line["suggestions"].keys() == RULES.keys()

    def test_a_result_has_what_was_found(self):
        found, check = swept(), raced(falling(1.5), falling(1.0))
        line = result_line(found, conclude(found, None, check), check, [])
        assert (line["winner"], line["points"], line["usable"], line["reason"]) == (
            0.03,
            100,
            85,
            None,
        )
        assert [entry["lr"] for entry in line["checked"]] == [0.03, 0.01]

    @pytest.mark.parametrize("value", [math.nan, math.inf, 1.5])
    def test_a_point(self, value):
        assert json.dumps(point_line(3, 1e-7, value, value), allow_nan=False)
