"""Keys and groups: PS3.15 B.13 (key lengths), RFC 9325 4.2.1, 4.5 and 7.4, RFC 5288 3."""

from __future__ import annotations

from itertools import pairwise

from harness import TLS12, TLS13, DheParameter, Missing, NotApplicable, RecordProtection, expect, verifies
from reference_impl.transport.registry import group, suite, version_name
from suites.transport.expectations import at_every_endpoint, established, not_applicable_without
from suites.transport.view import Endpoint, SeenGroup, TlsServer

pytest_plugins = ("suites.transport.fixtures",)

SECP256R1, X25519, X448 = 0x0017, 0x001D, 0x001E
UNRULED_CURVES = frozenset({X25519})  # 255 bits by field, "256 bits or more" by the standard: no ruling, never failed
SAFE_CURVES = frozenset({X25519, X448})


def dhe_lengths(tls: TlsServer) -> list[tuple[str, int, str]]:
    """Every DHE key exchange seen: where, its length in bits and its exchange."""
    seen = [
        (f"{suite(each.suite).name} in {version_name(each.version)}", each.bits, each.exchange)
        for groups in tls.each_groups()
        for each in groups.dhe
    ]
    return seen + [
        (str(each), each.group.bits, each.exchange)
        for each in tls.groups()
        if each.accepted and each.group.kind == "ffdhe"
    ]


@verifies("B.13-dhe-key-length", "B.11-dhe-key-length", "RFC9325-4.5-dhe-2048", "RFC7525-4.3-dhe-2048")
def test_dhe_keys_have_2048_bits(tls: TlsServer) -> None:
    """B.13, B.11, RFC 9325 4.5, RFC 7525 4.3: the key length of DHE is 2048 bits or more."""
    lengths = dhe_lengths(tls)
    short = [(f"{where}: {bits} bits", exchange) for where, bits, exchange in lengths if bits < 2048]
    accepted = tls.accepted(lambda each: each.key_exchange.startswith("DHE"))
    if not lengths and not accepted:
        tls.every_suite_was_offered()
        tls.every_group_was_offered(TLS13)  # up to TLS 1.2 it takes a DHE suite
        raise NotApplicable("the server accepts no DHE key exchange")
    expect([where for where, _ in short], evidence=[at for _, at in short], what="DHE keys").to_be_empty(
        expected="at least 2048 bits"
    )
    measured = {each.suite for groups in tls.each_groups() for each in groups.dhe}
    if accepted and not measured:
        raise Missing(f"the DHE parameters of {accepted[0]} were not seen", "Run the observation again.")
    tls.every_suite_was_offered()


def short_curves(tls: TlsServer, least: int) -> list[tuple[str, str]]:
    """The curves of fewer than `least` bits over which keys were exchanged, with their exchanges."""
    named = [
        (f"{each} ({each.group.bits} bits)", each.exchange)
        for each in tls.groups()
        if each.accepted and each.group.kind == "ecdhe" and 0 < each.group.bits < least
        and each.group.code not in UNRULED_CURVES
    ]  # fmt: skip
    explicit = [
        (description, "")
        for groups in tls.each_groups()
        for description in groups.explicit_curves
        if (length := leading_number(description)) is not None and length < least
    ]
    return named + explicit


def leading_number(description: str) -> int | None:
    """The number with which a description begins ("192-bit explicit prime curve"), None if with none."""
    digits = description.partition("-")[0]
    return int(digits) if digits.isdecimal() else None


def no_short_curves(tls: TlsServer, least: int) -> None:
    """No keys are exchanged over curves of fewer than `least` bits."""
    short = short_curves(tls, least)
    expect([what for what, _ in short], evidence=[at for _, at in short], what="curves").to_be_empty(
        expected=f"curves of at least {least} bits"
    )
    tls.every_group_was_offered()


@verifies("B.13-ecdhe-key-length", "B.11-ecdhe-key-length")
def test_ecdhe_keys_have_256_bits(tls: TlsServer) -> None:
    """B.13, B.11: ECDHE keys have 256 bits or more. X25519 and hybrids have no ruling and are never failed."""
    if not exchanges_over_curves(tls):
        raise NotApplicable("the server accepts no ECDHE key exchange")
    no_short_curves(tls, tls.profile.minimum_bits["ecdhe"])


@verifies("RFC9325-4.5-no-curves-below-224")
def test_no_curves_below_224_bits(tls: TlsServer) -> None:
    """RFC 9325 4.5: curves of less than 224 bits are not used."""
    no_short_curves(tls, 224)


@verifies("RFC7525-4.3-no-curves-below-192")
def test_no_curves_below_192_bits(tls: TlsServer) -> None:
    """RFC 7525 4.3: curves of less than 192 bits should not be used."""
    no_short_curves(tls, 192)


def exchanges_over_curves(tls: TlsServer) -> bool:
    """Whether the server accepts ECDHE in any version; `Missing` unless shown or ruled out."""
    if any(each.accepted and each.group.kind in {"ecdhe", "hybrid"} for each in tls.groups()):
        return True
    if tls.has_suite(lambda each: each.key_exchange.startswith("ECDHE")):
        return True
    tls.every_group_was_offered()
    return False


@verifies("RFC9325-4.2.1-supports-p256", "RFC7525-4.2.1-supports-p256")
def test_p256_is_supported(tls: TlsServer) -> None:
    """RFC 9325 4.2.1: P-256 should be supported."""
    is_supported(tls, SECP256R1)


@verifies("RFC9325-4.2.1-supports-x25519")
def test_x25519_is_supported(tls: TlsServer) -> None:
    """RFC 9325 4.2.1: X25519 should be supported."""
    is_supported(tls, X25519)


def is_supported(tls: TlsServer, code: int) -> None:
    """Keys are exchanged over the group in one version at least; that a server names it is not enough."""
    seen: list[SeenGroup] = [each for each in tls.groups() if each.group.code == code]
    used = [each for each in seen if each.accepted]
    if not used:
        tls.every_group_was_offered()
        if seen:
            raise Missing(
                f"the server named {group(code).name} but no handshake over it was seen", "Run the observation again.",
                seen[0].exchange,
            )  # fmt: skip
    expect("accepted" if used else "refused", evidence=[each.exchange for each in used], what=group(code).name).to_be(
        "accepted"
    )


@verifies("RFC9325-7.4-no-ffdh-reuse")
def test_dhe_keys_are_used_once(tls: TlsServer) -> None:
    """RFC 9325 7.4: finite-field Diffie-Hellman keys should not be used for several connections."""
    if not tls.has_suite(lambda each: each.key_exchange.startswith("DHE"), TLS12):
        raise NotApplicable("the server accepts no DHE suite under TLS 1.2")
    parameters: list[DheParameter] = [each for groups in tls.each_groups() for each in groups.dhe]
    compared = [each for each in parameters if each.public_keys_differ is not None]
    reused = [each for each in compared if not each.public_keys_differ]
    if not compared:
        raise Missing("the DHE keys of several connections were not compared", "Run the observation again.")
    expect(reused, evidence=[each.exchange for each in reused], what="DHE keys used again").to_be_empty(
        describe=lambda each: suite(each.suite).name
    )


@verifies("RFC9325-7.4-ecdh-reuse-safe")
def test_reused_ecdhe_keys_are_protected(tls: TlsServer) -> None:
    """RFC 9325 7.4: whoever reuses ECDH keys takes a safe curve, or checks the points that it receives."""
    if not exchanges_over_curves(tls):
        raise NotApplicable("the server accepts no ECDHE key exchange")
    facts = tls.each_groups()
    if not any(each.ecdhe_keys_differ is False for each in facts):
        if any(each.ecdhe_keys_differ is None for each in facts):
            raise Missing("the ECDHE keys of several connections were not compared", "Run the observation again.")
        raise NotApplicable("the server makes a new ECDHE key for every connection")
    unsafe = [code for each in facts for code in each.ecdhe_reused_groups if code not in SAFE_CURVES]
    accepting = [each.off_curve_point_accepted for each in facts if each.ecdhe_keys_differ is False]
    if unsafe and True not in accepting and None in accepting:
        raise Missing("whether points off the curve are refused was not tried", "Run the observation again.")
    expect(unsafe, what="reused ECDHE keys", show=lambda code: group(code).name).to_hold(
        not unsafe or True not in accepting, expected=("over a safe curve", "points off the curve are refused")
    )


@verifies("RFC9325-7.2.1-gcm-nonce-sequence")
@at_every_endpoint
def test_gcm_nonces_count_the_records(server: Endpoint) -> None:
    """RFC 9325 7.2.1: the explicit nonce of AES-GCM counts the records, from zero or from another beginning."""
    nonces, exchange = explicit_nonces(server)
    steps = {(after - before) % 2**64 for before, after in pairwise(nonces)}
    expect(nonces, evidence=exchange, what="explicit nonces", show=lambda nonce: f"{nonce:016x}").to_hold(
        steps == {1}, expected="each one more than that of the record before"
    )


@verifies("RFC5288-3-nonce-unique")
@at_every_endpoint
def test_no_gcm_nonce_is_used_twice(server: Endpoint) -> None:
    """RFC 5288 3: the explicit nonce of AES-GCM is distinct for every record of a key."""
    nonces, exchange = explicit_nonces(server)
    twice = sorted({nonce for nonce in nonces if nonces.count(nonce) > 1})
    expect(twice, evidence=exchange, what="nonces used twice", show=lambda nonce: f"{nonce:016x}").to_be_empty()


def explicit_nonces(server: Endpoint) -> tuple[list[int], str]:
    """The explicit nonces of at least two records, in order, and their exchange."""
    not_applicable_without(server, TLS12)
    accepted = server.suites(TLS12)
    if not any(suite(each.code).mode == "GCM" for each in accepted.accepted):
        established(accepted.complete or None, f"whether {server.name} accepts a GCM suite under TLS 1.2")
        raise NotApplicable(f"{server.name} accepts no GCM suite under TLS 1.2")
    facts = server.facts(RecordProtection)
    if len(facts.explicit_nonces) < 2:
        raise Missing(
            f"{server.name} sent fewer than two protected records",
            "Give the harness AE titles, and a client certificate if one is required, that the server may answer.",
            facts.exchange,
        )
    return [int(nonce, 16) for nonce in facts.explicit_nonces], facts.exchange
