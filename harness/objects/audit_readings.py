"""Looking up what has arrived at a repository: in files, by a command, in a database, over the web.

What is found is somebody else's: bounded in size and time, and searched for marks, never parsed or executed.
"""

from __future__ import annotations

import base64
import glob
import os
import re
import shlex
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import quote

from harness.objects.folders import printable
from harness.sut_readings import Reading, ReadingSecrets

if TYPE_CHECKING:
    import ssl

LARGEST = 64 * 1024 * 1024
"""So many octets are read at one look."""
_WILD = re.compile(r"(?i)\blike\s+:token\b")
_FILES = 200
_ROWS = 20_000
_FIRST, _GROWTH, _LONGEST = 0.02, 1.6, 2.0
_QUICK = 0.01


class ReadingError(Exception):
    """It could not be looked; the message says why, in a sentence."""


@dataclass(frozen=True)
class Sought:
    """What is looked for: the mark that all messages of a delivery have, and those of one; since when."""

    token: str
    begin: str
    end: str
    since: datetime

    @property
    def values(self) -> dict[str, str]:
        """The placeholders of a reading."""
        since = self.since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"token": self.token, "begin": self.begin, "end": self.end, "since": since}


class Looker(Protocol):
    """Looks at what has arrived."""

    quick: bool  # whether looking costs next to nothing

    def begin(self) -> None:
        """A delivery is about to be sent: what is there already is none of it."""

    def look(self, sought: Sought, seconds: float) -> bytes:
        """What holds the marks, or may hold them, within `seconds`. Raises `ReadingError`."""


def looker_for(
    reading: Reading, secrets: ReadingSecrets, folder: Path, context: ssl.SSLContext | None = None
) -> Looker:
    """What looks as `reading` says; files and commands are relative to `folder`, HTTPS is spoken as `context` has it.

    Raises ValueError for a person, who is asked in another way.
    """
    match reading.kind:
        case "file":
            return _Files(folder, reading.file or "")
        case "command":
            return _Command(reading, folder)
        case "sql":
            return _Database(reading.sql or "", secrets.url)
        case "web":
            return _Web(reading, secrets, context)
    raise ValueError("a person is not a looker")


def intervals(looker: Looker) -> Waits:
    """The growing pauses between looks."""
    return Waits(_QUICK if looker.quick else _FIRST)


class Waits:
    """Pauses that grow."""

    def __init__(self, first: float) -> None:
        self._next = first

    def next(self) -> float:
        """The next pause, in seconds."""
        now, self._next = self._next, min(self._next * _GROWTH, _LONGEST)
        return now


class _Files:
    """Regular files, of which only what was appended since `begin` is read."""

    quick = True

    def __init__(self, folder: Path, pattern: str) -> None:
        self._pattern = str(folder / Path(pattern).expanduser())
        self._seen: dict[tuple[int, int], int] = {}  # how long each was: by device and number, for names are changed

    def begin(self) -> None:
        """Note how long every file is."""
        self._seen = {}
        for path in self._paths():
            with suppress(OSError):
                told = Path(path).stat()
                self._seen[told.st_dev, told.st_ino] = told.st_size

    def look(self, sought: Sought, seconds: float) -> bytes:
        """What was appended to all files."""
        del sought, seconds
        paths = self._paths()
        if not paths:
            raise ReadingError(f"no file is called {printable(Path(self._pattern))}")
        room, parts = LARGEST, []
        for path in paths:
            octets = self._appended(path, room)
            room -= len(octets)
            parts.append(octets)
        return b"\n".join(parts)

    def _paths(self) -> list[str]:
        return sorted(glob.glob(self._pattern, recursive=True))[:_FILES]  # noqa: PTH207 - the pattern is absolute

    def _appended(self, path: str, room: int) -> bytes:
        """What was written to a file since `begin`; all of it where it is another one, or was begun anew."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as problem:
            raise ReadingError(f"{printable(Path(path))} cannot be read: {problem.strerror}") from None
        try:
            told = os.fstat(handle)
            if not stat.S_ISREG(told.st_mode):
                return b""
            length = self._seen.get((told.st_dev, told.st_ino), 0)
            start = length if told.st_size >= length else 0
            with os.fdopen(handle, "rb", closefd=False) as file:
                file.seek(start)
                return file.read(room)
        except OSError as problem:
            raise ReadingError(f"{printable(Path(path))} cannot be read: {problem.strerror}") from None
        finally:
            os.close(handle)


class _Command:
    """A shell command that prints what holds the mark."""

    quick = False

    def __init__(self, reading: Reading, folder: Path) -> None:
        self._reading, self._folder = reading, folder

    def begin(self) -> None:
        """Nothing has to be noted: marks are new each time."""

    def look(self, sought: Sought, seconds: float) -> bytes:
        """Run the command; what it prints on its standard output."""
        line = self._reading.filled({name: shlex.quote(value) for name, value in sought.values.items()})
        try:
            # A session of its own: what the command starts can be ended with it, and Ctrl-C reaches only us.
            process = subprocess.Popen(
                ["/bin/sh", "-c", line],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as problem:
            raise ReadingError(f"the command cannot be started: {problem}") from None
        try:
            octets = _in_time(lambda: _all_of(process.stdout), seconds, "the command")
        finally:
            _end_group(process)
            status = process.wait()
        if status in {126, 127}:
            raise ReadingError(f"the command cannot be run (status {status})")
        return octets


def _all_of(output: IO[bytes] | None) -> bytes:
    """What a command prints, up to the limit; the pipe is closed afterwards."""
    found = bytearray()
    if output is not None:
        with output:
            while len(found) < LARGEST and (octets := os.read(output.fileno(), 1 << 16)):
                found += octets
    return bytes(found)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started, while its process group still has its number."""
    if process.returncode is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


class _Database:
    """A query of SQL; every look uses a connection of its own."""

    quick = False

    def __init__(self, statement: str, url: str) -> None:
        self._statement, self._url = statement, url

    def begin(self) -> None:
        """Nothing has to be noted: marks are new each time."""

    def look(self, sought: Sought, seconds: float) -> bytes:
        """Every value of every row, one after another."""
        return _in_time(lambda: self._select(sought), seconds, "the database")

    def _select(self, sought: Sought) -> bytes:
        from sqlalchemy import create_engine, text
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
        from sqlalchemy.pool import NullPool

        statement = text(self._statement)
        values = {**sought.values, "pattern": f"%{sought.token}%"}
        if _WILD.search(self._statement):
            values["token"] = f"%{sought.token}%"
        named = {name: value for name, value in values.items() if f":{name}" in self._statement}
        try:
            engine = create_engine(self._url, poolclass=NullPool)
            with engine.connect() as connection:
                rows = connection.execute(statement, named).fetchmany(_ROWS)
                return _flat(tuple(row) for row in rows)
        except (SQLAlchemyError, ImportError, ArgumentError) as problem:
            raise ReadingError(f"the database cannot be asked: {_said(problem)}") from None


def _flat(rows: Iterable[Sequence[object]]) -> bytes:
    """Values of rows as octets, up to the limit."""
    found = bytearray()
    for row in rows:
        for value in row:
            if value is None:
                continue
            found += bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode("utf-8", "replace")
            found += b"\n"
            if len(found) > LARGEST:
                return bytes(found[:LARGEST])
    return bytes(found)


class _Web:
    """A question over HTTP whose answer holds the marks."""

    quick = False

    def __init__(self, reading: Reading, secrets: ReadingSecrets, context: ssl.SSLContext | None) -> None:
        self._reading, self._context = reading, context
        self._headers: Mapping[str, str] = secrets.headers
        if reading.user:
            pair = f"{reading.user}:{secrets.password}".encode()
            self._headers = {**secrets.headers, "Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def begin(self) -> None:
        """Nothing has to be noted: marks are new each time."""

    def look(self, sought: Sought, seconds: float) -> bytes:
        """The body of the answer."""
        from reference_impl.http_exchange import HttpExchangeError, ask

        url = self._reading.filled({name: quote(value, safe="") for name, value in sought.values.items()})
        context = self._context if url.startswith("https:") else None
        try:
            answer = ask(url, seconds=seconds, largest=LARGEST, context=context, headers=self._headers)
        except HttpExchangeError as problem:
            raise ReadingError(f"the web page does not answer: {problem}") from None
        if answer.status == 404:
            return b""
        if answer.status != 200:
            raise ReadingError(f"the web page answers with the HTTP status {answer.status}")
        return answer.body


def _in_time(call: Callable[[], bytes], seconds: float, what: str) -> bytes:
    """What `call` returns, unless it takes longer than `seconds`; a call that does is left to itself."""
    found: list[bytes] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            found.append(call())
        except Exception as problem:  # told by the thread that waits
            problems.append(problem)

    thread = threading.Thread(target=run, name="reading", daemon=True)
    thread.start()
    thread.join(seconds)
    if problems:
        raise problems[0]
    if not found:
        raise ReadingError(f"{what} had not answered after {seconds:g} s")
    return found[0]


def _said(problem: Exception) -> str:
    """The first line of what a database says, without the statement and its parameters."""
    line = str(getattr(problem, "orig", None) or problem).splitlines()
    return line[0][:300] if line else type(problem).__name__
