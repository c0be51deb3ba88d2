"""`--on-alert`: a person's command is told of every alert, whatever it does, and nobody waits for
it."""

import json
import sys
import threading

import psutil
import pytest

from lrtui.client.launcher import Launcher
from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.events import Alerted, LogMessage
from lrtui.store.reader import Reader
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from lrtui.training import alert_hook
from lrtui.training.alert_hook import AlertHook
from support.training import make_race
from support.waiting import PATIENCE_S, until


@pytest.fixture
def race():
    return make_race([{"lr": 0.1, "name": "hot"}, {"lr": 0.01, "name": "cold"}])


@pytest.fixture
def writer(race, tmp_path):
    writer = Writer(create_run(tmp_path / "runs", race), SUPERVISOR_ROLE)
    yield writer
    writer.close()


def alert(writer, lane=0, step=3, kind="diverged", text="up it goes"):
    writer.append([row(Alerted(lane=lane, at=1.0, step=step, kind=kind, text=text))])


def notes(writer):
    reader = Reader(writer.run)
    found = [event.text for event in reader.poll(5.0) if isinstance(event, LogMessage)]
    reader.close()
    return found


def see_through(alert_hook):
    """Looks, as the supervisor does once a second, until nothing is left to be done."""
    alert_hook.look()
    until(lambda: alert_hook.look() or not alert_hook.busy, "the commands")


def python(code):
    """A command that runs Python."""
    return f'{sys.executable} -c "{code}"'


def test_the_alert_comes_as_one_line_of_json(race, writer, tmp_path):
    told = tmp_path / "told"
    alert_hook = AlertHook(f"cat >> {told}", race, writer)
    alert(writer, lane=1, text='"quoted" é $(nothing) `is` run')
    see_through(alert_hook)
    (line,) = told.read_text().splitlines()
    assert json.loads(line) == {
        "event": "alert",
        "lane": "B",
        "step": 3,
        "kind": "diverged",
        "name": "cold",
        "text": '"quoted" é $(nothing) `is` run',
        "run": str(writer.run),
    }
    assert notes(writer) == []


def test_each_alert_is_told_once_and_none_is_left_out(race, writer, tmp_path):
    folder = tmp_path / "told"
    folder.mkdir()
    alert_hook = AlertHook(f"cat > {folder}/$$", race, writer)
    for step in range(5):
        alert(writer, step=step)
    alert_hook.look()
    for step in range(5, 12):
        alert(writer, step=step)
    see_through(alert_hook)
    alert_hook.look()
    assert sorted(json.loads(file.read_text())["step"] for file in folder.iterdir()) == list(
        range(12)
    )


def test_no_more_than_a_few_run_at_a_time(race, writer, monkeypatch):
    begun, go = [], threading.Event()

    class Held:
        pid, returncode = 0, 0

        def __init__(self, *_, **__):
            begun.append(self)

        def communicate(self, *_):
            assert go.wait(PATIENCE_S)

    monkeypatch.setattr(alert_hook.subprocess, "Popen", Held)
    hook = AlertHook("anything", race, writer)
    for step in range(10):
        alert(writer, step=step)
    hook.look()
    hook.look()
    assert len(begun) == alert_hook.AT_ONCE
    go.set()
    see_through(hook)
    assert len(begun) == 10


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (python("raise SystemExit(7)"), "ended with exit code 7"),
        ("/no/such/command", "ended with exit code 127"),
        ("exec <&-; exit 1", "ended with exit code 1"),
    ],
)
def test_a_failure_becomes_a_line_of_the_log(race, writer, command, words):
    alert_hook = AlertHook(command, race, writer)
    alert(writer)
    see_through(alert_hook)
    (said,) = notes(writer)
    assert words in said


def test_one_that_takes_too_long_is_killed_with_all_that_it_started(race, writer, tmp_path):
    pids = tmp_path / "pids"
    alert_hook = AlertHook(
        f"sleep 600 & echo $! >> {pids}; echo $$ >> {pids}; wait", race, writer, limit_s=1.0
    )
    alert(writer)
    see_through(alert_hook)
    (said,) = notes(writer)
    assert "took longer than 1 s and was killed" in said
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: gone(pid), f"the end of process {pid}")


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_store_that_cannot_be_read_just_now_is_looked_at_again(
    race, writer, tmp_path, monkeypatch
):
    alert_hook = AlertHook(f"cat >> {tmp_path}/told", race, writer)
    alert(writer)
    with monkeypatch.context() as patch:
        patch.setattr(
            writer, "alerts", lambda after: (_ for _ in ()).throw(StoreUnavailable("full"))
        )
        alert_hook.look()
        assert not alert_hook.busy
    see_through(alert_hook)
    assert len((tmp_path / "told").read_text().splitlines()) == 1


def test_without_a_command_nothing_is_looked_for(race, writer):
    alert(writer)
    alert_hook = AlertHook("", race, writer)
    alert_hook.look()
    assert not alert_hook.busy


@pytest.mark.xdist_group("processes")
def test_a_supervisor_tells_it_when_nobody_watches(tmp_path):
    too_high = make_race(
        [{"optimizer": "SGD", "lr": 3.0}, {"optimizer": "SGD", "lr": 0.01}],
        task="Plain",
        epochs=100,
    )
    told = tmp_path / "told"
    run = Launcher().start(too_high, tmp_path / "runs", on_alert=f"cat >> {told}")
    until(lambda: told.exists() and '"nan"' in told.read_text(), "the alert")
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert {(line["lane"], line["run"]) for line in lines} == {("A", str(run))}
    assert {line["kind"] for line in lines} <= {"diverged", "nan"}
