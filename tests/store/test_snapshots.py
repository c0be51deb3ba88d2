"""The files of snapshots: whole or not there, what is damaged is told apart, and the disk they take
is bounded."""

import errno
import math
import os
import random
import stat

import pytest

from lrtui.core.errors import SnapshotDamaged
from lrtui.store import snapshots
from lrtui.store.snapshots import SnapshotFile
from support.builders import make_race

LANE = make_race().lanes[0]
PAYLOAD = bytes(range(256)) * 40


@pytest.fixture
def run(tmp_path):
    return tmp_path


def keep(run, step, tag="ring", smooth=1.0, letter="A", payload=PAYLOAD):
    return snapshots.write(run, letter, 0, step, tag, smooth, LANE, payload)


def steps(found):
    return [(kept.step, kept.tag) for kept in found]


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class TestWriting:
    def test_what_is_written_is_what_is_loaded(self, run):
        kept = keep(run, 1200, "best", 0.25)
        assert kept == SnapshotFile(
            1200,
            "best",
            run / "snapshots" / "A" / "000001200-best.snap",
            kept.path.stat().st_size,
            0.25,
        )
        header, payload = snapshots.load(kept.path)
        assert payload == PAYLOAD
        assert (header.lane, header.step, header.smooth, header.size, header.spec) == (
            0,
            1200,
            0.25,
            len(PAYLOAD),
            LANE,
        )
        assert snapshots.listing(run, "A") == [kept]

    @pytest.mark.parametrize("smooth", [math.nan, math.inf, -math.inf])
    def test_a_loss_that_is_not_finite_is_none(self, run, smooth):
        kept = keep(run, 0, smooth=smooth)
        assert snapshots.load(kept.path)[0].smooth is None
        assert math.isnan(snapshots.listing(run, "A")[0].smooth)

    def test_nobody_else_may_read_them(self, run):
        old = os.umask(0)
        try:
            kept = keep(run, 1)
            other = snapshots.link_into(kept, run, "B", "fork")
        finally:
            os.umask(old)
        assert {mode(path) for path in (kept.path, other.path)} == {0o600}
        assert {
            mode(path) for path in (run / "snapshots", kept.path.parent, other.path.parent)
        } == {0o700}

    @pytest.mark.parametrize("failing", ["fsync", "replace"])
    def test_of_one_that_cannot_be_written_nothing_is_left(self, run, failing, monkeypatch):
        keep(run, 1)

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, failing, full)
        with pytest.raises(OSError, match="No space"):
            keep(run, 2)
        assert [path.name for path in (run / "snapshots" / "A").iterdir()] == [
            "000000001-ring.snap"
        ]

    def test_partial_file_of_a_killed_process_is_removed_by_the_next_write(self, run):
        keep(run, 1)
        half = run / "snapshots" / "A" / ".000000002-ring.snap.77.abcd.part"
        half.write_bytes(PAYLOAD)
        assert steps(snapshots.listing(run, "A")) == [(1, "ring")]
        keep(run, 3)
        assert not half.exists()

    def test_a_deleted_run_is_not_made_again(self, run):
        with pytest.raises(FileNotFoundError):
            keep(run / "gone", 1)
        assert not (run / "gone").exists()

    def test_a_step_that_is_kept_again_replaces_the_file(self, run):
        keep(run, 5, payload=b"old")
        kept = keep(run, 5, payload=b"new")
        assert snapshots.load(kept.path)[1] == b"new"
        assert len(snapshots.listing(run, "A")) == 1


class TestListing:
    def test_it_rises_by_step_however_long_the_number_is(self, run):
        for step in (10**10, 7, 999_999_999, 0):
            keep(run, step)
        assert steps(snapshots.listing(run, "A")) == [
            (0, "ring"),
            (7, "ring"),
            (999_999_999, "ring"),
            (10**10, "ring"),
        ]

    def test_a_lane_without_a_folder_has_none(self, run):
        assert snapshots.listing(run, "Z") == []
        assert snapshots.lanes(run) == 0
        keep(run, 1)
        keep(run, 1, letter="AB")
        assert snapshots.lanes(run) == 2

    def test_what_is_none_of_ours_is_left_out(self, run):
        folder = keep(run, 1).path.parent
        (folder / "000000002-ring.snap").write_bytes(b"")
        (folder / "000000003-ring.snap").write_bytes(b"not json\n")
        (folder / "000000004-ring.snap").write_bytes(b"\x80\x04pickle" + PAYLOAD)
        (folder / "000000005-ring.snap").write_bytes(b'{"format": 1}\n')
        (folder / "000000006-ring.snap").write_bytes(b"[" * 100_000 + b"\n")
        (folder / "000000007-strange.snap").write_bytes(
            (folder / "000000001-ring.snap").read_bytes()
        )
        # another step inside
        (folder / "000000008-ring.snap").write_bytes((folder / "000000001-ring.snap").read_bytes())
        (folder / "notes.txt").write_text("mine")
        (folder / "000000009-ring.snap").mkdir()
        (folder / "000000010-ring.snap").symlink_to(folder / "000000001-ring.snap")
        os.mkfifo(folder / "000000011-ring.snap")
        assert steps(snapshots.listing(run, "A")) == [(1, "ring")]

    def test_a_snapshot_of_a_later_format_is_left_out_and_not_loaded(self, run):
        kept = keep(run, 1)
        kept.path.write_bytes(kept.path.read_bytes().replace(b'"format":1', b'"format":9', 1))
        assert snapshots.listing(run, "A") == []
        with pytest.raises(SnapshotDamaged, match="not a snapshot that this version"):
            snapshots.load(kept.path)


class TestDamage:
    def test_a_file_that_was_cut_off_is_listed_and_refused(self, run):
        """It has to be listed: whoever goes back to it must be able to say that it was damaged."""
        kept = keep(run, 1)
        whole = kept.path.read_bytes()
        for size in range(0, len(whole), 97):
            kept.path.write_bytes(whole[:size])
            with pytest.raises(SnapshotDamaged) as refused:
                snapshots.load(kept.path)
            assert str(kept.path) in refused.value.message
        kept.path.write_bytes(whole[:-1])
        assert steps(snapshots.listing(run, "A")) == [(1, "ring")]

    def test_a_changed_byte_anywhere_is_seen(self, run):
        kept = keep(run, 1)
        whole = kept.path.read_bytes()
        start, chance = whole.index(b"\n") + 1, random.Random(3)
        for place in [
            start,
            len(whole) - 1,
            *(chance.randrange(start, len(whole)) for _ in range(50)),
        ]:
            kept.path.write_bytes(
                whole[:place]
                + bytes([whole[place] ^ 1 << chance.randrange(8)])
                + whole[place + 1 :]
            )
            with pytest.raises(SnapshotDamaged, match="not what was written"):
                snapshots.load(kept.path)

    @pytest.mark.parametrize(
        "change",
        [
            lambda whole: whole + b"x",
            lambda whole: whole.replace(b'"size":10240', b'"size":9' + b"9" * 17),
        ],
    )
    def test_sizes_that_do_not_fit_are_refused_before_anything_is_read(self, run, change):
        kept = keep(run, 1)
        kept.path.write_bytes(change(kept.path.read_bytes()))
        with pytest.raises(SnapshotDamaged, match="where its header tells of"):
            snapshots.load(kept.path)

    def test_one_that_is_gone_is_refused_in_words(self, run):
        kept = keep(run, 1)
        snapshots.remove(kept)
        snapshots.remove(kept)
        with pytest.raises(SnapshotDamaged, match="No such file"):
            snapshots.load(kept.path)


class TestFilesThatChangeHands:
    def test_a_tag_is_changed_by_a_new_name(self, run):
        kept = snapshots.retag(keep(run, 4), "good")
        assert (kept.tag, kept.path.name) == ("good", "000000004-good.snap")
        assert snapshots.listing(run, "A") == [kept]
        assert snapshots.load(kept.path)[1] == PAYLOAD

    def test_another_lane_takes_it_over_without_taking_room(self, run):
        kept = keep(run, 4)
        other = snapshots.link_into(kept, run, "B", "fork")
        assert other.path.samefile(kept.path)
        assert snapshots.listing(run, "B") == [other]
        snapshots.remove(kept)
        assert snapshots.load(other.path)[1] == PAYLOAD

    def test_where_there_are_no_hard_links_it_is_copied(self, run, monkeypatch):
        def refused(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refused)
        kept = keep(run, 4)
        other = snapshots.link_into(kept, run, "B", "fork")
        assert not other.path.samefile(kept.path)
        assert snapshots.load(other.path) == snapshots.load(kept.path)


def some(*entries, size=10):
    return [SnapshotFile(step, tag, None, size, smooth) for step, tag, smooth in entries]


class TestTheLastGoodOne:
    KNOWN = some(
        (0, "ring", math.nan),
        (10, "ring", 4.0),
        (20, "best", 2.0),
        (30, "ring", 3.9),
        (40, "ring", 4.1),
        (50, "ring", math.nan),
        (60, "ring", math.inf),
    )

    @pytest.mark.parametrize(
        ("before", "step"), [(None, 30), (60, 30), (30, 30), (29, 20), (19, 10), (9, 0), (0, 0)]
    )
    def test_it_is_the_newest_that_is_not_far_above_the_lowest(self, before, step):
        assert snapshots.last_good(self.KNOWN, before).step == step

    def test_there_may_be_none(self):
        assert snapshots.last_good([], None) is None
        assert snapshots.last_good(some((5, "ring", math.nan)), None) is None
        assert snapshots.last_good(some((5, "ring", 1.0)), 4) is None

    @pytest.mark.parametrize(("lowest", "good", "bad"), [(-4.0, -0.1, 0.1), (0.0, 0.0, 0.001)])
    def test_losses_of_zero_and_below_are_losses_too(self, lowest, good, bad):
        known = some((1, "ring", lowest), (2, "ring", good), (3, "ring", bad))
        assert snapshots.last_good(known, None).step == 2


class TestPruning:
    def test_of_each_tag_only_the_newest_stay(self):
        known = some(
            *(
                (step, tag, 1.0)
                for tag in ("ring", "best", "alert", "pause")
                for step in range(0, 50, 10)
            )
        )
        gone = snapshots.prune(known, 2, 10**9)
        left = sorted(steps(kept for kept in known if kept not in gone))
        assert left == sorted(
            [
                (30, "ring"),
                (40, "ring"),
                (40, "best"),
                *((step, tag) for tag in ("alert", "pause") for step in (20, 30, 40)),
            ]
        )

    def test_beyond_the_budget_the_oldest_go_whatever_their_reason(self):
        known = some((1, "stop", 1.0), (2, "ring", 1.0), (3, "alert", 1.0), (4, "ring", 1.0))
        assert steps(snapshots.prune(known, 9, 40)) == []
        assert steps(snapshots.prune(known, 9, 39)) == [(1, "stop")]
        assert steps(snapshots.prune(known, 9, 20)) == [(1, "stop"), (2, "ring")]

    @pytest.mark.parametrize("budget", [0, 1, 10])
    def test_the_newest_stays_whatever_it_takes(self, budget):
        known = some((1, "ring", 1.0), (2, "ring", 1.0), (3, "best", 1.0))
        assert steps(kept for kept in known if kept not in snapshots.prune(known, 0, budget)) == [
            (3, "best")
        ]

    def test_nothing_to_prune(self):
        assert snapshots.prune([], 3, 0) == []
