"""Listeners: the SUT connects to the harness, which plays one trial after another."""
