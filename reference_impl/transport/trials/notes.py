"""What a trial's server takes down about the client while it serves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reference_impl.transport.wire import Alert

Progress = Literal["nothing", "hello", "went-on", "completed"]

MAXIMUM_NONCES = 64


@dataclass
class Notes:
    """Facts of one connection. Versions, suites, groups and schemes are IANA code points; None: not come to.

    `hellos` are the ClientHello messages with their headers, each with the version of its record. `certificates` are
    DER, leaf first; None where the client was not asked. `said` is the fatal alert that the server sent, `alert` the
    client's first that is not close_notify. `secrets` are NSS key log lines.
    """

    hellos: list[tuple[int, bytes]] = field(default_factory=list)
    version: int | None = None
    suite: int | None = None
    group: int | None = None
    progress: Progress = "nothing"
    alert: Alert | None = None
    close_notify: bool = False
    said: int | None = None
    certificates: tuple[bytes, ...] | None = None
    scheme: int | None = None
    dhe_public: bytes = b""
    explicit_nonces: list[bytes] = field(default_factory=list)
    detail: str = ""
    secrets: list[str] = field(default_factory=list, repr=False)

    def went_on(self) -> None:
        """The client has sent more than an alert after the server's flight."""
        if self.progress in ("nothing", "hello"):
            self.progress = "went-on"
