"""Scripts on the command line: the words after `--`, and the flags that `lrtui run` and
`lrtui race` share. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from lrtui.cli.options import together
from lrtui.core.errors import ScenarioError
from lrtui.core.text import one_line

ITS_OWN = "expected an option of the script's own, after --"
REFUSED = {
    "task": "a script is raced without a task",
    "epochs": "a script has its own epochs",
    "optimizers": "a script makes its optimizer itself",
    "schedule": "a script makes its schedule itself",
    "batch_size": "a script makes its batches itself",
    "device": "a script chooses its device itself",
    "on_divergence": "a script's lane that diverges is reported, no more",
    "trainers": "a script has a process of its own in each lane",
}
"""Flags of `lrtui race` that a script cannot take, and why; those of a recipe beside them."""
INSTEAD = {
    "task": "expected train.py or a task, not both",
    "epochs": f"{ITS_OWN}, or a budget with --steps",
    "on_divergence": "expected --on-nan stop, or nothing",
    "trainers": "expected --at-once N",
}
"""What is expected in place of those flags, where it is not an option of the script."""

script_options = together(
    click.option("-m", "as_module", is_flag=True, help="The script is a module: `-m pkg.train`."),
    click.option("--no-seed", is_flag=True, help="Leave a script's random generators alone."),
)
"""The flags that only scripts have, in `run` and in `race`."""


class WordsAfterOptions(click.Command):
    """A command whose options stand before its words, which are another program's.

    `as_written` tells the callback that `--` stood before the words.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options, and look for `--` where click has dropped it."""
        given = list(args)
        left = super().parse_args(ctx, args)
        words = ctx.params["words"]
        ctx.params["as_written"] = given[-len(words) - 1 : -len(words) or None][:1] == ["--"]
        return left


class WordsAfterDashes(click.Command):
    """A command whose options stand anywhere before `--`; the words after it are `arguments`, None
    without `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before `--`."""
        at = args.index("--") if "--" in args else None
        left = super().parse_args(ctx, args[:at])
        if extra := ctx.params["arguments"]:
            raise click.UsageError(
                f'unexpected argument "{one_line(extra[0])}": those of a script go after --', ctx
            )
        ctx.params["arguments"] = None if at is None else tuple(args[at + 1 :])
        return left


def script_of(
    name: str | None, as_module: bool, program: Sequence[str], usage: str
) -> dict[str, Any]:
    """The table [script] of what the command line names: a Python file, a module, or without a
    `name` a program. `usage`: an example of the command."""
    if as_module:
        if not name:
            raise ScenarioError("-m: no module", f"expected {usage}")
        return {"module": name}
    if name:
        return {"file": name}
    if not program:
        raise ScenarioError("nothing to run", f"expected {usage}")
    return {"command": list(program)}


def refuse_flags(given: Iterable[str]) -> None:
    """Refuse the flags that a script cannot take, by the names of their parameters."""
    for name in given:
        flag = "--" + {"optimizers": "optimizer"}.get(name, name).replace("_", "-")
        why = REFUSED.get(name, "a script makes its steps itself")
        raise ScenarioError(f"{flag}: {why}", INSTEAD.get(name, ITS_OWN))
