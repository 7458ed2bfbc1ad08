"""Measuring programs side by side: wall seconds and peak memory of processes of their own, in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPEATS = int(os.environ.get("PS315_BENCHMARK_REPEATS", "5"))
ROOT = Path(__file__).resolve().parents[2]
_TIME_LIMIT = 120.0


@dataclass
class Series:
    """Repeated measurements of one command: seconds, and the peak resident set in MiB.

    A child begins with the memory of the process that forks it: figures below this process's own say nothing.
    """

    seconds: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the wall seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Command:
    """A command line; `expected` are the exit statuses that mean it ran.

    `reported` tells, after a run, the seconds that count instead of those of the whole process.
    """

    arguments: Sequence[str]
    directory: Path
    expected: frozenset[int] = frozenset({0})
    reported: Callable[[], float] | None = None


def ps315(*arguments: str) -> list[str]:
    """The command line of ``ps315`` with this interpreter."""
    return [sys.executable, "-c", "from harness.cli import main; main()", *arguments]


def in_turns(commands: Mapping[str, Command], repeats: int = REPEATS) -> dict[str, Series]:
    """Run every command `repeats` times, A B A B ...; one run of each before counts for nothing.

    Raises `AssertionError` when a command does not end with one of its expected statuses.
    """
    measured = {name: Series() for name in commands}
    for turn in range(repeats + 1):
        for name, command in commands.items():
            seconds, peak = _once(name, command)
            if turn:
                measured[name].seconds.append(seconds if command.reported is None else command.reported())
                measured[name].peak.append(peak)
    return measured


def _once(name: str, command: Command) -> tuple[float, float]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its modules compiled
    log = command.directory / "last-output.txt"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(command.arguments),
            cwd=command.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # wait4 gives the peak memory of this very child (kibibytes on Linux).
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text(errors="replace")[-2000:]
    assert process.returncode in command.expected, f"{name} ended with {process.returncode}: {said}"
    assert seconds < _TIME_LIMIT, name
    return seconds, usage.ru_maxrss / 1024


def table(title: str, measured: Mapping[str, Series], goals: Sequence[tuple[str, str, str, float]]) -> str:
    """What was measured, and ratios: each goal is (what, numerator, denominator, wanted at most)."""
    width = max(len(name) for name in measured) + 2
    lines = ["", title, "-" * len(title)]
    for name, series in measured.items():
        low, high = min(series.seconds), max(series.seconds)
        lines.append(
            f"{name:<{width}} {series.median:7.3f} s  ({low:.3f} - {high:.3f}, n={len(series.seconds)})"
            f"  peak {max(series.peak):6.1f} MiB"
        )
    for what, numerator, denominator, wanted in goals:
        ratio = measured[numerator].median / measured[denominator].median
        lines.append(f"  {what}: {ratio:.2f} (goal: at most {wanted:g}) {'reached' if ratio <= wanted else 'MISSED'}")
    return "\n".join(lines)
