"""The engine raises what a plain evaluation of every rule on every message raises, only faster; and stays bounded."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import Any

import pytest

from reference_impl.audit.repository.detection import remembering
from reference_impl.audit.repository.detection.conditions import Seen
from reference_impl.audit.repository.detection.engine import Engine
from reference_impl.audit.repository.detection.remembering import Group, Kept, Memory, Raised
from reference_impl.audit.repository.detection.rules import Rule, load_rules, read_rules
from tests.unit.repository_bench import received

SECOND = 1_000_000
START = 1_780_000_000 * SECOND

RULES = """
[[rule]]
id = "case"
when = { event = ["aBc", "110103"], user = { not = "alice" } }
group = ["user", "patient"]
count = 2
within = "1 min"

[[rule]]
id = "begins"
when = { event = ["1101*"], any = [{ outcome = "8" }, { transport = "tls", user = "bob" }] }
distinct = "address"
count = 3
within = "10 s"
quiet = "1 s"

[[rule]]
id = "same-event-twice"
group = "transport"
within = "30 s"
[[rule.step]]
when = { event = "110114" }
[[rule.step]]
when = { event = ["110114", "110103"], outcome = "0" }
count = 2

[[rule]]
id = "several-before-it-is-awaited"
when = { event = "110102", event_type = "x" }
absent = { outcome = "8" }
group = ["node", "user"]
count = 2
within = "20 s"

[[rule]]
id = "awaited-by-value"
when = { patient = "*" }
absent = { event = "110104" }
group = "user"
distinct = "patient"
within = "15 s"

[[rule]]
id = "last-counts"
when = { event = "110102" }
absent = { event = "110104" }
group = "user"
within = "5 s"
quiet = "30 s"
"""


class Plain:
    """Every rule's tests on every message, and `Memory`, which is right for every rule."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.memories = [Memory(rule, self._later) for rule in rules]
        self._looks: list[tuple[int, str, Group]] = []

    def take(self, message: Seen) -> list[Raised]:
        raised: list[Raised] = []
        for memory in self.memories:
            rule = memory.rule
            steps = [number for number, step in enumerate(rule.steps) if step.test(message)]
            ends = rule.absent is not None and rule.absent(message)
            if steps or ends:
                memory.take(message, steps, ends, raised)
        return raised

    def tick(self, now: int) -> list[Raised]:
        raised = []
        of_id = {memory.rule.id: memory for memory in self.memories}
        while self._looks and self._looks[0][0] <= now:
            _, rule_id, group = heapq.heappop(self._looks)
            kept = of_id[rule_id].groups.get(group)
            if kept is None:
                continue
            kept.queued = False
            if kept.expected and kept.due > now:
                self._later(of_id[rule_id], group, kept)
            elif kept.expected and (found := of_id[rule_id].tick(group, kept)):
                raised.append(found)
        return raised

    def _later(self, memory: Memory, group: Group, kept: Kept) -> None:
        kept.queued = True
        heapq.heappush(self._looks, (kept.due, memory.rule.id, group))


def _message(chance: random.Random, number: int, at: int) -> Seen:
    def some(values: Sequence[str], most: int) -> list[str]:
        return [chance.choice(values) for _ in range(chance.randrange(most + 1))]

    terms: dict[str, Any] = {
        "node": chance.choice(("ct", "mr")),
        "event": chance.choice(("110114", "110103", "110102", "110104", "110113", "110106", "ABC", "abc", "other", ())),
        "event_type": some(("110122", "110126", "x"), 2),
        "outcome": some(("0", "4", "8"), 1),
        "user": some(("alice", "Alice", "bob", "carol"), 3),
        "patient": some([f"p{number}" for number in range(6)], 2),
        "address": some(("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), 2),
        "study": some(("1.2", "1.3"), 1),
        "mark": chance.choice(((), (), (), "not-audit", "future")),
    }
    made = received(
        number, at=at + chance.choice((0, 0, 0, -SECOND, -15 * SECOND, -7200 * SECOND, 90 * SECOND)), **terms
    )
    facts = made.facts._replace(marks=("future",) if terms["mark"] == "future" else ())
    if chance.random() < 0.05:
        facts = facts._replace(event_time=None)
    return Seen(made._replace(arrived=at, transport=chance.choice(("tls", "udp")), facts=facts), number)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("bounds", ["usual", "tight"])
def test_the_engine_raises_what_a_plain_evaluation_raises(
    seed: int, bounds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bounds == "tight":
        monkeypatch.setattr(remembering, "MOST_GROUPS", 3)
        monkeypatch.setattr(remembering, "_MOST_KEPT", 2)
        monkeypatch.setattr(remembering, "_MOST_REMEMBERED", 6)
    chance = random.Random(seed)  # noqa: S311 - test material
    rules = (*load_rules(), *read_rules(RULES))
    engine, plain = Engine(rules), Plain(rules)
    at, told = START, 0
    for number in range(600):
        at += chance.choice((0, SECOND // 10, SECOND, 10 * SECOND, 10 * SECOND))
        message = _message(chance, number, at)
        raised = engine.take(message)
        assert raised == plain.take(message)
        if chance.random() < 0.1:
            at += chance.choice((0, 0, 0, 86_400 * SECOND))
            late = engine.tick(at)
            assert late == plain.tick(at)
            raised += late
        told += len(raised)
    assert told > 20


def test_groups_that_are_forgotten_and_come_again_leave_no_looks_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "MOST_GROUPS", 50)
    monkeypatch.setattr("reference_impl.audit.repository.detection.engine._MOST_LOOKS", 100)
    engine = Engine(
        read_rules('[[rule]]\nid = "r"\nwhen = {event = "1"}\nabsent = {event = "2"}\ngroup = "study"\nwithin = "1 d"')
    )
    for number in range(5000):  # each is forgotten before it comes again
        message = received(number, at=START + number, event="1", study=f"1.{number % 51}")
        engine.take(Seen(message, number))
    assert engine.looks <= 250
    assert len(engine.tick(START + 2 * 86_400 * SECOND)) == 50
    assert engine.looks == 0
