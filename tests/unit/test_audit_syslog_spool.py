"""The spool: messages in order, bounded, and safe whatever becomes of the disk or of others who want the file."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.audit.syslog.spool import Spool, SpoolError, SpoolFullError


def octets_of(spool: Spool) -> list[bytes]:
    return [each.octets for each in spool.read(0, 1 << 30)]


@given(st.lists(st.lists(st.binary(max_size=50), max_size=4), max_size=8), st.data())
def test_messages_stay_in_order_until_they_are_removed(groups: list[list[bytes]], data: st.DataObject) -> None:
    spool = Spool(None)
    kept: list[bytes] = []
    last = 0
    for group in groups:
        spool.put(group)
        kept += group
        assert octets_of(spool) == kept
        if kept:
            number = data.draw(st.integers(0, len(kept)))
            waiting = spool.read(0, 1 << 30)
            assert [each.number for each in waiting] == sorted({each.number for each in waiting})
            assert all(each.number > last for each in waiting)
            if number:
                last = waiting[number - 1].number
                spool.remove(last)
                kept = kept[number:]
        assert (spool.count, spool.octets) == (len(kept), sum(map(len, kept)))
    spool.close()


def test_what_is_read_at_once_is_bounded() -> None:
    spool = Spool(None)
    spool.put([b"x" * 100] * 10)
    assert len(spool.read(0, 250)) == 3
    assert len(spool.read(0, 1)) == 1
    assert [each.number for each in spool.read(7, 1000)] == [8, 9, 10]
    assert spool.read(10, 1000) == []


def test_a_full_spool_takes_all_or_nothing_and_keeps_what_it_has() -> None:
    spool = Spool(None, 1000)
    spool.put([b"x" * 600])
    with pytest.raises(SpoolFullError, match="1 messages with 600 octets wait, of 1000"):
        spool.put([b"y" * 200, b"z" * 201])
    assert octets_of(spool) == [b"x" * 600]
    spool.put([b"y" * 400])
    spool.remove(1)
    spool.put([b"z" * 600])
    assert spool.count == 2


def test_numbers_go_on_in_a_file_that_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.put([b"one", b"two"])
    spool.remove(2)
    spool.put([b"three"])
    spool.close()
    again = Spool(path)
    assert [tuple(each) for each in again.read(0, 100)] == [(3, b"three")]
    assert (again.count, again.octets) == (1, 5)
    again.close()


def test_two_have_no_spool_in_common(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with pytest.raises(SpoolError, match="another program has it"):
        Spool(tmp_path / "spool", patience=0.05)
    spool.put([b"still"])
    assert octets_of(spool) == [b"still"]
    spool.close()
    Spool(tmp_path / "spool").close()


def test_a_locked_file_is_told_and_nothing_in_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.put([b"kept"])
    spool.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SpoolError, match="another program has it"):
        Spool(path, patience=0.05)
    other.execute("ROLLBACK")
    other.close()
    again = Spool(path)
    assert octets_of(again) == [b"kept"]
    again.close()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    text, database = tmp_path / "text", tmp_path / "database"
    text.write_bytes(b"these are my notes, and no database\n" * 100)
    before = text.read_bytes()
    with pytest.raises(SpoolError, match="not a database"):
        Spool(text)
    assert text.read_bytes() == before
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE waiting (mine)")
    other.commit()
    other.close()
    with pytest.raises(SpoolError, match="of another program"):
        Spool(database)
    with pytest.raises(SpoolError, match="No such file"):
        Spool(tmp_path / "nowhere" / "spool")
    with pytest.raises(SpoolError, match="directory"):
        Spool(tmp_path)


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.put([b"before"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # no file of this process grows beyond that
    try:
        with pytest.raises(SpoolError, match="cannot be used"):
            spool.put([b"x" * 300_000])
        assert (spool.count, octets_of(spool)) == (1, [b"before"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spool.put([b"after"])
    spool.close()
    again = Spool(path)
    assert octets_of(again) == [b"before", b"after"]
    again.close()


def test_a_damaged_file_is_told_with_what_to_do_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.put([b"x" * 3000] * 100)
    spool.close()
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    with pytest.raises(SpoolError, match="damaged; set it aside"):
        Spool(path)
    assert path.read_bytes() == half
