"""Judging a record and writing its report: for a run that was just made, and for one that is judged again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageProblem
from harness.observations import Observation
from harness.record import RunRecord
from harness.record.journal import Journal
from harness.record.models import (
    AdviceEvent,
    ClaimEvent,
    Footer,
    JudgingEvent,
    NoteEvent,
    NotExaminedEvent,
    SeparationEvent,
    VerdictEvent,
    VerdictKind,
)
from harness.version import version

if TYPE_CHECKING:
    from harness.judging import Judgement

_CLIENT_TRIAL = "tls.client-trial"
_SAID = 160  # characters of what a driver said


def judge_record(
    begun: RunRecord,
    journal: Journal,
    *,
    observed: Callable[[], tuple[RunRecord, int]],
    suites: Sequence[Path],
    allow_inconclusive: bool,
    profile: str | None = None,
    edition: str | None = None,
) -> tuple[RunRecord, str]:
    """Judge a run, append the judging to `journal` in one block. The judged record, and why nothing was judged.

    `begun` is its record before anything was observed (or any later one); `observed` is asked once for the record to
    judge and for the number of connections that were made.
    """
    from harness.judging import exit_status, judge

    arrived: list[tuple[RunRecord, int]] = []

    def observations() -> list[Observation]:
        arrived.append(observed())
        return [event.observation for event in arrived[0][0].observations]

    observed_at = begun.header.started
    judgement = judge(
        begun.header.sut,
        observations,
        begun.answers,
        observed_at=observed_at,
        command=begun.header.command,
        profile=profile,
        edition=edition,
        suite_folders=suites,
    )
    ((record, connections),) = arrived
    nothing = _nothing_judged(record) or _nothing_said(judgement)
    now = datetime.now(UTC)
    judging = JudgingEvent(
        at=now,
        tool_version=version(),
        observed_at=observed_at,
        profile=profile or "",
        edition=edition or "",
        allow_inconclusive=allow_inconclusive,
    )
    notes = tuple(NoteEvent(at=now, text=note) for note in judgement.notes)
    footer = Footer(
        finished=now,
        connections=connections,
        summary=judgement.summary,
        exit_status=2 if nothing else exit_status(judgement, allow_inconclusive=allow_inconclusive),
    )
    journal.append_block(
        [
            judging,
            *notes,
            *(VerdictEvent(verdict=verdict) for verdict in judgement.verdicts),
            *(ClaimEvent(claim=claim) for claim in judgement.claims),
            *(AdviceEvent(advice=advice) for advice in judgement.advice),
            *(SeparationEvent(separation=separation) for separation in judgement.separations),
            *(NotExaminedEvent(item=item) for item in judgement.not_examined),
            footer,
        ]
    )
    judged = record.model_copy(
        update={
            "judging": judging,
            "notes": (*record.notes, *notes),
            "verdicts": judgement.verdicts,
            "claims": judgement.claims,
            "advice": judgement.advice,
            "separations": judgement.separations,
            "not_examined": judgement.not_examined,
            "footer": footer,
        }
    )
    return judged, nothing


def _nothing_judged(record: RunRecord) -> str:
    """Why nothing could be judged (no claimed endpoint showed anything), or nothing."""
    reasons: dict[str, str] = {}
    for event in record.observations:
        observation = event.observation
        why = _why_not(observation)
        if why is not None:
            if not why:
                return ""
            reasons.setdefault(observation.endpoint, why)
    return "; ".join(f"{endpoint}: {reason}" for endpoint, reason in reasons.items()) or "no endpoint was observed"


def _why_not(observation: Observation) -> str | None:
    """Why `observation` lets nothing be judged, empty where it does; None where that does not depend on it."""
    facts = observation.facts
    by_itself = observation.kind in {"tls.reachability", _CLIENT_TRIAL}
    if not by_itself and not observation.kind.startswith(("signatures.", "audit.")):
        return None
    if facts is None:
        return observation.missing
    match observation.kind:
        case "tls.client-trial":
            return "" if facts["connections"] else _never_came(facts)
        case "tls.reachability":
            return "" if facts.get("speaks") == "tls" else str(facts.get("diagnosis"))
        case "signatures.created":
            return "" if facts["objects"] else _made_nothing(facts, observation.missing)
        case "signatures.verified":
            return "" if facts["answer"] else facts["skipped"] or facts["told_by"] or "it gave no answer"
        case "audit.messages":
            return "" if facts["messages"] or facts["connections"] else _sent_nothing(facts, observation.missing)
        case "audit.delivered":
            told = any(facts["arrivals"]) or facts["follower"] or facts["refused"]
            return (
                ""
                if told or facts["answered_close"] is not None
                else facts["skipped"] or facts["detail"] or "it cannot be told what arrived"
            )
        case _:
            shown = facts.get("contexts") or facts.get("store_status") is not None  # what it accepts is shown, too
            return "" if shown else facts.get("skipped") or facts.get("detail") or "nothing was stored"


def _made_nothing(created: Mapping[str, Any], missing: str) -> str:
    """Why a SUT signed nothing, as far as its driver tells."""
    return f"the SUT signed nothing. {missing or _how_driven(created)}".strip()


def _sent_nothing(messages: Mapping[str, Any], missing: str) -> str:
    """Why a SUT sent no audit message, as far as its driver tells."""
    refused = next((each["refused"] for each in messages.get("connections", ()) if each.get("refused")), "")
    tls = f"A TLS handshake failed: {refused.rstrip('.')}." if refused else ""
    return f"the SUT sent no audit message. {missing or tls or _how_driven(messages)}".strip()


def _how_driven(facts: Mapping[str, Any]) -> str:
    """How the driver ended, with the last line of what it said where that was no success; or nothing."""
    driver = facts.get("driver") or {}
    status = driver.get("exit_status")
    if driver.get("problem") or status is None:
        return str(driver.get("problem", ""))
    last = next((line.strip() for line in reversed(driver.get("output", "").splitlines()) if line.strip()), "")
    said = f": {last[:_SAID]}" if last and status else ""
    return f"Its driver ended with status {status}{said}".rstrip(".") + "."


def _nothing_said(judgement: Judgement) -> str:
    """Why no verdict tells anything about the SUT, though something came from it; or nothing."""
    automatic = [verdict for verdict in judgement.verdicts if verdict.judged == "automatically"]
    if any(verdict.verdict not in {VerdictKind.INCONCLUSIVE, VerdictKind.NOT_APPLICABLE} for verdict in automatic):
        return ""
    reasons = Counter(verdict.reason for verdict in automatic if verdict.verdict is VerdictKind.INCONCLUSIVE)
    return next((reason for reason, _ in reasons.most_common(1)), "nothing that is judged automatically applies")


def _never_came(trial: Mapping[str, Any]) -> str:
    """Why a SUT did not connect in a trial, as far as its driver or those turned away tell."""
    strangers = ", ".join(trial.get("strangers", ()))
    turned_away = f" Turned away, because it is not the SUT's address: {strangers}." if strangers else ""
    return f"the SUT never connected. {trial.get('driver', {}).get('problem', '')}".strip() + turned_away


def write_report(
    record: RunRecord, directory: Path, *, pcap: bool = False, sign: Path | None = None, certificate: Path | None = None
) -> Path:
    """Write report and evidence of `record` into `directory`; the path of report.html.

    Raises `UsageProblem` where they cannot be written or signed.
    """
    try:
        return _write_report(record, directory, pcap, sign, certificate)
    except OSError as problem:
        raise UsageProblem(
            f"{directory}: the report cannot be written: {problem.strerror or problem}; make room, then: "
            f"ps315 judge {directory}"
        ) from None


def _write_report(record: RunRecord, directory: Path, pcap: bool, sign: Path | None, certificate: Path | None) -> Path:
    from reports import render

    report = render(record, directory)
    if pcap:
        from harness.pcap import write_pcap

        (directory / "evidence").mkdir(exist_ok=True)
        connections = (one for one in record.exchanges.values() if not one.is_of_objects)
        write_pcap(directory / "evidence" / "exchanges.pcap", connections)
    if sign is not None and certificate is not None:
        from reports.signing import SigningProblem
        from reports.signing import sign as sign_report

        try:
            sign_report(directory, sign, certificate)
        except SigningProblem as problem:
            raise UsageProblem(str(problem)) from None
    return report
