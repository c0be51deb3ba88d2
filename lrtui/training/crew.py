"""The crew: starts a run's trainers, watches over them and outlives every screen. Imports no torch itself.

Whoever starts it (lrtui/launch.py) talks to it in lines of JSON: previews and, once, a race to start. From then on
it is on its own: its only channel is the run's database.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.commands import Stop
from lrtui.core.crewtalk import Answer, Preview, Request
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.events import Alerted, Ended, Noted
from lrtui.core.spec import Race
from lrtui.core.text import literal
from lrtui.store.rundir import CREW_LOG, DATABASE
from lrtui.store.writer import Writer, create_run, row
from lrtui.training.alerts import Announcer

PRELOAD = ["torch", "torch._dynamo", "lrtui.training.trainer", "lrtui.training.scout"]
"""What the forkserver imports once, so that each process forked from it starts in milliseconds."""
BEAT_S = 1.0
TAIL_BYTES = 4000

_context = multiprocessing.get_context("forkserver")


class Scout:
    """The process that answers questions about races (training/scout.py), seen from here."""

    def __init__(self) -> None:
        self._here, there = _context.Pipe()
        self._process = _context.Process(target=_scout, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def ask(self, request: Request) -> Answer:
        """The answer; LrtuiError where the scout died over it."""
        try:
            self._here.send_bytes(msgspec.msgpack.encode(request))
            return msgspec.msgpack.decode(self._here.recv_bytes(), type=Answer)
        except (EOFError, OSError) as error:
            raise LrtuiError("torch could not be loaded, or the check of the race crashed",
                             "try `python -c 'import torch'`") from error

    def close(self) -> None:
        """Ends the process."""
        self._here.close()
        self._process.join(1.0)


def main() -> None:
    """Answers requests until one starts a race; then sees it through. Ends when whoever asked is gone before that."""
    _context.set_forkserver_preload(PRELOAD)
    requests, replies = _private_pipes()
    forkserver.ensure_running()
    scout = Scout()
    for line in requests:
        request = msgspec.json.decode(line, type=Request)
        try:
            answer = scout.ask(request)
            started = _begin(request, answer) if request.kind == "start" and not answer.error else None
            answer = msgspec.structs.replace(answer, run=started.run if started else "")
        except LrtuiError as error:
            started, answer = None, Answer(error=error.message, hint=error.hint)
        replies.write(msgspec.json.encode(answer) + b"\n")
        replies.flush()
        if started:
            requests.close()
            replies.close()
            scout.close()
            started.see_through()
            return


def _private_pipes() -> tuple[Any, Any]:
    """Standard input and output under other numbers, so that nothing a library prints gets between the lines."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return requests, replies


class Crew:
    """A race that has been started: its trainers, and the record of what becomes of them."""

    def __init__(self, run: Path, race: Race, devices: Sequence[str], trainers: int, on_alert: str = "") -> None:
        self.run = str(run)
        self._writer = Writer(run, "crew")
        self._announcer = Announcer(on_alert, race, self._writer)
        self._race = race
        count = min(trainers, len(race.lanes))
        self._shares = [[(index, devices[index]) for index in range(number, len(race.lanes), count)] for number in range(count)]
        self._stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._beat()
        threads = max(1, _cores() // count)  # together they do not exceed the cores
        self._trainers = {number: _context.Process(target=_trainer, args=(self.run, number, race, share, threads), daemon=False)
                          for number, share in enumerate(self._shares)}
        for process in self._trainers.values():
            process.start()

    def note(self, previews: Sequence[Preview]) -> None:
        """Writes what is to be said of the lanes' schedules into the run's log, where it can be written."""
        notes = [row(Noted(lane=index, at=time.time(), text=text))
                 for index, preview in enumerate(previews) for text in preview.warnings]
        try:
            if notes:
                self._writer.append(notes)
        except StoreUnavailable as error:
            print(error.message, file=sys.stderr, flush=True)

    def see_through(self) -> None:
        """Beats once a second and records the end of every trainer, until none is left."""
        stopping = False
        while self._trainers:
            # one that is dead already, its end not yet recorded (a full disk), must not make this a busy loop
            connection.wait([process.sentinel for process in self._trainers.values() if process.exitcode is None], BEAT_S)
            self._beat()
            for number, process in list(self._trainers.items()):
                if process.exitcode is not None and (self._recorded_end(number, process.exitcode) or self._gone()):
                    del self._trainers[number]
            self._announcer.look()
            if self._stop and not stopping:
                stopping = self._tell_all_to_stop()
        self._announce_the_rest()
        self._writer.close()

    def _announce_the_rest(self) -> None:
        """Sees the commands of the last alerts through, unless the crew is told to end."""
        self._announcer.look()
        while self._announcer.busy and not self._stop and not self._gone():
            time.sleep(BEAT_S / 10)
            self._announcer.look()
        self._announcer.give_up()

    def _gone(self) -> bool:
        """Whether the run's folder was deleted: then there is no record left to end."""
        return not (Path(self.run) / DATABASE).exists()

    def _asked_to_stop(self, *_: object) -> None:
        self._stop = True

    def _tell_all_to_stop(self) -> bool:
        try:
            for index in range(len(self._race.lanes)):
                self._writer.send(Stop(lane=index))
            return True
        except StoreUnavailable:
            return False

    def _beat(self) -> None:
        try:
            self._writer.beat()
        except StoreUnavailable as error:
            print(f"{time.strftime('%H:%M:%S')} {error.message}", file=sys.stderr, flush=True)

    def _recorded_end(self, number: int, exitcode: int) -> bool:
        """Ends the lanes that a trainer left behind; False where that cannot be written just now."""
        said = f"killed by {signal.Signals(-exitcode).name}" if exitcode < 0 else f"ended with exit code {exitcode}"
        try:
            ended = self._writer.ended()
            left = {index: self._writer.reached(index) for index, _ in self._shares[number] if index not in ended}
            tail = _tail(Path(self.run) / f"trainer-{number}.log") if left else ""
            now = time.time()
            rows = [row(event) for index, step in left.items() for event in (
                Alerted(lane=index, at=now, step=step, kind="error", text=f"its process was lost: {said}"),
                Ended(lane=index, at=now, step=step, reason="died", error=f"trainer {number} {said}\n{tail}"))]
            if rows:
                self._writer.append(rows)
            return True
        except StoreUnavailable:
            return False


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(request: Request, answer: Answer) -> Crew:
    run = create_run(Path(request.runs), request.race)
    log = os.open(run / CREW_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    crew = Crew(run, request.race, answer.devices, request.trainers, request.on_alert)
    crew.note(answer.previews)
    return crew


def _tail(log: Path) -> str:
    """The last lines of a trainer's output, fit to be shown."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return literal(file.read().decode("utf-8", "replace")).strip()
    except OSError:
        return ""


def _scout(pipe: Any) -> None:
    from lrtui.training.scout import serve
    serve(pipe)


def _trainer(*args: Any) -> None:
    from lrtui.training.trainer import run
    run(*args)
