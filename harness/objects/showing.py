"""What a SUT says of crafted objects by the status of C-STORE: the object goes as it is, in its transfer syntax."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.drivers.dimse import tls_context
from harness.objects.answering import facts_of
from harness.objects.base import Work
from harness.observations.signatures import Answer, VerifierAnswer
from harness.plan import FileStep
from reference_impl.dicom_client import is_accepted, operate, store_command
from reference_impl.dimse import Association, Context, DicomError, Message
from reference_impl.storage.part10 import Instance, UnfitError, take_apart
from reference_impl.tcp import PlainConnection
from reference_impl.transport.client import EndedError

if TYPE_CHECKING:
    from fixtures.signatures import SignedCase

_SUCCESS = 0x0000
_NOTHING_SAID = frozenset({0x0105, 0x0110, 0x0117, 0x0118, 0x0119, 0x0122, 0x0124, 0x0210, 0x0211, 0x0212})
"""Failures that concern the service, the SOP class or the peer, not the object (PS3.7 C)."""
_RESOURCES = range(0xA700, 0xA800)
_WARNINGS = range(0xB000, 0xC000)
_UNANSWERED = 3


class Showing:
    """Sends objects by C-STORE; what the SUT says is told by the status."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._unanswered = 0
        self._why = ""

    def __call__(self, case: SignedCase, shown: Path, step: FileStep) -> VerifierAnswer:
        """Send one object."""
        if self._unanswered >= _UNANSWERED:
            return facts_of(case, skipped=f"Nothing answered {_UNANSWERED} times, and is sent no more: {self._why}")
        try:
            instance = take_apart(shown.read_bytes())
            status = self._stored(instance, step.seconds)
        except UnfitError as problem:
            return facts_of(case, skipped=f"It cannot be sent by C-STORE: {problem}.")
        except (EndedError, DicomError, OSError, ValueError) as problem:
            self._unanswered += 1
            self._why = str(problem)
            return facts_of(case, told_by=f"no C-STORE response: {problem}")
        self._unanswered = 0
        if status is None:
            return facts_of(case, told_by=f"no presentation context for {instance.sop_class} in {instance.syntax}")
        if is_accepted(status):
            self._work.on_stored(instance.sop_instance, f"crafted object {case.name}")
        return facts_of(case, answer=answer_of(status), told_by=f"C-STORE status {status:04X}", status=status)

    def _stored(self, instance: Instance, seconds: float) -> int | None:
        """The status of a C-STORE request; None where the SUT takes no such object."""
        self._work.check_running()
        with self._work.budget.connection(), self._connection(seconds) as transport:
            association = Association(transport)
            where = self._work.where
            asked = Context(1, instance.sop_class, (instance.syntax,))
            association.request(where.calling_aet, where.called_aet, [asked])
            context = association.context_for(instance.sop_class, instance.syntax)
            status = None
            if context is not None:
                command = store_command(instance.sop_class, instance.sop_instance)
                status = operate(association, Message(context.id, command, instance.data))
            with suppress(EndedError, DicomError):  # the answer counts, however the SUT takes leave
                association.release()
            return status

    def _connection(self, seconds: float) -> PlainConnection:
        """A connection to the SUT, secured where the endpoint is."""
        work, where = self._work, self._work.where
        connect = work.conduct.deadlines.connect
        if where.protocol == "dicom":
            return PlainConnection.to(where.host, where.reached_at, connect=connect, seconds=seconds)
        target = work.sut.target(work.endpoint)
        ends = time.monotonic() + seconds
        raw = socket.create_connection((where.host, where.reached_at), timeout=connect)
        try:
            raw.settimeout(max(ends - time.monotonic(), 0.1))
            secured = tls_context(target).wrap_socket(raw, server_hostname=where.server_name or where.host)
        except BaseException:
            raw.close()
            raise
        return PlainConnection(secured, seconds)


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
