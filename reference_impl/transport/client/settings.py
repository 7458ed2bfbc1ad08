"""How the client behaves where it conforms, as values, and in what it may be made to deviate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from reference_impl.transport.profiles import Profile
from reference_impl.transport.protection.records import DirectionKeys, KeyShape, RecordProtection, key_shape
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import TLS10, TLS11, TLS12, TLS13, Extension

Protect: TypeAlias = Callable[[KeyShape, int, DirectionKeys], RecordProtection]
"""Makes the protection of one direction from the suite's shape, the version and the keys."""

X25519, P_256, P_384, P_521, X448 = 0x001D, 0x0017, 0x0018, 0x0019, 0x001E

_FIRST = 0xC02F  # the first proposal that RFC 9325 4.2.1 asks for
_SUITES_TLS_1_2 = (0xC02F, 0xC02B, 0xC030, 0xC02C, 0xCCA8, 0xCCA9)
_SUITES_DHE = (0x009E, 0x009F)
_SUITES_TLS_1_3 = (0x1301, 0x1302, 0x1303)
_SCHEMES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501, 0x0601)
_EDWARDS = (0x0807, 0x0808)
_SHA_512 = frozenset({0x0603, 0x0806, 0x080B, 0x0601})


class Check(StrEnum):
    """What the client checks: of certificates, of the handshake, of records."""

    TRUST = "trust"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    HOST_NAME = "host name"
    COMMON_NAME = "common name does not count"
    EXTENDED_KEY_USAGE = "extended key usage"
    KEY_USAGE = "key usage"
    BASIC_CONSTRAINTS = "basic constraints"
    PATH_LENGTH = "path length"
    NAME_CONSTRAINTS = "name constraints"
    CRITICAL_EXTENSION = "critical extension"
    ENCODING = "encoding"
    KEY_STRENGTH = "key strength"
    SIGNATURE_ALGORITHM = "signature algorithm"
    REVOCATION_LIST = "revocation list"
    STAPLED_STATUS = "stapled status"
    RESPONDER = "status that a responder tells"
    SOME_CERTIFICATE = "some certificate"

    KNOWN_VERSION = "version known"
    SUITE = "suite offered"
    COMPRESSION = "compression offered"
    EXTENSIONS = "extensions offered"
    REPETITION = "no extension twice"
    SENTINEL = "downgrade sentinel"
    RENEGOTIATION_ANSWERED = "renegotiation_info answered"
    RENEGOTIATION_EMPTY = "renegotiation_info empty"
    PROTOCOL = "application protocol offered"
    GROUP = "group offered"
    DHE_BITS = "length of the DHE prime"
    SCHEME = "signature scheme offered"
    SCHEME_OF_VERSION = "signature scheme of the version"
    SERVER_SIGNATURE = "signature of the handshake"
    FINISHED = "Finished"
    RETRY_ONCE = "one HelloRetryRequest"
    RETRY_CHANGES = "a HelloRetryRequest changes something"


class Dread(StrEnum):
    """Acceptable things at which a deviating client breaks off all the same."""

    RETRY = "HelloRetryRequest"
    SPLIT_RECORDS = "handshake messages in pieces"
    TICKETS = "session tickets"
    KEY_UPDATES = "key updates"
    NO_PURPOSE = "no extended key usage"
    OPEN_REQUEST = "a request for certificates that names no authorities"


@dataclass(frozen=True)
class Deviations:
    """What makes the client deviate; nothing of it in one that conforms.

    `ignores` are checks that are left out, `verifies_late` puts off what certificates and signatures tell until the
    first application data is sent. Suites: `taken` without having been offered, `untaken` although offered, `any_below`
    the version given; of those in `pretended` only the handshake messages are spoken, in records that nobody can read,
    as of `pretended_groups` with public values that are none. `seals` and `opens` replace record protection.
    """

    ignores: frozenset[Check] = frozenset()
    dreads: frozenset[Dread] = frozenset()
    verifies_late: bool = False
    taken: frozenset[int] = frozenset()
    untaken: frozenset[int] = frozenset()
    any_below: int = 0
    pretended: frozenset[int] = frozenset()
    implied_groups: frozenset[int] = frozenset()
    pretended_groups: frozenset[int] = frozenset()
    reuses_dhe_key: bool = False
    seals: Protect | None = None
    opens: Protect | None = None


@dataclass(frozen=True)
class ClientSettings:
    """Everything that decides what the client offers and accepts.

    `versions`, `suites`, `groups`, `schemes` are IANA code points in the client's order; `shares` are the groups with a
    key share in the first hello. `certificate_schemes` goes into signature_algorithms_cert where it differs. None or an
    empty tuple leaves the extension out. `minimum_*` are bits; `certificate_hashes` are names of `hashlib` that
    signatures of certificates may use. `hello_version` is client_version where it is not what the versions imply.
    `ignores` are the checks that are left out, `verifies_late` puts off what certificates and signatures tell until
    the first application data is sent; `faint_hearted` names acceptable things that end the handshake all the same.
    """

    versions: tuple[int, ...] = (TLS13, TLS12)
    suites: tuple[int, ...] = (*_SUITES_TLS_1_3, *_SUITES_TLS_1_2)
    groups: tuple[int, ...] = (X25519, P_256, P_384, P_521)
    shares: tuple[int, ...] = (X25519, P_256)
    schemes: tuple[int, ...] = (*_SCHEMES, *_EDWARDS)
    certificate_schemes: tuple[int, ...] = ()
    compression_methods: tuple[int, ...] = (0,)
    point_formats: tuple[int, ...] = (0,)
    names_server: bool = True
    protocols: tuple[str, ...] = ()
    status_request: bool = True
    extended_master_secret: bool = True
    encrypt_then_mac: bool = False
    renegotiation_info: bool = True
    renegotiation_scsv: bool = False
    session_ticket: bool = True
    psk_modes: tuple[int, ...] = (1,)
    extra_extensions: tuple[Extension, ...] = ()
    hello_version: int | None = None
    minimum_rsa_bits: int = 2048
    minimum_ec_bits: int = 256
    minimum_dhe_bits: int = 2048
    certificate_hashes: frozenset[str] = frozenset({"sha256", "sha384", "sha512"})
    deviations: Deviations = Deviations()

    def checks(self, check: Check) -> bool:
        """Whether the client heeds `check`."""
        return check not in self.deviations.ignores

    def dreads(self, what: Dread) -> bool:
        """Whether the client breaks off at `what`."""
        return what in self.deviations.dreads


def settings_for(profile: Profile) -> ClientSettings:
    """What a conforming client of `profile`, current, retired or of an older wording, offers and accepts."""
    if "any" in profile.required or "any" in profile.derived:  # B.1 and B.3: the framework of TLS 1.0
        legacy = profile.required.get("any") or profile.derived["any"]
        spoken = tuple(code for code in legacy if suite(code).cipher != "NULL")
        return ClientSettings(
            versions=(TLS12, TLS11, TLS10), suites=(*_SUITES_TLS_1_2[:4], *spoken), encrypt_then_mac=True
        )
    if profile.closed:
        return _closed(profile)
    if 9325 in profile.bcp_195:
        return ClientSettings()
    return ClientSettings(suites=(*_SUITES_TLS_1_3, *_SUITES_TLS_1_2, *_SUITES_DHE))  # RFC 7525 4.2


def _closed(profile: Profile) -> ClientSettings:
    """What a client of a profile with a closed list of suites offers: every listed one whose records are spoken."""
    listed = [*profile.required["TLS 1.2"], *profile.optional.get("TLS 1.2", ())]
    allowed = {"ECDHE"} if 9325 in profile.bcp_195 else {"ECDHE", "DHE"}
    older = [code for code in listed if code != _FIRST and key_shape(code) and suite(code).key_exchange in allowed]
    newer = [code for code in profile.required.get("TLS 1.3", ()) if code not in _SUITES_TLS_1_3]
    modern = (*_SUITES_TLS_1_3, *newer) if "any" not in profile.closed else ()
    settings = ClientSettings(
        versions=(TLS13, TLS12) if modern else (TLS12,),
        suites=(*modern, _FIRST, *older),
        minimum_dhe_bits=profile.minimum_bits.get("dhe", 2048),
    )
    if not profile.permitted:
        return settings
    return replace(
        settings,
        schemes=tuple(scheme for scheme in _SCHEMES if scheme not in _SHA_512),
        certificate_schemes=_SCHEMES,
        minimum_rsa_bits=profile.minimum_bits.get("certificate_rsa", 2048),
        minimum_ec_bits=profile.minimum_bits.get("certificate_ecc", 256),
        certificate_hashes=profile.certificate_hashes,
    )
