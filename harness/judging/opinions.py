"""What the second opinion says beside a verdict: agrees, cannot know, or is in conflict.

A conflict is left where another scanner witnessed an acceptance that our probe, looking once more, could not
reproduce. Verdicts rest on it exactly if they would be other ones, had our probe seen the same: these are errors.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.judging.findings import Finding, shortened
from harness.judging.lookup import Observations
from harness.observations import Frozen, Observation, facts_of
from harness.observations.transport import (
    TLS12,
    TLS13,
    AcceptedSuite,
    CipherSuites,
    ClientAuthentication,
    GroupResult,
    Groups,
    GroupsOfVersion,
    SecondOpinion,
    SuitesOfVersion,
)
from harness.record.models import EndpointRecord, VerdictKind
from reference_impl.transport.registry import group, suite

_SUITE_KINDS = frozenset({"tls.cipher-suites", "tls.versions"})
_MOST_NAMED = 4


def in_conflict(observations: Observations) -> bool:
    """Whether a second opinion and our probes are left in conflict at any endpoint."""
    return any(
        bool((observation.facts or {}).get("conflicts"))
        for (_, kind, _), observation in observations.recorded.items()
        if kind == "tls.second-opinion"
    )


def as_the_other_saw(observations: Observations) -> Observations:
    """The observations as they would be, had our probes seen everything that the second opinion saw accepted."""
    recorded = dict(observations.recorded)
    for (endpoint, kind, _), observation in observations.recorded.items():
        opinion = facts_of(observation, SecondOpinion) if kind == "tls.second-opinion" else None
        if opinion is None or not opinion.conflicts:
            continue
        suites_at, groups_at = (endpoint, "tls.cipher-suites", ""), (endpoint, "tls.groups", "")
        if suites_at in recorded and (suites := facts_of(recorded[suites_at], CipherSuites)) is not None:
            recorded[suites_at] = _with(recorded[suites_at], _more_suites(suites, opinion))
        if groups_at in recorded and (groups := facts_of(recorded[groups_at], Groups)) is not None:
            recorded[groups_at] = _with(recorded[groups_at], _more_groups(groups, opinion))
    return Observations(recorded, observations.observed_at)


def _with(observation: Observation, facts: Frozen) -> Observation:
    return observation.model_copy(update={"facts": facts.model_dump(mode="json")})


def _more_suites(suites: CipherSuites, opinion: SecondOpinion) -> CipherSuites:
    versions = dict(suites.versions)
    for version, seen in opinion.versions.items():
        old = versions.get(version) or SuitesOfVersion(accepted=(), offered=0, complete=True)
        known = {entry.code for entry in old.accepted}
        added = tuple(AcceptedSuite(code=code, exchange="") for code in seen if code not in known)
        versions[version] = old.model_copy(update={"accepted": (*old.accepted, *added)})
    return CipherSuites(versions=versions)


def _more_groups(groups: Groups, opinion: SecondOpinion) -> Groups:
    version = TLS13 if opinion.versions.get(TLS13) else TLS12
    old = groups.versions.get(version) or GroupsOfVersion(groups=(), complete=True)
    known = {entry.code for entry in old.groups if entry.accepted}
    added = tuple(
        GroupResult(code=code, named=False, accepted=True, exchange="") for code in opinion.groups if code not in known
    )
    kept = tuple(entry for entry in old.groups if entry.accepted or entry.code not in opinion.groups)
    return groups.model_copy(
        update={"versions": groups.versions | {version: old.model_copy(update={"groups": (*kept, *added)})}}
    )


def unsettled(finding: Finding, had_we_seen_it: Finding | None, conflicts: Iterable[str]) -> Finding:
    """`finding`, or an error where it would be another one had our probe seen what the other witnessed."""
    if had_we_seen_it is None or had_we_seen_it.kind is finding.kind:
        return finding
    told = "; ".join(conflicts)
    return Finding(
        VerdictKind.ERROR,
        shortened(f"Another scanner witnessed what our probe could not reproduce: {told}"),
        finding.expected,
        finding.observed,
        "Run the probe again; if the conflict stays, compare the two scanners' evidence.",
        finding.evidence,
        finding.kinds,
    )


def conflicts_at(observations: Observations, endpoints: Iterable[EndpointRecord]) -> tuple[str, ...]:
    """The sentences of the conflicts at these endpoints."""
    found = [_opinion(observations, endpoint) for endpoint in endpoints]
    return tuple(dict.fromkeys(told for opinion in found if opinion is not None for told in opinion.conflicts))


def second_opinion(finding: Finding, observations: Observations, endpoint: EndpointRecord) -> str | None:
    """One sentence for the verdict, None where the second opinion has nothing to do with it."""
    topics = finding.kinds & (_SUITE_KINDS | {"tls.groups", "tls.client-authentication"})
    if not topics or finding.kind is VerdictKind.NOT_APPLICABLE:
        return None
    observation = observations.recorded.get((endpoint.name, "tls.second-opinion", ""))
    opinion = _opinion(observations, endpoint)
    if opinion is None:
        return f"Cannot tell: {observation.missing}" if observation is not None and observation.missing else None
    told: list[str] = []
    if topics & _SUITE_KINDS:
        told.append(_on_suites(observations, endpoint, opinion))
    if "tls.groups" in topics:
        told.append(_on_groups(observations, endpoint, opinion))
    if "tls.client-authentication" in topics:
        told.append(_on_client_authentication(observations, endpoint, opinion))
    return shortened(f"{opinion.tool} " + "; ".join(words for words in told if words) + ".") if any(told) else None


def _on_suites(observations: Observations, endpoint: EndpointRecord, opinion: SecondOpinion) -> str:
    if conflicts := [told for told in opinion.conflicts if not told.startswith("group ")]:
        return f"is in conflict: {'; '.join(conflicts[:_MOST_NAMED])}"
    observation = observations.recorded.get((endpoint.name, "tls.cipher-suites", ""))
    ours = facts_of(observation, CipherSuites) if observation is not None else None
    if ours is None or not opinion.versions:
        return "has nothing to compare with"
    unseen = {
        entry.code
        for version, suites in ours.versions.items()
        for entry in suites.accepted
        if entry.code not in opinion.versions.get(version, ())
    }
    names = [suite(code).name for code in sorted(unseen)]
    return _agreement("cipher suites", names)


def _on_groups(observations: Observations, endpoint: EndpointRecord, opinion: SecondOpinion) -> str:
    if conflicts := [told for told in opinion.conflicts if told.startswith("group ")]:
        return f"is in conflict: {'; '.join(conflicts[:_MOST_NAMED])}"
    observation = observations.recorded.get((endpoint.name, "tls.groups", ""))
    ours = facts_of(observation, Groups) if observation is not None else None
    if ours is None or not opinion.groups:
        return "has no opinion on groups"
    accepted = {entry.code for of in ours.versions.values() for entry in of.groups if entry.accepted}
    return _agreement("groups", [group(code).name for code in sorted(accepted - set(opinion.groups))])


def _on_client_authentication(observations: Observations, endpoint: EndpointRecord, opinion: SecondOpinion) -> str:
    observation = observations.recorded.get((endpoint.name, "tls.client-authentication", ""))
    ours = facts_of(observation, ClientAuthentication) if observation is not None else None
    if ours is None or not opinion.client_authentication:
        return "has no opinion on client authentication"
    agrees = any(ours.requested.values()) is (opinion.client_authentication != "disabled")
    return f"{'agrees' if agrees else 'disagrees'}: client authentication is {opinion.client_authentication}"


def _agreement(what: str, unseen: list[str]) -> str:
    if not unseen:
        return f"agrees on the {what}"
    more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
    return (
        f"agrees on the {what} that it can see; it cannot know, or did not see, {', '.join(unseen[:_MOST_NAMED])}{more}"
    )


def _opinion(observations: Observations, endpoint: EndpointRecord) -> SecondOpinion | None:
    observation = observations.recorded.get((endpoint.name, "tls.second-opinion", ""))
    return facts_of(observation, SecondOpinion) if observation is not None else None
