"""Where a second opinion and our probes disagree, and how that is settled.

A witnessed acceptance outranks somebody's absence. What only the other witnessed is looked at once more: seen now, it
amends our observation; not seen, it is a conflict, and verdicts that rest on it are errors of the harness rather
than failures of the SUT. What only we witnessed stands, with its evidence, and is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.observations import Frozen, Observation, Reaction
from harness.observations.transport import (
    SSL2,
    TLS12,
    TLS13,
    AcceptedSuite,
    CipherSuites,
    GroupResult,
    Groups,
    GroupsOfVersion,
    SuitesOfVersion,
)
from harness.probes.base import ProbeContext
from harness.second_opinion.opinion import Opinion
from reference_impl.transport.registry import SSL2_CIPHER_KINDS, group, suite, version_name

Topic = Literal["suite", "group"]
Witness = Literal["ours", "theirs"]
Looks = Mapping[Topic, Callable[[ProbeContext, int, int], Reaction]]

_MOST_SECOND_LOOKS = 64


@dataclass(frozen=True)
class Disagreement:
    """One suite or group that one side saw accepted and the other did not."""

    topic: Topic
    version: int
    code: int
    witness: Witness

    @property
    def name(self) -> str:
        """The IANA name and version: "TLS_RSA_WITH_NULL_SHA in TLS 1.2"."""
        if self.topic == "group":
            return f"group {group(self.code).name} in {version_name(self.version)}"
        kind = SSL2_CIPHER_KINDS.get(self.code) if self.version == SSL2 else None
        return f"{kind.name if kind else suite(self.code).name} in {version_name(self.version)}"


@dataclass(frozen=True)
class Settled:
    """What came of the disagreements: sentences, amended observations, and the evidence of second looks."""

    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    amended: tuple[Observation, ...] = ()
    exchanges: frozenset[str] = frozenset()


def compare(suites: CipherSuites | None, groups: Groups | None, opinion: Opinion) -> tuple[Disagreement, ...]:
    """Everything on which our facts and `opinion` disagree; facts that were not obtained disagree with nothing.

    What the scanner did not ask for (its table of what it cannot know, or a scan command that did not complete) is
    no disagreement.
    """
    found: list[Disagreement] = []
    if suites is not None:
        for version, theirs in opinion.accepted.items():
            result = suites.versions.get(version)
            ours = {entry.code for entry in result.accepted} if result else set()
            found += _differences("suite", version, ours, theirs, opinion.refused.get(version, ()))
    if groups is not None and opinion.group_version is not None:
        version = TLS13 if opinion.group_version == TLS13 else TLS12
        of_version = groups.versions.get(version)
        ours = {entry.code for entry in of_version.groups if entry.accepted} if of_version else set()
        found += _differences("group", version, ours, opinion.groups, opinion.refused_groups)
    return tuple(found)


def _differences(
    topic: Topic, version: int, ours: set[int], theirs: tuple[int, ...], refused: tuple[int, ...]
) -> list[Disagreement]:
    only_theirs = sorted(set(theirs) - ours)
    only_ours = sorted(ours & set(refused) - set(theirs))
    return [Disagreement(topic, version, code, "theirs") for code in only_theirs] + [
        Disagreement(topic, version, code, "ours") for code in only_ours
    ]


def look_again(context: ProbeContext, version: int, code: int) -> Reaction:
    """Offer one cipher suite in one version once more; its `accepted` says whether the server selected it."""
    from harness.second_opinion.looks import suite_reaction

    return suite_reaction(context, version, code)


def look_again_group(context: ProbeContext, version: int, code: int) -> Reaction:
    """Offer one group in one version once more; its `accepted` says whether the server used it."""
    from harness.second_opinion.looks import group_reaction

    return group_reaction(context, version, code)


_LOOKS: Looks = {"suite": look_again, "group": look_again_group}


def reconcile(context: ProbeContext, opinion: Opinion, looks: Looks = _LOOKS) -> Settled:
    """Compare `opinion` with what the probes of `context` recorded and settle every disagreement.

    Amended observations (`attempts` = 2) are made known to `context`, and are returned to be recorded in place of
    the first ones.
    """
    suites, groups = context.facts(CipherSuites), context.facts(Groups)
    disagreements = compare(suites, groups, opinion)
    notes = [
        f"{item.name}: {opinion.tool} was refused, our probe has the server's acceptance in evidence"
        for item in disagreements
        if item.witness == "ours"
    ]
    missed = [item for item in disagreements if item.witness == "theirs"]
    conflicts: list[str] = []
    seen: dict[Disagreement, Reaction] = {}
    for item in missed[:_MOST_SECOND_LOOKS]:
        reaction = looks[item.topic](context, item.version, item.code)
        if reaction.accepted:
            seen[item] = reaction
            notes.append(f"{item.name}: missed by our probe at first, seen when it looked once more")
        else:
            conflicts.append(
                f"{item.name}: {opinion.tool} saw it accepted, our probe was answered with {_answer(reaction)} twice"
            )
    if len(missed) > _MOST_SECOND_LOOKS:
        conflicts.append(f"{len(missed) - _MOST_SECOND_LOOKS} more disagreements were not looked at again")
    amended = tuple(_amended(context, suites, groups, seen)) if seen else ()
    for observation in amended:
        context.learn(observation)
    exchanges = frozenset(reaction.exchange for reaction in seen.values() if reaction.exchange)
    return Settled(tuple(conflicts), tuple(notes), amended, exchanges)


def _answer(reaction: Reaction) -> str:
    return f"alert {reaction.alert}" if reaction.alert is not None else reaction.kind.value.replace("_", " ")


def _amended(
    context: ProbeContext, suites: CipherSuites | None, groups: Groups | None, seen: Mapping[Disagreement, Reaction]
) -> list[Observation]:
    result = []
    more_suites = [(item, reaction) for item, reaction in seen.items() if item.topic == "suite"]
    more_groups = [(item, reaction) for item, reaction in seen.items() if item.topic == "group"]
    if suites is not None and more_suites:
        versions = dict(suites.versions)
        for item, reaction in more_suites:
            old = versions.get(item.version) or SuitesOfVersion(accepted=(), offered=0, complete=False)
            added = AcceptedSuite(code=item.code, exchange=reaction.exchange)
            versions[item.version] = old.model_copy(update={"accepted": (*old.accepted, added), "note": _NOTE})
        result.append(_again(context, "tls.cipher-suites", CipherSuites(versions=versions), more_suites))
    if groups is not None and more_groups:
        of_versions = dict(groups.versions)
        for item, reaction in more_groups:
            before = of_versions.get(item.version) or GroupsOfVersion(groups=(), complete=False)
            found = GroupResult(code=item.code, named=True, accepted=True, exchange=reaction.exchange)
            kept = tuple(entry for entry in before.groups if entry.code != item.code)
            of_versions[item.version] = before.model_copy(update={"groups": (*kept, found), "note": _NOTE})
        result.append(_again(context, "tls.groups", groups.model_copy(update={"versions": of_versions}), more_groups))
    return result


_NOTE = "amended after a second opinion made the probe look once more"


def _again(context: ProbeContext, kind: str, facts: Frozen, seen: list[tuple[Disagreement, Reaction]]) -> Observation:
    exchanges = tuple(reaction.exchange for _, reaction in seen if reaction.exchange)
    return context.observed(kind, facts, exchanges=exchanges).model_copy(update={"attempts": 2})
