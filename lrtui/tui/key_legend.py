"""The signs on the race screen, for its help and the manual."""

from __future__ import annotations

LEGEND = {
    "✗": "the last finite value before a NaN or an infinity, or of a lane that ended in an error",
    "!": "where a lane was found to diverge",
    "▲ ▼": (
        "where the dial was turned up or down; ×1.78: what the schedule says, times that, is"
        " applied"
    ),
    "Y": "where a fork left: its curve begins there",
    "grey": "what a lane did before it was rewound",
    "^": "a spike: a loss six standard deviations above those before it",
    "«": "where a lane was rewound to",
    "▪": "a snapshot that is kept",
    "↑ ↓": "the curve goes on above, below the chart",
    "│": "the crosshair: the values of that step; ~ the smoothed one",
    "━": "rate chart: the rates with an outcome within 5 % of the best, which is at ▲",
    "dashes": (
        "the ninth lane and those after it have colours again, in other line styles; in a terminal"
        " without colours each lane has its own"
    ),
    "bold": "a smoothed curve (EMA: TensorBoard's average), over the raw one, which is faint",
    "gap": "the leader's value times so much; + where it is that much more",
    "change": "of the average loss over the last tenth of the lane's steps",
    "→0.12": (
        "steps until the average loss was there: a tenth above the lowest of any lane; after: the"
        " time for it"
    ),
    "memory, time": (
        "a lane's part of what its process holds, and of the training time of all lanes lately"
    ),
    "*": "a pinned lane",
    "NaN DIVERGED": "the loss is not finite; it has left where it began, or its best, far below",
    "HOT OK COLD": (
        "of the early steps: too long, the loss shakes or rises; well chosen; too short, more was"
        " to be gained"
    ),
    "STALLED": "nothing gained for a tenth of the budget: at the floor, dead, hot or cold",
    "NOISY": "shakes three times as much as a lane that is lower",
    "fair": (
        "checksums of the first weights and of the batches: all lanes began with the same and see"
        " the same; of scripts, the weights at the first step and the first loss are equal"
    ),
    "↓val loss ↑accuracy": (
        "what the standings go by, an arrow to the best: the newest value of the metric"
        " ({view.order}: its best one, or the newest after as many steps as all lanes were"
        " evaluated at); of the training loss the average of the last ten steps or so (EMA 0.9)"
    ),
    "no f1": "no lane has a value of the metric that was asked for: the training loss stands in",
    "overfits": (
        "the metric has become worse by a twentieth since its best evaluation, the training loss"
        " has not"
    ),
    "train 1st": "leads in the training loss alone: another lane is ahead by what is ranked by",
    "shaded": (
        "from the lowest to the highest of a lane's seeds, their mean the line in it;"
        " {lane.enlarge} opens the seeds, {view.back} folds them again"
    ),
    "± min…max": "of the seeds behind a mean: standard deviation, the lowest and the highest",
    "1 NaN of 3": "a row with such a seed stands behind those without; its mean is of the others",
}
"""The signs on a race's screen, for its help; keys as in `Key.help`."""
