"""Which profiles, editions and roles can be claimed, and the sentences for those that cannot.

What is held is given as (profile, edition or span of editions, role), as the catalogue has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.errors import UsageProblem
from harness.sut_parts import closest, misplaced
from reference_impl.editions import edition_key, in_words, includes, is_edition, last_of
from reference_impl.transport import profiles
from reference_impl.transport.beside import EDITIONS

if TYPE_CHECKING:
    from harness.catalogue import Catalogue
    from harness.record.models import ClaimRecord, SutRecord
    from harness.sut import Sut

DEFAULT_EDITION = "2026c"
IHE_EDITION = "ITI-20.0"
"""Of the IHE IT Infrastructure Technical Framework."""
Held = Iterable[tuple[str, str, str]]


def default_edition(profile: str) -> str:
    """The edition of a claim that names none: the last that holds the profile."""
    beside = EDITIONS.get(profile, IHE_EDITION if profile.startswith("IHE-") else DEFAULT_EDITION)
    return profiles.default_edition(profile) or beside


def held_by(catalogue: Catalogue) -> frozenset[tuple[str, str, str]]:
    """The profiles, spans of editions and roles for which `catalogue` has requirements."""
    return frozenset((of.profile, span, each.role) for each in catalogue for of in each.applies for span in of.editions)


def check_claims(sut: Sut, known: Held) -> None:
    """Raise `UsageProblem` for every claim whose profile, edition and role none of `known` is."""
    held = frozenset(known)
    problems = []
    for number, claim in enumerate(sut.file.claims, 1):
        where = f"{sut.source}: claims #{number}"
        roles = sorted(
            {role for profile, span, role in held if profile == claim.profile and includes(span, claim.edition)}
        )
        if problem := profile_problem(claim.profile, held):
            problems.append(f"{where}: profile: {problem}")
        elif problem := edition_problem(claim.profile, claim.edition, held):
            problems.append(f"{where}: edition: {problem}")
        elif claim.role not in roles:
            problems.append(
                f"{where}: role: {claim.profile} is not judged for the role {claim.role.value!r} by this version; "
                f"write one of: {', '.join(roles)}"
            )
    if problems:
        raise UsageProblem("\n".join(problems))


def chosen_edition(profile: str, edition: str | None, known: Held) -> str:
    """The edition by which to judge where ``--profile`` and perhaps ``--edition`` are given.

    Raises `UsageProblem` for what is not held.
    """
    held = frozenset(known)
    if problem := profile_problem(profile, held):
        raise UsageProblem(f"--profile: {problem}")
    chosen = edition or _last_held(profile, held)
    if problem := edition_problem(profile, chosen, held):
        raise UsageProblem(f"--edition: {problem}" if edition else f"--profile: {problem}")
    return chosen


def claims_to_judge(sut: SutRecord, profile: str | None, edition: str | None, known: Held) -> tuple[ClaimRecord, ...]:
    """The claims of `sut`, each once, or what they would be by another `profile` or `edition`.

    A claim at an endpoint, or in a role, that is not judged by `profile` stays as it is. Raises `UsageProblem` where
    all are.
    """
    held = frozenset(known)
    protocols = {endpoint.name: endpoint.protocol for endpoint in sut.endpoints}
    roles = {role for name, _, role in held if name == profile}
    out_of_place = [
        misplaced(profile or claim.profile, protocols.get(claim.endpoint, ""), claim.role)
        or _in_other_role(claim, profile, roles)
        for claim in sut.claims
    ]
    if profile is not None and not profile_problem(profile, held) and out_of_place and all(out_of_place):
        raise UsageProblem(f"--profile: {out_of_place[0]}")
    chosen: dict[tuple[str, str, str, str], ClaimRecord] = {}
    for claim, elsewhere in zip(sut.claims, out_of_place, strict=True):
        wanted = claim
        if (profile is not None or edition is not None) and not elsewhere:
            name = profile or claim.profile
            kept = claim.edition if name == claim.profile else None
            changed = {"profile": name, "edition": chosen_edition(name, edition or kept, held)}
            wanted = claim.model_copy(update=changed)
        key = (wanted.profile, wanted.edition, wanted.role, wanted.endpoint)
        same = chosen.get(key)
        alternates = (*(same.alternates if same else ()), *wanted.alternates)
        chosen[key] = wanted.model_copy(update={"alternates": tuple(dict.fromkeys(alternates))})
    return tuple(chosen.values())


def _in_other_role(claim: ClaimRecord, profile: str | None, roles: Iterable[str]) -> str:
    """Why nothing in the role of `claim` is judged by `profile`; empty if something may be, or if none is asked for."""
    judged = sorted(roles)
    if profile is None or not judged or claim.role in judged:
        return ""
    return f"{profile} is not judged for the role {claim.role!r}, only for {', '.join(judged)}"


def check_kept(profile: str, edition: str | None, known: Iterable[str]) -> None:
    """Raise `UsageProblem` where the reference node or client cannot keep this profile, none of `known`."""
    names = tuple(known)
    if profile not in names:
        raise UsageProblem(f"--profile: {profiles.other_protocol(profile) or unknown_profile(profile, names)}")
    if edition and (problem := profiles.edition_problem(profile, edition)):
        raise UsageProblem(f"--edition: {problem}")


def profile_problem(profile: str, known: Held) -> str:
    """Why nothing is judged by `profile`, empty if something is."""
    names = {name for name, _, _ in known}
    return "" if profile in names else profiles.other_protocol(profile) or unknown_profile(profile, sorted(names))


def edition_problem(profile: str, edition: str, known: Held) -> str:
    """Why nothing is judged by `profile` in `edition`, empty if something is."""
    spans = {span for name, span, _ in known if name == profile}
    if problem := profiles.edition_problem(profile, edition):
        return problem
    if any(includes(span, edition) for span in spans):
        return ""
    held = ", ".join(sorted(in_words(span) for span in spans))
    return f"{profile} is not held in edition {edition!r}; write one of: {held}"


def unknown_profile(profile: str, known: Iterable[str]) -> str:
    """The sentence for a profile that is not held."""
    names = list(known)
    return f"there is no profile {profile!r} in this version (it holds {', '.join(names)}){closest(profile, names)}"


def _last_held(profile: str, held: Held) -> str:
    """The last edition of a profile, from the table of TLS profiles or else from what is held of it."""
    wanted = default_edition(profile)
    spans = [span for name, span, _ in held if name == profile]
    if any(includes(span, wanted) for span in spans) or profiles.edition_problem(profile, wanted):
        return wanted
    ends = [last_of(span) or span for span in spans]
    return max(ends, key=lambda end: edition_key(end) if is_edition(end) else (0, end))


__all__ = [
    "DEFAULT_EDITION",
    "check_claims",
    "check_kept",
    "chosen_edition",
    "claims_to_judge",
    "default_edition",
    "edition_problem",
    "held_by",
    "profile_problem",
    "unknown_profile",
]
