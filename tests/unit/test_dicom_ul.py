"""The Upper Layer codec: held against pynetdicom's, and against whatever may arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as second

from harness import dicom_ul as ul


def test_association_request_reads_as_meant_elsewhere() -> None:
    request = second.A_ASSOCIATE_RQ()
    request.decode(ul.associate_rq("PS315-HARNESS", "PACS"))
    assert request.calling_ae_title.strip() == "PS315-HARNESS"
    assert request.called_ae_title.strip() == "PACS"
    assert request.application_context_name == ul.APPLICATION_CONTEXT
    (context,) = request.presentation_context
    assert context.abstract_syntax == ul.VERIFICATION
    assert context.transfer_syntax == [ul.IMPLICIT_LITTLE_ENDIAN]
    assert request.user_information is not None
    assert request.user_information.maximum_length == 16_384


def test_echo_request_reads_as_meant_elsewhere() -> None:
    data = second.P_DATA_TF()
    data.decode(ul.echo_rq(7))
    (value,) = data.presentation_data_value_items
    assert value.presentation_context_id == 1
    assert value.message_control_header_byte == "00000011"
    assert ul.parse_command(ul.echo_rq(7)[6:])[0x0110] == b"\x07\x00"


@pytest.mark.parametrize(("build", "kind"), [(ul.release_rq, second.A_RELEASE_RQ), (ul.abort, second.A_ABORT_RQ)])
def test_short_pdus_read_as_meant_elsewhere(build: object, kind: type) -> None:
    assert callable(build)
    other = kind()
    other.decode(build())
    assert other.encode() == build()


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_echo_status_survives(message_id: int, status: int) -> None:
    (pdu,) = ul.PduReader().feed(ul.echo_rsp(message_id, status))
    assert pdu.type == ul.DATA
    assert ul.echo_status(pdu.body) == status


def test_echo_request_is_no_response() -> None:
    with pytest.raises(ul.PduError, match="no C-ECHO-RSP"):
        ul.echo_status(ul.echo_rq()[6:])


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 9))
def test_stream_is_cut_into_pdus_wherever_it_is_cut(bodies: list[bytes], step: int) -> None:
    stream = b"".join(ul.encode_pdu(ul.DATA, body) for body in bodies)
    reader = ul.PduReader()
    found = [pdu for at in range(0, len(stream), step) for pdu in reader.feed(stream[at : at + step])]
    assert [pdu.body for pdu in found] == bodies


def test_reader_refuses_what_is_no_dicom_and_what_is_too_long() -> None:
    with pytest.raises(ul.PduError, match="no PDU type"):
        ul.PduReader().feed(b"HTTP/1.1 400 Bad Request")
    with pytest.raises(ul.PduError, match="octets"):
        ul.PduReader().feed(b"\x02\x00\xff\xff\xff\xff")


@given(st.binary(max_size=300))
def test_hostile_octets_raise_nothing_else(data: bytes) -> None:
    for read in (ul.parse_associate_ac, ul.parse_associate_rj, ul.parse_abort, ul.parse_command, ul.echo_status):
        try:
            read(data)
        except ul.PduError:
            continue
    try:
        ul.PduReader().feed(data)
    except ul.PduError:
        return


def test_acceptance_of_a_real_acceptor_is_read() -> None:
    accept = second.A_ASSOCIATE_AC()
    accept.decode(_accept())
    read = ul.parse_associate_ac(_accept()[6:])
    assert read.verification_accepted
    assert read.max_length == 16_382
    assert (read.called, read.calling) == ("PACS", "PS315-HARNESS")


def _accept(result: int = 0) -> bytes:
    def item(kind: int, data: bytes) -> bytes:
        return bytes((kind, 0)) + len(data).to_bytes(2, "big") + data

    body = b"\x00\x01\x00\x00" + b"PACS".ljust(16) + b"PS315-HARNESS".ljust(16) + bytes(32)
    body += item(0x10, ul.APPLICATION_CONTEXT.encode())
    body += item(0x21, bytes((1, 0, result, 0)) + item(0x40, ul.IMPLICIT_LITTLE_ENDIAN.encode()))
    body += item(0x50, item(0x51, (16_382).to_bytes(4, "big")) + item(0x52, b"1.2.3"))
    return ul.encode_pdu(ul.ASSOCIATE_AC, body)


def test_refused_presentation_context_is_told() -> None:
    assert not ul.parse_associate_ac(_accept(3)[6:]).verification_accepted
