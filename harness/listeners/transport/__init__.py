"""Trials of TLS clients: what a listener plays at them and what it records."""
