"""Sentences of the generated tables that the code has no place for. Data only.

Each dictionary must have exactly the names that the code has: `markdown.described` checks it.
"""

ACTIONS = {
    "pause": "Pause the lane",
    "resume": "Let a paused lane go on",
    "stop": "End the lane; it can be rewound, restarted or forked later",
    "rate": "Apply this learning rate from the next step on",
    "scale": "Multiply the rate by this factor",
    "schedule": "Back to the rate that the schedule says",
    "snapshot": "Take a snapshot now",
    "fork": "Start a copy of the lane beside it",
    "rewind": "Go back to a snapshot",
    "restart": "Go back to the initial weights",
}
CODES = {
    "RACED": "The race ran; lanes that ended NaN are a result, not a failure",
    "ALL_FAILED": "Every lane failed or was cut off, no rate was found, or a schedule will fail",
    "BAD_INPUT": "Invalid input, or a refused command",
    "OUTPUT_LOST": "The output could not be written",
    "INTERRUPTED": "Interrupted",
}
SETTINGS = {
    "theme": "Colours for a dark or a light background, or of high contrast",
    "colors": "How many colours the terminal has",
    "glyphs": (
        "The characters that curves are drawn with; `ascii`: nothing else on the whole screen"
    ),
    "fps": "Frames per second, at most",
    "memory": (
        "History that a viewer holds; beyond it the oldest steps are kept as the lowest and "
        "the highest value of "
        "each 16, 256, ..."
    ),
    "bell": (
        "The bell may ring: at an alert, and at other news where `notify` is `bell` or nothing "
        "better is known"
    ),
    "notify": (
        "How news of a race are sent to the desktop; see [terminals](terminals.md#notifications)"
    ),
    "keys": "A key, or a list of keys, for each id; see [keys](keys.md#ids)",
}
RACE_KEYS = {
    "title": "One line for the header",
    "story": "Text for the user who picks the scenario",
    "task": "What to train: a bundled name, `file.py:Name` or `module:Name`; see [tasks](tasks.md)",
    "script": "The table `[script]`: a script in place of a task; see [scripts](scripts.md)",
    "seed": "Seed of weights, batch order and all random generators",
    "epochs": "Budget in epochs",
    "steps": "Budget in steps; exactly one of `epochs` and `steps` is set",
    "batch_size": (
        "Samples per batch (micro-batch, with `accumulate`); no effect if the task gives a "
        "DataLoader"
    ),
    "drop_last": "Leave out the last batch of an epoch if it is short",
    "device": (
        "`auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` and `cuda` distribute the lanes "
        "over all GPUs"
    ),
    "sample_every": "Epochs between two samples",
    "validate_every": "Steps between two validations; 0: at each epoch's end",
    "pace": (
        "At most this many steps per second and lane, so that a tiny model can be watched; 0: "
        "full speed"
    ),
    "gauge": (
        "Measure the step gain at a few steps; computes the loss of their batches a second time"
    ),
    "on_nan": (
        "A lane with a NaN or infinite loss or gradient: end it, or go back to the last "
        "good snapshot with half the rate, "
        "three times at most. Of a script: `warn`, the default there, or `stop`"
    ),
    "on_divergence": (
        "A lane that diverges: alert only, pause it, end it, or rewind it as above; `pause` "
        "needs a screen"
    ),
    "snapshots": "The table `[snapshots]`, below",
    "pruning": "The table `[pruning]`, below; without it no lane is pruned",
    "rank_by": (
        "The metric that lanes are ranked by: `val_loss`, `loss` or any other; by default the "
        "validation loss where there is one, else the training loss"
    ),
    "best": "`min` or `max`: which value of it is the best; by default what its name says",
    "rank_at": (
        "`last`: the newest value; `best`: the best so far; `budget`: that after as many steps as "
        "every lane has made"
    ),
    "seeds": "Lanes of each kind, one for each of as many seeds, shown as one",
    "defaults": "A table of lane keys and optimizer options for every lane that does not set them",
    "lane": "One `[[lane]]` table for each lane, below",
    "sweep": (
        "A table of lists (`lr`, `optimizer`, `schedule`, keys of a recipe, `recipe`); every "
        "combination of their values becomes a lane"
    ),
}
SCRIPT_KEYS = {
    "file": "A Python script, relative to the scenario's file; run by the Python that runs lrtui",
    "module": "Or a module, as in `python -m`",
    "command": 'Or a program with its arguments, as it is: `["torchrun", "train.py"]`',
    "args": "Further arguments; `{NAME}` stands for the lane's value of that name",
    "env": "Environment variables, beside those of the shell; `{NAME}` as in `args`",
    "vary": (
        "A list of values for each NAME; every combination of them, with every rate, becomes a lane"
    ),
    "at_once": (
        "Most scripts that run at a time; 0: one for each GPU, without a GPU as many as there are "
        "cores"
    ),
    "seeded": "Seed Python, numpy and torch before the script's first line",
}
LANE_KEYS = {
    "name": (
        "Unique; by default made of optimizer, rate, schedule and the keys of the recipe in which "
        "lanes differ"
    ),
    "optimizer": (
        "A class of `torch.optim` or one [of your own](optimizers.md), a call as in Python, or a "
        "table `{ name = ..., option = ... }`; its options may also stand beside it"
    ),
    "lr": "Initial learning rate; by default the optimizer's own, 0.01 for SGD",
    "schedule": (
        "A scheduler by name, a call as in Python, or a table `{ name = ..., option = ... "
        "}`; see "
        "[schedules](schedules.md)"
    ),
    "expect": (
        "The outcome that is commonly told of such a lane; the end of the race says where it "
        "turns out otherwise"
    ),
}
RECIPE_KEYS = {
    "clip_grad_norm": (
        "Highest 2-norm of all gradients together; larger ones are scaled down; 0: no clipping"
    ),
    "clip_grad_value": "Highest absolute value of a gradient's element; 0: no clipping",
    "accumulate": "Batches (micro-batches) whose gradients make one step",
    "precision": (
        "Type of `torch.autocast`, `fp16` with a GradScaler; `tf32`: matrix products in "
        "TensorFloat-32"
    ),
    "compile": "`torch.compile` of the model before the first step: `true`, or a mode",
    "ema": "Decay of a moving average of the weights, which is validated too; 0: none",
}
SNAPSHOT_KEYS = {
    "seconds": (
        "Seconds between two snapshots of a lane; longer if they would take more than 1 % "
        "of the time. If a policy may "
        "rewind, they come after fixed numbers of steps instead"
    ),
    "steps": "Also after every this many steps; 0: off",
    "last": "How many of the newest are kept, besides those with a reason of their own",
    "megabytes": "Disk space for all snapshots of the run; each lane has an equal share",
}
PRUNING_KEYS = {
    "rungs": (
        "Rising fractions of the budget at which lanes wait for each other and are compared "
        "(rungs of successive halving)"
    ),
    "keep": (
        "The fraction of the lanes that goes on at each rung, rounded up; the others are "
        "paused, NaN ranks last"
    ),
}
EVENTS = {
    "race": "First line of a race",
    "start": (
        "A lane starts again, from a snapshot or as a new lane; a script's lane makes its first "
        "step"
    ),
    "steps": "A block of consecutive steps",
    "measured": "Values at the steps that the gauge measures",
    "epoch": "End of an epoch, or a validation within one (`validate_every`)",
    "alert": "An alert; `--on-alert` gets the same object",
    "joined": "A lane is forked or added",
    "rate": "The dial moved",
    "snapshot": "A snapshot was taken",
    "rewound": "A lane went back to an earlier step",
    "status": "A lane was paused or goes on",
    "end": "A lane ended",
    "note": "A line of the log",
    "logged": "Numbers that a script logged (`run.log`), each under its own name",
    "output": "A line that a script wrote on its standard output or error",
    "result": "Last line of a race: every lane, best first",
}
OTHER = {
    "point": "`lrtui find --json`: one rate of the sweep",
    "result": "`lrtui find --json`: the last line",
    "schedule": "`lrtui schedule --json`: one lane's learning rates",
}
FIELDS = {
    "run": "path of the run directory",
    "title": "the race's title",
    "task": "the task; of a script its file, module or program",
    "command": "a script's program and arguments; only in a script's race",
    "values": "a script's varied values by name; only where there are any",
    "exit_code": "a script's own, negative for a signal; only in a script's race",
    "logged.steps": "steps done at each number",
    "logged.val_loss": "a number that the script logged under this name; null: not at this step",
    "seed": "the seed (of a lane: its own); not of a script that is left unseeded",
    "seeds": "lanes of each kind, with a seed each",
    "device": "the device; null: not started",
    "epochs": "budget in epochs, or null",
    "lr": "learning rate; of a script's lane only if it was given",
    "start.lr": "rate that a script set itself; only in a script's race",
    "start.steps": "the lane's budget in steps; of a script only if it is known",
    "race.steps": "budget in steps, or null",
    "batch_size": "samples per batch; null: unknown or varying",
    "intra_op_threads": "torch's intra-op threads per lane",
    "lanes": "one object for each lane",
    "letter": "the lane's letter",
    "name": "the lane's name",
    "optimizer": "optimizer with its options; of a script its class, once it makes a step",
    "schedule": "schedule with its options, or null",
    "recipe": "settings of the recipe that are not the defaults, by key",
    "groups": "names of the optimizer's param groups, in the order of their columns; null: unknown",
    "init_checksum": "checksum of the initial weights and buffers",
    "batch_checksum": "checksum of the first epoch's batch order; null: not known beforehand",
    "lane": "the lane's letter; null: the whole run",
    "step": "steps done by then",
    "steps": "the lane's budget in steps",
    "first": "number of the block's first step, from 0",
    "loss": "training loss of each step",
    "applied_lr": (
        "learning rate that the optimizer applied; `applied_lr/1`, ... for further param groups,"
        " named by `groups` of the lane"
    ),
    "next_lr": "learning rate of the following step",
    "grad_norm": "norm of the gradient, before clipping; null: not measured",
    "clipped": "1 if the gradients were clipped, otherwise 0; only in a lane with clipping",
    "skipped": "1 if the GradScaler skipped the step, otherwise 0; only with fp16",
    "measured.steps": "numbers of the measured steps",
    "gain": "step gain (gain ratio)",
    "step_size": "what multiplies the optimizer's direction",
    "rate_p10": "10 % quantile of single elements' rates",
    "rate_p50": "their median",
    "rate_p90": "their 90 % quantile",
    "realised": "norm of the change over norm of the gradient",
    "update_ratio": "log10 of norm of the change over norm of the weights",
    "epoch": "epochs that have ended by then",
    "epoch.loss": "mean training loss since the epoch began",
    "metrics": "validation metrics by name; `ema_...`: with averaged weights",
    "kind": "one of nan, diverged, error, lost",
    "text": "one line of text",
    "parent": "the parent's letter; null: none",
    "factor": "dial factor: applied rate over scheduled rate",
    "rate.lr": "the next step's learning rate",
    "tag": "why it was taken",
    "bytes": "size of the file",
    "why": "one of rewound, restarted, recovered, resumed",
    "status": "waiting, running or paused; at the end the reason",
    "reason": "why it ended, or why the verdict",
    "error": "traceback; only if there is one",
    "sentences": "the outcome in sentences",
    "verdict": "the verdict in small letters",
    "first_step": "first step of its curve, above 0 for a fork",
    "result.steps": "steps done",
    "smooth_loss": "smoothed loss (EMA 0.9)",
    "first_loss": "loss of the first step",
    "last_loss": "loss of the last step",
    "best_loss": "lowest loss",
    "best_step": "step of the lowest loss",
    "steps_per_second": "mean speed",
    "step_gain": "median step gain of the early window; null: not measured",
    "measuring_s": "seconds spent on the gauge",
    "sentence": "one sentence about the lane, or about the group",
    "metric": "what lanes are ranked by: loss, or the name of a metric",
    "best": "min or max: which value of it is the best",
    "rank_at": "last, best or budget",
    "rank_step": "of budget: how many steps the lanes are compared after, else null",
    "missing": "the metric asked for, if no lane has it and the training loss stands in, else null",
    "standings": "one object for each lane, or group of lanes of several seeds; best first",
    "standings.lanes": "the letters of its lanes",
    "place": "place in the standings, from 1; lanes of one group share it",
    "value": "what the lane is ranked by; of a group the mean of its lanes",
    "low": "the lowest value of the group's lanes",
    "high": "the highest",
    "nan": "lanes of the group that went NaN",
    "failed": "lanes of the group that ended in an error",
    "point.loss": "training loss at this rate",
    "smooth": "debiased average of the losses so far",
    "suggestions": "learning rate by rule; null: none",
    "winner": "learning rate that won the check, or null",
    "points": "steps of the sweep",
    "usable": "points that the rules use",
    "ending": "why the sweep ended",
    "disagreement": "highest suggestion over the lowest",
    "checked": "the check's lanes as in `result`, each with its `lr`",
    "find.groups": (
        "the winner's param groups, each with its `name` and its `ratio` to the rate found, or"
        " its own `lr`; [] of a lane with one group"
    ),
    "find.reason": "why no rate won, or null",
    "find.error": "what the task raised, or null",
    "runs": "paths of the runs",
    "interval": "batch or epoch, or null",
    "total_steps": "the budget in steps",
    "steps_per_epoch": "steps per epoch",
    "known_steps": "from this step on nothing is known",
    "schedule.first": "first learning rate",
    "last": "last one",
    "lowest": "lowest one",
    "highest": "highest one",
    "schedule.steps": "`rates[i]` holds from `steps[i]` on",
    "rates": "learning rates",
    "unknown": "why nothing can be known; '' otherwise",
    "warnings": "warnings, a line each",
}

# Markdown
