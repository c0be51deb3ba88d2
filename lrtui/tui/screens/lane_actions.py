"""The keys of the race screen that say something to lanes: the dial, pause, fork, rewind, stop,
resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import work

from lrtui.client.commands import CommandClient
from lrtui.client.launcher import restart_supervisor
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import AnyCommand, Rewind, Stop
from lrtui.core.scenario.user_code_files import user_code_files
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui import keys
from lrtui.tui.screens import command_forms
from lrtui.tui.screens.dialogs import ChoiceDialog, FormDialog
from lrtui.tui.screens.watching import STRANDED_EVERY, Watching

COMMANDS: dict[str, Callable[[CommandClient, Sequence[LaneState]], list[AnyCommand]]] = {
    "schedule": CommandClient.follow_schedule,
    "undo": CommandClient.undo,
    "pause": CommandClient.toggle_pause,
}
"""Commands that need no form, by the argument of `hand` in the key table."""


class HandKeys(Watching):
    """Turns keys into commands."""

    def _targets(self, everyone: bool = False) -> list[LaneState]:
        return self.commands.targets(self.meant, everyone=everyone or self.all_lanes)

    @property
    def meant(self) -> LaneState:
        """The chosen lane; LrtuiError where the filter hides every lane: nothing is said to one
        that nobody sees."""
        if not self.view.shown:
            raise LrtuiError(f"no lane is shown: {keys.read('view.back')} shows all")
        return self.selected

    def tick(self) -> None:
        """Also gets a new supervisor where something that was asked for waits for one."""
        super().tick()
        if self._each(STRANDED_EVERY) and self.commands.needs_supervisor:
            self.revive()

    def action_dial(self, decades: float) -> None:
        """Multiplies the rate by so many decades."""
        self.do(lambda: self.commands.scale(self._targets(), 10.0**decades))

    def action_hand(self, what: str, everyone: bool = False) -> None:
        """Something that needs no question, to the lanes that are meant, or to all."""
        self.do(lambda: COMMANDS[what](self.commands, self._targets(everyone)))

    def action_ask(self, what: str) -> None:
        """Shows a form about the chosen lane, and sends the commands that come of it."""
        self._ask(lambda: command_forms.FORMS[what](self.state, self.meant))

    def action_rate(self) -> None:
        """Asks for the rate of the lanes that are meant."""
        self._ask(lambda: command_forms.new_rate(self._targets()))

    def action_all_lanes(self) -> None:
        """Keys are about all living lanes, or about the chosen one again."""
        self.all_lanes = not self.all_lanes
        self.draw()

    def action_restart(self) -> None:
        """Back to the initial weights, if the person means it."""
        try:
            lane = self.meant
        except LrtuiError as error:
            return self.warn(error.message)
        return self._confirm(
            f"Restart lane {lane.lane.called} from its initial weights?",
            "restart it",
            lambda: [Rewind(lane=lane.index, to=0)],
        )

    def action_stop(self) -> None:
        """Ends the lanes that are meant, if the person means it."""
        try:
            lanes = self._targets()
        except LrtuiError as error:
            return self.warn(error.message)
        who = f"lane {lanes[0].lane.called}" if len(lanes) == 1 else f"all {len(lanes)} lanes"
        return self._confirm(
            f"Stop {who} for good?",
            f"stop {'it' if len(lanes) == 1 else 'them'}",
            lambda: [Stop(lane=lane.index) for lane in lanes],
        )

    def action_resume(self) -> None:
        """A new supervisor for a race that has none."""
        if not self.follower.supervisor_gone:
            self.warn("the race has its supervisor: there is nothing to resume")
        elif not self.follower.resumable():
            self.warn(f"every lane has ended: {keys.restart_words()}")
        elif not self.commands.restarting:
            self.revive()

    def _ask(self, form: Callable[[], FormDialog]) -> None:
        try:
            self.app.push_screen(form(), lambda commands: self.do(lambda: commands or []))
        except LrtuiError as error:
            self.warn(error.message)

    def _confirm(
        self, question: str, yes: str, commands: Callable[[], Sequence[AnyCommand]]
    ) -> None:
        """Asks before it sends."""
        answers = {"y": ("yes", yes), "n": ("no", "let it be")}
        self.app.push_screen(
            ChoiceDialog(question, answers),
            lambda answer: self.do(commands) if answer == "yes" else None,
        )

    def do(self, commands: Callable[[], Sequence[AnyCommand]]) -> None:
        """Sends commands; what keeps them from being made or sent is said."""
        try:
            wanted = commands()
            self.commands.send(wanted)
        except LrtuiError as error:
            return self.warn(error.message)
        if not wanted:
            return None
        if self.commands.needs_supervisor:
            self.revive()
        self.watch_for_reply()
        return None

    @work(thread=True, group="crew")
    def _start_supervisor(self) -> None:
        trouble = ""
        try:
            restart_supervisor(self.follower.run)
        except LrtuiError as error:
            trouble = error.message
        self.app.call_from_thread(self._revived, trouble)

    def revive(self) -> None:
        """A new supervisor for this run, started beside the screen; what runs a person's own code
        is named."""
        self.commands.restarting = True
        for place in user_code_files(self.state.race):
            self.notify(one_line(f"runs the code of {place}"), markup=False, timeout=5)
        self._start_supervisor()

    def _revived(self, trouble: str) -> None:
        self.commands.on_restarted(trouble)
        if trouble:
            self.warn(f"not resumed: {trouble}")
        self.draw()
