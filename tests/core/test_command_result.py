"""Results of commands, as they are stored today and as older programs wrote them."""

import pytest

from lrtui.core.protocol.command_result import (
    LANE_ENDED,
    CommandResult,
    decode_result,
    done,
    encode_result,
    refused,
    snapshot_taken,
)

WITHDRAWN = CommandResult("withdrawn", "interrupted")


@pytest.mark.parametrize(
    "result",
    [
        done("rate 0.1 from step 3"),
        refused('{"quoted"} \x1b'),
        LANE_ENDED,
        WITHDRAWN,
        snapshot_taken("000000061-fork.snap", 61),
    ],
)
def test_a_result_survives_the_record(result):
    assert decode_result(encode_result(result)) == result


def test_only_an_executed_command_is_ok():
    assert done("paused").ok
    assert snapshot_taken("000000061-fork.snap", 61).ok
    assert not any(result.ok for result in (refused("no"), LANE_ENDED, WITHDRAWN))


def test_a_reply_of_a_later_version_is_no_success():
    found = decode_result('{"code":"deferred","text":"at the next epoch","snapshot":""}')
    assert (found.ok, found.code) == (False, "not_understood")
    assert "deferred" in found.text


@pytest.mark.parametrize(
    ("stored", "result"),
    [
        ("paused", done("paused")),
        ("", done("")),
        ("{odd", done("{odd")),
        ("refused: there is no such lane", refused("there is no such lane")),
        ("refused: the lane has ended", LANE_ENDED),
        ("000000061-fork.snap", snapshot_taken("000000061-fork.snap", 61)),
    ],
)
def test_the_text_of_older_programs_is_understood(stored, result):
    assert decode_result(stored) == result
