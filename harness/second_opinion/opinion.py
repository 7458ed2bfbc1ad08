"""What sslyze wrote, in IANA code points. Reads untrusted JSON: values in, values out, nothing executed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.observations.transport import SSL2, SSL3, TLS10, TLS11, TLS12, TLS13, SecondOpinion
from reference_impl.transport.registry import GROUPS, SSL2_CIPHER_KINDS, SUITES, CipherSuite

_COMMANDS = {
    "ssl_2_0_cipher_suites": SSL2,
    "ssl_3_0_cipher_suites": SSL3,
    "tls_1_0_cipher_suites": TLS10,
    "tls_1_1_cipher_suites": TLS11,
    "tls_1_2_cipher_suites": TLS12,
    "tls_1_3_cipher_suites": TLS13,
}
_HIGHEST = {"SSL_3_0": SSL3, "TLS_1_0": TLS10, "TLS_1_1": TLS11, "TLS_1_2": TLS12, "TLS_1_3": TLS13}
_CLIENT_AUTHENTICATION = {"REQUIRED": "required", "OPTIONAL": "optional", "DISABLED": "disabled"}
_MOST_NOTES = 20
_LONGEST_NOTE = 300
_PROBING_CONNECTIONS = 4  # made before the commands: version detection, client authentication, ECDH support

_TABLE = Path(__file__).parent / "cannot_know.toml"


class UnreadableOpinionError(ValueError):
    """The output is not what this scanner writes; the message says what is wrong with it."""


@dataclass(frozen=True)
class Opinion:
    """One scan. Suites are code points per protocol version; a version that was not examined has no key.

    `refused` lists what was offered and not negotiated. A scanner that says "refused" may only have run into a
    time limit, so a refusal is the absence of a witness, never a witness. `groups` and `refused_groups` were
    examined in `group_version` alone, the highest version that the server speaks.
    """

    tool: str
    accepted: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    refused: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    groups: tuple[int, ...] = ()
    refused_groups: tuple[int, ...] = ()
    group_version: int | None = None
    client_authentication: str = ""
    connections: int | None = None
    notes: tuple[str, ...] = ()

    def facts(self, conflicts: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> SecondOpinion:
        """The recorded form, with what a comparison added."""
        return SecondOpinion(
            tool=self.tool,
            versions=dict(self.accepted),
            groups=self.groups,
            client_authentication=self.client_authentication,
            connections=self.connections,
            cannot_know={row.topic: row.reason for row in cannot_know()},
            notes=(*self.notes, *notes),
            conflicts=conflicts,
        )


@dataclass(frozen=True)
class CannotKnow:
    """One thing that the scanner is unable to see, and why. Empty selectors select nothing."""

    topic: str
    reason: str
    where: tuple[Mapping[str, str], ...] = ()  # properties of cipher suites; each mapping has to hold wholly
    groups: tuple[int, ...] = ()

    def covers_suite(self, suite: CipherSuite) -> bool:
        """Whether this row is why the scanner has no opinion on `suite`."""
        return any(all(str(getattr(suite, key)) == value for key, value in row.items()) for row in self.where)


@cache
def cannot_know() -> tuple[CannotKnow, ...]:
    """The table of what sslyze cannot know."""
    with _TABLE.open("rb") as file:
        rows = tomllib.load(file)["cannot_know"]
    return tuple(
        CannotKnow(
            topic=row["topic"],
            reason=row["reason"],
            where=tuple(row.get("where", ())),
            groups=tuple(row.get("groups", ())),
        )
        for row in rows
    )


@cache
def _suite_codes() -> Mapping[str, int]:
    names = {suite.name: suite.code for suite in SUITES.values()}
    return names | {kind.name: kind.code for kind in SSL2_CIPHER_KINDS.values()}


@cache
def _group_codes() -> Mapping[str, int]:
    return {group.name.lower(): group.code for group in GROUPS.values()}


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableOpinionError(f"{where} is not an object")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise UnreadableOpinionError(f"{where} is not a list")
    return value


def _last_line(text: Any) -> str:
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    return lines[-1][:_LONGEST_NOTE] if lines else "no reason given"


def parse_sslyze(output: bytes) -> Opinion:
    """Read the JSON output of one sslyze scan of one server.

    Raises `UnreadableOpinionError` when it is not JSON, or not of the shape that sslyze 6 writes, or when the
    server could not be scanned at all.
    """
    try:
        document = _mapping(json.loads(output), "the output")
    except (ValueError, RecursionError) as error:
        raise UnreadableOpinionError(f"the output is not JSON ({type(error).__name__})") from None
    results = _list(document.get("server_scan_results"), "server_scan_results")
    if len(results) != 1:
        raise UnreadableOpinionError(f"one server was asked about, {len(results)} were answered for")
    server = _mapping(results[0], "the server's result")
    if server.get("connectivity_status") != "COMPLETED":
        raise UnreadableOpinionError(f"it could not connect: {_last_line(server.get('connectivity_error_trace'))}")
    connectivity = _mapping(server.get("connectivity_result"), "connectivity_result")
    return _opinion(document, connectivity, _mapping(server.get("scan_result"), "scan_result"))


def _opinion(document: Mapping[str, Any], connectivity: Mapping[str, Any], scan: Mapping[str, Any]) -> Opinion:
    notes: list[str] = []
    accepted, refused = {}, {}
    connections = _PROBING_CONNECTIONS
    for command, version in _COMMANDS.items():
        result = _completed(scan, command, notes)
        if result is None:
            continue
        accepted[version] = tuple(_suites(result, "accepted_cipher_suites", notes))
        refused[version] = tuple(_suites(result, "rejected_cipher_suites", notes))
        connections += len(accepted[version]) + len(refused[version])
    curves = _completed(scan, "elliptic_curves", notes) or {}
    groups = tuple(_groups(curves.get("supported_curves"), notes))
    refused_groups = tuple(_groups(curves.get("rejected_curves"), notes))
    return Opinion(
        tool=f"sslyze {str(document.get('sslyze_version', ''))[:20]}".strip(),
        accepted=accepted,
        refused=refused,
        groups=groups,
        refused_groups=refused_groups,
        group_version=_HIGHEST.get(str(connectivity.get("highest_tls_version_supported"))),
        client_authentication=_CLIENT_AUTHENTICATION.get(str(connectivity.get("client_auth_requirement")), ""),
        connections=connections + len(groups) + len(refused_groups),
        notes=tuple(dict.fromkeys(notes))[:_MOST_NOTES],
    )


def _completed(scan: Mapping[str, Any], command: str, notes: list[str]) -> Mapping[str, Any] | None:
    attempt = scan.get(command)
    if not isinstance(attempt, dict) or attempt.get("status") == "NOT_SCHEDULED":
        return None
    if attempt.get("status") != "COMPLETED":
        notes.append(f"{command} did not complete: {_last_line(attempt.get('error_trace'))}")
        return None
    return _mapping(attempt.get("result"), command)


def _suites(result: Mapping[str, Any], key: str, notes: list[str]) -> Iterator[int]:
    for entry in _list(result.get(key), key):
        suite = _mapping(_mapping(entry, key).get("cipher_suite"), "cipher_suite")
        name = str(suite.get("name"))[:100]
        code = _suite_codes().get(name)
        if code is None:
            notes.append(f"{name} has no code point that we know")
        else:
            yield code


def _groups(curves: Any, notes: list[str]) -> Iterator[int]:
    for entry in _list(curves or [], "curves"):
        name = str(_mapping(entry, "curve").get("name"))[:100]
        code = _group_codes().get(name.lower())
        if code is None:
            notes.append(f"the group {name} has no code point that we know")
        else:
            yield code
