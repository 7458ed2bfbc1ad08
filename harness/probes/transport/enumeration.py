"""The probes that need no completed handshake, as the plan runs them. Their modules are imported when they run."""

from __future__ import annotations

from importlib import import_module

from harness.observations import Observation
from harness.probes.base import Probe, ProbeContext


def _probe(kind: str, module: str, purpose: str, *needs: str) -> Probe:
    def run(context: ProbeContext) -> Observation:
        observed: Observation = import_module(f"harness.probes.transport.{module}").probe(context)
        return observed

    return Probe(kind=kind, run=run, needs=needs, purpose=purpose)


ENUMERATION: tuple[Probe, ...] = (
    _probe("tls.reachability", "reachability", "what answers at the address"),
    _probe("tls.versions", "versions", "protocol versions", "tls.reachability"),
    _probe("tls.cipher-suites", "cipher_suites", "cipher suites of every version", "tls.versions"),
    _probe("tls.plaintext", "plaintext", "a plaintext association on the TLS port", "tls.reachability"),
    _probe("tls.tolerance", "tolerance", "unusual but permitted hellos", "tls.versions", "tls.cipher-suites"),
    _probe("tls.preferences", "preferences", "preference among suites", "tls.versions", "tls.cipher-suites"),
    _probe("tls.groups", "groups", "groups and key exchange parameters", "tls.versions", "tls.cipher-suites"),
    _probe("tls.extensions", "extensions", "extensions and compression", "tls.versions", "tls.cipher-suites"),
)
"""Probes by elimination and reaction, in an order that respects what they need."""
