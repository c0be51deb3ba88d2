"""`lrtui send` and `lrtui resume` over runs that nobody trains: what is sent, what is printed, what
is refused and how."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from lrtui.cli import main
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.command_result import done, refused, snapshot_taken
from lrtui.core.protocol.commands import (
    Fork,
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    TakeSnapshot,
)
from support.fake_run import commands, make_run, trainer, without_supervisor
from support.fake_script import make_script_run


def run_cli(*args: str) -> int:
    """The command in this process; its exit code."""
    with pytest.raises(SystemExit) as done:
        main(args)
    return int(done.value.code or 0)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Three lanes that live, and a fourth that went NaN; the supervisor is this process."""
    return make_run(tmp_path, ("steady", "diverges", "paints", "explodes"), done=60, live=True)


class TestSeveralSeeds:
    @pytest.fixture
    def seeded(self, tmp_path: Path) -> Path:
        """Two lanes of two seeds each; B2 went NaN."""
        lanes = [{"name": "low", "lr": 0.1}, {"name": "high", "lr": 1.0}]
        kinds = ("steady", "paints", "diverges", "explodes")
        return make_run(tmp_path, kinds, done=60, live=True, lane=lanes, seeds=2)

    @pytest.mark.parametrize(
        ("words", "lanes"),
        [
            (["A", "pause"], [0, 1]),
            (["a2", "pause"], [1]),
            (["low", "pause"], [0, 1]),
            (["B", "pause"], [2]),  # those that live
        ],
    )
    def test_the_letter_of_a_group_is_all_of_its_seeds(self, seeded, words, lanes):
        with trainer(seeded, done("paused")) as taken:
            assert run_cli("send", str(seeded), *words) == 0
        assert taken == [Pause(lane=lane) for lane in lanes]

    def test_forks_of_a_group_have_no_name_of_their_own(self, seeded, capsys):
        assert run_cli("send", str(seeded), "A", "fork", "--name", "x") == 2
        assert "--name with 2 seeds: all forks would have one name" in capsys.readouterr().err

    def test_an_unknown_lane_is_refused_with_the_groups(self, seeded, capsys):
        assert run_cli("send", str(seeded), "C", "pause") == 2
        assert "the lanes are A low, B high" in capsys.readouterr().err


class TestWhatIsSent:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["A", "pause"], Pause(lane=0)),
            (["b", "resume"], Resume(lane=1)),
            (["paints", "stop"], Stop(lane=2)),
            (["A", "rate", "3e-4"], SetRate(lane=0, rate=3e-4)),
            (["A", "scale", "0.5"], ScaleRate(lane=0, by=0.5)),
            (["A", "schedule"], SetFactor(lane=0, factor=1.0)),
            (["A", "snapshot"], TakeSnapshot(lane=0)),
            (["D", "rewind"], Rewind(lane=3)),
            (["A", "rewind", "--to", "40", "--scale", "0.5"], Rewind(lane=0, to=40, by=0.5)),
            (["D", "restart"], Rewind(lane=3, to=0)),
        ],
    )
    def test_a_word_becomes_a_command_and_its_answer_is_printed(
        self, live, capsys, words, expected
    ):
        with trainer(live, done("rate 0.0003 from step 120")) as taken:
            assert run_cli("send", str(live), *words) == 0
        assert taken == [expected]
        letter = "ABCD"[expected.lane]
        assert capsys.readouterr().out == f"{letter}: rate 0.0003 from step 120\n"

    def test_a_fork_has_a_name_and_a_rate(self, live):
        with trainer(live) as taken:
            assert run_cli("send", str(live), "A", "fork") == 0
            assert run_cli("send", str(live), "A", "fork", "--lr", "1e-3", "--name", "calm") == 0
        first, second = taken
        assert isinstance(first, Fork)
        assert isinstance(second, Fork)
        assert (first.child.name, first.child.letter, first.rate) == ("steady fork", "E", None)
        assert (second.child.name, second.rate) == ("calm", 1e-3)

    def test_all_are_all_that_live(self, live, capsys):
        with trainer(live, done("paused")) as taken:
            assert run_cli("send", str(live), "pause", "--all") == 0
        assert taken == [Pause(lane=0), Pause(lane=1), Pause(lane=2)]
        assert sorted(capsys.readouterr().out.splitlines()) == [
            "A: paused",
            "B: paused",
            "C: paused",
        ]

    def test_the_run_is_named_as_for_watch(self, live):
        with trainer(live) as taken:
            assert run_cli("send", live.name[:6], "A", "pause", "--runs", str(live.parent)) == 0
        assert taken == [Pause(lane=0)]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["Z", "pause"], 'no lane "Z"'),
            (["paint", "pause"], 'did you mean "paints"?'),
            (["D", "pause"], "D has ended (nan)"),
            (["A", "rate", "0"], "0 is not a valid learning rate"),
            (["A", "rate", "-1"], "-1 is not a valid learning rate"),
            (["A", "rate", "nan"], "nan is not a valid learning rate"),
            (["A", "scale", "inf"], "inf is not a valid factor"),
            (["A", "rate", "fast"], '"fast" is not a number'),
            (["A", "rate"], "missing number"),
            (["A", "rate", "1", "2"], 'unexpected argument "2"'),
            (["A", "pause", "now"], 'unexpected argument "now"'),
            (["A", "jump"], 'unknown action "jump"'),
            (["A", "pauze"], 'did you mean "pause"?'),
            (["A"], "no action given"),
            ([], "no lane given"),
            (["pause"], "no lane given"),
            (["A", "pause", "--lr", "1"], "--lr does not apply to pause"),
            (["A", "fork", "--to", "3"], "--to does not apply to fork"),
            (["A", "fork", "--lr", "0"], "0 is not a valid learning rate"),
            (["A", "fork", "--name", "paints"], "also the name of lane C"),
            (["A", "rewind", "--to", "-3"], "--to"),
            (["A", "rewind", "--scale", "0"], "--scale: invalid value 0"),
            (["fork", "--all", "--name", "x"], "all forks would have one name"),
            (["A", "pause", "--nonsense"], "--nonsense"),
        ],
    )
    def test_what_will_not_do_is_said_in_a_line_and_nothing_is_sent(
        self, live, capsys, words, said
    ):
        assert run_cli("send", str(live), *words) == 2
        out, err = capsys.readouterr()
        assert said in err
        assert out == ""
        assert len(err.splitlines()) <= 2
        assert commands(live) == []

    def test_a_run_that_is_not_there(self, tmp_path, capsys):
        assert run_cli("send", "nothing", "A", "pause", "--runs", str(tmp_path)) == 2
        assert 'no run "nothing"' in capsys.readouterr().err

    def test_a_refusal_of_the_trainer(self, live, capsys):
        with trainer(live, refused("Rprop: the rate changes nothing\x1b[31m")):
            assert run_cli("send", str(live), "A", "scale", "2") == 2
        assert capsys.readouterr().err == "lrtui: A: Rprop: the rate changes nothing\n"

    def test_no_answer_in_time(self, live, capsys):
        assert run_cli("send", str(live), "A", "pause", "--timeout", "0.05") == 2
        assert "A: no answer in 0.05 s" in capsys.readouterr().err
        assert commands(live) == [Pause(lane=0)]  # it waits for the lane, as the hint says

    @pytest.mark.parametrize(
        ("words", "said"),
        [(["A", "pause"], "A has ended (nan)"), (["stop", "--all"], "every lane has ended")],
    )
    def test_a_race_that_is_over_is_not_to_be_resumed(self, tmp_path, capsys, words, said):
        run = without_supervisor(make_run(tmp_path, ("explodes",), live=True))
        assert run_cli("send", str(run), *words) == 2
        err = capsys.readouterr().err
        assert said in err
        assert "lrtui resume" not in err

    def test_a_snapshot_is_told_by_its_step(self, live, capsys):
        with trainer(live, snapshot_taken("000000061-asked.snap", 61)):
            assert run_cli("send", str(live), "A", "snapshot") == 0
        assert capsys.readouterr().out == "A: snapshot at step 61\n"

    @pytest.mark.parametrize("words", [["A", "pause"], ["rate", "0.1", "--all"]])
    def test_a_supervisor_that_is_gone(self, live, capsys, words):
        without_supervisor(live)
        assert run_cli("send", str(live), *words) == 2
        err = capsys.readouterr().err
        assert f"the supervisor of {live.name} is gone" in err
        assert f"lrtui resume {live.name}" in err
        assert commands(live) == []


class Revived:
    """Stands for the supervisor that a command would start."""

    started: ClassVar[list[Path]] = []
    fails = ""

    def resume(self, run: Path, *_: object) -> Path:
        self.started.append(run)
        if self.fails:
            raise LrtuiError(self.fails)
        return run

    def close(self) -> None:
        pass


@pytest.fixture
def supervisors(monkeypatch: pytest.MonkeyPatch) -> type[Revived]:
    Revived.started, Revived.fails = [], ""
    monkeypatch.setattr("lrtui.client.launcher.Launcher", Revived)
    monkeypatch.setattr("lrtui.cli.race.Launcher", Revived)
    return Revived


class TestARaceWithoutItsSupervisor:
    def test_a_rewind_starts_a_new_one(self, tmp_path, capsys, supervisors):
        run = without_supervisor(make_run(tmp_path, ("steady", "explodes"), live=True))
        with trainer(run, done("back at step 20")) as taken:
            assert run_cli("send", str(run), "B", "rewind") == 0
        assert taken == [Rewind(lane=1)]
        assert supervisors.started == [run]
        assert "B: back at step 20" in capsys.readouterr().out

    def test_where_none_can_be_started_the_command_is_taken_back(
        self, tmp_path, capsys, supervisors
    ):
        run = without_supervisor(make_run(tmp_path, ("steady", "explodes"), live=True))
        supervisors.fails = "the supervisor did not start"
        assert run_cli("send", str(run), "B", "fork") == 2
        assert "the supervisor did not start" in capsys.readouterr().err
        assert commands(run) == []

    def test_resume_takes_the_newest_run_that_was_cut_off(self, tmp_path, capsys, supervisors):
        wanted = without_supervisor(
            make_run(tmp_path, ("steady",), done=60, live=True, over=False, title="cut")
        )
        make_run(tmp_path, ("steady",), title="whole")
        # the supervisor that was started is none
        assert run_cli("resume", "--plain", "--runs", str(tmp_path)) == 1
        assert supervisors.started == [wanted]

    @pytest.mark.parametrize("kinds", [("steady", "explodes")])
    def test_resume_refuses_a_run_that_has_ended(self, tmp_path, capsys, supervisors, kinds):
        run = without_supervisor(make_run(tmp_path, kinds, live=True))
        assert run_cli("resume", str(run), "--plain") == 2
        err = capsys.readouterr().err
        assert f"every lane of {run.name} has ended" in err
        assert f"lrtui send {run.name} A rewind" in err
        assert supervisors.started == []

    def test_resume_refuses_a_run_that_has_its_supervisor(self, live, capsys, supervisors):
        assert run_cli("resume", str(live), "--plain") == 2
        err = capsys.readouterr().err
        assert f"{live.name} is still running" in err
        assert f"lrtui watch {live.name}" in err
        assert supervisors.started == []

    def test_resume_says_where_there_is_nothing(self, tmp_path, capsys, supervisors):
        assert run_cli("resume", "--runs", str(tmp_path)) == 2
        assert "nothing to resume among the 0 runs" in capsys.readouterr().err

    def test_the_file_whose_code_runs_is_named_before_it_does(self, tmp_path, capsys, supervisors):
        (tmp_path / "mine.py").write_text("class Mine:\n    def model(self): ...\n")
        run = make_run(
            tmp_path,
            ("steady",),
            done=60,
            live=True,
            over=False,
            task=f"{tmp_path / 'mine.py'}:Mine",
        )
        supervisors.fails = "enough"
        assert run_cli("resume", str(without_supervisor(run)), "--plain") == 2
        assert (
            capsys.readouterr().err.splitlines()[0]
            == f"lrtui: runs the code of {tmp_path / 'mine.py'}"
        )


class TestScripts:
    @pytest.mark.parametrize(
        ("verb", "words"),
        [
            ("fork", "a script cannot be forked"),
            ("rewind", "a script cannot be rewound"),
            ("restart", "a script cannot be restarted"),
            ("snapshot", "a script has no snapshots"),
        ],
    )
    def test_what_a_script_cannot_do_is_refused_in_words(self, tmp_path, capsys, verb, words):
        run = make_script_run(tmp_path)
        assert run_cli("send", str(run), "A", verb) == 2
        assert words in capsys.readouterr().err
        assert commands(run) == []

    def test_an_ended_script_names_the_way_to_run_it_again(self, tmp_path, capsys):
        run = make_script_run(tmp_path, over="finished")
        assert run_cli("send", str(run), "A", "pause") == 2
        assert "runs its script again" in capsys.readouterr().err
