"""The archive as DICOM application entity: C-ECHO, C-STORE, C-FIND, C-GET and C-MOVE on sockets that it is handed."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from reference_impl.connections import Connections
from reference_impl.dicom_client import C_ECHO, C_STORE, RESPONSE, VERIFICATION, is_accepted, operate, store_command
from reference_impl.dimse import Association, Context, DicomError, Message
from reference_impl.storage.behaviour import SYNTAXES, RefusedError, StorerBehaviour
from reference_impl.storage.instances import LEVELS, InstanceStore, Kept, NoRoomError
from reference_impl.storage.part10 import Instance, UnfitError
from reference_impl.tcp import EndedError, PlainConnection

C_GET, C_FIND, C_MOVE, C_CANCEL = 0x0010, 0x0020, 0x0021, 0x0FFF
PATIENT_ROOT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.1", "1.2.840.10008.5.1.4.1.2.2"
FIND, MOVE, GET = ".1", ".2", ".3"
"""Query/Retrieve Information Models (PS3.4 C.6), and what stands behind them for each of their services."""
_STANDARD, _STORAGE = "1.2.840.10008.", "1.2.840.10008.5.1.4.1.1."
QUERIES = frozenset(root + service for root in (PATIENT_ROOT, STUDY_ROOT) for service in (FIND, MOVE, GET))
"""The services of both models that are answered."""
_SUCCESS, _PENDING = 0x0000, 0xFF00
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND, _UNKNOWN_DESTINATION = 0xA700, 0xC000, 0xA801
_SOME_FAILED, _ALL_FAILED, _NO_SUCH_SERVICE = 0xB000, 0xA702, 0x0122
_DIMSE_SECONDS = 60.0

Address = tuple[str, int]


class Archive:
    """Keeps instances in `store` and gives them back, each treated by `behaviours`; by default not at all.

    Associations that call another AE title than `ae_title` are rejected. `destinations` are the addresses of those to
    whom a C-MOVE may send, by AE title, over TLS where `tls` is given; `preferred` are transfer syntaxes that are
    chosen before any other. `limit` is the most octets of an instance that are taken.
    """

    def __init__(
        self,
        ae_title: str,
        store: InstanceStore,
        *,
        behaviours: Sequence[StorerBehaviour] = (),
        destinations: Mapping[str, Address] | None = None,
        preferred: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        limit: int = 1 << 30,
    ) -> None:
        self.ae_title = ae_title
        self.store = store
        self.destinations: dict[str, Address] = dict(destinations or {})
        self.preferred = tuple(preferred)
        self._tls = tls
        self._behaviours = tuple(behaviours)
        taken = [set(one.syntaxes) for one in behaviours]
        self._syntaxes = tuple(name for name in SYNTAXES if all(name in syntaxes for syntaxes in taken))
        self._limit = limit
        self.connections = Connections("archive")

    def take(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve associations on `connection`, which came from `address`; returns at once."""
        del address
        self.connections.begin(connection, lambda: self._serve(connection))

    def stop(self, timeout: float = 5.0) -> None:
        """End what is still associated and wait up to `timeout` seconds for it to end."""
        self.connections.end(timeout)

    # -- what is kept ------------------------------------------------------------------------------------------------

    def keep(self, instance: Instance) -> Kept:
        """Take `instance` in. Raises `UnfitError`, `NoRoomError`, `RefusedError`."""
        for behaviour in self._behaviours:
            if behaviour.on_receipt is not None:
                instance = behaviour.on_receipt(instance)
        return self.store.put(instance)

    def given(self, kept: Kept) -> Instance:
        """The instance as it is sent on."""
        instance = kept.instance()
        for behaviour in self._behaviours:
            if behaviour.on_sending is not None:
                instance = behaviour.on_sending(instance)
        return instance

    # -- associations ------------------------------------------------------------------------------------------------

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(EndedError, OSError), PlainConnection(connection, _DIMSE_SECONDS) as transport:
            association = Association(transport, self._limit)
            try:
                asked = association.asked()
                if asked.called != self.ae_title:
                    association.reject()
                    return
                association.accept(asked, self._choose)
                while (message := association.receive()) is not None:
                    self._answer(association, message, asked.calling)
            except DicomError:
                association.abort()

    def _choose(self, context: Context) -> str:
        if context.abstract == VERIFICATION or context.abstract in QUERIES:
            return next((name for name in SYNTAXES if name in context.syntaxes and name in _PLAIN), "")
        if context.abstract.startswith(_STANDARD) and not context.abstract.startswith(_STORAGE):
            return ""  # private storage classes are taken as well
        return next((name for name in (*self.preferred, *self._syntaxes) if name in context.syntaxes), "")

    def _answer(self, association: Association, message: Message, calling: str) -> None:
        answers: Mapping[int, Callable[[Association, Message, str], None]] = {
            C_ECHO: self._echo,
            C_STORE: self._store,
            C_FIND: self._find,
            C_GET: self._get,
            C_MOVE: self._move,
            C_CANCEL: lambda _association, _message, _calling: None,
        }
        answer = answers.get(message.kind)
        if answer is None:
            respond(association, message, _NO_SUCH_SERVICE)
        else:
            answer(association, message, calling)

    def _echo(self, association: Association, message: Message, calling: str) -> None:
        del calling
        respond(association, message, _SUCCESS)

    def _store(self, association: Association, message: Message, calling: str) -> None:
        del calling
        respond(association, message, self._stored(instance_of(association, message)))

    def _stored(self, instance: Instance) -> int:
        try:
            self.keep(instance)
        except UnfitError:
            return _CANNOT_UNDERSTAND
        except NoRoomError:
            return _OUT_OF_RESOURCES
        except RefusedError as refused:
            return refused.status
        return _SUCCESS

    def _find(self, association: Association, message: Message, calling: str) -> None:
        del calling
        syntax = UID(association.contexts[message.context].syntax)
        identifier = _identifier(message, syntax)
        level = str(identifier.get("QueryRetrieveLevel", "")).strip()
        if level not in LEVELS:
            respond(association, message, _CANNOT_UNDERSTAND)
            return
        for found in self.store.found(level, identifier):
            found.RetrieveAETitle = self.ae_title
            data = encode(found, syntax.is_implicit_VR, syntax.is_little_endian)
            respond(association, message, _PENDING, data=data)
        respond(association, message, _SUCCESS)

    def _get(self, association: Association, message: Message, calling: str) -> None:
        del calling
        wanted = self._wanted(association, message)
        sent = [_send(association, instance, as_get=True) for instance in self._forwarded(wanted)]
        _conclude(association, message, sent)

    def _move(self, association: Association, message: Message, calling: str) -> None:
        del calling
        destination = str(message.command.get("MoveDestination", "")).strip()
        address = self.destinations.get(destination)
        if address is None:
            respond(association, message, _UNKNOWN_DESTINATION)
            return
        instances = list(self._forwarded(self._wanted(association, message)))
        _conclude(association, message, self._forward(instances, destination, address, message.id))

    def _forward(self, instances: list[Instance], destination: str, address: Address, number: int) -> list[bool]:
        """Store `instances` at the destination of a C-MOVE; whether each was taken."""
        proposed = dict.fromkeys((one.sop_class, one.syntax) for one in instances)
        contexts = [Context(1, sop_class, (syntax,)) for sop_class, syntax in proposed]
        try:
            with PlainConnection.to(*address) as transport:
                if self._tls is not None:
                    transport.secure(self._tls, address[0])
                outgoing = Association(transport)
                outgoing.request(self.ae_title, destination, contexts)
                sent = [_send(outgoing, one, mover=(self.ae_title, number)) for one in instances]
                outgoing.release()
                return sent
        except (EndedError, DicomError, OSError):
            return [False] * len(instances)

    def _forwarded(self, wanted: Iterable[Kept]) -> Iterable[Instance]:
        return (self.given(one) for one in wanted)

    def _wanted(self, association: Association, message: Message) -> list[Kept]:
        syntax = UID(association.contexts[message.context].syntax)
        return self.store.matching(_identifier(message, syntax))


_PLAIN = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})


def respond(association: Association, request: Message, status: int, *, data: bytes | None = None) -> None:
    """Answer `request` with `status`."""
    association.send(Message(request.context, response(request, status), data))


def response(request: Message, status: int) -> Dataset:
    """The command set of a response."""
    command = Dataset()
    for name in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
        if name in request.command:
            setattr(command, name, request.command.get(name))
    command.CommandField = request.kind | RESPONSE
    command.MessageIDBeingRespondedTo = request.id
    command.Status = status
    return command


def instance_of(association: Association, request: Message) -> Instance:
    """What a C-STORE request brings, its data set untouched. Raises `DicomError` for one without a data set."""
    if request.data is None:
        raise DicomError("dimse", "a C-STORE request without a data set")
    command, context = request.command, association.contexts[request.context]
    return Instance(
        str(command.get("AffectedSOPClassUID", "")),
        str(command.get("AffectedSOPInstanceUID", "")),
        context.syntax,
        request.data,
    )


def _identifier(message: Message, syntax: UID) -> Dataset:
    try:
        identifier = read_dataset(BytesIO(message.data or b""), syntax.is_implicit_VR, syntax.is_little_endian)
        for element in identifier:  # pydicom decodes late
            _ = element.value
    except Exception as problem:  # what pydicom raises for broken elements is not said anywhere
        raise DicomError("dimse", f"an identifier cannot be read: {problem}") from None
    return identifier


def _send(
    association: Association, instance: Instance, *, as_get: bool = False, mover: tuple[str, int] | None = None
) -> bool:
    """A C-STORE sub-operation; whether the other side took the instance."""
    context = association.context_for(instance.sop_class, instance.syntax)
    if context is None or (as_get and not context.requestor_stores):
        return False
    command = store_command(instance.sop_class, instance.sop_instance)
    if mover is not None:
        command.MoveOriginatorApplicationEntityTitle, command.MoveOriginatorMessageID = mover
    return is_accepted(operate(association, Message(context.id, command, instance.data)))


def _conclude(association: Association, request: Message, sent: Sequence[bool]) -> None:
    """The last response to a C-GET or C-MOVE request (PS3.4 C.4.2.1.5, C.4.3.1.4)."""
    failed = sent.count(False)
    status = _SUCCESS if not failed else (_SOME_FAILED if True in sent else _ALL_FAILED)
    command = response(request, status)
    command.NumberOfCompletedSuboperations = sent.count(True)
    command.NumberOfFailedSuboperations = failed
    command.NumberOfWarningSuboperations = 0
    association.send(Message(request.context, command))
