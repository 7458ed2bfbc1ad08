"""Many files: found as the user named them, verified in turn or side by side, no result lost."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from reference_impl.signatures.batch import Done, _Crew, _Worker, as_json, verify_many
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.sources import NothingThereError, files_of
from tests.unit.signature_material import El
from tests.unit.signing_material import PIXELS, SERIES, signer, write

INTEGRITY = Policy(integrity_only=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty files, each third one signed, each fifth of these tampered with."""
    plain = write(tmp_path / "plain", *SERIES, PIXELS)
    directory = tmp_path / "folder"
    directory.mkdir()
    for number in range(40):
        target = directory / f"{number:02}.dcm"
        if number % 3:
            target.write_bytes(plain.read_bytes())
            continue
        sign_file(plain, target, [SigningOrder()], signer())
        if number % 5 == 0:
            target.write_bytes(target.read_bytes().replace(b"PS315^TEST", b"PS315^REST"))
    return directory


def expected(number: int) -> Standing:
    if number % 3:
        return Standing.UNSIGNED
    return Standing.INVALID if number % 5 == 0 else Standing.VALID


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_order_whoever_made_them(folder: Path, jobs: int) -> None:
    paths = list(files_of([str(folder)]))
    found = [done.result for done in verify_many(paths, INTEGRITY, jobs=jobs)]
    assert [each.path for each in found] == paths
    assert [each.standing for each in found] == [expected(number) for number in range(40)]


def test_lines_hold_the_whole_result(folder: Path) -> None:
    done = next(iter(verify_many([str(folder / "00.dcm")], INTEGRITY, lines=True, brief=True)))
    line = json.loads(done.line)
    assert "\n" not in done.line
    assert line["standing"] == "invalid"
    assert line["present"][0]["tag"] == "(0008,0016)"
    assert line["signatures"][0]["signed"]
    assert line["signatures"][0]["certificate"]["subject"]
    assert not done.result.present
    assert json.loads(as_json(FileResult("a\udcff\n", Standing.UNKNOWN)))["path"] == "a\udcff\n"


@dataclass(frozen=True)
class Deadly(_Worker):
    """A worker that does not survive one of the files, however its process was started."""

    def done(self, path: str) -> Done:
        if path.endswith("17.dcm"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().done(path)


@pytest.mark.parametrize("threads", [False, True])
def test_a_worker_that_dies_costs_one_file(folder: Path, threads: bool) -> None:
    over = threading.Event()
    if threads:  # beside other threads processes are started anew, not forked
        threading.Thread(target=over.wait, daemon=True).start()
    crew = _Crew(Deadly(INTEGRITY, lines=False, brief=False), 2)
    found = [done.result for done in crew.work(files_of([str(folder)]))]
    over.set()
    assert len(found) == 40
    assert found[17].standing is Standing.UNKNOWN
    assert found[17].problems[0].code == "internal-error"
    others = [each.standing for number, each in enumerate(found) if number != 17]
    assert others == [expected(number) for number in range(40) if number != 17]


def test_a_failing_verifier_costs_one_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: str, policy: Policy) -> FileResult:
        raise ZeroDivisionError(path)

    monkeypatch.setattr("reference_impl.signatures.batch.verify_file", failing)
    found = [done.result for done in verify_many(files_of([str(folder)]), jobs=1)]
    assert {each.standing for each in found} == {Standing.UNKNOWN}
    assert "ZeroDivisionError" in found[0].problems[0].text


def test_whoever_stops_listening_leaves_no_processes(folder: Path) -> None:
    import multiprocessing

    before = set(multiprocessing.active_children())
    results = verify_many(_for_ever(folder), INTEGRITY, jobs=2)
    next(iter(results))
    assert set(multiprocessing.active_children()) - before
    results.close()  # type: ignore[attr-defined]
    assert not set(multiprocessing.active_children()) - before


def _for_ever(folder: Path) -> Iterator[str]:
    while True:
        yield from map(str, sorted(folder.iterdir()))


# -- finding files -----------------------------------------------------------------------------------------------------


def test_folders_are_searched_in_order_and_files_told_once(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "a", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    os.mkfifo(tmp_path / "b" / "pipe")
    (tmp_path / "c" / "loop").symlink_to(tmp_path)
    expected = [str(tmp_path / name) for name in ("a", "b/10", "b/2", "c/d/e")]
    assert list(files_of([str(tmp_path), str(tmp_path / "a")])) == expected


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "DICOMDIR")
    assert list(files_of([str(tmp_path / "DICOMDIR")])) == [str(tmp_path / "DICOMDIR")]


def test_patterns_and_what_is_not_there(tmp_path: Path) -> None:
    for name in ("1.dcm", "2.dcm", "3.txt", "[odd].dcm"):
        (tmp_path / name).write_bytes(b"")
    assert list(files_of([str(tmp_path / "?.dcm")])) == [str(tmp_path / "1.dcm"), str(tmp_path / "2.dcm")]
    assert list(files_of([str(tmp_path / "[odd].dcm")])) == [str(tmp_path / "[odd].dcm")]
    for absent in ("none", "*.nothing"):
        with pytest.raises(NothingThereError, match=r"none|nothing"):
            files_of([str(tmp_path / "1.dcm"), str(tmp_path / absent)])


def test_a_dicomdir_stands_for_what_it_refers_to() -> None:
    directory = get_testdata_file("DICOMDIR")
    assert isinstance(directory, str)
    found = list(files_of([directory]))
    assert len(found) == 31
    assert all(Path(each).is_file() for each in found)


def test_a_dicomdir_leads_nowhere_else_and_into_names_of_any_case(tmp_path: Path) -> None:
    def record(*parts: str) -> tuple[El, ...]:
        name = "\\".join(parts).encode()
        return (El(0x00041500, "CS", name + b" " * (len(name) % 2)),)

    records = (record("IMAGES", "IM1"), record("..", "SECRET"), record("A/B"), (), record("MISSING"))
    directory = write(tmp_path / "DICOMDIR", El(0x00041220, "SQ", items=records))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "im1").write_bytes(b"")
    assert list(files_of([str(directory)])) == [str(tmp_path / "images" / "im1"), str(tmp_path / "MISSING")]
    other = directory.rename(tmp_path / "renamed")
    assert len(list(files_of([str(other)]))) == 2
