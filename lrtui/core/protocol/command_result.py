"""The outcome of a command, and its encoding in the record. Reads results of older programs too."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

ResultCode = Literal["done", "refused", "ended", "failed", "withdrawn", "not_understood"]
"""done: executed. refused: invalid, or impossible for this lane at this time. ended: the lane has
ended. failed: an exception, or a lost process. withdrawn: no supervisor could be started to execute
it. not_understood: written by another version of lrtui."""


class CommandResult(msgspec.Struct, frozen=True):
    """The outcome of one command."""

    code: ResultCode
    text: str
    """One line for people; a reason unless `ok`."""
    snapshot: str = ""
    """File name of the snapshot that TakeSnapshot wrote; "" for other commands."""

    @property
    def ok(self) -> bool:
        """True if the command was executed."""
        return self.code == "done"


LANE_ENDED = CommandResult("ended", "the lane has ended")


def done(text: str) -> CommandResult:
    """The result of an executed command."""
    return CommandResult("done", text)


def refused(reason: str) -> CommandResult:
    """The result of a command that cannot be executed."""
    return CommandResult("refused", reason)


def snapshot_taken(name: str, step: int) -> CommandResult:
    """The result of TakeSnapshot: the snapshot file `name`, taken after `step` steps."""
    return CommandResult("done", f"snapshot at step {step}", name)


def encode_result(result: CommandResult) -> str:
    """JSON text for the column `commands.result`."""
    return msgspec.json.encode(result).decode()


def decode_result(stored: str) -> CommandResult:
    """Decode a stored result: JSON, or the plain text that versions before CommandResult wrote."""
    try:
        return _decoder.decode(stored)
    except msgspec.ValidationError:  # JSON of a later version
        return CommandResult("not_understood", f"a reply of another version of lrtui: {stored}")
    except msgspec.DecodeError:
        return _from_text(stored)


_decoder = msgspec.json.Decoder(CommandResult)
_OLD_REFUSAL = "refused: "
_OLD_SNAPSHOT = re.compile(r"(\d+)-[a-z]+\.snap")


def _from_text(text: str) -> CommandResult:
    reason = text.removeprefix(_OLD_REFUSAL)
    if reason == LANE_ENDED.text:
        return LANE_ENDED
    if reason != text:
        return refused(reason)
    if taken := _OLD_SNAPSHOT.fullmatch(text):
        return snapshot_taken(text, int(taken[1]))
    return done(text)
