"""Cipher suites of every version that the server negotiates, by elimination, and whose preference decides."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations import Observation
from harness.observations.transport import (
    SSL2,
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    AcceptedSuite,
    CipherSuites,
    SuitesOfVersion,
    Versions,
)
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import Elimination, eliminate, side_by_side
from harness.probes.transport.exchange import Answer, Manner, attend, converse
from harness.probes.transport.listening import Ssl2Listener
from harness.probes.transport.versions import following, none_negotiated, supported
from reference_impl.transport import registry
from reference_impl.transport.wire import Ssl2ClientHello

KIND = "tls.cipher-suites"
_CHUNK = 64


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.cipher-suites``. Needs ``tls.versions``."""
    known = context.facts(Versions)
    versions = [version for version in (TLS12, TLS11, TLS10, TLS13, SSL3, SSL2) if supported(known, version)]
    if not versions:
        return context.observed(KIND, None, missing=none_negotiated(known))
    chains = [_Chain(context, version) for version in versions]
    results = side_by_side([chain.run for chain in chains])
    facts = CipherSuites(versions=dict(zip(versions, results, strict=True)))
    exchanges = tuple(exchange for chain in chains for exchange in chain.exchanges)
    return context.observed(KIND, facts, exchanges=exchanges)


class _Chain:
    """The elimination of one version."""

    def __init__(self, context: ProbeContext, version: int) -> None:
        self._context = context
        self._version = version
        self._name = registry.version_name(version)
        self._share = hellos.X25519
        self.exchanges: list[str] = []

    def run(self) -> SuitesOfVersion:
        if self._version == SSL2:
            return self._ssl2()
        offer = hellos.all_tls13_suites() if self._version == TLS13 else hellos.all_suites()
        result = self._eliminate(offer)
        if not result.found:  # a hello of this version was accepted before: this one was too long
            result = self._in_chunks(offer)
        self.exchanges += result.exchanges
        accepted = tuple(AcceptedSuite(code=code, exchange=exchange) for code, exchange in result.found.items())
        return SuitesOfVersion(
            accepted=accepted,
            offered=result.offered,
            complete=result.complete,
            preference=self._preference(offer, tuple(result.found)),
            note=result.note,
        )

    def _ask(self, suites: tuple[int, ...], purpose: str = "offered") -> tuple[Answer, int | None]:
        context, version = self._context, self._version
        what = f"cipher suites: {self._name}, {len(suites)} {purpose}"
        if version == TLS13:
            hello = hellos.tls13_hello(context.target, suites, shares=(self._share,))
            answer = converse(context, what, hello.to_records(), following(hello))
            if answer.retry is not None and answer.hello is not None:
                self._share = answer.retry.selected_group or self._share
        else:
            hello = hellos.legacy_hello(context.target, suites, version, groups=hellos.curves_tls12())
            answer = converse(context, what, hello.to_records())
        reaction = answer.reaction
        return answer, reaction.suite if reaction.accepted and reaction.version == version else None

    def _eliminate(self, offer: Sequence[int]) -> Elimination:
        return eliminate(
            offer, self._ask, elsewhere=lambda reaction: reaction.accepted and reaction.version != self._version
        )

    def _in_chunks(self, offer: Sequence[int]) -> Elimination:
        whole = Elimination(complete=True)
        for start in range(0, len(offer), _CHUNK):
            whole.add(self._eliminate(offer[start : start + _CHUNK]))
            if whole.note:
                break
        if not whole.note:
            whole.note = f"Long hellos are not understood: offered {_CHUNK} at a time, the order is that of each part."
        return whole

    def _preference(self, offer: Sequence[int], found: tuple[int, ...]) -> str:
        """Whose order decides. What was selected first while all were on offer tells, if it was not offered first."""
        if len(found) < 2:
            return ""
        first = found[0]
        if first != min(found, key=lambda code: offer.index(code) if code in offer else len(offer)):
            return "server"
        answer, selected = self._ask((*found[1:], first), "accepted ones offered, the favourite last")
        self.exchanges += answer.exchanges
        if selected is None:
            return ""
        return "server" if selected == first else "client"

    def _ssl2(self) -> SuitesOfVersion:
        kinds = tuple(registry.SSL2_CIPHER_KINDS)
        listener = Ssl2Listener()
        hello = Ssl2ClientHello(kinds).encode()
        reaction = attend(self._context, "cipher suites: SSL 2.0", hello, listener, Manner(silence_likely=True))
        self.exchanges.append(reaction.exchange)
        accepted = tuple(AcceptedSuite(code=code, exchange=reaction.exchange) for code in listener.cipher_kinds)
        return SuitesOfVersion(
            accepted=accepted,
            offered=len(kinds),
            complete=reaction.accepted,
            preference="client" if len(accepted) > 1 else "",
            note="The server lists what it accepts; the client chooses.",
        )
