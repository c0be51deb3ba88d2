"""One frame of the race screen on a canvas, without a screen. Polls nothing."""

from __future__ import annotations

from functools import partial

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import Sampled
from lrtui.core.state.race_state import RaceState
from lrtui.tui.console import last_lines
from lrtui.tui.keymap import Keymap
from lrtui.tui.machine_history import History
from lrtui.tui.race_painter import RacePainter, Status
from lrtui.tui.race_panels import race_panels, read_sample
from lrtui.tui.redraw_policy import RedrawPolicy
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView
from lrtui.tui.view_state import restore


def still_frame(follower: Follower, width: int, height: int, keymap: Keymap) -> Canvas:
    """The screen of a run as it stands, with the curves as they were shown last."""

    def sample_at(lane: int, step: int) -> Sampled | None:
        found = follower.samples.at(lane, step)
        return read_sample(follower, found) if found else None

    view = RaceView(keymap=keymap)
    restore(view, view_name(follower.state))
    panels = race_panels(follower, view, RedrawPolicy())
    lines = partial(last_lines, follower.run)
    canvas = Canvas(width, height)
    painter = RacePainter(follower.state, view, panels, sample_at, lines)
    painter.redraw(canvas, Status(follower.trouble, "", False, None, History(), 0))
    return canvas


def view_name(state: RaceState) -> str:
    """The name under which a race's view is kept; that of a script is its path, for every second
    one is called train.py. Several runs together have a view of their own."""
    race = state.race
    name = race.task.target if race.script else race.scenario or race.title
    return f"compared {name}" if state.read_only else name
