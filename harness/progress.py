"""Progress of a run, told on standard error: one line on a terminal, nothing where nobody watches."""

from __future__ import annotations

import sys
import threading
from typing import Protocol, TextIO


class Progress(Protocol):
    """What the engine tells while it works."""

    def expect(self, steps: int) -> None:
        """`steps` more steps will come."""

    def started(self, where: str, what: str) -> None:
        """A step began at endpoint `where`."""

    def finished(self, where: str, what: str) -> None:
        """A step ended."""

    def phase(self, text: str) -> None:
        """Something other than a step begins ("judging")."""

    def close(self) -> None:
        """Nothing more will be told; the line is cleared."""


class Silent:
    """Tells nothing."""

    def expect(self, steps: int) -> None:
        """Nothing."""

    def started(self, where: str, what: str) -> None:
        """Nothing."""

    def finished(self, where: str, what: str) -> None:
        """Nothing."""

    def phase(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class StatusLine:
    """One line that is rewritten: how many steps are done, and the one that runs longest."""

    def __init__(self, stream: TextIO, columns: int = 100) -> None:
        self._stream, self._columns = stream, columns
        self._lock = threading.Lock()
        self._expected = self._done = 0
        self._running: dict[tuple[str, str], None] = {}

    def expect(self, steps: int) -> None:
        """`steps` more steps will come."""
        with self._lock:
            self._expected += steps

    def started(self, where: str, what: str) -> None:
        """Show the step, behind those that run already."""
        with self._lock:
            self._running[where, what] = None
            self._show()

    def finished(self, where: str, what: str) -> None:
        """Count the step."""
        with self._lock:
            self._running.pop((where, what), None)
            self._done += 1
            self._show()

    def phase(self, text: str) -> None:
        """Show `text` alone."""
        with self._lock:
            self._write(text)

    def close(self) -> None:
        """Clear the line."""
        with self._lock:
            self._write("")

    def _show(self) -> None:
        now = next(iter(self._running), None)
        what = f" {now[0]}: {now[1]}" if now else ""
        self._write(f"observing {self._done}/{self._expected}{what}")

    def _write(self, text: str) -> None:
        self._stream.write("\r\x1b[K" + text[: self._columns - 1])
        self._stream.flush()


def progress_for(*, quiet: bool, stream: TextIO | None = None) -> Progress:
    """A status line on a terminal, silence otherwise or when `quiet`."""
    stream = stream or sys.stderr
    if quiet or not stream.isatty():
        return Silent()
    import shutil

    return StatusLine(stream, shutil.get_terminal_size().columns)
