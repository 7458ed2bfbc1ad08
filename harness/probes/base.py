"""What a probe is: one kind of observation, what it needs to know first, and the function that obtains it.

The engine runs the probes of an endpoint as soon as what they need is recorded, several at a time within the
conduct budget, and journals each observation as it arrives; so an interrupted run resumes at the first missing kind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.conduct import Budget
from harness.observations import FACTS, Exchange, Frozen, Observation, facts_of

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign

FactsT = TypeVar("FactsT", bound=Frozen)


@dataclass(frozen=True)
class ClientCredentials:
    """A client certificate chain and key in PEM, for mutual authentication. Never recorded, never shown."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    password: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class TlsTarget:
    """A TLS server endpoint of a SUT. `protocol` is "dicom-tls", "https" or "syslog-tls"."""

    endpoint: str
    protocol: str
    host: str
    port: int
    server_name: str = ""  # sent in SNI and checked against the certificate; empty: the host, if it is a name
    called_aet: str = "ANY-SCP"
    calling_aet: str = "PS315-HARNESS"
    credentials: ClientCredentials | None = None
    trust_anchors: Path | None = None
    campaign: Campaign | None = field(default=None, repr=False)  # whose authority the SUT was told to trust


@dataclass(frozen=True)
class Deadlines:
    """Bounds in seconds and octets for every contact with a SUT."""

    connect: float = 5.0
    exchange: float = 5.0  # a whole connection, from connect to the last octet
    silence: float = 2.0  # how long an answer is awaited where silence is a likely answer
    patience: float = 0.15  # after that much silence an application is told that no more will come, and heard out
    received_octets: int = 262_144


@dataclass
class ProbeContext:
    """What probes of one endpoint share. Thread-safe where probes run side by side."""

    target: TlsTarget
    budget: Budget
    deadlines: Deadlines = field(default_factory=Deadlines)
    on_exchange: Callable[[Exchange], None] = lambda _exchange: None
    keep_secrets: bool = False  # --keylog: exchanges carry NSS key log lines
    gentle: bool = False
    intrusive: bool = False
    shared: dict[str, Any] = field(default_factory=dict)  # what probes of one run keep for each other; never recorded
    _observations: dict[str, Observation] = field(default_factory=dict)
    _counter: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_exchange_id(self) -> str:
        """A new id for an exchange, unique within the endpoint."""
        with self._lock:
            self._counter += 1
            return f"{self.target.endpoint}-{self._counter:04d}"

    def resume_ids_after(self, count: int) -> None:
        """Continue numbering after `count` exchanges of an interrupted run."""
        with self._lock:
            self._counter = max(self._counter, count)

    def record(self, exchange: Exchange) -> Exchange:
        """Hand `exchange` to the journal and give it back."""
        self.on_exchange(exchange)
        return exchange

    def learn(self, observation: Observation) -> None:
        """Make an observation known to the probes that need it."""
        with self._lock:
            self._observations[observation.kind] = observation

    def facts(self, model: type[FactsT]) -> FactsT | None:
        """The facts of `model` recorded so far for this endpoint, or None if they were not obtained."""
        kind = next(kind for kind, facts_model in FACTS.items() if facts_model is model)
        with self._lock:
            observation = self._observations.get(kind)
        return None if observation is None else facts_of(observation, model)

    def observed(
        self, kind: str, facts: Frozen | None, *, missing: str = "", remedy: str = "", exchanges: tuple[str, ...] = ()
    ) -> Observation:
        """An observation of `kind` made now. Pass `missing` (why) when `facts` is None."""
        return Observation(
            kind=kind,
            endpoint=self.target.endpoint,
            observed_at=datetime.now(UTC),
            facts=None if facts is None else facts.model_dump(mode="json"),
            missing=missing,
            remedy=remedy,
            exchanges=exchanges,
        )


@dataclass(frozen=True)
class Probe:
    """Obtains one kind of observation. `needs` are kinds that have to be recorded first (with or without facts)."""

    kind: str
    run: Callable[[ProbeContext], Observation]
    needs: tuple[str, ...] = ()
    version: int = 1
    purpose: str = ""  # shown as progress: "cipher suites of every version"


ProbeTable = Mapping[str, Probe]
