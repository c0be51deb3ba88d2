"""Ends of scripts, as the record tells their reasons."""

import pytest

from lrtui.core.protocol.command_result import done, refused
from lrtui.core.protocol.commands import Stop
from lrtui.integrations.supervisor.ends import ScriptEnds
from lrtui.integrations.supervisor.environment import Places
from lrtui.integrations.supervisor.pool import ScriptPool
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run
from support.scripts import script_race
from support.waiting import until


@pytest.mark.parametrize(
    ("for_good", "result", "end"),
    [
        (True, done("stopping"), "stopped"),
        (False, done("stopping"), "interrupted"),
        (True, refused("not now"), "error"),
    ],
)
def test_a_stop_counts_that_only_the_script_has_seen(tmp_path, for_good, result, end):
    """It executed the command and ended before the supervisor looked at commands."""
    (tmp_path / "fails.py").write_text("raise SystemExit(1)\n")
    race = script_race(tmp_path / "fails.py")
    run = create_run(tmp_path / "runs", race)
    writer = Writer(run, SUPERVISOR_ROLE)
    pool = ScriptPool(writer, race, Places(1, [], 1))
    pool.start()
    [gone] = until(pool.exits, "the script to end")
    writer.acknowledge([(writer.send(Stop(0, for_good=for_good)), result)])
    assert ScriptEnds(writer, pool).recover(gone, interrupted=False)
    assert lane_summaries(run)[0].end == end
