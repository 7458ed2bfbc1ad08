"""The report on digital signatures: objects that a SUT signed, its answers, what it stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.pki import Pki
from harness.record.models import RunRecord, VerdictKind
from reference_impl.signatures.results import Reason, SignatureResult, Standing
from reports import render
from reports.dicom_words import named_place
from reports.facts import Endpoint, endpoints_of
from reports.html import MAXIMUM_OCTETS
from reports.objects_shown import AnswerRow, StoredRow
from reports.signatures import MOST_OBJECTS, MOST_ROWS, ObjectEntry, signatures_of
from reports.trials import cited_by
from tests.unit.reports_material import realistic, verdict
from tests.unit.reports_signatures_material import (
    BROKEN,
    answers,
    certificate,
    created,
    created_objects,
    event,
    many_objects,
    result,
    signature,
    signed,
    stored,
    with_signatures,
)

CITED = {"dimse-0004": "fail", "dimse-0005": "fail", "dimse-0003": "warning"}
EMPTY = dict.fromkeys(("reachability", "versions", "suites", "groups", "schemes", "second_opinion"))


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def record(pki: Pki) -> RunRecord:
    return with_signatures(realistic(pki))


@pytest.fixture(scope="module")
def text(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(record, tmp_path_factory.mktemp("report")).read_text(encoding="utf-8")


def endpoint(**fields: object) -> Endpoint:
    values = {"name": "objects", **EMPTY, "chains": (), "chains_left_out": 0, **fields}
    return Endpoint(**values)  # type: ignore[arg-type]


def objects(*made: object) -> tuple[ObjectEntry, ...]:
    told = signatures_of(endpoint(created=made), CITED)
    assert told is not None and told.created is not None
    return tuple(row for row in told.created.rows if isinstance(row, ObjectEntry))


def entry(one: SignatureResult) -> dict[str, str]:
    return dict(objects(created(signed("ct", result(one))))[0].signatures[0].facts)


def test_an_endpoint_without_signatures_has_no_part(pki: Pki) -> None:
    record = realistic(pki)
    assert [signatures_of(at, {}) for at in endpoints_of(record)] == [None, None]


def test_objects_are_told_worst_first() -> None:
    told = objects(*(made for _, made in created_objects()))
    assert [(each.name, each.word.label) for each in told] == [
        ("sr-verified", "does not verify"),
        ("raw-data", "not signed"),
        ("ct", "verifies"),
    ]
    assert told[0].kind == "warning"
    assert told[1].remarks == ("What the device was given to sign is not in it bit for bit.",)
    assert told[2].meta == "1 signature; follows C.1, C.2; not signed: who the patient is, 3 other elements"


def test_what_did_not_come_back_is_said() -> None:
    told = signatures_of(endpoint(created=[made for _, made in created_objects()]), {})
    assert told is not None
    assert told.missing == (("Key objects", "Its driver ended with status 1."),)
    assert told.created_says == (
        "3 objects with 3 signatures: 1 does not verify, 2 verify. 1 object without a signature."
    )


def test_what_could_not_be_read_is_no_object_without_a_signature() -> None:
    torn = result(standing=Standing.UNKNOWN, problems=(Reason("unreadable", "it ends too soon", "(7FE0,0010)"),))
    told = signatures_of(endpoint(created=[created(signed("torn", torn), signed("bare", result()))]), {})
    assert told is not None and told.created is not None
    assert told.created_says == (
        "2 objects with 0 signatures. 1 object without a signature. 1 object could not be read."
    )
    (first, _) = (row for row in told.created.rows if isinstance(row, ObjectEntry))
    assert (first.name, first.meta) == ("torn", "could not be read")
    assert first.remarks == ("it ends too soon at (7FE0,0010) Pixel Data",)


def test_a_signature_is_told_to_the_element() -> None:
    (one,) = objects(created(signed("sr", result(BROKEN))))[0].signatures
    assert one.title == "Signature 1 of the object"
    assert one.told[0] == "the object is not what was signed at (0040,A730)[2].(0008,0100) Code Value"
    assert one.encoding == ("MAC ID Number is missing at (FFFA,FFFA)[1].(0400,0005) MAC ID Number",)
    assert one.uncovered == (
        ("who the patient is", "(0010,0010) Patient's Name, (0010,0020) Patient ID"),
        ("3 other elements", "(0018,0060) KVP, (0018,1000) Device Serial Number, and 1 more"),
    )
    assert {"the pixel data", "which object this is"} <= set(one.covered)
    assert one.tags[5:] == ("(0029,1001) private", "(7FE0,0010) Pixel Data")


def test_the_facts_of_a_signature() -> None:
    told = entry(BROKEN)
    assert told["Profiles followed"] == "C.1, if it verified"
    assert objects(created(signed("ct", result(BROKEN))))[0].meta.startswith("1 signature; would follow C.1;")
    assert told["Signer"] == "CN=CT 1,O=St. Elsewhere"
    assert told["Certificate"].startswith("at signing valid, now not valid; RSA 2048 bits, 2024-01-01 to 2026-01-01")
    assert told["Signed at"] == "2025-03-14 09:15:00 +0100"
    assert told["Algorithm"] == "SHA256, RSA (PKCS #1 v1.5), 2048 bits"
    assert told["MAC"] == (
        "not that of the elements listed (MAC ID Number 0); it is formed the wrong way: sequence-delimiters-omitted"
    )
    assert "it belongs to another signature" in told["Time certified"]
    assert told["Purpose"] == "Author's Signature"
    assert entry(signature(signed_at="20250314091500"))["Signed at"] == "2025-03-14 09:15:00 (no offset from UTC)"
    assert entry(signature(signed_at="yesterday"))["Signed at"] == "yesterday"
    bare = entry(SignatureResult(location="", number=1, standing=Standing.UNKNOWN))
    assert bare["Signer"] == "no certificate could be read"
    assert bare["Signed at"] == "not stated"
    assert bare["Profiles followed"] == "none of Annex C"


def test_what_is_partly_signed_is_said_so() -> None:
    partly = signature(uncovered=(Reason("pixel-description", "part of it: how the pixel data are to be read"),))
    (one,) = objects(created(signed("ct", result(partly))))[0].signatures
    assert "part of it: how the pixel data are to be read" in one.covered


def test_answers_on_which_findings_rest_come_first() -> None:
    told = signatures_of(endpoint(answers=answers()), CITED)
    assert told is not None and told.answers is not None
    rows = [row for row in told.answers.rows if isinstance(row, AnswerRow)]
    assert [(row.name, row.expected, row.answered, row.kind) for row in rows] == [
        ("tampered/pixel-first-octet", "does not call it valid", "valid", "fail"),
        ("certificate/expired", "should: does not call it valid", "valid", ""),
        ("mac/sha256", "calls it valid", "valid", ""),
        ("mac/md5", "calls it valid", "no answer understood", ""),
        ("timestamp/other", "either", "cannot be verified", ""),
        ("syntax/big-endian", "does not call it valid", "not shown", ""),
    ]
    assert rows[3].told_by == "Its driver did not end in time."
    assert rows[5].told_by == "the SUT takes no Explicit VR Big Endian"


def test_what_was_stored_is_compared() -> None:
    told = signatures_of(endpoint(stored=stored()), CITED)
    assert told is not None and told.stored is not None
    rows = {row.name: row for row in told.stored.rows if isinstance(row, StoredRow)}
    assert next(iter(rows)) == "odd-padding"
    padding = rows["odd-padding"]
    assert padding.differences == (
        "(0008,1030) Study Description: value changed (trailing blanks are gone)",
        "(0029,1001) private: removed",
        "(0040,A730) Content Sequence: items in another order",
    )
    assert padding.way == (
        "Sent in Explicit VR Little Endian (status 0000); returned in Explicit VR Little Endian by C-GET."
    )
    assert padding.signatures == "0 of 1 verify; as sent: 1 of 1 verify"
    assert rows["ct"].signatures == "1 of 1 verify"
    assert (rows["ct"].same, rows["ecg"].same) == (True, None)
    assert rows["ecg"].way.endswith("(status A700); not retrieved: it was refused.")
    assert rows["kos"].way == "Not stored: the SUT does not take them"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("(7FE0,0010)", "(7FE0,0010) Pixel Data"),
        ("(0040,A730)[2].(0029,1001)", "(0040,A730)[2].(0029,1001) private"),
        ("(0040,A730)[2]", "(0040,A730)[2]"),
        ("(7776,0001)", "(7776,0001)"),
        ("(6002,3000)", "(6002,3000) Overlay Data"),
        ("", ""),
        ("<b>(7FE0,001G)", "<b>(7FE0,001G)"),
    ],
)
def test_places_are_named(place: str, told: str) -> None:
    assert named_place(place) == told


def test_the_page_tells_all_three(text: str) -> None:
    for words in (
        'href="#digital-signatures"',
        "Acceptance protocol: secure transport and digital signatures",
        "the object is not what was signed at (0040,A730)[2].(0008,0100) Code Value",
        "Object tampered/pixel-first-octet",
        "value changed (trailing blanks are gone)",
    ):
        assert words in text, words


def test_a_report_on_signatures_alone_says_nothing_of_tls(pki: Pki, record: RunRecord, tmp_path: Path) -> None:
    only = tuple(at for at in record.header.sut.endpoints if at.protocol == "files")
    seen = tuple(each for each in record.observations if each.observation.endpoint == "objects")
    sut = record.header.sut.model_copy(update={"endpoints": only})
    made = record.model_copy(
        update={"header": record.header.model_copy(update={"sut": sut}), "observations": seen, "separations": ()}
    )
    page = render(made, tmp_path).read_text(encoding="utf-8")
    assert "Acceptance protocol: digital signatures" in page
    assert 'id="certificates"' not in page and 'href="#certificates"' not in page
    assert "objects is handed files." in page


def test_evidence_is_linked_where_it_is_shown(pki: Pki, record: RunRecord, tmp_path: Path) -> None:
    failing = verdict("C.1-verifies", VerdictKind.FAIL, evidence=("dimse-0004",))
    made = record.model_copy(update={"verdicts": (*record.verdicts, failing)})
    assert cited_by(made.verdicts)["dimse-0004"] == "fail"
    page = render(made, tmp_path).read_text(encoding="utf-8")
    part = page[page.index('id="digital-signatures"') :]
    row = part[part.index("Object tampered/pixel-first-octet") :]
    assert ">dimse-0004</a>" in row[:900]


def test_hostile_names_are_shown_as_text(pki: Pki, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x1b[31m"
    hostile = signature(
        certificate=certificate(subject=evil, issuer=evil, not_after=evil),
        signed_at=evil,
        algorithm=evil,
        transfer_syntax=evil,
        variant=evil,
        location=evil,
        profiles=(evil,),
        signed=(evil, "(0010,0010)"),
        uncovered=(Reason(evil, evil, evil),),
        reasons=(Reason(evil, evil, evil),),
    )
    made = created(signed(evil, result(hostile, problems=(Reason(evil, evil, evil),)), exchange=evil), text=evil)
    record = realistic(pki)
    told = with_signatures(record)
    first = next(each for each in told.observations if each.observation.kind == "signatures.created")
    changed = first.model_copy(
        update={"observation": first.observation.model_copy(update={"facts": made.model_dump(mode="json")})}
    )
    path = render(told.model_copy(update={"observations": (*told.observations, changed)}), tmp_path)
    page = path.read_text(encoding="utf-8")
    assert "<script>alert" not in page and "<img src=x" not in page
    assert "\u202e" not in page and "\x1b" not in page
    assert "&lt;script&gt;alert(1)" in page
    json.loads(path.with_suffix(".json").read_text())


def test_thousands_of_objects_leave_the_report_readable(pki: Pki, record: RunRecord, tmp_path: Path) -> None:
    made = record.model_copy(update={"observations": (*record.observations, many_objects(2_000))})
    path = render(made, tmp_path)
    page = path.read_text(encoding="utf-8")
    assert len(page.encode()) <= MAXIMUM_OCTETS
    assert page.count('<details class="signed">') <= MOST_OBJECTS
    assert f"{2_003 - MOST_OBJECTS + 7} more objects: not shown here." in page


def test_long_answers_leave_the_report_readable(record: RunRecord, tmp_path: Path) -> None:
    long = answers()[0].model_copy(update={"text": "x" * 5_000, "told_by": "y" * 5_000})
    many = [
        event("signatures.verified", f"case-{n}", long.model_copy(update={"case": f"case-{n}"})) for n in range(900)
    ]
    made = record.model_copy(update={"observations": (*record.observations, *many)})
    page = render(made, tmp_path).read_text(encoding="utf-8")
    assert len(page.encode()) <= MAXIMUM_OCTETS
    assert " more objects: in run.jsonl." in page
    told = signatures_of(endpoint(answers=[answers()[0]] * 900), {})
    assert told is not None and told.answers is not None
    assert (len(told.answers.rows), told.answers.left_out) == (MOST_ROWS, 900 - MOST_ROWS)
