"""A lane's recipe in words, and what became of its steps: clipped, skipped, averaged."""

import math

import msgspec
import pytest

from lrtui.core.protocol.events import Column, Evaluated, LaneAdded, Rewound
from lrtui.core.results.batch_size import batch_words, step_samples
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.next_rate import _kin
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.recipe_words import (
    averaged_words,
    beside_averaged,
    recipe_words,
    update_words,
)
from lrtui.core.scenario.spec import Recipe
from lrtui.core.state.race_state import RaceState, apply
from support.builders import make_race, started, steps


def race(*recipes, **keys):
    """A state with a lane for each recipe, none of which has started."""
    asked = make_race(len(recipes), **keys)
    lanes = tuple(
        msgspec.structs.replace(lane, recipe=recipe)
        for lane, recipe in zip(asked.lanes, recipes, strict=True)
    )
    return RaceState(msgspec.structs.replace(asked, lanes=lanes))


def flagged(first=0, lane=0, **flags):
    """A block of steps with columns of ones and zeros."""
    count = len(next(iter(flags.values())))
    block = steps([1.0] * count, first=first, lane=lane)
    more = {name: Column.pack([float(each) for each in values]) for name, values in flags.items()}
    return msgspec.structs.replace(block, columns={**block.columns, **more})


def evaluated(lane=0, **metrics):
    return Evaluated(lane=lane, at=1.0, epoch=1, step=4, loss=1.0, metrics=metrics)


class TestRecipe:
    def test_usual_recipe_has_no_words(self):
        state = race(Recipe())
        assert recipe_words(state.lanes[0], state.race) == ""

    def test_settings_are_listed(self):
        state = race(Recipe(clip_grad_norm=1.0, precision="bf16", ema=0.999))
        words = recipe_words(state.lanes[0], state.race)
        assert words == "clip_grad_norm 1, precision bf16, ema 0.999"

    def test_batch_of_a_step_is_the_product(self):
        state = race(Recipe(accumulate=4), Recipe(accumulate=4), batch_size=16)
        words = recipe_words(state.lanes[0], state.race)
        assert words == "accumulate 4, batch 64 (16 × 4)"
        assert batch_words(state.lanes, state.race) == "batch 64 (16 × 4)"
        assert batch_words((), state.race) == "batch 64 (16 × 4)"
        assert step_samples(state.lanes[0], state.race) == 64

    def test_batch_of_different_steps_is_the_micro_batch(self):
        state = race(Recipe(accumulate=4), Recipe(), batch_size=16)
        assert batch_words(state.lanes, state.race) == "batch 16"

    def test_lanes_with_other_recipes_are_of_other_kinds(self):
        state = race(Recipe(), Recipe(accumulate=2), Recipe())
        assert [lane.index for lane in _kin(state.lanes[0], state)] == [0, 2]


class TestUpdates:
    def test_lane_without_flags_has_no_words(self):
        state = race(Recipe())
        apply(state, started())
        apply(state, steps([1.0] * 4))
        assert update_words(state.lanes[0]) == ""

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            ({"clipped": [1, 1, 1, 0, 0, 0, 0, 0]}, "clipped 38 %"),
            ({"clipped": [0, 0]}, "clipped 0 %"),
            ({"clipped": [1] + [0] * 999}, "clipped 0.1 %"),
            ({"skipped": [0, 0]}, ""),
            ({"skipped": [1, 0]}, "skipped 1 step"),
            ({"skipped": [1, 1], "clipped": [0, 1]}, "clipped 50 %, skipped 2 steps"),
            ({"clipped": [math.nan, 1]}, "clipped 50 %"),
        ],
    )
    def test_share_and_number_are_of_all_steps(self, flags, words):
        state = race(Recipe())
        apply(state, started())
        apply(state, flagged(**flags))
        assert update_words(state.lanes[0]) == words

    def test_rewind_takes_them_back(self):
        state = race(Recipe())
        apply(state, started())
        apply(state, flagged(clipped=[1, 0, 1, 1], skipped=[0, 0, 0, 1]))
        apply(state, Rewound(lane=0, step=2, why="rewound"))
        assert update_words(state.lanes[0]) == "clipped 50 %"
        apply(state, flagged(first=2, clipped=[0, 0], skipped=[0, 0]))
        assert update_words(state.lanes[0]) == "clipped 25 %"

    def test_steps_of_the_parent_do_not_count(self):
        state = race(Recipe())
        apply(state, started())
        apply(state, flagged(clipped=[1, 1, 1, 1]))
        apply(state, LaneAdded(lane=1, parent=0, step=4, child=state.race.lanes[0]))
        apply(state, flagged(first=4, lane=1, clipped=[0, 1]))
        assert update_words(state.lanes[1]) == "clipped 50 %"

    def test_sentence_of_the_lane_has_them(self):
        state = race(Recipe(clip_grad_norm=1.0))
        apply(state, started())
        apply(state, flagged(clipped=[1, 0]))
        assert lane_sentence(state.lanes[0], state).endswith("; clipped 50 %.")


class TestAveragedWeights:
    def lane(self, ema=0.9, **metrics):
        state = race(Recipe(ema=ema), Recipe())
        for index in (0, 1):
            apply(state, started(index))
            apply(state, steps([1.0 + index] * 4, lane=index))
        apply(state, evaluated(**metrics))
        return state

    def test_lower_loss_is_named(self):
        words = averaged_words(self.lane(val_loss=0.5, ema_val_loss=0.4).lanes[0])
        assert words == (
            "its averaged weights have the lower validation loss: 0.4000 beside 0.5000 of the raw"
            " ones"
        )
        words = averaged_words(self.lane(val_loss=0.3, ema_val_loss=0.4).lanes[0])
        assert words.startswith("its raw weights have the lower validation loss: 0.3000")

    @pytest.mark.parametrize(
        "metrics",
        [{}, {"val_loss": 0.5}, {"ema_val_loss": 0.5}, {"val_loss": math.nan, "ema_val_loss": 0.5}],
    )
    def test_one_loss_alone_is_not_compared(self, metrics):
        assert averaged_words(self.lane(**metrics).lanes[0]) == ""

    def test_task_with_such_a_metric_is_not_meant(self):
        state = self.lane(0.0, val_loss=0.5, ema_val_loss=0.4)
        assert averaged_words(state.lanes[0]) == ""

    def test_race_and_lane_say_it(self):
        state = self.lane(val_loss=0.5, ema_val_loss=0.4)
        assert any("averaged weights" in sentence for sentence in race_sentences(state))
        assert "averaged weights" in lane_sentence(state.lanes[0], state)
        assert "averaged weights" not in lane_sentence(state.lanes[1], state)

    def test_metrics_stand_beside_each_other(self):
        names = ["acc", "val_loss", "ema_acc", "ema_only", "ema_val_loss"]
        assert beside_averaged(names) == ["acc", "ema_acc", "val_loss", "ema_val_loss", "ema_only"]
