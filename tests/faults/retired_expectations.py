"""What both matrices of retired profiles assert: of an untouched node or client, and of each row of their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.judging import Judgement
from harness.record.models import VerdictKind
from reference_impl.faults.retired import NODES, RetiredFault
from tests.faults.expectations import selected

CLAIMS = [(node, profile, edition) for node, claims in NODES.items() for profile, edition in claims]
Kinds = Mapping[tuple[str, str], VerdictKind]
"""Verdict by profile and requirement."""


def rows_of(faults: Iterable[RetiredFault]) -> dict[str, RetiredFault]:
    """The rows of a table by a name that suits a test."""
    return {f"{row.node}-{row.id}".replace(" ", "-"): row for row in faults}


def assert_all_kept(judgement: Judgement, node: str, role: str, protocol: str = "dicom-tls") -> None:
    """Everything that is claimed of `node` was judged, and all that applies is met."""
    wanted = {
        (profile, one.id)
        for profile, edition in NODES[node]
        for one in selected(profile, protocol, role, edition)
        if one.judged != "not-testable"
    }
    assert {(one.profile, one.requirement) for one in judgement.verdicts} == wanted
    wrong = {
        (one.profile, one.requirement): (one.verdict.value, one.reason)
        for one in judgement.verdicts
        if one.verdict not in {VerdictKind.PASS, VerdictKind.NOT_APPLICABLE}
    }
    assert wrong == {}


def assert_exact(row: RetiredFault, before: Kinds, after: Kinds, judgement: Judgement) -> None:
    """What `row` states is what turned; what did not apply before, and is met now that it does, need not be stated."""
    stated = {
        (profile, one): VerdictKind(kind) for profile, turned in row.turns.items() for one, kind in turned.items()
    }
    seen = {
        key: kind
        for key, kind in after.items()
        if before.get(key) is not kind
        and not (key not in stated and kind is VerdictKind.PASS and before[key] is VerdictKind.NOT_APPLICABLE)
    }
    reasons = {(one.profile, one.requirement): one.reason for one in judgement.verdicts}
    assert seen == stated, {key: reasons.get(key) for key in seen.keys() ^ stated.keys()}


def assert_known(row: RetiredFault, role: str) -> None:
    """A row breaks something, names automatic requirements of its claims, and turns each as its level says."""
    assert row.breaks, "a row that breaks nothing is none"
    for profile, edition in NODES[row.node]:
        known = {one.id: one for one in selected(profile, row.protocol, role, edition)}
        for requirement, verdict in row.turns.get(profile, {}).items():
            assert known[requirement].judged == "automatically", requirement
            if verdict in {"fail", "warning"}:
                assert verdict == ("fail" if known[requirement].level == "shall" else "warning"), requirement
