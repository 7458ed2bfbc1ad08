"""The table of the probes that complete handshakes, or read what a server shows before they are completed."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from harness.observations import FACTS, Observation
from harness.probes.base import Probe, ProbeContext

_VERSIONS = ("tls.versions",)
_SUITES = ("tls.versions", "tls.cipher-suites")
_ADMISSION = (*_SUITES, "tls.client-authentication")
_LATER = {"tls.application", "tls.second-opinion", "tls.client-certificates", "tls.client-trial"}
_BEFORE_APPLICATION = tuple(kind for kind in FACTS if kind not in _LATER)


def _late(module: str, name: str) -> Callable[[ProbeContext], Observation]:
    """The probe `name` of a module of this package, imported when it first runs."""

    def run(context: ProbeContext) -> Observation:
        probe = getattr(importlib.import_module(f"harness.probes.transport.{module}"), name)
        observation: Observation = probe(context)
        return observation

    return run


SESSION_PROBES: tuple[Probe, ...] = (
    Probe(
        "tls.certificates",
        _late("certificates", "probe_certificates"),
        needs=_VERSIONS,
        purpose="certificate chains of every kind",
    ),
    Probe(
        "tls.signature-schemes",
        _late("session_schemes", "probe_signature_schemes"),
        needs=_SUITES,
        purpose="signature schemes of the handshake",
    ),
    Probe(
        "tls.client-authentication",
        _late("client_authentication", "probe_client_authentication"),
        needs=_SUITES,
        purpose="client certificates: asked for, and which are let in",
    ),
    Probe(
        "tls.resumption",
        _late("resumption", "probe_resumption"),
        needs=_ADMISSION,
        purpose="resumption, PSK modes, early data",
    ),
    Probe(
        "tls.integrity",
        _late("integrity", "probe_integrity"),
        needs=_ADMISSION,
        purpose="records with a wrong MAC",
    ),
    Probe(
        "tls.record-protection",
        _late("renegotiation", "probe_record_protection"),
        needs=_ADMISSION,
        purpose="explicit nonces of AES-GCM",
    ),
    Probe(
        "tls.renegotiation",
        _late("renegotiation", "probe_renegotiation"),
        needs=_ADMISSION,
        purpose="client-initiated renegotiation",
    ),
    Probe(
        "tls.application",
        _late("application", "probe_application"),
        needs=_BEFORE_APPLICATION,
        purpose="DICOM association and C-ECHO over the secure connection",
    ),
    Probe(
        "tls.client-certificates",
        _late("client_certificates", "probe_client_certificates"),
        # The very last: a server that shuts out whoever shows bad certificates keeps nothing else from being seen.
        needs=(*_BEFORE_APPLICATION, "tls.application"),
        purpose="good, odd and bad client certificates",
    ),
)
"""Probes built on `Session`, by kind."""
