"""What stands beside an axis, in rows of so many cells: nothing is cut to another word, and all of
it fits."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lrtui.tui.render.axis_text import in_rows
from lrtui.tui.render.canvas import text_width


@pytest.mark.parametrize(
    ("words", "narrow", "wide"),
    [
        ("loss log", ["loss", "log"], ["loss", "log"]),
        ("val loss log", ["val", "loss"], ["val", "loss", "log"]),
        ("update ratio log", ["upd.", "ratio"], ["update", "ratio", "log"]),
        ("grad norm log", ["grad", "norm"], ["grad", "norm", "log"]),
        ("gain lin", ["gain", "lin"], ["gain", "lin"]),
        ("rate/1 log", ["rate", "/1"], ["rate/1", "log"]),
        ("grad norm/1 log", ["grad", "/1"], ["grad", "norm/1", "log"]),
        ("update ratio/12 log", ["upd", "/12"], ["update", "ratio", "/12", "log"]),
        ("accuracy lin", ["accu", "racy"], ["accu", "racy", "lin"]),
        ("val_accuracy_top5 lin", ["val", "_top5"], ["val", "_accu", "racy", "_top5", "lin"]),
        ("metrics.loss log", ["metr…", ".loss"], ["metr", "ics", ".loss", "log"]),
    ],
)
def test_axis_label_is_broken_into_the_rows_of_small_and_large_panes(words, narrow, wide):
    assert in_rows(words, 5, 2) == narrow
    assert in_rows(words, 6, 9) == wide


@pytest.mark.parametrize(
    ("words", "row"), [("val loss log", "val…"), ("loss log", "loss"), ("rate/1 log", "rate…")]
)
def test_in_one_row_what_was_cut_off_is_a_dot_dot_dot(words, row):
    assert in_rows(words, 5, 1) == [row]
    assert in_rows(words, 5, 0) == []


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30),
    st.integers(3, 9),
    st.integers(0, 6),
)
def test_every_label_fits(name, width, most):
    found = in_rows(f"{name} log", width, most)
    assert len(found) <= most
    assert all(text_width(row) <= width for row in found)
