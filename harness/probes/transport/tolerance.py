"""Tolerance: what a conforming server copes with (RFC 5246 E.1 and 7.4.1.4, RFC 8446 4.2.1, RFC 8701, RFC 8996 4)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from harness.observations import Observation, Reaction
from harness.observations.transport import TLS12, TLS13, CipherSuites, Tolerance, Versions
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import side_by_side, silent
from harness.probes.transport.exchange import Answer, converse
from harness.probes.transport.key_exchange import LEGACY, light
from harness.probes.transport.versions import following, none_negotiated, supported
from reference_impl.transport.registry import GREASE
from reference_impl.transport.wire import ClientHello, Extension, ExtensionType, KeyShare
from reference_impl.transport.wire import extensions as ext

KIND = "tls.tolerance"
ORDINARY_RECORD = 0x0301
RECORD_VERSIONS = (0x0300, 0x0302, 0x0303, 0x0304, 0x03FF)
"""{03,XX} on the record of the ClientHello, beside the ordinary {03,01}."""
CLIENT_VERSIONS = (0x0304, 0x0305, 0x03FF)
UNASSIGNED_EXTENSION, UNASSIGNED_SUITE, UNASSIGNED_GROUP, UNASSIGNED_SCHEME = 0xFDE8, 0xEE01, 0xEE02, 0xEE03


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.tolerance``. Needs ``tls.versions`` and ``tls.cipher-suites``."""
    known = context.facts(Versions)
    hello, version = _ordinary(context, known)
    if hello is None:
        return context.observed(KIND, None, missing=none_negotiated(known))
    ask = partial(_ask, context)
    asked: dict[object, tuple[str, ClientHello, int]] = {}
    for value in RECORD_VERSIONS:
        asked["record", value] = (f"record version {{03,{value & 0xFF:02X}}}", hello, value)
    if version == TLS12:
        for value in CLIENT_VERSIONS:
            purpose = f"client_version {{03,{value & 0xFF:02X}}} without supported_versions"
            asked["client", value] = (purpose, replace(hello, client_version=value), ORDINARY_RECORD)
        asked["tls12"] = ("unknown suites, groups and extensions in TLS 1.2", greased_tls12(hello), ORDINARY_RECORD)
    if supported(known, TLS13):
        greased = greased_tls13(hellos.tls13_hello(context.target))
        asked["tls13"] = ("unknown versions, suites, groups and extensions in TLS 1.3", greased, ORDINARY_RECORD)
    asked["baseline"] = ("an ordinary hello", hello, ORDINARY_RECORD)
    answers = dict(zip(asked, side_by_side([partial(ask, *what) for what in asked.values()]), strict=True))
    reactions = {name: answer.reaction for name, answer in answers.items()}
    exchanges = tuple(exchange for answer in answers.values() for exchange in answer.exchanges)
    if silent(list(reactions.values())):
        why = "The server has stopped answering: no reaction to unusual hellos was seen."
        return context.observed(KIND, None, missing=why, exchanges=exchanges)
    baseline = answers["baseline"]
    facts = Tolerance(
        record_versions={
            ORDINARY_RECORD: baseline.reaction,
            **{value: reactions["record", value] for value in RECORD_VERSIONS},
        },
        client_versions={value: reactions["client", value] for value in CLIENT_VERSIONS if version == TLS12},
        unknown_extensions_tls12=reactions.get("tls12"),
        unknown_values_tls13=reactions.get("tls13"),
        baseline_tls12=baseline.reaction if version == TLS12 else None,
        baseline_tls13=_newest(known),
        random_tail_tls12=_random_tail(baseline) if version == TLS12 else "",
        downgrade_exchange=baseline.reaction.exchange if version == TLS12 else "",
    )
    return context.observed(KIND, facts, exchanges=exchanges)


def _ordinary(context: ProbeContext, known: Versions | None) -> tuple[ClientHello | None, int]:
    """An ordinary hello of the highest version up to TLS 1.2 that is supported, or else of TLS 1.3; and the version."""
    for version in LEGACY:
        if supported(known, version):
            suites = light(context.facts(CipherSuites), version) or hellos.ORDINARY_SUITES
            return hellos.legacy_hello(context.target, suites, version), version
    if supported(known, TLS13):
        return hellos.tls13_hello(context.target), TLS13
    return None, 0


def _ask(context: ProbeContext, purpose: str, hello: ClientHello, record_version: int) -> Answer:
    stimulus = hello.to_records(record_version)
    return converse(context, f"tolerance: {purpose}", stimulus, following(hello))


def greased_tls12(hello: ClientHello) -> ClientHello:
    """`hello` with reserved and unassigned suites, groups, signature schemes and extensions around what it offers."""
    extensions = [_with_unknown(extension) for extension in hello.extensions or ()]
    around = (
        Extension(GREASE[0], b""),
        *extensions,
        Extension(UNASSIGNED_EXTENSION, b"ps315"),
        Extension(GREASE[1], b"\0"),
    )
    suites = (GREASE[2], *hello.cipher_suites, UNASSIGNED_SUITE)
    return replace(hello, cipher_suites=suites, extensions=around)


def greased_tls13(hello: ClientHello) -> ClientHello:
    """The same for TLS 1.3: versions and key shares, too."""
    greased = greased_tls12(hello)
    extensions: list[Extension] = []
    for extension in greased.extensions or ():
        if extension.type == ExtensionType.SUPPORTED_VERSIONS:
            extensions.append(ext.supported_versions((GREASE[3], *hello.offered_versions, 0x0305)))
        elif extension.type == ExtensionType.KEY_SHARE:
            shares = ext.parse_client_key_shares(extension.data)
            extensions.append(ext.key_share((KeyShare(GREASE[4], b"\0"), *shares)))
        elif extension.type == ExtensionType.PSK_KEY_EXCHANGE_MODES:
            extensions.append(ext.psk_key_exchange_modes((1, 0x4A)))
        else:
            extensions.append(extension)
    return replace(greased, extensions=tuple(extensions))


def _with_unknown(extension: Extension) -> Extension:
    if extension.type == ExtensionType.SUPPORTED_GROUPS:
        groups = ext.parse_numbers(extension.data, 2, 2, "supported_groups")
        return ext.supported_groups((GREASE[4], *groups, UNASSIGNED_GROUP))
    if extension.type == ExtensionType.SIGNATURE_ALGORITHMS:
        schemes = ext.parse_numbers(extension.data, 2, 2, "signature_algorithms")
        return ext.signature_algorithms((GREASE[5], *schemes, UNASSIGNED_SCHEME))
    return extension


def _random_tail(answer: Answer) -> str:
    return answer.hello.random[-8:].hex() if answer.hello is not None else ""


def _newest(known: Versions | None) -> Reaction | None:
    return known.reactions.get(TLS13) if known is not None and supported(known, TLS13) else None
