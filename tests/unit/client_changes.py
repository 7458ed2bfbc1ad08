"""Changes of the conforming client's record, and the verdicts that they turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.client_judging import Verdicts
from tests.unit.client_observations import (
    SUITES,
    Record,
    accepted,
    changed_everywhere,
    conforming,
    hello,
    refused,
    trial,
    with_hello,
)
from tests.unit.tls_observations import TLS12


def both(verdict: str, *requirements: str) -> Verdicts:
    return {f"{profile} {each}": verdict for profile in ("B.12", "B.13") for each in requirements}


def b12(verdict: str, *requirements: str) -> Verdicts:
    return {f"B.12 {each}": verdict for each in requirements}


def b13(verdict: str, *requirements: str) -> Verdicts:
    return {f"B.13 B.13-client-{each}": verdict for each in requirements}


def own(verdict: str, slug: str) -> Verdicts:
    return {f"{profile} {profile}-client-{slug}": verdict for profile in ("B.12", "B.13")}


def with_trials(**changes: dict[str, Any]) -> Record:
    return conforming() | changes


def taken(*trials: str, version: int = TLS12, **changed: Any) -> Record:
    """The conforming record, but the client goes on with `trials`."""
    return conforming() | {each: trial(accepted(version, **changed)) for each in trials}


def offering(*suites: int, taking: Mapping[str, int] | None = None, refusing: tuple[str, ...] = ()) -> Record:
    """The client offers more `suites`; in a trial of `taking` it goes on with one of them."""
    record = with_hello(conforming(), suites=(*SUITES, *suites))
    more = {"suites": (*SUITES, *suites)}
    for name, code in (taking or {}).items():
        record[name] = trial(accepted(TLS12, suite=code, hello=hello(**more)))
    for name in refusing:
        record[name] = trial(refused(TLS12, hello=hello(**more)))
    return record


def showing(*chain: dict[str, Any], scheme: int = 0x0804) -> Record:
    return changed_everywhere(conforming(), certificates=chain, scheme=scheme)


def everywhere(**changed: Any) -> Record:
    return with_hello(conforming(), **changed)


def certificates(*names: str) -> tuple[str, ...]:
    return tuple(f"certificate/{name}" for name in names)


CBC_HASH = b13("fail", "forbidden-hash", "permitted-hash")
CBC = b13("fail", "forbidden-block-mode", "permitted-block-mode")
OUTSIDE = b13("fail", "tls-1.2-closed-set")
