"""Every command in a `console` block of the README and the manual runs as it is written.

Races of a task of one's own are really trained, cut to a few steps. All other races have a launcher
that records made-up steps instead of training. What a command reads (a finished run, an interrupted
one, a running one whose lanes answer, a terminal) is one of the fixtures named in SITUATIONS; a
command without an entry there fails.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lrtui.cli import main
from lrtui.client.launcher import Launcher
from lrtui.core.protocol.events import Ended
from lrtui.core.scenario.spec import Race
from support.fake_run import make_run, say, trainer, without_supervisor
from support.fake_sweep import FakeLauncher
from support.pages import commands, files
from support.terminal import Terminal
from support.trained_run import trained_run
from support.training import make_race

pytestmark = pytest.mark.xdist_group("manual commands")

COMMANDS = commands()
SITUATIONS = {
    "": "terminal",
    "race": "launcher",
    "run": "launcher",
    "find": "launcher",
    "watch": "finished",
    "report": "finished",
    "export": "finished",
    "runs": "finished",
    "note": "finished",
    "status": "finished",
    "compare": "two",
    "resume": "interrupted",
    "send": "running",
    "more": "running",
    "take": "trained",
    "schedule": "previews",
    "scenarios": "anywhere",
    "settings": "anywhere",
}
"""By the command's first word, what has to be there for it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the pages' Python files; what a command writes stays in it."""
    folder = tmp_path_factory.mktemp("manual")
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def anywhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, and a runs folder of this command's own."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def launcher(anywhere: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Records made-up steps, except for tasks of one's own."""

    class Launcher(FakeLauncher.fresh()):  # type: ignore[misc]
        def start(self, race: Race, runs: Path, *_: object) -> Path:
            return super().start(race, runs)

    if "--task" not in command or command.startswith("lrtui find"):
        monkeypatch.setattr("lrtui.cli.race.Launcher", Launcher)
    monkeypatch.setattr("lrtui.cli.run.Launcher", Launcher)
    monkeypatch.setattr("lrtui.client.lr_finder.Launcher", Launcher)


@pytest.fixture
def finished(anywhere: Path) -> None:
    """A finished run whose name begins with lr-dial."""
    make_run(anywhere, ("steady", "explodes", "paints"), title="lr-dial")


@pytest.fixture
def two(finished: None, anywhere: Path) -> None:
    """Another one, whose name begins with warm-up."""
    make_run(anywhere, ("steady", "explodes"), title="warm-up")


@pytest.fixture
def interrupted(anywhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose supervisor is gone; the one that is started for it ends both lanes at once."""

    class Launcher(FakeLauncher.fresh()):  # type: ignore[misc]
        def resume(self, run: Path, *_: object) -> Path:
            say(run, *(Ended(lane=lane, step=60, reason="finished") for lane in range(2)))
            return run

    without_supervisor(
        make_run(anywhere, ("steady", "paints"), done=60, live=True, title="lr-dial")
    )
    monkeypatch.setattr("lrtui.cli.race.Launcher", Launcher)


@pytest.fixture
def running(anywhere: Path) -> Iterator[None]:
    """A running race whose lanes do what they are told."""
    with trainer(make_run(anywhere, ("steady", "paints"), done=60, live=True, title="lr-dial")):
        yield


@pytest.fixture
def trained(anywhere: Path) -> None:
    """A finished run that was really trained, with its snapshots."""
    race = make_race([{"optimizer": "SGD", "lr": 0.01}], epochs=1)
    trained_run(anywhere, msgspec.structs.replace(race, scenario="lr-dial"))


@pytest.fixture(scope="module")
def torch_once() -> Iterator[Launcher]:
    """One process that has torch, for all previews."""
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def previews(anywhere: Path, torch_once: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """That process in the place of one for each command."""

    class Shared:
        preview = torch_once.preview

        def close(self) -> None:
            """It is used again."""

    monkeypatch.setattr("lrtui.cli.schedule.Launcher", Shared)


@pytest.fixture
def terminal(anywhere: Path) -> Callable[[], int]:
    """A terminal in which the picker is opened and left."""

    def pick() -> int:
        with Terminal(runs=anywhere) as screen:
            screen.sees("lr-dial")
            screen.press("escape")
            return screen.leaves()

    return pick


@pytest.fixture
def ready(command: str, request: pytest.FixtureRequest) -> Callable[[], int] | None:
    word = (shlex.split(command)[1:] or [""])[0]
    assert word in SITUATIONS, f"declare in SITUATIONS what `{command}` needs"
    return request.getfixturevalue(SITUATIONS[word])


def cut(words: list[str]) -> list[str]:
    """A command without its redirection, and with a short budget if it trains."""
    words = words[: words.index(">")] if ">" in words else words
    return [*words, "--steps", "5"] if words[:1] == ["race"] and "--task" in words else words


@pytest.mark.parametrize(
    "command", COMMANDS, ids=[f"{page}: {command}" for command, page in COMMANDS.items()]
)
def test_it_runs(command, ready, anywhere, capfd):
    program, *words = shlex.split(command)
    assert program == "lrtui"
    if not words:
        assert ready is not None
        assert ready() == 0
        return
    # what another test may have written in another process
    for earlier in map(shlex.split, COMMANDS):
        if ">" in earlier and earlier[-1] in words and not Path(earlier[-1]).exists():
            run(earlier[1:], capfd)
    run(words, capfd)


def run(words, capfd):
    """Runs a command; what it redirects into a file stands there."""
    with pytest.raises(SystemExit) as left:
        main(cut(words))
    out, err = capfd.readouterr()
    assert left.value.code in (0, None), err
    assert out.strip()
    if ">" in words:
        Path(words[words.index(">") + 1]).write_text(out, encoding="utf-8")


def test_the_pages_have_commands_of_every_kind():
    assert {(shlex.split(command)[1:] or [""])[0] for command in COMMANDS} == SITUATIONS.keys()
