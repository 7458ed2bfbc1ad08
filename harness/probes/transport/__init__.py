"""Probes of TLS endpoints: what a server negotiates, how it reacts, and what it does inside a completed handshake."""

from harness.probes.base import Probe
from harness.probes.transport.enumeration import ENUMERATION
from harness.probes.transport.session_probes import SESSION_PROBES

PROBES: tuple[Probe, ...] = (*ENUMERATION, *SESSION_PROBES)
"""One probe for each kind of observation of a TLS server."""
