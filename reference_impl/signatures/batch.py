"""Verifies many files on all cores, one process each, and hands the results on as they come.

Results come in the order of the files. A worker that dies takes its files with it, no more: they are reported as not
judged, and another takes its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from reference_impl.signatures.policy import PLAIN, Policy
from reference_impl.signatures.results import FileResult, Reason, Standing
from reference_impl.signatures.verifier import verify_file

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

_CHUNK = 16
DIRECTORY_RECORDS = "(0004,1220)"
_AHEAD = 8
"""Chunks for each worker that may be done before the first outstanding one."""


@dataclass(frozen=True, slots=True)
class Done:
    """A file that was verified: its result, and the result as a line of JSON where that was asked for."""

    result: FileResult
    line: str = ""


def cores() -> int:
    """How many processes can work at once here."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def as_json(result: FileResult) -> str:
    """Return `result` as one line of JSON: an object with the fields of the model."""
    return json.dumps(result, default=_fields, ensure_ascii=True, separators=(",", ":"))


def _fields(value: object) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[attr-defined]


def verify_many(
    paths: Iterable[str], policy: Policy = PLAIN, *, jobs: int = 1, lines: bool = False, brief: bool = False
) -> Iterator[Done]:
    """Verify the files at `paths`, in `jobs` processes; yield them in the same order.

    `lines` adds JSON. `brief` leaves lists of elements out of the results (`FileResult.present`,
    `SignatureResult.signed`), but for what makes a DICOMDIR; not out of the lines. Raises nothing for what files hold.
    """
    worker = _Worker(policy, lines, brief)
    if jobs <= 1:
        for path in paths:
            yield worker.done(path)
        return
    yield from _Crew(worker, jobs).work(iter(paths))


@dataclass(frozen=True)
class _Worker:
    """What every process does with a path."""

    policy: Policy
    lines: bool
    brief: bool

    def done(self, path: str) -> Done:
        try:
            result = verify_file(path, self.policy)
        except Exception as problem:  # one file must not cost the others their results
            reason = Reason("internal-error", f"the verifier failed: {type(problem).__name__}: {problem}")
            result = FileResult(path, Standing.UNKNOWN, problems=(reason,))
        line = as_json(result) if self.lines else ""
        return Done(_shortened(result) if self.brief else result, line)


def _shortened(result: FileResult) -> FileResult:
    kept = tuple(each for each in result.present if each.tag == DIRECTORY_RECORDS)
    return replace(result, present=kept, signatures=tuple(replace(each, signed=()) for each in result.signatures))


def _lost(path: str) -> Done:
    reason = Reason("internal-error", "the process that verified it ended unexpectedly; verify it alone")
    result = FileResult(path, Standing.UNKNOWN, problems=(reason,))
    return Done(result, as_json(result))


def _serve(worker: _Worker, pipe: Connection, others: Sequence[Connection]) -> None:
    """The life of a worker process: chunks of paths come in, results go out, until the pipe is closed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who asked decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # of the parent: else nobody would notice its end
    try:
        while True:
            pipe.send([worker.done(path) for path in pipe.recv()])
    except (EOFError, OSError):
        return


class _Crew:
    """Worker processes, what each has in hand, and what waits for its turn to be yielded."""

    def __init__(self, worker: _Worker, jobs: int) -> None:
        import multiprocessing
        import threading

        # Forking shares what is imported already; it is safe only while there is one thread.
        fork = sys.platform.startswith("linux") and threading.active_count() == 1
        self._context: BaseContext = multiprocessing.get_context("fork" if fork else "spawn")
        self._worker, self._jobs = worker, jobs
        self._at_work: dict[Connection, tuple[BaseProcess, int, list[str]]] = {}
        self._idle: list[tuple[Connection, BaseProcess]] = []
        self._ready: dict[int, list[Done]] = {}

    def work(self, paths: Iterator[str]) -> Iterator[Done]:
        """Yield the result for every path."""
        from multiprocessing.connection import wait

        chunks = enumerate(_chunks(paths, self._jobs))
        waiting: deque[tuple[int, list[str]]] = deque()
        turn = 0
        exhausted = False
        try:
            while True:
                while not exhausted and len(self._at_work) + len(waiting) < self._jobs:
                    following = next(chunks, None)
                    exhausted = following is None
                    if following is not None:
                        waiting.append(following)
                while waiting and len(self._at_work) < self._jobs and waiting[0][0] < turn + _AHEAD * self._jobs:
                    self._give(*waiting.popleft())
                if not self._at_work and not waiting:
                    return
                for pipe in wait(list(self._at_work)):
                    self._take(pipe)  # type: ignore[arg-type]
                while turn in self._ready:
                    yield from self._ready.pop(turn)
                    turn += 1
        finally:
            self._dismiss()

    def _give(self, number: int, paths: list[str]) -> None:
        pipe, process = self._idle.pop() if self._idle else self._hire()
        self._at_work[pipe] = process, number, paths
        with contextlib.suppress(OSError):  # it has died: seen when its results are taken
            pipe.send(paths)

    def _take(self, pipe: Connection) -> None:
        process, number, paths = self._at_work.pop(pipe)
        try:
            self._ready[number] = pipe.recv()
        except (EOFError, OSError):
            pipe.close()
            process.join()
            self._ready[number] = self._one_by_one(paths)
            return
        self._idle.append((pipe, process))

    def _one_by_one(self, paths: list[str]) -> list[Done]:
        """The results of a chunk whose worker died: each file in a process of its own, to find the one to blame."""
        found = []
        for path in paths:
            pipe, process = self._hire()
            try:
                pipe.send([path])
                found += pipe.recv()
            except (EOFError, OSError):
                found.append(_lost(path))
            pipe.close()
            process.join()
        return found

    def _hire(self) -> tuple[Connection, BaseProcess]:
        mine, theirs = self._context.Pipe()
        others = [*self._at_work, *(pipe for pipe, _ in self._idle), mine]
        inherited = others if self._context.get_start_method() == "fork" else []
        process = self._context.Process(target=_serve, args=(self._worker, theirs, inherited), daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        return mine, process

    def _dismiss(self) -> None:
        for pipe, process, *_ in [*self._idle, *((pipe, at[0]) for pipe, at in self._at_work.items())]:
            pipe.close()
            if pipe in self._at_work:
                process.terminate()
        for process in [*(each for _, each in self._idle), *(at[0] for at in self._at_work.values())]:
            process.join()


def _chunks(paths: Iterator[str], jobs: int) -> Iterator[list[str]]:
    """Few files at first, so that everybody has work soon, then more."""
    size = given = 0
    while chunk := list(islice(paths, max(size, 1))):
        yield chunk
        given += 1
        size = min(_CHUNK, given // jobs)
