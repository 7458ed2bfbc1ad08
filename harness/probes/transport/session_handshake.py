"""The steps of a full or abbreviated handshake, TLS 1.0 to 1.2 here and TLS 1.3 in its own module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.observations import ReactionKind
from harness.probes.transport.session_transport import EndedError
from reference_impl.transport.protection.keys import (
    FiniteField,
    KeyAgreementError,
    key_pair,
    legacy_keys,
    prf,
    transcript_hash,
)
from reference_impl.transport.protection.records import RecordProtection, key_shape, protection
from reference_impl.transport.registry import EMPTY_RENEGOTIATION_INFO_SCSV, suite
from reference_impl.transport.wire import extensions as ext
from reference_impl.transport.wire.codes import TLS12, TLS13, ContentType, ExtensionType, HandshakeType
from reference_impl.transport.wire.hello import ClientHello, parse_server_hello
from reference_impl.transport.wire.messages import (
    CertificateMessage,
    parse_certificate,
    parse_certificate_request,
    parse_certificate_status,
    parse_new_session_ticket,
    parse_server_key_exchange,
)
from reference_impl.transport.wire.octets import vector
from reference_impl.transport.wire.records import HandshakeMessage, encode_records

if TYPE_CHECKING:
    from harness.probes.transport.session import Offer, Session, Stop

_FINISHED_OCTETS = 12


def run_handshake(session: Session, stop: Stop) -> None:
    """Connect and shake hands. Raises what `Session.handshake` turns into a reaction."""
    session.connection.open()
    if session.offer.version >= TLS13:
        from harness.probes.transport.session_handshake13 import Handshake13

        Handshake13(session).run(stop)
    else:
        LegacyHandshake(session).run(stop)


def common_extensions(offer: Offer) -> list[ext.Extension]:
    """Extensions that every version's hello carries."""
    found: list[ext.Extension] = []
    if offer.server_name and (named := ext.server_name(offer.server_name)):
        found.append(named)
    if offer.groups:
        found.append(ext.supported_groups(offer.groups))
    if offer.schemes and offer.version >= TLS12:
        found.append(ext.signature_algorithms(offer.schemes))
    if offer.certificate_schemes and offer.version >= TLS12:
        found.append(ext.signature_algorithms_cert(offer.certificate_schemes))
    if offer.status_request:
        found.append(ext.status_request())
    if offer.alpn:
        found.append(ext.alpn(offer.alpn))
    return found


def legacy_hello(offer: Offer, *, session_id: bytes = b"", renegotiation: bytes = b"") -> ClientHello:
    """The ClientHello of a TLS 1.0 to 1.2 offer. `renegotiation`: verify_data of the handshake before."""
    extensions = [*common_extensions(offer), ext.ec_point_formats()]
    if offer.extended_master_secret:
        extensions.append(ext.extended_master_secret())
    if offer.encrypt_then_mac:
        extensions.append(ext.encrypt_then_mac())
    if offer.session_ticket:
        extensions.append(ext.session_ticket(offer.resume.ticket if offer.resume else b""))
    if offer.renegotiation_info:
        extensions.append(ext.renegotiation_info(renegotiation))
    suites = offer.suites
    if offer.renegotiation_info and not renegotiation:
        suites = (*suites, EMPTY_RENEGOTIATION_INFO_SCSV)
    return ClientHello(suites, offer.version, tuple(extensions), session_id)


def take_server_hello(session: Session, message: HandshakeMessage) -> None:
    """Take in a ServerHello and what it selects. Raises `WireError`, `EndedError`."""
    if message.type != HandshakeType.SERVER_HELLO:
        raise EndedError(ReactionKind.MALFORMED, f"handshake message {message.type} instead of a ServerHello")
    hello = parse_server_hello(message.body)
    if hello.is_hello_retry_request and session.offer.version < TLS13:
        raise EndedError(ReactionKind.MALFORMED, "a HelloRetryRequest to a hello without TLS 1.3")
    session.flight.hello = hello
    session.version, session.suite = hello.version, hello.cipher_suite
    if hello.version != session.offer.version:
        raise KeyAgreementError(f"version 0x{hello.version:04X} was selected, 0x{session.offer.version:04X} offered")
    session.shape = key_shape(hello.cipher_suite)


class LegacyHandshake:
    """A handshake of TLS 1.0 to 1.2 (RFC 5246 7.3)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._offer = session.offer
        self._flight = session.flight
        self._hello = ClientHello(())
        self._master = b""
        self._ticket = b""
        self._pending_write: RecordProtection | None = None

    def run(self, stop: Stop) -> None:
        """The whole handshake, or as far as `stop`."""
        session, resume = self._session, self._offer.resume
        session_id = resume.session_id if resume else b""
        if resume and resume.ticket:
            session_id = os.urandom(32)  # echoed if the ticket is taken (RFC 5077 3.4)
        self._hello = legacy_hello(self._offer, session_id=session_id)
        self._send_clear(self._hello.encode())
        message = session.next_message()
        take_server_hello(session, message)
        session.transcript += message.encode()
        if self._resumed(session_id):
            self._abbreviated()
            return
        self._server_flight()
        if stop is stop.COMPLETED:
            self._client_flight()
            self._server_finish()
            self._established()

    def _resumed(self, session_id: bytes) -> bool:
        hello = self._flight.hello
        self._flight.resumed = bool(session_id and hello and hello.session_id == session_id)
        return self._flight.resumed

    def _send_clear(self, messages: bytes) -> None:
        session = self._session
        session.transcript += messages
        record_version = min(self._offer.version, 0x0301) if session.flight.hello is None else session.version
        session.send_raw(encode_records(ContentType.HANDSHAKE, messages, record_version))

    # -- the server's part ---------------------------------------------------------------------------------------

    def _server_flight(self) -> None:
        session, flight = self._session, self._flight
        chosen = suite(session.suite or 0)
        while True:
            message = session.next_message()
            session.transcript += message.encode()
            if message.type == HandshakeType.SERVER_HELLO_DONE:
                return
            if message.type == HandshakeType.CERTIFICATE:
                flight.certificates = parse_certificate(message.body).certificates
            elif message.type == HandshakeType.CERTIFICATE_STATUS:
                flight.ocsp = parse_certificate_status(message.body).response
            elif message.type == HandshakeType.CERTIFICATE_REQUEST:
                flight.request = parse_certificate_request(message.body, session.version)
            elif message.type == HandshakeType.SERVER_KEY_EXCHANGE:
                flight.key_exchange = parse_server_key_exchange(
                    message.body, chosen.key_exchange, chosen.authentication, session.version
                )
                flight.scheme = flight.key_exchange.scheme
            else:
                raise EndedError(ReactionKind.MALFORMED, f"unexpected handshake message {message.type}")

    # -- our part ------------------------------------------------------------------------------------------------

    def _agree(self) -> tuple[bytes, bytes]:
        """The premaster secret and the body of the ClientKeyExchange."""
        chosen, server = suite(self._session.suite or 0), self._flight.key_exchange
        if chosen.key_exchange == "RSA" and server is None:
            return self._encrypt_premaster()
        if server is None or not server.public_key:
            raise KeyAgreementError(f"key exchange {chosen.key_exchange} is not completed here")
        if server.prime:
            field = FiniteField(
                int.from_bytes(server.prime, "big"), int.from_bytes(server.generator, "big"), padded=False
            )
            return field.agree(server.public_key), vector(field.public, 2)
        if server.group is None:
            raise KeyAgreementError("an explicit curve is not computed here")
        pair = key_pair(server.group)
        return pair.agree(server.public_key), vector(pair.public, 1)

    def _encrypt_premaster(self) -> tuple[bytes, bytes]:
        from harness.certificates import encrypt_to_leaf

        premaster = self._hello.client_version.to_bytes(2, "big") + os.urandom(46)
        try:
            sealed = encrypt_to_leaf((self._flight.certificates or (b"",))[0], premaster)
        except ValueError as error:
            raise KeyAgreementError(f"the server's certificate cannot encrypt: {error}") from error
        return premaster, vector(sealed, 2)

    def _client_flight(self) -> None:
        session, flight, identity = self._session, self._flight, self._offer.identity
        if session.shape is None:
            raise KeyAgreementError("records under the selected suite are not spoken here")
        request = flight.request
        messages = b""
        if request is not None:
            shown = identity.certificate_message(session.version, b"") if identity else CertificateMessage(()).encode()
            messages += shown
        premaster, exchange = self._agree()
        messages += HandshakeMessage(HandshakeType.CLIENT_KEY_EXCHANGE, exchange).encode()
        self._derive_master(premaster, session.transcript + messages)
        if request is not None and identity is not None:
            signed = session.transcript + messages
            verify = identity.certificate_verify(session.version, request.schemes, signed, session.shape.prf_hash)
            messages += HandshakeMessage(HandshakeType.CERTIFICATE_VERIFY, verify).encode()
        session.transcript += messages
        records = encode_records(ContentType.HANDSHAKE, messages, session.version)
        session.send_raw(records + self._change_and_finish())

    def _derive_master(self, premaster: bytes, transcript: bytes) -> None:
        session, hello = self._session, self._flight.hello
        if session.shape is None or hello is None:
            raise KeyAgreementError("no suite was selected")
        name = session.shape.prf_hash
        label, seed = b"master secret", self._hello.random + hello.random
        if self._extended():
            label, seed = b"extended master secret", transcript_hash(session.version, name, transcript)
        self._master = prf(session.version, name, premaster, label, seed=seed, octets=48)
        self._use_master()

    def _extended(self) -> bool:
        hello = self._flight.hello
        offered = self._offer.extended_master_secret
        return offered and hello is not None and hello.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None

    def _use_master(self) -> None:
        session, hello = self._session, self._flight.hello
        if session.shape is None or hello is None:
            raise KeyAgreementError("records under the selected suite are not spoken here")
        session.secrets.append(f"CLIENT_RANDOM {self._hello.random.hex()} {self._master.hex()}")
        ours, theirs = legacy_keys(session.version, session.shape, self._master, self._hello.random, hello.random)
        later = hello.extension(ExtensionType.ENCRYPT_THEN_MAC) is not None and self._offer.encrypt_then_mac
        session.pending_read = protection(session.shape, session.version, theirs, encrypt_then_mac=later)
        self._pending_write = protection(session.shape, session.version, ours, encrypt_then_mac=later)

    def _verify_data(self, label: bytes) -> bytes:
        session = self._session
        name = session.shape.prf_hash if session.shape else "sha256"
        digest = transcript_hash(session.version, name, session.transcript)
        return prf(session.version, name, self._master, label, seed=digest, octets=_FINISHED_OCTETS)

    def _change_and_finish(self) -> bytes:
        session = self._session
        session.client_verify_data = self._verify_data(b"client finished")
        finished = HandshakeMessage(HandshakeType.FINISHED, session.client_verify_data).encode()
        session.transcript += finished
        change = encode_records(ContentType.CHANGE_CIPHER_SPEC, b"\x01", session.version)
        session.write_protection = self._pending_write
        return change + session.sealed(ContentType.HANDSHAKE, finished)

    # -- the end -------------------------------------------------------------------------------------------------

    def _server_finish(self) -> None:
        session = self._session
        while True:
            message = session.next_message()
            if message.type == HandshakeType.NEW_SESSION_TICKET:
                session.transcript += message.encode()
                ticket = parse_new_session_ticket(message.body)
                session.tickets.append(ticket)
                self._ticket = ticket.ticket
                continue
            if message.type != HandshakeType.FINISHED:
                raise EndedError(ReactionKind.MALFORMED, f"handshake message {message.type} instead of Finished")
            session.server_verify_data = self._verify_data(b"server finished")
            if session.read_protection is None or message.body != session.server_verify_data:
                raise EndedError(ReactionKind.MALFORMED, "the server's Finished is wrong")
            session.transcript += message.encode()
            return

    def _abbreviated(self) -> None:
        resume = self._offer.resume
        self._master = resume.secret if resume else b""
        self._use_master()
        self._server_finish()
        self._session.send_raw(self._change_and_finish())
        self._established()

    def _established(self) -> None:
        from harness.probes.transport.session import Resumable

        session, hello = self._session, self._flight.hello
        session.established = True
        # A server that gives a ticket resumes by it; the session id beside it may stand for nothing.
        session_id = b"" if self._ticket or hello is None else hello.session_id
        if self._ticket or session_id:
            session.resumable.append(
                Resumable(
                    version=session.version,
                    suite=session.suite or 0,
                    secret=self._master,
                    session_id=session_id,
                    ticket=self._ticket,
                    extended_master_secret=self._extended(),
                )
            )
