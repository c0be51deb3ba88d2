"""The table of all keys: bindings, footer, help, palette and manual derive from it.

The user's own keys are in `keymap.py`, the signs of the help in `key_legend.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from lrtui.core.state.race_state import RaceState

QUARTER = 0.25
"""Decades by which a turn of the dial moves the rate."""


class Key(NamedTuple):
    """An action and its keys."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them."""
    shown: str
    """The keys as the help shows them; '' if the line of another key names these."""
    action: str
    """The action with its arguments, as Textual writes them."""
    help: str
    """The effect; names other keys by their ids in braces, see `Keymap.expand`."""
    footer: str = ""
    """A word or two for the footer; '': not in the footer."""
    palette: str = ""
    """The name in the palette, if `help` does not suit: it is empty, or names other keys."""

    @property
    def name(self) -> str:
        """The effect in words of its own."""
        return self.palette or self.help


# fmt: off
_RACE = (
    Key("lane.left", ("left", "h"), "←↓↑→ hjkl", "move(-1, 0)",
        "Choose the lane beside, below, above", "lane", palette="Choose the lane to the left"),
    Key("lane.down", ("down", "j"), "", "move(0, 1)", "", palette="Choose the lane below"),
    Key("lane.up", ("up", "k"), "", "move(0, -1)", "", palette="Choose the lane above"),
    Key("lane.right", ("right", "l"), "", "move(1, 0)", "", palette="Choose the lane to the right"),
    Key("lane.next", ("tab",), "Tab", "next(1)",
        "Choose the next lane; {lane.previous} the one before", palette="Choose the next lane"),
    Key("lane.previous", ("shift+tab",), "", "next(-1)", "", palette="Choose the lane before"),
    *(Key(f"lane.{digit}", (str(digit),), "1 … 9" if digit == 1 else "", f"choose({digit - 1})",
          "Choose a lane by its place" if digit == 1 else "", palette=f"Choose lane {digit}")
      for digit in range(1, 10)),
    Key("lane.enlarge", ("enter",), "Enter", "enlarge",
        "Enlarge the chosen lane, and back; open a row of seeds",
        "enlarge"),
    Key("view.back", ("escape",), "Esc", "back",
        "Back to all panes; again: no crosshair, seeds folded, then no filter"),
    Key("lane.hotter", ("plus",), "+ -", f"dial({QUARTER})",
        "Turn the dial: a quarter of a decade up or down", "rate",
        palette="Rate: a quarter of a decade up"),
    Key("lane.colder", ("minus",), "", f"dial({-QUARTER})", "",
        palette="Rate: a quarter of a decade down"),
    Key("lane.tenfold", ("greater_than_sign",), "> <", "dial(1)",
        "The rate ten times as high, or a tenth", palette="Rate: ten times as high"),
    Key("lane.tenth", ("less_than_sign",), "", "dial(-1)", "", palette="Rate: a tenth"),
    Key("lane.rate", ("equals_sign",), "=", "rate", "Type the rate of the next step"),
    Key("lane.schedule", ("0",), "0", "schedule",
        "Back to the rate that the schedule says"),
    Key("lane.undo", ("u",), "u", "undo", "Undo the last turn of the dial"),
    Key("race.undo", ("U",), "U", "undo(True)", "Undo it for all lanes"),
    Key("lane.pause", ("space",), "Space", "pause", "Pause or resume the chosen lane",
        "pause"),
    Key("race.pause", ("P",), "P", "pause(True)", "Pause or resume all lanes"),
    Key("race.all", ("A",), "A", "all_lanes",
        "Dial, {lane.pause} and {lane.stop} for all living lanes, or for one again",
        palette="All lanes: what the dial, pause and stop are about, or one again"),
    Key("lane.fork", ("f",), "f", "fork",
        "Fork the lane: a copy goes on beside it (asks name, rate)", "fork"),
    Key("lane.rewind", ("r",), "r", "rewind",
        "Rewind the lane to a snapshot, ended or not (asks)", "rewind"),
    Key("lane.restart", ("R",), "R", "restart",
        "Restart the lane from its initial weights (asks); a script: as a new lane",
        palette="Restart the lane from its initial weights, a script as a new lane"),
    Key("lane.stop", ("x",), "x", "stop", "Stop the chosen lane for good (asks)", "stop"),
    Key("race.cull", ("C",), "C", "cull",
        "Cull: pause all but the best lanes (asks how many)"),
    Key("lane.edit", ("e",), "e", "edit",
        "Edit the lane: fork it with other options or schedule"),
    Key("lane.lengthen", ("E",), "E", "lengthen",
        "Train the lane on for longer, ended or not (asks)"),
    Key("lane.take", ("T",), "T", "take",
        "Take the lane's weights home, in a file (asks)"),
    Key("race.add", ("a",), "a", "add",
        "Add a lane, from step 0 and the shared initial weights"),
    Key("race.resume", ("ctrl+r",), "Ctrl+R", "resume",
        "Resume a race that was interrupted or lost its supervisor"),
    Key("view.overlay", ("o",), "o", "overlay", "All curves in one chart, and back", "overlay",
        palette="Overlay: all curves in one chart, and back"),
    Key("view.rates", ("V",), "V", "rates",
        "Outcome against learning rate; {lane.enlarge} there races beyond the edge", "rates",
        palette="Rates: outcome against learning rate, and back"),
    Key("view.filmstrip", ("I",), "I", "filmstrip",
        "What all lanes drew at the same step; {lane.left lane.right} go through time", "samples",
        palette="Samples of all lanes at the same step (filmstrip)"),
    Key("view.events", ("L",), "L", "log", "All that happened, of the lanes that are shown", "log",
        palette="Log: all that happened, of the lanes that are shown"),
    Key("view.console", ("w",), "w", "console", "What the chosen lane's task or script has printed",
        palette="Console: what the chosen lane's task or script has printed"),
    Key("view.page_up", ("pageup",), "PgUp PgDn", "scroll(-1)",
        "A page of panes, log, console, lists; ten samples", palette="A page back, or up"),
    Key("view.page_down", ("pagedown",), "", "scroll(1)", "", palette="A page on, or down"),
    Key("view.oldest", ("home",), "Home End", "scroll(-9999999)",
        "The first page, line or sample, the last", palette="Go to the first page, line or sample"),
    Key("view.newest", ("end",), "", "scroll(9999999)", "",
        palette="Go to the last page, line or sample"),
    Key("view.time_base", ("B",), "B", "time_base",
        "Time base of the machine's bars: 1, 5 or 30 minutes"),
    Key("view.filter", ("slash",), "/", "filter",
        "Show only the lanes that match, such as adam lr>=1e-3 !nan", "filter",
        palette="Filter: show only the lanes that match"),
    Key("lane.pin", ("p",), "p", "pin",
        "Pin the chosen lane: it comes first, and stays whatever the filter says"),
    Key("lane.solo", ("O",), "O", "solo", "Only the chosen lane everywhere, or all again",
        palette="Solo: only the chosen lane everywhere, or all again"),
    Key("view.order", ("v",), "v", "order",
        "Order of the standings: newest value of the metric, best, at equal budget"),
    Key("view.differences", ("d",), "d", "differences",
        "The settings in which the lanes differ, and back",
        palette="Differences: the settings in which the lanes differ"),
    Key("lane.explain", ("i",), "i", "explain",
        "Explain the chosen lane's rates with its own numbers", "explain"),
    Key("view.smooth", ("s",), "s S", "smooth(1)",
        "Smooth the curves more, less (0, 0.6, 0.9, 0.97, 0.99)", "smooth",
        palette="Smooth the curves more"),
    Key("view.rough", ("S",), "", "smooth(-1)", "", palette="Smooth the curves less"),
    Key("view.log", ("y",), "y", "log_axis", "Logarithmic or linear y axis", "log axis"),
    Key("view.x_log", ("X",), "X", "x_log", "Logarithmic or linear x axis"),
    Key("view.x_kind", ("t",), "t", "x_kind",
        "x axis: steps, epochs, samples, wall time, training time"),
    Key("view.full_range", ("g",), "g", "full_range",
        "y axis: all values, or without the outliers"),
    Key("view.quantity", ("m",), "m M", "quantity(1)",
        "The next quantity, the one before: losses, metrics, norms", "quantity",
        palette="Show the next quantity"),
    Key("view.quantity_back", ("M",), "", "quantity(-1)", "", palette="Show the quantity before"),
    Key("view.group", ("G",), "G", "group",
        "Rates of the next param group, in all lanes that have it", "group",
        palette="Show the rates of the next param group"),
    Key("view.zoom_in", ("z",), "z Z", "zoom(1)",
        "Zoom in, out, about the crosshair or the newest step (mouse: wheel)", "zoom",
        palette="Zoom in"),
    Key("view.zoom_out", ("Z",), "", "zoom(-1)", "", palette="Zoom out"),
    Key("view.pan_left", ("left_square_bracket",), "[ ]", "pan(-1)",
        "Move the zoomed part to the left, right (mouse: drag)",
        palette="Move the zoomed part to the left"),
    Key("view.pan_right", ("right_square_bracket",), "", "pan(1)", "",
        palette="Move the zoomed part to the right"),
    Key("view.follow", ("F",), "F", "follow", "The zoomed part follows the newest step, or stays"),
    Key("view.zoom_back", ("backspace",), "Backspace", "zoom_back",
        "Back to the part before the last zoom"),
    Key("view.usual", ("D",), "D", "usual",
        "Default curves: the loss by steps, not smoothed, not zoomed"),
    Key("view.crosshair", ("c",), "c", "crosshair",
        "Values of all lanes at one step; {lane.left lane.right} move it, "
        "{cursor.left cursor.right} a tenth",
        "values", palette="Crosshair: values of all lanes at one step, or none"),
    Key("cursor.left", ("shift+left",), "", "cursor(-1)", "",
        palette="Crosshair a tenth of the width to the left"),
    Key("cursor.right", ("shift+right",), "", "cursor(1)", "",
        palette="Crosshair a tenth of the width to the right"),
    Key("cursor.best", ("b",), "b", "best", "Crosshair at the best value of the chosen lane"),
    Key("cursor.before", ("comma",), ", .", "mark(-1)",
        "Crosshair at the lane's mark before, after",
        palette="Crosshair at the lane's mark before"),
    Key("cursor.after", ("full_stop",), "", "mark(1)", "",
        palette="Crosshair at the lane's mark after"),
    Key("cursor.spike", ("circumflex_accent",), "^", "mark(1, '^')",
        "Crosshair at the lane's next spike"),
    Key("cursor.alert", ("exclamation_mark",), "!", "mark(1, '!✗')",
        "Crosshair at its next alert or NaN"),
    Key("cursor.rate", ("tilde",), "~", "mark(1, '▲▼')",
        "Crosshair at its next change of the rate"),
    Key("race.find", ("ctrl+f",), "Ctrl+F", "find", "Find a learning rate for this task", "find"),
    Key("race.write", ("W",), "W", "write",
        "Write a page about this race, for a browser (asks for a file)",
        palette="Report: write a page about this race, for a browser (HTML)"),
    Key("race.label", ("N",), "N", "label", "Name and note of this run (asks for both)"),
    Key("race.new", ("n",), "n", "pick", "Leave this race running and pick another"),
    Key("app.help", ("question_mark",), "?", "help", "All keys, and the manual", "help"),
    Key("app.quit", ("q", "ctrl+c"), "q", "leave",
        "Quit (asks: leave it running, stop it, or back)", "quit"),
)
# fmt: on


def _routed(key: Key) -> Key:
    """The key with "smooth(1)" as "run('smooth', (1,))": the race screen looks its actions up."""
    name, _, arguments = key.action.rstrip(")").partition("(")
    return key._replace(action=f"run('{name}', ({arguments},))" if arguments else f"run('{name}')")


RACE = tuple(map(_routed, _RACE))

# fmt: off
PICKER = (
    Key("list.down", ("down",), "↑↓", "cursor(1)", "Choose a scenario or a run", "choose",
        palette="One line down"),
    Key("list.up", ("up",), "", "cursor(-1)", "", palette="One line up"),
    Key("list.page_down", ("pagedown",), "PgUp PgDn", "cursor(10)", "Ten further",
        palette="Ten lines down"),
    Key("list.page_up", ("pageup",), "", "cursor(-10)", "", palette="Ten lines up"),
    Key("list.go", ("enter",), "Enter", "go", "Race the scenario, or watch the run", "race"),
    Key("picker.find", ("ctrl+f",), "Ctrl+F", "find", "Find a learning rate for the scenario",
        "find a rate"),
    Key("picker.edit", ("ctrl+e",), "Ctrl+E", "edit", "Edit the scenario's lanes for this race",
        "edit"),
    Key("list.clear", ("escape",), "Esc", "clear", "Clear the filter; quit when it is clear",
        "clear, quit"),
    Key("picker.help", ("question_mark", "f1"), "?", "help", "All keys, and the manual", "help"),
    Key("picker.quit", ("ctrl+c",), "Ctrl+C", "leave", "Quit"),
)
# fmt: on

# fmt: off
FINDER = (
    Key("finder.race", ("enter",), "Enter", "race", "Start the full race with the rate that won",
        "race"),
    Key("finder.log", ("y",), "y", "log_axis", "Logarithmic or linear loss axis", "log axis"),
    Key("finder.back", ("escape",), "Esc", "back", "Stop finding, and back", "back"),
    Key("finder.help", ("question_mark",), "?", "help", "All keys, and the manual", "help"),
    Key("finder.quit", ("q", "ctrl+c"), "q", "leave", "Stop finding, and quit", "quit"),
)
# fmt: on

PALETTE = Key("app.palette", ("ctrl+p",), "Ctrl+P", "command_palette", "Every command by name")
"""Textual's own binding, for help and manual."""
RESERVED = {"ctrl+p": "shows every command by name", "ctrl+q": "quits, as everywhere in Textual"}
ALL = (RACE, PICKER, FINDER)

HEADINGS = {
    "lane.left": "Lanes",
    "lane.hotter": "The dial, and what else is said to lanes",
    "view.overlay": "What is shown",
    "view.smooth": "Curves",
    "view.crosshair": "Crosshair",
    "race.find": "Elsewhere",
}
"""Headings of the help, above the keys with these ids."""

FIRST = (
    "lane.left",
    "lane.enlarge",
    "lane.hotter",
    "lane.pause",
    "view.overlay",
    "view.smooth",
    "view.crosshair",
    "view.filter",
    "lane.fork",
    "lane.rewind",
)
"""The first keys in the footer of a race, so that a narrow one has some of each kind; the others
follow in the order of the table."""
LIVING = ("lane.hotter", "lane.pause", "lane.stop")
"""Keys for living lanes only."""
SCRIPT_OFF = (
    "lane.fork",
    "lane.rewind",
    "lane.edit",
    "lane.lengthen",
    "lane.take",
    "race.add",
    "race.find",
    "race.resume",
)
"""Keys that a race of scripts refuses; `core/protocol/script_refusals.py` says why."""


READ_ONLY_OFF = (
    *(key.id for key in _RACE if key.id.startswith(("lane.hot", "lane.cold", "lane.ten"))),
    *("lane.rate", "lane.schedule", "lane.undo", "race.undo", "lane.pause", "race.pause"),
    *("race.all", "lane.fork", "lane.rewind", "lane.restart", "lane.stop", "race.cull"),
    *("lane.edit", "lane.lengthen", "lane.take", "race.add", "race.resume", "race.find"),
    *("race.write", "race.label"),
)
"""Keys that are refused where several runs are shown together."""


def off(state: RaceState) -> tuple[str, ...]:
    """The keys that have no effect on a race."""
    if state.read_only:
        return READ_ONLY_OFF
    return SCRIPT_OFF if state.race.script else ()


def actions_of(ids: Collection[str]) -> set[str]:
    """The actions of the race screen that some of its keys run."""
    return {key.action.partition("(")[0] for key in _RACE if key.id in ids}
