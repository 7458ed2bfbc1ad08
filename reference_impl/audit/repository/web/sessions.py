"""Who is logged in: sessions held by the server, named by a cookie that says nothing by itself."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

COOKIE = "__Host-ps315-audit"
"""The prefix binds it to this host, to TLS and to the whole site (RFC 6265bis)."""

Way = Literal["password", "certificate"]
Ended = Literal["left", "idle", "expired"]


@dataclass(slots=True)
class Session:
    """One log-in. `proof` is what it rests on: it ends where that changes (another password, another certificate)."""

    user: str
    way: Way
    address: str
    proof: str
    begun: float
    used: float
    check: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """Sent back with every form: another site cannot know it."""

    def checks(self, given: str) -> bool:
        """Whether `given` is the token of this session's forms."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.check.encode())


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds without a request, and in all, after which a session ends; and how many there are at most."""

    idle: float = 15 * 60.0
    absolute: float = 8 * 3600.0
    most: int = 500
    each: int = 10  # of one user


class Sessions:
    """All sessions; thread-safe. `ended` is told of each that ends, in whatever way."""

    def __init__(
        self,
        limits: Limits | None = None,
        ended: Callable[[Session, Ended], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or Limits()
        self._ended = ended
        self._clock = clock
        self._lock = Lock()
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, user: str, way: Way, address: str, proof: str, cookie: str = "") -> tuple[str, Session]:
        """A new session and the value of its cookie. The oldest of this user, or of all, makes room.

        `cookie` names it where the client shows something at every request that is as hard to guess (a certificate).
        """
        self.sweep()
        now = self._clock()
        session = Session(user, way, address, proof, begun=now, used=now)
        cookie = cookie or secrets.token_urlsafe(32)
        with self._lock:
            own = [key for key, each in self._sessions.items() if each.user == user]
            gone = own[: max(0, len(own) - self.limits.each + 1)] or list(self._sessions)[: self._surplus()]
            left = [self._sessions.pop(key) for key in gone]
            self._sessions[_key(cookie)] = session
        self._tell(left, "expired")
        return cookie, session

    def _surplus(self) -> int:
        return max(0, len(self._sessions) - self.limits.most + 1)

    def find(self, cookie: str, *, touch: bool = True) -> Session | None:
        """The session of `cookie`, if it still runs; `touch`: the user did something."""
        now = self._clock()
        key = _key(cookie)
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                return None
            how = self._over(session, now)
            if how is None:
                if touch:
                    session.used = now
                return session
            del self._sessions[key]
        self._tell([session], how)
        return None

    def end(self, cookie: str) -> Session | None:
        """Log out."""
        with self._lock:
            session = self._sessions.pop(_key(cookie), None)
        if session is not None:
            self._tell([session], "left")
        return session

    def sweep(self) -> None:
        """Drop what has expired without anybody asking."""
        now = self._clock()
        over: dict[Ended, list[Session]] = {"idle": [], "expired": []}
        with self._lock:
            for key, session in list(self._sessions.items()):
                how = self._over(session, now)
                if how is not None:
                    over[how].append(self._sessions.pop(key))
        for how, sessions in over.items():
            self._tell(sessions, how)

    def _over(self, session: Session, now: float) -> Ended | None:
        if now - session.begun >= self.limits.absolute:
            return "expired"
        return "idle" if now - session.used >= self.limits.idle else None

    def _tell(self, sessions: list[Session], how: Ended) -> None:
        for session in sessions:
            if self._ended is not None:
                self._ended(session, how)


def _key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
