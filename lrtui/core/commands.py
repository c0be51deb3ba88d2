"""What a person says to a lane. Knows no store and no key."""

from __future__ import annotations

import msgspec


class Command(msgspec.Struct, frozen=True, tag=True):
    """Something to do at the lane's next step; `lane` is its index."""

    lane: int


class Pause(Command, frozen=True):
    """Stop training until Resume; weights and random state stay as they are."""


class Resume(Command, frozen=True):
    """Go on after a Pause."""


class Stop(Command, frozen=True):
    """End the lane for good; what it did stays recorded."""


AnyCommand = Pause | Resume | Stop

_decoder: msgspec.msgpack.Decoder[AnyCommand] = msgspec.msgpack.Decoder(AnyCommand)
encode = msgspec.msgpack.Encoder().encode
decode = _decoder.decode
