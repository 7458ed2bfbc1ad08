"""A TLS 1.3 handshake (RFC 8446 2, 4): full, after a HelloRetryRequest, resumed, with or without 0-RTT data."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import TYPE_CHECKING

from harness.observations import ReactionKind
from harness.probes.transport.session_handshake import common_extensions, take_server_hello
from harness.probes.transport.session_transport import EndedError
from reference_impl.transport.protection.keys import KeyAgreementError, KeyPair, Schedule13, expand_label, key_pair
from reference_impl.transport.protection.records import RecordProtection, key_shape, protection
from reference_impl.transport.wire import extensions as ext
from reference_impl.transport.wire.codes import TLS12, TLS13, ContentType, ExtensionType, HandshakeType
from reference_impl.transport.wire.hello import ClientHello
from reference_impl.transport.wire.messages import (
    CertificateMessage,
    parse_certificate,
    parse_certificate_request,
    parse_certificate_status,
    parse_certificate_verify,
    parse_encrypted_extensions,
    parse_new_session_ticket,
)
from reference_impl.transport.wire.octets import Reader, WireError, vector
from reference_impl.transport.wire.records import HandshakeMessage, encode_records

if TYPE_CHECKING:
    from harness.probes.transport.session import Session, Stop

_CHANGE = encode_records(ContentType.CHANGE_CIPHER_SPEC, b"\x01", TLS12)
_MAX_TICKETS = 16


class Handshake13:
    """One TLS 1.3 handshake of a session, and what may follow it (tickets, key updates)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._offer = session.offer
        self._flight = session.flight
        self._pairs: dict[int, KeyPair] = {}
        self._schedule: Schedule13 | None = None
        self._client_secret = self._server_secret = self._resumption_secret = b""
        self._random = ""
        self._early_protection: RecordProtection | None = None

    def run(self, stop: Stop) -> None:
        """The whole handshake, or as far as `stop`."""
        session = self._session
        shares = tuple(group for group in self._offer.shares if self._add_pair(group))
        hello = self._hello(shares)
        encoded = self._with_binder(hello, b"")
        self._random = hello.random.hex()
        session.transcript = encoded
        early = self._early_records(encoded)
        session.send_raw(encode_records(ContentType.HANDSHAKE, encoded, 0x0301) + early)
        message = session.next_message()
        take_server_hello(session, message)
        if self._flight.hello and self._flight.hello.is_hello_retry_request:
            message = self._retry(hello, message)
        session.transcript += message.encode()
        self._server_hello_keys()
        self._server_flight(stop)
        if stop is stop.COMPLETED:
            self._client_flight()
            session.on_message = self.take_message
            session.established = True

    def _add_pair(self, group: int) -> bool:
        try:
            self._pairs[group] = key_pair(group)
        except KeyAgreementError:
            return False
        return True

    # -- hello ---------------------------------------------------------------------------------------------------

    def _hello(self, shares: tuple[int, ...], cookie: bytes | None = None) -> ClientHello:
        offer = self._offer
        extensions = common_extensions(offer)
        extensions.append(ext.supported_versions((TLS13,)))
        extensions.append(ext.psk_key_exchange_modes(offer.psk_modes))
        extensions.append(ext.key_share([ext.KeyShare(group, self._pairs[group].public) for group in shares]))
        if cookie is not None:
            extensions.append(ext.Extension(ExtensionType.COOKIE, cookie))
        if offer.early_data and offer.resume and not self._flight.retried:
            extensions.append(ext.early_data())
        return ClientHello(offer.suites, TLS12, tuple(extensions), session_id=os.urandom(32))

    def _with_binder(self, hello: ClientHello, before: bytes) -> bytes:
        """The encoded hello; if it resumes, with pre_shared_key as its last extension (RFC 8446 4.2.11)."""
        resume = self._offer.resume
        if resume is None:
            return hello.encode()
        shape = key_shape(resume.suite)
        schedule = Schedule13(shape.prf_hash if shape else "sha256", resume.secret)
        age = (int((time.monotonic() - resume.obtained) * 1000) + resume.age_add) & 0xFFFFFFFF
        identities = vector(vector(resume.ticket, 2) + age.to_bytes(4, "big"), 2)
        binders = vector(vector(bytes(schedule.octets), 1), 2)
        psk = ext.Extension(ExtensionType.PRE_SHARED_KEY, identities + binders)
        full = ClientHello(
            hello.cipher_suites, hello.client_version, (*(hello.extensions or ()), psk), hello.session_id,
            hello.compression_methods, hello.random,
        ).encode()  # fmt: skip
        truncated = full[: -len(binders)]
        key = schedule.secret("res binder", b"")
        return truncated + vector(vector(schedule.finished(key, before + truncated), 1), 2)

    def _early_records(self, hello: bytes) -> bytes:
        offer, resume = self._offer, self._offer.resume
        if not offer.early_data or resume is None or (shape := key_shape(resume.suite)) is None:
            return b""
        schedule = Schedule13(shape.prf_hash, resume.secret)
        secret = schedule.secret("c e traffic", hello)
        self._keep("CLIENT_EARLY_TRAFFIC_SECRET", secret)
        self._early_protection = protection(shape, TLS13, schedule.traffic_keys(shape, secret))
        self._session.early_data_sent = True
        return _CHANGE + self._early_protection.seal(ContentType.APPLICATION_DATA, offer.early_data)

    def _keep(self, label: str, secret: bytes) -> None:
        self._session.secrets.append(f"{label} {self._random} {secret.hex()}")

    def _retry(self, first: ClientHello, request: HandshakeMessage) -> HandshakeMessage:
        session, retry = self._session, self._flight.hello
        shape = session.shape
        if retry is None or shape is None:
            raise KeyAgreementError("records under the selected suite are not spoken here")
        self._flight.retried = True
        group = retry.selected_group
        if group is not None and group not in self._pairs:
            self._pairs[group] = key_pair(group)
        digest = hashlib.new(shape.prf_hash, session.transcript).digest()
        before = HandshakeMessage(HandshakeType.MESSAGE_HASH, digest).encode() + request.encode()
        shares = (group,) if group is not None else tuple(self._pairs)
        second = self._hello(shares, retry.extension(ExtensionType.COOKIE))
        second = ClientHello(
            second.cipher_suites, second.client_version, second.extensions, first.session_id, random=first.random
        )
        encoded = self._with_binder(second, before)
        session.transcript = before + encoded
        session.send_raw(_CHANGE + encode_records(ContentType.HANDSHAKE, encoded, TLS12))
        message = session.next_message()
        take_server_hello(session, message)
        if self._flight.hello and self._flight.hello.is_hello_retry_request:
            raise EndedError(ReactionKind.MALFORMED, "a second HelloRetryRequest")
        return message

    # -- keys ----------------------------------------------------------------------------------------------------

    def _server_hello_keys(self) -> None:
        session, hello = self._session, self._flight.hello
        shape = session.shape
        if hello is None or shape is None:
            raise KeyAgreementError("records under the selected suite are not spoken here")
        self._flight.resumed = hello.extension(ExtensionType.PRE_SHARED_KEY) is not None
        resume = self._offer.resume if self._flight.resumed else None
        self._schedule = Schedule13(shape.prf_hash, resume.secret if resume else b"")
        share = hello.key_share
        if share is None:
            if not self._flight.resumed:
                raise WireError("no key_share", "ServerHello")
            self._schedule.advance()
        else:
            pair = self._pairs.get(share.group)
            if pair is None:
                raise WireError(f"a key share of group 0x{share.group:04X}, which was not offered", "ServerHello")
            self._schedule.advance(pair.agree(share.key_exchange))
        self._client_secret = self._schedule.secret("c hs traffic", session.transcript)
        self._server_secret = self._schedule.secret("s hs traffic", session.transcript)
        self._keep("CLIENT_HANDSHAKE_TRAFFIC_SECRET", self._client_secret)
        self._keep("SERVER_HANDSHAKE_TRAFFIC_SECRET", self._server_secret)
        session.read_protection = protection(shape, TLS13, self._schedule.traffic_keys(shape, self._server_secret))

    # -- the server's part ---------------------------------------------------------------------------------------

    def _server_flight(self, stop: Stop) -> None:
        session, flight, schedule = self._session, self._flight, self._schedule
        while schedule is not None:
            message = session.next_message()
            if message.type == HandshakeType.FINISHED:
                expected = schedule.finished(self._server_secret, session.transcript)
                if not hmac.compare_digest(message.body, expected):
                    raise EndedError(ReactionKind.MALFORMED, "the server's Finished is wrong")
                session.transcript += message.encode()
                return
            session.transcript += message.encode()
            if message.type == HandshakeType.ENCRYPTED_EXTENSIONS:
                flight.encrypted_extensions = parse_encrypted_extensions(message.body)
                flight.early_data_accepted = ext.find(flight.encrypted_extensions, ExtensionType.EARLY_DATA) is not None
            elif message.type == HandshakeType.CERTIFICATE_REQUEST:
                flight.request = parse_certificate_request(message.body, TLS13)
            elif message.type == HandshakeType.CERTIFICATE:
                self._take_certificates(message.body)
            elif message.type == HandshakeType.CERTIFICATE_VERIFY:
                flight.scheme = parse_certificate_verify(message.body).scheme
                if stop is stop.SERVER_FLIGHT:
                    return
            else:
                raise EndedError(ReactionKind.MALFORMED, f"unexpected handshake message {message.type}")

    def _take_certificates(self, body: bytes) -> None:
        certificate = parse_certificate(body, TLS13)
        self._flight.certificates = certificate.certificates
        if certificate.entries:
            status = ext.find(certificate.entries[0].extensions, ExtensionType.STATUS_REQUEST)
            self._flight.ocsp = None if status is None else parse_certificate_status(status).response

    # -- our part ------------------------------------------------------------------------------------------------

    def _client_flight(self) -> None:
        session, schedule, shape = self._session, self._schedule, self._session.shape
        if schedule is None or shape is None:
            raise KeyAgreementError("no suite was selected")
        out = b"" if session.early_data_sent or self._flight.retried else _CHANGE
        server_finished = session.transcript
        if self._flight.early_data_accepted and self._early_protection is not None:
            end = HandshakeMessage(HandshakeType.END_OF_EARLY_DATA, b"").encode()
            session.transcript += end
            out += self._early_protection.seal(ContentType.HANDSHAKE, end)
        session.write_protection = protection(shape, TLS13, schedule.traffic_keys(shape, self._client_secret))
        out += self._client_certificate()
        finished = HandshakeMessage(
            HandshakeType.FINISHED, schedule.finished(self._client_secret, session.transcript)
        ).encode()
        out += session.sealed(ContentType.HANDSHAKE, finished)
        schedule.advance()
        client = schedule.secret("c ap traffic", server_finished)
        server = schedule.secret("s ap traffic", server_finished)
        session.transcript += finished
        self._resumption_secret = schedule.secret("res master", session.transcript)
        self._client_secret, self._server_secret = client, server
        self._keep("CLIENT_TRAFFIC_SECRET_0", client)
        self._keep("SERVER_TRAFFIC_SECRET_0", server)
        session.send_raw(out)
        session.write_protection = protection(shape, TLS13, schedule.traffic_keys(shape, client))
        session.read_protection = protection(shape, TLS13, schedule.traffic_keys(shape, server))

    def _client_certificate(self) -> bytes:
        session, request, identity = self._session, self._flight.request, self._offer.identity
        if request is None:
            return b""
        if identity is None:
            shown = CertificateMessage((), request.request_context).encode(TLS13)
        else:
            shown = identity.certificate_message(TLS13, request.request_context)
        session.transcript += shown
        out = session.sealed(ContentType.HANDSHAKE, shown)
        if identity is not None and session.shape is not None:
            signed = identity.certificate_verify(TLS13, request.schemes, session.transcript, session.shape.prf_hash)
            verify = HandshakeMessage(HandshakeType.CERTIFICATE_VERIFY, signed).encode()
            session.transcript += verify
            out += session.sealed(ContentType.HANDSHAKE, verify)
        return out

    # -- afterwards ----------------------------------------------------------------------------------------------

    def take_message(self, message: HandshakeMessage) -> None:
        """Take in a NewSessionTicket or a KeyUpdate. Raises `WireError`."""
        if message.type == HandshakeType.NEW_SESSION_TICKET:
            self._take_ticket(message.body)
        else:
            self._take_key_update(message.body)

    def _take_ticket(self, body: bytes) -> None:
        from harness.probes.transport.session import Resumable

        session, schedule = self._session, self._schedule
        ticket = parse_new_session_ticket(body, TLS13)
        if schedule is None or len(session.tickets) >= _MAX_TICKETS:
            return
        session.tickets.append(ticket)
        session.resumable.append(
            Resumable(
                version=TLS13,
                suite=session.suite or 0,
                secret=expand_label(
                    schedule.hash_name, self._resumption_secret, "resumption", ticket.nonce, schedule.octets
                ),
                ticket=ticket.ticket,
                age_add=ticket.age_add or 0,
                obtained=time.monotonic(),
                max_early_data=ticket.max_early_data,
            )
        )

    def _take_key_update(self, body: bytes) -> None:
        session, schedule, shape = self._session, self._schedule, self._session.shape
        reader = Reader(body, "KeyUpdate")
        asked = reader.number(1, "request_update")
        reader.end()
        if schedule is None or shape is None:
            return
        self._server_secret = self._updated(schedule, self._server_secret)
        session.read_protection = protection(shape, TLS13, schedule.traffic_keys(shape, self._server_secret))
        if asked == 1:
            answer = HandshakeMessage(HandshakeType.KEY_UPDATE, b"\0").encode()
            session.send(answer, content_type=ContentType.HANDSHAKE)
            self._client_secret = self._updated(schedule, self._client_secret)
            session.write_protection = protection(shape, TLS13, schedule.traffic_keys(shape, self._client_secret))

    @staticmethod
    def _updated(schedule: Schedule13, secret: bytes) -> bytes:
        return expand_label(schedule.hash_name, secret, "traffic upd", b"", schedule.octets)
