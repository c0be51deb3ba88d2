"""Makes Esc and the key after it two keys, also if they arrive at the same moment.

Textual 8.2 waits a tenth of a second after an ESC for the rest of a sequence: a letter that comes
meanwhile becomes Alt and that letter, any other character swallows the Esc, and a second ESC turns
the first into `^`. A form that Esc should have closed would stay open and take the next keys as
text.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakSet

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser
from textual.events import Key
from textual.message import Message

ESC = "\x1b"
BEGIN = "[O]P_^X\\" + ESC
"""Characters that may continue a sequence after an ESC: for these Textual's wait decides."""
_feed, _keys = XTermParser.feed, getattr(XTermParser, "_sequence_to_key_events", None)
_waits: WeakSet[XTermParser] = WeakSet()
"""The parsers whose last character was an ESC."""


def install() -> None:
    """Patch Textual's parser, if it is the one we know; Alt and a letter become Esc and the
    letter."""
    if _keys is not None and hasattr(XTermParser(), "_timeout_time"):
        XTermParser.feed = _fed  # type: ignore[method-assign]
        XTermParser._sequence_to_key_events = _named  # type: ignore[method-assign]


def _fed(self: XTermParser, data: str) -> Iterable[Message]:
    """Parse a piece of input, which may begin and end anywhere."""
    if ESC not in data and self not in _waits:
        yield from _feed(self, data)
        return
    for sign in data:
        alone = self in _waits and sign not in BEGIN and ESC + sign not in ANSI_SEQUENCES_KEYS
        if alone and self._timeout_time is not None:
            self._timeout_time = 0.0  # what it waits for will not come
            yield from self.tick()
        (_waits.add if sign == ESC else _waits.discard)(self)
        yield from _feed(self, sign)


def _named(self: XTermParser, sequence: str, alt: bool = False) -> Iterable[Key]:
    """The keys of a sequence that turned out to be none."""
    if alt:
        yield Key("escape", ESC)
    if _keys is not None:
        yield from _keys(self, sequence)
