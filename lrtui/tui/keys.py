"""Every key there is, in one table: bindings, footer, help and the README are made from it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from textual.binding import Binding, BindingType

QUARTER = 0.25
"""Decades by which a turn of the dial moves the rate."""
Where = Literal["race", "picker", "finder"]


class Key(NamedTuple):
    """One thing that a person can do, and the keys for it."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them."""
    shown: str
    """As a person reads them."""
    action: str
    help: str
    footer: str = ""
    """A word or two for the footer; '' where there is no room to spend on it."""


RACE = (
    Key("lane.left", ("left", "h"), "←↓↑→ hjkl", "move(-1, 0)", "Choose the lane beside, below, above", "lane"),
    Key("lane.down", ("down", "j"), "", "move(0, 1)", ""),
    Key("lane.up", ("up", "k"), "", "move(0, -1)", ""),
    Key("lane.right", ("right", "l"), "", "move(1, 0)", ""),
    Key("lane.next", ("tab",), "Tab", "next(1)", "Choose the next lane; Shift+Tab the one before"),
    Key("lane.previous", ("shift+tab",), "", "next(-1)", ""),
    *(Key(f"lane.{digit}", (str(digit),), "1 … 9" if digit == 1 else "", f"choose({digit - 1})",
          "Choose a lane by its place" if digit == 1 else "") for digit in range(1, 10)),
    Key("lane.enlarge", ("enter",), "Enter", "enlarge", "Enlarge the chosen lane, and back", "enlarge"),
    Key("view.back", ("escape",), "Esc", "back", "Back to all panes"),
    Key("lane.hotter", ("plus",), "+ -", f"dial({QUARTER})", "Turn the dial: a quarter of a decade up or down", "rate"),
    Key("lane.colder", ("minus",), "", f"dial({-QUARTER})", ""),
    Key("lane.tenfold", ("greater_than_sign",), "> <", "dial(1)", "The rate ten times as high, or a tenth"),
    Key("lane.tenth", ("less_than_sign",), "", "dial(-1)", ""),
    Key("lane.rate", ("equals_sign",), "=", "rate", "Type the rate of the next step"),
    Key("lane.schedule", ("0",), "0", "hand('schedule')", "Back to the rate that the schedule says"),
    Key("lane.undo", ("u",), "u", "hand('undo')", "Undo the last turn of the dial"),
    Key("race.undo", ("U",), "U", "hand('undo', True)", "Undo it for all lanes"),
    Key("lane.pause", ("space",), "Space", "hand('pause')", "Pause or resume the chosen lane", "pause"),
    Key("race.pause", ("P",), "P", "hand('pause', True)", "Pause or resume all lanes"),
    Key("race.all", ("A",), "A", "all_lanes", "Dial, Space and x for all living lanes, or for one again"),
    Key("lane.fork", ("f",), "f", "ask('fork')", "Fork the lane: a copy goes on beside it (asks name, rate)", "fork"),
    Key("lane.rewind", ("r",), "r", "ask('rewind')", "Rewind the lane to a snapshot, ended or not (asks)", "rewind"),
    Key("lane.restart", ("R",), "R", "restart", "Restart the lane from its initial weights (asks)"),
    Key("lane.stop", ("x",), "x", "stop", "Stop the chosen lane for good (asks)", "stop"),
    Key("race.cull", ("C",), "C", "ask('cull')", "Cull: pause all but the best lanes (asks how many)"),
    Key("lane.edit", ("e",), "e", "ask('edit')", "Edit the lane: fork it with other options or schedule"),
    Key("race.add", ("a",), "a", "ask('add')", "Add a lane, from step 0 and the shared initial weights"),
    Key("race.resume", ("ctrl+r",), "Ctrl+R", "resume", "Resume a race that was interrupted or lost its crew"),
    Key("view.overlay", ("o",), "o", "overlay", "All curves in one chart, and back", "overlay"),
    Key("lane.explain", ("i",), "i", "explain", "Explain the chosen lane's rates with its own numbers", "explain"),
    Key("view.log", ("y",), "y", "log_axis", "Logarithmic or linear loss axis", "log axis"),
    Key("race.find", ("ctrl+f",), "Ctrl+F", "find", "Find a learning rate for this task", "find"),
    Key("race.new", ("n",), "n", "pick", "Leave this race running and pick another"),
    Key("app.help", ("question_mark",), "?", "help", "This help", "help"),
    Key("app.quit", ("q", "ctrl+c"), "q", "leave", "Quit (asks: leave it running, stop it, or back)", "quit"),
)

PICKER = (
    Key("list.down", ("down",), "↑↓", "cursor(1)", "Choose a scenario or a run", "choose"),
    Key("list.up", ("up",), "", "cursor(-1)", ""),
    Key("list.page_down", ("pagedown",), "PgUp PgDn", "cursor(10)", "Ten further"),
    Key("list.page_up", ("pageup",), "", "cursor(-10)", ""),
    Key("list.go", ("enter",), "Enter", "go", "Race the scenario, or watch the run", "race"),
    Key("picker.find", ("ctrl+f",), "Ctrl+F", "find", "Find a learning rate for the scenario", "find a rate"),
    Key("picker.edit", ("ctrl+e",), "Ctrl+E", "edit", "Edit the scenario's lanes for this race", "edit"),
    Key("list.clear", ("escape",), "Esc", "clear", "Clear the filter; quit when it is clear", "clear, quit"),
    Key("picker.help", ("question_mark", "f1"), "?", "help", "This help", "help"),
    Key("picker.quit", ("ctrl+c",), "Ctrl+C", "leave", "Quit"),
)

FINDER = (
    Key("finder.race", ("enter",), "Enter", "race", "Start the full race with the rate that won", "race"),
    Key("finder.log", ("y",), "y", "log_axis", "Logarithmic or linear loss axis", "log axis"),
    Key("finder.back", ("escape",), "Esc", "back", "Stop finding, and back", "back"),
    Key("finder.help", ("question_mark",), "?", "help", "This help", "help"),
    Key("finder.quit", ("q", "ctrl+c"), "q", "leave", "Stop finding, and quit", "quit"),
)

PALETTE = Key("app.palette", ("ctrl+p",), "Ctrl+P", "command_palette", "Every command by name")
"""Textual's own binding; here for the help and the README."""

LEGEND = {"✗": "the last finite loss of a lane that ended NaN or in an error", "!": "where a lane was found to diverge",
          "▲ ▼": "where the dial was turned up or down; ×1.78: what the schedule says, times that, is applied",
          "Y": "where a fork left: its curve begins there", "grey": "what a lane did before it was rewound",
          "^": "a spike: a loss six standard deviations above those before it",
          "↑": "the curve goes on above the chart",
          "smoothed": "the loss that the standings go by: an average over the last ten steps or so (EMA 0.9)"}
"""The signs on a race's screen, for its help."""


def bindings(table: tuple[Key, ...]) -> list[BindingType]:
    """The table as Textual takes it; with priority, so that a filter that has the focus does not swallow them. Only Enter
    waits its turn: it is about what was typed before it, which may arrive in the same piece."""
    return [Binding(",".join(key.keys), key.action, key.help or key.id, id=key.id, show=False, priority=key.id != "list.go")
            for key in table]


def help_lines(table: tuple[Key, ...]) -> list[tuple[str, str]]:
    """(keys, what they do) for help and README."""
    return [(key.shown, key.help) for key in (*table, PALETTE) if key.shown]


def footer_words(table: tuple[Key, ...]) -> list[tuple[str, str]]:
    """(key, word) for the footer."""
    return [(key.shown.split(" ")[0], key.footer) for key in table if key.footer]
