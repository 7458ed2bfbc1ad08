"""What answers behind TLS in a trial, to real clients of DICOM and the web, in one piece and in many."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from fixtures.pki import Pki
from harness.dicom_ul import (
    ASSOCIATE_AC,
    DATA,
    PduReader,
    associate_rq,
    echo_rq,
    parse_associate_ac,
    release_rq,
)
from harness.listeners.transport.applications import UpperLayer, WebServer, kind_of
from tests.unit.trial_bench import Bench, client_context, echoscu, trial_bench


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def bench(pki: Pki) -> Iterator[Bench]:
    with trial_bench(pki) as running:
        yield running


def image(octets: int) -> Dataset:
    """A CT image of that many octets."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.PatientID = CTImageStorage, generate_uid(), "PS315-TEST"
    data.Rows, data.Columns, data.BitsAllocated, data.PixelRepresentation = 1, octets // 2, 16, 0
    data.PixelData = bytes(octets // 2 * 2)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def converse(bench: Bench, pki: Pki) -> bool:
    """Echo, store and query; whether pynetdicom has seen every answer.

    Its reactor now and then takes an answer for a request, where that comes before the request is waited for.
    """
    entity = AE("SCU")
    entity.add_requested_context(Verification)
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_requested_context(StorageCommitmentPushModel)
    host, port = bench.server.address
    association = entity.associate(
        host, port, ae_title="PS315-HARNESS", tls_args=(client_context(pki, verify=False), "localhost")
    )
    assert association.is_established
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    requests: tuple[Callable[[], list[Dataset]], ...] = (
        lambda: [association.send_c_echo()],
        lambda: [association.send_c_store(image(100_000))],
        lambda: [status for status, _ in association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind)],
    )
    for request in requests:
        answers = request()
        if not all("Status" in answer for answer in answers):
            association.abort()
            return False
        assert [answer.Status for answer in answers] == [0]
    association.release()
    return True


@pytest.mark.parametrize("trial", ["ordinary", "ordinary-1.2", "application-records-of-one-octet", "padding"])
def test_pynetdicom_stores_and_is_answered(bench: Bench, pki: Pki, trial: str) -> None:
    for _ in range(3):
        bench.play(trial)
        if converse(bench, pki):
            break
    seen = bench.came(trial)
    assert seen.operations[:2] == ("C-ECHO", f"C-STORE {CTImageStorage}")
    assert seen.operations[2].startswith("C-FIND")


@pytest.mark.parametrize(
    ("trial", "code"),
    [
        ("retry-cookie", 0),
        ("records-of-one-octet", 0),
        ("tickets", 0),
        ("request-without-authorities", 0),
        ("certificate/expired", 1),
        ("certificate/unknown-authority", 1),
        ("finished-wrong-1.2", 1),
        ("record-corrupt-application", 1),
        ("plaintext-dicom", 1),
    ],
)
def test_dcmtk_in_a_trial(bench: Bench, trial: str, code: int) -> None:
    bench.play(trial)
    assert echoscu(bench).returncode == code
    seen = bench.came(trial)
    assert bool(seen.application_octets) is (code == 0)
    assert ("C-ECHO" in seen.operations) is (code == 0)


@given(st.integers(1, 60))
def test_an_association_in_pieces_is_answered_all_the_same(length: int) -> None:
    application, reader = UpperLayer(), PduReader()
    said = associate_rq("SCU", "ANY") + echo_rq(7) + release_rq()
    pdus = [pdu for at in range(0, len(said), length) for pdu in reader.feed(application.feed(said[at : at + length]))]
    assert [pdu.type for pdu in pdus] == [ASSOCIATE_AC, DATA, 6]
    assert parse_associate_ac(pdus[0].body).verification_accepted
    assert application.operations == ["C-ECHO"]


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
@given(length=st.integers(1, 90))
def test_a_request_in_pieces_is_answered_once(request_text: bytes, length: int) -> None:
    application = WebServer()
    answers = [application.feed(request_text[at : at + length]) for at in range(0, len(request_text), length)]
    assert b"".join(answers).count(b"HTTP/1.1 200 OK") == 1
    assert answers[-1].endswith(b"PS315\n")
    assert application.over


def test_a_client_that_waits_for_leave_gets_it() -> None:
    application = WebServer()
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    assert application.feed(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"200 OK" in application.feed(b"x")


@pytest.mark.parametrize(
    ("data", "protocol", "kind"),
    [
        (associate_rq("A", "B"), "dicom-tls", "association"),
        (b"GET / HTTP/1.1", "https", "http"),
        (b"PRI * HTTP/2.0", "https", "http"),
        (b"83 <85>1 2026", "syslog-tls", "syslog"),
        (b"\x00", "dicom-tls", "other"),
    ],
)
def test_application_data_is_named(data: bytes, protocol: str, kind: str) -> None:
    assert kind_of(data, protocol) == kind
