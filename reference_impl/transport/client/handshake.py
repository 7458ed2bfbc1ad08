"""The client's handshake: the hello, what the server makes of it, and on to TLS 1.3 or TLS 1.2 and less."""

from __future__ import annotations

from reference_impl.transport.client.channel import ClientChannel, Steps
from reference_impl.transport.client.hello import client_hello
from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.settings import Check
from reference_impl.transport.protection.keys import KeyPair, key_pair
from reference_impl.transport.protection.records import KeyShape, key_shape
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import (
    DOWNGRADE_TLS11,
    DOWNGRADE_TLS12,
    TLS12,
    TLS13,
    ClientHello,
    ContentType,
    Extension,
    ExtensionType,
    HandshakeMessage,
    HandshakeType,
    ServerHello,
    extensions,
    parse_server_hello,
)

_ILLEGAL = AlertDescription.ILLEGAL_PARAMETER
_STAND_IN = {True: 0x1301, False: 0xC02F}


def run(channel: ClientChannel) -> Steps:
    """The whole handshake of `channel`. Raises `RefusalError` and the errors of wire format and keys."""
    from reference_impl.transport.client import tls12, tls13

    settings = channel.settings
    pairs: dict[int, KeyPair] = {}
    if TLS13 in settings.versions:
        pairs = {group: key_pair(group) for group in settings.shares}
    hello = client_hello(settings, channel.server_name, {group: pair.public for group, pair in pairs.items()})
    encoded = hello.encode()
    channel.transcript = encoded
    channel.send(ContentType.HANDSHAKE, encoded)
    message = yield
    answer = take_server_hello(channel, hello, message)
    if channel.version >= TLS13:
        yield from tls13.run(channel, hello, pairs, answer, message)
    else:
        yield from tls12.run(channel, hello, answer, message)


def take_server_hello(channel: ClientChannel, hello: ClientHello, message: HandshakeMessage) -> ServerHello:
    """Read the server's answer to `hello` and check what it chooses; sets version and suite of `channel`."""
    if message.type != HandshakeType.SERVER_HELLO:
        raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, f"message {message.type} in the place of ServerHello")
    answer = parse_server_hello(message.body)
    version = answer.version
    if version > TLS13 and not channel.settings.checks(Check.KNOWN_VERSION):
        version = TLS13
    known = version in channel.settings.versions and (version < TLS13 or answer.legacy_version == TLS12)
    if not known:
        raise RefusalError(AlertDescription.PROTOCOL_VERSION, f"version 0x{version:04X} was not offered")
    if answer.is_hello_retry_request and version < TLS13:
        raise RefusalError(_ILLEGAL, "a HelloRetryRequest below TLS 1.3")
    channel.version = version
    _suite(channel, hello, answer)
    compressed = answer.compression_method in (hello.compression_methods if version < TLS13 else (0,))
    channel.require(Check.COMPRESSION, compressed, _ILLEGAL, "a compression method was not offered")
    if version < TLS13:
        marked = answer.random.endswith((DOWNGRADE_TLS11, DOWNGRADE_TLS12)) and TLS13 in channel.settings.versions
        channel.require(Check.SENTINEL, not marked, _ILLEGAL, "the server knows TLS 1.3: somebody has downgraded")
    _extensions(channel, hello, answer)
    return answer


def _suite(channel: ClientChannel, hello: ClientHello, answer: ServerHello) -> None:
    chosen, deviations = suite(answer.cipher_suite), channel.settings.deviations
    offered = answer.cipher_suite in (set(hello.cipher_suites) | deviations.taken) - deviations.untaken
    offered = (offered and not chosen.signalling) or channel.version < deviations.any_below
    channel.require(Check.SUITE, offered, _ILLEGAL, f"{chosen.name} was not offered")
    needed = {"tls1.3": (TLS13,), "tls1.2": (TLS12,), "any": (0x0300, 0x0301, 0x0302, TLS12)}[chosen.versions]
    if channel.version not in needed:
        raise RefusalError(_ILLEGAL, f"{chosen.name} belongs to another version")
    channel.suite = answer.cipher_suite


def shape_of(channel: ClientChannel) -> KeyShape:
    """What the records of the chosen suite take. Raises `RefusalError` for one that cannot be spoken."""
    pretended = channel.suite in channel.settings.deviations.pretended
    shape = key_shape(_STAND_IN[channel.version >= TLS13] if pretended else channel.suite or 0)
    if shape is None:
        raise RefusalError(AlertDescription.HANDSHAKE_FAILURE, "records of that suite are not spoken here")
    return shape


def _extensions(channel: ClientChannel, hello: ClientHello, answer: ServerHello) -> None:
    """Nothing that was not asked for, nothing twice, and in TLS 1.3 only what a ServerHello may carry."""
    sent = answer.extensions or ()
    allowed = {extension.type for extension in hello.extensions or ()}
    if channel.settings.renegotiation_scsv:
        allowed.add(ExtensionType.RENEGOTIATION_INFO)
    if answer.is_hello_retry_request:
        allowed.add(ExtensionType.COOKIE)
    no_repetition(channel, sent)
    unasked = [extension.type for extension in sent if extension.type not in allowed]
    reason = f"extension {unasked[0] if unasked else 0} was not offered"
    channel.require(Check.EXTENSIONS, not unasked, AlertDescription.UNSUPPORTED_EXTENSION, reason)
    if channel.version >= TLS13:
        fitting = {ExtensionType.SUPPORTED_VERSIONS, ExtensionType.KEY_SHARE, ExtensionType.COOKIE}
        if any(extension.type in allowed - fitting for extension in sent) and channel.settings.checks(Check.EXTENSIONS):
            raise RefusalError(_ILLEGAL, "an extension that does not belong into a ServerHello")


def no_repetition(channel: ClientChannel, sent: tuple[Extension, ...]) -> None:
    """Raise `RefusalError` where an extension comes twice."""
    types = [extension.type for extension in sent]
    channel.require(Check.REPETITION, len(types) == len(set(types)), _ILLEGAL, "an extension comes twice")


def check_protocol(channel: ClientChannel, sent: tuple[Extension, ...]) -> None:
    """The application protocol that the server chose: one of those offered (RFC 7301 3.1)."""
    data = extensions.find(sent, ExtensionType.ALPN)
    if data is None:
        return
    chosen = extensions.parse_alpn(data)
    offered = len(chosen) == 1 and chosen[0] in channel.settings.protocols
    channel.require(Check.PROTOCOL, offered, _ILLEGAL, "an application protocol that was not offered")
    channel.protocol = chosen[0] if chosen else ""
