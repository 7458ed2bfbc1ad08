"""Starting a program that listens, waiting for it with a deadline, and ending it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fixtures.pki import Pki

READY_WITHIN = 20.0
_SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin"


class PeerMissing(Exception):  # noqa: N818 - it is a circumstance, not an error of the test
    """The program is not installed here. `optional`: no package of Debian has it, so that it may be missing."""

    def __init__(self, what: str, *, optional: bool = False) -> None:
        super().__init__(what)
        self.optional = optional


@dataclass(frozen=True)
class Peer:
    """A running server. `log` holds what it printed; `called_aet` is what it answers to."""

    host: str
    port: int
    log: Path
    called_aet: str = "ANY-SCP"


Starter = Callable[[Pki, Path, Mapping[str, str]], AbstractContextManager[Peer]]
"""Given certificates, a directory of its own and the options of `expectations.toml`, a running `Peer`."""


def program(name: str) -> str:
    """The path of an installed program. Raises `PeerMissing`."""
    path = shutil.which(name) or shutil.which(name, path=_SEARCHED)
    if path is None:
        raise PeerMissing(f"{name} is not installed")
    return path


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    arguments: list[str], port: int, directory: Path, *, name: str, environment: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Run a program until the block ends; the block starts when `port` accepts connections. Yields its log file.

    Raises `RuntimeError`, with the end of the log, when the program dies or does not listen within `READY_WITHIN`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,  # several servers end when their standard input does
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=os.environ | dict(environment or {}),
        )
    try:
        _await_port(process, port, log)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                break
        time.sleep(0.02)  # between attempts to connect; the deadline bounds them
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{process.args!r} does not listen on port {port}: {tail}")
