"""A race drawn for real at every size, with any number of lanes, in every stage: all parts have
something to say, none breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.tui.rects import Rect
from lrtui.tui.render.canvas import SPACE, Canvas
from lrtui.tui.view import CHART_PANELS
from support.fake_run import KINDS, block, make_run, say
from support.viewer import Viewer

LANES = (1, 2, 3, 5, 8, 13, 21, 34, 64)
STAGES = ("panes", "enlarged", "overlay", "filmstrip", "differences", "log", "console")


@pytest.fixture(scope="module")
def viewers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Viewer]]:
    """By number of lanes: a viewer of a live race of them, which has read all of it."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        home = tmp_path_factory.mktemp("sizes")
        patch.setenv("XDG_STATE_HOME", str(home))
        found: dict[int, Viewer] = {}
        for lanes in LANES:
            kinds = tuple(KINDS[lane % len(KINDS)] for lane in range(lanes))
            run = make_run(home / str(lanes), kinds, done=80, live=True)
            found[lanes] = stack.enter_context(Viewer(run.parent, run))
            found[lanes].look(5)
        yield found


def draw(
    viewer: Viewer, width: int, height: int, panel: str, selected: int
) -> tuple[Canvas, object]:
    """The race screen of a viewer drawn anew for a size; its canvas and its layout."""
    screen = viewer.screen
    canvas = Canvas(width, height)
    screen._frame = SimpleNamespace(size=(width, height), canvas=canvas, commit=lambda: None)  # type: ignore[attr-defined]
    screen.view.panel, screen.view.selected = panel, selected  # type: ignore[attr-defined]
    viewer.do(screen.redraw)  # type: ignore[attr-defined]
    return canvas, screen.painter.layout  # type: ignore[attr-defined]


def show(viewer: Viewer, panel: str) -> None:
    """Show a panel, or what was there before it."""
    viewer.screen.view.show(panel)  # type: ignore[attr-defined]
    viewer.screen.redraw()  # type: ignore[attr-defined]


def inked(canvas: Canvas, rect: Rect) -> np.ndarray:
    """Cells of a part that are not blank."""
    codes = canvas.view(rect).codes
    return (codes != SPACE) & (codes != 0x2800)


@given(
    st.integers(60, 300),
    st.integers(16, 90),
    st.sampled_from(LANES),
    st.sampled_from(STAGES),
    st.data(),
)
@example(60, 16, 64, "panes", None)
@example(60, 16, 1, "enlarged", None)
@example(60, 16, 8, "filmstrip", None)
@example(60, 16, 64, "differences", None)
@example(119, 30, 8, "overlay", None)
@example(120, 16, 64, "panes", None)
@example(300, 90, 64, "panes", None)
@settings(max_examples=500, deadline=None)
def test_every_part_of_the_screen_has_something_to_say(
    viewers: dict[int, Viewer],
    width: int,
    height: int,
    lanes: int,
    panel: str,
    data: st.DataObject | None,
) -> None:
    selected = 0 if data is None else data.draw(st.integers(0, lanes - 1))
    canvas, layout = draw(viewers[lanes], width, height, panel, selected)
    for name in ("header", "panel", "standings", "machine", "footer"):
        assert inked(canvas, getattr(layout, name)).any(), f"nothing in the {name}"
    if panel in ("panes", "enlarged"):
        for index, rect in layout.panes.items():  # type: ignore[attr-defined]
            lane = viewers[lanes].screen.state.lanes[index]  # type: ignore[attr-defined]
            text = row(canvas, rect, 0)
            assert lane.lane.letter in text.split()[0], (
                f"pane {index} does not say which it is: {text!r}"
            )
            if lane.status == "error":  # its last words stand in the place of the curve
                assert "ValueError" in "".join(row(canvas, rect, y) for y in range(rect.height))
                continue
            codes = canvas.view(rect).codes
            # one that is wholly outside of the axis says so
            leaves = np.isin(codes, [ord("↑"), ord("↓")])
            assert (((codes > 0x2800) & (codes < 0x2900)) | leaves).any(), (
                f"no curve in the pane {index}"
            )
            assert "┤" in "".join(map(chr, codes.reshape(-1).tolist())), (
                f"no y axis in the pane {index}"
            )


def row(canvas: Canvas, rect: Rect, y: int) -> str:
    """A line of a part as text, without the mark of the chosen lane."""
    codes = canvas.view(rect).codes[y]
    return "".join(map(chr, codes[codes > 0].tolist())).replace("▶", " ")


@given(st.integers(1, 59) | st.integers(60, 300), st.integers(1, 15), st.sampled_from(LANES))
@settings(max_examples=40, deadline=None)
def test_what_is_too_small_only_asks_for_more_room(
    viewers: dict[int, Viewer], width: int, height: int, lanes: int
) -> None:
    canvas, layout = draw(viewers[lanes], width, height, "panes", 0)
    assert layout.too_small  # type: ignore[attr-defined]
    assert inked(canvas, Rect(0, 0, width, 1)).any()
    assert not inked(canvas, Rect(0, 1, width, height - 1)).any()


@pytest.mark.parametrize("panel", ["panes", "overlay", "filmstrip"])
def test_repeatedly_resized_terminal_equals_a_new_one(tmp_path: Path, panel: str) -> None:
    run = make_run(tmp_path, ("steady", "diverges", "paints"), done=60, live=True)
    sizes = [
        (80, 24),
        (59, 24),
        (200, 50),
        (60, 16),
        (10, 2),
        (1, 1),
        (120, 16),
        (119, 30),
        (100, 30),
    ]
    with Viewer(tmp_path, run) as viewer:
        viewer.look(3)
        if panel != "panes":
            viewer.do(lambda: show(viewer, panel))
        for step, size in enumerate(sizes):
            say(
                run,
                *[
                    block(lane, kind, 60 + step, 61 + step)
                    for lane, kind in enumerate(("steady", "diverges", "paints"))
                ],
            )
            viewer.do(viewer.screen.tick)  # type: ignore[attr-defined]
            viewer.resize(*size)
            viewer.look()
        viewer.do(viewer.screen.redraw)  # type: ignore[attr-defined]
        viewer.settle()
        lived_through = viewer.lines
        assert all(len(line) >= 1 for line in lived_through)
    with Viewer(tmp_path, run) as viewer:
        if panel not in CHART_PANELS:
            viewer.do(lambda: show(viewer, panel))  # no race begins there
        viewer.look(25)  # new pictures are looked for every now and then
        assert viewer.screen.view.panel == panel  # type: ignore[attr-defined]
        assert [line.rstrip() for line in viewer.lines] == [line.rstrip() for line in lived_through]
