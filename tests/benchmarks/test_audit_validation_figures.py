"""Validation of audit messages beside a bare parse with RELAX NG, and beside jing; nothing about time is asserted.

Three kinds of messages: those of a department (few shapes, ever other users, patients, studies and times), messages of
which no two have the same shape, and broken ones. All on one core, in turns.
"""

from __future__ import annotations

import re
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
from lxml import etree

from fixtures.audit.generated import generated_octets
from fixtures.audit.mutants import mutants
from fixtures.audit.samples import SAMPLES
from reference_impl.audit.schema import GRAMMAR
from reference_impl.audit.validator import validate
from tests.benchmarks.measuring import REPEATS, Command, in_turns, ps315, table
from tests.missing import lacking

pytestmark = pytest.mark.benchmark

_NUMBER = 3000
_FILES = 2000
_GOAL, _JING = 0.6, 8.0
_SIZES = range(1500, 2700)
_DIFFERENT = re.compile(rb'(UserID|UserName|EventDateTime|Number)="[^"]*"|<ParticipantObjectName>[^<]*<')
_KEPT = (b"Security Audit Log",)


def varied(octets: bytes, chance: Random) -> bytes:
    """The same kind of message about another user, another patient, at another time."""

    def other(found: re.Match[bytes]) -> bytes:
        number = chance.randrange(10**9)
        if found[1] is None:
            return found[0] if any(each in found[0] for each in _KEPT) else b"<ParticipantObjectName>Test^P%d<" % number
        if found[1] == b"EventDateTime":
            return b'EventDateTime="2026-03-%02dT%02d:17:%02dZ"' % (number % 28 + 1, number % 24, number % 60)
        return b'%s="PS315-TEST-%d"' % (found[1], number)

    return _DIFFERENT.sub(other, octets)


def department(turn: int) -> list[bytes]:
    chance = Random(turn)  # noqa: S311
    shapes = [each.octets for each in SAMPLES.values() if len(each.octets) > 1000]
    return [varied(shapes[number % len(shapes)], chance) for number in range(_NUMBER)]


def unalike(turn: int) -> list[bytes]:
    found = (each for each in generated_octets(turn, 100 * _NUMBER, size="usual") if len(each) in _SIZES)
    return [next(found) for _ in range(_NUMBER)]


def broken(_turn: int) -> list[bytes]:
    several = [each.octets for each in mutants().values() if len(each.octets) > 1000]
    return (several * (_NUMBER // len(several) + 1))[:_NUMBER]


def bare(messages: Sequence[bytes]) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    schema = etree.RelaxNG(etree.parse(GRAMMAR))
    for octets in messages:
        try:
            schema.validate(etree.fromstring(octets, parser))
        except etree.XMLSyntaxError:
            continue


def ours(messages: Sequence[bytes]) -> None:
    for octets in messages:
        validate(octets)


def seconds(program: Callable[[Sequence[bytes]], None], messages: Sequence[bytes]) -> float:
    """Seconds of this process alone: other work on the same cores does not count."""
    start = time.process_time()
    program(messages)
    return time.process_time() - start


@pytest.mark.parametrize(
    ("what", "make", "goal"),
    [("messages of a department", department, _GOAL), ("no two alike", unalike, 0.0), ("broken ones", broken, 0.0)],
)
def test_validation_beside_a_bare_parse_with_relax_ng(
    what: str, make: Callable[[int], list[bytes]], goal: float
) -> None:
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    sizes: list[int] = []
    for turn in range(REPEATS + 1):
        messages = make(turn)  # others in every turn: what was seen in one is not seen again
        sizes += map(len, messages)
        for name, program in (("bare", bare), ("ours", ours)):
            passed = seconds(program, messages)
            if turn:
                taken[name].append(passed)
    theirs, own = (statistics.median(taken[name]) for name in ("bare", "ours"))
    print(f"\n{what}: {_NUMBER} messages in a turn, {statistics.mean(sizes):.0f} octets on average")
    print(f"  lxml parse + RELAX NG  {_NUMBER / theirs:9.0f} messages a second")
    print(f"  validate               {_NUMBER / own:9.0f} messages a second")
    reached = f" (goal: at least {goal:g}) {'reached' if theirs / own >= goal else 'MISSED'}" if goal else ""
    print(f"  rate of ours to bare: {theirs / own:.2f}{reached}")


def test_validation_beside_jing(tmp_path: Path) -> None:
    if shutil.which("jing") is None:
        lacking("jing is not installed")
    folder = tmp_path / "messages"
    folder.mkdir()
    names = []
    for number, octets in enumerate(department(0)[:_FILES]):
        path = folder / f"{number}.xml"
        path.write_bytes(octets)
        names.append(str(path))
    measured = in_turns(
        {
            "jing": Command(["jing", str(GRAMMAR), *names], tmp_path),
            "ps315 audit validate": Command(ps315("audit", "validate", str(folder)), tmp_path),
        }
    )
    print(table(f"validating {_FILES} files, start of the programs included", measured, ()))
    print(f"  wall time: {measured['ps315 audit validate'].median / measured['jing'].median:.2f} of jing's")
    rate = _FILES / measured["jing"].median
    start = time.perf_counter()
    ours([Path(name).read_bytes() for name in names])
    own = _FILES / (time.perf_counter() - start)
    reached = "reached" if own / rate >= _JING else "MISSED"
    print(f"  messages a second: jing's command line {rate:.0f}, validate {own:.0f}")
    print(f"  rate of ours to jing: {own / rate:.1f} (goal: at least {_JING:g}) {reached}")
