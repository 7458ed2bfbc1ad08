"""What a fault is said to turn, umbrella requirements computed, to hold against what a run shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.catalogue import Requirement, load_catalogue
from harness.record.models import VerdictKind
from tests.faults.observe import EDITION, Run

Turned = dict[str, VerdictKind]


def selected(profile: str, protocol: str, role: str, edition: str = EDITION) -> tuple[Requirement, ...]:
    """The requirements of a claim of `profile` in `role`, where `protocol` is spoken."""
    return load_catalogue().select(profile, edition, role, protocol)


def expected(profile: str, breaks: Mapping[str, str], becomes: Mapping[str, str], untouched: Run) -> Turned:
    """Every verdict other than that of `untouched` which a run has to show under `profile`.

    `breaks` and `becomes` name requirements that are no umbrellas; these are derived by the rule of the catalogue.
    """
    edition = next(claim.edition for claim in untouched.sut.claims if claim.profile == profile)
    claimed = selected(profile, untouched.protocol, untouched.role, edition)
    before = untouched.kinds(profile)
    stated = {name: VerdictKind(kind) for name, kind in {**breaks, **becomes}.items()}
    after = before | stated
    for umbrella in (one for one in claimed if one.judged == "derived" and one.id in before):
        members = load_catalogue().members_of(umbrella, profile, edition, untouched.role, untouched.protocol)
        after[umbrella.id] = derived(members, after)
    return {name: kind for name, kind in after.items() if before.get(name) is not kind}


def derived(members: Iterable[Requirement], kinds: Mapping[str, VerdictKind]) -> VerdictKind:
    """How an umbrella over `members` ends, of which `kinds` tells how each ended."""
    found = {kinds[one.id] for one in members if one.level == "shall" and one.id in kinds}
    order = (VerdictKind.FAIL, VerdictKind.ERROR, VerdictKind.INCONCLUSIVE, VerdictKind.PASS)
    return next((kind for kind in order if kind in found), VerdictKind.NOT_APPLICABLE)


def turned(profile: str, run: Run, untouched: Run) -> Turned:
    """Every verdict of `run` under `profile` that differs from the untouched one's."""
    before = untouched.kinds(profile)
    return {name: kind for name, kind in run.kinds(profile).items() if before.get(name) is not kind}


def compared(stated: Turned, seen: Turned, before: Turned) -> dict[str, tuple[VerdictKind | None, VerdictKind | None]]:
    """Where `stated` and `seen` differ: name -> (stated, seen).

    A requirement that did not apply before, and is met now that it does, need not be stated.
    """
    return {
        name: (stated.get(name), seen.get(name))
        for name in stated.keys() | seen.keys()
        if stated.get(name) is not seen.get(name)
        and not (
            name not in stated and seen[name] is VerdictKind.PASS and before.get(name) is VerdictKind.NOT_APPLICABLE
        )
    }


def told(differences: Mapping[str, tuple[VerdictKind | None, VerdictKind | None]], profile: str, run: Run) -> str:
    """The differences between stated (first) and seen (second), one a line, with the verdict's reason."""
    lines = []
    for name, kinds in sorted(differences.items()):
        stated, seen = (kind.value if kind else "unchanged" for kind in kinds)
        verdict = run.of(profile).get(name)
        lines.append(f"{profile} {name}: stated {stated}, seen {seen} ({verdict.reason if verdict else 'not judged'})")
    return "\n".join(lines)
