"""From findings to the verdicts of the record: sources, waivers, umbrellas, claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from harness.catalogue import Requirement, clause_url
from harness.judging.findings import WORST_FIRST, Case, Finding, shortened
from harness.record.models import (
    ClaimRecord,
    ClaimVerdict,
    SourceRecord,
    SutRecord,
    VerdictKind,
    VerdictRecord,
    WaiverRecord,
)

_MOST_NAMED = 5


def verdict_of(
    sut: SutRecord,
    case: Case,
    finding: Finding,
    observed_at: datetime,
    *,
    vendor_suite: str = "",
    members: Sequence[VerdictRecord] = (),
    second_opinion: str | None = None,
) -> VerdictRecord:
    """The verdict of `case`. `members` are those of an umbrella; `observed_at` decides whether a waiver still holds."""
    requirement, claim = case.requirement, case.claim
    waiver = _waiver(sut, case, finding, observed_at) or _inherited_waiver(requirement, finding, members)
    return VerdictRecord(
        key=f"{sut.id}/{case.label}",
        requirement=requirement.id,
        title=requirement.title,
        text=requirement.text,
        verdict=finding.kind,
        level=requirement.level,
        judged=requirement.judged,
        imported=requirement.imported,
        derived=requirement.judged == "derived",
        vendor_suite=vendor_suite,
        profile=claim.profile,
        edition=claim.edition,
        role=claim.role,
        endpoint=claim.endpoint,
        expected=finding.expected,
        observed=finding.observed,
        reason=finding.reason,
        remedy=finding.remedy,
        waiver=waiver,
        second_opinion=second_opinion,
        sources=tuple(
            SourceRecord(
                document=source.document,
                edition=source.edition,
                section=source.section,
                paragraph=source.paragraph,
                url=clause_url(source),
            )
            for source in requirement.sources
        ),
        see_also=requirement.see_also,
        evidence=finding.evidence,
        members=tuple(member.requirement for member in members),
    )


def _waiver(sut: SutRecord, case: Case, finding: Finding, observed_at: datetime) -> WaiverRecord | None:
    if finding.kind not in {VerdictKind.FAIL, VerdictKind.WARNING}:
        return None
    fitting = [
        waiver.model_copy(update={"expired": waiver.until < observed_at.date()})
        for waiver in sut.waivers
        if waiver.requirement == case.requirement.id and waiver.endpoint in {"", case.claim.endpoint}
    ]
    return max(fitting, key=lambda waiver: waiver.until, default=None)


def _inherited_waiver(umbrella: Requirement, finding: Finding, members: Sequence[VerdictRecord]) -> WaiverRecord | None:
    """An umbrella whose failed members are all waived is waived as long as the first of them."""
    failed = [member for member in members if member.verdict is VerdictKind.FAIL]
    waivers = [member.waiver for member in failed if member.waiver is not None and not member.waiver.expired]
    if finding.kind is not VerdictKind.FAIL or not failed or len(waivers) < len(failed):
        return None
    return WaiverRecord(
        requirement=umbrella.id,
        reason=f"Every failed member is waived: {_names([member.requirement for member in failed])}.",
        until=min(waiver.until for waiver in waivers),
    )


def derived(members: Sequence[VerdictRecord]) -> Finding:
    """The finding for an umbrella, from the verdicts of its members in the same claim (in scope, at least one).

    Failed exactly when a member failed; then an error; then what stayed inconclusive; a warning never propagates.
    """
    binding = [member for member in members if member.level == "shall"]
    by_kind = {kind: [one for one in binding if one.verdict is kind] for kind in WORST_FIRST}
    counts = {kind.value: len(by_kind[kind]) for kind in WORST_FIRST if by_kind[kind]}
    for kind, told in (
        (VerdictKind.FAIL, "Failed"),
        (VerdictKind.ERROR, "Could not be judged"),
        (VerdictKind.INCONCLUSIVE, "Inconclusive"),
    ):
        if deciding := by_kind[kind]:
            return Finding(
                kind,
                shortened(f"{told}: {_names([member.requirement for member in deciding])}."),
                (f"all {len(binding)} members met",),
                counts,
                next((member.remedy for member in deciding if member.remedy), "") if len(deciding) == 1 else "",
                tuple(dict.fromkeys(name for member in deciding for name in member.evidence)),
            )
    if not by_kind[VerdictKind.PASS]:
        return Finding(VerdictKind.NOT_APPLICABLE, "None of its members applies.", observed=counts)
    return Finding(VerdictKind.PASS, "Every member that applies is met.", (f"all {len(binding)} members met",), counts)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def claim_verdict(claim: ClaimRecord, verdicts: Iterable[VerdictRecord]) -> ClaimVerdict:
    """The verdict of a claim: the worst among what the profile itself, or what it imports, demands with shall.

    The counts tell DICOM's own requirements from imported ones. They leave out umbrellas, which would count their
    members twice, and what a vendor's suite adds, which DICOM does not ask.
    """
    built_in = [one for one in verdicts if not one.vendor_suite]
    binding = [one for one in built_in if one.level == "shall"]
    kinds = {one.verdict for one in binding}
    kind = next((kind for kind in WORST_FIRST if kind in kinds), VerdictKind.INCONCLUSIVE)
    plain = [one for one in built_in if not one.derived]
    deciding = [one for one in binding if one.verdict is kind and not one.derived]
    if kind is VerdictKind.PASS:
        warnings = sum(one.verdict is VerdictKind.WARNING for one in plain)
        reason = "Every shall that applies is met" + (f"; {warnings} should not met." if warnings else ".")
    elif not kinds:
        reason = "Nothing that binds the claim was judged."
    else:
        reason = f"{_HOW[kind]}: {_names([one.requirement for one in deciding])}."
        if kind is VerdictKind.FAIL and all(one.waiver is not None and not one.waiver.expired for one in deciding):
            reason += " Each of them is waived."
    return ClaimVerdict(
        profile=claim.profile,
        edition=claim.edition,
        role=claim.role,
        endpoint=claim.endpoint,
        verdict=kind,
        own=_counts(one for one in plain if not one.imported),
        imported=_counts(one for one in plain if one.imported),
        reason=reason,
    )


_HOW: Mapping[VerdictKind, str] = {
    VerdictKind.ERROR: "Could not be judged",
    VerdictKind.FAIL: "Failed",
    VerdictKind.INCONCLUSIVE: "Inconclusive",
    VerdictKind.NOT_APPLICABLE: "Does not apply",
}


def _counts(verdicts: Iterable[VerdictRecord]) -> dict[str, int]:
    counted = Counter(one.verdict for one in verdicts)
    return {kind.value: counted[kind] for kind in VerdictKind}
