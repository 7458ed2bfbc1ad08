"""The trials that a listener plays at a client SUT: what each is, and what a conforming client does in it.

Read from ``trials.toml``; trials of certificates come from the certificate zoo. How a server behaves in a trial stands
in :mod:`reference_impl.transport.trials`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from fixtures.pki.zoo import CASES
from harness.observations.clients import ClientConnection, ClientHelloFacts
from reference_impl.transport.protection.keys import GROUPS_TLS13
from reference_impl.transport.registry import version_name
from reference_impl.transport.trials import EPHEMERAL_SUITES, offered_class
from reference_impl.transport.wire import SSL3, TLS12, TLS13, ExtensionType

Treatment = Literal["accept", "refuse", "either"]

CERTIFICATE_PREFIX = "certificate/"
_FILE = Path(__file__).with_name("trials.toml")
_VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}
FIRST_CERTIFICATES = (
    "unknown-authority",
    "expired",
    "wrong-host-name",
    "self-signed-unknown",
    "possession",
    "tampered-signature",
    "revoked-stapled",
    "wrong-extended-key-usage",
    "p-256",
)
"""Cases of the zoo that are played early, where there are such."""


@dataclass(frozen=True)
class Trial:
    """One thing that a listener plays.

    `treatment` is what a conforming client does, `version` the only version that it is played in (None: the best of the
    client), `needs` the trials that have to be recorded before. `decided` is what shows acceptance: "application" data,
    or that the client "went-on" after the server's flight. `case` names the case of the zoo in a certificate trial,
    `rule` what the case is about and `certificate_needs` what it needs (`fixtures.pki.zoo.NEEDS`).
    """

    id: str
    text: str
    treatment: Treatment
    version: int | None = None
    needs: tuple[str, ...] = ("ordinary",)
    decided: Literal["application", "went-on"] = "application"
    sources: tuple[tuple[str, str], ...] = ()
    case: str = ""
    rule: str = ""
    certificate_needs: frozenset[str] = frozenset()

    @property
    def certificate(self) -> bool:
        """Whether this shows a case of the certificate zoo."""
        return bool(self.case)


def _of_row(row: Mapping[str, Any]) -> Trial:
    version = _VERSIONS[row["version"]] if "version" in row else None
    needs = tuple(row.get("needs", ("ordinary",)))
    return Trial(
        row["id"],
        row["text"],
        row["treatment"],
        version,
        needs,
        row.get("decided", "application"),
        tuple((document, section) for document, section in row["sources"]),
    )


def _certificates() -> Iterator[Trial]:
    for case in CASES.values():
        if case.server is None or case.name == "good":  # the ordinary trial shows the good one
            continue
        yield Trial(
            CERTIFICATE_PREFIX + case.name,
            f"The server shows this certificate: {case.text}",
            case.server,
            _VERSIONS.get(case.versions),
            sources=((case.document, case.section),),
            case=case.name,
            rule=case.rule,
            certificate_needs=case.needs,
        )


@cache
def _trials() -> dict[str, Trial]:
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["trials"]
    shown = {trial.case: trial for trial in _certificates()}
    first = [shown.pop(case) for case in FIRST_CERTIFICATES if case in shown]
    found: list[Trial] = []
    for row in rows:
        if "certificates" not in row:
            found.append(_of_row(row))
        else:
            found.extend(first if row["certificates"] == "first" else shown.values())
    return {trial.id: trial for trial in found}


TRIALS: Mapping[str, Trial] = _trials()
"""Every trial by id, in playing order."""


# -- what cannot be played at a client ------------------------------------------------------------------------------


def skipped(trial: Trial, ordinary: ClientConnection | None) -> str:
    """Why `trial` cannot be played at the client whose ordinary connection that was; empty if it can.

    Without such a connection nothing is left out.
    """
    if ordinary is None or trial.id == "ordinary":
        return ""
    if trial.id == "ssl-2.0":
        return "" if ordinary.opening == "ssl2" else "the client sends no SSL 2.0 hello"
    hello = ordinary.hello
    if hello is None:
        return ""
    if trial.version is not None and not hello.offers(trial.version):
        return f"the client does not offer {version_name(trial.version)}"
    return _without_scheme(trial, hello) if trial.case else _without(trial.id, hello)


def _without_scheme(trial: Trial, hello: ClientHelloFacts) -> str:
    """A certificate of a kind that the client does not offer to verify tells nothing about what is odd in it."""
    wanted = _SCHEMES_OF_CASES.get(trial.case, _RSA_SCHEMES)
    if trial.case in _NOT_RSA or hello.schemes is None:
        return ""
    if not set(wanted) & {*hello.schemes, *(hello.certificate_schemes or ())}:
        return "the client does not offer the signature scheme of this certificate"
    if trial.case in _ELLIPTIC and not hello.offers(TLS13) and not any(c in hello.suites for c in _ECDSA_SUITES):
        return "the client offers no ECDHE_ECDSA cipher suite"
    return ""


def _without(trial: str, hello: ClientHelloFacts) -> str:
    """What the hello lacks that the trial turns on; empty if nothing."""
    if (trial.startswith("suite-") and "not-offered" not in trial) or trial == "dhe-1024":
        name = "dhe" if trial == "dhe-1024" else trial.removeprefix("suite-")
        if not offered_class(name, hello.suites):
            return "the client does not offer such a cipher suite"
        if trial == "suite-cbc-encrypt-then-mac" and ExtensionType.ENCRYPT_THEN_MAC not in hello.extensions:
            return "the client does not offer encrypt_then_mac"
        return ""
    if trial in _TURNS_ON and _TURNS_ON[trial] not in hello.extensions:
        return f"the client does not send {ExtensionType(_TURNS_ON[trial]).name.lower()}"
    if trial.startswith("extension-unsolicited") and ExtensionType.MAX_FRAGMENT_LENGTH in hello.extensions:
        return "the client asks for max_fragment_length, with which the server was to come unasked"
    if trial == "downgrade-to-tls-1.2" and not hello.offers(TLS13):
        return "the client does not offer TLS 1.3, so that TLS 1.2 is no downgrade"
    if trial == "downgrade-to-tls-1.1" and hello.highest_version < TLS12:
        return "the client offers no version above TLS 1.1"
    if trial == "only-ssl-3.0" and hello.highest_version < SSL3:
        return "the client offers nothing but SSL 2.0"
    return _without_groups(trial, hello)


def _without_groups(trial: str, hello: ClientHelloFacts) -> str:
    groups, shares = set(hello.groups or ()), set(hello.key_shares or ())
    usable = set(GROUPS_TLS13)
    if trial == "retry" and not (groups - shares) & usable:
        return "the client sends a share of every group that it offers"
    if trial == "retry-without-change" and not shares:
        return "the client sends no key share"
    if trial == "group-not-offered-1.2" and hello.groups is None:
        return "the client names no groups, so that any may be chosen"
    ephemeral = any(code in hello.suites for code in EPHEMERAL_SUITES)
    if trial in _EPHEMERAL and not ephemeral:
        return "the client offers no ECDHE cipher suite of TLS 1.2"
    return ""


_SCHEMES_OF_CASES: Mapping[str, tuple[int, ...]] = {
    "p-256": (0x0403,),
    "p-384": (0x0503,),
    "ed25519": (0x0807,),
    "rsa-pss-key": (0x0809, 0x080A, 0x080B),
    "rsa-pss-signature": (0x0804, 0x0805, 0x0806),
    "sha512-signature": (0x0601,),
}
_RSA_SCHEMES = (0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201)  # most cases have a key of this kind
_NOT_RSA = frozenset({"p-192", "not-a-certificate"})
_ELLIPTIC = frozenset({"p-256", "p-384", "ed25519"})
_ECDSA_SUITES = (0xC02B, 0xC02C, 0xCCA9, 0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xC023, 0xC024, 0xC009, 0xC00A)
_TURNS_ON = {
    "encrypt-then-mac-for-aead": ExtensionType.ENCRYPT_THEN_MAC,
    "truncated-hmac": ExtensionType.TRUNCATED_HMAC,
}
_EPHEMERAL = frozenset(
    {
        "signature-wrong-1.2", "key-exchange-missing", "curve-p-192", "curve-p-224", "explicit-curve",
        "group-not-offered-1.2", "signature-md5", "signature-sha1", "signature-sha224",
    }
)  # fmt: skip
