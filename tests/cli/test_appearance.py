"""Flags, settings and the terminal, in this order; and what is printed where the encoding has not
all characters."""

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from lrtui.cli import cli
from lrtui.cli.appearance import chosen, look_options, paper
from support.fake_run import make_run


@click.group()
@look_options
def program():
    """As the program's own group."""


@program.command()
@look_options
def command():
    """As one of its commands."""
    click.echo(tuple(chosen().look))


def look(*args, env=None):
    done = CliRunner().invoke(
        program,
        args,
        env={
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "COLORTERM": None,
            "NO_COLOR": None,
            "COLORFGBG": None,
            "TMUX": None,
            **(env or {}),
        },
    )
    return done.output.strip()


def test_flags_go_before_settings_and_settings_before_the_terminal(tmp_path, monkeypatch):
    assert look("command") == "('256', 'dark', 'braille', 10)"
    assert (
        look("command", env={"NO_COLOR": "1", "COLORFGBG": "0;15", "LC_ALL": "C"})
        == "('none', 'light', 'ascii', 10)"
    )
    monkeypatch.setenv("LRTUI_CONFIG", str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text(
        'theme = "light"\ncolors = "16"\nglyphs = "blocks"\nfps = 3\n'
    )
    assert look("command", env={"NO_COLOR": "1"}) == "('16', 'light', 'blocks', 3)"
    assert (
        look("--theme", "contrast", "command", "--fps", "20") == "('16', 'contrast', 'blocks', 20)"
    )
    assert (
        look("--theme", "contrast", "command", "--theme", "dark") == "('16', 'dark', 'blocks', 3)"
    )


@pytest.mark.parametrize(
    "args",
    [
        ("--theme", "pink"),
        ("--colors", "8"),
        ("--glyphs", "emoji"),
        ("--fps", "0"),
        ("--fps", "31"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(args):
    done = CliRunner().invoke(cli, ["watch", *args])
    assert done.exit_code == 2
    assert "is not in the range 1<=x<=30" in done.output or "is not one of" in done.output


@pytest.mark.parametrize("name", [None, "race", "watch", "resume", "find", "settings"])
def test_every_command_with_a_screen_has_the_flags(name):
    found = CliRunner().invoke(cli, [name, "--help"] if name else ["--help"]).output
    assert all(f"--{flag}" in found for flag in ("theme", "colors", "glyphs", "fps"))


def test_where_nobody_looks_print_is_as_rich_has_it(capsys):
    assert paper().color_system is None
    paper().print("é ⣿")
    assert capsys.readouterr().out == "é ⣿\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_has_not_becomes_ascii_instead_of_a_traceback(tmp_path, encoding):
    make_run(tmp_path, ("steady", "explodes"), title="Über 日本")
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "watch", "--plain", "--runs", str(tmp_path)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode(encoding)
    assert ("Uber ????" if encoding == "ascii" else "Über ????") in said
    assert "loss by step" in said
    assert done.stderr == b""


def test_plain_watch_prints_settings_error_once_on_stderr(tmp_path):
    make_run(tmp_path, ("steady",))
    file = tmp_path / "mine.toml"
    file.write_text("fps = 99\n")
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "watch", "--plain", "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "LRTUI_CONFIG": str(file)},
    )
    assert done.returncode == 0
    assert (
        done.stderr
        == f"lrtui: {file}:1: fps: expected a whole number from 1 to 30 (frames a second)\n"
    )
