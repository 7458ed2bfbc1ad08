"""Finite-field parameters of DHE suites: length of the prime, its name, and whether public keys are used again."""

from __future__ import annotations

from functools import partial

from harness.observations.transport import CipherSuites, DheParameter
from harness.probes.base import ProbeContext
from harness.probes.transport.elimination import side_by_side
from harness.probes.transport.key_exchange import LEGACY, KeyExchange, ask, ephemeral
from reference_impl.transport import registry
from reference_impl.transport.registry import CipherSuite

_COMPARED = 3


def observe(context: ProbeContext, suites: CipherSuites | None) -> tuple[DheParameter, ...]:
    """One parameter per sort of DHE suite (servers choose by certificate and strength), keys compared for the first."""
    chosen = _one_of_each_sort(suites)
    found = side_by_side(
        [
            partial(_of, context, suite, version, _COMPARED if first == 0 else 1)
            for first, (version, suite) in enumerate(chosen)
        ]
    )
    return tuple(parameter for parameter in found if parameter is not None)


def _one_of_each_sort(suites: CipherSuites | None) -> list[tuple[int, CipherSuite]]:
    """For each sort a suite in the highest version that has one.

    Where nobody signs, servers go by the strength of the cipher; otherwise by their certificate.
    """
    sorts: dict[tuple[str, bool, bool], tuple[int, CipherSuite]] = {}
    for version in LEGACY:
        for suite in ephemeral(suites, version, "DHE", "DH_anon"):
            unsigned = suite.authentication in {"anon", "PSK"}
            sort = (suite.authentication, unsigned and suite.strength_bits >= 256, suite.export)
            sorts.setdefault(sort, (version, suite))
    return sorted(sorts.values(), key=lambda entry: entry[1].authentication in {"anon", "PSK"})


def _of(context: ProbeContext, suite: CipherSuite, version: int, connections: int) -> DheParameter | None:
    purpose = f"DHE parameters: {suite.name}"
    answers = [ask(context, purpose, (suite.code,), version) for _ in range(connections)]
    read = [answer for answer in answers if answer.exchange is not None and answer.exchange.prime]
    if not read or read[0].exchange is None:
        return None
    first = read[0].exchange
    return DheParameter(
        suite=suite.code,
        version=version,
        bits=first.prime_bits,
        prime=first.prime.hex(),
        group_name=registry.dh_prime_name(first.prime),
        public_keys_differ=_differ(read),
        exchange=read[0].answer.reaction.exchange,
    )


def _differ(read: list[KeyExchange]) -> bool | None:
    """Whether no public key came twice with the same prime; None for fewer than two."""
    keys = [(answer.exchange.prime, answer.exchange.public_key) for answer in read if answer.exchange is not None]
    return None if len(keys) < 2 else len(set(keys)) == len(keys)
