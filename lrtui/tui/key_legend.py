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
    "↓smoothed": (
        "what the standings go by ({view.order}): the best loss; the average loss after as many"
        " steps as all have made (at 120); or that of now, of the last ten steps or so (EMA 0.9)"
    ),
}
"""The signs on a race's screen, for its help; keys as in `Key.help`."""
