"""The flags of a recipe, of `lrtui race` and `lrtui find`: what they set, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtui.core.scenario.spec import Race, Recipe
from support.fake_sweep import FakeLauncher

GOOD = {
    "--clip-grad-norm 1": Recipe(clip_grad_norm=1.0),
    "--clip-grad-value 0.5": Recipe(clip_grad_value=0.5),
    "--accumulate 4": Recipe(accumulate=4),
    "--precision bf16": Recipe(precision="bf16"),
    "--compile": Recipe(compile="default"),
    "--no-compile": Recipe(),
    "--ema 0.99": Recipe(ema=0.99),
    "--set clip_grad_norm=1": Recipe(clip_grad_norm=1.0),
    "--set clip_grad_value=0.5": Recipe(clip_grad_value=0.5),
    "--set accumulate=4": Recipe(accumulate=4),
    "--set precision=bf16": Recipe(precision="bf16"),
    "--set compile=max-autotune": Recipe(compile="max-autotune"),
    "--set compile=false": Recipe(),
    "--set ema=0.99": Recipe(ema=0.99),
    "--clip-grad-norm 1 --accumulate 4 --precision bf16 --ema 0.9 --compile": Recipe(
        clip_grad_norm=1.0, accumulate=4, precision="bf16", ema=0.9, compile="default"
    ),
}
NUMBERS = ("-1", "nan", "inf", "high", "[1.0]", "true")
BAD = {
    **{f"--clip-grad-norm {value}": "clip" for value in NUMBERS},
    **{f"--clip-grad-value {value}": "clip" for value in NUMBERS},
    **{f"--ema {value}": "ema" for value in (*NUMBERS, "1", "1.5")},
    **{
        f"--accumulate {value}": "accumulate"
        for value in ("0", "-1", "1.5", "nan", "x", "100001", "9" * 30)
    },
    "--precision fp8": 'precision: "fp8" is an invalid value',
    "--precision BF16": '"bf16"',
    "--precision 16": '"fp16"',
    "--precision \x1b[31m": "precision",
    "--compile=fast": "compile",
    "--clip-grad-norm 1 --clip-grad-value 1": "clip_grad_value: excludes clip_grad_norm",
    "--set clip_grad_norm=-1": "clip_grad_norm: -1 is an invalid value",
    "--set clip_grad_value=inf": "clip_grad_value: inf is an invalid value",
    "--set accumulate=0": "accumulate: 0 is an invalid value",
    "--set accumulate=2.5": "accumulate: 2.5 is an invalid value",
    "--set precision=fp8": 'precision: "fp8" is an invalid value',
    "--set compile=fast": "compile: 'fast' is an invalid value",
    "--set compile=1": "compile: 1 is an invalid value",
    "--set ema=1": "ema: 1 is an invalid value",
    "--set ema=[0.9]": "ema: a list is not a number",
    "--set validate_every=-1": "validate_every: -1 is an invalid value",
    "--set validate_every=often": "validate_every: 'often' is an invalid value",
}
every_command = pytest.mark.parametrize("command", ["race", "find"])


@every_command
@pytest.mark.parametrize(("flags", "recipe"), GOOD.items(), ids=GOOD)
def test_flag_sets_the_recipe_of_every_lane(lrtui, monkeypatch, command, flags, recipe):
    class Launcher(FakeLauncher.fresh()):  # type: ignore[misc]
        def start(self, race: Race, runs: Path, *_: object) -> Path:
            return super().start(race, runs)

    monkeypatch.setattr(f"lrtui.cli.{command}.Launcher", Launcher, raising=False)
    monkeypatch.setattr("lrtui.client.lr_finder.Launcher", Launcher)
    assert lrtui(command, "lr-dial", *flags.split(), "--json").code in (0, 1)
    races = [race for made in Launcher.made for race in made.started]
    assert races
    for race in races:
        averaged = {recipe.ema, 0.0} if command == "find" else {recipe.ema}  # no ema in a sweep
        for lane in race.lanes:
            assert lane.recipe.ema in averaged
            assert lane.recipe in {recipe, Recipe(**(recipe.changes() | {"ema": 0.0}))}


@every_command
@pytest.mark.parametrize(("flags", "words"), BAD.items(), ids=lambda text: text.replace("\x1b", ""))
def test_bad_flag_is_one_message_and_exit_code_2(lrtui, here, command, flags, words):
    said = lrtui(command, "lr-dial", *flags.split(), "--json")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("lrtui: ")
    assert words in said.err
    assert 1 <= len(said.err.splitlines()) <= 3
    assert "Traceback" not in said.err
    assert "\x1b" not in said.err
    assert not (here / "runs").exists()


@every_command
def test_flag_of_an_optimizer_that_is_not_there_is_refused(lrtui, here, command):
    (here / "own.py").write_text("class Own:\n    def __init__(self, params, lr): ...\n")
    for name, words in {
        "nowhere:Own": "nowhere",
        "own.py:Other": 'has no "Other"',
        "own.py:Own": "no step()",
        "lost.py:Own": "lost.py",
    }.items():
        said = lrtui(command, "lr-dial", "--optimizer", name, "--json")
        assert (said.code, said.out) == (2, "")
        assert words in said.err, name
        assert not (here / "runs").exists()
