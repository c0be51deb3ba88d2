"""The finder's screen: what it shows of a sweep and a check, what its keys do, and how one comes
there and away again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.client.lr_finder import plan
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.errors import LaunchError
from lrtui.core.protocol.commands import Stop
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.results.lr_suggestions import bounds, find, smoothed
from lrtui.core.scenario import scenario_file
from lrtui.terminal.settings import Settings
from lrtui.tui.app import LrtuiApp
from lrtui.tui.key_table import FINDER
from lrtui.tui.keymap import Keymap
from lrtui.tui.layout import arrange_finder
from lrtui.tui.render import finder as drawing
from lrtui.tui.render.axis import log_x_ticks
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens.finder import FinderScreen
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import make_run
from support.fake_sweep import SWEEPS, FakeLauncher, told
from support.viewer import StillMachine, Viewer


@pytest.fixture(autouse=True)
def launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeLauncher]:
    """In the place of the real ones; screens look when a test says so."""
    fake = FakeLauncher.fresh()
    for module in ("lrtui.client.lr_finder", "lrtui.tui.screens.picker"):
        monkeypatch.setattr(f"{module}.Launcher", fake)
    monkeypatch.setattr(
        fake,
        "preview",
        lambda self, race, *_, **__: [Preview([0], [lane.lr], 100) for lane in race.lanes],
        raising=False,
    )
    monkeypatch.chdir(tmp_path)
    return fake


class Finding(Viewer):
    """A viewer that begins with a finder for lr-dial."""

    def __init__(self, runs: Path, size: tuple[int, int] = (100, 30), **asked: object) -> None:
        super().__init__(runs, size=size)
        race_after = bool(asked.pop("race_after", False))
        wanted = Settings(keys=asked.pop("own", {}))  # type: ignore[arg-type]
        self.app = LrtuiApp(
            runs,
            asked=plan(scenario_file.load("lr-dial"), **asked),  # type: ignore[arg-type]
            race_after=race_after,
            wanted=wanted,
            clock=self.clock,
            machine=StillMachine,
        )

    def advance(self, condition, what: str) -> None:
        """Looks at the runs until something holds: races are started in a thread."""

        def looked() -> bool:
            if isinstance(self.app.screen, FinderScreen):
                self.look()
            return bool(condition())

        self.until(looked, what)

    def to_the_end(self) -> None:
        self.advance(lambda: self.app.finder.over, "the end of the finder")


def test_it_shows_the_sweep_its_marks_the_check_and_what_follows(tmp_path):
    with Finding(tmp_path) as viewer:
        viewer.to_the_end()
        for words in (
            "found 0.0212: Enter races with it",
            "valley 0.00705",
            "steep 0.00486",
            "slide 0.242",
            "minimum 0.327",
            "▶ 1 0.0212  valley x 3",
            "NaN at 64",
            "The rules disagree by a factor of 67",
            "1e-7",
            "Enter race",
        ):
            assert words in viewer.text, words
        assert viewer.text.count("┊") > 8


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (119, 30), (120, 30), (200, 50)])
def test_it_fits_every_size(tmp_path, size):
    with Finding(tmp_path, size=size) as viewer:
        viewer.to_the_end()
        assert len(viewer.lines) == size[1]
        assert "found 0.0212: Enter races with it" in viewer.text
        assert all(f"{place} " in viewer.text for place in range(1, 5))
        assert any(ord(char) in range(0x2801, 0x2900) for char in viewer.text)


def test_too_small_a_terminal_is_asked_to_grow_and_may(tmp_path):
    with Finding(tmp_path, size=(50, 10)) as viewer:
        assert "lrtui needs 60x16" in viewer.text
        viewer.resize(80, 24)
        viewer.to_the_end()
        assert "found 0.0212" in viewer.text


def test_a_sweep_that_goes_on_says_how_far_it_is(tmp_path, launcher):
    launcher.hold = True
    with Finding(tmp_path) as viewer:
        viewer.advance(lambda: "sweep 50/100" in viewer.text, "the first half of the sweep")
        assert "the check comes after the sweep" in viewer.text
        viewer.press("enter")
        assert viewer.toasts == ["there is no rate to race with yet"]


@pytest.mark.usefixtures("_usual_look")
def test_the_headline_names_a_persons_own_key(tmp_path):
    with Finding(tmp_path, own={"finder.race": ("f5",)}) as viewer:
        viewer.to_the_end()
        assert "found 0.0212: F5 races with it" in viewer.text


def test_enter_starts_the_full_race_with_the_winner_in_it(tmp_path, launcher):
    with Finding(tmp_path) as viewer:
        viewer.to_the_end()
        viewer.press("enter")
        viewer.until(lambda: isinstance(viewer.screen, RaceScreen), "the race")
        race = launcher.made[2].started[0]
        assert [lane.name for lane in race.lanes] == [
            "standard",
            "high",
            "low",
            "bold",
            "found 0.0212",
        ]


def test_with_race_after_nobody_needs_to_press_enter(tmp_path, launcher):
    with Finding(tmp_path, race_after=True) as viewer:
        viewer.advance(lambda: isinstance(viewer.screen, RaceScreen), "the race")


def test_no_rate_says_why_and_enter_starts_nothing(tmp_path, launcher):
    launcher.lost = "ValueError: [bold]no[/bold]"
    with Finding(tmp_path) as viewer:
        viewer.to_the_end()
        assert "no rate found" in viewer.text
        assert "ValueError: [bold]no[/bold]" in viewer.text
        viewer.press("enter")
        assert viewer.toasts == ["no rate was found"]


def test_a_supervisor_that_cannot_start_is_told_in_the_header(tmp_path, launcher):
    launcher.trouble = LaunchError("the supervisor did not start", "out of memory")
    with Finding(tmp_path) as viewer:
        viewer.advance(lambda: "out of memory" in viewer.text, "the trouble")
        viewer.look(3)
        assert len(launcher.made) == 2, "nothing is tried over and over"


def test_without_a_sweep_the_lanes_curves_are_shown(tmp_path, launcher):
    with Finding(tmp_path, rates=(0.1, 0.01)) as viewer:
        viewer.to_the_end()
        assert "B 0.1" in viewer.text
        assert "1 0.01" in viewer.text or "1 0.1" in viewer.text


def test_the_other_scale(tmp_path):
    with Finding(tmp_path) as viewer:
        viewer.to_the_end()
        before = viewer.text
        viewer.press("y")
        assert viewer.text != before
        viewer.press("y")
        assert viewer.text == before


def test_help_has_its_keys_and_the_rules(tmp_path):
    with Finding(tmp_path, size=(100, 40)) as viewer:
        viewer.press("question_mark")
        assert isinstance(viewer.screen, Help)
        for shown, words in Keymap().help_lines(FINDER):
            assert shown in viewer.text
            assert words in viewer.text
        assert "the headline" in viewer.text


@pytest.mark.parametrize("key", ["q", "escape"])
def test_leaving_in_the_middle_stops_what_is_going_on(tmp_path, launcher, key):
    launcher.hold = True
    with Finding(tmp_path) as viewer:
        viewer.advance(lambda: "sweep 50/100" in viewer.text, "the first half of the sweep")
        viewer.press(key)
        assert viewer.has_left
    assert told(launcher.made[0].runs[0]) == [Stop(lane=0)]
    assert launcher.made[1].closed


def test_from_the_picker_and_back(tmp_path, launcher):
    with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
        viewer.until(lambda: launcher.made, "the picker's supervisor")
        viewer.press("ctrl+f")
        viewer.until(lambda: isinstance(viewer.screen, FinderScreen), "the finder")
        viewer.until(lambda: launcher.made[0].started, "the sweep")
        assert launcher.made[0].started[0].scenario.endswith("-find"), (
            "on the supervisor that was warm"
        )
        viewer.press("escape")
        assert isinstance(viewer.screen, Picker)
        viewer.until(lambda: len(launcher.made) > 2, "another warm supervisor")


def test_from_a_race_and_back_to_it_which_goes_on(tmp_path, launcher):
    run = make_run(tmp_path / "runs", ("steady", "paints"), live=True, done=60)
    with Viewer(tmp_path / "runs", run) as viewer:
        race = viewer.screen
        viewer.press("ctrl+f")
        viewer.until(lambda: isinstance(viewer.screen, FinderScreen), "the finder")
        viewer.press("escape")
        assert viewer.screen is race
    assert told(run) == []


def test_the_layout_covers_what_there_is_without_overlap():
    for width, height in ((60, 16), (80, 24), (119, 40), (120, 16), (200, 50), (400, 100)):
        for lanes in (1, 4, 6, 40):
            layout = arrange_finder(width, height, lanes)
            cells = np.zeros((height, width), int)
            for part in (
                layout.header,
                layout.marks,
                layout.y_labels,
                layout.curve,
                layout.x_labels,
                layout.standings,
                layout.sentences,
                layout.footer,
            ):
                assert part.x >= 0
                assert part.right <= width
                assert part.bottom <= height
                assert part.width > 0
                assert part.height > 0
                cells[part.y : part.bottom, part.x : part.right] += 1
            assert cells.max() == 1
            assert layout.curve.height >= 3


@given(st.floats(1e-300, 1e300), st.floats(1.001, 1e12), st.integers(1, 250))
def test_labels_of_a_logarithmic_axis_keep_apart_and_within_it(low, ratio, width):
    high = min(low * ratio, 1e308)
    ticks = log_x_ticks(low, high, width)
    ends = [tick.cell + len(tick.label) for tick in ticks]
    assert all(end < tick.cell for end, tick in zip(ends, ticks[1:], strict=False))
    assert all(tick.cell >= 0 and end <= width for tick, end in zip(ticks, ends, strict=True))


@given(
    st.lists(st.floats(), min_size=1, max_size=120),
    st.integers(1, 90),
    st.integers(1, 20),
    st.booleans(),
)
@example([math.nan] * 60, 40, 5, True)
@example([-5e-324], 1, 1, False)
@example([math.inf, -math.inf, 1e308] * 30, 40, 5, False)
@settings(max_examples=150, deadline=None)
def test_any_losses_can_be_drawn(losses, width, height, log):
    rates = [1e-7 * 1e8 ** (step / 119) for step in range(len(losses))]
    found = find(rates, losses, None, 120)
    smooth = smoothed(np.array(losses)).tolist()
    sweep = drawing.Sweep(1e-7, 10.0, rates, losses, smooth, found, True)
    low, high = bounds(losses, smooth)
    limits = AxisLimits.around(low, high, log and low > 0)
    canvas = Canvas(width, height)
    drawing.curve(canvas, sweep, limits)
    drawing.marks(canvas, sweep)
    drawing.x_labels(canvas, sweep)


def test_a_mark_stands_over_its_rate():
    entry = SWEEPS["lr-dial Adam"]
    rates = [1e-7 * 1e8 ** (step / 99) for step in range(100)]
    losses = json.loads(json.dumps(entry["losses"]))
    found = find(rates, losses, None, 100)
    canvas = Canvas(80, 3)
    sweep = drawing.Sweep(1e-7, 10.0, rates, losses, found.smooth.tolist(), found)
    drawing.marks(canvas, sweep)
    (row,) = [y for y in range(3) if "valley" in canvas.strip(y).text]
    assert canvas.strip(row).text.index("valley") == int(
        (math.log10(found.suggestions["valley"]) + 7) / 8 * 80
    )
