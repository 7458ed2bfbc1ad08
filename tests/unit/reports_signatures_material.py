"""Facts about digital signatures for the tests of the renderers: a creator, a verifier and a storer, good and bad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.observations import Observation
from harness.observations.base import Frozen
from harness.observations.clients import DriverOutcome
from harness.observations.signatures import CreatedObjects, Difference, SignedObject, StoredObject, VerifierAnswer
from harness.record.models import EndpointRecord, ObservationEvent, RunRecord
from reference_impl.signatures.results import (
    CertificateResult,
    Code,
    FileResult,
    Reason,
    SignatureResult,
    Standing,
    TimestampResult,
)
from tests.unit.reports_material import AT

EXPLICIT = "1.2.840.10008.1.2.1"
TAGS = ("(0008,0016)", "(0008,0018)", "(0008,0070)", "(0020,000D)", "(0028,0010)", "(0029,1001)", "(7FE0,0010)")


def certificate(**fields: Any) -> CertificateResult:
    values: dict[str, Any] = {
        "at_signing": Standing.VALID,
        "now": Standing.INVALID,
        "subject": "CN=CT 1,O=St. Elsewhere",
        "issuer": "CN=Hospital CA",
        "not_before": "2024-01-01T00:00:00+00:00",
        "not_after": "2026-01-01T00:00:00+00:00",
        "key_type": "rsa",
        "key_bits": 2048,
        "reasons": (Reason("certificate-expired-since", "the certificate has expired"),),
    }
    return CertificateResult(**(values | fields))


def signature(**fields: Any) -> SignatureResult:
    values: dict[str, Any] = {
        "location": "",
        "number": 1,
        "standing": Standing.VALID,
        "mac_id": 0,
        "signed_at": "20250314091500.000000+0100",
        "certificate_type": "X509_1993_SIG",
        "algorithm": "SHA256",
        "transfer_syntax": EXPLICIT,
        "signed": TAGS,
        "mac": Standing.VALID,
        "scheme": "rsa-pkcs1-v1.5",
        "signature_octets": 256,
        "certificate": certificate(),
        "purposes": (Code("1", "ASTM-sigpurpose", "Author's Signature"),),
        "profiles": ("C.1", "C.2"),
        "uncovered": (
            Reason("patient-identity", "who the patient is", "(0010,0010), (0010,0020)"),
            Reason("others", "3 other elements", "(0018,0060), (0018,1000), and 1 more"),
        ),
    }
    return SignatureResult(**(values | fields))


def result(*signatures: SignatureResult, **fields: Any) -> FileResult:
    worst = [each.standing for each in signatures]
    order = (Standing.INVALID, Standing.UNKNOWN, Standing.VALID)
    values: dict[str, Any] = {
        "path": "signed/ct.dcm",
        "standing": next((each for each in order if each in worst), Standing.UNSIGNED),
        "sop_class": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance": "2.25.315",
        "transfer_syntax": EXPLICIT,
        "octets": 5000,
        "signatures": signatures,
    }
    return FileResult(**(values | fields))


def signed(name: str, found: FileResult, **fields: Any) -> SignedObject:
    return SignedObject.model_validate({"name": name, "result": found, "unchanged": True, **fields})


def created(*objects: SignedObject, **fields: Any) -> CreatedObjects:
    return CreatedObjects.model_validate({"text": "CT image, native pixel data", "objects": objects, **fields})


BROKEN = signature(
    standing=Standing.INVALID,
    mac=Standing.INVALID,
    variant="sequence-delimiters-omitted",
    profiles=("C.1",),
    reasons=(Reason("mac-differs", "the object is not what was signed", "(0040,A730)[2].(0008,0100)"),),
    encoding=(Reason("missing", "MAC ID Number is missing", "(FFFA,FFFA)[1].(0400,0005)"),),
    timestamp=TimestampResult("CMS_TSP", Standing.INVALID, time="2025-03-14T08:15:02+00:00", of_this_signature=False),
)
NESTED = signature(location="(0040,A730)[2]", number=2, uncovered=(), profiles=("C.1",), certificate=None)


def created_objects() -> tuple[tuple[str, CreatedObjects], ...]:
    return (
        ("ct", created(signed("ct", result(signature())))),
        ("sr-verified", created(signed("sr-verified", result(BROKEN, NESTED), exchange="dimse-0003"), text="A report")),
        ("raw-data", created(signed("raw-data", result(), unchanged=False), text="Raw data")),
        (
            "kos",
            created(text="Key objects", driver=DriverOutcome(kind="command", exit_status=1)),
        ),
    )


def answers() -> tuple[VerifierAnswer, ...]:
    def answer(case: str, treatment: str, said: str, **fields: Any) -> VerifierAnswer:
        values = {"case": case, "text": f"Object {case}", "rule": case.split("/", maxsplit=1)[0], "answer": said}
        return VerifierAnswer.model_validate(
            {**values, "treatment": treatment, "told_by": "exit status 0", "exchange": "", **fields}
        )

    return (
        answer("mac/sha256", "valid", "valid"),
        answer("certificate/expired", "not-valid", "valid", level="should"),
        answer("tampered/pixel-first-octet", "not-valid", "valid", exchange="dimse-0004"),
        answer("mac/md5", "valid", "", told_by="", driver=DriverOutcome(kind="command", timed_out=True)),
        answer("timestamp/other", "either", "unverifiable"),
        answer("syntax/big-endian", "not-valid", "", skipped="the SUT takes no Explicit VR Big Endian"),
    )


def stored() -> tuple[StoredObject, ...]:
    kept = {"store_status": 0, "stored_syntax": EXPLICIT, "returned_syntax": EXPLICIT, "retrieved": True}
    kept |= {"told_by": "C-GET", "before": result(signature())}
    trimmed = (
        Difference(kind="value", place="(0008,1030)", detail="trailing blanks are gone"),
        Difference(kind="removed", place="(0029,1001)"),
        Difference(kind="item-order", place="(0040,A730)"),
    )
    return (
        StoredObject.model_validate({"case": "ct", "text": "CT image", "after": result(signature()), **kept}),
        StoredObject.model_validate(
            {"case": "odd-padding", "text": "Values with blanks", "after": result(BROKEN), "differences": trimmed,
             "exchanges": ("dimse-0005",), **kept}
        ),
        StoredObject(case="ecg", text="ECG", store_status=0xA700, stored_syntax=EXPLICIT, detail="it was refused"),
        StoredObject(case="kos", text="Key objects", skipped="the SUT does not take them"),
    )  # fmt: skip


def event(kind: str, subject: str, facts: Frozen, endpoint: str = "objects") -> ObservationEvent:
    made = Observation(
        kind=kind, endpoint=endpoint, subject=subject, observed_at=AT, facts=facts.model_dump(mode="json")
    )
    return ObservationEvent(step=f"{endpoint}/{kind}/{subject}", observation=made)


def signature_observations(endpoint: str = "objects") -> Iterator[ObservationEvent]:
    for subject, made in created_objects():
        yield event("signatures.created", subject, made, endpoint)
    for answer in answers():
        yield event("signatures.verified", answer.case, answer, endpoint)
    for one in stored():
        yield event("signatures.stored", one.case, one, endpoint)


def with_signatures(record: RunRecord, *more: ObservationEvent) -> RunRecord:
    """`record` with an endpoint at which signed objects are handed over."""
    sut = record.header.sut
    endpoint = EndpointRecord(name="objects", protocol="files", host="")
    changed = sut.model_copy(update={"endpoints": (*sut.endpoints, endpoint)})
    return record.model_copy(
        update={
            "header": record.header.model_copy(update={"sut": changed}),
            "observations": (*record.observations, *signature_observations(), *more),
        }
    )


def many_objects(number: int) -> ObservationEvent:
    """A folder of `number` signed objects of long names and long lists."""
    one = signature(signed=tuple(f"({group:04X},0010)" for group in range(8, 408, 2)))
    objects = tuple(signed(f"image-{each:05d}" + "-long" * 20, result(one, one)) for each in range(number))
    return event("signatures.created", "", created(*objects, text="", left_out=7), "objects")
