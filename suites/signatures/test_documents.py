"""Creators: PS3.15 C.4 and A.4, signed structured reports and key object selections."""

from __future__ import annotations

from harness import Missing, NotApplicable, verifies
from reference_impl.signatures.profiles import is_verification
from reference_impl.signatures.results import DocumentResult, EvidenceReference, Standing
from suites.signatures.coverage import VERIFIED
from suites.signatures.test_creator_base import MAC_ALGORITHMS
from suites.signatures.test_creator_coverage import objects_of_profile
from suites.signatures.view import SeenObject, SeenSignature, SignatureCreator, expect_of_each
from suites.signatures.words import bounded, coded, counted, in_a_row, told

pytest_plugins = ("suites.signatures.fixtures",)

PROFILE = "C.4"
OTHER_LISTS = frozenset({"C.2", "C.3"})
_DIFFERENT = frozenset({"differs", "no-such-signature"})


@verifies("C.4-top-level-signature")
def test_a_document_has_a_signature_at_its_top_level(creator: SignatureCreator) -> None:
    """C.4: at least one digital signature at the top level of the data set."""
    expect_of_each(
        creator,
        creator.documents,
        lambda seen: (
            "" if seen.at_top else f"{counted(len(seen.signatures), 'signature')}, all of them within sequences"
        ),
        what="documents without a signature at the top level",
        expected="a signature at the top level",
    )


@verifies("C.4-one-verifying-observer")
def test_a_document_has_no_more_than_one_verifying_observer(creator: SignatureCreator) -> None:
    """C.4: documents where there is no more than one Verifying Observer."""

    def wrong(seen: SeenObject) -> str:
        observers = document(seen).verifying_observers
        return f"{observers} verifying observers" if observers > 1 else ""

    expect_of_each(
        creator,
        objects_of_profile(creator, PROFILE),
        wrong,
        what="documents with several verifying observers",
        expected="one item in the Verifying Observer Sequence, or none",
    )


@verifies("C.4-purpose")
def test_every_signature_tells_its_purpose(creator: SignatureCreator) -> None:
    """C.4: a purpose in all signatures that follow the profile; one beside them may follow another."""
    signatures = [each for seen in objects_of_profile(creator, PROFILE) for each in seen.signatures]

    def wrong(seen: SeenSignature) -> str:
        if seen.facts.purposes:
            return ""
        with_purpose = any(each.facts.purposes for each in seen.object.at_top)
        if with_purpose and (seen.facts.location or OTHER_LISTS & set(seen.facts.profiles)):
            raise NotApplicable("a signature that need not follow this profile")
        return "no purpose"

    expect_of_each(
        creator,
        signatures,
        wrong,
        what="signatures without a purpose",
        expected="a Digital Signature Purpose Code Sequence with an item",
    )


@verifies("C.4-verification-purpose")
def test_a_verified_document_has_a_signature_for_that_purpose(creator: SignatureCreator) -> None:
    """C.4: (5, ASTM-sigpurpose, "Verification Signature") in one signature of a verified document."""

    def wrong(seen: SeenObject) -> str:
        if document(seen).verification_flag != VERIFIED:
            raise NotApplicable("not verified")
        purposes = [each for signature in seen.signatures for each in signature.facts.purposes]
        if any(map(is_verification, purposes)):
            return ""
        return f"verified, with the purposes {in_a_row(map(coded, purposes))}" if purposes else "verified, no purpose"

    expect_of_each(
        creator,
        objects_of_profile(creator, PROFILE),
        wrong,
        what="verified documents without a verification signature",
        expected='a signature with the purpose (5, ASTM-sigpurpose, "Verification Signature")',
        concerned="a Verification Flag of VERIFIED",
    )


@verifies("C.4-reference-mac-algorithm")
def test_macs_of_referenced_instances_use_one_of_six_algorithms(creator: SignatureCreator) -> None:
    """C.4: in all occurrences of the Referenced SOP Instance MAC Sequence."""

    def wrong(seen: SeenObject) -> str:
        with_mac = [each for each in document(seen).evidence if each.macs]
        if not with_mac:
            raise NotApplicable("no reference with a MAC")
        other = {name for each in with_mac for name in each.mac_algorithms if name not in MAC_ALGORITHMS}
        untold = [each for each in with_mac if len(each.mac_algorithms) < each.macs]
        if untold and not other:
            return f"a MAC without an algorithm at {place(untold[0])}"
        return f"MAC Algorithm {in_a_row(sorted(name or 'not told' for name in other))}" if other else ""

    expect_of_each(
        creator,
        creator.documents,
        wrong,
        what="documents that refer by other MACs",
        expected=f"MAC Algorithm one of {', '.join(MAC_ALGORITHMS)}",
        concerned="a reference with a MAC",
    )


@verifies("A.4-evidence-references")
def test_every_reference_to_evidence_holds_a_signature_or_a_mac(creator: SignatureCreator) -> None:
    """A.4: every item of the Referenced SOP Sequences of both evidence sequences."""

    def wrong(seen: SeenObject) -> str:
        evidence = document(seen).evidence
        if not evidence:
            raise NotApplicable("no evidence")
        bare = [each for each in evidence if not each.signatures and not each.macs]
        return f"{len(bare)} of {len(evidence)} references bare: {in_a_row(map(place, bare), 3)}" if bare else ""

    expect_of_each(
        creator,
        creator.documents,
        wrong,
        what="documents with bare references",
        expected="a Referenced Digital Signature or Referenced SOP Instance MAC Sequence in every reference",
        concerned="a reference to evidence",
    )


@verifies("PS3.3-C.17.2.1-reference-mac")
def test_a_referenced_mac_is_that_of_the_instance(creator: SignatureCreator) -> None:
    """PS3.3 C.17.2.1, C.12.1.1.3.1.2: the MAC, or signature, of the instance referred to, where that is at hand."""

    def wrong(seen: SeenObject) -> str:
        secured = [each for each in document(seen).evidence if each.signatures or each.macs]
        judged = [each for each in secured if each.standing is not Standing.UNKNOWN]
        against = [each for each in judged if any(reason.code in _DIFFERENT for reason in each.reasons)]
        if against:
            return f"{len(against)} of {len(secured)} references do not fit: {told(against[0].reasons)}"
        if not secured or not judged:
            raise NotApplicable("no referenced instance at hand")
        return ""

    expect_of_each(
        creator,
        creator.documents,
        wrong,
        what="documents whose references do not fit",
        expected="the MAC or the signature of the referenced instance",
        concerned="a reference with a MAC or a signature to an instance that is at hand",
    )


def document(seen: SeenObject) -> DocumentResult:
    """What is known of a document. Raises `Missing` for an object that is none."""
    if seen.document is None:
        raise Missing(f"{seen} is neither a structured report nor a key object selection")
    return seen.document


def place(reference: EvidenceReference) -> str:
    """Where a reference stands, and what it refers to."""
    return bounded(f"{reference.place} ({reference.sop_instance})" if reference.sop_instance else reference.place)
