"""Storing an instance at a DICOM port and getting it back: C-STORE, C-GET, C-MOVE to a port of ours."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from harness.drivers.dimse import tls_context
from harness.objects.base import InterruptedStepError, Work
from harness.objects.ports import Gate, open_port
from reference_impl.dicom_client import C_STORE, is_accepted, operate, status_of, store_command
from reference_impl.dimse import ACCEPTED, Association, Context, DicomError, Message
from reference_impl.storage.archive import GET, MOVE, PATIENT_ROOT, STUDY_ROOT, Archive, instance_of, respond
from reference_impl.storage.behaviour import EXPLICIT, IMPLICIT
from reference_impl.storage.instances import InstanceStore, keys_of
from reference_impl.storage.part10 import Instance
from reference_impl.tcp import EndedError, PlainConnection

C_GET, C_MOVE = 0x0010, 0x0021
RECEIVED_OCTETS = 1 << 28
"""So much of one retrieval is taken."""
_ROOTS = (STUDY_ROOT, PATIENT_ROOT)
_MOST_OPERATIONS = 100
_PENDING = frozenset({0xFF00, 0xFF01})
_UNKNOWN_DESTINATION = 0xA801
_TICK = 0.05


@dataclass(frozen=True)
class Sent:
    """What became of storing: the status, None where none came, and the transfer syntaxes that were accepted.

    `taken`: the SUT says that it stored the instance; `unsaid`: it was sent, and the SUT said nothing.
    """

    status: int | None
    contexts: tuple[str, ...] = ()
    problem: str = ""
    taken: bool = False
    unsaid: bool = False


@dataclass(frozen=True)
class Got:
    """What was retrieved, or why nothing was. `later`: it may be there when it is asked for again."""

    instance: Instance | None
    problem: str = ""
    later: bool = False


@contextmanager
def association(work: Work, seconds: float) -> Iterator[Association]:
    """An association to be, with the SUT at its endpoint. Raises `EndedError` where it cannot be reached.

    It is over when the block ends, whatever happened.
    """
    target = work.sut.target(work.endpoint)
    work.check_running()
    with work.budget.connection():
        connection = PlainConnection.to(
            target.host, target.port, connect=work.conduct.deadlines.connect, seconds=seconds
        )
        with connection:
            if target.protocol == "dicom-tls":
                try:
                    name = target.server_name or target.host
                    connection.secure(tls_context(target), name)
                except (OSError, ValueError) as problem:
                    raise EndedError(f"TLS did not come about: {problem}") from None
            yield Association(connection, RECEIVED_OCTETS)


def store(work: Work, instance: Instance, seconds: float) -> Sent:
    """Send `instance` as it is by C-STORE; its transfer syntax and two others are proposed, each by itself."""
    proposed = _proposed(instance)
    contexts: tuple[str, ...] = ()
    where, sending = work.where, False
    try:
        with association(work, seconds) as asked:
            results = asked.request(where.calling_aet, where.called_aet, proposed)
            contexts = tuple(one.syntax for one in results if one.result == ACCEPTED)
            context = asked.context_for(instance.sop_class, instance.syntax)
            if context is None:
                asked.release()
                return Sent(None, contexts, _not_taken(instance, contexts))
            command = store_command(instance.sop_class, instance.sop_instance)
            sending = True
            status = operate(asked, Message(context.id, command, instance.data))
            asked.release()
            taken = is_accepted(status)
            return Sent(status, contexts, "" if taken else f"C-STORE status 0x{status:04X}", taken)
    except (EndedError, DicomError) as problem:
        return Sent(None, contexts, str(problem), unsaid=sending)


def _proposed(instance: Instance, *, stores: bool = False) -> list[Context]:
    syntaxes = dict.fromkeys((instance.syntax, EXPLICIT, IMPLICIT))
    return [Context(1, instance.sop_class, (syntax,), requestor_stores=stores) for syntax in syntaxes]


def _not_taken(instance: Instance, contexts: tuple[str, ...]) -> str:
    name = UID(instance.sop_class).name
    if not contexts:
        return f"no transfer syntax was accepted for {name}"
    others = ", ".join(UID(one).name for one in contexts)
    return f"{UID(instance.syntax).name} was not accepted for {name}, only {others}"


def get(work: Work, instance: Instance, seconds: float) -> Got:
    """Retrieve `instance` by C-GET. Explicit VR is proposed beside implicit VR, so that the SUT has the choice."""
    proposed = [*_models(GET), *_proposed(instance, stores=True)]
    where = work.where
    try:
        with association(work, seconds) as asked:
            asked.request(where.calling_aet, where.called_aet, proposed)
            context = _model(asked, GET)
            if context is None:
                asked.release()
                return Got(None, "the SUT takes no C-GET requests")
            found, status = _get(asked, context, instance)
            asked.release()
    except (EndedError, DicomError) as problem:
        return Got(None, str(problem))
    return Got(found, "" if found else f"C-GET ended with status 0x{status:04X} and brought nothing", not found)


def _models(service: str) -> list[Context]:
    """What is proposed for C-GET or C-MOVE: the service in both information models (PS3.4 C.6)."""
    return [Context(1, root + service, (EXPLICIT, IMPLICIT)) for root in _ROOTS]


def _model(asked: Association, service: str) -> Context | None:
    """The context of `service` that was accepted, if any."""
    return next((found for root in _ROOTS if (found := asked.context_for(root + service)) is not None), None)


def _get(asked: Association, context: Context, instance: Instance) -> tuple[Instance | None, int]:
    number = _ask(asked, context, C_GET, instance)
    found: Instance | None = None
    for _ in range(_MOST_OPERATIONS):
        message = asked.receive()
        if message is None:
            raise DicomError("dimse", "the association was released before the last response")
        if message.kind == C_STORE:
            brought = instance_of(asked, message)
            if brought.sop_instance == instance.sop_instance:
                found = brought
            respond(asked, message, 0x0000)
        elif message.command.get("MessageIDBeingRespondedTo") == number:
            status = status_of(message)
            if status not in _PENDING:
                return found, status
    raise DicomError("dimse", f"more than {_MOST_OPERATIONS} messages came for one instance")


def _ask(asked: Association, context: Context, kind: int, instance: Instance, destination: str = "") -> int:
    """Send a C-GET or C-MOVE request for one instance; its number."""
    keys = keys_of(instance)
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    above = ("PatientID",) if context.abstract.startswith(PATIENT_ROOT) else ()
    for name in (*above, "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(identifier, name, keys.get(name, ""))
    syntax = UID(context.syntax)
    command = Dataset()
    command.AffectedSOPClassUID = context.abstract
    command.CommandField = kind
    command.Priority = 0
    if destination:
        command.MoveDestination = destination
    number = command.MessageID = asked.next_id()
    asked.send(Message(context.id, command, encode(identifier, syntax.is_implicit_VR, syntax.is_little_endian)))
    return number


class MoveDestination:
    """Our port that the SUT moves instances to, open to it alone. Raises OSError where it cannot be had."""

    def __init__(self, work: Work, address: str, port: int, title: str, addresses: frozenset[str]) -> None:
        self._work, self._title = work, title
        self._store = InstanceStore(work.folder / "moved", RECEIVED_OCTETS)
        self._archive = Archive(title, self._store, limit=RECEIVED_OCTETS)
        self._gate = Gate(addresses)
        name = socket.gethostname() if ipaddress.ip_address(address).is_unspecified else address
        self._port = open_port(work, self._archive, self._gate, (address, port), name)

    def start(self) -> None:
        """Let the SUT in."""
        self._port.start()

    def stop(self) -> None:
        """Close the port."""
        self._port.stop(5.0)
        self._archive.stop(5.0)

    def move(self, instance: Instance, seconds: float) -> Got:
        """Have `instance` moved to us."""
        work, where = self._work, self._work.where
        self._archive.preferred = (instance.syntax,)
        ends = time.monotonic() + seconds
        try:
            with association(work, seconds) as asked:
                asked.request(where.calling_aet, where.called_aet, _models(MOVE))
                context = _model(asked, MOVE)
                if context is None:
                    asked.release()
                    return Got(None, "the SUT takes no C-MOVE requests")
                number = _ask(asked, context, C_MOVE, instance, self._title)
                status = _last_status(asked, number)
                asked.release()
        except (EndedError, DicomError) as problem:
            return Got(None, str(problem))
        while (found := self._found(instance)) is None and self._at_work() and time.monotonic() < ends:
            if work.stopping.wait(_TICK):
                raise InterruptedStepError
        return Got(found, "" if found else self._why(status), not found and status != _UNKNOWN_DESTINATION)

    def _at_work(self) -> bool:
        return bool(len(self._port.connections) or len(self._archive.connections))

    def _found(self, instance: Instance) -> Instance | None:
        kept = next((one for one in self._store.all() if one.sop_instance == instance.sop_instance), None)
        return kept.instance() if kept is not None else None

    def _why(self, status: int) -> str:
        told = f"C-MOVE ended with status 0x{status:04X} and nothing came to us"
        if status == _UNKNOWN_DESTINATION:
            return f"{told}: the SUT does not know the destination {self._title}"
        turned_away = ", ".join(self._gate.strangers)
        return told + (f"; turned away, because it is not the SUT's address: {turned_away}" if turned_away else "")


def _last_status(asked: Association, number: int) -> int:
    for _ in range(_MOST_OPERATIONS):
        message = asked.receive()
        if message is None:
            raise DicomError("dimse", "the association was released before the last response")
        if message.command.get("MessageIDBeingRespondedTo") == number and status_of(message) not in _PENDING:
            return status_of(message)
    raise DicomError("dimse", f"more than {_MOST_OPERATIONS} responses came")


__all__ = ["Got", "MoveDestination", "Sent", "association", "get", "store"]
