"""What only the program may do, and a library may not: fork, and end its process without ceremony."""

from __future__ import annotations

import os
import sys

_own = False


def claim() -> None:
    """Say that this process was started for ``ps315`` alone: the console entry point does."""
    global _own  # noqa: PLW0603 - a process is one thing
    _own = True


def may_fork() -> bool:
    """Whether a child can be made of this process as it stands: ours, without threads, where forking is harmless."""
    import threading

    # Libraries of macOS do not bear being forked.
    return _own and hasattr(os, "fork") and sys.platform != "darwin" and threading.active_count() == 1


def end(status: int) -> None:
    """End the process at once: everything is written and closed, and taking an interpreter apart takes long.

    Where output cannot be written, or somebody has asked to be called at the end, it ends as any other program.
    """
    if "coverage" in sys.modules:  # writes what it measured when the interpreter ends
        sys.exit(status)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(status)
    os._exit(status)
