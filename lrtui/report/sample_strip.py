"""Some samples of each lane, from its first to its last, read again from the record. Knows no
page."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import Sampled
from lrtui.report.png import png, strip

MOST_IMAGES = 8
"""Most pictures of one sample that are shown."""
ROOM = 1_000_000
"""Most bytes of all pictures of a page, as long as fewer or smaller ones are possible."""
WAYS = ((6, 64), (3, 64), (1, 64), (1, 32), (1, 16))
"""Samples of a lane, and pixels along an edge of a picture: the first that has room is taken."""


class SamplePng(NamedTuple):
    """A sample: `width` and `height` in pixels, `picture` a PNG file."""

    step: int
    width: int
    height: int
    picture: bytes


Film = dict[int, list[SamplePng]]
"""By a lane's index, rising by step."""


def film(follower: Follower) -> Film:
    """The samples that a page has room for; {} where the task draws none."""
    found: Film = {}
    for most, edge in WAYS:
        found = {
            lane.index: frames
            for lane in follower.state.lanes
            if (frames := _frames(follower, lane.index, most, edge))
        }
        if sum(len(frame.picture) for frames in found.values() for frame in frames) <= ROOM:
            break
    return found


def _frames(follower: Follower, lane: int, most: int, edge: int) -> list[SamplePng]:
    """`most` samples of a lane, alike far apart, the last one among them."""
    known = follower.samples.of(lane)
    frames = []
    for place in (
        np.linspace(len(known) - 1, 0, min(most, len(known))).round().astype(int)[::-1].tolist()
    ):
        picture = known[place]
        event = follower.reader.event(picture.row)
        if isinstance(event, Sampled) and all(event.shape):
            pixels = strip(event.images()[:MOST_IMAGES], edge)
            frames.append(SamplePng(picture.step, pixels.shape[1], pixels.shape[0], png(pixels)))
    return frames
