"""What a SUT says of crafted objects when it is to store them: each goes as it is, in its transfer syntax."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.objects.answering import facts_of
from harness.objects.base import Work
from harness.objects.dicom_port import Sent
from harness.objects.dicom_port import store as store_by_dimse
from harness.observations.signatures import Answer, VerifierAnswer
from harness.plan import FileStep
from reference_impl.storage.part10 import UnfitError, take_apart

if TYPE_CHECKING:
    from fixtures.signatures import SignedCase

_SUCCESS = 0x0000
_NOTHING_SAID = frozenset({0x0105, 0x0110, 0x0117, 0x0118, 0x0119, 0x0122, 0x0124, 0x0210, 0x0211, 0x0212})
"""Failures that concern the service, the SOP class or the peer, not the object (PS3.7 C)."""
_RESOURCES = range(0xA700, 0xA800)
_WARNINGS = range(0xB000, 0xC000)
_OBJECT_REFUSED = frozenset({400, 409, 422})
"""HTTP statuses that are about what was posted (PS3.18 10.5.3)."""
_UNANSWERED = 3
_LONG = 1.0  # seconds; a SUT that says no at once costs nothing


class Showing:
    """Sends objects by C-STORE or STOW-RS; what the SUT says is told by the status."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._web = work.where.protocol in {"http", "https"}
        self._unanswered = 0
        self._why = ""

    @property
    def gone(self) -> str:
        """Why nothing is sent any more."""
        if self._unanswered < _UNANSWERED:
            return ""
        return f"Nothing was answered {_UNANSWERED} times, and nothing is sent any more: {self._why}"

    def __call__(self, case: SignedCase, shown: Path, step: FileStep) -> VerifierAnswer:
        """Send one object."""
        octets = shown.read_bytes()
        try:
            instance = take_apart(octets)
        except UnfitError:
            return facts_of(case, skipped="It is no DICOM file that can be sent to be stored.")
        began = time.monotonic()
        if self._web:
            from harness.objects.web_port import store as store_by_web

            sent = store_by_web(self._work, instance, octets, step.seconds)
        else:
            sent = store_by_dimse(self._work, instance, step.seconds)
        if sent.taken:
            self._work.on_stored(instance.sop_instance, f"crafted object {case.name} (Patient ID PS315-TEST)")
        if sent.status is not None or sent.contexts:
            self._unanswered = 0
        elif time.monotonic() - began > _LONG:
            self._unanswered, self._why = self._unanswered + 1, sent.problem
        return self._said(case, sent)

    def _said(self, case: SignedCase, sent: Sent) -> VerifierAnswer:
        if sent.status is None:
            return facts_of(case, told_by=f"no answer: {sent.problem}")
        if self._web:
            answer: Answer = "valid" if sent.taken else "invalid" if sent.status in _OBJECT_REFUSED else ""
            told_by = sent.problem.partition(":")[0]  # what the web server says beside its status is for persons
            return facts_of(case, answer=answer, told_by=told_by, status=sent.status)
        told_by = f"C-STORE status {sent.status:04X}"
        return facts_of(case, answer=answer_of(sent.status), told_by=told_by, status=sent.status)


def answer_of(status: int) -> Answer:
    """What a C-STORE status (PS3.4 B.2.3) says of an object.

    Success: valid. A warning is no more than unverifiable. A failure that is about the object: invalid; one about
    the service or resources says nothing.
    """
    if status == _SUCCESS:
        return "valid"
    if status in _WARNINGS:
        return "unverifiable"
    return "" if status in _NOTHING_SAID or status in _RESOURCES else "invalid"
