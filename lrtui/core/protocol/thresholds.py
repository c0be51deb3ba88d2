"""Every threshold of the verdicts in one place, with where each comes from.
`tests/benchmarks/verdicts.py` measures them.

"Tuned" are the lanes that thresholds were chosen on: the bundled tasks, six optimizers, fifteen
rates over seven decades, two seeds, 1080 lanes in all. No threshold was chosen on the other half.
Both tables stand in lrtui/manual/verdicts.md.
"""

import math

SMOOTHING = 0.98
"""EMA factor of the loss that the rules look at, debiased. With 0.9 alone the four-times rule had 7
false alarms in 393 lanes."""
FAST = 0.9
"""EMA factor of a second average: what a lane has recovered from lasts hundreds of steps in the
slow one, and must not count."""
FAST_ERROR = math.sqrt((1 - FAST) / (1 + FAST))
"""The standard error of that average over the standard deviation of single losses."""
START_STEPS = 5
"""The start is the median of the first five losses, which one odd batch does not move ..."""
START_TIMES = 2.0
"""... or the very first loss, where that median is more than twice as high: the rate has thrown the
lane up at once."""
TIMES_BEST = 4.0
"""DIVERGED: the loss is above this many times its best, the stop rule of the finders of fastai and
Lightning."""
TIMES_START = 1.2
"""DIVERGED: the loss is above this many times its start, which catches what has never been four
times better."""
BEST_FROM = 20
"""The best counts from this step on: an average of fewer losses is low by luck where batches are
small."""
NOISE_SIGMAS = 4.0
"""Thresholds on averages are widened by this many standard errors of the batches' noise."""
AVERAGE_SHARE = (1 - SMOOTHING) / (1 + SMOOTHING)
"""The variance of the average with factor SMOOTHING over that of a single loss: about a
hundredth."""
SPREAD_OF_STEPS = 1.5
"""Without a measurement at the initial weights, the noise is this many times the median change from
step to step."""
NOISY_START = 0.25
"""... and from this much of it on the start is at least the mean of the first BEST_FROM losses."""
MOST_NOISE = 3.0
"""Of that estimate; a lane that is thrown about by its rate is not to look like one of small
batches without bound."""
RARE = 3.0
"""... and the noise may be up to this many times that of the few compared batches, if the lane's
last losses are spread as much."""
REACH = 0.05
"""A lane whose steps together promised to change the loss by less than this part of it has not
moved: its losses are noise."""
PATIENCE = 20
"""DIVERGED: for this many steps in a row, and after the early window. Adagrad and RMSprop throw the
loss up in their first steps even at their best rates, and bring it down again: without the wait
there were 12 false alarms in 708 tuned lanes, with it 2."""
BLOWUP_RATIO = 1e6
"""DIVERGED, at once and in the early window too: the loss is above this many times its start. The
highest peak that a tuned lane came back from was 6e4 times its start (Adagrad)."""
EARLY_STEPS = 100
"""Most steps of the early window. The gauge is weaker later: in the first 100 steps it tells 93 %
of the lanes with ten times the best rate and more, in the first 200 five in a hundred fewer
(tuned)."""
EARLY_PART = 0.4
"""The window has at most this part of the budget, so that a short race has a verdict before it ends
..."""
EARLY_LEAST = 20
"""... and at least this many steps: fewer are noise."""

SPIKE_SIGMAS = 6.0
"""SPIKE, a mark and never a verdict: a loss this many standard deviations above the mean of the
last SPIKE_WINDOW; with fewer the batches' own noise is marked."""
SPIKE_WINDOW = 128
"""As in the stability monitors of large language-model runs."""
SPIKE_LEAST = 64
"""Fewer losses have no standard deviation to speak of."""

HOT = 0.5
"""HOT: the median step gain is below this, the lowest point of a parabola along the step, and
..."""
HALF = 0.5
"""... when the window closes the loss is still above this part of its start. Lanes that have halved
it are on their way: without this 4 % of the best lanes were called hot (tuned)."""
HOT_SO_FAR = 0.25
"""While the window is open, HOT is a gain half way between the lowest point and a step across the
whole valley: less certain evidence needs a stricter threshold."""
COLD = 0.965
"""COLD: the median step gain is above this: the loss is a straight line along the step, and a
longer one would gain more. At
0.975 two in a hundred more of the lanes far below the best are missed, at 0.95 one in ten of the
best is called cold (tuned)."""
FIRST_GAIN = 0.2
"""HOT: the very first step gained less than this, or ..."""
PEAK_RATIO = 3.0
"""... the loss was this many times its start within the window, and ..."""
ROSE = 0.5
"""... and on the same batch was above that of the initial weights by this part of the start: else
it is the batches' noise ..."""
UNRECOVERED = 0.4
"""... at its end is still above this part of its start. Where a rate far too high has thrown a
lane, the loss is flat and every step gains what it promises: without this rule such lanes are
called cold, and 43 % are detected instead of 93 % (tuned)."""
KEPT = 0.006
"""HOT: of the drop that the gradients of all steps of the window promised, each on its own batch,
less than this came about (tuned: 95.5 % of the lanes with ten times the best rate and more are
detected, 92.9 % without this rule) ..."""
KEPT_ERRORS = 2.0
"""... by this many standard errors of it, and ..."""
PROMISED = 3.0
"""... they promised this many times the whole loss: a lane that stands still has promised
little."""
NO_PROGRESS = 0.98
"""HOT: not cold, and the loss still above this part of its start when the window closes: long steps
that lead nowhere ..."""
NO_PROGRESS_STEPS = 50
"""... if the window has this many steps: in a shorter one the batches' noise looks the same."""
EARLY_SAMPLES = 12
"""Measured steps in the early window: the first one, where a rate far too high does its harm, and
then evenly spread ones. More tell no more lanes; with a third of them 8 % more of the best are
misjudged."""
LEAST_SAMPLES = 3
"""Fewer have no meaningful median: no verdict."""
LATE_STRIDE = 50
"""Steps between two measured ones after the early window. A sample costs about as much as a forward
pass and two copies of the weights, less than one step: long lanes spend some 2 % of their time on
it. The choice of steps must not depend on how long they take, or the same race would be judged
differently the next time."""

FLAT = 0.01
"""STALLED: the best smoothed loss has improved by less than this share ..."""
FLAT_STEPS = 50
"""... over this many steps, or FLAT_PART of the budget if that is more."""
FLAT_PART = 0.1
"""See FLAT_STEPS: a tenth of the budget without a hundredth of progress; where no budget is known,
a tenth of the steps done."""
AT_FLOOR = 1.05
"""STALLED at the floor: within 5 % of the leader. There is nothing below to go to ..."""
SETTLED = 0.5
"""... unless its steps together promised to change the loss by less than this part of it: then it
has not come so far. Where nothing was measured: unless the loss has fallen by this part of its
start."""
DEAD_GRADIENT = 1e-3
"""STALLED and dead: the gradient norm has fallen to this share of where it began (saturated units
pass nothing on) ..."""
DEAD_LOSS = 2.0
"""... while the loss is above this many times the leader's."""
HALF_WAY = 0.5
"""STALLED by the rate, where no leader with the same optimizer shows on which side of it the better
rates are: hot below this step gain (beyond the lowest point of the parabola), cold above it."""

NOISY_STEPS = 50
"""Last steps that NOISY looks at."""
NOISY_TURNS = 0.6
"""NOISY: this share of the loss's changes goes the other way than the one before; white noise alone
has two thirds, so ..."""
NOISY_TIMES = 3.0
"""... the median change must be this many times that of the calmest lane that is lower. All see the
same batches, whose noise is in both."""

LEAD_ERRORS = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
"""AHEAD, of lanes with 2, 3, ... seeds in common: the mean lead of the first over the second is
more than this many of its standard errors. Student's t, two-sided at 5 %: two-sided, because which
one is the first is picked by the leads that are tested. Of equal lanes one is called ahead in 3.7,
3.4 and 2.8 % of the races with 2, 3 and 5 seeds (held-out tasks; one-sided 6 to 8 %), and a third,
two thirds and four fifths of the true leads are told. `tests/benchmarks/seeds.py` measures it; the
table stands in lrtui/manual/seeds.md."""
LEAD_LIMIT, LEAD_SLOPE = 1.96, 2.72
"""For more seeds the limit and this over the degrees of freedom: right to a hundredth."""
MOST_SEEDS = 100
"""Beyond so many nobody is told how many seeds would tell."""


def lead_errors(count: int) -> float:
    """The standard errors that a mean lead over `count` seeds (2 or more) must be above."""
    if count - 2 < len(LEAD_ERRORS):
        return LEAD_ERRORS[count - 2]
    return LEAD_LIMIT + LEAD_SLOPE / (count - 1)


def early_steps(total: int) -> int:
    """The length of the early window of a lane of `total` steps; 0: of a lane of unknown length."""
    return (
        EARLY_STEPS if not total else max(EARLY_LEAST, min(EARLY_STEPS, round(EARLY_PART * total)))
    )
