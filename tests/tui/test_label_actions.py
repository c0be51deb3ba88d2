"""The key that names a run, and keeps a note about it."""

from __future__ import annotations

from lrtui.core.state.label import Label
from lrtui.store import run_dir
from lrtui.store.label import read_label
from lrtui.store.reader import summary
from lrtui.tui.screens.picker_items import RunItem
from support.fake_run import make_run
from support.viewer import Viewer


def test_n_asks_for_name_and_note_and_the_header_has_the_name(tmp_path):
    run = make_run(tmp_path, ("steady",))
    taken = make_run(tmp_path, ("steady",))
    run_dir.relabel(taken, name="base")
    with Viewer(tmp_path, run, (100, 30)) as viewer:
        viewer.look()
        viewer.press("N")
        viewer.burst("base\r")
        assert f"{taken.name} has it" in viewer.text.replace("\n", "")
        assert read_label(run) == Label()
        viewer.press("ctrl+u")
        viewer.burst("wide\twith warm-up\r")
        assert read_label(run) == Label("wide", "with warm-up")
        assert viewer.text.lstrip().startswith("wide: A fake race")
        viewer.press("N", "escape")
        assert read_label(run) == Label("wide", "with warm-up")
    assert RunItem(summary(run)).label(0.0).plain.startswith("wide ")
