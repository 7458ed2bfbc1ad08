"""What the page itself leaves in the trail: every look at it (PS3.15 A.5.3.2), every log-in and log-out (A.5.3.12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from reference_impl.audit.builders import Occasion, Outcome, audit_log_used, user_authentication
from reference_impl.audit.model import AuditMessage, AuditSource, Detail
from reference_impl.audit.parts import AccessPoint, Party, address, machine
from reference_impl.audit.repository.web.access import Happening, Identity
from reference_impl.audit.repository.web.sessions import Way

_PROCESS: Final = "ps315 audit repository"
_MOST: Final = 1_000
_OUTCOMES: Final[dict[Happening, Outcome]] = {"login-failed": "4", "too-many": "8"}
_SAID: Final[dict[Happening, str]] = {
    "login-failed": "wrong name or password",
    "too-many": "refused after too many failed attempts",
    "logout-idle": "the session ended by itself",
}


@dataclass(frozen=True, slots=True)
class Recording:
    """Records in the name of `source`, through `record`; `log` is the URI of the trail."""

    record: Callable[[AuditMessage], None]
    source: AuditSource
    log: str

    def look(self, identity: Identity, what: str) -> None:
        """Somebody looked at the trail: at what, in words or as an address. Raises whatever `record` does."""
        occasion = Occasion(when=datetime.now(UTC), source=self.source)
        process = Party(_PROCESS, access_point=None)
        message = audit_log_used(occasion, person=_person(identity.user, identity), process=process, log=self.log)
        told = Detail("Request", _clean(what, _MOST).encode())
        items = tuple(replace(item, details=(*item.details, told)) for item in message.objects)
        self.record(replace(message, objects=items))

    def happened(self, happening: Happening, user: str, way: Way, place: str) -> None:
        """Somebody logged in or out, or tried to. Raises whatever `record` does."""
        said = _SAID.get(happening, f"with a {way}" if happening == "login" else "")
        outcome = _OUTCOMES.get(happening, "0")
        occasion = Occasion(when=datetime.now(UTC), source=self.source, outcome=outcome, description=said)
        by_itself = happening == "logout-idle"
        message = user_authentication(
            occasion,
            attempt="logout" if happening in {"logout", "logout-idle"} else "login",
            person=Party(_clean(user) or "(no name given)", requestor=not by_itself, access_point=_point(place)),
            node=Party(_PROCESS, requestor=by_itself),
        )
        self.record(message)


def _person(user: str, identity: Identity) -> Party:
    return Party(_clean(user), requestor=True, access_point=_point(identity.address))


def _point(place: str) -> AccessPoint:
    try:
        return address(place.partition("%")[0])
    except ValueError:
        return machine(_clean(place) or "unknown")


def _clean(text: str, most: int = 128) -> str:
    """`text` as an audit message can carry it: printable, on one line, not too long."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text[:most]).strip()
