"""Files that are written whole or not at all."""

import os

import pytest

from lrtui.core import files


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_under_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "state"
    with files.atomic(path) as part:
        assert part.read_bytes() == b""
        part.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["state"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_after_an_error_the_old_file_stands_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "state"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="full"), files.atomic(path) as part:
        part.write_bytes(b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["state"]


def test_an_error_inside_the_block_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.atomic(tmp_path / "state"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_durable_file_waits_for_the_disk(tmp_path, monkeypatch, durable):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    files.replace(tmp_path / "state", "text", durable=durable)
    assert len(synced) == (2 if durable else 0)  # the file and its folder


def test_a_text_is_written_as_it_is_and_a_public_one_for_everyone(tmp_path):
    old = os.umask(0o077)
    try:
        files.replace(tmp_path / "page", "a\r\nb\n", private=False)
    finally:
        os.umask(old)
    assert (tmp_path / "page").read_bytes() == b"a\r\nb\n"
    assert (tmp_path / "page").stat().st_mode & 0o777 == 0o644


def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path):
    path = tmp_path / ("x" * 255)
    files.replace(path, "text")
    assert path.read_text() == "text"
