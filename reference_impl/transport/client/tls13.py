"""TLS 1.3 after the ServerHello: retry, keys, the server's flight, the client's, and what comes later (RFC 8446 4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator
from dataclasses import dataclass, field

from reference_impl.transport.client.authentication import (
    check_certificate_verify,
    check_request,
    leaf_of,
    own_certificate,
    own_certificate_verify,
)
from reference_impl.transport.client.channel import ClientChannel, Steps
from reference_impl.transport.client.handshake import check_protocol, no_repetition, shape_of, take_server_hello
from reference_impl.transport.client.hello import client_hello
from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.settings import Check, Dread
from reference_impl.transport.protection.keys import KeyPair, Schedule13, expand_label, key_pair
from reference_impl.transport.protection.records import KeyShape, RecordProtection, protection
from reference_impl.transport.wire import (
    TLS13,
    CertificateRequest,
    ClientHello,
    ContentType,
    ExtensionType,
    HandshakeMessage,
    HandshakeType,
    Reader,
    ServerHello,
    extensions,
    parse_certificate,
    parse_certificate_request,
    parse_certificate_status,
    parse_certificate_verify,
    parse_encrypted_extensions,
    parse_new_session_ticket,
)

_ILLEGAL, _UNEXPECTED = AlertDescription.ILLEGAL_PARAMETER, AlertDescription.UNEXPECTED_MESSAGE
_MAX_UPDATES = 64


def run(
    channel: ClientChannel,
    hello: ClientHello,
    pairs: dict[int, KeyPair],
    answer: ServerHello,
    message: HandshakeMessage,
) -> Steps:
    """Everything from the ServerHello or HelloRetryRequest `answer` on, which came as `message`."""
    retried = False
    while answer.is_hello_retry_request:
        channel.require(Check.RETRY_ONCE, not retried, _UNEXPECTED, "a second HelloRetryRequest")
        hello, group = _retry(channel, hello, pairs, answer, message)
        retried, suite = True, channel.suite
        message = yield
        answer = take_server_hello(channel, hello, message)
        if channel.suite != suite or channel.version != TLS13:
            raise RefusalError(_ILLEGAL, "the ServerHello and the HelloRetryRequest disagree")
        if group is not None and answer.selected_group not in (group, None) and not answer.is_hello_retry_request:
            raise RefusalError(_ILLEGAL, "another group than the HelloRetryRequest asked for")
    if answer.session_id != hello.session_id:
        raise RefusalError(_ILLEGAL, "the session id is not that of the hello")
    channel.transcript += message.encode()
    keys = _Keys(channel, shape_of(channel))
    keys.begin(answer, pairs)
    # What is let pass that cannot be spoken: nothing that comes could be read.
    if channel.suite in channel.settings.deviations.pretended or answer.version != TLS13:
        _client_flight(channel, keys, None)
    request = yield from _server_flight(channel, keys)
    _client_flight(channel, keys, request)


def _retry(
    channel: ClientChannel, first: ClientHello, pairs: dict[int, KeyPair], retry: ServerHello, message: HandshakeMessage
) -> tuple[ClientHello, int | None]:
    """Answer a HelloRetryRequest (RFC 8446 4.1.4): the second hello, and the group that was asked for."""
    if channel.settings.dreads(Dread.RETRY):
        raise RefusalError(AlertDescription.HANDSHAKE_FAILURE, "a HelloRetryRequest is not answered")
    group, cookie = retry.selected_group, retry.extension(ExtensionType.COOKIE)
    changes = group is not None or cookie is not None
    channel.require(Check.RETRY_CHANGES, changes, _ILLEGAL, "a HelloRetryRequest that changes nothing")
    if group is not None:
        good = group in channel.settings.groups and group not in pairs
        channel.require(Check.RETRY_CHANGES, good, _ILLEGAL, f"a HelloRetryRequest for group 0x{group:04X}")
        pairs.clear()
        pairs[group] = key_pair(group)
    digest = hashlib.new(shape_of(channel).prf_hash, channel.transcript).digest()
    second = client_hello(
        channel.settings,
        channel.server_name,
        {each: pair.public for each, pair in pairs.items()},
        cookie=cookie,
        session_id=first.session_id,
        random=first.random,
    )
    encoded = second.encode()
    channel.transcript = HandshakeMessage(HandshakeType.MESSAGE_HASH, digest).encode() + message.encode() + encoded
    channel.change_for_middleboxes()
    channel.send(ContentType.HANDSHAKE, encoded)
    return second, group


@dataclass
class _Keys:
    """The key schedule of one connection."""

    channel: ClientChannel
    shape: KeyShape
    client: bytes = field(default=b"", repr=False)
    server: bytes = field(default=b"", repr=False)
    updates: int = 0

    def __post_init__(self) -> None:
        self.schedule = Schedule13(self.shape.prf_hash)

    def _reading(self, secret: bytes) -> RecordProtection:
        protect = self.channel.settings.deviations.opens or protection
        return protect(self.shape, TLS13, self.schedule.traffic_keys(self.shape, secret))

    def _writing(self, secret: bytes) -> RecordProtection:
        return protection(self.shape, TLS13, self.schedule.traffic_keys(self.shape, secret))

    def begin(self, answer: ServerHello, pairs: dict[int, KeyPair]) -> None:
        """Agree on the handshake secret."""
        share = answer.key_share
        if share is None:
            raise RefusalError(AlertDescription.MISSING_EXTENSION, "the ServerHello has no key share")
        if share.group not in pairs:
            raise RefusalError(_ILLEGAL, f"a key share of group 0x{share.group:04X}, which was not offered")
        self.schedule.advance(pairs[share.group].agree(share.key_exchange))
        self.client = self.schedule.secret("c hs traffic", self.channel.transcript)
        self.server = self.schedule.secret("s hs traffic", self.channel.transcript)
        self.channel.read_protection = self._reading(self.server)
        self.channel.write_protection = self._writing(self.client)

    def finish(self, finished: bytes, server_finished: bytes) -> None:
        """Send Finished under the handshake keys and go on to the application's; a transcript each."""
        self.schedule.advance()
        self.client = self.schedule.secret("c ap traffic", server_finished)
        self.server = self.schedule.secret("s ap traffic", server_finished)
        self.channel.send(ContentType.HANDSHAKE, finished)
        self.channel.write_protection = self._writing(self.client)
        self.channel.read_protection = self._reading(self.server)

    def take_later(self, message: HandshakeMessage) -> None:
        """A ticket is read and let go; a KeyUpdate is followed (RFC 8446 4.6)."""
        if message.type == HandshakeType.NEW_SESSION_TICKET:
            if self.channel.settings.dreads(Dread.TICKETS):
                raise RefusalError(_UNEXPECTED, "a ticket")
            parse_new_session_ticket(message.body, TLS13)
            return
        if message.type != HandshakeType.KEY_UPDATE or self.updates == _MAX_UPDATES:
            raise RefusalError(_UNEXPECTED, f"handshake message {message.type} afterwards")
        if self.channel.settings.dreads(Dread.KEY_UPDATES):
            raise RefusalError(_UNEXPECTED, "a KeyUpdate")
        self.updates += 1
        reader = Reader(message.body, "KeyUpdate")
        asked = reader.number(1, "request_update")
        reader.end()
        if asked > 1:
            raise RefusalError(_ILLEGAL, f"request_update {asked}")
        self.server = self._updated(self.server)
        self.channel.read_protection = self._reading(self.server)
        if asked:
            self.channel.send(ContentType.HANDSHAKE, HandshakeMessage(HandshakeType.KEY_UPDATE, b"\0").encode())
            self.client = self._updated(self.client)
            self.channel.write_protection = self._writing(self.client)

    def _updated(self, secret: bytes) -> bytes:
        return expand_label(self.schedule.hash_name, secret, "traffic upd", b"", self.schedule.octets)


def _expect(message: HandshakeMessage, kind: HandshakeType) -> bytes:
    if message.type != kind:
        raise RefusalError(_UNEXPECTED, f"handshake message {message.type} in the place of {kind.name.lower()}")
    return message.body


def _server_flight(channel: ClientChannel, keys: _Keys) -> Generator[None, HandshakeMessage, CertificateRequest | None]:
    """EncryptedExtensions to Finished; the certificate is judged before anything else is looked at."""
    message = yield
    sent = parse_encrypted_extensions(_expect(message, HandshakeType.ENCRYPTED_EXTENSIONS))
    _encrypted_extensions(channel, sent)
    channel.transcript += message.encode()
    message = yield
    request = None
    if message.type == HandshakeType.CERTIFICATE_REQUEST:
        request = parse_certificate_request(message.body, TLS13)
        channel.transcript += message.encode()
        message = yield
    shown = parse_certificate(_expect(message, HandshakeType.CERTIFICATE), TLS13)
    status = extensions.find(shown.entries[0].extensions, ExtensionType.STATUS_REQUEST) if shown.entries else None
    stapled = None if status is None else parse_certificate_status(status).response
    channel.transcript += message.encode()
    channel.heed(lambda: channel.verify(shown.certificates, stapled))
    channel.peer_certificate = leaf_of(shown.certificates)
    message = yield
    if not shown.certificates and message.type == HandshakeType.FINISHED:  # let pass by a client that needs no proof
        _finished(channel, keys, message)
        return request
    verify = parse_certificate_verify(_expect(message, HandshakeType.CERTIFICATE_VERIFY))
    check_certificate_verify(channel, verify, keys.shape.prf_hash)
    channel.transcript += message.encode()
    message = yield
    _finished(channel, keys, message)
    return request


def _finished(channel: ClientChannel, keys: _Keys, message: HandshakeMessage) -> None:
    expected = keys.schedule.finished(keys.server, channel.transcript)
    good = hmac.compare_digest(_expect(message, HandshakeType.FINISHED), expected)
    channel.require(Check.FINISHED, good, AlertDescription.DECRYPT_ERROR, "the server's Finished is wrong")
    channel.transcript += message.encode()


def _encrypted_extensions(channel: ClientChannel, sent: tuple[extensions.Extension, ...]) -> None:
    no_repetition(channel, sent)
    offered: set[int] = {ExtensionType.SERVER_NAME, ExtensionType.SUPPORTED_GROUPS}
    offered |= {ExtensionType.ALPN} if channel.settings.protocols else set()
    offered |= {extension.type for extension in channel.settings.extra_extensions}
    good = all(extension.type in offered for extension in sent)
    channel.require(
        Check.EXTENSIONS, good, AlertDescription.UNSUPPORTED_EXTENSION, "an encrypted extension was not offered"
    )
    check_protocol(channel, sent)


def _client_flight(channel: ClientChannel, keys: _Keys, request: CertificateRequest | None) -> None:
    server_finished = channel.transcript
    messages = b""
    if request is not None:
        check_request(channel, request)
        shown = own_certificate(channel.identity, TLS13, request)
        channel.transcript += shown
        messages += shown
        proof = own_certificate_verify(channel.identity, TLS13, request, channel.transcript, keys.shape.prf_hash)
        channel.transcript += proof
        messages += proof
    verify_data = keys.schedule.finished(keys.client, channel.transcript)
    finished = HandshakeMessage(HandshakeType.FINISHED, verify_data).encode()
    keys.finish(messages + finished, server_finished)
    channel.on_message = keys.take_later
