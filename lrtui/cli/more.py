"""`lrtui more`: lanes that train for longer than they were to."""

from __future__ import annotations

import click

from lrtui.cli.options import runs_folder, runs_option, timeout_option
from lrtui.cli.send import deliver
from lrtui.client.commands import lengthenable, unable_words
from lrtui.client.follower import Follower
from lrtui.client.lane_sign import group_of
from lrtui.client.winner import winner
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import Lengthen
from lrtui.core.protocol.script_refusals import refusal
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.store import run_dir

ANSWER_S = 60.0


@click.command()
@click.argument("run")
@click.argument("lane", required=False)
@click.option("--steps", type=click.IntRange(1), help="So many steps more.")
@click.option("--epochs", type=click.IntRange(1), help="So many epochs more.")
@click.option("--all", "everyone", is_flag=True, help="Every lane that can train on.")
@click.option(
    "--reschedule",
    is_flag=True,
    help="Make the schedule for the new length, and go on in it (default: as its formula says).",
)
@click.option("--pause", is_flag=True, help="Pause at the end of it instead of ending.")
@timeout_option(ANSWER_S)
@runs_option
def more(
    run: str,
    lane: str | None,
    steps: int | None,
    epochs: int | None,
    everyone: bool,
    reschedule: bool,
    pause: bool,
    timeout: float,
    runs: str | None,
) -> int:
    """Train a LANE of a RUN for longer, racing or ended, from its last state: by default the
    winner, with all its seeds."""
    if (steps is None) == (epochs is None):
        what = "no length given" if steps is None else "--steps and --epochs exclude each other"
        raise LrtuiError(what, "expected one of --steps N and --epochs N")
    if lane is not None and everyone:
        raise LrtuiError("a LANE and --all exclude each other", "expected one of the two")
    path = run_dir.find(run, runs_folder(runs))
    follower = Follower(path)
    try:
        follower.finish()
        if why := refusal(follower.state.race, "more"):
            raise LrtuiError(why)
        lanes, why = _lanes(follower.state, lane, everyone)
        able = lengthenable(lanes)
        commands = [Lengthen(one.index, steps or 0, epochs or 0, reschedule, pause) for one in able]
        if why:
            print(f"{', '.join(one.lane.called for one in lanes)}: {why}", flush=True)
        if len(able) < len(lanes):
            left = [one for one in lanes if one not in able]
            print(f"left out: {unable_words(left)}", flush=True)
        code = deliver(follower, commands, timeout)
        print(f"watch it with: lrtui watch {run_dir.reference(path)}", flush=True)
        return code
    finally:
        follower.close()


def _lanes(state: RaceState, sign: str | None, everyone: bool) -> tuple[list[LaneState], str]:
    """The lanes to lengthen, and why it is these if none was named."""
    if everyone:
        return state.lanes, ""
    if sign is not None:
        return list(group_of(state, sign).lanes), ""
    _, group = winner(state)
    return list(group.lanes), "the winner" if state.over else "it leads"
