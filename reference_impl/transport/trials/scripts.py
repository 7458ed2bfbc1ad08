"""The scripts of the behaviour trials, by the ids of the listener's trials."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from reference_impl.transport import registry
from reference_impl.transport.protection.keys import GROUPS_TLS12
from reference_impl.transport.protection.records import key_shape
from reference_impl.transport.trials.answers import ASSOCIATE_AC, GARBAGE, HTTP_RESPONSE, explicit_curve
from reference_impl.transport.trials.exchanges import P_192, P_224
from reference_impl.transport.trials.script import ChooseSuite, MessageHook, Retry, Script, ServerHelloHook
from reference_impl.transport.trials.stack import HANDSHAKE_FAILURE, PROTOCOL_VERSION
from reference_impl.transport.wire import (
    DOWNGRADE_TLS11,
    DOWNGRADE_TLS12,
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    Alert,
    CertificateMessage,
    ClientHello,
    ContentType,
    Extension,
    ExtensionType,
    HandshakeMessage,
    HandshakeType,
    ServerHello,
    encode_records,
    extensions,
    parse_encrypted_extensions,
)
from reference_impl.transport.wire.extensions import encode_extensions

_UNRECOGNIZED_NAME = 112
_WEEK = 7 * 86_400
EPHEMERAL_SUITES = (
    0xC02F, 0xC030, 0xCCA8, 0xC013, 0xC014, 0xC027, 0xC028,
    0xC02B, 0xC02C, 0xCCA9, 0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xC009, 0xC00A,
)  # fmt: skip
"""ECDHE suites that trials of the ServerKeyExchange select, the best first."""
_SUITES_1_3 = (0x1305, 0x1304, 0x1303, 0x1301, 0x1302, 0xC0B4, 0xC0B5)
_UNASSIGNED_VERSION = 0x0305
_UNSOLICITED = extensions.max_fragment_length()
GOOD = Script()
ONLY_1_2 = Script(versions=(TLS12,))
ONLY_1_3 = Script(versions=(TLS13,))


# -- choosing suites ------------------------------------------------------------------------------


def offered_class(name: str, suites: tuple[int, ...]) -> tuple[int, ...]:
    """The suites of a class (the word behind "suite-" in a trial's id) among those that a client offers."""
    return tuple(code for code in suites if _is_of(name, code))


def _usual(entry: registry.CipherSuite) -> bool:
    return entry.authentication in {"RSA", "ECDSA"} and not entry.export


def _plain_cbc(entry: registry.CipherSuite) -> bool:
    return _usual(entry) and entry.mode == "CBC" and entry.cipher == "AES" and entry.forward_secrecy


def _sha1_cbc(entry: registry.CipherSuite) -> bool:
    return _plain_cbc(entry) and entry.mac == "SHA1"


def _usual_dhe(entry: registry.CipherSuite) -> bool:
    return _usual(entry) and entry.key_exchange == "DHE" and entry.cipher in {"AES", "CHACHA20"}


def _of_cipher(name: str) -> Callable[[registry.CipherSuite], bool]:
    return lambda entry: _usual(entry) and entry.cipher == name


_CLASSES: Mapping[str, Callable[[registry.CipherSuite], bool]] = {
    "null": lambda entry: entry.cipher == "NULL",
    "anonymous": lambda entry: entry.authentication in {"anon", "NULL"} and entry.cipher != "NULL",
    "export": lambda entry: entry.export,
    **{name: _of_cipher(name.upper()) for name in ("rc4", "des", "3des", "idea", "seed", "aria")},
    "gost": lambda entry: "GOST" in entry.name,
    "static-rsa": lambda entry: _usual(entry) and entry.key_exchange == "RSA" and entry.cipher == "AES",
    "static-dh": lambda entry: entry.key_exchange == "DH" and entry.cipher != "NULL" and not entry.export,
    "static-ecdh": lambda entry: entry.key_exchange == "ECDH" and entry.cipher != "NULL",
    "camellia": _of_cipher("CAMELLIA"),
    "cbc": _plain_cbc,
    "cbc-sha1": _sha1_cbc,
    "dhe": _usual_dhe,
}
"""Classes of TLS 1.2 suites, by the word behind "suite-" in a trial's id."""
SUITE_CLASSES = ("integrity-only", *_CLASSES)
"""The classes of which a trial of its own selects a suite."""
_SAME_CLASS = {"cbc-encrypt-then-mac": "cbc", "dhe-again": "dhe"}
"""Trials that select from the class of another one."""


def _is_of(name: str, code: int) -> bool:
    entry = registry.suite(code)
    if not entry.cipher or entry.signalling:
        return False
    if name == "integrity-only":
        return entry.versions == "tls1.3" and entry.cipher == "NULL"
    return entry.versions != "tls1.3" and _CLASSES[_SAME_CLASS.get(name, name)](entry)


def _one_of(name: str) -> ChooseSuite:
    def choose(hello: ClientHello) -> int | None:
        found = offered_class(name, hello.cipher_suites)
        # One that can be completed shows more; anonymous and RSA suites go with the certificate that is at hand.
        found = tuple(sorted(found, key=lambda code: (key_shape(code) is None, registry.suite(code).authentication)))
        by_rsa = [code for code in found if registry.suite(code).authentication in {"RSA", "anon"}]
        return next(iter(by_rsa or found), None)

    return choose


def _class(name: str, **changes: object) -> Script:
    return replace(ONLY_1_2, suite=_one_of(name), **changes)  # type: ignore[arg-type]


def _not_offered(*candidates: int) -> ChooseSuite:
    return lambda hello: next((code for code in candidates if code not in hello.cipher_suites), candidates[0])


def _ephemeral_aead(hello: ClientHello) -> int | None:
    return next((code for code in EPHEMERAL_SUITES if code in hello.cipher_suites), None)


# -- changing what is said ------------------------------------------------------------------------


def _ending_in(tail: bytes) -> ServerHelloHook:
    return lambda said, _hello: replace(said, random=os.urandom(32 - len(tail)) + tail)


def _adding(*extra: Extension) -> ServerHelloHook:
    types = {each.type for each in extra}

    def change(said: ServerHello, _hello: ClientHello) -> ServerHello:
        kept = (each for each in said.extensions or () if each.type not in types)
        return replace(said, extensions=(*kept, *extra))

    return change


def _compressing(said: ServerHello, _hello: ClientHello) -> ServerHello:
    return replace(said, compression_method=1)


def _renegotiation_info_wrong(said: ServerHello, _hello: ClientHello) -> ServerHello:
    others = (e for e in said.extensions or () if e.type != ExtensionType.RENEGOTIATION_INFO)
    return replace(said, extensions=(*others, extensions.renegotiation_info(bytes(12))))


def _first_twice(said: ServerHello, _hello: ClientHello) -> ServerHello:
    answered = said.extensions or (extensions.renegotiation_info(),)
    return replace(said, extensions=(*answered, answered[0]))


def _other_version(said: ServerHello, _hello: ClientHello) -> ServerHello:
    """A version that the client cannot have offered, in the place where it looks for it."""
    if said.extension(ExtensionType.SUPPORTED_VERSIONS) is None:
        return replace(said, legacy_version=_UNASSIGNED_VERSION)
    others = (e for e in said.extensions or () if e.type != ExtensionType.SUPPORTED_VERSIONS)
    return replace(said, extensions=(*others, extensions.selected_version(_UNASSIGNED_VERSION)))


def _if_offered(extension: int, hook: ServerHelloHook) -> ServerHelloHook:
    return lambda said, hello: said if hello.extension(extension) is None else hook(said, hello)


def _flip_last(message: bytes) -> bytes:
    return message[:-1] + bytes((message[-1] ^ 1,))


def _drop(_message: bytes) -> bytes:
    return b""


def _encrypted_extensions(*extra: Extension) -> MessageHook:
    types = {each.type for each in extra}

    def change(message: bytes) -> bytes:
        kept = (each for each in parse_encrypted_extensions(message[4:]) if each.type not in types)
        listed = (*kept, *extra)
        return HandshakeMessage(HandshakeType.ENCRYPTED_EXTENSIONS, encode_extensions(listed)).encode()

    return change


def _empty_certificate(message: bytes) -> bytes:
    # In TLS 1.3 the message begins with the length of a request context, which a server's is without.
    thirteen = message[4:5] == b"\0" and int.from_bytes(message[5:8], "big") + 8 == len(message)
    return CertificateMessage(()).encode(TLS13 if thirteen else TLS12)


def _alert(level: int, description: int, version: int = TLS12) -> bytes:
    return encode_records(ContentType.ALERT, Alert(level, description).encode(), version)


def _foreign_group(groups: tuple[int, ...]) -> int | None:
    return next((group for group in GROUPS_TLS12 if group not in groups), None)


_ALPN = extensions.alpn(("ps315-unknown",))


def _alpn_unknown(said: ServerHello, hello: ClientHello) -> ServerHello:
    thirteen = said.extension(ExtensionType.SUPPORTED_VERSIONS) is not None
    return said if thirteen else _adding(_ALPN)(said, hello)


SERVER_SCRIPTS: Mapping[str, Script] = {
    "ordinary": Script(after=frozenset({"ticket"}), early_data=16_384),
    "ordinary-1.2": ONLY_1_2,
    # protocol versions
    "only-tls-1.1": Script(version=TLS11),
    "only-tls-1.0": Script(version=TLS10),
    "only-ssl-3.0": Script(version=SSL3),
    "ssl-2.0": GOOD,
    "version-not-offered": Script(server_hello=_other_version),
    "fallback-after-close": Script(handshake=False),
    "fallback-after-handshake-failure": Script(handshake=False, opening=_alert(2, HANDSHAKE_FAILURE)),
    "fallback-after-protocol-version": Script(handshake=False, opening=_alert(2, PROTOCOL_VERSION)),
    "downgrade-to-tls-1.2": replace(ONLY_1_2, server_hello=_ending_in(DOWNGRADE_TLS12)),
    "downgrade-to-tls-1.1": Script(version=TLS11, server_hello=_ending_in(DOWNGRADE_TLS11)),
    # answers without protection
    "plaintext-dicom": Script(handshake=False, opening=ASSOCIATE_AC),
    "plaintext-http": Script(handshake=False, opening=HTTP_RESPONSE),
    "garbage": Script(handshake=False, opening=GARBAGE),
    # integrity of the handshake
    "signature-wrong-1.3": replace(ONLY_1_3, messages={HandshakeType.CERTIFICATE_VERIFY: _flip_last}),
    "signature-wrong-1.2": replace(
        ONLY_1_2, suite=_ephemeral_aead, messages={HandshakeType.SERVER_KEY_EXCHANGE: _flip_last}
    ),
    "finished-wrong-1.3": replace(ONLY_1_3, messages={HandshakeType.FINISHED: _flip_last}),
    "finished-wrong-1.2": replace(ONLY_1_2, messages={HandshakeType.FINISHED: _flip_last}),
    "certificate-verify-missing": replace(ONLY_1_3, messages={HandshakeType.CERTIFICATE_VERIFY: _drop}),
    "certificate-empty": Script(messages={HandshakeType.CERTIFICATE: _empty_certificate}),
    "key-exchange-missing": replace(
        ONLY_1_2, suite=_ephemeral_aead, messages={HandshakeType.SERVER_KEY_EXCHANGE: _drop}
    ),
    "record-corrupt-handshake": Script(corrupt="handshake"),
    "record-corrupt-application": Script(corrupt="application"),
    # cipher suites
    "suite-not-offered-1.3": replace(ONLY_1_3, suite=_not_offered(*_SUITES_1_3)),
    "suite-not-offered-1.2": replace(ONLY_1_2, suite=_not_offered(0xC077, 0xC013, 0x0033, 0xC012)),
    "suite-integrity-only": replace(ONLY_1_3, suite=_one_of("integrity-only")),
    **{f"suite-{name}": _class(name) for name in (*_CLASSES, "dhe-again")},
    "suite-cbc-encrypt-then-mac": _class("cbc-encrypt-then-mac", encrypt_then_mac=True),
    # groups and signatures
    "dhe-1024": _class("dhe", dhe_bits=1024),
    "curve-p-192": replace(ONLY_1_2, suite=_ephemeral_aead, group=lambda _groups: P_192),
    "curve-p-224": replace(ONLY_1_2, suite=_ephemeral_aead, group=lambda _groups: P_224),
    "explicit-curve": replace(
        ONLY_1_2, suite=_ephemeral_aead, messages={HandshakeType.SERVER_KEY_EXCHANGE: explicit_curve}
    ),
    "group-not-offered-1.2": replace(ONLY_1_2, suite=_ephemeral_aead, group=_foreign_group),
    "group-not-offered-1.3": replace(ONLY_1_3, share_not_offered=True),
    "signature-md5": replace(ONLY_1_2, suite=_ephemeral_aead, scheme=0x0101),
    "signature-sha1": replace(ONLY_1_2, suite=_ephemeral_aead, scheme=0x0201),
    "signature-sha224": replace(ONLY_1_2, suite=_ephemeral_aead, scheme=0x0301),
    "signature-pkcs1-1.3": replace(ONLY_1_3, scheme=0x0401),
    # extensions
    "compression": replace(ONLY_1_2, server_hello=_compressing),
    "no-renegotiation-info": replace(ONLY_1_2, without_extensions=frozenset({int(ExtensionType.RENEGOTIATION_INFO)})),
    "renegotiation-info-wrong": replace(ONLY_1_2, server_hello=_renegotiation_info_wrong),
    "no-extended-master-secret": replace(
        ONLY_1_2, without_extensions=frozenset({int(ExtensionType.EXTENDED_MASTER_SECRET)})
    ),
    "extension-unsolicited-1.3": replace(
        ONLY_1_3, messages={HandshakeType.ENCRYPTED_EXTENSIONS: _encrypted_extensions(_UNSOLICITED)}
    ),
    "extension-unsolicited-1.2": replace(ONLY_1_2, server_hello=_adding(_UNSOLICITED)),
    "extension-duplicate": Script(server_hello=_first_twice),
    "alpn-unknown": Script(
        messages={HandshakeType.ENCRYPTED_EXTENSIONS: _encrypted_extensions(_ALPN)}, server_hello=_alpn_unknown
    ),
    "encrypt-then-mac-for-aead": replace(
        ONLY_1_2, server_hello=_if_offered(ExtensionType.ENCRYPT_THEN_MAC, _adding(extensions.encrypt_then_mac()))
    ),
    "truncated-hmac": replace(
        ONLY_1_2, server_hello=_if_offered(ExtensionType.TRUNCATED_HMAC, _adding(extensions.truncated_hmac()))
    ),
    # HelloRetryRequest
    "retry": replace(ONLY_1_3, retries=(Retry(),)),
    "retry-cookie": replace(ONLY_1_3, retries=(Retry(cookie=True),)),
    "retry-twice": replace(ONLY_1_3, retries=(Retry(cookie=True), Retry("none", cookie=True)), retry_fails=True),
    "retry-without-change": replace(ONLY_1_3, retries=(Retry("same"),), retry_fails=True),
    "retry-group-not-offered": replace(ONLY_1_3, retries=(Retry("foreign"),), retry_fails=True),
    # client certificates
    "no-certificate-request": Script(request="none"),
    "request-foreign-authorities": Script(request="foreign"),
    "request-without-authorities": Script(request="open"),
    "request-unusable-schemes": replace(ONLY_1_2, request="unusable"),
    # odd and acceptable
    "records-of-one-octet": Script(records="octets"),
    "one-record": Script(records="together"),
    "application-empty-records": Script(application_empty=True),
    "application-records-of-one-octet": Script(application_octets=1),
    "padding": replace(ONLY_1_3, padding=512),
    "tickets": Script(after=frozenset({"ticket"})),
    "ticket-lifetime": replace(ONLY_1_3, after=frozenset({"ticket"}), ticket_seconds=52 * _WEEK),
    "key-update": replace(ONLY_1_3, after=frozenset({"key-update"})),
    "hello-request": replace(ONLY_1_2, after=frozenset({"hello-request"})),
    "warning-unrecognized-name": replace(ONLY_1_2, before=_alert(1, _UNRECOGNIZED_NAME)),
    "close-without-notify": Script(bare_close=True),
    # the server breaks off
    "cut-after-server-hello": Script(cut=True),
    "reset": Script(handshake=False, reset=True),
    "silence": Script(mute=True),
}
"""How the server behaves in each trial that is not about its certificate."""
