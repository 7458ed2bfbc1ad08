"""What an observation is: facts recorded about a SUT, immutable, serialisable, versioned, judging nothing."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of every recorded model: immutable, and closed so that a newer record is noticed, not misread."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ReactionKind(StrEnum):
    """How an endpoint answered one stimulus."""

    SERVER_HELLO = "server_hello"
    HELLO_RETRY_REQUEST = "hello_retry_request"
    COMPLETED = "completed"  # the handshake ended and protected data flowed
    ALERT = "alert"
    CLOSE = "close"  # orderly TCP end of stream without a TLS answer
    RESET = "reset"
    SILENCE = "silence"  # nothing until the deadline
    PLAINTEXT = "plaintext"  # bytes that are not TLS
    MALFORMED = "malformed"  # TLS that breaks the wire format, or exceeds a limit
    UNREACHABLE = "unreachable"  # no TCP connection, or for now none that anything is answered on


REFUSALS = frozenset({ReactionKind.ALERT, ReactionKind.CLOSE, ReactionKind.RESET})
"""Reactions that count as a refusal of what was offered (a silent or broken peer establishes nothing)."""


class Reaction(Frozen):
    """The answer of an endpoint to one stimulus."""

    kind: ReactionKind
    version: int | None = None  # negotiated protocol version, e.g. 0x0303 (0x0002 is SSL 2.0)
    suite: int | None = None  # selected cipher suite code point
    alert: int | None = None  # AlertDescription
    fatal: bool | None = None
    closed: bool | None = None  # the connection was seen to end after an alert
    detail: str = ""
    exchange: str = ""  # id of the Exchange that witnesses it

    @property
    def refused(self) -> bool:
        """Whether the stimulus was refused in one of the permitted ways (alert, close, reset)."""
        return self.kind in REFUSALS

    @property
    def accepted(self) -> bool:
        """Whether a ServerHello or a completed handshake was witnessed; a HelloRetryRequest is no acceptance."""
        return self.kind in {ReactionKind.SERVER_HELLO, ReactionKind.COMPLETED}


OF_OBJECTS = ".objects-"
"""What stands in the ids of exchanges of objects, between endpoint (which has no dot) and number."""


class Exchange(Frozen):
    """Evidence: the bytes of one connection, or of objects that were handed over. Bytes are hex.

    `truncated` tells that a limit cut the record.
    """

    id: str  # "<endpoint>-0001", of objects "<endpoint>.objects-0001", unique within a run
    purpose: str
    endpoint: str
    started: datetime
    duration_ms: float
    peer: str  # "127.0.0.1:2762"
    segments: tuple[tuple[str, float, str], ...]  # ("sent" | "received", milliseconds since start, hex)
    outcome: str  # one sentence
    decoded: tuple[str, ...] = ()  # readable lines, empty where decoding was left to the renderer
    secrets: tuple[str, ...] = ()  # NSS key log lines, recorded only when --keylog was given
    truncated: bool = False

    @property
    def is_of_objects(self) -> bool:
        """Whether its octets are those of objects, not what passed over a connection."""
        return OF_OBJECTS in self.id


class Observation(Frozen):
    """One kind of fact about one endpoint.

    `facts` is the dump of the kind's facts model (`harness.observations.FACTS[kind]`); None where nothing was
    obtained, and then `missing` says what is missing and why in a sentence a field engineer can act on.
    """

    kind: str
    subject: str = ""  # which one, where an endpoint has several of a kind: the id of a trial
    schema_version: int = 1
    endpoint: str
    observed_at: datetime
    facts: Annotated[dict[str, Any] | None, Field(default=None)]
    missing: str = ""
    remedy: str = ""
    exchanges: tuple[str, ...] = ()  # ids of the evidence
    attempts: int = 1
    probe_version: int = 1
