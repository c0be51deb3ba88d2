"""Generates what the manual and the README list from the code.

`python -m lrtui.cli.manual_tables` names the stale files; `--write` brings them up to date. A
generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`. Names, defaults, ranges
and choices come from click, the key table, the settings, the scenario's structs and the JSON
encoders. Sentences come from there too if the code has one. The rest are the dictionaries of this
module, which must have exactly the names that the code has. A test compares the checked-in pages
with this module.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import click
import msgspec
from textual.binding import Binding

from lrtui import manual, plain
from lrtui.cli import cli, schedule, send
from lrtui.cli.output import ExitCode
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Column,
    Ended,
    Evaluated,
    FindingsUpdated,
    LaneAdded,
    LogMessage,
    Measured,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.results import finder_result
from lrtui.core.scenario import catalogue, scenario_file
from lrtui.core.scenario.spec import (
    Expected,
    Lane,
    OnDivergence,
    OnNan,
    OptimizerSpec,
    Pruning,
    Race,
    Snapshots,
    TaskRef,
)
from lrtui.core.state.race_state import RaceState, apply
from lrtui.terminal import settings
from lrtui.tui import key_names, keys
from lrtui.tui.screens.finder import LEGEND as RULES_LEGEND
from lrtui.tui.screens.manual import ManualScreen

README = Path(__file__).parents[2] / "README.md"
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_COMMON = 4
"""An option that at least this many commands share is listed once, under all of them."""

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
    "bell": "Ring the terminal's bell at an alert",
    "keys": "A key, or a list of keys, for each id; see [keys](keys.md#ids)",
}
RACE_KEYS = {
    "title": "One line for the header",
    "story": "Text for whoever picks the scenario",
    "task": "What to train: a bundled name, `file.py:Name` or `module:Name`; see [tasks](tasks.md)",
    "seed": "Seed of weights, batch order and all random generators",
    "epochs": "Budget in epochs",
    "steps": "Budget in steps; exactly one of `epochs` and `steps` is set",
    "batch_size": "Samples per batch; no effect if the task gives a DataLoader",
    "drop_last": "Leave out the last batch of an epoch if it is short",
    "device": (
        "`auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` and `cuda` distribute the lanes "
        "over all GPUs"
    ),
    "sample_every": "Epochs between two samples",
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
        "three times at most"
    ),
    "on_divergence": (
        "A lane that diverges: alert only, pause it, end it, or rewind it as above; `pause` "
        "needs a screen"
    ),
    "snapshots": "The table `[snapshots]`, below",
    "pruning": "The table `[pruning]`, below; without it no lane is pruned",
    "defaults": "A table of lane keys and optimizer options for every lane that does not set them",
    "lane": "One `[[lane]]` table for each lane, below",
    "sweep": "A table of lists; every combination of their values becomes a lane",
}
LANE_KEYS = {
    "name": "Unique; by default made of optimizer, rate and schedule",
    "optimizer": (
        "A class of `torch.optim`, a call as in Python, or a table `{ name = ..., option "
        "= ... }`; its options may also "
        "stand beside it"
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
    "start": "A lane starts again, from a snapshot or as a new lane",
    "steps": "A block of consecutive steps",
    "measured": "Values at the steps that the gauge measures",
    "epoch": "End of an epoch",
    "alert": "An alert; `--on-alert` gets the same object",
    "joined": "A lane is forked or added",
    "rate": "The dial moved",
    "snapshot": "A snapshot was taken",
    "rewound": "A lane went back to an earlier step",
    "status": "A lane was paused or goes on",
    "end": "A lane ended",
    "note": "A line of the log",
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
    "task": "the task",
    "seed": "the seed",
    "device": "the device; null: not started",
    "epochs": "budget in epochs, or null",
    "lr": "learning rate",
    "race.steps": "budget in steps, or null",
    "batch_size": "samples per batch; null: unknown or varying",
    "intra_op_threads": "torch's intra-op threads per lane",
    "lanes": "one object for each lane",
    "letter": "the lane's letter",
    "name": "the lane's name",
    "optimizer": "optimizer with its options",
    "schedule": "schedule with its options, or null",
    "init_checksum": "checksum of the initial weights and buffers",
    "batch_checksum": "checksum of the first epoch's batch order; null: not known beforehand",
    "lane": "the lane's letter; null: the whole run",
    "step": "steps done by then",
    "steps": "the lane's budget in steps",
    "first": "number of the block's first step, from 0",
    "loss": "training loss of each step",
    "applied_lr": (
        "learning rate that the optimizer applied; `applied_lr/1`, ... for further param groups"
    ),
    "next_lr": "learning rate of the following step",
    "grad_norm": "norm of the gradient; null: not measured",
    "measured.steps": "numbers of the measured steps",
    "gain": "step gain (gain ratio)",
    "step_size": "what multiplies the optimizer's direction",
    "rate_p10": "10 % quantile of single elements' rates",
    "rate_p50": "their median",
    "rate_p90": "their 90 % quantile",
    "realised": "norm of the change over norm of the gradient",
    "update_ratio": "log10 of norm of the change over norm of the weights",
    "epoch": "number of the epoch, from 1",
    "epoch.loss": "mean training loss",
    "metrics": "validation metrics by name",
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
    "sentence": "one sentence about the lane",
    "point.loss": "training loss at this rate",
    "smooth": "debiased average of the losses so far",
    "suggestions": "learning rate by rule; null: none",
    "winner": "learning rate that won the check, or null",
    "points": "steps of the sweep",
    "usable": "points that the rules use",
    "ending": "why the sweep ended",
    "disagreement": "highest suggestion over the lowest",
    "checked": "the check's lanes as in `result`, each with its `lr`",
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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(
        [
            *lines,
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
        ]
    )


def code(text: str) -> str:
    """A code span; keys and options may hold a backtick."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def described(words: dict[str, str], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(name, sentence) of each name; ValueError if a sentence is missing, or is about nothing."""
    given = list(names)
    if odd := set(given) ^ set(words):
        raise ValueError(
            f"manual_tables.py describes other names than the code has: {', '.join(sorted(odd))}"
        )
    return ((name, words[name]) for name in given)


# Commands


def commands() -> str:
    """Every command with its arguments and options; common options once."""
    rows = {name: _options(command) for name, command in cli.commands.items() if not command.hidden}
    every = [row for found in rows.values() for row in found]
    common = [row for row in dict.fromkeys(every) if every.count(row) >= _COMMON]
    listed = "\n\n".join(_command(name, rows[name], common) for name in rows)
    return (
        f"### lrtui\n\n{_sentence(cli)}\n\n{listed}\n\n### Common options\n\n"
        "Each command names those that it takes.\n\n" + table(("option", "meaning"), common)
    )


def _command(name: str, options: list[tuple[str, str]], common: list[tuple[str, str]]) -> str:
    command = cli.commands[name]
    arguments = [_argument(given) for given in command.params if isinstance(given, click.Argument)]
    parts = [
        f"### lrtui {name}",
        _sentence(command),
        code(" ".join(["lrtui", name, "[OPTIONS]", *arguments])),
    ]
    if own := [row for row in options if row not in common]:
        parts.append(table(("option", "meaning"), own))
    if shared := [row[0].split(" ")[0].strip("`") for row in options if row in common]:
        parts.append("Common options: " + ", ".join(map(code, shared)) + ".")
    return "\n\n".join(parts)


def _argument(given: click.Argument) -> str:
    word = given.metavar or (given.name or "").upper()
    return word if given.required or word.startswith("[") else f"[{word}]"


def _sentence(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def _options(command: click.Command) -> list[tuple[str, str]]:
    """(flags, sentence) of each option, the same with every version of click."""
    return [
        _option(given)
        for given in command.params
        if isinstance(given, click.Option) and not given.hidden
    ]


def _option(given: click.Option) -> tuple[str, str]:
    kind = given.type
    value = given.metavar or (
        "|".join(map(str, kind.choices))
        if isinstance(kind, click.Choice)
        else {"integer range": "INTEGER", "float range": "FLOAT"}.get(kind.name, kind.name.upper())
    )
    words = " ".join((given.help or "").split())
    default = (
        f"  [default: {given.default:g}]"
        if given.show_default and isinstance(given.default, (int, float))
        else (f"  [default: {given.default}]" if given.show_default else "")
    )
    return code(", ".join(given.opts) + ("" if given.is_flag else f" {value}")), (
        words + default
    ).replace("  [", " [")


def actions() -> str:
    """Actions of `lrtui send`."""
    rows = []
    for name, words in described(ACTIONS, send.VERBS):
        verb = send.VERBS[name]
        takes = [verb.number] if verb.number else [code(f"--{flag}") for flag in verb.flags]
        rows.append((code(name), words, ", ".join(takes), "yes" if verb.revives else ""))
    return table(("action", "what it does", "takes", "ended lane"), rows)


def exit_codes() -> str:
    """The exit codes."""
    meanings = described(CODES, [member.name for member in ExitCode])
    return table(
        ("code", "meaning"), [(str(int(ExitCode[name])), words) for name, words in meanings]
    )


# Keys


def key_table(which: tuple[keys.Key, ...]) -> str:
    """The keys of one screen, with their headings."""
    parts = []
    for heading, lines in keys.sections(which):
        parts += [f"### {heading}"] if heading else []
        parts.append(
            table(("key", "what it does"), [(code(shown), words) for shown, words in lines])
        )
    return "\n\n".join(parts)


def manual_keys() -> str:
    """The keys of the manual on the screen."""
    bindings = [given for given in ManualScreen.BINDINGS if isinstance(given, Binding)]
    rows = [
        (" ".join(code(key_names.read(key)) for key in given.key.split(",")), given.description)
        for given in bindings
    ]
    return table(("key", "what it does"), rows)


def key_ids() -> str:
    """Every key by its id, for the settings file."""
    rows = [
        (code(key.id), " ".join(code(key_names.read(name)) for name in key.keys), key.name)
        for which in (keys.RACE, keys.PICKER, keys.FINDER)
        for key in which
    ]
    return table(("id", "key", "what it does"), rows)


def signs() -> str:
    """The signs on a race's screen."""
    return table(
        ("sign", "meaning"), [(code(sign), keys.told(words)) for sign, words in keys.LEGEND.items()]
    )


def rules() -> str:
    """The rules of the finder, and the signs of its chart."""
    return table(("name", "meaning"), [(code(sign), words) for sign, words in RULES_LEGEND.items()])


def first_keys() -> str:
    """The keys that the README names: those that the footer begins with, help and quit."""
    wanted = (*keys.FIRST, "app.help", "app.quit")
    by_id = {key.id: key for key in keys.RACE}
    return table(
        ("key", "what it does"),
        [(code(by_id[name].shown), keys.told(by_id[name].help)) for name in wanted],
    )


# Scenarios, tasks, settings


def scenarios() -> str:
    """The bundled scenarios."""
    rows = []
    for path in scenario_file.bundled():
        race = scenario_file.load(str(path))
        rows.append((code(path.stem), race.title, str(len(race.lanes)), race.budget))
    return table(("name", "title", "lanes", "budget"), rows)


def race_keys() -> str:
    """The keys at the top of a scenario."""
    usual = Race("", TaskRef("bundled", "", ""), ())
    return _toml_keys(
        described(
            RACE_KEYS,
            [key for key in RACE_KEYS if key in scenario_file._RACE_KEYS]
            + sorted(scenario_file._RACE_KEYS - RACE_KEYS.keys()),
        ),
        usual,
        {"on_nan": get_args(OnNan), "on_divergence": get_args(OnDivergence)},
    )


def lane_keys() -> str:
    """The keys of a [[lane]]."""
    names = [key for key in LANE_KEYS if key in scenario_file._LANE_KEYS] + sorted(
        scenario_file._LANE_KEYS - LANE_KEYS.keys()
    )
    choices = {"expect": tuple(word for word in get_args(Expected) if word)}
    return _toml_keys(
        described(LANE_KEYS, names),
        Lane("A", "", OptimizerSpec("Adam"), 1e-3),
        choices,
        {"lr", "name"},
    )


def snapshot_keys() -> str:
    """The keys of [snapshots]."""
    return _toml_keys(described(SNAPSHOT_KEYS, Snapshots.__struct_fields__), Snapshots(), {})


def pruning_keys() -> str:
    """The keys of [pruning]."""
    return _toml_keys(described(PRUNING_KEYS, Pruning.__struct_fields__), Pruning(), {})


def _toml_keys(
    words: Iterable[tuple[str, str]],
    usual: msgspec.Struct,
    choices: dict[str, tuple[str, ...]],
    unsaid: Iterable[str] = ("title", "task"),
) -> str:
    rows = []
    for name, sentence in words:
        value = None if name in unsaid else getattr(usual, name, None)
        value = None if isinstance(value, (msgspec.Struct, OptimizerSpec)) or value == "" else value
        also = "; one of " + ", ".join(map(code, choices[name])) if name in choices else ""
        rows.append((code(name), "" if value is None else code(_toml(value)), sentence + also))
    return table(("key", "default", "meaning"), rows)


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{item:.3g}" for item in value) + "]"
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value)


def settings_keys() -> str:
    """The keys of the settings file."""
    usual = settings.Settings()
    rows = []
    for name, sentence in described(SETTINGS, usual.__struct_fields__):
        value = getattr(usual, name)
        default = {"keys": ""}.get(name, "by the terminal" if value is None else code(_toml(value)))
        expected = (
            "" if name == "keys" else settings._expected(name, object()).removeprefix("expected ")
        )
        rows.append((code(name), expected.replace('"', "`"), default, sentence))
    return table(("key", "values", "default", "meaning"), rows)


def schedules() -> str:
    """The schedules that torch does not have; torch's own differ from version to version."""
    rows = [
        (
            code(signature.name),
            signature.interval,
            ", ".join(
                code(option.name) + (" (required)" if option.required else "")
                for option in signature.options.values()
            ),
        )
        for signature in catalogue._OWN
    ]
    return table(("schedule", "stepped every", "options"), rows)


def default_rates() -> str:
    """The learning rate of a lane that names none."""
    rows = [(code(name), code(f"{rate:g}")) for name, rate in scenario_file.DEFAULT_RATES.items()]
    return table(("optimizer", "default `lr`"), [*rows, ("any other", code("0.001"))])


def folders() -> str:
    """The packages and modules of lrtui with the first sentence of each one's docstring."""
    home = Path(__file__).parents[1]
    packages = [
        (f"lrtui/{path.parent.relative_to(home).as_posix()}/", path)
        for path in sorted(home.glob("*/**/__init__.py"))
    ]
    modules = [
        (f"lrtui/{path.name}", path)
        for path in sorted(home.glob("*.py"))
        if not path.name.startswith("_")
    ]
    rows = [(code(name), _first_sentence(path)) for name, path in [*packages, *modules]]
    return table(
        ("where", "contents"),
        [*rows, (code("scenarios/"), "the bundled scenarios and, in `tasks/`, what they train")],
    )


def _first_sentence(path: Path) -> str:
    documented = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.\s|\.$|\n\n", " ".join(documented.split()), maxsplit=1)[0]


# JSON


def _race() -> Race:
    raw = {"task": "straight-line", "steps": 100, "lane": [{"name": "low", "lr": 0.001}], "seed": 7}
    return scenario_file.parse(raw, source="manual", folder=Path(), scenario="manual")


def _story(race: Race) -> list[AnyEvent]:
    """One event of each kind of `--json`, as a race would record them."""
    values = [1.5, 1.25]
    steps = {name: Column.pack(values) for name in ("loss", "applied_lr", "next_lr", "grad_norm")}
    gauge = {
        name: Column.pack([0.5])
        for name in (
            "gain",
            "step_size",
            "rate_p10",
            "rate_p50",
            "rate_p90",
            "realised",
            "update_ratio",
        )
    }

    def begin(lane: int, first: int) -> Started:
        return Started(
            lane=lane,
            device="cpu",
            steps_per_epoch=10,
            total_steps=100,
            parameters=2,
            init_checksum="8d5d7cd0",
            batch_checksum="ef91d2a1",
            intra_op_threads=1,
            validated=True,
            first=first,
            batch_size=32,
        )

    fork = msgspec.structs.replace(race.lanes[0], letter="B", name="low fork")
    return [
        begin(0, 0),
        Steps(lane=0, first=0, count=2, columns=steps),
        Measured(lane=0, steps=[1], columns=gauge, spent=0.01),
        FindingsUpdated(lane=0, step=2, findings=Findings()),
        Evaluated(lane=0, epoch=1, step=2, loss=1.375, metrics={"val_loss": 1.4}),
        RateChanged(lane=0, step=2, factor=0.5, rate=0.0005),
        StatusChanged(lane=0, step=2, status="paused"),
        Snapshotted(lane=0, step=2, tag="pause", size=2048, kept=[2], total=2048),
        LaneAdded(lane=1, child=fork, parent=0, step=2),
        begin(1, 2),
        Alerted(lane=0, step=2, kind="nan", text="loss is NaN at step 2"),
        LogMessage(lane=0, text="the last good snapshot is step 2"),
        Rewound(lane=0, step=2, why="rewound"),
        Ended(lane=1, step=2, reason="stopped"),
        Ended(lane=0, step=2, reason="error", error="ValueError: ..."),
    ]


def race_lines() -> dict[str, dict[str, Any]]:
    """A line of each kind that a race prints with `--json`, by event, made by the encoders."""
    race, out = _race(), io.StringIO()
    follower = SimpleNamespace(
        run="runs/lr-dial-1", reader=SimpleNamespace(race=race), state=RaceState(race)
    )
    lines = plain.JsonLines(cast(Any, follower), out)
    for event in _story(race):
        apply(follower.state, event)
        lines.tell(follower.state, event)
    lines.finish(cast(Any, follower))
    return {line["event"]: line for line in map(json.loads, out.getvalue().splitlines())}


def other_lines() -> dict[str, dict[str, Any]]:
    """The lines of `lrtui find --json` and `lrtui schedule --json`."""
    found = finder_result.result_line(
        None, finder_result.conclude(None, None, None), None, ["runs/lr-dial-find-1"]
    )
    preview = Preview([0, 10], [0.1, 0.01], 20)
    lines = [
        finder_result.point_line(0, 1e-7, 1.5, 1.5),
        found,
        schedule._line(_race().lanes[0], preview),
    ]
    return {line["event"]: line for line in lines}


def json_events() -> str:
    """Every kind of line with its fields."""
    race = "\n\n".join(
        _event(name, words, line) for name, words, line in _lines(EVENTS, race_lines())
    )
    other = "\n\n".join(
        _event(name, words, line, "find" if name == "result" else "")
        for name, words, line in _lines(OTHER, other_lines())
    )
    return f"## Races\n\n{race}\n\n## Finder and schedules\n\n{other}"


def _lines(
    words: dict[str, str], lines: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return ((name, sentence, lines[name]) for name, sentence in described(words, lines))


def _event(name: str, words: str, line: dict[str, Any], family: str = "") -> str:
    inner = line["lanes"][0] if line.get("lanes") else {}
    rows = [(code(key), _field(key, family or name)) for key in line if key != "event"]
    rows += [
        (code(f"lanes[].{key}"), _field(key, f"lanes of {name}" if name == "race" else name))
        for key in inner
    ]
    return f"### {name}\n\n{words}.\n\n" + table(("field", "meaning"), rows)


def _field(key: str, event: str) -> str:
    return FIELDS.get(f"{event}.{key}") or FIELDS[key]


def topics() -> str:
    """The manual's pages with a link to each."""
    links = [f"[{topic}](lrtui/manual/{topic}.md)" for topic in manual.TOPICS]
    return ",\n".join(", ".join(links[at : at + 4]) for at in range(0, len(links), 4)) + "."


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "actions": actions,
    "exit-codes": exit_codes,
    "keys-race": lambda: key_table(keys.RACE),
    "keys-picker": lambda: key_table(keys.PICKER),
    "keys-finder": lambda: key_table(keys.FINDER),
    "keys-manual": manual_keys,
    "key-ids": key_ids,
    "signs": signs,
    "rules": rules,
    "first-keys": first_keys,
    "scenarios": scenarios,
    "race-keys": race_keys,
    "lane-keys": lane_keys,
    "snapshot-keys": snapshot_keys,
    "pruning-keys": pruning_keys,
    "settings": settings_keys,
    "schedules": schedules,
    "default-rates": default_rates,
    "json-events": json_events,
    "folders": folders,
    "topics": topics,
}


def files() -> list[Path]:
    """The files with generated parts: the manual's pages, and the README of a checkout."""
    return [*sorted(manual.FOLDER.glob("*.md")), *([README] if README.is_file() else [])]


def renewed(text: str) -> str:
    """`text` with its generated parts made anew."""
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[4]}", text)


def main(arguments: Sequence[str]) -> int:
    """Names the stale files; with --write brings them up to date."""
    keys.choose({})
    stale = 0
    for path in files():
        before = path.read_text(encoding="utf-8")
        if (after := renewed(before)) != before:
            stale += 1
            print(path)
            if "--write" in arguments:
                path.write_text(after, encoding="utf-8")
    return int(stale > 0 and "--write" not in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
