"""Audit messages of a SUT: what it sends when events are brought about, or what was captured in files (PS3.15 A.5)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.objects.base import MESSAGES, Handler, Subject, Work
from harness.sut import Sut
from harness.sut_audit import AWAY_AND_BACK
from reference_impl.audit.events import events

_BROUGHT = "audit messages that come of themselves"
_CAPTURED = "audit messages that were captured"


def subjects(sut: Sut, endpoint: str) -> Sequence[Subject]:
    """One for each event that is claimed, and one for an absent repository where that is wanted.

    Where no event is claimed, or messages are in files: one for what there is.
    """
    if sut.listen(endpoint) is None:
        return [Subject("", _CAPTURED)]
    audit, known = sut.audit(endpoint), events()
    planned = [
        Subject(name, f"{name}: {known[name].text}", driver=sut.event_driver(endpoint, name))
        for name in dict.fromkeys(audit.events)
    ]
    if not planned:
        planned.append(Subject("", _BROUGHT))
    if audit.away:
        text = "nobody listens while the device reports, and then somebody does again"
        planned.append(Subject(AWAY_AND_BACK, text, driver=audit.away))
    return planned


def handler(work: Work) -> Handler:
    """What obtains the messages of an endpoint. Raises `UsageProblem` where a port cannot be had."""
    if work.sut.listen(work.endpoint) is None:
        from harness.objects.audit_files import CapturedFiles

        return CapturedFiles(work)
    from harness.objects.audit_receiving import ReceivingMessages

    return ReceivingMessages(work)


__all__ = ["MESSAGES", "handler", "subjects"]
