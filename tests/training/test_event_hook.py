"""`--on-event` and `--on-alert`: a person's command is told of all news, whatever it does, and
nobody waits for it."""

import json
import sys
import threading

import psutil
import pytest

from lrtui.client.launcher import Launcher
from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.events import Alerted, Ended, LogMessage, Rewound
from lrtui.core.protocol.launch_protocol import HookCommands
from lrtui.store.reader import Reader
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from lrtui.training import event_hook
from lrtui.training.event_hook import EventHook
from support.builders import started, steps
from support.training import make_race
from support.waiting import PATIENCE_S, until

RACE = make_race([{"lr": 0.1, "name": "hot"}, {"lr": 0.01, "name": "cold"}])


@pytest.fixture
def writer(tmp_path):
    writer = Writer(create_run(tmp_path / "runs", RACE), SUPERVISOR_ROLE)
    yield writer
    writer.close()


def alert(writer, lane=0, step=3, kind="diverged", text="up it goes"):
    writer.append([row(Alerted(lane=lane, at=1.0, step=step, kind=kind, text=text))])


def notes(writer):
    reader = Reader(writer.run)
    found = [event.text for event in reader.poll(5.0) if isinstance(event, LogMessage)]
    reader.close()
    return found


def see_through(hook):
    """Looks, as the supervisor does once a second, until nothing is left to be done."""
    hook.look(RACE)
    until(lambda: hook.look(RACE) or not hook.busy, "the commands")


def python(code):
    """A command that runs Python."""
    return f'{sys.executable} -c "{code}"'


def test_the_alert_comes_as_one_line_of_json(writer, tmp_path):
    told = tmp_path / "told"
    hook = EventHook(HookCommands(on_alert=f"cat >> {told}"), writer)
    alert(writer, lane=1, text='"quoted" é $(nothing) `is` run')
    see_through(hook)
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


def test_each_alert_is_told_once_and_none_is_left_out(writer, tmp_path):
    folder = tmp_path / "told"
    folder.mkdir()
    hook = EventHook(HookCommands(on_alert=f"cat > {folder}/$$"), writer)
    for step in range(5):
        alert(writer, step=step)
    hook.look(RACE)
    for step in range(5, 12):
        alert(writer, step=step)
    see_through(hook)
    hook.look(RACE)
    assert sorted(json.loads(file.read_text())["step"] for file in folder.iterdir()) == list(
        range(12)
    )


def test_no_more_than_a_few_run_at_a_time(writer, monkeypatch):
    begun, go = [], threading.Event()

    class Held:
        pid, returncode = 0, 0

        def __init__(self, *_, **__):
            begun.append(self)

        def communicate(self, *_):
            assert go.wait(PATIENCE_S)

    monkeypatch.setattr(event_hook.subprocess, "Popen", Held)
    hook = EventHook(HookCommands(on_alert="anything"), writer)
    for step in range(10):
        alert(writer, step=step)
    hook.look(RACE)
    hook.look(RACE)
    assert len(begun) == event_hook.AT_ONCE
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
def test_a_failure_becomes_a_line_of_the_log(writer, command, words):
    hook = EventHook(HookCommands(on_alert=command), writer)
    alert(writer)
    see_through(hook)
    (said,) = notes(writer)
    assert words in said


def test_one_that_takes_too_long_is_killed_with_all_that_it_started(writer, tmp_path):
    pids = tmp_path / "pids"
    hook = EventHook(
        HookCommands(on_alert=f"sleep 600 & echo $! >> {pids}; echo $$ >> {pids}; wait"),
        writer,
        limit_s=1.0,
    )
    alert(writer)
    see_through(hook)
    (said,) = notes(writer)
    assert "took longer than 1 s and was killed" in said
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: gone(pid), f"the end of process {pid}")


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_store_that_cannot_be_read_just_now_is_looked_at_again(writer, tmp_path, monkeypatch):
    hook = EventHook(HookCommands(on_alert=f"cat >> {tmp_path}/told"), writer)
    alert(writer)
    with monkeypatch.context() as patch:
        patch.setattr(
            writer, "alerts", lambda after: (_ for _ in ()).throw(StoreUnavailable("full"))
        )
        hook.look(RACE)
        assert not hook.busy
    see_through(hook)
    assert len((tmp_path / "told").read_text().splitlines()) == 1


def test_without_a_command_nothing_is_looked_for(writer):
    alert(writer)
    hook = EventHook(HookCommands(on_alert=""), writer)
    hook.look(RACE)
    assert not hook.busy


@pytest.mark.xdist_group("processes")
def test_a_supervisor_tells_it_when_nobody_watches(tmp_path):
    too_high = make_race(
        [{"optimizer": "SGD", "lr": 3.0}, {"optimizer": "SGD", "lr": 0.01}],
        task="Plain",
        epochs=100,
    )
    told = tmp_path / "told"
    run = Launcher().start(
        too_high, tmp_path / "runs", hooks=HookCommands(on_alert=f"cat >> {told}")
    )
    until(lambda: told.exists() and '"nan"' in told.read_text(), "the alert")
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert {(line["lane"], line["run"]) for line in lines} == {("A", str(run))}
    assert {line["kind"] for line in lines} <= {"diverged", "nan"}


def say(writer, *events):
    writer.append([row(event) for event in events])


def cross_over(writer):
    """B leads at first, A from step 101 on; both end after 200 steps."""
    say(writer, started(0), started(1))
    for first in range(0, 200, 20):
        say(writer, steps([1.0 if first < 100 else 0.1] * 20, first=first))
        say(writer, steps([0.5] * 20, first=first, lane=1))


def finished(lane):
    return Ended(lane=lane, at=2.0, step=200, reason="finished")


def told_by(hook, path):
    """The news that came, in the order in which they were queued."""
    see_through(hook)
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return sorted(lines, key=lambda line: (line["step"] or 0, line["event"]))


def test_leader_alerts_and_end_are_told_once_with_their_values(writer, tmp_path):
    told = tmp_path / "told"
    hook = EventHook(HookCommands(on_event=f"cat >> {told}"), writer)
    cross_over(writer)
    alert(writer, lane=1, step=170)
    leader, diverged = told_by(hook, told)
    assert leader.pop("step") == 157  # smoothed, it leads from step 108 on
    assert leader.pop("value") == pytest.approx(0.1, rel=0.01)
    text = leader.pop("text")
    assert text.startswith("A hot leads after ")
    assert text.endswith("before B cold; loss 0.1000")
    run = str(writer.run)
    assert leader == {"event": "leader", "run": run, "lane": "A", "name": "hot"}
    assert diverged == {
        "event": "diverged",
        "run": run,
        "lane": "B",
        "name": "cold",
        "step": 170,
        "value": 0.5,
        "text": "up it goes",
    }
    say(writer, finished(0), finished(1))
    *_, end = told_by(hook, told)
    assert (end["event"], end["lane"], end["step"]) == ("finished", "A", 200)
    assert end["text"].startswith("A hot")
    assert len(told_by(hook, told)) == 3


def test_both_commands_are_told_of_an_alert_each_in_its_form(writer, tmp_path):
    hooks = HookCommands(f"cat >> {tmp_path / 'events'}", f"cat >> {tmp_path / 'alerts'}")
    hook = EventHook(hooks, writer)
    cross_over(writer)
    alert(writer, kind="nan", step=180)
    see_through(hook)
    (told,) = (json.loads(line) for line in (tmp_path / "alerts").read_text().splitlines())
    assert (told["event"], told["kind"], told["step"]) == ("alert", "nan", 180)
    events = [json.loads(line)["event"] for line in (tmp_path / "events").read_text().splitlines()]
    assert sorted(events) == ["leader", "nan"]


def test_a_race_that_goes_on_tells_only_what_is_new(writer, tmp_path):
    told = tmp_path / "told"
    cross_over(writer)
    say(writer, finished(0), Ended(lane=1, at=2.0, step=200, reason="interrupted"))
    hook = EventHook(HookCommands(on_event=f"cat >> {told}"), writer)
    hook.skip_existing()
    assert told_by(hook, told) == []
    say(writer, Rewound(lane=1, at=3.0, step=180, why="resumed"))
    say(writer, started(1), steps([0.5] * 20, first=180, lane=1))
    assert told_by(hook, told) == []
    say(writer, finished(1))
    assert [line["event"] for line in told_by(hook, told)] == ["finished"]


def test_an_interrupted_race_is_no_finished_one(writer, tmp_path):
    cross_over(writer)
    say(writer, *(Ended(lane=lane, step=200, reason="interrupted") for lane in (0, 1)))
    hook = EventHook(HookCommands(on_event=f"cat >> {tmp_path / 'told'}"), writer)
    assert [line["event"] for line in told_by(hook, tmp_path / "told")] == ["leader"]


def test_the_end_of_the_supervisor_is_told_in_the_place_of_the_rest(writer, tmp_path):
    told = tmp_path / "told"
    hook = EventHook(HookCommands(on_event=f"cat >> {told}"), writer)
    alert(writer)
    hook.end("SIGTERM")
    (line,) = told_by(hook, told)
    assert line.pop("run") == str(writer.run)
    assert line == {
        "event": "lost",
        "lane": None,
        "name": None,
        "step": None,
        "value": None,
        "text": "SIGTERM: all lanes are interrupted",
    }
    silent = EventHook(HookCommands(on_alert="exit 1"), writer)
    silent.end("SIGTERM")
    assert not silent.telling


@pytest.mark.xdist_group("processes")
def test_a_race_tells_its_end_and_its_interruption(tmp_path):
    race = make_race([{"optimizer": "SGD", "lr": 0.01}] * 2, task="Plain", steps=20)
    told = tmp_path / "told"
    hooks = HookCommands(on_event=f"cat >> {told}")
    Launcher().start(race, tmp_path / "runs", hooks=hooks)
    until(lambda: told.exists() and "finished" in told.read_text(), "the end")
    long = make_race([{"optimizer": "SGD", "lr": 0.01}], task="Plain", steps=10_000_000)
    run = Launcher().start(long, tmp_path / "runs", hooks=hooks)
    reader = Reader(run)
    until(lambda: reader.poll() and reader.supervisor(), "the first step")
    reader.supervisor().terminate()
    until(lambda: '"lost"' in told.read_text(), "the interruption")
    until(lambda: not reader.alive(), "the supervisor's end")
    reader.close()
