"""DIMSE messages over an association: both sides agree, data sets stay octets, nonsense ends in a `DicomError`."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from reference_impl.dicom_client import operate, store_command
from reference_impl.dimse import ACCEPTED, NO_SUCH_SYNTAX, Association, Context, DicomError, Message, command_octets
from reference_impl.tcp import EndedError, PlainConnection

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
Side = Callable[[Association], None]


@contextlib.contextmanager
def pair(acceptor: Side, seconds: float = 5.0) -> Iterator[Association]:
    """A requestor whose other side is `acceptor`, in a thread; what that raises is raised here."""
    ours, theirs = socket.socketpair()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            acceptor(Association(PlainConnection(theirs, seconds)))
        except (EndedError, DicomError):
            pass
        except BaseException as problem:
            raised.append(problem)
        finally:
            theirs.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with PlainConnection(ours, seconds) as connection:
        yield Association(connection)
    thread.join(seconds)
    assert not raised, raised


def keeping(kept: list[Message], choose: Callable[[Context], str]) -> Side:
    """An acceptor that keeps every message and answers it with success."""

    def serve(association: Association) -> None:
        association.accept(association.asked(), choose)
        while (message := association.receive()) is not None:
            kept.append(message)
            command = Dataset()
            command.CommandField = message.kind | 0x8000
            command.MessageIDBeingRespondedTo = message.id
            command.Status = 0
            association.send(Message(message.context, command))

    return serve


def explicit_alone(context: Context) -> str:
    return EXPLICIT if EXPLICIT in context.syntaxes else ""


@settings(max_examples=30, deadline=None)
@given(data=st.one_of(st.binary(max_size=100), st.sampled_from([16_371, 16_372, 16_378, 100_001]).map(bytes)))
def test_data_sets_stay_the_octets_that_they_are(data: bytes) -> None:
    kept: list[Message] = []
    with pair(keeping(kept, explicit_alone)) as requestor:
        requestor.request("SCU", "SCP", [Context(1, CT, (EXPLICIT,))])
        context = requestor.context_for(CT, EXPLICIT)
        assert context is not None
        assert operate(requestor, Message(context.id, store_command(CT, "1.2.3"), data)) == 0
        requestor.release()
    assert [one.data for one in kept] == [data]
    assert kept[0].command.AffectedSOPInstanceUID == "1.2.3"


def test_each_context_is_answered_by_itself() -> None:
    with pair(keeping([], explicit_alone)) as requestor:
        results = requestor.request("SCU", "SCP", [Context(1, CT, (EXPLICIT,)), Context(1, CT, (IMPLICIT,))])
        assert [(one.syntax, one.result) for one in results] == [(EXPLICIT, ACCEPTED), (IMPLICIT, NO_SUCH_SYNTAX)]
        assert requestor.context_for(CT, IMPLICIT) is None
        assert requestor.context_for(MR) is None
        requestor.release()


@pytest.mark.parametrize("stores", [True, False])
def test_who_stores_is_negotiated(stores: bool) -> None:
    seen: list[Context] = []

    def choose(context: Context) -> str:
        seen.append(context)
        return EXPLICIT

    with pair(keeping([], choose)) as requestor:
        requestor.request("SCU", "SCP", [Context(1, CT, (EXPLICIT,), requestor_stores=stores)])
        agreed = requestor.context_for(CT)
        assert agreed is not None
        assert agreed.requestor_stores is stores
        requestor.release()
    assert [one.requestor_stores for one in seen] == [stores]


def test_a_rejection_says_why() -> None:
    def refuse(association: Association) -> None:
        association.asked()
        association.reject()

    with (
        pair(refuse) as requestor,
        pytest.raises(DicomError, match="result 1, source 1, reason 7"),
    ):
        requestor.request("SCU", "SCP", [Context(1, CT, (EXPLICIT,))])


def _nonsense(octets: bytes) -> Side:
    def serve(association: Association) -> None:
        association.accept(association.asked(), explicit_alone)
        association.transport.send(octets)
        association.receive()

    return serve


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"\x09\0\0\0\0\0", "no PDU"),
        (b"\x04\0\xff\xff\xff\xff", "no PDU"),
        (b"\x07\0\0\0\0\x04\0\0\0\0", "aborted"),
        (b"\x02\0\0\0\0\0", "at this point"),
        (b"\x04\0\0\0\0\x06\0\0\0\x09\x01\x03", "longer than what holds it"),
        (b"\x04\0\0\0\0\x06\0\0\0\x02\x01\x02", "belongs to no message"),
        (b"\x04\0\0\0\0\x06\0\0\0\x02\x7f\x03", "belongs to no message"),
        (b"\x04\0\0\0\0\x0a\0\0\0\x06\x01\x03\xff\xff\xff\xff", "cannot be read|belongs to no request|no status"),
    ],
)
def test_nonsense_ends_in_an_error(octets: bytes, told: str) -> None:
    with pair(_nonsense(octets)) as requestor:
        requestor.request("SCU", "SCP", [Context(1, CT, (EXPLICIT,))])
        with pytest.raises(DicomError, match=told):
            operate(requestor, Message(1, store_command(CT, "1.2.3"), b""))


def test_a_data_set_beyond_the_limit_is_not_read() -> None:
    def serve(association: Association) -> None:
        association.accept(association.asked(), explicit_alone)
        association.receive()
        association.send(Message(1, store_command(CT, "1.2.3"), bytes(5000)))

    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=lambda: serve(Association(PlainConnection(theirs))), daemon=True)
    thread.start()
    with PlainConnection(ours, 5.0) as connection:
        requestor = Association(connection, limit=4096)
        requestor.request("SCU", "SCP", [Context(1, CT, (EXPLICIT,))])
        with pytest.raises(DicomError, match="more than 4096"):
            operate(requestor, Message(1, store_command(CT, "1.2.3"), b""))
    thread.join(5.0)
    theirs.close()


def test_silence_ends_at_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    with theirs, PlainConnection(ours, 0.05) as connection, pytest.raises(EndedError, match="in time"):
        Association(connection).request("SCU", "SCP", [Context(1, CT, (EXPLICIT,))])


def test_a_command_set_has_its_group_length() -> None:
    octets = command_octets(store_command(CT, "1.2.3"))
    assert octets[:8] == b"\0\0\0\0\x04\0\0\0"
    assert int.from_bytes(octets[8:12], "little") == len(octets) - 12
