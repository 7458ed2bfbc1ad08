"""Verdicts arranged for readers: by claim, DICOM's own requirements apart from imported ones, what failed first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.record import ClaimVerdict, NotExamined, RunRecord, SourceRecord, VerdictKind, VerdictRecord
from reports.sources import source_title, source_url
from reports.text import slug, spoken
from reports.words import WORDS, VerdictWord, rank, word, worst

ClaimKey = tuple[str, str, str, str]


@dataclass(frozen=True)
class Clause:
    """A clause with its link, "" where there is none."""

    title: str
    url: str


@dataclass(frozen=True)
class Member:
    """A member of an umbrella requirement."""

    requirement: str
    word: VerdictWord
    anchor: str


@dataclass(frozen=True)
class Finding:
    """A verdict as the report shows it."""

    record: VerdictRecord
    word: VerdictWord
    anchor: str
    observed: str
    clauses: tuple[Clause, ...]
    members: tuple[Member, ...]
    waived: bool

    @property
    def open(self) -> bool:
        """Whether it is unfolded from the start: everything that needs a decision is."""
        return self.record.verdict in {VerdictKind.FAIL, VerdictKind.ERROR} and not self.record.derived


@dataclass(frozen=True)
class FindingGroup:
    """Findings of one origin within a claim."""

    title: str
    anchor: str
    findings: tuple[Finding, ...]
    counts: tuple[tuple[VerdictWord, int], ...]  # umbrellas apart, as in the claim's numbers
    derived: int


@dataclass(frozen=True)
class ClaimView:
    """A claim with its verdict, numbers and findings."""

    record: ClaimVerdict
    title: str
    anchor: str
    word: VerdictWord
    own: tuple[tuple[VerdictWord, int], ...]
    imported: tuple[tuple[VerdictWord, int], ...]
    own_word: VerdictWord | None
    imported_word: VerdictWord | None
    groups: tuple[FindingGroup, ...]


@dataclass(frozen=True)
class Headline:
    """One requirement that needs attention, over all claims in which it does."""

    requirement: str
    title: str
    profiles: str
    level: str
    remedy: str
    anchor: str
    waived_until: str
    own: bool


@dataclass(frozen=True)
class Reason:
    """One reason for which requirements stayed open, with these requirements."""

    text: str
    requirements: tuple[tuple[str, str], ...]  # id and anchor


@dataclass(frozen=True)
class Unexamined:
    """A requirement that was not examined, over all profiles that have it."""

    item: NotExamined
    profiles: str


def claims_of(record: RunRecord) -> list[ClaimView]:
    """Every claim with its findings; claims that the record does not roll up are rolled up here."""
    anchors = _anchors(record.verdicts)
    by_claim: dict[ClaimKey, list[VerdictRecord]] = {}
    for verdict in record.verdicts:
        by_claim.setdefault(_claim(verdict), []).append(verdict)
    claims = {_claim(claim): claim for claim in record.claims}
    for key, verdicts in by_claim.items():
        claims.setdefault(key, _rolled_up(key, verdicts))
    return [_claim_view(claim, by_claim.get(key, []), anchors) for key, claim in claims.items()]


def failures_of(claims: Iterable[ClaimView], kind: VerdictKind = VerdictKind.FAIL) -> list[Headline]:
    """Each requirement with that verdict once: DICOM's own first, umbrellas left out, waived ones last."""
    found: dict[str, list[Finding]] = {}
    for claim in claims:
        for finding in _all(claim):
            if finding.record.verdict == kind and not finding.record.derived:
                found.setdefault(finding.record.requirement, []).append(finding)
    headlines = [_headline(findings) for findings in found.values()]
    return sorted(headlines, key=lambda headline: (bool(headline.waived_until), not headline.own))


def open_reasons(claims: Iterable[ClaimView], kind: VerdictKind) -> list[Reason]:
    """Why requirements stayed open: each reason once with the requirements it holds for, most of them first."""
    found: dict[str, dict[str, str]] = {}
    for claim in claims:
        for finding in _all(claim):
            if finding.record.verdict == kind and not finding.record.derived:
                found.setdefault(finding.record.reason, {}).setdefault(finding.record.requirement, finding.anchor)
    reasons = [Reason(text or "no reason was recorded", tuple(names.items())) for text, names in found.items()]
    return sorted(reasons, key=lambda reason: -len(reason.requirements))


def unexamined_of(items: Iterable[NotExamined]) -> list[Unexamined]:
    """Requirements that were not examined, each once, in the order of the catalogue."""
    found: dict[tuple[str, str], list[NotExamined]] = {}
    for item in items:
        found.setdefault((item.requirement, item.reason), []).append(item)
    return [Unexamined(same[0], ", ".join(dict.fromkeys(item.profile for item in same))) for same in found.values()]


def counted(numbers: Mapping[str, int]) -> tuple[tuple[VerdictWord, int], ...]:
    """Numbers above zero with their words, in the order of listings."""
    return tuple((found, numbers[kind]) for kind, found in WORDS.items() if numbers.get(kind))


def _all(claim: ClaimView) -> Iterable[Finding]:
    return (finding for group in claim.groups for finding in group.findings)


def _claim(of: VerdictRecord | ClaimVerdict) -> ClaimKey:
    return of.endpoint, of.profile, of.edition, of.role


def _anchors(verdicts: Iterable[VerdictRecord]) -> dict[str, str]:
    anchors: dict[str, str] = {}
    used: set[str] = set()
    for verdict in verdicts:
        # The name of the SUT is left out: links to findings then hold for every device of a kind.
        name = slug(f"{verdict.endpoint}-{verdict.profile}-{verdict.edition}-{verdict.role}-{verdict.requirement}")
        while name in used:
            name += "-again"
        used.add(name)
        anchors[verdict.key] = name
    return anchors


def _rolled_up(key: ClaimKey, verdicts: list[VerdictRecord]) -> ClaimVerdict:
    endpoint, profile, edition, role = key
    every = _count(verdicts)
    worst_of_all = worst({kind: number for kind, number in every.items() if kind != "warning"})
    return ClaimVerdict(
        profile=profile,
        edition=edition,
        role=role,
        endpoint=endpoint,
        verdict=VerdictKind(worst_of_all.kind if worst_of_all else "inconclusive"),
        own=_count(verdict for verdict in verdicts if not verdict.imported),
        imported=_count(verdict for verdict in verdicts if verdict.imported),
    )


def _count(verdicts: Iterable[VerdictRecord]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for verdict in verdicts:
        numbers[verdict.verdict.value] = numbers.get(verdict.verdict.value, 0) + 1
    return numbers


def _claim_view(claim: ClaimVerdict, verdicts: list[VerdictRecord], anchors: Mapping[str, str]) -> ClaimView:
    anchor = slug(f"claim-{claim.endpoint}-{claim.profile}-{claim.edition}-{claim.role}")
    by_id = {verdict.requirement: verdict for verdict in verdicts}
    findings = sorted(
        (_finding(verdict, by_id, anchors) for verdict in verdicts),
        key=lambda finding: (_origin(finding.record), rank(finding.record.verdict), finding.record.derived),
    )
    groups = []
    for (position, title), same in groupby(findings, key=lambda finding: _origin(finding.record)):
        listed = tuple(same)
        counts = counted(_count(finding.record for finding in listed if not finding.record.derived))
        derived = sum(finding.record.derived for finding in listed)
        groups.append(FindingGroup(title, f"{anchor}-{position}-{slug(title)}", listed, counts, derived))
    return ClaimView(
        record=claim,
        title=f"{claim.profile} ({claim.edition}), {claim.role}",
        anchor=anchor,
        word=word(claim.verdict),
        own=counted(claim.own),
        imported=counted(claim.imported),
        own_word=worst(claim.own),
        imported_word=worst(claim.imported),
        groups=tuple(groups),
    )


def _origin(verdict: VerdictRecord) -> tuple[int, str]:
    if verdict.vendor_suite:
        return 2, f"Requirements of the suite {verdict.vendor_suite}"
    if verdict.imported:
        return 1, f"Brought in by reference ({'RFC 5425' if verdict.profile == 'A.6' else 'BCP 195'}, TLS)"
    return 0, f"{'IHE' if verdict.profile.startswith('IHE-') else 'DICOM'}'s own requirements"


def _finding(verdict: VerdictRecord, by_id: Mapping[str, VerdictRecord], anchors: Mapping[str, str]) -> Finding:
    members = sorted(
        (by_id[name] for name in verdict.members if name in by_id), key=lambda member: rank(member.verdict)
    )
    return Finding(
        record=verdict,
        word=word(verdict.verdict),
        anchor=anchors[verdict.key],
        observed=spoken(verdict.observed),
        clauses=_clauses(verdict.sources),
        members=tuple(Member(member.requirement, word(member.verdict), anchors[member.key]) for member in members),
        waived=verdict.waiver is not None and not verdict.waiver.expired,
    )


def _clauses(sources: Sequence[SourceRecord]) -> tuple[Clause, ...]:
    titles = [source_title(source) for source in sources]
    clauses = []
    for title, source in zip(titles, sources, strict=True):
        several = titles.count(title) > 1 and source.paragraph
        paragraph = f", paragraph {source.paragraph.removeprefix('para_')[:8]}" if several else ""
        clauses.append(Clause(f"{title}{paragraph}", source_url(source)))
    return tuple(clauses)


def _headline(findings: list[Finding]) -> Headline:
    first = findings[0].record
    waiver = first.waiver if all(finding.waived for finding in findings) else None
    return Headline(
        requirement=first.requirement,
        title=first.title,
        profiles=", ".join(dict.fromkeys(finding.record.profile for finding in findings)),
        level=first.level,
        remedy=first.remedy,
        anchor=findings[0].anchor,
        waived_until=waiver.until.isoformat() if waiver is not None else "",
        own=not first.imported,
    )
