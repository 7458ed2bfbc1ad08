"""Real archives that nobody here wrote get the verdicts under A.3 that their configuration lets one expect."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures.pki import Pki
from fixtures.storage import STORED_CASES, write_case
from harness.catalogue import load_catalogue
from harness.objects.comparing import compare
from reference_impl.storage.node import StorageNode
from reference_impl.storage.part10 import take_apart
from tests.missing import lacking
from tests.peers.examination import ps315
from tests.peers.starters.archives import ARCHIVES
from tests.peers.starters.process import PeerMissing, free_port, program, running

pytestmark = pytest.mark.peer

PROFILE, EDITION, ROLE = "A.3", "2026c", "instance-storer"
NOTHING_ADDED = "A.3-additions-alter-no-signature"
VERDICTS = ("fail", "inconclusive", "not_applicable")


@dataclass(frozen=True)
class Case:
    """One archive in one configuration."""

    name: str
    family: str
    documented: str
    why: str
    options: Mapping[str, str] = field(default_factory=dict)
    not_taken: tuple[str, ...] = ()
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def expected(self) -> dict[str, str]:
        """The verdict to expect per requirement."""
        bound = load_catalogue().select(PROFILE, EDITION, ROLE, "dicom")
        verdicts = {one.id: "pass" for one in bound if one.judged == "automatically"}
        verdicts[NOTHING_ADDED] = "not_applicable"
        for verdict, names in self.named.items():
            for name in names:
                assert name in verdicts, name
                verdicts[name] = verdict
        return verdicts | {"A.3-rules": "fail" if "fail" in verdicts.values() else "pass"}


@dataclass(frozen=True)
class Examined:
    """What came of one archive."""

    case: Case
    report: Mapping[str, Any]

    @property
    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """The verdicts by requirement."""
        return {one["requirement"]: one for one in self.report["verdicts"]}


def cases() -> list[Case]:
    """All cases, in the order of the file."""
    content = tomllib.loads(Path(__file__).with_name("storer_expectations.toml").read_text(encoding="utf-8"))
    found = []
    for row in content["case"]:
        named = {verdict: tuple(row.pop(verdict)) for verdict in VERDICTS if verdict in row}
        found.append(Case(**{**row, "not_taken": tuple(row.get("not_taken", ())), "named": named}))
    return found


_CASES = [pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(f"archive {case.name}")) for case in cases()]


@pytest.fixture(scope="module", params=_CASES)
def examined(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    """One archive, examined once for all tests."""
    case: Case = request.param
    directory = tmp_path_factory.mktemp("archive")
    try:
        with ARCHIVES[case.family](directory / "peer", case.options) as peer:
            (directory / "sut.toml").write_text(sut_file(peer.endpoint), encoding="utf-8")
            finished = ps315("run", "sut.toml", "--out", "out", "--quiet", directory=directory)
    except PeerMissing as missing:
        lacking(str(missing))
    assert finished.returncode in {0, 1, 3}, f"status {finished.returncode}: {finished.stderr}{finished.stdout}"
    (report,) = (directory / "out").rglob("report.json")
    yield Examined(case, json.loads(report.read_text(encoding="utf-8")))


def sut_file(endpoint: Mapping[str, object]) -> str:
    """A SUT file with this endpoint."""
    inner = endpoint["objects"]
    assert isinstance(inner, Mapping)
    lines = ["schema = 1", "[identity]", 'id = "archive"', "[endpoints.archive]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in endpoint.items() if key != "objects"]
    lines += ["[endpoints.archive.objects]", *(f"{key} = {json.dumps(value)}" for key, value in inner.items())]
    lines += ["[[claims]]", f'profile = "{PROFILE}"', f'role = "{ROLE}"', 'endpoint = "archive"', ""]
    return "\n".join(lines)


def test_the_verdicts_are_the_expected_ones(examined: Examined) -> None:
    expected = examined.case.expected()
    differences = [
        f"{name}: expected {verdict}, got {examined.verdicts[name]['verdict']}: {examined.verdicts[name]['reason']}"
        for name, verdict in expected.items()
        if examined.verdicts[name]["verdict"] != verdict
    ]
    assert not differences, "\n".join([examined.case.documented, examined.case.why, *differences])


def test_what_was_left_in_the_archive_is_listed(examined: Examined) -> None:
    refused = examined.case.not_taken
    taken = [] if refused == ("*",) else [case for case in STORED_CASES.values() if case.name not in refused]
    listed = examined.report["stored_objects"]
    assert len({one["sop_instance_uid"] for one in listed}) == len(taken)
    assert {one["description"].partition(" (")[0] for one in listed} == {case.text for case in taken}


def test_every_expectation_is_explained() -> None:
    for case in cases():
        assert len(case.documented) > 20, case.name
        assert len(case.why) > 20, case.name


# -- clients of others at the reference archive ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every case as a file."""
    folder = tmp_path_factory.mktemp("cases")
    pki = Pki.create(folder / "pki")
    (folder / "anchors.pem").write_bytes(pki.issue("ca").certificate_pem)
    for name in STORED_CASES:
        write_case(name, folder / f"{name}.dcm", pki)
    return folder


def test_dcmsign_agrees_on_every_case(material: Path) -> None:
    statuses = {}
    try:
        path = program("dcmsign")
    except PeerMissing as missing:
        lacking(str(missing))
    for name in STORED_CASES:
        command = [path, "+cf", str(material / "anchors.pem"), str(material / f"{name}.dcm")]
        statuses[name] = subprocess.run(command, capture_output=True, timeout=60, check=False).returncode
    # DCMTK drops superfluous padding of texts as it reads them, and forms the MAC of what is left; PS3.3 C.12.1.1.3.1.2
    # wants the Value Length and the Value of the element as they are.
    expected = {name: 101 if case.broken or name == "padding" else 0 for name, case in STORED_CASES.items()}
    assert statuses == expected


def dcmtk(*arguments: str) -> str:
    """Run one of DCMTK's programs; what it printed."""
    try:
        path = program(arguments[0])
    except PeerMissing as missing:
        lacking(str(missing))
    ended = subprocess.run([path, *arguments[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["plain", "padding", "private-elements", "several-signatures", "unknown-vr"])
def test_dcmtk_gets_from_the_archive_what_it_was_sent(material: Path, tmp_path: Path, name: str) -> None:
    sent = material / f"{name}.dcm"
    with StorageNode(directory=tmp_path / "archive") as node:
        host, port = node.address
        node.archive.keep(take_apart(sent.read_bytes()))
        (kept,) = node.archive.store.all()
        address = ["-aec", node.ae_title, host, str(port)]
        keys = ["-k", "QueryRetrieveLevel=IMAGE", "-k", f"SOPInstanceUID={kept.sop_instance}"]
        found = dcmtk("findscu", "-S", *address[:2], *keys, "-k", "PatientID", *address[2:])
        assert "PS315-TEST" in found
        (tmp_path / "got").mkdir()
        dcmtk("getscu", "-S", "+B", *address[:2], *keys, "-od", str(tmp_path / "got"), *address[2:])
    (got,) = (tmp_path / "got").iterdir()
    assert compare(sent, got) == ()


@pytest.mark.parametrize(("name", "proposed"), [("items", "-xe"), ("rle", "-xr"), ("deflated", "-xd")])
def test_dcmtk_stores_and_moves_by_the_archive(material: Path, tmp_path: Path, name: str, proposed: str) -> None:
    sent = material / f"{name}.dcm"
    back = tmp_path / "back"
    back.mkdir()
    port_back = free_port()
    with (
        running([program("storescp"), "+B", "+xa", "-od", str(back), str(port_back)], port_back, tmp_path, name="back"),
        StorageNode(directory=tmp_path / "archive", destinations={"BACK": ("127.0.0.1", port_back)}) as node,
    ):
        host, port = node.address
        dcmtk("storescu", proposed, "-aec", node.ae_title, host, str(port), str(sent))
        (kept,) = node.archive.store.all()
        keys = ["-k", "QueryRetrieveLevel=IMAGE", "-k", f"SOPInstanceUID={kept.sop_instance}"]
        dcmtk("movescu", "-S", "-aem", "BACK", "-aec", node.ae_title, *keys, host, str(port))
    (got,) = back.iterdir()
    assert compare(kept.path, got) == ()
    assert take_apart(got.read_bytes()).syntax == STORED_CASES[name].syntax
