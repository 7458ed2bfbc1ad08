"""What sessions with this SUT offer, and what stands in the way of completing one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from harness.dicom_ul import associate_rq
from harness.observations import Reaction, ReactionKind
from harness.observations.transport import TLS12, TLS13, CipherSuites, ClientAuthentication, Versions
from harness.probes.base import ClientCredentials, ProbeContext, TlsTarget
from harness.probes.transport.session import Offer, describe
from harness.probes.transport.session_credentials import ClientIdentity, load_identity
from reference_impl.transport.protection.keys import GROUPS_TLS12, GROUPS_TLS13, P256, X25519
from reference_impl.transport.protection.records import key_shape
from reference_impl.transport.registry import ALERTS, SUITES

SCHEMES_TLS13 = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0807, 0x0808)
SCHEMES_BRAINPOOL = (0x081A, 0x081B, 0x081C)
SCHEMES_PKCS1 = (0x0401, 0x0501, 0x0601)
SCHEMES_OLD = (0x0303, 0x0301, 0x0203, 0x0201, 0x0103, 0x0101, 0x0402, 0x0502, 0x0602, 0x0302, 0x0202, 0x0102)
SCHEMES_TLS12 = (*SCHEMES_TLS13, *SCHEMES_PKCS1, *SCHEMES_OLD)
SUITES_TLS13 = (0x1302, 0x1301, 0x1303, 0x1304, 0x1305)
NEEDS_CERTIFICATE = "the server requires a client certificate and none was given"
GIVE_CERTIFICATE = "give --cert and --key (or [credentials])"
CERTIFICATE_ALERTS = frozenset({41, 42, 43, 44, 45, 46, 48, 49, 116})
"""Alerts that speak of a certificate (RFC 8446 6.2): no_certificate to access_denied, certificate_required."""
_KEY_EXCHANGES = {"ECDHE": 0, "DHE": 1, "RSA": 2, "ECDH_anon": 3, "DH_anon": 4}
_MODES = {"GCM": 0, "POLY1305": 1, "CCM": 2, "CCM_8": 3, "CBC": 4}


@cache
def suites_tls12(*authentications: str, modes: frozenset[str] = frozenset(), old: bool = False) -> tuple[int, ...]:
    """Suites up to TLS 1.2 that a session can complete, good ones first.

    `authentications` (registry words) and `modes` restrict them; `old`: only those that exist below TLS 1.2.
    """
    chosen = [
        entry
        for entry in SUITES.values()
        if entry.key_exchange in _KEY_EXCHANGES
        and entry.authentication in (authentications or ("RSA", "ECDSA", "DSS", "anon"))
        and (not modes or entry.mode in modes)
        and (entry.versions == "any" or (entry.versions == "tls1.2" and not old))
        and entry.iana
        and key_shape(entry.code) is not None
    ]
    chosen.sort(
        key=lambda entry: (
            entry.authentication == "anon",
            _MODES.get(entry.mode, 5),
            entry.cipher != "AES",
            _KEY_EXCHANGES[entry.key_exchange],
            entry.strength_bits,
        )
    )
    return tuple(entry.code for entry in chosen)


def completable_suites(context: ProbeContext, version: int) -> tuple[int, ...]:
    """Suites to complete a handshake of `version` with: those that the server was seen to accept, or all.

    Diffie-Hellman in a prime field costs the server most; it is left out where the server accepts something else.
    """
    usual = SUITES_TLS13 if version >= TLS13 else suites_tls12(old=version < TLS12)
    facts = context.facts(CipherSuites)
    seen = facts.versions.get(version) if facts is not None else None
    known = {entry.code for entry in seen.accepted} if seen is not None else set()
    accepted = [code for code in usual if code in known]
    cheap = [code for code in accepted if SUITES[code].key_exchange not in {"DHE", "DH_anon"}]
    return tuple(cheap or accepted or usual)


def supported_versions(context: ProbeContext) -> tuple[int, ...]:
    """Versions from TLS 1.0 that the server was seen to negotiate, highest first."""
    facts = context.facts(Versions)
    if facts is None:
        return ()
    found = [code for code, reaction in facts.reactions.items() if reaction.accepted and reaction.version == code]
    return tuple(sorted((code for code in found if 0x0301 <= code <= TLS13), reverse=True))


def asked_name(target: TlsTarget) -> str:
    """The name that the server is asked for and that its certificate has to cover."""
    return target.server_name or target.host


def offer_of(context: ProbeContext, version: int, **changes: object) -> Offer:
    """The usual offer of one version to this target; `changes` are fields of `Offer`."""
    fields: dict[str, object] = {
        "version": version,
        "suites": completable_suites(context, version),
        "schemes": (*SCHEMES_TLS13, *SCHEMES_BRAINPOOL, *SCHEMES_PKCS1) if version >= TLS13 else SCHEMES_TLS12,
        "groups": GROUPS_TLS13 if version >= TLS13 else GROUPS_TLS12,
        "shares": (X25519, P256) if version >= TLS13 else (),
        "server_name": asked_name(context.target),
        "identity": given_identity(context.target.credentials),
    }
    return Offer(**{**fields, **changes})  # type: ignore[arg-type] # fields of one dataclass, by name


@cache
def given_identity(credentials: ClientCredentials | None) -> ClientIdentity | None:
    """The client certificate that the user gave, if any. Raises `UsageProblem` if it cannot be read."""
    return None if credentials is None else load_identity(credentials)


@dataclass(frozen=True)
class Obstacle:
    """Why a probe has no facts, and what helps."""

    missing: str
    remedy: str = ""


def obstacle_to_completion(context: ProbeContext, version: int) -> Obstacle | None:
    """What is known to keep a handshake of `version` with this server from being completed."""
    facts = context.facts(ClientAuthentication)
    if facts is None or not facts.requested.get(version):
        return None
    wanted = "none" if context.target.credentials is None else "given"
    trial = next((t for t in facts.trials if t.version == version and t.credential == wanted), None)
    if trial is None or trial.admitted is not False or trial.reaction.kind is ReactionKind.COMPLETED:
        return None  # a refusal above TLS leaves the handshake as it is
    if wanted == "none":
        return Obstacle(NEEDS_CERTIFICATE, GIVE_CERTIFICATE)
    return Obstacle(
        f"the server refused the client certificate that was given ({told(trial.reaction)})",
        "give a certificate of an authority that the server trusts, or register it there",
    )


def told(reaction: Reaction) -> str:
    """How a server reacted, for a sentence."""
    if reaction.kind is ReactionKind.ALERT and reaction.alert is not None:
        return f"alert {ALERTS.get(reaction.alert, str(reaction.alert))}"
    return describe(reaction)


def obstacle_of(context: ProbeContext, reaction: Reaction, purpose: str, *, requested: bool = False) -> Obstacle:
    """Why a handshake that was to be completed for `purpose` was not."""
    if requested and reaction.refused and context.target.credentials is None:
        return Obstacle(NEEDS_CERTIFICATE, GIVE_CERTIFICATE)
    return Obstacle(f"no secure connection could be completed to see {purpose}: {told(reaction)}")


def no_version(what: str) -> Obstacle:
    """The server was not seen to negotiate a version in which `what` could be observed."""
    return Obstacle(f"no protocol version was negotiated in which {what} could be observed")


HTTP_PORTS = {80, 443}


def http_request(target: TlsTarget) -> bytes:
    """A plain HTTP/1.1 request for the root."""
    host = asked_name(target).encode("ascii", "ignore").decode()
    host = f"[{host}]" if ":" in host else host
    port = "" if target.port in HTTP_PORTS else f":{target.port}"
    lines = (f"GET / HTTP/1.1\r\nHost: {host}{port}", "User-Agent: ps315", "Accept: */*", "Connection: close", "\r\n")
    return "\r\n".join(lines).encode("ascii")


def greeting(target: TlsTarget) -> bytes:
    """The first application data of a client of this protocol; empty where anything would leave a trace (syslog)."""
    if target.protocol == "https":
        return http_request(target)
    if target.protocol == "dicom-tls":
        return associate_rq(target.calling_aet, target.called_aet)
    return b""
