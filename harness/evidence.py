"""What may enter the record: secrets are taken out, evidence is kept within limits.

Redaction happens here, where things are recorded, so that no renderer can leak what it never saw.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any

from harness.observations import Exchange

REDACTED = "[redacted]"
_STRUCTURE = frozenset(
    [
        "at",
        "endpoint",
        "endpoints",
        "edition",
        "event",
        "evidence",
        "exchange",
        "exchanges",
        "finished",
        "host",
        "id",
        "judged",
        "key",
        "kind",
        "level",
        "members",
        "needs",
        "not_after",
        "not_before",
        "observation",
        "observed_at",
        "peer",
        "port",
        "profile",
        "protocol",
        "requirement",
        "role",
        "sha256",
        "started",
        "step",
        "subject",
        "trial",
        "until",
        "verdict",
    ]
)
"""Fields that hold names, times and ids of the record: a password that is an ordinary word must not damage them."""
_SHORT = 4


class Redactor:
    """Takes `secrets` (octets of passwords, keys) out of lines of the journal, as text and as hex.

    Hex is blanked with zeros, so that evidence stays readable octets of the same length. Secrets of fewer than four
    octets cannot be told from anything else and are left.
    """

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._texts: tuple[str, ...] = ()
        self._hexes: tuple[str, ...] = ()
        unique = sorted({secret for secret in secrets if len(secret) >= _SHORT}, key=len, reverse=True)
        texts = []
        for secret in unique:
            try:
                texts.append(secret.decode())
            except UnicodeDecodeError:
                continue
        self._texts = tuple(texts)
        self._hexes = tuple(secret.hex() for secret in unique)
        self._needles = tuple({json.dumps(text, ensure_ascii=False)[1:-1] for text in texts}) + self._hexes

    def line(self, line: str) -> str:
        """`line` (one JSON object) without secrets."""
        if not any(needle in line for needle in self._needles):
            return line
        return json.dumps(self._clean(json.loads(line), ""), ensure_ascii=False, separators=(",", ":"))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._texts:
            text = text.replace(secret, REDACTED)
        for secret in self._hexes:
            text = text.replace(secret, "0" * len(secret))
        return text

    def _clean(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._clean(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self._clean(item, key) for item in value]
        if isinstance(value, str) and key not in _STRUCTURE:
            if key == "segments":
                return self._hex(value)
            return self.text(value)
        return value

    def _hex(self, value: str) -> str:
        for secret in self._hexes:
            value = value.replace(secret, "0" * len(secret))
        return value


class EvidenceCap:
    """Keeps the octets of recorded exchanges within limits: `each` per connection, `total` per endpoint and run."""

    def __init__(self, each: int = 65_536, total: int = 16_777_216, least: int = 1_024) -> None:
        self.each, self.total, self._least = each, total, least
        self._used = 0
        self._lock = threading.Lock()

    def cut(self, exchange: Exchange) -> Exchange:
        """`exchange` within the limits, marked as truncated where something was left out."""
        with self._lock:
            allowed = max(min(self.each, self.total - self._used), self._least)
            size = sum(len(octets) // 2 for _, _, octets in exchange.segments)
            self._used += min(size, allowed)
        if size <= allowed:
            return exchange
        kept = []
        for direction, milliseconds, octets in exchange.segments:
            part = octets[: 2 * allowed]
            allowed -= len(part) // 2
            if part:
                kept.append((direction, milliseconds, part))
        return exchange.model_copy(update={"segments": tuple(kept), "truncated": True})
