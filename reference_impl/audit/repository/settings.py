"""What a repository is told before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.audit.repository.ingest import IngestLimits

if TYPE_CHECKING:
    from reference_impl.audit.repository.web.access import Access


@dataclass(frozen=True, slots=True)
class Settings:
    """How a repository runs. A port of None is not opened, port 0 is any free one.

    `certificate` and `key` (PEM) are shown by syslog over TLS and by the web page; `client_ca` (PEM) are the
    authorities of nodes, which have to show a certificate (mutual authentication); without it none is asked for.
    `revoked` (PEM) are revocation lists of these authorities, read anew when the file changes; certificates of nodes
    that they name are refused. `name` is the AuditSourceID of the messages that the repository writes about itself.
    `access` tells who may look at the web page. `rules` are detection rules (TOML); without a file, those that come
    with this package.
    """

    database: str | Path
    host: str = "127.0.0.1"
    tls_port: int | None = 6514
    udp_port: int | None = 514
    web_port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    revoked: Path | None = None
    access: Access | None = None
    rules: Path | None = None
    name: str = "PS315-ARR"
    site: str = ""
    limits: IngestLimits = field(default_factory=IngestLimits)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a repository listens: host and port, None where it does not."""

    tls: tuple[str, int] | None = None
    udp: tuple[str, int] | None = None
    web: tuple[str, int] | None = None
