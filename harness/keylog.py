"""Session secrets as NSS key log lines (``--keylog FILE``), for Wireshark. They go to that file and to no record."""

from __future__ import annotations

import threading
from pathlib import Path

from harness.errors import UsageProblem
from harness.observations import Exchange


class KeyLog:
    """Appends the secrets of exchanges to a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        try:
            path.touch(mode=0o600, exist_ok=True)
        except OSError as problem:
            raise UsageProblem(f"{path}: cannot be written: {problem.strerror}; give --keylog another file") from None

    def take(self, exchange: Exchange) -> Exchange:
        """Write the secrets of `exchange` and give it back without them."""
        if not exchange.secrets:
            return exchange
        with self._lock, self._path.open("a", encoding="ascii", errors="replace") as file:
            file.writelines(line + "\n" for line in exchange.secrets)
        return exchange.model_copy(update={"secrets": ()})
