"""Several runs as one: the lanes of each under letters of their own, live, lost and finished."""

import pytest

from lrtui.client import follower
from lrtui.client.comparison import Comparison
from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError, RunError
from lrtui.core.protocol.commands import Pause
from lrtui.core.protocol.events import Ended, LaneAdded, Rewound
from lrtui.store import run_dir
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import create_run
from support.fake_run import block, gone, make_race, make_run, say, started
from support.fake_script import make_script_race


@pytest.fixture
def runs(tmp_path):
    one = make_run(tmp_path, ("steady", "explodes"))
    other = make_run(tmp_path, ("steady", "paints"), seed=9, title="Another race")
    run_dir.relabel(other, name="wide")
    return [one, other]


def test_lanes_of_all_runs_are_those_of_one_race(runs):
    compared = Comparison(runs)
    compared.finish()
    state = compared.state
    assert [lane.lane.called for lane in state.lanes] == [
        "1A steady, run 1",
        "1B explodes, run 1",
        "2A steady, wide",
        "2B paints, wide",
    ]
    assert [lane.status for lane in state.lanes] == ["finished", "nan", "finished", "finished"]
    assert state.over
    assert state.race.title.endswith("; 2: wide")
    for index, lane in enumerate(state.lanes):
        number, own = compared.own_lane(index)
        alone = Follower(runs[number])
        alone.finish()
        other = alone.state.lanes[["A", "B"].index(own.letter)]
        assert lane.losses.smooth.value == pytest.approx(other.losses.smooth.value, nan_ok=True)
        assert lane.alerts == [] or lane.alerts[0].text == other.alerts[0].text
        alone.close()
    # the seed of the second race is 2 above the first's
    assert [lane.lane.seed for lane in state.lanes] == [0, 0, 2, 2]
    assert "the runs differ in seed: 7, 9" in [text for _, _, text in state.log]
    compared.close()


def test_samples_are_read_from_the_run_that_has_them(runs):
    compared = Comparison(runs)
    compared.finish()
    assert compared.samples.of(0) == []
    newest = compared.samples.of(3)[-1]
    sample, alone = compared.event(newest.row), Follower(runs[1])
    alone.finish()
    assert sample == alone.event(alone.samples.of(1)[-1].row)
    assert compared.samples.at(3, newest.step) == newest
    assert compared.event(0) is None
    alone.close()
    compared.close()


def test_a_race_that_runs_is_followed_with_its_forks_and_rewinds(tmp_path):
    over = make_run(tmp_path, ("steady",))
    live = make_run(tmp_path, ("steady", "diverges"), done=60, over=False, live=True)
    compared = Comparison([over, live])
    compared.catch_up()
    assert [lane.status for lane in compared.state.lanes] == ["finished", "running", "running"]
    child = make_race(("paints",)).lanes[0]
    say(live, LaneAdded(lane=2, child=child, parent=1, step=60), started(2))
    say(live, block(2, "steady", 60, 80), Rewound(lane=0, step=40, why="rewound"))
    compared.poll(5.0)
    fork = compared.state.lanes[3]
    assert (fork.lane.letter, fork.parent, fork.steps) == ("2A", 2, 80)
    assert compared.own_lane(3) == (1, child)
    assert compared.state.lanes[1].steps == 40
    assert compared.state.lanes[0].steps == 200
    compared.close()


def test_a_supervisor_that_died_ends_the_lanes_of_its_run_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(follower, "LOOK_S", -1.0)
    live = make_run(tmp_path, ("steady",), done=60, over=False, live=True)
    dead = make_run(tmp_path, ("steady",), done=60, over=False)
    gone(dead, SUPERVISOR_ROLE)
    compared = Comparison([live, dead])
    compared.finish()
    lanes = compared.state.lanes
    assert [lane.status for lane in lanes] == ["running", "interrupted"]
    assert lanes[1].lifecycle.end_presumed
    assert compared.trouble.startswith("2: the supervisor died")
    say(dead, Ended(lane=0, step=60, reason="stopped"))
    compared.poll(5.0)
    assert lanes[1].status == "stopped"
    compared.close()


def test_commands_are_refused_in_words(runs):
    compared = Comparison(runs)
    with pytest.raises(LrtuiError, match="lrtui watch RUN"):
        compared.send([Pause(lane=0)])
    compared.close()


def test_what_cannot_be_compared_is_refused(runs, tmp_path):
    for few in ([], runs[:1], runs * 4):
        with pytest.raises(RunError) as refused:
            Comparison(few)
        assert refused.value.hint == "expected 2 to 6 runs"
    with pytest.raises(RunError, match="named twice"):
        Comparison([runs[0], runs[0]])
    script = create_run(tmp_path, make_script_race())
    with pytest.raises(RunError, match="a task and a script"):
        Comparison([runs[0], script])


def test_lanes_of_another_budget_have_the_length_of_their_run(tmp_path):
    runs = [make_run(tmp_path, ("steady",)), make_run(tmp_path, ("steady",), epochs=20)]
    compared = Comparison(runs)
    compared.finish()
    first, second = compared.state.lanes
    assert first.lane.length is None
    assert (second.lane.length.steps, second.lane.length.epochs) == (second.total_steps, 20)
    assert compared.state.race.lanes[1] == second.lane
    compared.close()
