"""Tables of commands, keys, scenarios, settings and folders, from the code that defines them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from textual.binding import Binding

from lrtui import manual
from lrtui.cli import cli, send
from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.manual_tables.markdown import code, described, table
from lrtui.cli.manual_tables.sentences import (
    ACTIONS,
    CODES,
    LANE_KEYS,
    PRUNING_KEYS,
    RACE_KEYS,
    RECIPE_KEYS,
    SCRIPT_KEYS,
    SETTINGS,
    SNAPSHOT_KEYS,
)
from lrtui.core.scenario import catalogue, lane_table, scenario_file, script_table
from lrtui.core.scenario.spec import (
    BestIs,
    CompileMode,
    Expected,
    Lane,
    OnDivergence,
    OnNan,
    OptimizerSpec,
    Precision,
    Pruning,
    Race,
    RankAt,
    Recipe,
    Script,
    Snapshots,
    TaskRef,
)
from lrtui.terminal import settings
from lrtui.tui import key_names, key_table as keys
from lrtui.tui.key_legend import LEGEND as SIGNS
from lrtui.tui.keymap import Keymap
from lrtui.tui.screens.finder import LEGEND as RULES_LEGEND
from lrtui.tui.screens.manual import ManualScreen

_COMMON = 4
"""An option that at least this many commands share is listed once, under all of them."""


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
    for heading, lines in Keymap().sections(which):
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
        for which in keys.ALL
        for key in which
    ]
    return table(("id", "key", "what it does"), rows)


def signs() -> str:
    """The signs on a race's screen."""
    return table(
        ("sign", "meaning"), [(code(sign), Keymap().expand(words)) for sign, words in SIGNS.items()]
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
        [(code(by_id[name].shown), Keymap().expand(by_id[name].help)) for name in wanted],
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
    """The keys at the top of a scenario, but for those of its recipe."""
    usual = Race("", TaskRef("bundled", "", ""), ())
    names = scenario_file.RACE_KEYS - RECIPE_KEYS.keys()
    return _toml_keys(
        described(
            RACE_KEYS, [key for key in RACE_KEYS if key in names] + sorted(names - RACE_KEYS.keys())
        ),
        usual,
        {
            "on_nan": get_args(OnNan),
            "on_divergence": get_args(OnDivergence),
            "best": get_args(BestIs)[1:],
            "rank_at": get_args(RankAt),
        },
    )


def lane_keys() -> str:
    """The keys of a [[lane]], but for those of its recipe."""
    names = [key for key in LANE_KEYS if key in lane_table.LANE_KEYS] + sorted(
        lane_table.LANE_KEYS - LANE_KEYS.keys() - RECIPE_KEYS.keys()
    )
    choices = {"expect": tuple(word for word in get_args(Expected) if word)}
    return _toml_keys(
        described(LANE_KEYS, names),
        Lane("A", "", OptimizerSpec("Adam"), 1e-3),
        choices,
        {"lr", "name"},
    )


def script_keys() -> str:
    """The keys of [script]."""
    words = described(SCRIPT_KEYS, script_table.SCRIPT_KEYS)
    return _toml_keys(words, Script(()), {}, (*script_table.RUN_KEYS, "args", "env", "vary"))


def recipe_keys() -> str:
    """The keys of a recipe: race-wide, in [defaults], [sweep] or a [[lane]]."""
    modes = tuple(mode for mode in get_args(CompileMode) if mode)
    return _toml_keys(
        described(RECIPE_KEYS, Recipe.__struct_fields__),
        msgspec.structs.replace(Recipe(), compile=False),
        {"precision": get_args(Precision), "compile": modes},
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
    rows = [(code(name), code(f"{rate:g}")) for name, rate in lane_table.DEFAULT_RATES.items()]
    return table(("optimizer", "default `lr`"), [*rows, ("any other", code("0.001"))])


def folders() -> str:
    """The packages and modules of lrtui with the first sentence of each one's docstring."""
    home = Path(__file__).parents[2]
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


def topics() -> str:
    """The manual's pages with a link to each."""
    links = [f"[{topic}](lrtui/manual/{topic}.md)" for topic in manual.TOPICS]
    return ",\n".join(", ".join(links[at : at + 6]) for at in range(0, len(links), 6)) + "."
