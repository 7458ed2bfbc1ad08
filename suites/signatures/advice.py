"""Advice on digital signatures, apart from verdicts: what the profiles allow and a site should know.

The words stand in ``advice.toml``; here stands when each is said. What was not observed is not advised on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from harness import AdviceRecord, ClaimRecord, EndpointRecord, Endpoints, Observations, SutRecord
from reference_impl.signatures.results import CertificateResult, Standing
from suites.occasions import Occasion, Rule, advice_on
from suites.signatures.view import SeenObject, SeenSignature, SignatureCreator, evidence_of
from suites.signatures.words import bounded, in_a_row

CREATOR = "signature-creator"
WEAK = frozenset({"MD5", "SHA1", "RIPEMD160"})
SOON = timedelta(days=30)
LEAST_BITS = {"rsa": 2048, "dsa": 2048, "ec": 224}
IDENTITY = ("(0010,0010)", "(0010,0020)")
INSTANCE = "(0008,0018)"
PIXELS = frozenset({"(7FE0,0008)", "(7FE0,0009)", "(7FE0,0010)"})
_MOST_NAMED = 4
_INSTANCE_RULE = "signature-instance-uid-unsigned"
_WORDS = Path(__file__).with_suffix(".toml")


def advise(endpoint: EndpointRecord, claims: tuple[ClaimRecord, ...], lookup: Observations) -> list[AdviceRecord]:
    """The advice on one endpoint, which `claims` are about, from the objects that were signed there."""
    sut = SutRecord(id="advice", claims=claims, endpoints=(endpoint,))
    creators = [SignatureCreator(lookup, Endpoints(endpoint), each, sut) for each in claims if each.role == CREATOR]
    return advice_on(endpoint, creators[:1], RULES, _WORDS)


def about(rule: str, seen: Sequence[SeenSignature] | Sequence[SeenObject], detail: str) -> Iterator[Occasion]:
    """An occasion that some of the objects give."""
    if seen:
        yield Occasion(rule, detail, evidence_of(seen)[:_MOST_NAMED])


def named(seen: Sequence[SeenSignature] | Sequence[SeenObject]) -> str:
    """Objects by their names, the first few."""
    return in_a_row(map(str, seen), _MOST_NAMED)


def weak_algorithm(creator: SignatureCreator) -> Iterator[Occasion]:
    """MAC algorithms whose collisions can be found, or that are no longer recommended."""
    weak = [each for each in creator.signatures if each.facts.algorithm in WEAK]
    used = ", ".join(sorted({each.facts.algorithm for each in weak}))
    yield from about("signature-weak-algorithm", weak, f"{used} in {named(weak)}")


def certificates(
    creator: SignatureCreator, wanted: Callable[[CertificateResult], bool]
) -> tuple[list[SeenSignature], str]:
    """The signatures whose certificates are `wanted`, and what to call them: by their subjects, each once."""
    found = [each for each in creator.signatures if each.facts.certificate and wanted(each.facts.certificate)]
    subjects = dict.fromkeys(bounded(each.facts.certificate.subject) for each in found if each.facts.certificate)
    return found, in_a_row(subjects, _MOST_NAMED)


def short_key(creator: SignatureCreator) -> Iterator[Occasion]:
    """Keys below what is held to last."""

    def short(found: CertificateResult) -> bool:
        return found.key_bits is not None and found.key_bits < LEAST_BITS.get(found.key_type, 0)

    seen, subjects = certificates(creator, short)
    sizes = sorted({f"{of.key_type.upper()} {of.key_bits}" for each in seen if (of := each.facts.certificate)})
    yield from about("signature-short-key", seen, f"{', '.join(sizes)} of {subjects}")


def weak_certificate(creator: SignatureCreator) -> Iterator[Occasion]:
    """Certificates signed with a weak hash function."""
    seen, subjects = certificates(
        creator, lambda found: any(reason.code == "certificate-weak-hash" for reason in found.reasons)
    )
    yield from about("signature-weak-certificate", seen, subjects)


def no_timestamp(creator: SignatureCreator) -> Iterator[Occasion]:
    """Signatures without a certified timestamp."""
    bare = [each for each in creator.signatures if each.facts.timestamp is None]
    yield from about("signature-no-timestamp", bare, named(bare))


def certificate_now(creator: SignatureCreator) -> Iterator[Occasion]:
    """Certificates that were in force and are no longer, or will not be for long."""
    now = creator.observed_at
    seen, subjects = certificates(
        creator, lambda found: found.at_signing is not Standing.INVALID and _ends(found, now) < now
    )
    yield from about("signature-certificate-expired-now", seen, subjects)
    seen, subjects = certificates(creator, lambda found: now <= _ends(found, now) < now + SOON)
    yield from about("signature-certificate-expires-soon", seen, subjects)


def _ends(found: CertificateResult, now: datetime) -> datetime:
    """When a certificate ends; far from now where that is not known."""
    try:
        end = datetime.fromisoformat(found.not_after)
    except ValueError:
        return now + 10 * SOON
    return end if end.tzinfo is not None else now + 10 * SOON


def unsigned(creator: SignatureCreator, tags: Sequence[str]) -> list[SeenObject]:
    """The objects that have one of `tags` and no signature at the top level that covers it."""
    found = []
    for each in creator.objects:
        covered = {tag for signature in each.at_top for tag in signature.facts.signed}
        if any(element.tag in tags and element.tag not in covered for element in each.present):
            found.append(each)
    return found


def not_covered(creator: SignatureCreator) -> Iterator[Occasion]:
    """What a reader would believe to be signed and is not."""
    for rule, tags in (
        ("signature-pixel-data-unsigned", tuple(PIXELS)),
        ("signature-patient-unsigned", IDENTITY),
        (_INSTANCE_RULE, (INSTANCE,)),
    ):
        bare = [each for each in unsigned(creator, tags) if rule != _INSTANCE_RULE or not is_draft(each)]
        yield from about(rule, bare, named(bare))


def is_draft(seen: SeenObject) -> bool:
    """Whether it is a document that is not verified: its instance UID can change (C.4)."""
    return seen.document is not None and seen.document.verification_flag != "VERIFIED"


def unknown_vr(creator: SignatureCreator) -> Iterator[Occasion]:
    """Elements that cannot be signed because their VR is lost."""
    holding = [each for each in creator.objects if any(element.holds_unknown for element in each.present)]
    yield from about("signature-unknown-vr", holding, named(holding))


RULES: tuple[Rule[SignatureCreator], ...] = (
    weak_algorithm,
    short_key,
    weak_certificate,
    no_timestamp,
    certificate_now,
    not_covered,
    unknown_vr,
)
