"""The repository's own messages: about itself, and about those who look at the trail (PS3.15 A.5.3.2)."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reference_impl.audit import builders
from reference_impl.audit.model import AuditMessage
from reference_impl.audit.parts import Party, audit_source, machine
from reference_impl.audit.repository.examining import Arrival, examine
from reference_impl.audit.repository.facts import Received
from reference_impl.audit.repository.store import Store
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.audit.writing import to_xml

APPLICATION: Final = "ps315"


def arrival(message: AuditMessage) -> Arrival:
    """A message of our own as if it had arrived now. Raises ValueError where it holds what XML cannot carry."""
    host = socket.gethostname()
    syslog = audit_message(
        to_xml(message), datetime.now(UTC), hostname=host, app_name=APPLICATION, procid=str(os.getpid())
    )
    return Arrival(write(syslog), time.time_ns() // 1000, "own", "")


def record_look(store: Store, *, source: str, user: str, log: str) -> None:
    """Add to the trail that `user` looked at `log`, a file or a URL, with a program.

    Raises `StoreError` where that cannot be.
    """
    here = machine(socket.gethostname())
    looked = arrival(
        builders.audit_log_used(
            builders.Occasion(when=datetime.now(UTC), source=audit_source(source)),
            person=Party(user, requestor=True, access_point=here),
            process=Party(str(os.getpid()), name=APPLICATION),
            log=log if "://" in log else Path(log).absolute().as_uri(),  # A.5.3.2: "the URI of the audit log"
        )
    )
    store.add([Received(*looked, examine(*looked[:4]))])
