"""Drivers: what makes a SUT connect to a listener of the harness, one module per kind."""
