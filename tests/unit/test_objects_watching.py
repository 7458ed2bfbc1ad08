"""Watching the folder of a SUT: what was there is left alone, what is being written is waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.objects.watching import WatchedFolder
from reference_impl.signatures.writer import element
from reference_impl.storage.part10 import Instance


def instance(uid: str = "1.2.3", name: bytes = b"Test") -> Instance:
    data = element(0x00080018, "UI", uid.encode()) + element(0x00100010, "PN", name)
    return Instance("1.2.840.10008.5.1.4.1.1.2", uid, "1.2.840.10008.1.2.1", data)


def test_a_new_file_is_found_at_the_second_look(tmp_path: Path) -> None:
    watched = WatchedFolder(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(instance().octets())
    assert watched.find("1.2.3") is None
    assert watched.find("1.2.3") == instance()


def test_a_file_that_still_grows_is_waited_for(tmp_path: Path) -> None:
    watched = WatchedFolder(tmp_path)
    octets = instance().octets()
    path = tmp_path / "file"
    path.write_bytes(octets[:-12])  # as far as the first element: a whole file of its own
    assert watched.find("1.2.3") is None
    path.write_bytes(octets)
    assert watched.find("1.2.3") is None
    assert watched.find("1.2.3") == instance()


def test_what_was_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(instance().octets())
    watched = WatchedFolder(tmp_path)
    assert [watched.find("1.2.3") for _ in range(3)] == [None] * 3
    path.write_bytes(instance(name=b"Testing").octets())
    assert watched.find("1.2.3") is None
    assert watched.find("1.2.3") == instance(name=b"Testing")


@pytest.mark.parametrize("octets", [b"", b"DICM", bytes(128) + b"DICM", instance("9.9").octets()])
def test_other_files_are_passed_over(tmp_path: Path, octets: bytes) -> None:
    watched = WatchedFolder(tmp_path)
    (tmp_path / "other").write_bytes(octets)
    (tmp_path / "wanted").write_bytes(instance().octets())
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path)
    assert watched.find("1.2.3") is None
    assert watched.find("1.2.3") == instance()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    watched = WatchedFolder(tmp_path / "none")
    assert watched.find("1.2.3") is None
