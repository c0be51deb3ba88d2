"""The kills, many times over: `python tests/faults/long.py --rounds 20`; `--seed S --first N
--rounds 1` repeats round N.

A round is a race of four lanes. Trainers are killed at random moments, viewers too; then its
supervisor is killed or told to end, some newest snapshots are damaged, the race is resumed, perhaps
more than once, and runs to its end. After each round the database is checked, every lane is
compared bit for bit with one that nothing happened to, and nobody may be left.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import LANES, SEED, Contest, Front, Record, alive, crash, ended, kill
from lrtui.core.protocol.events import Alerted, Rewound
from lrtui.store import snapshots
from support.waiting import until

MISHAPS = ("kill -9", "kill -9", "segmentation fault", "exit", "viewer")
ENDS = ("supervisor killed", "supervisor told", "all told")
AIMS = {
    "unrecorded before a trainer's kill": 0.1,
    "trainer killed: its lane records again": None,
    "supervisor killed: the last trainer has ended": 5.0,
    "supervisor killed: a viewer knows": 2.0,
    "supervisor told to end: all have ended": 10.0,
    "all told to end: all have ended": 10.0,
    "resume: until a lane records again": None,
}


class Round:
    """One race and what happens to it."""

    def __init__(
        self, number: int, seed: int, figures: dict[str, list[float]], counts: dict[str, int]
    ) -> None:
        self._luck = random.Random(f"{seed} {number}")
        self._figures, self._counts = figures, counts
        self._folder = Path(tempfile.mkdtemp(prefix="lrtui-faults-"))

    def run(self) -> None:
        luck, trainers = self._luck, self._luck.randint(1, LANES)
        with Contest.start(
            self._folder, trainers=trainers, epochs=luck.randint(120, 240)
        ) as contest:
            contest.goes_on()
            for mishap in luck.sample(MISHAPS, luck.randint(1, 3)):
                contest.goes_on(luck.randrange(LANES), by=luck.randint(1, 40))
                if contest.trainers():
                    self._happens(contest, mishap)
            for end in luck.sample(ENDS, luck.randint(1, 2)):
                contest.goes_on(luck.randrange(LANES), by=luck.randint(1, 60))
                if contest.look().follower.state.over:
                    break
                self._ends(contest, end)
                self._resumes(contest)
            contest.sees_the_end().assert_whole()
        shutil.rmtree(self._folder)

    def _happens(self, contest: Contest, mishap: str) -> None:
        self._counts[mishap] += 1
        if mishap == "viewer":
            with Front(
                "watch", contest.run.name, "--json", runs=contest.run.parent, within=self._folder
            ) as viewer:
                viewer.says('"event": "race"')
                viewer.process.send_signal(
                    self._luck.choice([signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
                )
                viewer.leaves()
            return
        before = contest.trainers()
        lost = len(told(contest, Alerted, "lost"))
        if mishap == "kill -9":
            victim = self._luck.choice(list(before.values()))
            at = kill(victim)
        else:
            crash(self._folder, mishap.split()[0].replace("segmentation", "segfault"))
            victim = until(
                lambda: next((one for one in before.values() if not alive(one)), None), "a crash"
            )
            at = time.time()
        ended(victim)
        record = Record(contest.run)
        contest.sees(
            lambda: len(told(contest, Alerted, "lost")) > lost or contest.follower.state.over,
            "a restart",
        )
        gone = {event.lane for event in told(contest, Alerted, "lost")[lost:]}
        self._counts["restarts"] += len(gone)
        for lane in gone:
            if mishap == "kill -9":  # of a crash we do not know the moment
                self._figures["unrecorded before a trainer's kill"].append(
                    at - record.recorded(lane)
                )
            contest.sees(
                lambda lane=lane: recorded_since(contest, lane, at), f"lane {lane} to go on"
            )
            again = min(
                block.at for block in Record(contest.run).lanes[lane].blocks if block.at > at
            )
            self._figures["trainer killed: its lane records again"].append(again - at)

    def _ends(self, contest: Contest, end: str) -> None:
        self._counts[end] += 1
        at = time.time()
        if end == "all told":
            for process in contest.at_work():
                process.send_signal(signal.SIGTERM)
        else:
            numbers = {
                "supervisor killed": [signal.SIGKILL],
                "supervisor told": [signal.SIGTERM, signal.SIGINT],
            }[end]
            at = kill(contest.supervisor(), self._luck.choice(numbers))
        said = 0.0
        while contest.at_work():
            (
                contest.sees_nobody(20.0)
                if said
                else contest.sees(
                    lambda: (
                        contest.follower.state.over
                        or contest.follower.trouble
                        or not contest.at_work()
                    ),
                    "a word",
                    20.0,
                )
            )
            said = said or time.time() - at
        took = time.time() - at
        if end == "supervisor killed":
            self._figures["supervisor killed: a viewer knows"].append(said)
        names = {
            "supervisor killed": "supervisor killed: the last trainer has ended",
            "supervisor told": "supervisor told to end: all have ended",
        }
        self._figures[names.get(end, "all told to end: all have ended")].append(took)
        record = contest.sees_the_end()
        assert set(record.ends) <= {"interrupted", "finished"}, record.ends
        record.assert_undisturbed()
        for index, lane in enumerate(record.lanes):
            if record.ends[index] == "interrupted":
                kept = {kept.step for kept in snapshots.listing(contest.run, "ABCD"[index])}
                assert len(lane.columns["loss"]) in kept, "no snapshot of the last step"

    def _resumes(self, contest: Contest) -> None:
        for letter in self._luck.sample("ABCD", self._luck.randint(0, 2)):
            damage(snapshots.listing(contest.run, letter)[-1].path, self._luck)
            self._counts["snapshots damaged"] += 1
        before, at = len(told(contest, Rewound, "resumed")), time.time()
        unfinished = sum(reason == "interrupted" for reason in Record(contest.run).ends)
        if not unfinished:
            return
        contest.resume()
        self._counts["resumes"] += 1
        contest.sees(
            lambda: len(told(contest, Rewound, "resumed")) >= before + unfinished,
            "all lanes to be taken up",
        )
        contest.sees(
            lambda: any(recorded_since(contest, lane, at) for lane in range(LANES)), "steps"
        )
        self._figures["resume: until a lane records again"].append(time.time() - at)


def told(contest: Contest, kind: type, which: str) -> list:
    """The events of a kind and of a reason, so far."""
    return [
        event
        for event in contest.look().told
        if isinstance(event, kind)
        and which in (getattr(event, "kind", ""), getattr(event, "why", ""))
    ]


def recorded_since(contest: Contest, lane: int, at: float) -> bool:
    """Whether a lane has recorded a block of steps, or its end, since then."""
    return Record(contest.run).recorded(lane) > at or contest.look().follower.state.lanes[lane].over


def damage(path: Path, luck: random.Random) -> None:
    """One bit of a snapshot's content is another."""
    content = bytearray(path.read_bytes())
    content[luck.randrange(len(content) // 2, len(content))] ^= 1 << luck.randrange(8)
    path.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    figures, counts, failed = defaultdict(list), defaultdict(int), 0
    for number in range(asked.first, asked.first + asked.rounds):
        began = time.monotonic()
        try:
            Round(number, asked.seed, figures, counts).run()
            said = "as if nothing had happened"
        except BaseException as error:  # pytest.fail is one
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            traceback.print_exc(limit=-6)
            said = "FAILED"
        print(f"round {number}: {said}, {time.monotonic() - began:.0f} s", flush=True)
    print(
        f"{asked.rounds} rounds, {failed} failed; "
        + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    )
    print(f"{'seconds':45} {'median':>8} {'worst':>8} {'aim':>6} {'times':>6}")
    for name, aim in AIMS.items():
        if took := figures[name]:
            print(
                f"{name:45} {statistics.median(took):8.2f} {max(took):8.2f} {aim or '-':>6}"
                f" {len(took):6}"
            )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
