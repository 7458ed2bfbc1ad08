"""The server's part of TLS 1.3 (RFC 8446 2, 4), as far as trials need it: full handshakes, no resumption."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass

from reference_impl.transport.protection.keys import GROUPS_TLS13, KeyPair, Schedule13, expand_label, key_pair
from reference_impl.transport.protection.records import KeyShape, key_shape, protection
from reference_impl.transport.protection.signing import signed_content
from reference_impl.transport.trials.script import Presentation, Retry
from reference_impl.transport.trials.signing import choose_scheme, sign, usable_schemes
from reference_impl.transport.trials.stack import (
    DECRYPT_ERROR,
    HANDSHAKE_FAILURE,
    NOTHING_TO_SELECT,
    UNEXPECTED_MESSAGE,
    FailureError,
    ServerStack,
    Steps,
)
from reference_impl.transport.wire import (
    HELLO_RETRY_RANDOM,
    TLS12,
    TLS13,
    CertificateEntry,
    CertificateMessage,
    CertificateRequest,
    CertificateStatus,
    ClientHello,
    ContentType,
    Extension,
    ExtensionType,
    HandshakeMessage,
    HandshakeType,
    KeyShare,
    NewSessionTicket,
    Reader,
    ServerHello,
    encode_record,
    extensions,
    parse_certificate,
    parse_certificate_verify,
    vector,
)
from reference_impl.transport.wire.extensions import parse_alpn, parse_client_key_shares, parse_numbers

SUITES = (0x1302, 0x1303, 0x1301, 0x1304, 0x1305)
REQUESTED_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401)
_MAXIMUM_RETRIES = 3


@dataclass(frozen=True)
class _Offer:
    """What matters of a ClientHello for the choice of a group."""

    groups: tuple[int, ...]
    shares: dict[int, bytes]

    @classmethod
    def of(cls, hello: ClientHello) -> _Offer:
        groups = hello.extension(ExtensionType.SUPPORTED_GROUPS)
        shares = hello.extension(ExtensionType.KEY_SHARE)
        return cls(
            parse_numbers(groups, 2, 2, "supported_groups") if groups is not None else (),
            {s.group: s.key_exchange for s in parse_client_key_shares(shares)} if shares is not None else {},
        )


class Handshake13:
    """One handshake, and what may follow it."""

    def __init__(self, stack: ServerStack, hello: ClientHello) -> None:
        self._stack = stack
        self._script = stack.script
        self._notes = stack.notes
        self._hello = hello
        self._shape: KeyShape | None = None
        self._schedule = Schedule13("sha256")
        self._client_secret = self._server_secret = b""

    def run(self, first: HandshakeMessage) -> Steps:
        """The whole handshake, from the ClientHello `first`."""
        stack = self._stack
        stack.record_version = TLS12
        self._choose_certificate()
        suite = self._choose_suite()
        stack.transcript = first.encode()
        yield from self._retry(suite)
        pair, share = self._choose_share()
        said = self._say_hello(suite, pair)
        if self._script.cut:
            stack.finished = True
            return
        if stack.blind or pair is None or self._shape is None or said.version != TLS13:
            stack.flight_sent = stack.blind = True
            yield  # whatever comes is seen by the record layer
            raise FailureError(HANDSHAKE_FAILURE, "the client goes on; the listener cannot, with what it selected")
        self._set_handshake_keys(pair.agree(share))
        self._say_flight()
        yield from self._client_flight()
        self._follow_up()

    # -- hello -------------------------------------------------------------------------------------

    def _choose_suite(self) -> int:
        if self._script.suite is not None:
            chosen = self._script.suite(self._hello)
            if chosen is None:
                raise FailureError(HANDSHAKE_FAILURE, NOTHING_TO_SELECT)
        else:
            chosen = next((suite for suite in SUITES if suite in self._hello.cipher_suites), None)
        if chosen is None:
            raise FailureError(HANDSHAKE_FAILURE, "the client offers no TLS 1.3 cipher suite that this server has")
        return chosen

    def _choose_certificate(self) -> None:
        """Show the other certificate to a client that verifies no signature by the key of the first."""
        stack, other = self._stack, self._stack.server.alternate
        offered = self._hello.extension(ExtensionType.SIGNATURE_ALGORITHMS)
        if other is None or offered is None or self._script.scheme is not None:
            return
        schemes = set(parse_numbers(offered, 2, 2, "signature_algorithms"))
        if not schemes & set(usable_schemes(stack.shown.key, _leaf(stack.shown), TLS13)):
            stack.shown = other

    def _retry(self, suite: int) -> Steps:
        offer = _Offer.of(self._hello)
        wanted: tuple[Retry, ...] = self._script.retries
        if not wanted and not set(offer.shares) & set(GROUPS_TLS13) and not self._script.share_not_offered:
            wanted = (Retry(),)
        for number, retry in enumerate(wanted[:_MAXIMUM_RETRIES]):
            self._say_retry(suite, _retry_group(retry, offer), cookie=retry.cookie, first=number == 0)
            message = yield
            if message.type == HandshakeType.CLIENT_HELLO and self._script.retry_fails and number + 1 == len(wanted):
                self._notes.went_on()
            self._hello = self._stack.take_hello(message)
            self._stack.transcript += message.encode()
            offer = _Offer.of(self._hello)

    def _say_retry(self, suite: int, group: int | None, *, cookie: bool, first: bool) -> None:
        stack = self._stack
        answered = [extensions.selected_version(TLS13)]
        if group is not None:
            answered.append(extensions.retry_key_share(group))
        if cookie:
            answered.append(extensions.cookie(os.urandom(32)))
        retry = ServerHello(TLS12, HELLO_RETRY_RANDOM, self._hello.session_id, suite, 0, tuple(answered))
        if first:
            shape = key_shape(suite)
            digest = hashlib.new(shape.prf_hash if shape else "sha256", stack.transcript).digest()
            stack.transcript = HandshakeMessage(HandshakeType.MESSAGE_HASH, digest).encode()
        stack.say(retry.encode())
        if first and self._hello.session_id:
            stack.put_raw(encode_record(ContentType.CHANGE_CIPHER_SPEC, b"\x01", TLS12))

    def _choose_share(self) -> tuple[KeyPair | None, bytes]:
        offer = _Offer.of(self._hello)
        if self._script.share_not_offered:
            group = next(g for g in GROUPS_TLS13 if g not in offer.shares)
            self._notes.group = group
            self._stack.blind = True
            return key_pair(group), b""
        group = next((g for g in GROUPS_TLS13 if g in offer.shares), 0)
        if not group:
            raise FailureError(HANDSHAKE_FAILURE, "the client sends no key share of a group that this server has")
        self._notes.group = group
        return key_pair(group), offer.shares[group]

    def _say_hello(self, suite: int, pair: KeyPair | None) -> ServerHello:
        stack = self._stack
        answered = [extensions.selected_version(TLS13)]
        if pair is not None:
            answered.append(extensions.server_key_share(KeyShare(self._notes.group or 0, pair.public)))
        said = ServerHello(TLS12, os.urandom(32), self._hello.session_id, suite, 0, tuple(answered))
        if self._script.server_hello is not None:
            said = self._script.server_hello(said, self._hello)
        self._notes.suite = said.cipher_suite
        self._shape = key_shape(said.cipher_suite)
        stack.say(said.encode())
        if self._hello.session_id and not self._script.retries:
            stack.put_raw(encode_record(ContentType.CHANGE_CIPHER_SPEC, b"\x01", TLS12))
        return said

    # -- keys --------------------------------------------------------------------------------------

    def _keep(self, label: str, secret: bytes) -> None:
        self._notes.secrets.append(f"{label} {self._hello.random.hex()} {secret.hex()}")

    def _set_handshake_keys(self, shared: bytes) -> None:
        stack, shape = self._stack, self._shape
        assert shape is not None  # noqa: S101 - the caller has looked
        self._schedule = Schedule13(shape.prf_hash)
        self._schedule.advance(shared)
        self._client_secret = self._schedule.secret("c hs traffic", stack.transcript)
        self._server_secret = self._schedule.secret("s hs traffic", stack.transcript)
        self._keep("CLIENT_HANDSHAKE_TRAFFIC_SECRET", self._client_secret)
        self._keep("SERVER_HANDSHAKE_TRAFFIC_SECRET", self._server_secret)
        stack.write_protection = protection(shape, TLS13, self._schedule.traffic_keys(shape, self._server_secret))
        stack.read_protection = protection(shape, TLS13, self._schedule.traffic_keys(shape, self._client_secret))

    # -- the server's flight -----------------------------------------------------------------------

    def _say_flight(self) -> None:
        stack = self._stack
        messages = [self._encrypted_extensions()]
        if self._script.request != "none":
            messages.append(self._certificate_request())
            self._notes.certificates = ()
        messages.append(self._certificate())
        # Each part of the transcript has to stand before what is computed over it.
        if self._script.records == "each":
            for message in messages:
                stack.say(message)
            stack.say(self._certificate_verify())
            stack.say(self._finished())
        else:
            self._say_at_once(messages)
        stack.flight_sent = True

    def _say_at_once(self, messages: list[bytes]) -> None:
        stack = self._stack
        before = stack.transcript
        stack.transcript += b"".join(messages)
        messages.append(self._certificate_verify())
        stack.transcript += messages[-1]
        messages.append(self._finished())
        stack.transcript = before
        stack.say(*messages)

    def _encrypted_extensions(self) -> bytes:
        answered: list[Extension] = []
        wanted = self._hello.extension(ExtensionType.ALPN)
        if wanted is not None:
            name = next((name for name in parse_alpn(wanted) if name in self._stack.server.protocols), None)
            if name is not None:
                answered.append(extensions.alpn((name,)))
        return HandshakeMessage(HandshakeType.ENCRYPTED_EXTENSIONS, extensions.encode_extensions(answered)).encode()

    def _certificate_request(self) -> bytes:
        asked = [extensions.signature_algorithms(REQUESTED_SCHEMES)]
        names = requested_authorities(self._script.request, self._stack)
        if names:
            listed = b"".join(vector(name, 2) for name in names)
            asked.append(Extension(ExtensionType.CERTIFICATE_AUTHORITIES, vector(listed, 2)))
        return CertificateRequest(extensions=tuple(asked)).encode(TLS13)

    def _certificate(self) -> bytes:
        shown = self._stack.shown
        entries = [CertificateEntry(der) for der in shown.chain]
        asked = self._hello.extension(ExtensionType.STATUS_REQUEST) is not None
        if entries and shown.ocsp_response and asked:
            status = CertificateStatus(1, shown.ocsp_response).encode_body()
            entries[0] = CertificateEntry(entries[0].der, (Extension(ExtensionType.STATUS_REQUEST, status),))
        return CertificateMessage(tuple(entries)).encode(TLS13)

    def _certificate_verify(self) -> bytes:
        shown = self._stack.shown
        offered = self._hello.extension(ExtensionType.SIGNATURE_ALGORITHMS)
        schemes: Iterable[int] = parse_numbers(offered, 2, 2, "signature_algorithms") if offered is not None else ()
        leaf = _leaf(shown)
        scheme = self._script.scheme
        if scheme is None:
            scheme = choose_scheme(shown.key, leaf, TLS13, schemes)
        else:
            scheme = fitting(scheme, usable_schemes(shown.key, leaf, TLS12))
        signed = sign(shown.key, scheme, signed_content("server", self._hash()))
        return HandshakeMessage(
            HandshakeType.CERTIFICATE_VERIFY, scheme.to_bytes(2, "big") + vector(signed, 2)
        ).encode()

    def _finished(self) -> bytes:
        data = self._schedule.finished(self._server_secret, self._stack.transcript)
        return HandshakeMessage(HandshakeType.FINISHED, data).encode()

    def _hash(self) -> bytes:
        return hashlib.new(self._schedule.hash_name, self._stack.transcript).digest()

    # -- the client's flight -----------------------------------------------------------------------

    def _client_flight(self) -> Steps:
        stack, schedule, shape = self._stack, self._schedule, self._shape
        assert shape is not None  # noqa: S101 - the caller has looked
        to_finished = stack.transcript
        while True:
            message = yield
            if message.type == HandshakeType.FINISHED:
                break
            if message.type == HandshakeType.CERTIFICATE and self._notes.certificates == ():
                self._notes.certificates = parse_certificate(message.body, TLS13).certificates
            elif message.type == HandshakeType.CERTIFICATE_VERIFY and self._notes.certificates:
                self._notes.scheme = parse_certificate_verify(message.body).scheme
            else:
                raise FailureError(UNEXPECTED_MESSAGE, f"unexpected handshake message {message.type}")
            stack.transcript += message.encode()
        if not hmac.compare_digest(message.body, schedule.finished(self._client_secret, stack.transcript)):
            raise FailureError(DECRYPT_ERROR, "the client's Finished is wrong")
        self._notes.progress = "completed"
        schedule.advance()
        self._client_secret = schedule.secret("c ap traffic", to_finished)
        self._server_secret = schedule.secret("s ap traffic", to_finished)
        self._keep("CLIENT_TRAFFIC_SECRET_0", self._client_secret)
        self._keep("SERVER_TRAFFIC_SECRET_0", self._server_secret)
        stack.read_protection = protection(shape, TLS13, schedule.traffic_keys(shape, self._client_secret))
        stack.write_protection = protection(shape, TLS13, schedule.traffic_keys(shape, self._server_secret))
        stack.afterwards = self._take_message

    # -- afterwards --------------------------------------------------------------------------------

    def _follow_up(self) -> None:
        if "ticket" in self._script.after:
            allowed: tuple[Extension, ...] = ()
            if self._script.early_data:
                octets = self._script.early_data.to_bytes(4, "big")
                allowed = (Extension(ExtensionType.EARLY_DATA, octets),)
            age_add = int.from_bytes(os.urandom(4), "big")
            ticket = NewSessionTicket(self._script.ticket_seconds, os.urandom(64), age_add, b"\0", allowed)
            self._say_later(ticket.encode(TLS13))
        if "key-update" in self._script.after:
            self._update_ours(asking=True)

    def _say_later(self, message: bytes) -> None:
        """Say what belongs to no transcript any more."""
        self._notes.message("sent", message, protected=True)
        self._stack.put(ContentType.HANDSHAKE, [message])

    def _update_ours(self, *, asking: bool) -> None:
        stack, shape = self._stack, self._shape
        assert shape is not None  # noqa: S101 - there is no key to update without
        message = HandshakeMessage(HandshakeType.KEY_UPDATE, bytes((asking,))).encode()
        self._say_later(message)
        self._server_secret = self._updated(self._server_secret)
        stack.write_protection = protection(shape, TLS13, self._schedule.traffic_keys(shape, self._server_secret))

    def _updated(self, secret: bytes) -> bytes:
        schedule = self._schedule
        return expand_label(schedule.hash_name, secret, "traffic upd", b"", schedule.octets)

    def _take_message(self, message: HandshakeMessage) -> None:
        if message.type != HandshakeType.KEY_UPDATE:
            raise FailureError(UNEXPECTED_MESSAGE, f"handshake message {message.type} after the handshake")
        reader = Reader(message.body, "KeyUpdate")
        asked = reader.number(1, "request_update")
        reader.end()
        stack, shape = self._stack, self._shape
        assert shape is not None  # noqa: S101 - there is no key to update without
        self._client_secret = self._updated(self._client_secret)
        stack.read_protection = protection(shape, TLS13, self._schedule.traffic_keys(shape, self._client_secret))
        if asked == 1:
            self._update_ours(asking=False)


def _leaf(shown: Presentation) -> bytes:
    return shown.chain[0] if shown.chain else b""


def _retry_group(retry: Retry, offer: _Offer) -> int | None:
    """The group that a HelloRetryRequest names. Raises `FailureError` where the client leaves nothing to ask for."""
    match retry.group:
        case "none":
            return None
        case "same":
            found = next(iter(offer.shares), None)
        case "foreign":
            found = next((group for group in (*GROUPS_TLS13, 0x11EC) if group not in offer.groups), None)
        case _:
            found = next((g for g in GROUPS_TLS13 if g in offer.groups and g not in offer.shares), None)
            if found is None and retry.cookie:
                return None
    if found is None:
        raise FailureError(HANDSHAKE_FAILURE, "the client offers no group that a HelloRetryRequest could name")
    return found


def requested_authorities(request: str, stack: ServerStack) -> tuple[bytes, ...]:
    """The authorities (DER names) that a CertificateRequest lists."""
    if request == "foreign":
        return stack.server.foreign_authorities
    return () if request == "open" else stack.server.authorities


def fitting(scheme: int, usable: tuple[int, ...]) -> int:
    """`scheme`, or the one with the same hash for the kind of key that `usable` schemes tell."""
    kind = 3 if any(code & 0xFF == 3 and code < 0x0700 for code in usable) else 1
    return (scheme & 0xFF00) | kind if scheme < 0x0700 else scheme
