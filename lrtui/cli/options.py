"""Flags that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lrtui.store import run_dir

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

runs_option = click.option(
    "--runs",
    metavar="DIR",
    help="Folder that keeps the runs (default: $LRTUI_RUNS, else the platform's state folder).",
)
plain_option = click.option("--plain", is_flag=True, help="Lines of text instead of the screen.")
json_option = click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")
object_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def timeout_option(seconds: float) -> Decorator:
    """How long a command waits for the answers of lanes, by default `seconds`."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0),
        default=seconds,
        show_default=True,
        help="Seconds to wait for an answer.",
    )


def together(*options: Decorator) -> Decorator:
    """One decorator for several options, in their order in the help."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


recipe_options = together(
    click.option(
        "--clip-grad-norm", type=float, help="Highest norm of all gradients together; 0: none."
    ),
    click.option(
        "--clip-grad-value", type=float, help="Highest value of a gradient's element; 0: none."
    ),
    click.option(
        "--accumulate", type=click.IntRange(1), metavar="N", help="Micro-batches of a step."
    ),
    click.option("--precision", metavar="TYPE", help="fp32, bf16, fp16 (autocast) or tf32."),
    click.option("--compile/--no-compile", default=None, help="torch.compile of the model."),
    click.option("--ema", type=float, metavar="DECAY", help="Averaged weights, evaluated too."),
)
"""The flags of the recipe, for every lane."""


hook_options = together(
    click.option(
        "--on-event",
        metavar="COMMAND",
        default="",
        help="A shell command for news (end, new leader, NaN, loss), with JSON on its stdin.",
    ),
    click.option(
        "--on-alert",
        metavar="COMMAND",
        default="",
        help="A shell command to run at each alert, with the alert as JSON on its stdin.",
    ),
)
"""Commands that the supervisor runs, with or without a screen."""


def runs_folder(runs: str | None) -> Path:
    """The runs folder; --runs counts before the command as well as after it."""
    return run_dir.runs_folder(runs or click.get_current_context().find_root().params.get("runs"))
