"""Probes: the harness connects to the SUT. One subpackage per domain."""
