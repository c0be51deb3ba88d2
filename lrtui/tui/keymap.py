"""The keys in effect: those of the table, or the user's own. A value; knows no widget."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from lrtui.core.scenario.spec import Race
from lrtui.core.text import closest
from lrtui.tui import key_names
from lrtui.tui.key_table import ALL, FIRST, HEADINGS, LIVING, PALETTE, PICKER, RESERVED, Key

_DEFAULTS = {key.id: key.keys for table in ALL for key in table}
_ID = re.compile(r"\{([\w. ]+)\}")


class Keymap:
    """The keys by id, and the texts that name them."""

    def __init__(self, own: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """`own`: the user's keys by id, as written in the settings, without `faults`."""
        self._own = {name: _as_textual(written) for name, written in (own or {}).items()}

    def pressed(self, name: str) -> tuple[str, ...]:
        """The keys of an id, as Textual names them; KeyError if the id is unknown."""
        return self._own.get(name) or _DEFAULTS[name]

    def read(self, *names: str) -> str:
        """The first key of each id, as shown in a sentence ("Esc", "←→", "PgUp PgDn"); KeyError if
        an id is unknown."""
        return key_names.together([key_names.read(self.pressed(name)[0]) for name in names])

    def expand(self, text: str) -> str:
        """Replace ids in braces by their keys: "{lane.pause}", or several, "{lane.left
        lane.right}"."""
        return _ID.sub(lambda found: self.read(*found[1].split()), text)

    def restart_words(self, race: Race) -> str:
        """The keys that continue a lane that has ended, in words."""
        if race.script:
            again = f"{self.read('lane.restart')} runs its script again"
            return again if race.script.supervised else "start its script again"
        rewind, restart = self.read("lane.rewind"), self.read("lane.restart")
        return f"{rewind} rewinds, {restart} restarts, {self.read('lane.fork')} forks"

    def textual(self) -> dict[str, str]:
        """The user's keys as Textual's keymap."""
        return {name: ",".join(own) for name, own in self._own.items()}

    def has_alt(self) -> bool:
        """True if the user has chosen a key with Alt."""
        return any(key.startswith("alt+") for own in self._own.values() for key in own)

    def table(self, table: tuple[Key, ...]) -> tuple[Key, ...]:
        """A table with the user's keys. A line of the help that stands for several ids names all
        their keys."""
        if not any(key.id in self._own for key in table):
            return table
        mine = [key._replace(keys=self._own.get(key.id, key.keys)) for key in table]
        groups: list[list[Key]] = []
        for key in mine:
            groups.append([key]) if key.shown or not groups else groups[-1].append(key)
        return tuple(key for group in groups for key in self._renamed(group))

    def _renamed(self, group: list[Key]) -> list[Key]:
        """The keys of one line of the help, the first with the shown names of all."""
        if not any(key.id in self._own for key in group):
            return group
        shown = " ".join(key_names.read(name) for key in group for name in key.keys)
        return [group[0]._replace(shown=shown), *group[1:]]

    def sections(self, table: tuple[Key, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
        """(heading, lines of the help) of a table; '' is the heading of lines before the first."""
        found: list[tuple[str, list[tuple[str, str]]]] = [("", [])]
        for key in (*self.table(table), PALETTE):
            if key.id in HEADINGS:
                found.append((HEADINGS[key.id], []))
            if key.shown:
                found[-1][1].append((key.shown, self.expand(key.help)))
        return [section for section in found if section[1]]

    def help_lines(self, table: tuple[Key, ...]) -> list[tuple[str, str]]:
        """(keys, effect) of a table, for help and manual."""
        return [line for _, lines in self.sections(table) for line in lines]

    def footer_words(
        self, table: tuple[Key, ...], *, over: bool = False, off: Collection[str] = ()
    ) -> list[tuple[str, str]]:
        """(key, word) for the footer; `over`: the race has ended; `off`: ids without effect."""
        off = {*off, *(LIVING if over else ())}
        shown = [key for key in self.table(table) if key.footer and key.id not in off]
        shown.sort(key=lambda key: FIRST.index(key.id) if key.id in FIRST else len(FIRST))
        return [(key.shown.split(" ")[0], key.footer) for key in shown]


def _as_textual(written: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found for key in written if (found := key_names.named(key)))


def faults(own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The faults of the user's keys by id: an unknown id, an unknown key, a key that another id
    has."""
    ids = {key.id: table for table in ALL for key in table}
    found: dict[str, str] = {}
    for name, written in own.items():
        if name not in ids:
            found[name] = f"no key has this id{closest(name, ids)}"
        elif unknown := [key for key in written if key_names.named(key) is None]:
            found[name] = (
                f'"{unknown[0]}" is not a key; expected one such as "x", "+", "ctrl+e", "f5",'
                ' "space" or "pagedown"'
            )
        elif taken := [key for key in written if key_names.named(key) in RESERVED]:
            found[name] = f"{taken[0]} is taken: it {RESERVED[key_names.named(taken[0]) or '']}"
        elif ids[name] is PICKER and any(
            key_names.types(key) for key in _as_textual(written) if key not in _DEFAULTS[name]
        ):
            found[name] = (
                "expected a key that types nothing: what is typed in the picker is its filter"
            )
    while clash := _clash({name: keys for name, keys in own.items() if name not in found}):
        found.update(clash)
    return found


def _clash(own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The first of the user's keys that another id of the same screen has."""
    for table in ALL:
        owners: dict[str, str] = {}
        # the user's ids come last, so that the user's choice is the one that is refused
        for key in sorted(
            table, key=lambda key: [key.id in own, list(own).index(key.id) if key.id in own else 0]
        ):
            for name in own.get(key.id, key.keys):
                owner = owners.setdefault(key_names.named(name) or name, key.id)
                if owner != key.id and key.id in own:
                    text = f"{name} is the key of {owner} too; expected one for each"
                    return {key.id: text}
    return {}
