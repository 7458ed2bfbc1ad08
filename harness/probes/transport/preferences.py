"""Targeted offers: what the server prefers when better suites come last, or TLS 1.3 comes with 1.2."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial

from harness.observations import Observation
from harness.observations.transport import TLS10, TLS11, TLS12, CipherSuites, Preferences, PreferenceTrial, Versions
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import side_by_side
from harness.probes.transport.exchange import converse
from harness.probes.transport.versions import none_negotiated
from reference_impl.transport.registry import CipherSuite, suite

KIND = "tls.preferences"
RECOMMENDED = 0xC02F
"""TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (RFC 9325 4.2.1)."""
AES, TRIPLE_DES = 0x002F, 0x000A
"""TLS_RSA_WITH_AES_128_CBC_SHA and TLS_RSA_WITH_3DES_EDE_CBC_SHA, the suites of PS3.15 B.3."""


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.preferences``. Needs ``tls.versions`` and ``tls.cipher-suites``."""
    versions, suites = context.facts(Versions), context.facts(CipherSuites)
    if versions is None:
        return context.observed(KIND, None, missing=none_negotiated(versions))
    of_tls12 = suites.versions.get(TLS12) if suites else None
    accepted = [suite(entry.code) for entry in of_tls12.accepted] if of_tls12 else []
    secret = [entry.code for entry in accepted if entry.forward_secrecy and entry.authentication != "anon"]
    open_later = [entry.code for entry in accepted if not entry.forward_secrecy]
    weaker = [entry.code for entry in accepted if weaker_than_recommended(entry)]
    offers: dict[str, tuple[int, tuple[int, ...]]] = {}
    if secret and open_later:
        offers["forward_secrecy"] = (TLS12, (*open_later, secret[0]))
    if weaker and any(entry.code == RECOMMENDED for entry in accepted):
        offers["recommended"] = (TLS12, (*weaker, RECOMMENDED))
    if suites and (newest := _newest_with(suites, {AES, TRIPLE_DES})):
        offers["aes_to_triple_des"] = (newest, (TRIPLE_DES, AES))
    tried = side_by_side([partial(_trial, context, name, *offer) for name, offer in offers.items()])
    trials = dict(zip(offers, tried, strict=True))
    version = _version_trial(versions)
    if version is None and not trials:
        return context.observed(KIND, None, missing="The server accepted too little to show a preference.")
    facts = Preferences(**trials, version=version)
    exchanges = tuple(trial.reaction.exchange for trial in trials.values())
    return context.observed(KIND, facts, exchanges=exchanges)


def weaker_than_recommended(entry: CipherSuite) -> bool:
    """Whether a suite is clearly weaker than 0xC02F: no forward secrecy, no AEAD, anonymous, or few bits."""
    return (
        not entry.forward_secrecy or not entry.aead or entry.strength_bits < 128 or entry.authentication in {"anon", ""}
    )


def _newest_with(suites: CipherSuites, codes: Set[int]) -> int | None:
    """The newest version before TLS 1.3 that accepts all of `codes`."""
    accepting = {version: {entry.code for entry in of.accepted} for version, of in suites.versions.items()}
    return next((version for version in (TLS12, TLS11, TLS10) if codes <= accepting.get(version, set())), None)


def _trial(context: ProbeContext, name: str, version: int, offered: Sequence[int]) -> PreferenceTrial:
    hello = hellos.legacy_hello(context.target, offered, version, groups=hellos.curves_tls12())
    what = f"preferences: {name.replace('_', ' ')}, the better suite last"
    reaction = converse(context, what, hello.to_records()).reaction
    return PreferenceTrial(
        offered=tuple(offered), selected=reaction.suite if reaction.accepted else None, reaction=reaction
    )


def _version_trial(versions: Versions) -> PreferenceTrial | None:
    """The answer to TLS 1.3 and 1.2 offered together, observed with the versions."""
    if versions.all_offered is None:
        return None
    reaction = versions.all_offered
    return PreferenceTrial(
        offered=hellos.TLS13_SUITES + hellos.ORDINARY_SUITES,
        selected=reaction.suite if reaction.accepted else None,
        reaction=reaction,
    )
