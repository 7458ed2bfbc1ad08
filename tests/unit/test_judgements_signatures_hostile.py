"""Whatever is recorded about signatures, a judgement comes to a verdict, and never to a fault of the harness."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import VerifierAnswer
from harness.judging import Observations
from reference_impl.signatures.results import (
    CertificateResult,
    Code,
    DocumentResult,
    EvidenceReference,
    FileResult,
    PresentElement,
    Reason,
    SignatureResult,
    Standing,
    TimestampResult,
)
from suites.signatures.advice import advise
from suites.signatures.test_creator_mac import RULES
from tests.unit.signature_judging import NOW, SIGNER, answers, claim, created, verdicts

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VARIANTS = sorted(name for rule in RULES.values() for name in rule.variants)
TEXT = st.text(max_size=12) | st.sampled_from(
    ["", "SHA256", "X509_1993_SIG", "CMS_TSP", "VERIFIED", "1.2.840.10008.1.2"]
)
TAGS = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)).map(lambda tag: f"({tag[0]:04X},{tag[1]:04X})")
KNOWN = st.sampled_from(["(0008,0016)", "(0008,0070)", "(7FE0,0010)", "(0040,A073)", "(FFFA,FFFA)", "(0010,0000)"])
LISTS = st.lists(TAGS | KNOWN, max_size=6).map(tuple)
CODES = st.sampled_from(
    ["missing", "empty", "vr", "value", "certificate-usage", "timestamp-unreadable", "mac-differs", "x"]
)
REASONS = st.lists(st.builds(Reason, CODES, TEXT, TEXT | TAGS), max_size=3).map(tuple)
STANDINGS = st.sampled_from(list(Standing))
MAYBE = st.booleans() | st.none()
CERTIFICATES = st.builds(
    CertificateResult,
    STANDINGS,
    STANDINGS,
    subject=TEXT,
    not_after=TEXT | st.just("2026-05-20T00:00:00+00:00"),
    key_type=st.sampled_from(["rsa", "ec", "dsa", "unknown"]),
    key_bits=st.none() | st.integers(0, 1 << 16),
    reasons=REASONS,
)
TIMESTAMPS = st.builds(TimestampResult, TEXT, STANDINGS, of_this_signature=MAYBE, reasons=REASONS)
PURPOSES = st.lists(st.builds(Code, TEXT | st.just("5"), TEXT | st.just("ASTM-sigpurpose"), TEXT), max_size=3).map(
    tuple
)
SIGNATURES = st.builds(
    SignatureResult,
    location=st.just("") | TEXT,
    number=st.integers(1, 9),
    standing=STANDINGS,
    uid=TEXT,
    mac_id=st.none() | st.integers(0, 65535),
    mac_id_items=st.integers(0, 3),
    signed_at=TEXT,
    certificate_type=TEXT,
    algorithm=TEXT,
    transfer_syntax=TEXT,
    signed=LISTS,
    absent=LISTS,
    forbidden=LISTS,
    in_order=st.booleans(),
    mac=STANDINGS,
    variant=st.sampled_from(["", "unheard-of", *VARIANTS]),
    scheme=st.sampled_from(["rsa-pkcs1-v1.5", "rsa-other", "ecdsa", "dsa", "", "unheard-of"]),
    signature_octets=st.integers(0, 1 << 20),
    certificate=st.none() | CERTIFICATES,
    timestamp=st.none() | TIMESTAMPS,
    purposes=PURPOSES,
    covers_sequences=st.booleans(),
    covers_encapsulated=st.booleans(),
    profiles=st.lists(st.sampled_from(["C.1", "C.2", "C.3", "C.4"]), max_size=4).map(tuple),
    encoding=REASONS,
    reasons=REASONS,
)
EVIDENCE = st.builds(
    EvidenceReference,
    TEXT,
    TEXT,
    signatures=st.integers(0, 3),
    macs=st.integers(0, 3),
    mac_algorithms=st.lists(TEXT, max_size=3).map(tuple),
    standing=STANDINGS,
    reasons=REASONS,
)
DOCUMENTS = st.builds(
    DocumentResult,
    st.sampled_from(["sr", "kos"]),
    verification_flag=TEXT,
    verifying_observers=st.integers(0, 3),
    evidence=st.lists(EVIDENCE, max_size=3).map(tuple),
)
PRESENT = st.builds(PresentElement, TAGS | KNOWN, TEXT, st.booleans(), LISTS)
FILES = st.builds(
    FileResult,
    TEXT,
    STANDINGS,
    sop_class=TEXT | st.just("1.2.840.10008.5.1.4.1.1.2"),
    sop_instance=TEXT,
    signatures=st.lists(SIGNATURES, max_size=3).map(tuple),
    mac_ids=st.lists(st.integers(0, 9), max_size=4).map(tuple),
    present=st.lists(PRESENT, max_size=6).map(tuple),
    document=st.none() | DOCUMENTS,
    problems=REASONS,
)


@pytest.mark.parametrize("profile", ["C.2", "A.4"])
@SETTINGS
@given(results=st.lists(FILES, max_size=3))
def test_creators_get_a_verdict_whatever_their_objects_hold(profile: str, results: list[FileResult]) -> None:
    observations = [created(*results), created(*results[:1], subject="ct")]
    found = verdicts(observations, claim(profile), (claim("C.3"),))
    assert all(each.kind.value != "error" for each in found.values())
    assert all(each.reason.isprintable() for each in found.values())
    advised = advise(SIGNER, (claim(profile),), Observations.of(observations, NOW))
    assert all(each.text and each.remedy for each in advised)


ANSWERS = st.builds(
    VerifierAnswer,
    case=TEXT,
    text=TEXT,
    rule=st.sampled_from(["sha256", "changed-value", "timestamp", "unheard-of"]),
    treatment=st.sampled_from(["valid", "not-valid", "either"]),
    level=st.sampled_from(["shall", "should"]),
    answer=st.sampled_from(["valid", "invalid", "unverifiable", ""]),
    told_by=TEXT,
    skipped=TEXT,
)


@SETTINGS
@given(given_answers=st.lists(ANSWERS, max_size=8, unique_by=lambda each: each.case))
def test_verifiers_get_a_verdict_whatever_they_say(given_answers: list[VerifierAnswer]) -> None:
    found = verdicts(answers(*given_answers), claim("C.1", "signature-verifier"))
    assert all(each.kind.value != "error" for each in found.values())
