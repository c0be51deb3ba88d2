"""Status and verdict of a lane, or of a group of seeds, in ever shorter words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lrtui.core.diagnostics.verdicts import Verdict, verdict
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED

STATUS_WIDTH = 16
SHOWN = {"finished": "done", "error": "ERROR", "died": "LOST"}
"""Statuses by another word than their own."""


def status_words(lane: LaneState, verdict: Verdict) -> str:
    """Status and verdict of a lane in STATUS_WIDTH cells; NaN with its step."""
    if lane.status == "nan" and lane.ended is not None:
        return f"NaN at step {lane.ended.step}"
    words = f"{_status(lane)} {verdict}".rstrip()
    return words if len(words) <= STATUS_WIDTH else str(verdict)


def statuses(group: SeedGroup, state: RaceState) -> list[str]:
    """Status and verdict, the longest form first; of a group what its seeds have in common, or how
    many of them are NaN, have failed or come to another verdict."""
    found = [verdict(lane, state) for lane in group.lanes]
    forms = {tuple(_forms(lane, word)) for lane, word in zip(group.lanes, found, strict=True)}
    if len(forms) == 1:
        return list(forms.pop())
    total = len(group.lanes)
    lost = Counter(
        "NaN" if word.word == "nan" else _status(lane)
        for lane, word in zip(group.lanes, found, strict=True)
        if word.word == "nan" or lane.status in FAILED
    )
    if lost:
        words = ", ".join(f"{count} {word}" for word, count in lost.most_common())
        return [f"{words} of {total}", words]
    each = Counter(_status(lane) for lane in group.lanes)
    status, count = min(each.items(), key=lambda item: (item[0] != "running", -item[1]))
    status = status if count == total else f"{count} of {total} {status}"
    words = _in_common(found)
    return [text for text in (f"{status} {words}".rstrip(), words, status) if text]


def lost(group: SeedGroup, state: RaceState) -> bool:
    """True if every seed of a group is NaN or has failed."""
    return all(lane.status in FAILED or verdict(lane, state).word == "nan" for lane in group.lanes)


def fitting(forms: Sequence[str], width: int) -> str:
    """The first of some forms that has at most `width` cells; else the last one."""
    return next((text for text in forms if len(text) <= width), forms[-1] if forms else "")


def _forms(lane: LaneState, word: Verdict) -> list[str]:
    """The forms of a single lane: a step that would be cut is left out."""
    first = str(word).partition(" ")[0]
    words = [status_words(lane, word), str(word), first, status_words(lane, Verdict("none"))]
    return [text for text in words if text]


def _in_common(found: Sequence[Verdict]) -> str:
    """The verdict of all seeds, or how many have which."""
    words = Counter(str(word).partition(" ")[0] for word in found if str(word))
    if len({str(word) for word in found}) == 1:
        return str(found[0])
    return " ".join(f"{count} {word}" for word, count in words.most_common())


def _status(lane: LaneState) -> str:
    return SHOWN.get(lane.status, lane.status)
