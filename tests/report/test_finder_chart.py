"""The finder's printed chart: no losses can make plotext abort on it, and what is drawn is what was
found.

It is drawn in this very process: were a NaN or a far spike to reach plotext, the test run itself
would die.
"""

from __future__ import annotations

import io
import math
import re

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from rich.console import Console

from lrtui.core.results.finder_result import conclude
from lrtui.core.results.lr_suggestions import find
from lrtui.report.text import finder_chart, print_outcome
from support.fake_sweep import SWEEPS

LOSSES = st.lists(
    st.one_of(st.floats(), st.sampled_from([0.0, -1.0, 1e308, -1e308, 1e-320, math.nan, math.inf])),
    max_size=80,
)


def rates(count: int) -> list[float]:
    return [1e-7 * 1e8 ** (step / 99) for step in range(count)]


def plain(drawn: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", drawn)


@given(LOSSES, st.integers(20, 130), st.booleans())
@example([math.nan] * 50, 80, False)
@example([1.0], 80, True)
@example([0.5] * 60, 80, True)
@example([1.0] * 50 + [1e308, math.inf], 80, True)
@example([-3.0, -2.0] * 30, 80, False)
@settings(max_examples=60, deadline=None)
def test_any_losses_can_be_printed(losses, width, color):
    found = find(rates(len(losses)), losses, None, 100)
    drawn = finder_chart(found, width, 16, color=color)
    assert not drawn or max(map(len, plain(drawn).splitlines())) <= max(width, 20) + 8


@pytest.mark.parametrize("name", SWEEPS)
def test_a_real_sweep_has_decades_below_it_and_losses_beside_it(name):
    losses = [float(value) for value in SWEEPS[name]["losses"]]
    drawn = plain(finder_chart(find(rates(len(losses)), losses, None, 100), 90, 16, color=True))
    assert "1e-7" in drawn
    assert "0.01" in drawn
    assert "┤" in drawn


def test_an_outcome_is_printed_with_its_marks_and_no_markup_of_a_tasks():
    losses = np.linspace(2, 1, 100)
    found = find(rates(100), losses)
    outcome = conclude(found, None, None)._replace(sentences=["[bold]x[/bold] \x1b[31mred"])
    out = io.StringIO()
    print_outcome(Console(file=out, width=100), found, outcome, None)
    assert "[bold]x[/bold] red" in out.getvalue()
    assert "lines, from the left: " in out.getvalue()
