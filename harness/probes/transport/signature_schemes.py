"""Signature schemes of TLS 1.2 that the server signs its key exchange with, by elimination."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.observations import Observation
from harness.observations.transport import TLS12, AcceptedSuite, CipherSuites, SignatureSchemes
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import Elimination, eliminate, side_by_side
from harness.probes.transport.exchange import Answer
from harness.probes.transport.key_exchange import NO_SUITES, ask, ephemeral

KIND = "tls.signature-schemes"
_SIGNED = frozenset({"RSA", "ECDSA", "DSS"})


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.signature-schemes`` for TLS 1.2. Needs ``tls.cipher-suites``.

    The suites of each sort of certificate are asked for apart: a server may choose the certificate first and then
    refuse, though another of its certificates would do.
    """
    suites = context.facts(CipherSuites)
    if suites is None:
        return context.observed(KIND, None, missing=NO_SUITES)
    by_certificate: dict[str, list[int]] = {}
    for key_exchange in ("ECDHE", "DHE"):
        signed = [suite for suite in ephemeral(suites, TLS12, key_exchange) if suite.authentication in _SIGNED]
        for certificate in {suite.authentication for suite in signed} - by_certificate.keys():
            by_certificate[certificate] = [suite.code for suite in signed if suite.authentication == certificate]
    if not by_certificate:
        why = "In TLS 1.2 the server accepted no suite with a signed key exchange."
        return context.observed(KIND, None, missing=why)
    found: dict[int, str] = {}
    complete = True
    exchanges: list[str] = []
    for result in side_by_side([partial(_eliminate, context, *each) for each in by_certificate.items()]):
        for code, exchange in result.found.items():
            found.setdefault(code, exchange)
        # A server that signs with a scheme which is no longer on offer has no other to fall back on.
        exhausted = bool(result.found) and result.last is not None and result.last.accepted
        complete = complete and (result.complete or exhausted)
        exchanges += result.exchanges
    schemes = tuple(AcceptedSuite(code=code, exchange=exchange) for code, exchange in found.items())
    facts = SignatureSchemes(versions={TLS12: schemes}, complete={TLS12: complete})
    return context.observed(KIND, facts, exchanges=tuple(exchanges))


def _eliminate(context: ProbeContext, certificate: str, suites: Sequence[int]) -> Elimination:
    def offer(schemes: tuple[int, ...]) -> tuple[Answer, int | None]:
        purpose = f"signature schemes: TLS 1.2, {certificate} certificate, {len(schemes)} offered"
        key = ask(context, purpose, suites, schemes=schemes)
        return key.answer, key.exchange.scheme if key.exchange is not None else None

    return eliminate(hellos.schemes_tls12(), offer)
