"""TLS 1.2 and less after the ServerHello (RFC 5246 7.4, RFC 7627, RFC 5746, RFC 8422). Sessions are not resumed."""

from __future__ import annotations

import hmac
import os
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from reference_impl.transport.client.authentication import (
    check_kind,
    check_request,
    check_signature,
    key_of,
    leaf_of,
    own_certificate,
    own_certificate_verify,
)
from reference_impl.transport.client.channel import ClientChannel, Steps
from reference_impl.transport.client.handshake import check_protocol, shape_of
from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.settings import Check, Protect
from reference_impl.transport.protection.keys import FiniteField, key_pair, legacy_keys, prf, transcript_hash
from reference_impl.transport.protection.records import DirectionKeys, RecordProtection, protection
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import (
    TLS12,
    CertificateRequest,
    ClientHello,
    ContentType,
    ExtensionType,
    HandshakeMessage,
    HandshakeType,
    ServerHello,
    ServerKeyExchange,
    parse_certificate,
    parse_certificate_request,
    parse_certificate_status,
    parse_new_session_ticket,
    parse_server_key_exchange,
    vector,
)

_ILLEGAL, _UNEXPECTED = AlertDescription.ILLEGAL_PARAMETER, AlertDescription.UNEXPECTED_MESSAGE
_FAILURE = AlertDescription.HANDSHAKE_FAILURE
_UNCOMPRESSED = 0
_FINISHED_OCTETS = 12
_ORDER = (
    HandshakeType.CERTIFICATE,
    HandshakeType.CERTIFICATE_STATUS,
    HandshakeType.SERVER_KEY_EXCHANGE,
    HandshakeType.CERTIFICATE_REQUEST,
    HandshakeType.SERVER_HELLO_DONE,
)


def run(channel: ClientChannel, hello: ClientHello, answer: ServerHello, message: HandshakeMessage) -> Steps:
    """Everything from the ServerHello `answer` on, which came as `message`."""
    channel.transcript += message.encode()
    _answered_extensions(channel, answer)
    handshake = _Handshake(channel, hello, answer)
    yield from handshake.server_flight()
    handshake.client_flight()
    yield from handshake.server_finish()


@lru_cache(maxsize=16)
def kept_field(prime: bytes, generator: bytes) -> FiniteField:
    """One key pair for every connection over the same field, which is a deviation."""
    return FiniteField(int.from_bytes(prime, "big"), int.from_bytes(generator, "big"), padded=False)


def _answered_extensions(channel: ClientChannel, answer: ServerHello) -> None:
    renegotiation = answer.extension(ExtensionType.RENEGOTIATION_INFO)
    wanted = channel.settings.renegotiation_info or channel.settings.renegotiation_scsv
    if wanted:
        answered = renegotiation is not None
        channel.require(Check.RENEGOTIATION_ANSWERED, answered, _FAILURE, "the server has no secure renegotiation")
    empty = renegotiation in {None, b"\0"}
    channel.require(Check.RENEGOTIATION_EMPTY, empty, _FAILURE, "renegotiation_info in a first handshake is not empty")
    formats = answer.extension(ExtensionType.EC_POINT_FORMATS)
    if formats is not None and _UNCOMPRESSED not in formats[1:]:
        raise RefusalError(_ILLEGAL, "the server takes no uncompressed points")
    check_protocol(channel, answer.extensions or ())


class _Handshake:
    """One full handshake."""

    def __init__(self, channel: ClientChannel, hello: ClientHello, answer: ServerHello) -> None:
        self.channel = channel
        self.hello = hello
        self.answer = answer
        self.suite = suite(channel.suite or 0)
        self.shape = shape_of(channel)
        self.key_exchange: ServerKeyExchange | None = None
        self.request: CertificateRequest | None = None
        self.stapled: bytes | None = None
        self.shown: tuple[bytes, ...] = ()
        self.master = b""
        self.pending_write: RecordProtection | None = None

    # -- the server's part ---------------------------------------------------------------------------------------

    def server_flight(self) -> Steps:
        """Certificate to ServerHelloDone, in their order."""
        order = list(_ORDER)
        if self.suite.authentication in {"anon", "NULL"}:
            order.remove(HandshakeType.CERTIFICATE)
        while True:
            message = yield
            if message.type not in order:
                raise RefusalError(_UNEXPECTED, f"handshake message {message.type} at this point")
            if message.type != HandshakeType.CERTIFICATE and HandshakeType.CERTIFICATE in order:
                channel = self.channel
                channel.require(Check.SOME_CERTIFICATE, False, _UNEXPECTED, "the server shows no certificate")
            del order[: order.index(HandshakeType(message.type)) + 1]
            self._take(message)
            if message.type == HandshakeType.SERVER_HELLO_DONE:
                break
            self.channel.transcript += message.encode()
        self._judge()
        self.channel.transcript += message.encode()

    def _take(self, message: HandshakeMessage) -> None:
        if message.type == HandshakeType.CERTIFICATE:
            self.shown = parse_certificate(message.body).certificates
        elif message.type == HandshakeType.CERTIFICATE_STATUS:
            if not self.channel.settings.status_request:
                raise RefusalError(_UNEXPECTED, "a certificate status that was not asked for")
            self.stapled = parse_certificate_status(message.body).response
        elif message.type == HandshakeType.SERVER_KEY_EXCHANGE:
            self.key_exchange = parse_server_key_exchange(
                message.body, self.suite.key_exchange, self.suite.authentication, self.channel.version
            )
        elif message.type == HandshakeType.CERTIFICATE_REQUEST:
            self.request = parse_certificate_request(message.body, self.channel.version)
        elif message.body:
            raise RefusalError(AlertDescription.DECODE_ERROR, "a ServerHelloDone that is not empty")

    def _judge(self) -> None:
        """The certificates, then the parameters of the key exchange and their signature."""
        channel = self.channel
        if self.suite.authentication not in {"anon", "NULL"}:
            channel.heed(lambda: channel.verify(self.shown, self.stapled))
            channel.peer_certificate = leaf_of(self.shown)
            check_kind(channel, self.suite.authentication)
        exchange = self.key_exchange
        if exchange is None:
            if self.suite.key_exchange != "RSA" and channel.suite not in channel.settings.deviations.pretended:
                raise RefusalError(_UNEXPECTED, "the server sends no key exchange")
            return
        if exchange.prime:
            enough = exchange.prime_bits >= channel.settings.minimum_dhe_bits
            channel.require(
                Check.DHE_BITS, enough, AlertDescription.INSUFFICIENT_SECURITY, f"a prime of {exchange.prime_bits} bits"
            )
        else:
            deviations = channel.settings.deviations
            offered = exchange.group in {*channel.settings.groups, *deviations.implied_groups}
            offered = offered or exchange.group in deviations.pretended_groups
            channel.require(Check.GROUP, offered, _ILLEGAL, "the server chose a curve that was not offered")
        if exchange.signature:
            self._signature(exchange)

    def _signature(self, exchange: ServerKeyExchange) -> None:
        if exchange.scheme is None:  # below TLS 1.2, which no permitted profile speaks
            return
        data = self.hello.random + self.answer.random + exchange.parameters
        check_signature(self.channel, exchange.scheme, exchange.signature, data)

    # -- the client's part ---------------------------------------------------------------------------------------

    def client_flight(self) -> None:
        """Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished."""
        channel, request = self.channel, self.request
        messages = b""
        if request is not None:
            check_request(channel, request)
            identity = channel.identity if channel.version >= TLS12 else None
            messages += own_certificate(identity, channel.version, request)
        premaster, body = self._agree()
        messages += HandshakeMessage(HandshakeType.CLIENT_KEY_EXCHANGE, body).encode()
        channel.transcript += messages
        self._derive(premaster)
        if request is not None and channel.version >= TLS12:
            proof = own_certificate_verify(
                channel.identity, channel.version, request, channel.transcript, self.shape.prf_hash
            )
            channel.transcript += proof
            messages += proof
        channel.send(ContentType.HANDSHAKE, messages)
        channel.send_change()
        channel.write_protection = self.pending_write
        finished = HandshakeMessage(HandshakeType.FINISHED, self._verify_data(b"client finished")).encode()
        channel.transcript += finished
        channel.send(ContentType.HANDSHAKE, finished)

    def _agree(self) -> tuple[bytes, bytes]:
        """The premaster secret and the body of the ClientKeyExchange."""
        exchange, deviations = self.key_exchange, self.channel.settings.deviations
        if exchange is None and self.suite.key_exchange == "RSA":
            return self._encrypted_premaster()
        if exchange is None or (not exchange.prime and exchange.group in deviations.pretended_groups):
            return os.urandom(48), vector(os.urandom(65), 1)
        if exchange.prime and deviations.reuses_dhe_key:
            return kept_field(exchange.prime, exchange.generator).agree(exchange.public_key), vector(
                kept_field(exchange.prime, exchange.generator).public, 2
            )
        if exchange.prime:
            field = FiniteField(
                int.from_bytes(exchange.prime, "big"), int.from_bytes(exchange.generator, "big"), padded=False
            )
            return field.agree(exchange.public_key), vector(field.public, 2)
        if exchange.group is None:
            raise RefusalError(_FAILURE, "an explicit curve is not computed here")
        pair = key_pair(exchange.group)
        return pair.agree(exchange.public_key), vector(pair.public, 1)

    def _encrypted_premaster(self) -> tuple[bytes, bytes]:
        premaster = self.hello.client_version.to_bytes(2, "big") + os.urandom(46)
        leaf = self.channel.peer_certificate
        key = key_of(leaf) if leaf is not None else None
        if not isinstance(key, rsa.RSAPublicKey):
            raise RefusalError(AlertDescription.UNSUPPORTED_CERTIFICATE, "the server's key cannot encrypt")
        return premaster, vector(key.encrypt(premaster, padding.PKCS1v15()), 2)

    def _derive(self, premaster: bytes) -> None:
        channel, name = self.channel, self.shape.prf_hash
        randoms = self.hello.random + self.answer.random
        label, seed = b"master secret", randoms
        if self.answer.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None:
            label, seed = b"extended master secret", transcript_hash(channel.version, name, channel.transcript)
        self.master = prf(channel.version, name, premaster, label, seed=seed, octets=48)
        ours, theirs = legacy_keys(channel.version, self.shape, self.master, self.hello.random, self.answer.random)
        channel.pending_read = self._protection(channel.settings.deviations.opens, theirs)
        self.pending_write = self._protection(channel.settings.deviations.seals, ours)

    def _protection(self, deviating: Protect | None, keys: DirectionKeys) -> RecordProtection:
        if deviating is not None:
            return deviating(self.shape, self.channel.version, keys)
        later = self.answer.extension(ExtensionType.ENCRYPT_THEN_MAC) is not None
        return protection(self.shape, self.channel.version, keys, encrypt_then_mac=later)

    def _verify_data(self, label: bytes) -> bytes:
        digest = transcript_hash(self.channel.version, self.shape.prf_hash, self.channel.transcript)
        name = self.shape.prf_hash
        return prf(self.channel.version, name, self.master, label, seed=digest, octets=_FINISHED_OCTETS)

    # -- the end -------------------------------------------------------------------------------------------------

    def server_finish(self) -> Steps:
        """A ticket perhaps, then Finished under the new keys."""
        channel = self.channel
        message = yield
        if message.type == HandshakeType.NEW_SESSION_TICKET and channel.pending_read is not None:
            if self.answer.extension(ExtensionType.SESSION_TICKET) is None:
                raise RefusalError(_UNEXPECTED, "a ticket that was not announced")
            parse_new_session_ticket(message.body)
            channel.transcript += message.encode()
            message = yield
        if message.type != HandshakeType.FINISHED or channel.read_protection is None:
            raise RefusalError(_UNEXPECTED, f"handshake message {message.type} in the place of Finished")
        good = hmac.compare_digest(message.body, self._verify_data(b"server finished"))
        channel.require(Check.FINISHED, good, AlertDescription.DECRYPT_ERROR, "the server's Finished is wrong")
        channel.transcript += message.encode()
