"""The server's part of SSL 3.0 to TLS 1.2 (RFC 5246 7, RFC 8422), as far as trials need it.

What cannot be completed (SSL 3.0, ciphers that nobody has any more) is said up to ServerHelloDone: what the client does
then is seen.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from reference_impl.transport import registry
from reference_impl.transport.protection.keys import FiniteField, KeyPair, legacy_keys, prf, transcript_hash
from reference_impl.transport.protection.records import KeyShape, key_shape, protection
from reference_impl.transport.trials.exchanges import ephemeral, finite_field
from reference_impl.transport.trials.signing import choose_scheme, is_ecdsa, sign_legacy, usable_schemes
from reference_impl.transport.trials.stack import (
    DECRYPT_ERROR,
    HANDSHAKE_FAILURE,
    NO_RENEGOTIATION,
    NOTHING_TO_SELECT,
    UNEXPECTED_MESSAGE,
    FailureError,
    ServerStack,
    Steps,
)
from reference_impl.transport.trials.tls13 import fitting, requested_authorities
from reference_impl.transport.wire import (
    SERVER_HELLO_DONE,
    TLS10,
    TLS12,
    Alert,
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
    NewSessionTicket,
    Reader,
    ServerHello,
    ServerKeyExchange,
    encode_server_key_exchange,
    extensions,
    parse_certificate,
    parse_certificate_verify,
    vector,
)
from reference_impl.transport.wire.extensions import parse_alpn, parse_numbers

AEAD_SUITES = (
    0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC0AD, 0xC0AC, 0xC0AF, 0xC0AE,
)  # fmt: skip
OLD_SUITES = (
    0x009F, 0x009E, 0xCCAA, 0xC024, 0xC028, 0xC023, 0xC027, 0xC00A, 0xC014, 0xC009, 0xC013, 0x006B, 0x0067, 0x0039,
    0x0033, 0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F, 0xC008, 0xC012, 0x0016, 0x000A, 0x0002,
)  # fmt: skip
"""What the server takes from clients that have nothing better, to be looked at: DHE, CBC, RSA, 3DES, NULL."""
_GROUPS = (0x0017, 0x001D, 0x0018, 0x0019, 0x001E)
_REQUESTED_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)
_UNUSABLE_SCHEMES = (0x0708, 0x0840)  # SM2, GOST
_RSA_SIGN, _ECDSA_SIGN = 1, 64
_VERIFY_OCTETS = 12


class LegacyHandshake:
    """One handshake of a version up to TLS 1.2, and what may follow it."""

    def __init__(self, stack: ServerStack, hello: ClientHello, version: int) -> None:
        self._stack = stack
        self._script = stack.script
        self._notes = stack.notes
        self._hello = hello
        self._version = version
        self._random = b""
        self._shape: KeyShape | None = None
        self._entry = registry.suite(0)
        self._pair: KeyPair | None = None
        self._master = b""
        self._answered: frozenset[int] = frozenset()

    def run(self, first: HandshakeMessage) -> Steps:
        """The whole handshake, from the ClientHello `first`."""
        stack = self._stack
        stack.record_version = self._version
        stack.transcript = first.encode()
        suite = self._choose_suite()
        stack.put_raw(self._script.before)
        self._say_hello(suite)
        if self._script.cut:
            stack.finished = True
            return
        self._say_flight()
        stack.flight_sent = True
        yield from self._client_flight()
        self._say_finished()
        stack.afterwards = self._take_message
        if "hello-request" in self._script.after:
            stack.put(ContentType.HANDSHAKE, [HandshakeMessage(HandshakeType.HELLO_REQUEST, b"").encode()])

    # -- hello -------------------------------------------------------------------------------------

    def _fits(self, code: int) -> bool:
        """Whether the certificate shown goes with the suite."""
        entry = registry.suite(code)
        if entry.authentication not in {"RSA", "ECDSA"}:
            return entry.authentication == "anon"
        server = self._stack.server
        keys = [each.key for each in (server.shown, server.alternate) if each is not None]
        return any((entry.authentication == "ECDSA") == is_ecdsa(key) for key in keys)

    def _present_for(self, authentication: str) -> None:
        """Show the other certificate where the suite wants its kind of key."""
        other = self._stack.server.alternate
        wanted = authentication == "ECDSA"
        if other is not None and authentication in {"RSA", "ECDSA"} and is_ecdsa(self._stack.shown.key) != wanted:
            self._stack.shown = other

    def _choose_suite(self) -> int:
        if self._script.suite is not None:
            chosen = self._script.suite(self._hello)
            if chosen is None:
                raise FailureError(HANDSHAKE_FAILURE, NOTHING_TO_SELECT)
            return chosen
        forced = self._script.version is not None
        usable = [c for c in (*AEAD_SUITES, *OLD_SUITES) if c in self._hello.cipher_suites and self._speaks(c)]
        usual = "ECDSA" if is_ecdsa(self._stack.shown.key) else "RSA"

        def ill_suited(code: int) -> tuple[bool, bool]:
            entry = registry.suite(code)
            # Before TLS 1.2 key exchanges are signed with SHA-1, which may be why a client breaks off: it is not to be.
            return forced and entry.key_exchange != "RSA", entry.authentication != usual

        for code in sorted((c for c in usable if self._fits(c)), key=ill_suited):
            return code
        if forced:  # a version that the client does not want: any suite will do for it to refuse
            return 0xC009 if is_ecdsa(self._stack.shown.key) else 0xC013
        raise FailureError(HANDSHAKE_FAILURE, "the client offers no cipher suite that this server has")

    def _speaks(self, code: int) -> bool:
        return self._version >= TLS12 or registry.suite(code).versions == "any"

    def _say_hello(self, suite: int) -> None:
        self._random = os.urandom(32)
        said = ServerHello(self._version, self._random, os.urandom(32), suite, 0, self._extensions(suite) or None)
        if self._script.server_hello is not None:
            said = self._script.server_hello(said, self._hello)
        self._random = said.random
        self._notes.suite = said.cipher_suite
        self._entry = registry.suite(said.cipher_suite)
        self._present_for(self._entry.authentication)
        self._answered = frozenset(extension.type for extension in said.extensions or ())
        computable = self._version >= TLS10 and said.legacy_version == self._version and not said.compression_method
        known = ExtensionType.TRUNCATED_HMAC not in self._answered
        self._shape = key_shape(said.cipher_suite) if computable and known else None
        self._stack.say(said.encode())

    def _extensions(self, suite: int) -> tuple[Extension, ...]:
        hello, good = self._hello, list[Extension]()
        if hello.extension(ExtensionType.RENEGOTIATION_INFO) is not None or 0x00FF in hello.cipher_suites:
            good.append(extensions.renegotiation_info())
        if hello.extension(ExtensionType.EXTENDED_MASTER_SECRET) is not None and self._version >= TLS10:
            good.append(extensions.extended_master_secret())
        if hello.extension(ExtensionType.EC_POINT_FORMATS) is not None and "ECDH" in registry.suite(suite).key_exchange:
            good.append(extensions.ec_point_formats())
        if self._script.encrypt_then_mac and hello.extension(ExtensionType.ENCRYPT_THEN_MAC) is not None:
            good.append(extensions.encrypt_then_mac())
        if "ticket" in self._script.after and hello.extension(ExtensionType.SESSION_TICKET) is not None:
            good.append(extensions.session_ticket())
        if self._stapled():
            good.append(Extension(ExtensionType.STATUS_REQUEST, b""))
        wanted = hello.extension(ExtensionType.ALPN)
        names = parse_alpn(wanted) if wanted is not None else ()
        name = next((name for name in names if name in self._stack.server.protocols), None)
        if name is not None:
            good.append(extensions.alpn((name,)))
        return tuple(e for e in good if e.type not in self._script.without_extensions)

    def _stapled(self) -> bool:
        asked = self._hello.extension(ExtensionType.STATUS_REQUEST) is not None
        return asked and bool(self._stack.shown.ocsp_response) and self._version >= TLS10

    # -- the server's flight -----------------------------------------------------------------------

    def _say_flight(self) -> None:
        shown, messages = self._stack.shown, list[bytes]()
        named = self._entry.authentication not in {"anon", "NULL", "PSK"}
        if named:
            messages.append(CertificateMessage(tuple(CertificateEntry(der) for der in shown.chain)).encode())
            if ExtensionType.STATUS_REQUEST in self._answered and self._stapled():
                messages.append(CertificateStatus(1, shown.ocsp_response).encode())
        exchange = self._key_exchange(signed=named)
        if exchange:
            messages.append(exchange)
        if named and self._script.request != "none":
            self._notes.certificates = ()
            unusable = self._script.request == "unusable"
            messages.append(
                CertificateRequest(
                    (_RSA_SIGN, _ECDSA_SIGN),
                    _UNUSABLE_SCHEMES if unusable else _REQUESTED_SCHEMES,
                    requested_authorities(self._script.request, self._stack),
                ).encode(self._version)
            )
        self._stack.say(*messages, SERVER_HELLO_DONE)

    def _key_exchange(self, *, signed: bool) -> bytes:
        kind = self._entry.key_exchange
        made: ServerKeyExchange | None = None
        if kind in {"ECDHE", "ECDH_anon"}:
            self._pair = ephemeral(self._choose_group())
            made = ServerKeyExchange(self._pair.public, group=self._notes.group)
        elif kind in {"DHE", "DH_anon"}:
            self._pair, prime, generator = finite_field(self._script.dhe_bits)
            made = ServerKeyExchange(self._pair.public, prime=prime, generator=generator)
        if made is None:
            return b""
        if not signed:
            return encode_server_key_exchange(made)
        if made.group is not None:
            parameters = b"\x03" + made.group.to_bytes(2, "big") + vector(made.public_key, 1)
        else:
            parameters = vector(made.prime, 2) + vector(made.generator, 2) + vector(made.public_key, 2)
        scheme, signature = self._signature(parameters)
        return encode_server_key_exchange(
            ServerKeyExchange(
                made.public_key, made.group, "", made.prime, made.generator,
                scheme if self._version >= TLS12 else None, signature,
            )
        )  # fmt: skip

    def _signature(self, parameters: bytes) -> tuple[int, bytes]:
        shown = self._stack.shown
        leaf = shown.chain[0] if shown.chain else b""
        offered = self._hello.extension(ExtensionType.SIGNATURE_ALGORITHMS)
        schemes: Iterable[int] = parse_numbers(offered, 2, 2, "signature_algorithms") if offered is not None else ()
        scheme = self._script.scheme
        if scheme is None:
            scheme = choose_scheme(shown.key, leaf, TLS12, schemes)
        else:
            scheme = fitting(scheme, usable_schemes(shown.key, leaf, TLS12))
        return scheme, sign_legacy(shown.key, self._version, scheme, self._hello.random + self._random + parameters)

    def _choose_group(self) -> int:
        listed = self._hello.extension(ExtensionType.SUPPORTED_GROUPS)
        groups = parse_numbers(listed, 2, 2, "supported_groups") if listed is not None else ()
        chosen = self._script.group(groups) if self._script.group else None
        if chosen is None:
            chosen = next((group for group in _GROUPS if group in groups or not groups), None)
        if chosen is None:
            raise FailureError(HANDSHAKE_FAILURE, "the client offers no group that this server has")
        self._notes.group = chosen
        return chosen

    # -- the client's flight -----------------------------------------------------------------------

    def _client_flight(self) -> Steps:
        stack = self._stack
        while True:
            message = yield
            if message.type == HandshakeType.CERTIFICATE and self._notes.certificates == ():
                self._notes.certificates = parse_certificate(message.body).certificates
            elif message.type == HandshakeType.CLIENT_KEY_EXCHANGE:
                stack.transcript += message.encode()
                self._take_key_exchange(message.body)
                continue
            elif message.type == HandshakeType.CERTIFICATE_VERIFY and self._notes.certificates:
                if self._version >= TLS12:
                    self._notes.scheme = parse_certificate_verify(message.body).scheme
            elif message.type == HandshakeType.FINISHED and self._master and stack.read_protection is not None:
                self._check_finished(message)
                return
            else:
                raise FailureError(UNEXPECTED_MESSAGE, f"unexpected handshake message {message.type}")
            stack.transcript += message.encode()

    def _take_key_exchange(self, body: bytes) -> None:
        premaster = self._premaster(body)
        shape = self._shape
        if premaster is None or shape is None:
            self._stack.blind = True
            return
        extended = ExtensionType.EXTENDED_MASTER_SECRET in self._answered
        label = b"extended master secret" if extended else b"master secret"
        if extended:
            seed = transcript_hash(self._version, shape.prf_hash, self._stack.transcript)
        else:
            seed = self._hello.random + self._random
        self._master = prf(self._version, shape.prf_hash, premaster, label, seed=seed, octets=48)
        self._notes.secrets.append(f"CLIENT_RANDOM {self._hello.random.hex()} {self._master.hex()}")
        client, _server = legacy_keys(self._version, shape, self._master, self._hello.random, self._random)
        self._stack.pending_read = protection(shape, self._version, client, encrypt_then_mac=self._encrypt_then_mac)

    @property
    def _encrypt_then_mac(self) -> bool:
        return ExtensionType.ENCRYPT_THEN_MAC in self._answered

    def _premaster(self, body: bytes) -> bytes | None:
        """The premaster secret; None where this server cannot know it."""
        kind, reader = self._entry.key_exchange, Reader(body, "ClientKeyExchange")
        if kind == "RSA":
            return self._transported(reader)
        if self._pair is None:
            return None
        peer = reader.vector(2 if isinstance(self._pair, FiniteField) else 1, "public value")
        reader.end()
        if isinstance(self._pair, FiniteField):
            self._notes.dhe_public = peer
        return self._pair.agree(peer)

    def _transported(self, reader: Reader) -> bytes | None:
        key = self._stack.shown.key
        if not isinstance(key, rsa.RSAPrivateKey):
            return None
        sealed = reader.vector(2, "EncryptedPreMasterSecret")
        reader.end()
        try:
            return key.decrypt(sealed, padding.PKCS1v15())
        except ValueError:
            return None

    def _check_finished(self, message: HandshakeMessage) -> None:
        if not hmac.compare_digest(message.body, self._verify_data(b"client finished")):
            raise FailureError(DECRYPT_ERROR, "the client's Finished is wrong")
        self._stack.transcript += message.encode()
        self._notes.progress = "completed"

    def _verify_data(self, label: bytes) -> bytes:
        shape = self._shape
        assert shape is not None  # noqa: S101 - without keys nothing comes here
        digest = transcript_hash(self._version, shape.prf_hash, self._stack.transcript)
        return prf(self._version, shape.prf_hash, self._master, label, seed=digest, octets=_VERIFY_OCTETS)

    def _say_finished(self) -> None:
        stack, shape = self._stack, self._shape
        assert shape is not None  # noqa: S101 - without keys nothing comes here
        if ExtensionType.SESSION_TICKET in self._answered:
            stack.say(NewSessionTicket(self._script.ticket_seconds, os.urandom(64)).encode())
        stack.put(ContentType.CHANGE_CIPHER_SPEC, [b"\x01"])
        _client, server = legacy_keys(self._version, shape, self._master, self._hello.random, self._random)
        stack.write_protection = protection(shape, self._version, server, encrypt_then_mac=self._encrypt_then_mac)
        stack.say(HandshakeMessage(HandshakeType.FINISHED, self._verify_data(b"server finished")).encode())

    # -- afterwards --------------------------------------------------------------------------------

    def _take_message(self, message: HandshakeMessage) -> None:
        if message.type != HandshakeType.CLIENT_HELLO:
            raise FailureError(UNEXPECTED_MESSAGE, f"handshake message {message.type} after the handshake")
        self._notes.detail = "the client began a renegotiation"
        self._stack.put(ContentType.ALERT, [Alert(1, NO_RENEGOTIATION).encode()])
