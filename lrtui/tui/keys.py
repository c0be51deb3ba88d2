"""Every key there is, in one table: bindings, footer, help, the manual and the README are made from
it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from textual.binding import Binding, BindingType

from lrtui.core.text import closest
from lrtui.tui import key_names

QUARTER = 0.25
"""Decades by which a turn of the dial moves the rate."""


class Key(NamedTuple):
    """One thing that a person can do, and the keys for it."""

    id: str
    keys: tuple[str, ...]
    """As Textual names them."""
    shown: str
    """As a person reads them."""
    action: str
    help: str
    """What it does; another key stands there as its id in braces, see `told`."""
    footer: str = ""
    """A word or two for the footer; '' where there is no room to spend on it."""
    palette: str = ""
    """What the palette calls it, where its line in the help is that of the key beside it, or names
    other keys."""

    @property
    def name(self) -> str:
        """What it does, by itself."""
        return self.palette or self.help


# fmt: off
RACE = (
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
    Key("lane.enlarge", ("enter",), "Enter", "enlarge", "Enlarge the chosen lane, and back",
        "enlarge"),
    Key("view.back", ("escape",), "Esc", "back",
        "Back to all panes; again: no crosshair, then no filter"),
    Key("lane.hotter", ("plus",), "+ -", f"dial({QUARTER})",
        "Turn the dial: a quarter of a decade up or down", "rate",
        palette="Rate: a quarter of a decade up"),
    Key("lane.colder", ("minus",), "", f"dial({-QUARTER})", "",
        palette="Rate: a quarter of a decade down"),
    Key("lane.tenfold", ("greater_than_sign",), "> <", "dial(1)",
        "The rate ten times as high, or a tenth", palette="Rate: ten times as high"),
    Key("lane.tenth", ("less_than_sign",), "", "dial(-1)", "", palette="Rate: a tenth"),
    Key("lane.rate", ("equals_sign",), "=", "rate", "Type the rate of the next step"),
    Key("lane.schedule", ("0",), "0", "hand('schedule')",
        "Back to the rate that the schedule says"),
    Key("lane.undo", ("u",), "u", "hand('undo')", "Undo the last turn of the dial"),
    Key("race.undo", ("U",), "U", "hand('undo', True)", "Undo it for all lanes"),
    Key("lane.pause", ("space",), "Space", "hand('pause')", "Pause or resume the chosen lane",
        "pause"),
    Key("race.pause", ("P",), "P", "hand('pause', True)", "Pause or resume all lanes"),
    Key("race.all", ("A",), "A", "all_lanes",
        "Dial, {lane.pause} and {lane.stop} for all living lanes, or for one again",
        palette="All lanes: what the dial, pause and stop are about, or one again"),
    Key("lane.fork", ("f",), "f", "ask('fork')",
        "Fork the lane: a copy goes on beside it (asks name, rate)", "fork"),
    Key("lane.rewind", ("r",), "r", "ask('rewind')",
        "Rewind the lane to a snapshot, ended or not (asks)", "rewind"),
    Key("lane.restart", ("R",), "R", "restart", "Restart the lane from its initial weights (asks)"),
    Key("lane.stop", ("x",), "x", "stop", "Stop the chosen lane for good (asks)", "stop"),
    Key("race.cull", ("C",), "C", "ask('cull')",
        "Cull: pause all but the best lanes (asks how many)"),
    Key("lane.edit", ("e",), "e", "ask('edit')",
        "Edit the lane: fork it with other options or schedule"),
    Key("race.add", ("a",), "a", "ask('add')",
        "Add a lane, from step 0 and the shared initial weights"),
    Key("race.resume", ("ctrl+r",), "Ctrl+R", "resume",
        "Resume a race that was interrupted or lost its supervisor"),
    Key("view.overlay", ("o",), "o", "overlay", "All curves in one chart, and back", "overlay",
        palette="Overlay: all curves in one chart, and back"),
    Key("view.filmstrip", ("I",), "I", "filmstrip",
        "What all lanes drew at the same step; {lane.left lane.right} go through time", "samples",
        palette="Samples of all lanes at the same step (filmstrip)"),
    Key("view.events", ("L",), "L", "log", "All that happened, of the lanes that are shown", "log",
        palette="Log: all that happened, of the lanes that are shown"),
    Key("view.console", ("w",), "w", "console", "What the chosen lane's task has printed",
        palette="Console: what the chosen lane's task has printed"),
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
        "Order of the standings: smoothed loss, best loss, loss at equal budget"),
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
    Key("race.new", ("n",), "n", "pick", "Leave this race running and pick another"),
    Key("app.help", ("question_mark",), "?", "help", "All keys, and the manual", "help"),
    Key("app.quit", ("q", "ctrl+c"), "q", "leave",
        "Quit (asks: leave it running, stop it, or back)", "quit"),
)
# fmt: on

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
"""Textual's own binding; here for the help and the manual."""
RESERVED = {"ctrl+p": "shows every command by name", "ctrl+q": "quits, as everywhere in Textual"}

LEGEND = {
    "✗": "the last finite value before a NaN or an infinity, or of a lane that ended in an error",
    "!": "where a lane was found to diverge",
    "▲ ▼": (
        "where the dial was turned up or down; ×1.78: what the schedule says, times that, is"
        " applied"
    ),
    "Y": "where a fork left: its curve begins there",
    "grey": "what a lane did before it was rewound",
    "^": "a spike: a loss six standard deviations above those before it",
    "«": "where a lane was rewound to",
    "▪": "a snapshot that is kept",
    "↑ ↓": "the curve goes on above, below the chart",
    "│": "the crosshair: the values of that step; ~ the smoothed one",
    "dashes": (
        "the ninth lane and those after it have colours again, in other line styles; in a terminal"
        " without colours each lane has its own"
    ),
    "bold": "a smoothed curve (EMA: TensorBoard's average), over the raw one, which is faint",
    "gap": "the leader's value times so much; + where it is that much more",
    "change": "of the average loss over the last tenth of the lane's steps",
    "→0.12": (
        "steps until the average loss was there: a tenth above the lowest of any lane; after: the"
        " time for it"
    ),
    "memory, time": (
        "a lane's part of what its process holds, and of the training time of all lanes lately"
    ),
    "*": "a pinned lane",
    "NaN DIVERGED": "the loss is not finite; it has left where it began, or its best, far below",
    "HOT OK COLD": (
        "of the early steps: too long, the loss shakes or rises; well chosen; too short, more was"
        " to be gained"
    ),
    "STALLED": "nothing gained for a tenth of the budget: at the floor, dead, hot or cold",
    "NOISY": "shakes three times as much as a lane that is lower",
    "fair": (
        "checksums of the first weights and of the batches: all lanes began with the same and see"
        " the same"
    ),
    "↓smoothed": (
        "what the standings go by ({view.order}): the best loss; the average loss after as many"
        " steps as all have made (at 120); or that of now, of the last ten steps or so (EMA 0.9)"
    ),
}
"""The signs on a race's screen, for its help; keys as in `Key.help`."""


HEADINGS = {
    "lane.left": "Lanes",
    "lane.hotter": "The dial, and what else is said to lanes",
    "view.overlay": "What is shown",
    "view.smooth": "Curves",
    "view.crosshair": "Crosshair",
    "race.find": "Elsewhere",
}
"""What the help says above the keys with these ids."""


def bindings(table: tuple[Key, ...]) -> list[BindingType]:
    """The table as Textual takes it; with priority, so that a filter that has the focus does not
    swallow them. Only Enter waits its turn: it is about what was typed before it, which may arrive
    in the same piece."""
    return [
        Binding(
            ",".join(key.keys),
            key.action,
            key.name,
            id=key.id,
            show=False,
            priority=key.id != "list.go",
        )
        for key in table
    ]


def sections(table: tuple[Key, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The lines of the help under their headings; '' for those before the first."""
    found: list[tuple[str, list[tuple[str, str]]]] = [("", [])]
    for key in (*selected(table), PALETTE):
        if key.id in HEADINGS:
            found.append((HEADINGS[key.id], []))
        if key.shown:
            found[-1][1].append((key.shown, told(key.help)))
    return [section for section in found if section[1]]


def help_lines(table: tuple[Key, ...]) -> list[tuple[str, str]]:
    """(keys, what they do) for help and manual: with the keys that a person has chosen for them."""
    return [line for _, lines in sections(table) for line in lines]


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
"""What the footer of a race begins with, so that a narrow one has something of everything; the rest
as in the table."""
LIVING = ("lane.hotter", "lane.pause", "lane.stop")
"""What only a lane that lives can be told."""


def footer_words(table: tuple[Key, ...], *, over: bool = False) -> list[tuple[str, str]]:
    """(key, word) for the footer; `over`: of a race that has ended."""
    shown = [key for key in selected(table) if key.footer and not (over and key.id in LIVING)]
    shown.sort(key=lambda key: FIRST.index(key.id) if key.id in FIRST else len(FIRST))
    return [(key.shown.split(" ")[0], key.footer) for key in shown]


_own: dict[str, tuple[str, ...]] = {}
"""By id: the keys that a person has chosen instead of those in the tables."""
_USUAL = {key.id: key.keys for table in (RACE, PICKER, FINDER) for key in table}
_ID = re.compile(r"\{([\w. ]+)\}")


def pressed(name: str) -> tuple[str, ...]:
    """The keys of an id, the person's own where they chose some, as Textual names them; KeyError
    where there is no such id."""
    return _own.get(name) or _USUAL[name]


def read(*names: str) -> str:
    """For a sentence that names keys: the first key of each of these ids as a person reads it
    ("Esc", "←→", "PgUp PgDn"). KeyError where there is no such id."""
    return key_names.together([key_names.read(pressed(name)[0]) for name in names])


def restart_words() -> str:
    """The keys that continue a lane that has ended, in words."""
    return (
        f"{read('lane.rewind')} rewinds, {read('lane.restart')} restarts, {read('lane.fork')} forks"
    )


def told(text: str) -> str:
    """A text with the keys in the place of their ids: "{lane.pause}", or several, "{lane.left
    lane.right}"."""
    return _ID.sub(lambda found: read(*found[1].split()), text)


def choose(own: Mapping[str, tuple[str, ...]]) -> None:
    """Takes a person's own keys, of which `faults` names none; {} for those of the tables."""
    _own.clear()
    _own.update({name: _as_textual(written) for name, written in own.items()})


def _as_textual(written: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found for key in written if (found := key_names.named(key)))


def keymap() -> dict[str, str]:
    """The same as Textual takes it."""
    return {name: ",".join(own) for name, own in _own.items()}


def selected(table: tuple[Key, ...]) -> tuple[Key, ...]:
    """The table with a person's own keys. Where one line of the help stands for several ids, it
    names all their keys."""
    if not any(key.id in _own for key in table):
        return table
    mine = [key._replace(keys=_own.get(key.id, key.keys)) for key in table]
    groups: list[list[Key]] = []
    for key in mine:
        groups.append([key]) if key.shown or not groups else groups[-1].append(key)
    return tuple(found for group in groups for found in _reread(group))


def _reread(group: list[Key]) -> list[Key]:
    if not any(key.id in _own for key in group):
        return group
    shown = " ".join(key_names.read(name) for key in group for name in key.keys)
    return [group[0]._replace(shown=shown), *group[1:]]


def faults(own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """What is wrong with the keys that a person has chosen, by id: no such id, no such key, a key
    that another id has."""
    ids = {key.id: table for table in (RACE, PICKER, FINDER) for key in table}
    found: dict[str, str] = {}
    for name, written in own.items():
        if name not in ids:
            found[name] = f"no key has this id{closest(name, ids)}"
        elif unknown := [key for key in written if key_names.named(key) is None]:
            found[name] = (
                f'"{unknown[0]}" is no key; expected one such as "x", "+", "ctrl+e", "f5", "space"'
                ' or "pagedown"'
            )
        elif taken := [key for key in written if key_names.named(key) in RESERVED]:
            found[name] = f"{taken[0]} is taken: it {RESERVED[key_names.named(taken[0]) or '']}"
        elif ids[name] is PICKER and any(
            key_names.types(key) for key in _as_textual(written) if key not in _USUAL[name]
        ):
            found[name] = (
                "expected a key that types nothing: what is typed in the picker is its filter"
            )
    while clash := _clash({name: keys for name, keys in own.items() if name not in found}):
        found.update(clash)
    return found


def _clash(own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The first of a person's choices that takes a key which something else on the same screen
    has."""
    for table in (RACE, PICKER, FINDER):
        owners: dict[str, str] = {}
        # What a person chose comes after what nobody has moved, so that it is the choice that is
        # refused.
        for key in sorted(
            table, key=lambda key: [key.id in own, list(own).index(key.id) if key.id in own else 0]
        ):
            for name in own.get(key.id, key.keys):
                if (
                    owners.setdefault(key_names.named(name) or name, key.id) != key.id
                    and key.id in own
                ):
                    return {
                        key.id: (
                            f"{name} is the key of {owners[key_names.named(name) or name]} too;"
                            " expected one for each"
                        )
                    }
    return {}
