"""Certificates that their authority has revoked: lists (RFC 5280 5) that a TLS context heeds, and takes anew."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

LOG = logging.getLogger("ps315.audit")


def check_revocation(context: ssl.SSLContext, lists: Path) -> None:
    """Believe no end entity that one of the revocation lists (RFC 5280 5, PEM) in `lists` names, nor one whose
    authority has no list there that is valid now. A server's context looks before each handshake whether the file has
    changed, and takes what is new; while that cannot be read, the lists that it has hold.

    Raises `OSError`, and ValueError where the file holds no lists.
    """
    known = _Lists(context, lists)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        context.sni_callback = known.renew


class _Lists:
    """What a context has taken of a file. Of two lists of one authority that are valid the newer holds (OpenSSL)."""

    def __init__(self, context: ssl.SSLContext, path: Path) -> None:
        self._context, self._path = context, path
        self._seen = self._state()
        self._load()

    def renew(self, *_: object) -> None:
        """Take lists that are new; called when a client has said hello, with or without a server's name."""
        try:
            state = self._state()
            if state == self._seen:
                return
            self._seen = state
            self._load()
        except (OSError, ValueError) as problem:
            LOG.warning("revocation lists cannot be read anew: %s", problem)

    def _state(self) -> tuple[int, int, int]:
        told = self._path.stat()
        return told.st_mtime_ns, told.st_size, told.st_ino

    def _load(self) -> None:
        if "-----BEGIN X509 CRL-----" not in self._path.read_text(encoding="ascii", errors="replace"):
            raise ValueError(f"{self._path}: holds no revocation list in PEM")
        try:
            self._context.load_verify_locations(self._path)
        except ssl.SSLError as problem:
            words = problem.reason or problem
            raise ValueError(f"{self._path}: holds no readable revocation list: {words}") from None
