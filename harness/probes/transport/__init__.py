"""Probes of TLS endpoints: what a server negotiates, how it reacts, and what it does inside a completed handshake."""
