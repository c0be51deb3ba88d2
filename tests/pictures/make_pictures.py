"""Draws the pictures in this folder from the real screens over real, recorded races.

python tests/pictures/make_pictures.py             draws them anew (a test compares them with what
it draws itself) python tests/pictures/make_pictures.py --record    first races lr-dial and explode
again, finds a rate for lr-dial, and
                                                   keeps the records of all that
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))

from lrtui.client.lr_finder import plan  # noqa: E402
from lrtui.core.protocol.launch_protocol import Preview  # noqa: E402  # after the path, as below
from lrtui.core.scenario import scenario_file as scenarios  # noqa: E402
from lrtui.core.scenario.spec import Race  # noqa: E402
from lrtui.tui.app import LrtuiApp  # noqa: E402
from lrtui.tui.render.canvas import style, style_count  # noqa: E402
from lrtui.tui.tiers import Look  # noqa: E402
from support.viewer import Viewer  # noqa: E402

RECORDS = {"lr-dial": ["--set", "sample_every=3"], "explode": ["--steps", "120"]}
"""What the machine did when the races were recorded; a picture must not change with the machine
that draws it."""


class ConstantRates:
    """In the place of a supervisor: what it would answer for lanes without a schedule."""

    def preview(self, race: Race) -> list[Preview]:
        return [Preview([0], [lane.lr], 240) for lane in race.lanes]

    def close(self) -> None:
        """Nothing to let go of."""


class RecordedLauncher:
    """In the place of the supervisors of a finder: "starts" the sweep and the check that were
    recorded."""

    def start(self, race: Race, runs: Path) -> Path:
        return _copied(race.scenario, runs)

    def close(self) -> None:
        """Nothing to let go of."""


def race(viewer: Viewer) -> None:
    """The race screen as it comes up."""


def overlay(viewer: Viewer) -> None:
    """All curves in one chart."""
    viewer.press("o")


def crosshair(viewer: Viewer) -> None:
    """All curves smoothed, and the values of all lanes at one step."""
    viewer.press("o", "s", "s", "c", *["shift+left"] * 3)


def filmstrip(viewer: Viewer) -> None:
    """What all lanes drew half-way."""
    viewer.press("I")
    viewer.look(30)
    viewer.press("left", "left")


def rates(viewer: Viewer) -> None:
    """What each rate led to, and those that were lost."""
    viewer.press("V")


def enlarged(viewer: Viewer) -> None:
    """One lane in the room of all: the one that went NaN latest."""
    viewer.press("2", "enter")


PICTURES: dict[str, tuple[str, float, tuple[int, int], Callable[[Viewer], None]]] = {
    "race": ("lr-dial", 0.7, (120, 36), race),
    "overlay": ("lr-dial", 1.0, (100, 30), overlay),
    "crosshair": ("lr-dial", 1.0, (100, 30), crosshair),
    "filmstrip": ("lr-dial", 1.0, (120, 30), filmstrip),
    "explode": ("explode", 1.0, (100, 30), race),
    "rates": ("explode", 1.0, (100, 30), rates),
    "enlarged": ("explode", 1.0, (80, 24), enlarged),
}
"""By name: record, how much of it has happened, size of the terminal, what is done there."""
NAMES = [*PICTURES, "picker", "finder"]
TIERS = {
    "truecolor": Look("truecolor", "dark", "braille"),
    "256": Look("256", "light", "braille"),
    "16": Look("16", "dark", "blocks"),
    "none": Look("none", "dark", "ascii"),
}
SIZES = (60, 16), (80, 24), (200, 50)
TERMINALS = [f"{tier}-{width}x{height}" for tier in TIERS for width, height in SIZES]
"""The race as terminals of each kind are sent it, to be seen with `cat`: terminals/NAME.ans."""


def draw(name: str) -> str:
    """A picture, as SVG."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        _alone(patch, folder)
        others = {"picker": _picker, "finder": _finder}
        return _plain_ids(
            others[name](patch, Path(folder))
            if name in others
            else _race(*PICTURES[name], Path(folder))
        )


def draw_terminal(name: str) -> str:
    """A screenful of a race as it is sent to a terminal of that kind and size."""
    tier, _, size = name.partition("-")
    width, height = map(int, size.split("x"))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        _alone(patch, folder)
        run = _run("lr-dial", 0.7, Path(folder))
        for number in range(style_count()):
            # Rich keeps the codes for the first kind of terminal that it wrote to
            style(number)._ansi = None
        with Viewer(Path(folder), run, (width, height), look=TIERS[tier]) as viewer:
            viewer.look(5)
            strips = viewer.screen._compositor.render_strips(viewer.screen.size)
            rows = [strip.render(viewer.app.console) for strip in strips]
        Look().use()
    return "\n".join(rows) + "\n"


def _copied(record: str, folder: Path) -> Path:
    run = folder / record
    run.mkdir(parents=True)
    shutil.copy(HERE / f"{record}.db", run / "run.db")
    return run


def _race(
    record: str, share: float, size: tuple[int, int], act: Callable[[Viewer], None], folder: Path
) -> str:
    with Viewer(folder, _run(record, share, folder), size) as viewer:
        viewer.look(5)
        act(viewer)
        return viewer.svg(f"lrtui race {record}")


def _alone(patch: pytest.MonkeyPatch, folder: str) -> None:
    """No clock, no settings, and nothing that is remembered of how somebody saw a race."""
    patch.setenv("LRTUI_CONFIG", f"{folder}/settings.toml")
    patch.setenv("XDG_STATE_HOME", folder)


def _run(record: str, share: float, folder: Path) -> Path:
    """A record's first part as a run of its own."""
    run = _copied(record, folder)
    with closing(sqlite3.connect(run / "run.db", isolation_level=None)) as db:
        db.execute("DELETE FROM events WHERE id > ? * (SELECT max(id) FROM events)", (share,))
    return run


def _picker(patch: pytest.MonkeyPatch, folder: Path) -> str:
    patch.setattr("lrtui.tui.screens.picker.Launcher", ConstantRates)
    patch.chdir(folder)
    with Viewer(folder / "runs", size=(80, 24)) as viewer:
        viewer.until(lambda: "as it will be applied" in viewer.text, "the preview")
        return viewer.svg()


def _finder(patch: pytest.MonkeyPatch, folder: Path) -> str:
    patch.setattr("lrtui.client.lr_finder.Launcher", RecordedLauncher)
    viewer = Viewer(folder, size=(110, 32))
    viewer.app = LrtuiApp(folder, asked=plan(scenarios.load("lr-dial")), clock=viewer.clock)
    with viewer:

        def over() -> bool:
            viewer.look()
            return viewer.app.finder is not None and viewer.app.finder.over

        viewer.until(over, "the end of the check")
        return viewer.svg("lrtui find lr-dial")


def _plain_ids(svg: str) -> str:
    """Rich numbers its styles by a checksum of the content; a change of one cell should change few
    lines."""
    return re.sub(r"terminal-\d+", "terminal", svg)


def record(scenario: str, *flags: str) -> None:
    """Races a scenario and keeps its record here, without its supervisor's rows."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "lrtui", "race", scenario, *flags, "--plain", "--runs", folder],
            check=True,
        )
        (run,) = Path(folder).iterdir()
        _keep(run, scenario)


def record_finder(scenario: str) -> None:
    """Finds a rate for a scenario and keeps the records of the sweep and of the check."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "lrtui", "find", scenario, "--plain", "--runs", folder],
            check=True,
        )
        for name in (f"{scenario}-find", f"{scenario}-check"):
            (run,) = Path(folder).glob(f"{name}-*")
            _keep(run, name)


def _keep(run: Path, name: str) -> None:
    kept = HERE / f"{name}.db"
    kept.unlink(missing_ok=True)
    with closing(sqlite3.connect(run / "run.db", isolation_level=None)) as db:
        db.execute("DELETE FROM processes")
        db.execute("VACUUM INTO ?", (str(kept),))
    with closing(sqlite3.connect(kept, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")


if __name__ == "__main__":
    if "--record" in sys.argv:
        for scenario, flags in RECORDS.items():
            record(scenario, *flags)
        record_finder("lr-dial")
    for name in NAMES:
        (HERE / f"{name}.svg").write_text(draw(name), encoding="utf-8")
    for name in TERMINALS:
        (HERE / "terminals" / f"{name}.ans").write_text(draw_terminal(name), encoding="utf-8")
