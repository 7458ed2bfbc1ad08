"""Observations of an imaginary TLS client that keeps B.12 and B.13, to be spoilt one trial or one offer at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from harness.listeners.transport.trials import TRIALS, Trial
from harness.observations import Observation
from harness.observations.clients import ClientTrial
from tests.unit.tls_observations import NOW, TLS12, TLS13, certificate

Record = dict[str, dict[str, Any]]
"""The facts of each trial, by trial."""

SUITES = (0x1302, 0x1303, 0x1301, 0xC02F, 0xC030, 0xC02B, 0xC02C, 0xCCA8, 0xCCA9)
HANDSHAKE_FAILURE, PROTOCOL_VERSION, BAD_CERTIFICATE = 40, 70, 42
NOT_PLAYED = (
    "suite-",
    "curve-",
    "dhe-1024",
    "ssl-2.0",
    "alpn-unknown",
    "certificate/ed25519",
    "certificate/revoked-stapled",
    "certificate/stapled-",
    "certificate/staple-",
)
"""Trials that a client cannot be brought into which offers none of what they take."""
PLAYED_NEVERTHELESS = frozenset({"suite-not-offered-1.2", "suite-not-offered-1.3"})
ALERTS = {
    "only-tls-1.0": PROTOCOL_VERSION,
    "only-tls-1.1": PROTOCOL_VERSION,
    "only-ssl-3.0": PROTOCOL_VERSION,
    "signature-sha224": HANDSHAKE_FAILURE,
    "no-renegotiation-info": HANDSHAKE_FAILURE,
}

AUTHORITY = certificate("rsa", sha256="ca", key_bits=3072, subject="CN=authority", self_signed=True)


def hello(**changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "record_version": 0x0301,
        "version": TLS12,
        "supported_versions": (TLS13, TLS12),
        "suites": SUITES,
        "extensions": (0, 11, 10, 23, 13, 43, 45, 51, 0xFF01),
        "groups": (0x001D, 0x0017, 0x0018),
        "key_shares": (0x001D,),
        "schemes": (0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501),
        "point_formats": (0,),
        "server_name": "harness.hospital.example",
        "psk_modes": (1,),
        "renegotiation_info": True,
    }
    return facts | changed


def accepted(version: int = TLS13, **changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "exchange": "scu-0001",
        "peer": "127.0.0.1:40000",
        "opening": "tls",
        "hello": hello(),
        "version": version,
        "suite": 0x1302 if version == TLS13 else 0xC030,
        "group": 0x001D,
        "progress": "completed",
        "ended": "close_notify",
        "certificates": (certificate("rsa"), AUTHORITY),
        "scheme": 0x0804,
        "application_octets": 212,
        "application": "association",
        "association_accepted": True,
        "operations": ("C-ECHO",),
        "explicit_nonces": () if version == TLS13 else ("0000000000000000", "0000000000000001", "0000000000000002"),
    }
    return facts | changed


def refused(version: int | None = None, **changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "exchange": "scu-0002",
        "peer": "127.0.0.1:40001",
        "opening": "tls",
        "hello": hello(),
        "version": version,
        "progress": "hello",
        "ended": "alert",
        "alert": BAD_CERTIFICATE,
        "fatal": True,
    }
    return facts | changed


def went_on(version: int = TLS12, **changed: Any) -> dict[str, Any]:
    """A connection on which the client goes on after the server's flight, and the trial ends it."""
    return refused(version, progress="went-on", ended="harness", alert=None, fatal=None, **changed)


def trial(*connections: dict[str, Any], **changed: Any) -> dict[str, Any]:
    driver = {"kind": "command", "action": "echoscu"}
    return {"connections": connections, "ended": "settled", "driver": driver} | changed


def conforming() -> Record:
    return dict(_base())


@cache
def _base() -> Record:
    return {name: _conforming(known) for name, known in TRIALS.items()}


def _conforming(known: Trial) -> dict[str, Any]:
    version = known.version or TLS13
    if known.id.startswith(NOT_PLAYED) and known.id not in PLAYED_NEVERTHELESS:
        return trial(skipped="the client offers nothing of the kind")
    if known.id == "record-corrupt-application":
        return trial(accepted(operations=(), application_octets=0, ended="alert", alert=20, fatal=True))
    if known.treatment == "accept" or (known.treatment == "either" and known.id not in ALERTS):
        return trial(accepted(version))
    return trial(refused(known.version, alert=ALERTS.get(known.id, BAD_CERTIFICATE)))


def with_hello(record: Mapping[str, dict[str, Any]], **changed: Any) -> Record:
    """`record` with another offer in every hello."""
    return {
        name: facts | {"connections": tuple(each | {"hello": each["hello"] | changed} for each in facts["connections"])}
        for name, facts in record.items()
    }


def changed_everywhere(record: Mapping[str, dict[str, Any]], **changed: Any) -> Record:
    """`record` with other facts of every connection that has them already."""
    return {
        name: facts
        | {
            "connections": tuple(
                each | {key: value for key, value in changed.items() if key in each} for each in facts["connections"]
            )
        }
        for name, facts in record.items()
    }


def observations(record: Mapping[str, dict[str, Any]], endpoint: str = "scu") -> tuple[Observation, ...]:
    """The record as observations; validating them finds slips of the hand."""
    return tuple(
        _untouched(name, endpoint) if facts is _base().get(name) else _observation(name, facts, endpoint)
        for name, facts in record.items()
    )


@cache
def _untouched(name: str, endpoint: str) -> Observation:
    return _observation(name, _base()[name], endpoint)


def _observation(name: str, facts: dict[str, Any], endpoint: str) -> Observation:
    return Observation(
        kind="tls.client-trial",
        subject=name,
        endpoint=endpoint,
        observed_at=NOW,
        facts=ClientTrial.model_validate({"trial": name} | facts).model_dump(mode="json"),
    )
