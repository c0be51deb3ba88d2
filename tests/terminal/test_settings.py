"""The settings file: what is right in it counts, what is wrong is said in a line each, and a change
leaves the rest alone."""

import os
import re
import stat

import pytest
from click.testing import CliRunner
from hypothesis import given, settings as hypothesis_settings, strategies as st

from lrtui.cli import cli
from lrtui.core.errors import LrtuiError
from lrtui.terminal import settings
from lrtui.terminal.settings import Settings
from lrtui.tui.keymap import faults


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "config" / "mine.toml"
    path.parent.mkdir()
    monkeypatch.setenv("LRTUI_CONFIG", str(path))
    return path


def test_without_a_file_all_is_as_usual(file):
    assert settings.load() == (Settings(), [])
    assert Settings() == Settings(
        theme=None, colors=None, glyphs=None, fps=10, memory=1000, bell=True, notify="auto", keys={}
    )


def test_settings_file_is_in_the_platform_folder_or_named_by_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("LRTUI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings.path() == tmp_path / "lrtui" / "settings.toml"
    monkeypatch.setenv("LRTUI_CONFIG", "~/mine.toml")
    assert settings.path().name == "mine.toml"
    assert settings.path().is_absolute()


def test_everything_can_be_set(file):
    file.write_text(
        'theme = "light"\ncolors = "16"\nglyphs = "ascii"\nfps = 4\nmemory = 200\nbell = false\n'
        'notify = "osc99"\n'
        '[keys]\n"lane.stop" = "f6"\nlane.fork = ["ctrl+f5", "f5"]\n'
    )
    found, wrong = settings.load(faults)
    assert wrong == []
    assert found == Settings(
        theme="light",
        colors="16",
        glyphs="ascii",
        fps=4,
        memory=200,
        bell=False,
        notify="osc99",
        keys={"lane.stop": ("f6",), "lane.fork": ("ctrl+f5", "f5")},
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('theme = "pink"', 'theme: expected one of "dark", "light", "contrast"'),
        ("colors = 256", 'colors: expected one of "truecolor", "256", "16", "none"'),
        ('glyphs = ["ascii"]', 'glyphs: expected one of "braille", "blocks", "halves", "ascii"'),
        ("fps = 0", "fps: expected a whole number from 1 to 30"),
        ("fps = true", "fps: expected a whole number"),
        ("memory = 1.5", "memory: expected a whole number from 16 to 1000000 (megabytes)"),
        ('bell = "no"', "bell: expected true or false"),
        ('notify = "loud"', 'notify: expected one of "auto", "osc9", "osc777", "osc99", "bell"'),
        ("them = 1", 'them: no such setting; did you mean "theme"?'),
        ("keys = 3", "keys: expected a table"),
        (
            "keys.lane.stop = 3",
            'keys.lane.stop: expected a key, such as "ctrl+e", or a list of keys',
        ),
        ("keys.lane.stop = []", "keys.lane.stop: expected a key"),
        ('keys.lane.stopp = "x"', 'keys.lane.stopp: no key has this id; did you mean "lane.stop"?'),
        (
            'keys.lane.stop = "hyperspace"',
            'keys.lane.stop: "hyperspace" is not a key; expected one such as',
        ),
        (
            'keys.lane.stop = "r"',
            "keys.lane.stop: r is the key of lane.rewind too; expected one for each",
        ),
        (
            'keys.lane.stop = "ctrl+p"',
            "keys.lane.stop: ctrl+p is taken: it shows every command by name",
        ),
        ('keys.picker.edit = "e"', "keys.picker.edit: expected a key that types nothing"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_the_rest_counts(file, line, expected):
    file.write_text(
        f"# mine\nfps = 7\n{line}\n" if not line.startswith("fps") else f"# mine\n\n{line}\n"
    )
    found, wrong = settings.load(faults)
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{file}:3: {expected}")
    assert found == Settings(fps=10 if line.startswith("fps") else 7)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"fps = 7\ntheme = \n", ":2: "),
        (b"fps = 7\xff", ": not UTF-8"),
        (b"fps = 7\n[keys\n", ":2: "),
    ],
)
def test_a_broken_file_is_said_once_and_not_used(file, content, expected):
    file.write_bytes(content)
    found, wrong = settings.load(faults)
    assert found == Settings()
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{file}{expected}")
    assert wrong[0].endswith("the settings are not used")


def test_a_file_that_cannot_be_read_is_said_too(file):
    file.mkdir()
    assert settings.load()[1] == [f"{file}: Is a directory: the settings are not used"]


@given(st.binary(max_size=60))
@hypothesis_settings(max_examples=200, deadline=None)
def test_no_file_whatever_is_in_it_keeps_anything_from_working(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRTUI_CONFIG", str(path))
        found, wrong = settings.load(faults)
    assert isinstance(found, Settings)
    assert all(line.isprintable() for line in wrong)


def test_a_change_leaves_all_else_as_it_is(file):
    file.write_text(
        '# my settings\ntheme = "dark"  # for now\nfps = 7\n\n[keys]\n"lane.stop" = "X"\n'
    )
    settings.write("theme", "light")
    assert (
        file.read_text() == '# my settings\ntheme = "light"\nfps = 7\n\n[keys]\n"lane.stop" = "X"\n'
    )
    settings.write("glyphs", "ascii")
    assert file.read_text().startswith('glyphs = "ascii"\n# my settings\n')
    assert settings.load()[0] == Settings(
        theme="light", glyphs="ascii", fps=7, keys={"lane.stop": ("X",)}
    )
    # nothing half-written stays
    assert [path.name for path in file.parent.iterdir()] == ["mine.toml"]


def test_a_change_makes_the_file_and_its_folder_where_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("LRTUI_CONFIG", str(tmp_path / "a" / "b.toml"))
    settings.write("theme", "light")
    assert settings.load() == (Settings(theme="light"), [])


def test_a_link_to_the_file_stays_a_link(file, tmp_path):
    there = tmp_path / "dotfiles.toml"
    there.write_text("fps = 7\n")
    file.symlink_to(there)
    settings.write("theme", "light")
    assert file.is_symlink()
    assert there.read_text() == 'theme = "light"\nfps = 7\n'


def test_a_file_that_is_broken_or_means_something_else_is_not_written_to(file):
    for content in ("fps = \n", 'note = """\ntheme = "dark"\n"""\n'):
        file.write_text(content)
        with pytest.raises(LrtuiError, match=r"mine\.toml"):
            settings.write("theme", "light")
        assert file.read_text() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_takes_nothing_is_an_error_in_a_line(file):
    file.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(LrtuiError, match="could not be written"):
        settings.write("theme", "light")


def test_the_command_prints_what_goes_and_where_it_can_be_changed(file, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    file.write_text('theme = "light"\nfps = 7\n[keys]\n"lane.stop" = "\\""\n')
    done = CliRunner().invoke(
        cli, ["--fps", "9", "settings", "--glyphs", "blocks"], standalone_mode=False
    )
    assert done.return_value == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith('# "')] == [
        f"# {file}",
        'theme = "light"',
        'colors = "256"  # by the terminal or a flag',
        'glyphs = "blocks"  # by the terminal or a flag',
        "fps = 9",
        "memory = 1000  # megabytes of history",
        "bell = true",
        'notify = "auto"',
        "",
        "[keys]",
        '"lane.stop" = ["\\""]',
    ]
    assert '# "lane.pause" = ["space"] # Pause or resume the chosen lane' in done.stdout


def test_what_the_command_prints_is_a_file_that_says_the_same(file, tmp_path):
    printed = CliRunner().invoke(cli, ["settings"], standalone_mode=False).stdout
    file.write_text(re.sub(r'^# "', '"', printed, flags=re.MULTILINE))
    again = CliRunner().invoke(cli, ["settings"], standalone_mode=False)
    assert (again.return_value, again.stderr) == (0, "")
    assert '"lane.pause" = ["space"]' in again.stdout.splitlines()


def test_the_command_says_what_is_wrong(file):
    file.write_text("fps = 99\n")
    done = CliRunner().invoke(cli, ["settings"], standalone_mode=False)
    assert done.return_value == 2
    assert (
        done.stderr
        == f"lrtui: {file}:1: fps: expected a whole number from 1 to 30 (frames a second)\n"
    )
    assert "fps = 10" in done.stdout


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = " + b"[" * 5000, ": nested too deeply: "),
        (b"[keys]\n" + b".".join([b"a"] * 3000) + b' = "x"', ": nested too deeply: "),
        (b"fps = " + b"9" * 5000, ": Exceeds the limit"),
        (b"# mine\n" * 100_000, ": larger than 256 kB: "),
    ],
)
def test_no_file_is_too_much_to_be_refused_in_a_line(file, content, expected):
    file.write_bytes(content)
    found, (wrong,) = settings.load(faults)
    assert found == Settings()
    assert wrong.startswith(f"{file}{expected}")
    assert wrong.endswith(": the settings are not used")
    with pytest.raises(LrtuiError, match="could not be written: "):
        settings.write("theme", "light")
    assert file.read_bytes() == content


def test_nobody_waits_for_a_pipe_and_a_device_is_never_replaced(file):
    os.mkfifo(file)
    assert settings.load(faults) == (Settings(), [])
    with pytest.raises(LrtuiError, match="not a file: theme is not kept"):
        settings.write("theme", "light")
    assert stat.S_ISFIFO(file.stat().st_mode)


def test_links_that_lead_nowhere_are_said(file):
    file.symlink_to(file)
    assert settings.load()[1] == [
        f"{file}: Too many levels of symbolic links: the settings are not used"
    ]
    settings.write("theme", "light")
    assert settings.load() == (Settings(theme="light"), [])


@pytest.mark.parametrize("given", ["~nobody-is-called-so/mine.toml", "x" * 300])
def test_a_name_that_leads_nowhere_is_no_end_with_a_traceback(given, monkeypatch):
    monkeypatch.setenv("LRTUI_CONFIG", given)
    done = CliRunner().invoke(cli, ["settings"], standalone_mode=False)
    assert done.exception is None
    assert "fps = 10" in done.stdout


def test_a_file_name_cannot_play_tricks_on_the_terminal(file, monkeypatch):
    monkeypatch.setenv("LRTUI_CONFIG", f"{file}\x1b[31m")
    (file.parent / f"{file.name}\x1b[31m").write_text("fps = \n")
    assert settings.load()[1][0].startswith(f"{file}:1: Invalid value")


def test_a_key_that_stands_there_twice_is_said(file):
    file.write_text('[keys]\n"lane.stop" = "f6"\nlane.stop = "f7"\n')
    found, wrong = settings.load(faults)
    assert found.keys == {"lane.stop": ("f6",)}
    assert wrong == [
        f"{file}:2: keys.lane.stop: stands there twice, with and without quotes; the first one"
        " counts"
    ]


def test_a_file_with_carriage_returns_keeps_them(file):
    file.write_bytes(b'theme = "dark"\r\nfps = 7\r\n')
    settings.write("theme", "light")
    assert file.read_bytes() == b'theme = "light"\r\nfps = 7\r\n'
