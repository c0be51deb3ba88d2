"""`lrtui.watch` in a script or a notebook that nobody started for it."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import lrtui
from lrtui.core.protocol.commands import Stop
from lrtui.core.protocol.events import Ended, Logged, LogMessage, RateChanged, Sampled, Started
from lrtui.store.reader import Reader, summary
from lrtui.store.writer import Writer
from support.scripts import LIMIT_S, record, run_script, script_race
from support.waiting import until


class Training:
    """A model, an optimizer and a step, as in a notebook's cells."""

    def __init__(self, lr=0.1):
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr)
        self.x = torch.randn(16, 3)
        self.losses = []

    def step(self):
        self.optimizer.zero_grad()
        loss = self.model(self.x).square().mean()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())


@pytest.fixture
def runs(tmp_path):
    return str(tmp_path / "runs")


def column(run, name):
    return [
        value
        for event in record(run)
        if type(event).__name__ == "Steps"
        for value in event.values(name).tolist()
    ]


def of(run, kind):
    return [event for event in record(run) if isinstance(event, kind)]


def test_a_watched_training_is_a_run_of_one_lane(runs, capsys):
    train = Training()
    with lrtui.watch(
        train.optimizer, steps=8, name="warm 1e-1", config={"width": 3}, runs=runs
    ) as run:
        for _ in range(8):
            train.step()
        run.log(val_loss=0.5)
        path = run.path
        assert run.rate == 0.1
        assert run.factor == 1.0
        assert not run.stopped
    assert column(path, "loss") == train.losses
    assert of(path, Started)[0].total_steps == 8
    assert of(path, Logged)[0].steps == [8]
    assert of(path, Ended)[0].reason == "finished"
    assert capsys.readouterr().err == f"lrtui: watch this with  lrtui watch {path}\n"
    reader = Reader(path)
    assert reader.race.title == "warm 1e-1"
    assert reader.race.script.config == {"width": "3"}
    assert not reader.race.script.supervised
    reader.close()
    assert summary(path).state == "ended"
    assert not train.optimizer._optimizer_step_pre_hooks


def test_a_run_is_alive_while_its_process_is(runs):
    run = lrtui.watch(Training().optimizer, runs=runs)
    path = run.path
    train = Training()
    run.finish()
    with lrtui.watch(train.optimizer, runs=runs) as run:
        train.step()
        train.step()
        until(lambda: summary(run.path).state == "running", "the run to be seen alive")
    assert summary(path).state == summary(run.path or path).state == "ended"


def test_commands_reach_a_watched_training(runs):
    train = Training()
    with lrtui.watch(train.optimizer, runs=runs) as run:
        path = run.path
        train.step()
        writer = Writer(path, "test")
        from lrtui.core.protocol.commands import SetFactor

        writer.send(SetFactor(0, 3.0))

        def turned():
            train.step()
            return run.factor == 3.0

        until(turned, "the dial to turn")
        train.step()
        assert run.rate == pytest.approx(0.3)
        writer.send(Stop(0))

        def stopped():
            train.step()
            return False

        until(stopped, "the stop")
    assert of(path, RateChanged)[0].factor == 3.0
    assert of(path, Ended)[0].reason == "stopped"
    assert train.optimizer.param_groups[0]["lr"] == 0.1


def test_an_exception_ends_the_lane_with_its_traceback(runs):
    train = Training()
    paths = []

    def fail():
        with lrtui.watch(train.optimizer, runs=runs) as run:
            paths.append(run.path)
            train.step()
            raise ValueError("of the script")

    with pytest.raises(ValueError, match="of the script"):
        fail()
    [path] = paths
    [end] = of(path, Ended)
    assert end.reason == "error"
    assert "ValueError: of the script" in end.error


def test_a_watch_without_with_ends_at_exit(runs, tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(
        "import sys, torch, lrtui\n"
        "p = torch.nn.Parameter(torch.ones(2))\n"
        "optimizer = torch.optim.SGD([p], lr=0.1)\n"
        f"run = lrtui.watch(optimizer, runs={runs!r}); print(run.path)\n"
        "for _ in range(3): p.square().sum().backward(); optimizer.step()\n"
        "if len(sys.argv) > 1: raise ValueError('at the end')\n"
    )
    for argv, reason in (([], "finished"), (["fail"], "error")):
        done = subprocess.run(
            [sys.executable, str(script), *argv],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        [end] = of(type(tmp_path)(done.stdout.strip()), Ended)
        assert (end.reason, "at the end" in end.error) == (reason, bool(argv))


def test_a_second_watch_ends_the_first(runs):
    train = Training()
    first = lrtui.watch(train.optimizer, name="one", runs=runs)
    path = first.path
    train.step()
    with lrtui.watch(train.optimizer, name="two", runs=runs) as second:
        Writer(second.path, "test")
        train.step()
    assert of(path, Ended)
    assert column(path, "loss") == train.losses[:1]
    assert not train.optimizer._optimizer_step_pre_hooks
    assert first.path is None


def test_two_watches_share_the_losses_by_whoever_steps_next(runs):
    one, other = Training(0.1), Training(0.02)
    with (
        lrtui.watch(one.optimizer, name="one", runs=runs) as a,
        lrtui.watch(other.optimizer, name="other", runs=runs) as b,
    ):
        for _ in range(4):
            one.step()
            other.step()
        paths = a.path, b.path
    assert column(paths[0], "loss") == one.losses
    assert column(paths[1], "loss") == other.losses


def test_a_loop_without_an_optimizer_tells_its_steps(runs):
    weight, rate = 5.0, 0.1
    with lrtui.watch(name="by hand", runs=runs) as run:
        for _ in range(5):
            weight -= rate * run.factor * 2 * weight
            run.step(loss=weight**2, rate=rate * run.factor)
        path = run.path
        assert run.rate == 0.1
    assert len(column(path, "loss")) == 5
    assert column(path, "applied_lr") == [0.1] * 5


def test_images_come_in_any_usual_shape(runs):
    train = Training()
    with lrtui.watch(train.optimizer, runs=runs) as run:
        train.step()
        for image in (
            torch.rand(4, 6),
            torch.rand(3, 4, 6),
            torch.rand(2, 1, 4, 6),
            (torch.rand(4, 6) * 255).to(torch.uint8).numpy(),
        ):
            run.image("sample", image)
        run.image("broken", torch.rand(5))
        run.image("broken", "no image")
        path = run.path
    assert [event.shape for event in of(path, Sampled)] == [
        (1, 4, 6, 3), (1, 4, 6, 3), (2, 4, 6, 3), (1, 4, 6, 3),
    ]  # fmt: skip
    assert len([note for note in of(path, LogMessage) if "broken" in note.text]) == 2


def test_off_does_nothing_at_all(runs, monkeypatch, tmp_path):
    monkeypatch.setenv("LRTUI", "off")
    train = Training()
    with lrtui.watch(train.optimizer, runs=runs) as run:
        train.step()
        run.log(loss=1.0)
        run.image("x", torch.rand(2, 2))
        run.loss(1.0)
        run.step(loss=1.0, rate=0.1)
        run.set_total(3)
        run.note("a note")
        run.wait_while_paused()
        assert (run.path, run.factor, run.stopped) == (None, 1.0, False)
        assert math.isnan(run.rate)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written_is_told_and_training_goes_on(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    train = Training()
    with lrtui.watch(train.optimizer, runs=str(tmp_path / "file" / "runs")):
        train.step()
    assert "this training is not watched" in capsys.readouterr().err
    assert len(train.losses) == 1


def test_under_lrtui_run_a_watch_joins_the_lane(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import lrtui\n"
        "with lrtui.watch(None, config={'width': 2}):\n"
        "    import torch\n"
        "p = torch.nn.Parameter(torch.ones(2))\n"
        "other = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)\n"
        "optimizer = torch.optim.SGD([p], lr=0.1)\n"
        "with lrtui.watch(optimizer, steps=3) as run:\n"
        "    for step in range(3):\n"
        "        p.square().sum().backward(); optimizer.step()\n"
        "        run.log(val_loss=step)\n"
        "    print(run.path)\n"
    )
    ran = run_script(script_race(script), tmp_path / "runs")
    assert (ran.code, ran.err) == (0, "")
    assert ran.started.total_steps == 3
    assert ran.column("applied_lr") == [0.1] * 3
    logged = [v for e in ran.of(Logged) for v in e.values("val_loss").tolist()]
    assert logged == [0.0, 1.0, 2.0]
    assert any("width 2" in note.text for note in ran.of(LogMessage))
    assert not ran.of(Ended)
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_what_is_no_optimizer_is_told_and_not_watched(runs, capsys, tmp_path):
    with lrtui.watch(Training().model, runs=runs) as run:
        run.log(val_loss=1.0)
        assert run.path is None
    assert capsys.readouterr().err == "lrtui: a Linear is not watched: expected a torch optimizer\n"
    assert not (tmp_path / "runs").exists()
