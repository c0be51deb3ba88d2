"""Runs of values that are not finite, beside the values themselves."""

from itertools import pairwise

import numpy as np
from hypothesis import given, strategies as st

from lrtui.core.series.gaps import Gaps

FLAGS = st.lists(st.booleans(), max_size=60)


def gaps_of(finite, sizes):
    gaps, at = Gaps(), 0
    for size in [*sizes, len(finite)]:
        block = np.array(finite[at : at + size], bool)
        if not block.all():
            gaps.append(block, at)
        at += size
    return gaps


@given(FLAGS, st.lists(st.integers(0, 20), max_size=5), st.integers(0, 60), st.integers(0, 60))
def test_a_mask_says_which_steps_are_not_finite(finite, sizes, start, stop):
    start, stop = sorted(min(each, len(finite)) for each in (start, stop))
    expected = [not each for each in finite[start:stop]]
    assert gaps_of(finite, sizes).mask(start, stop).tolist() == expected


@given(FLAGS, st.integers(0, 60))
def test_a_cut_is_the_runs_of_what_is_left(finite, count):
    count = min(count, len(finite))
    cut, whole = gaps_of(finite, []).cut(count), gaps_of(finite[:count], [])
    assert cut.mask(0, count).tolist() == whole.mask(0, count).tolist()


@given(FLAGS.filter(bool), st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_the_ends_of_columns_are_their_first_and_last_finite_steps(finite, edges):
    bounds = np.array(sorted(min(edge, len(finite)) for edge in [0, *edges]))
    first, last, full, gap, cut = gaps_of(finite, []).ends(bounds[:-1], bounds[1:])
    for column, (a, b) in enumerate(pairwise(bounds)):
        known = [step for step in range(a, b) if finite[step]]
        assert full[column] == bool(known)
        assert gap[column] == (not all(finite[a:b]))
        if known:
            assert (first[column], last[column]) == (known[0], known[-1])
            assert cut[column] == (known[0] > 0 and not finite[known[0] - 1])
