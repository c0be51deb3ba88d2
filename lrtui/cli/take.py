"""`lrtui take`: the weights of a lane as a plain state_dict, and the scenario that reproduces it.

Torch is used by the process that reads the snapshot alone (training/weights.py).
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.options import runs_folder, runs_option
from lrtui.cli.output import complain
from lrtui.client.commands import CommandClient
from lrtui.client.follower import Follower
from lrtui.client.winner import Weights, best_weights, chosen, described, last_weights
from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute, atomic
from lrtui.core.numbers import loss, size
from lrtui.core.protocol.column_names import AVERAGED
from lrtui.core.protocol.commands import TakeSnapshot
from lrtui.core.protocol.launch_protocol import WeightsReply
from lrtui.core.protocol.script_refusals import refusal
from lrtui.core.results.ranking import evaluations, highest_is_best, ranking_of
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.report.lane_scenario import lane_scenario, loading, unsaid
from lrtui.store import run_dir

ANSWER_S = 10.0
"""Seconds that a lane which trains has to write its present weights."""
READABLE = 0o644
UNWRITABLE = "expected a file that can be written"
AGAIN = "take it again: the lane writes its weights while it trains"


@click.command()
@click.argument("run")
@click.argument("lane", required=False)
@click.option(
    "--to", "target", metavar="FILE", required=True, help="Write them here, such as best.pt."
)
@click.option("--last", is_flag=True, help="The weights of the last step (default: the best).")
@click.option("--averaged", is_flag=True, help="The averaged weights of a lane with ema.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@runs_option
def take(
    run: str,
    lane: str | None,
    target: str,
    last: bool,
    averaged: bool,
    force: bool,
    runs: str | None,
) -> int:
    """Take a LANE's weights home: the state_dict of its best evaluation, and beside it the scenario
    that reproduces the lane; of a RUN the winner by default."""
    path = run_dir.find(run, runs_folder(runs))
    file = _target(target)
    scenario = file.with_suffix(".toml")
    _check_free([file, scenario], force)
    follower = Follower(path)
    try:
        follower.finish()
        state = follower.state
        if why := refusal(state.race, "take"):
            raise LrtuiError(why)
        found, why = chosen(state, lane)
        if not found.over and not follower.supervisor_gone:
            _written_now(follower, found)
            found = state.lanes[found.index]
        metric = ranking_of(state.race, state.lanes).metric
        averaged = averaged or (not last and metric.startswith(AVERAGED))
        if averaged and not found.lane.recipe.ema:
            raise LrtuiError(
                f"--averaged: {found.lane.called} has no averaged weights",
                "expected a lane with ema in its recipe",
            )
        choose = last_weights if last else best_weights
        weights = choose(state, found, path, averaged=averaged)
        asked = len(follower.reader.race.lanes)
        said = described(state, found, weights, last=last, averaged=averaged)
        about = f"{found.lane.called}, {said}"
        python = loading(state.race.task, file, state.race.folder)
        notes = [f"Lane {about}; of the run {path.name}. In Python:", *python]
        text = lane_scenario(state, found, asked, notes)
        with _written(file) as part, _written(scenario) as second:
            reply = _extract(weights, part, file, averaged)
            second.write_text(text, encoding="utf-8")
    finally:
        follower.close()
    print(f"{one_line(str(file))}: {about} ({reply.words}, {size(reply.size)})")
    if why:
        print(f"{found.lane.called}: {why}")
    if not averaged and (better := _better_average(state, found, weights)):
        print(better)
    print(f"{one_line(str(scenario))}: lrtui race {one_line(str(scenario))} trains it again")
    for line in unsaid(state, found, asked):
        print(f"  but not: {one_line(line)}")
    print("in Python:")
    for line in python:
        print(f"  {one_line(line)}")
    return ExitCode.RACED


def _target(given: str) -> Path:
    """The file to write; LrtuiError if it cannot be one."""
    file = absolute(given)
    if not given.strip() or given.endswith(os.sep) or os.path.isdir(file):
        raise LrtuiError(
            f"--to: {one_line(given)!r} is no file", "expected a file's name, such as best.pt"
        )
    if file.suffix == ".toml":
        raise LrtuiError(
            f"--to: {one_line(given)!r} is the name of the scenario, which is written beside it",
            "expected a file's name, such as best.pt",
        )
    if not os.path.isdir(file.parent):
        raise LrtuiError(
            f"--to: {one_line(str(file.parent))}: no such folder", "expected one that exists"
        )
    return file


def _check_free(files: list[Path], force: bool) -> None:
    """LrtuiError if a file is there and is not to be replaced."""
    for file in files:
        is_file = os.path.isfile(file)
        if os.path.lexists(file) and not (force and is_file):
            what = "is there already" if is_file else "not a file"
            raise LrtuiError(
                f"{one_line(str(file))}: {what}", "expected a new name, or --force to replace it"
            )


def _written_now(follower: Follower, lane: LaneState) -> None:
    """Have a lane that trains write its present weights, and read what it has recorded."""
    client = CommandClient(follower)
    client.send([TakeSnapshot(lane=lane.index)])
    replies = list(client.wait(ANSWER_S))
    if not replies:
        complain(f"{lane.lane.letter}: no answer in {ANSWER_S:g} s: its last snapshots are taken")
    elif not replies[0].result.ok:
        complain(f"{lane.lane.letter}: {one_line(replies[0].result.text)}")
    follower.catch_up()
    follower.poll(1.0)


@contextmanager
def _written(file: Path) -> Iterator[Path]:
    """Write a file atomically; LrtuiError if that fails."""
    try:
        with atomic(file, READABLE) as part:
            yield part
    except OSError as error:
        raise LrtuiError(f"{one_line(str(file))}: {error.strerror or error}", UNWRITABLE) from error


def _extract(weights: Weights, part: Path, file: Path, averaged: bool) -> WeightsReply:
    """Have another process write the state_dict into `part`, which becomes `file`. It is given the
    open snapshot: a lane that trains renames and replaces its files."""
    command = [sys.executable, "-P", "-m", "lrtui.training.weights", str(weights.path), str(part)]
    try:
        with weights.path.open("rb") as source:
            done = subprocess.run(
                [*command, *(["--averaged"] if averaged else [])],
                stdin=source,
                capture_output=True,
                check=False,
            )
    except OSError as error:
        raise LrtuiError(f"{weights.path}: {error.strerror or error}", AGAIN) from error
    lines = done.stdout.splitlines()
    try:
        reply = msgspec.json.decode(lines[-1] if lines else b"", type=WeightsReply)
    except msgspec.DecodeError:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reply = WeightsReply(error=f"torch could not be used: {said[-1] if said else 'no answer'}")
    if done.returncode == ExitCode.OUTPUT_LOST:
        raise LrtuiError(f"{one_line(str(file))}: {reply.error}", UNWRITABLE)
    if reply.error:
        raise LrtuiError(reply.error, reply.hint)
    if reply.step != weights.step:
        raise LrtuiError(f"{weights.path}: now of step {reply.step}, not {weights.step}", AGAIN)
    return reply


def _better_average(state: RaceState, lane: LaneState, weights: Weights) -> str:
    """A line about averaged weights that were better at the same step; '' without any."""
    metric = ranking_of(state.race, state.lanes).metric
    name = AVERAGED + metric
    steps, values = (column.tolist() for column in evaluations(lane, state.lanes, name))
    known = dict(zip(steps, values, strict=True))
    value = known.get(weights.step)
    if value is None or not math.isfinite(value) or not math.isfinite(weights.value):
        return ""
    sign = -1 if highest_is_best(state.race, metric) else 1
    if sign * value >= sign * weights.value:
        return ""
    return f"its averaged weights were better there, {name} {loss(value)}: --averaged takes them"
