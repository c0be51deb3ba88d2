"""Actions that send commands: dial, pause, fork, rewind, stop, resume. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lrtui.client.commands import CommandClient, lengthenable
from lrtui.client.follower import Follower
from lrtui.client.launcher import restart_supervisor
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import AnyCommand, Rewind, Stop
from lrtui.core.protocol.script_refusals import run_again
from lrtui.core.results.race_words import command_line, lane_rate
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.user_code_files import user_code_files
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.screens import command_forms
from lrtui.tui.screens.forms import Choice, Form
from lrtui.tui.screens.ui import Ui
from lrtui.tui.view import RaceView

MOST_SHOWN = 600
"""Characters of a command line and its folder that a dialog can show on 80 x 24 cells."""
USER_CODE_S = 5.0
"""Seconds for which a restart names the user code that it runs."""


class LaneActions:
    """Builds commands for the lanes that the user means, and sends them."""

    def __init__(self, follower: Follower, view: RaceView, commands: CommandClient, ui: Ui) -> None:
        self._follower, self._state = follower, follower.state
        self._view = view
        self._commands = commands
        self._ui = ui
        self.all_lanes = False
        """True while the dial, pause and stop address all living lanes."""

    def _selected(self) -> SeedGroup:
        """The selected lane, or the seeds of the selected group; LrtuiError if the filter hides
        every lane: a command must not go to an invisible one."""
        if not self._view.shown:
            raise LrtuiError(f"no lane is shown: {self._view.keymap.read('view.back')} shows all")
        return self._view.groups[self._view.selected]

    def _targets(self, everyone: bool = False) -> list[LaneState]:
        return self._commands.targets(self._selected(), everyone=everyone or self.all_lanes)

    def _of(self, lanes: Sequence[LaneState]) -> SeedGroup | None:
        """The selected group if lanes are of it alone: then a question is about its seeds."""
        group = self._selected()
        return group if all(lane in group.lanes for lane in lanes) else None

    def toggle_all_lanes(self) -> None:
        """Address all living lanes, or the selected one again."""
        self.all_lanes = not self.all_lanes

    def scale(self, decades: float) -> None:
        """Turn the dial by decades."""
        self.send(self._commands.scale(self._targets(), 10.0**decades))

    def follow_schedule(self) -> None:
        """Return to the rate of the schedule."""
        self.send(self._commands.follow_schedule(self._targets()))

    def undo(self, everyone: bool = False) -> None:
        """Undo the last turn of the dial."""
        self.send(self._commands.undo(self._targets(everyone)))

    def toggle_pause(self, everyone: bool = False) -> None:
        """Pause the targets, or resume them if all are paused."""
        self.send(self._commands.toggle_pause(self._targets(everyone)))

    def set_rate(self) -> None:
        """Ask for the rate of the targets."""
        lanes = self._targets()
        self._ask(command_forms.new_rate(lanes, self._of(lanes), self._view))

    def fork(self) -> None:
        """Ask for a fork of the selected lane, or of each of its seeds."""
        self._commands.allow("fork")
        self._ask(command_forms.fork(self._state, self._selected()))

    def rewind(self) -> None:
        """Ask for a snapshot to rewind the selected lane to."""
        self._commands.allow("rewind")
        self._ask(command_forms.rewind(self._selected()))

    def edit(self) -> None:
        """Ask for changes to the selected lane; the result is a fork."""
        self._commands.allow("fork")
        self._ask(command_forms.edit(self._state, self._selected(), self._view.keymap))

    def lengthen(self) -> None:
        """Ask for how much longer the selected lane, or its seeds, are to train, ended or not; in
        the mode for all lanes every one that can."""
        self._commands.allow("more")
        selected = self._selected()
        lanes = lengthenable(self._state.lanes if self.all_lanes else selected.lanes)
        self._ask(command_forms.lengthen(self._state, lanes, self._of(lanes)))

    def add(self) -> None:
        """Ask for a new lane, like the selected one to begin with."""
        self._commands.allow("add")
        self._ask(command_forms.add(self._state, self._selected()))

    def cull(self) -> None:
        """Ask for the number of lanes that continue; pause the others."""
        self._selected()
        self._ask(command_forms.cull(self._state, self._view.keymap))

    def restart(self) -> None:
        """Restart the selected lane from its initial weights, or run a script again as a new lane,
        after a confirmation."""
        group = self._selected()
        if group.first.is_script:
            self._run_again(group)
            return
        self._confirm(
            f"Restart {_together(group.lanes, group)} from {_its(group)} initial weights?",
            f"restart {_them(group.lanes)}",
            lambda: [Rewind(lane=lane.index, to=0) for lane in group.lanes],
        )

    def _run_again(self, group: SeedGroup) -> None:
        """Run a lane's script again, after showing its command line: all of it, or not at all; of
        seeds that of each."""
        self._commands.allow("run again")
        race, lane = self._state.race, group.first
        commands = [run_again(race, each.lane) for each in group.lanes]
        line = command_line(race, lane.lane)
        new = f"the new lane {commands[0].child.called}"
        if len(commands) > 1:
            new = f"{len(commands)} new lanes, one of each seed"
        if len(line) + len(race.folder) > MOST_SHOWN:
            raise LrtuiError("its command line is too long to be shown here: use `lrtui race`")
        rate = "" if not lane.lane.lr else f"\n  at the rate {lane_rate(lane)}"
        self._confirm(
            f"Run the script of {group.called} again, from the start, as {new}?"
            f"\n  in {one_line(race.folder)}\n  {line}{rate}",
            "run it",
            lambda: commands,
        )

    def stop(self) -> None:
        """End the targets that were not told to stop, after a confirmation; if all were, end their
        scripts by force."""
        lanes = self._targets()
        if fresh := self._not_stopping(lanes):
            question = f"Stop {_together(fresh, self._of(fresh))} for good?"
            self._confirm(question, f"stop {_them(fresh)}", lambda: _stops(fresh))
            return
        self._commands.allow("force")
        signalled = all(self._commands.stopping(lane) == "signal" for lane in lanes)
        question, yes = (
            (f"sent SIGTERM, still ending. Kill {_them(lanes)}?", f"kill {_them(lanes)} (SIGKILL)")
            if signalled
            else ("still ending; SIGTERM comes 10 s after that. Send it now?", "send SIGTERM")
        )
        who = _together(lanes, self._of(lanes))
        self._confirm(
            f"{who[0].upper()}{who[1:]}: told to stop, {question}", yes, lambda: _stops(lanes)
        )

    def _not_stopping(self, lanes: Sequence[LaneState]) -> list[LaneState]:
        return [lane for lane in lanes if not self._commands.stopping(lane)]

    def leave(self) -> None:
        """Quit; ask what becomes of living lanes."""
        if self._state.over:
            self._ui.leave()
            return
        state = "still running" if self._state.training else "paused"
        answers = {
            "l": ("leave", "leave it running (lrtui watch shows it again)"),
            "s": ("stop", "stop it"),
            "b": ("back", "back"),
        }
        self._ui.ask(Choice(f"The race is {state}.", answers), self._on_leave)

    def _on_leave(self, answer: str | None) -> None:
        if answer == "leave":
            self._ui.leave()
        elif answer == "stop":
            # the standings that stay in the terminal are those after the stop
            self._ui.leave(when_over=True)
            living = [lane for lane in self._state.lanes if not lane.over]
            self.send(_stops(self._not_stopping(living)))

    def resume(self) -> None:
        """Start a new supervisor for a race that has none."""
        self._commands.allow("resume")
        if not self._follower.supervisor_gone:
            raise LrtuiError("the race has its supervisor: there is nothing to resume")
        if not self._follower.resumable():
            raise LrtuiError(
                f"every lane has ended: {self._view.keymap.restart_words(self._state.race)}"
            )
        if not self._commands.restarting:
            self._start_supervisor()

    def send(self, commands: Sequence[AnyCommand]) -> None:
        """Send commands; start a supervisor for them if none runs."""
        self._commands.send(commands)
        if commands:
            self.supervise()
            self._ui.watch_for_reply()

    def supervise(self) -> None:
        """Start a supervisor if pending commands need one."""
        if self._commands.needs_supervisor:
            self._start_supervisor()

    def trouble(self) -> str:
        """The problem with the run and its remedy, for the header; '' if there is none."""
        if self._commands.restarting:
            return "a new supervisor is starting ..."
        trouble = self._follower.trouble
        if self._state.over and (left := self._follower.resumable()):
            trouble = trouble or f"{len(left)} of {len(self._state.lanes)} interrupted"
            return f"{trouble} · {self._view.keymap.read('race.resume')} resumes"
        return trouble

    def _ask(self, form: Form) -> None:
        self._ui.ask(form, lambda commands: self.send(commands or []))

    def _confirm(
        self, question: str, yes: str, commands: Callable[[], Sequence[AnyCommand]]
    ) -> None:
        answers = {"y": ("yes", yes), "n": ("no", "let it be")}
        self._ui.ask(
            Choice(question, answers),
            lambda answer: self.send(commands()) if answer == "yes" else None,
        )

    def _start_supervisor(self) -> None:
        """Start a supervisor for this run, and name the user code that it runs."""
        self._commands.restarting = True
        for file in user_code_files(self._state.race):
            self._ui.show(f"runs the code of {file}", USER_CODE_S)
        self._ui.in_thread(self._launch, self._on_launched)

    def _launch(self) -> str:
        """Start the supervisor; return the reason if it fails. Runs in a thread."""
        try:
            restart_supervisor(self._follower.run)
        except LrtuiError as error:
            return error.message
        return ""

    def _on_launched(self, trouble: str) -> None:
        self._commands.on_restarted(trouble)
        if trouble:
            raise LrtuiError(f"not resumed: {trouble}")


def _stops(lanes: Sequence[LaneState]) -> list[Stop]:
    return [Stop(lane=lane.index) for lane in lanes]


def _together(lanes: Sequence[LaneState], group: SeedGroup | None) -> str:
    """Some lanes in words; `group`: the one whose seeds they are, if they are of one."""
    if len(lanes) == 1:
        return f"lane {lanes[0].lane.called}"
    return f"the {len(lanes)} seeds of {group.called}" if group else f"all {len(lanes)} lanes"


def _its(group: SeedGroup) -> str:
    return "its" if len(group.lanes) == 1 else "their"


def _them(lanes: Sequence[LaneState]) -> str:
    return "it" if len(lanes) == 1 else "them"
