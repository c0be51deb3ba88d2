"""Starts supervisors and speaks with them until their race runs. Never imports torch: a supervisor
is started as a command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from lrtui.client.script_again import again
from lrtui.core.errors import LaunchError, LrtuiError, RunError, ScenarioError
from lrtui.core.protocol.launch_protocol import (
    TRAINERS,
    HookCommands,
    LaunchReply,
    LaunchRequest,
    Preview,
)
from lrtui.core.protocol.script_refusals import refusal
from lrtui.core.scenario import environment
from lrtui.core.scenario.spec import Race
from lrtui.core.text import literal
from lrtui.store.lane_summary import joined_race
from lrtui.store.reader import Reader

TRAINERS_PACKAGE, SCRIPTS_PACKAGE = "lrtui.training", "lrtui.integrations"
"""Packages that run a supervisor as a command."""
SNAPSHOTS_SINCE = 2
"""The schema version from which on runs have snapshots."""


def resumable(run: Path) -> Race:
    """The race of a resumable run, with all lanes that ever joined; RunError where
    it may not, or is one of scripts."""
    race = _deserted(run)
    if race.script is not None:
        raise RunError(
            f"{run.name}: {refusal(race, 'resume')}", f"start it again with: {again(run, race)}"
        )
    return race


def _deserted(run: Path) -> Race:
    """The race of a run that a new supervisor may take over, with all lanes that ever joined;
    RunError where none may."""
    reader = Reader(run)
    try:
        if reader.alive():
            raise RunError(f"{run.name} is still running", f"see it with `lrtui watch {run.name}`")
        if not reader.supervised:
            raise RunError(
                f"{run.name}: lrtui did not start this script",
                f"start it again with: {again(run, reader.race)}",
            )
        if reader.version < SNAPSHOTS_SINCE:
            raise RunError(
                f"{run.name} was recorded by a version of lrtui that kept no snapshots",
                "start a new race",
            )
        return joined_race(run)
    finally:
        reader.close()


def restart_supervisor(run: Path) -> None:
    """Start a new supervisor that resumes a run and executes its waiting commands, and wait until
    it runs. Works from any thread; LrtuiError if it cannot start."""
    launcher = Launcher()
    try:
        launcher.resume(run)
    except BaseException:
        launcher.close()
        raise


def _package(race: Race) -> str:
    return TRAINERS_PACKAGE if race.script is None else SCRIPTS_PACKAGE


class Launcher:
    """A supervisor that is warming up: answers previews, starts one race. Calls from several
    threads wait for each other."""

    def __init__(self, race: Race | None = None) -> None:
        """`race`: the one to be started, if it is known: that of a script needs no torch."""
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the supervisor does
        self._package = TRAINERS_PACKAGE if race is None else _package(race)
        self._process = self._warm_up()

    def _warm_up(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", self._package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    def _fit(self, race: Race) -> None:
        """Replace a supervisor that was warmed up for races of the other kind."""
        if _package(race) != self._package:
            self.close()
            self._package = _package(race)
            self._process = self._warm_up()

    def preview(
        self, race: Race, steps_per_epoch: int | None = None, run_user_code: bool = False
    ) -> list[Preview]:
        """The rates that each lane will apply; LrtuiError if torch refuses a lane.

        With `steps_per_epoch` no task is run to measure it; with `run_user_code` the user's own
        schedules are run.
        """
        return self._ask(
            LaunchRequest(
                "preview", race, steps_per_epoch=steps_per_epoch, run_user_code=run_user_code
            )
        ).previews

    def environments(self, race: Race, runs: Path) -> list[dict[str, str]]:
        """The environment variables that lrtui would set for the script of each lane; LrtuiError if
        a script cannot be started."""
        return self._ask(LaunchRequest("preview", race, str(runs.absolute()))).environments

    def start(
        self,
        race: Race,
        runs: Path,
        trainers: int = TRAINERS,
        hooks: HookCommands = HookCommands(),  # noqa: B008  # immutable
    ) -> Path:
        """Starts the race and returns its run directory; nothing is written if it cannot start.

        The supervisor runs on its own from then on.
        """
        reply = self._ask(LaunchRequest("start", race, str(runs.absolute()), trainers, hooks))
        self._let_go()
        return Path(reply.run)

    def resume(
        self,
        run: Path,
        trainers: int = TRAINERS,
        hooks: HookCommands = HookCommands(),  # noqa: B008  # immutable
    ) -> Path:
        """Resumes a run whose supervisor is gone: lanes cut off or interrupted continue from their
        last snapshots, waiting commands (a rewind, a fork) are executed; of scripts, which cannot
        continue, only the commands are. Returns the run. RunError if it has a supervisor, or no
        snapshots."""
        race = _deserted(run)
        self._ask(
            LaunchRequest("resume", race, str(run.parent), trainers, hooks, run=str(run.absolute()))
        )
        self._let_go()
        return run

    def interrupt(self) -> None:
        """Ends the supervisor: callers that wait for its reply get a LaunchError, and lanes that
        race already are interrupted, which is recorded. May be called from a signal handler."""
        self._process.terminate()

    def close(self) -> None:
        """Ends a supervisor that has started nothing, at once; callers that wait for its reply are
        released."""
        self.interrupt()
        self._let_go()

    def _let_go(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                # a request that the supervisor did not live to read is flushed in vain
                with suppress(OSError):
                    pipe.close()
        # so that no zombie is left
        threading.Thread(target=self._process.wait, daemon=True).start()

    def _ask(self, request: LaunchRequest) -> LaunchReply:
        request = msgspec.structs.replace(request, race=environment.recorded(request.race))
        with self._lock:
            self._fit(request.race)
            assert self._process.stdin
            assert self._process.stdout
            try:
                self._process.stdin.write(msgspec.json.encode(request) + b"\n")
                self._process.stdin.flush()
                # a sitecustomize may have printed before
                line = next((one for one in self._process.stdout if one.startswith(b"{")), b"")
            except (OSError, ValueError):
                line = b""
        if not line:
            raise LaunchError("the supervisor did not start", self._last_words())
        answer = msgspec.json.decode(line, type=LaunchReply)
        if answer.error:
            raise (ScenarioError if request.kind != "preview" else LrtuiError)(
                answer.error, answer.hint
            )
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = literal(self._errors.read().decode("utf-8", "replace")).strip().splitlines()
        return lines[-1] if lines else "it said nothing"
