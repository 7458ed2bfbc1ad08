"""Hand-made facts about signatures, and their judgements without the engine around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Any

from harness import CreatedObjects, SignedObject, VerifierAnswer
from harness.catalogue import BUILT_IN, Requirement, load_catalogue
from harness.judging import Observations
from harness.judging.expect import recording
from harness.judging.findings import Case, Finding, finding_of
from harness.judging.lookup import Endpoints, kind_of
from harness.judging.outcomes import Outcome
from harness.judging.verifies import verified_by
from harness.observations import Frozen, Observation
from harness.record.models import ClaimRecord, EndpointRecord, SutRecord
from reference_impl.signatures.results import (
    CertificateResult,
    Code,
    DocumentResult,
    EvidenceReference,
    FileResult,
    PresentElement,
    SignatureResult,
    Standing,
)
from suites.signatures.verifier_view import SignatureVerifier
from suites.signatures.view import SignatureCreator

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SIGNER = EndpointRecord(name="signer", protocol="files", host="")
CHECKER = EndpointRecord(name="checker", protocol="files", host="")
CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
VERIFICATION = Code("5", "ASTM-sigpurpose", "Verification Signature")
AUTHOR = Code("1", "ASTM-sigpurpose", "Author's Signature")


def claim(profile: str, role: str = "signature-creator") -> ClaimRecord:
    endpoint = SIGNER.name if role == "signature-creator" else CHECKER.name
    return ClaimRecord(profile=profile, edition="2026c", role=role, endpoint=endpoint)


# -- facts -----------------------------------------------------------------------------------------------------------

IMAGE = {
    "(0008,0008)": "CS",
    "(0008,0012)": "DA",
    "(0008,0013)": "TM",
    "(0008,0016)": "UI",
    "(0008,0018)": "UI",
    "(0008,0070)": "LO",
    "(0010,0020)": "LO",
    "(0020,000D)": "UI",
    "(0020,000E)": "UI",
    "(0020,0013)": "IS",
    "(0028,0010)": "US",
    "(7FE0,0010)": "OW",
}
REPORT = {
    "(0008,0016)": "UI",
    "(0008,0018)": "UI",
    "(0008,0070)": "LO",
    "(0020,000D)": "UI",
    "(0020,000E)": "UI",
    "(0040,A032)": "DT",
    "(0040,A040)": "CS",
    "(0040,A050)": "CS",
    "(0040,A073)": "SQ",
    "(0040,A360)": "SQ",
    "(0040,A375)": "SQ",
    "(0040,A385)": "SQ",
    "(0040,A491)": "CS",
    "(0040,A493)": "CS",
    "(0040,A730)": "SQ",
}
_NESTED = {"(0040,A073)": ("(0040,A030)", "(0040,A075)")}


def elements(tags: Mapping[str, str], nested: Mapping[str, tuple[str, ...]] = _NESTED) -> tuple[PresentElement, ...]:
    return tuple(PresentElement(tag, vr, nested=nested.get(tag, ())) for tag, vr in sorted(tags.items()))


CERTIFICATE = CertificateResult(
    at_signing=Standing.VALID,
    now=Standing.VALID,
    subject="CN=CT-1,O=Hospital",
    issuer="CN=Authority",
    key_type="rsa",
    key_bits=2048,
    not_before="2026-01-01T00:00:00+00:00",
    not_after="2027-01-01T00:00:00+00:00",
    version=3,
)


def signed(tags: Iterable[str] = IMAGE, **changes: Any) -> SignatureResult:
    """A good signature over `tags`, but for the `changes`."""
    good = SignatureResult(
        location="",
        number=1,
        standing=Standing.VALID,
        uid="1.2.3.1",
        mac_id=1,
        mac_id_items=1,
        signed_at="20260504120000.000000+0200",
        certificate_type="X509_1993_SIG",
        algorithm="SHA256",
        transfer_syntax="1.2.840.10008.1.2.1",
        signed=tuple(sorted(tags)),
        mac=Standing.VALID,
        scheme="rsa-pkcs1-v1.5",
        signature_octets=256,
        certificate=CERTIFICATE,
        profiles=("C.1",),
    )
    return replace(good, **changes)


def image(*signatures: SignatureResult, **changes: Any) -> FileResult:
    """A signed CT image."""
    given = signatures or (signed(),)
    good = FileResult(
        path="ct.dcm",
        standing=Standing.VALID,
        sop_class=CT,
        sop_instance="1.2.3",
        transfer_syntax="1.2.840.10008.1.2.1",
        signatures=given,
        mac_ids=tuple(dict.fromkeys(each.mac_id for each in given if each.mac_id is not None)),
        present=elements(IMAGE),
    )
    return replace(good, **changes)


EVIDENCE = EvidenceReference(
    place="(0040,A375)[1].(0008,1115)[1].(0008,1199)[1]",
    sop_instance="1.2.3.9",
    macs=1,
    mac_algorithms=("SHA256",),
    standing=Standing.VALID,
)


def report(*signatures: SignatureResult, verified: bool = True, **changes: Any) -> FileResult:
    """A signed structured report, verified unless told otherwise."""
    purposes = (VERIFICATION,) if verified else (AUTHOR,)
    given = signatures or (signed(REPORT, purposes=purposes, covers_sequences=True, uid="1.2.4.1"),)
    flag = "VERIFIED" if verified else "UNVERIFIED"
    good = image(
        *given,
        path="sr.dcm",
        sop_class=SR,
        sop_instance="1.2.4",
        present=elements(REPORT),
        document=DocumentResult("sr", flag, "COMPLETE", int(verified), (EVIDENCE,)),
    )
    return replace(good, **changes)


def created(*results: FileResult, subject: str = "", **changes: Any) -> Observation:
    """An observation of objects that came signed."""
    objects = tuple(
        SignedObject(name=one.path, result=one, exchange=f"signer-{number:04d}") for number, one in enumerate(results)
    )
    return observed(CreatedObjects(objects=objects, **changes), SIGNER, subject)


def answer(case: str, said: str = "", treatment: str = "valid", **changes: Any) -> VerifierAnswer:
    """What a verifier said of the object `case`, whose rule stands before the slash."""
    facts = {
        "case": case,
        "text": f"the object {case}",
        "rule": case.partition("/")[0],
        "treatment": treatment,
        "answer": said,
        "told_by": "exit status",
        "exchange": f"checker-{case}",
    }
    return VerifierAnswer.model_validate(facts | changes)


def answers(*given: VerifierAnswer) -> tuple[Observation, ...]:
    return tuple(observed(each, CHECKER, each.case) for each in given)


def observed(facts: Frozen, endpoint: EndpointRecord, subject: str) -> Observation:
    return Observation(
        kind=kind_of(type(facts)),
        subject=subject,
        endpoint=endpoint.name,
        observed_at=NOW,
        facts=facts.model_dump(mode="json"),
    )


def unobserved(endpoint: EndpointRecord, model: type[Frozen], subject: str, why: str) -> Observation:
    return Observation(
        kind=kind_of(model),
        subject=subject,
        endpoint=endpoint.name,
        observed_at=NOW,
        facts=None,
        missing=why,
        remedy="Try again.",
    )


# -- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judge:
    """A judgement and a requirement that it judges."""

    requirement: Requirement
    function: Callable[..., None]


@cache
def judgements(domain: str = "signatures") -> Mapping[str, tuple[Callable[..., None], ...]]:
    """The functions that judge each requirement of a domain."""
    found: dict[str, list[Callable[..., None]]] = {}
    for path in sorted((BUILT_IN / domain).glob("test_*.py")):
        module = import_module(f"suites.{domain}.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("test_") and function.__module__ == module.__name__:
                for requirement in verified_by(function):
                    found.setdefault(requirement, []).append(function)
    return {requirement: tuple(functions) for requirement, functions in found.items()}


def verdicts(
    observations: Iterable[Observation], of: ClaimRecord, claims: tuple[ClaimRecord, ...] = ()
) -> dict[str, Finding]:
    """What is found, by requirement, under the claim `of`; `claims` are further ones of the SUT."""
    given = tuple(observations)
    parsed: dict[int, tuple[Observation, Frozen]] = {}
    sut = SutRecord(id="sut", claims=(of, *claims), endpoints=(SIGNER, CHECKER))
    endpoint = SIGNER if of.role == "signature-creator" else CHECKER
    found = {}
    for requirement in load_catalogue().select(of.profile, of.edition, of.role, endpoint.protocol):
        if requirement.judged != "automatically":
            continue
        lookup = Observations({}, NOW, parsed=parsed)
        lookup.take(given)
        case = Case(of, requirement, Endpoints(endpoint))
        (function,) = judgements()[requirement.id]
        sides: dict[str, Callable[[], object]] = {
            "creator": lambda: SignatureCreator(lookup, case.endpoints, of, sut),  # noqa: B023 - called at once
            "verifier": lambda: SignatureVerifier(lookup, case.endpoints, of),  # noqa: B023
            "requirement": lambda: requirement,  # noqa: B023
        }
        raised: Outcome | None = None
        with recording() as ledger:
            try:
                function(**{name: sides[name]() for name in signature(function).parameters})
            except Outcome as outcome:
                raised = outcome
        found[requirement.id] = finding_of(case, raised, ledger, lookup.consulted)
    return found


def kinds(found: Mapping[str, Finding]) -> dict[str, str]:
    return {requirement: each.kind.value for requirement, each in found.items()}
