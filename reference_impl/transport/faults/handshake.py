"""Faults of the handshake's extensions, names, groups, keys, tickets, and of what follows it."""

from __future__ import annotations

from dataclasses import replace

from reference_impl.transport.faults.behaviour import Behaviour, in_common, only_tls_1_2
from reference_impl.transport.faults.flights import BAD_RECORD_MAC, P_256, X25519, Flight, ecdhe
from reference_impl.transport.faults.records import Messages, Nonces, RewritingChannel
from reference_impl.transport.front import (
    Channel,
    FrontSettings,
    Handler,
    Hello,
    Opening,
    PassThrough,
    Router,
    Rule,
    ScriptedChannel,
    alert_record,
)
from reference_impl.transport.front.openssl import OpenSslChannel
from reference_impl.transport.front.router import signing_suites
from reference_impl.transport.front.settings import GROUPS, TLS_1_2, TLS_1_3
from reference_impl.transport.wire import (
    TLS13,
    Extension,
    ExtensionType,
    HandshakeType,
    extensions,
    parse_new_session_ticket,
)

_RSA_GCM = 0xC02F
_ECDSA_GCM = 0xC02B
_NO_EXTENDED_MASTER_SECRET = 1 << 0  # SSL_OP_NO_EXTENDED_MASTER_SECRET
_WITHOUT_KEY_SHARE = 1 << 10 | 1 << 35  # SSL_OP_ALLOW_NO_DHE_KEX, SSL_OP_PREFER_NO_DHE_KEX
_P_384, _P_521 = 0x0018, 0x0019
_RSA, _ECDSA = 1, 3  # SignatureAlgorithm of RFC 5246 7.4.1.4.1


def _served_by_flight(hello: Hello, settings: FrontSettings) -> bool:
    """Whether `hello` is of TLS 1.2 alone and takes ECDHE_RSA or ECDHE_ECDSA with AES-128-GCM."""
    return only_tls_1_2(hello) and in_common(hello, settings)


def _flight(**deviation: object) -> Handler:
    def answer(hello: Hello, router: Router) -> Channel:
        suite = next((c for c in hello.suites if c in router.settings.suites_tls_1_2), _RSA_GCM)
        return replace(Flight(suite), **deviation).channel(hello, router.settings)  # type: ignore[arg-type]

    return answer


def compressing() -> Behaviour:
    """Select DEFLATE where a TLS 1.2 client offers it."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return _served_by_flight(hello, settings) and 1 in hello.compressions

    return Behaviour(rules=(Rule(applies, _flight(compression=1)),))


def without_renegotiation_info() -> Behaviour:
    """Never answer renegotiation_info."""
    without = frozenset({int(ExtensionType.RENEGOTIATION_INFO)})
    return Behaviour(rules=(Rule(_served_by_flight, _flight(without=without)),))


def without_extended_master_secret() -> Behaviour:
    """Never answer extended_master_secret."""
    return Behaviour(
        adjust=lambda settings, _pki: replace(
            settings, extra_options=settings.extra_options | _NO_EXTENDED_MASTER_SECRET
        )
    )


def truncating_hmac() -> Behaviour:
    """Agree to truncated_hmac where a TLS 1.2 client offers it."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return _served_by_flight(hello, settings) and ExtensionType.TRUNCATED_HMAC in hello.extensions

    return Behaviour(rules=(Rule(applies, _flight(extra=(extensions.truncated_hmac(),))),))


def signing_with(*schemes: int) -> Behaviour:
    """Sign a TLS 1.2 key exchange with one of `schemes` where the client offers nothing better."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        good = signing_suites(hello, settings)
        return only_tls_1_2(hello) and not good & set(hello.suites) and _choice(hello) is not None

    def _choice(hello: Hello) -> tuple[int, int] | None:
        """The first suite, with a scheme for its kind of certificate."""
        for suite in hello.suites:
            kind = {0xC02F: _RSA, 0xC030: _RSA, 0xC02B: _ECDSA, 0xC02C: _ECDSA}.get(suite)
            for scheme in hello.signature_schemes:
                if kind is not None and scheme in schemes and scheme & 0xFF == kind:
                    return suite, scheme
        return None

    def answer(hello: Hello, router: Router) -> Channel:
        suite, scheme = _choice(hello) or (_RSA_GCM, schemes[0])
        return Flight(suite, scheme=scheme).channel(hello, router.settings)

    return Behaviour(rules=(Rule(applies, answer, before_policy=True),))


def using_group(group: int) -> Behaviour:
    """Agree on `group` in TLS 1.2 where the client offers none that the conforming server takes."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        offered = set(hello.groups)
        return (
            TLS_1_2 in hello.versions
            and group in offered
            and not offered & GROUPS
            and bool(set(hello.suites) & set(settings.suites_tls_1_2))
        )

    return Behaviour(rules=(Rule(applies, _flight(exchange=ecdhe(group)), before_policy=True),))


def reusing_ecdhe_key() -> Behaviour:
    """Use one ECDHE key for every TLS 1.2 client that offers P-256 alone, and never check the client's point."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return _served_by_flight(hello, settings) and hello.groups == (P_256,)

    flight = _flight(exchange=ecdhe(P_256, reused=True), farewell=BAD_RECORD_MAC)
    return Behaviour(rules=(Rule(applies, flight),))


def without_x25519() -> Behaviour:
    """Serve P-256 alone."""
    return Behaviour(adjust=lambda settings, _pki: replace(settings, only_curve="prime256v1"))


def without_p256() -> Behaviour:
    """Agree on any group but P-256."""
    others = {_P_384: "secp384r1", _P_521: "secp521r1"}

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        usable = set(hello.groups) & GROUPS
        if P_256 not in usable:
            return False
        shares = set(hello.key_shares)
        return X25519 not in usable or (TLS_1_3 in hello.versions and P_256 in shares and X25519 not in shares)

    def answer(hello: Hello, router: Router) -> Channel:
        other = next((group for group in hello.groups if group in others), None)
        if other is None:
            return ScriptedChannel((alert_record(40),))
        return router.conforming(hello, replace(router.settings, only_curve=others[other]))

    return Behaviour(rules=(Rule(applies, answer),))


def continuing_with_unknown_name() -> Behaviour:
    """Go on with a server name that is not the server's."""
    return Behaviour(adjust=lambda settings, _pki: replace(settings, unknown_name_alert=None))


def refusing_unknown_name_by(alert: int) -> Behaviour:
    """Refuse an unknown server name by another alert than unrecognized_name."""
    return Behaviour(adjust=lambda settings, _pki: replace(settings, unknown_name_alert=alert))


def resuming_without_key_share() -> Behaviour:
    """Resume TLS 1.3 sessions by psk_ke."""
    return Behaviour(
        adjust=lambda settings, _pki: replace(settings, extra_options=settings.extra_options | _WITHOUT_KEY_SHARE)
    )


def issuing_tickets(*, lifetime: int | None = None, early_data: int | None = None) -> Behaviour:
    """Issue TLS 1.3 tickets with another `lifetime` (seconds), or that allow `early_data` octets."""

    def change(message: bytes) -> bytes:
        if message[0] != HandshakeType.NEW_SESSION_TICKET:
            return message
        ticket = parse_new_session_ticket(message[4:], TLS13)
        if lifetime is not None:
            ticket = replace(ticket, lifetime=lifetime)
        if early_data is not None:
            allowed = Extension(ExtensionType.EARLY_DATA, early_data.to_bytes(4, "big"))
            ticket = replace(ticket, extensions=(*ticket.extensions, allowed))
        return ticket.encode(TLS13)

    return _rewriting(TLS_1_3, messages=change)


def ignoring_bad_records() -> Behaviour:
    """Drop records whose tag is wrong and go on as if nothing had come."""
    return _rewriting(None, ignore_bad_records=True)


def numbering_records_by(nonces: Nonces) -> Behaviour:
    """Choose the explicit nonces of TLS 1.2 AES-GCM records by `nonces`."""
    return _rewriting(TLS_1_2, nonces=nonces)


def _rewriting(
    version: int | None,
    *,
    ignore_bad_records: bool = False,
    nonces: Nonces | None = None,
    messages: Messages | None = None,
) -> Behaviour:
    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return (version is None or hello.highest_version == version) and in_common(hello, settings)

    def answer(hello: Hello, router: Router) -> Channel:
        inner = router.conforming(hello, replace(router.settings, keep_secrets=True))
        if not isinstance(inner, OpenSslChannel):
            return inner
        return RewritingChannel(inner, ignore_bad_records=ignore_bad_records, nonces=nonces, messages=messages)

    return Behaviour(rules=(Rule(applies, answer),))


def accepting_plaintext() -> Behaviour:
    """Answer an unprotected A-ASSOCIATE-RQ."""

    def answer(opening: Opening, _router: Router) -> Channel | None:
        return PassThrough() if opening.data[:1] == b"\x01" else None

    return Behaviour(unprotected=answer)


def sharing_port() -> Behaviour:
    """Answer DICOM and HTTP on one port."""
    return Behaviour(shares_port=True)


def ignoring_alpn() -> Behaviour:
    """Leave application_layer_protocol_negotiation unanswered."""
    return Behaviour(
        adjust=lambda settings, _pki: replace(settings, protocols=(), refuse_unknown_protocols=False),
    )
