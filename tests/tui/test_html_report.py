"""The page that is written from the screen."""

from __future__ import annotations

import pytest

from lrtui.core.errors import LrtuiError
from lrtui.tui.html_report import write_page
from support.fake_run import make_run
from support.viewer import Viewer


def test_w_asks_for_a_file_and_writes_the_page_there(tmp_path):
    run = make_run(tmp_path / "runs", ("steady", "explodes"))
    page = tmp_path / "race.html"
    with Viewer(tmp_path / "runs", run, (100, 30)) as viewer:
        viewer.look()
        viewer.press("W")
        assert f"{run.name}.html" in viewer.text.replace("\n", "")
        viewer.press("ctrl+u")
        viewer.burst(f"{page}\r")
        viewer.until(lambda: any("page written" in said for said in viewer.toasts), "the page")
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_where_it_cannot_be_written_the_reason_is_said(tmp_path):
    run = make_run(tmp_path / "runs", ("steady",))
    with pytest.raises(LrtuiError, match="No such file or directory"):
        write_page(run, tmp_path / "nowhere" / "race.html")


def test_a_folder_is_no_file(tmp_path):
    run = make_run(tmp_path / "runs", ("steady",))
    with Viewer(tmp_path / "runs", run, (100, 30)) as viewer:
        viewer.look()
        viewer.press("W", "ctrl+u")
        viewer.burst("/\r")  # a long path would break the line
        assert "/: not a file" in viewer.text
