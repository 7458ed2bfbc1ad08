"""Advice on digital signatures is given on its occasions alone, and stays outside verdicts."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from harness.catalogue import BUILT_IN
from harness.judging import Observations
from harness.record.models import AdviceRecord
from reference_impl.signatures.results import (
    CertificateResult,
    FileResult,
    PresentElement,
    Reason,
    Standing,
    TimestampResult,
)
from suites.signatures.advice import advise
from tests.unit.signature_judging import (
    CERTIFICATE,
    CHECKER,
    IMAGE,
    NOW,
    REPORT,
    SIGNER,
    answer,
    answers,
    claim,
    created,
    elements,
    image,
    report,
    signed,
    verdicts,
)

WORDS = tomllib.loads((BUILT_IN / "signatures" / "advice.toml").read_text(encoding="utf-8"))
STAMPED = TimestampResult("CMS_TSP", Standing.VALID, of_this_signature=True)
WHOLE = IMAGE | {"(0010,0010)": "PN"}


def modern(**changes: Any) -> FileResult:
    """An object about which there is nothing to advise."""
    return image(signed(WHOLE, **{"timestamp": STAMPED} | changes), present=elements(WHOLE))


def certified(**changes: Any) -> FileResult:
    return modern(certificate=replace(CERTIFICATE, **changes))


def ending(days: int) -> FileResult:
    return certified(not_after=(NOW + timedelta(days=days)).isoformat())


def leaving(*tags: str) -> FileResult:
    return modern(signed=tuple(tag for tag in WHOLE if tag not in tags))


def advice_on(*results: FileResult) -> list[AdviceRecord]:
    claims = (claim("C.1"), claim("C.2"))
    return advise(SIGNER, claims, Observations.of([created(*results)], NOW))


OCCASIONS: dict[str, tuple[FileResult, set[str]]] = {
    "nothing": (modern(), set()),
    "SHA-1": (modern(algorithm="SHA1"), {"signature-weak-algorithm"}),
    "MD5": (modern(algorithm="MD5"), {"signature-weak-algorithm"}),
    "RIPEMD160": (modern(algorithm="RIPEMD160"), {"signature-weak-algorithm"}),
    "SHA-512": (modern(algorithm="SHA512"), set()),
    "1024 bits": (certified(key_bits=1024), {"signature-short-key"}),
    "256 bits of a curve": (certified(key_type="ec", key_bits=256), set()),
    "SHA-1 in the certificate": (
        certified(reasons=(Reason("certificate-weak-hash", "signed with sha1"),)),
        {"signature-weak-certificate"},
    ),
    "no timestamp": (modern(timestamp=None), {"signature-no-timestamp"}),
    "ended since": (ending(-1), {"signature-certificate-expired-now"}),
    "ends soon": (ending(29), {"signature-certificate-expires-soon"}),
    "ends late enough": (ending(31), set()),
    "an end that is no date": (certified(not_after="soon"), set()),
    "ended when it signed": (
        certified(not_after=(NOW - timedelta(days=1)).isoformat(), at_signing=Standing.INVALID),
        set(),  # a warning of the judgements
    ),
    "no certificate": (modern(certificate=None), set()),
    "pixel data unsigned": (leaving("(7FE0,0010)"), {"signature-pixel-data-unsigned"}),
    "patient unsigned": (leaving("(0010,0020)"), {"signature-patient-unsigned"}),
    "instance unsigned": (leaving("(0008,0018)"), {"signature-instance-uid-unsigned"}),
    "equipment unsigned": (leaving("(0008,0070)"), set()),
    "unknown VR": (
        replace(modern(), present=(*elements(WHOLE), PresentElement("(0009,1010)", "UN", holds_unknown=True))),
        {"signature-unknown-vr"},
    ),
    "a draft whose UID can change": (
        report(signed(REPORT.keys() - {"(0008,0018)"}, timestamp=STAMPED), verified=False),
        set(),
    ),
}


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_advice_is_given_on_its_occasion_alone(occasion: str) -> None:
    result, expected = OCCASIONS[occasion]
    given = advice_on(result)
    assert {each.id for each in given} == expected
    assert len(given) == len(expected)  # once, however many claims are about the endpoint
    for each in given:
        assert each.evidence == ("signer-0000",)
        assert "{" not in each.text
        assert each.remedy
        assert each.endpoint == "signer"


def test_every_piece_of_advice_has_an_occasion() -> None:
    assert set().union(*(expected for _, expected in OCCASIONS.values())) == set(WORDS)


def test_advice_names_the_first_few_objects() -> None:
    many = [replace(modern(timestamp=None), path=f"{number}.dcm", sop_instance=f"1.{number}") for number in range(9)]
    (given,) = advice_on(*many)
    assert "0.dcm, 1.dcm, 2.dcm, 3.dcm, and 5 more" in given.text
    assert len(given.evidence) == 4


def test_signatures_together_cover_what_a_reader_sees() -> None:
    half = leaving("(7FE0,0010)").signatures[0]
    rest = replace(half, signed=("(7FE0,0010)",), number=2, uid="1.9")
    assert advice_on(replace(modern(), signatures=(half, rest))) == []
    inside = replace(rest, location="(0040,0555)[1]")
    assert [each.id for each in advice_on(replace(modern(), signatures=(half, inside)))] == [
        "signature-pixel-data-unsigned"
    ]


def test_what_was_not_observed_is_not_advised_on() -> None:
    assert advise(SIGNER, (claim("C.1"),), Observations.of([], NOW)) == []
    assert advise(SIGNER, (), Observations.of([created(modern(timestamp=None))], NOW)) == []
    shown = Observations.of(answers(answer("sha256/a", "valid")), NOW)
    assert advise(CHECKER, (claim("C.1", "signature-verifier"),), shown) == []


def test_no_verdict_rests_on_advice() -> None:
    found = verdicts([created(modern(algorithm="MD5", timestamp=None))], claim("C.1"))
    assert {each.kind.value for each in found.values()} <= {"pass", "not_applicable"}
    assert isinstance(CERTIFICATE, CertificateResult)
