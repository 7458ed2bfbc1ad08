"""Detection rules: what they mean, that mistakes in a file are told with their place, and that they stay bounded."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fixtures.pki import Pki
from reference_impl.audit import builders
from reference_impl.audit.parts import Party, address, audit_source
from reference_impl.audit.repository.detection import remembering
from reference_impl.audit.repository.detection.conditions import FIELDS, RulesError, Seen
from reference_impl.audit.repository.detection.engine import Engine, Raised
from reference_impl.audit.repository.detection.rules import load_rules, read_rules
from reference_impl.audit.repository.query import Query
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.writing import to_xml
from tests.unit.repository_bench import received, send, settings, syslog, until

SECOND = 1_000_000
START = 1_780_000_000 * SECOND  # 2026-05-28T20:26:40Z, a Thursday


class Trail:
    """Messages one after another, at seconds from the start, held against rules."""

    def __init__(self, rules: str) -> None:
        self.engine = Engine(read_rules(rules))
        self.number = 0

    def take(self, at: float, *, arrived: float | None = None, **terms: Any) -> list[Raised]:
        self.number += 1
        message = received(self.number, at=START + int(at * SECOND), **terms)
        message = message._replace(arrived=START + int((at if arrived is None else arrived) * SECOND))
        return self.engine.take(Seen(message, self.number))

    def tick(self, at: float) -> list[Raised]:
        return self.engine.tick(START + int(at * SECOND))


COUNT = """
[[rule]]
id = "r"
title = "{count} of {user} in {within}"
when = { event = "110114", outcome = ["4", "8"] }
group = ["user"]
count = 3
within = "1 min"
"""


def test_a_count_is_reached_within_the_time_and_in_one_group() -> None:
    trail = Trail(COUNT)
    failed: dict[str, Any] = {"event": "110114", "outcome": "8"}
    assert not trail.take(0, user="a", **failed)
    assert not trail.take(10, user="b", **failed)
    assert not trail.take(20, user="a", **failed)
    assert not trail.take(30, user="a", event="110114", outcome="0")
    (raised,) = trail.take(60, user="a", **failed)
    assert (raised.title, raised.count, raised.messages, raised.node) == ("3 of a in 1 min", 3, (1, 3, 5), "node-1")
    assert (raised.began, raised.until) == (START, START + 60 * SECOND)


def test_a_count_that_takes_longer_is_none() -> None:
    trail = Trail(COUNT)
    assert not any(trail.take(at, user="a", event="110114", outcome="8") for at in (0, 31, 62, 93, 124))


def test_it_is_said_again_only_after_a_quiet_time() -> None:
    trail = Trail(COUNT.replace('within = "1 min"', 'within = "1 min"\nquiet = "5 min"'))
    said = [at for at in range(0, 900, 10) if trail.take(at, user="a", event="110114", outcome="8")]
    assert said == [20, 320, 620]


def test_a_backlog_in_any_order_is_judged_by_the_times_of_its_events() -> None:
    times = [0, 400, 430, 800, 1200, 1201, 1202]
    for seed in range(5):
        trail, order = Trail(COUNT), times[:]
        random.Random(seed).shuffle(order)  # noqa: S311 - test material
        raised = [each for at in order for each in trail.take(at, arrived=5000, user="a", event="110114", outcome="8")]
        assert len(raised) == 1
        assert raised[0].began == START + 1200 * SECOND


def test_different_values_are_counted() -> None:
    trail = Trail(
        COUNT.replace('group = ["user"]', 'group = ["address"]\ndistinct = "user"').replace("{user}", "{address}")
    )
    failed: dict[str, Any] = {"event": "110114", "outcome": "8", "address": "192.0.2.1"}
    assert not any(trail.take(at, user="a", **failed) for at in range(10))
    assert not trail.take(11, user="b", **failed)
    (raised,) = trail.take(12, user="c", **failed)
    assert raised.title == "3 of 192.0.2.1 in 1 min"


SEQUENCE = """
[[rule]]
id = "r"
severity = "critical"
group = ["user"]
within = "10 min"
[[rule.step]]
when = { outcome = "8" }
count = 2
[[rule.step]]
when = { outcome = "0" }
"""


def test_a_sequence_needs_its_steps_in_their_order() -> None:
    def raised(*outcomes: str) -> list[Raised]:
        trail = Trail(SEQUENCE)
        return [each for at, outcome in enumerate(outcomes) for each in trail.take(at, user="a", outcome=outcome)]

    assert raised("8", "8", "0")[0].messages == (1, 2, 3)
    assert raised("8", "0", "8", "0")[0].messages == (1, 3, 4)
    assert not raised("0", "8", "8")
    assert not raised("8", "0", "0")


def test_a_sequence_ends_with_its_time_and_keeps_groups_apart() -> None:
    trail = Trail(SEQUENCE)
    assert not [each for at in (0, 1) for each in trail.take(at, user="a", outcome="8")]
    assert not trail.take(2, user="b", outcome="0")
    assert not trail.take(601, user="a", outcome="0")
    late = Trail(SEQUENCE)
    assert not late.take(2, user="a", outcome="0")
    assert not late.take(1, user="a", outcome="8")
    assert late.take(0, user="a", outcome="8")  # what came last happened first


ABSENT = """
[[rule]]
id = "r"
title = "{study} is not complete"
when = { event = "110102" }
absent = { event = "110104" }
group = ["study"]
within = "1 h"
"""


def test_what_does_not_follow_in_time_is_told_once() -> None:
    trail = Trail(ABSENT)
    assert not trail.take(0, event="110102", study="1.2")
    assert not trail.take(1, event="110102", study="1.3")
    assert not trail.take(60, event="110104", study="1.3")
    assert not trail.tick(3599)
    (raised,) = trail.tick(3600)
    assert (raised.title, raised.messages) == ("1.2 is not complete", (1,))
    assert not trail.tick(99_999)


def test_a_node_that_falls_silent_is_told_and_may_come_back() -> None:
    trail = Trail('[[rule]]\nid = "r"\nwhen = {node = "*"}\nabsent = {node = "*"}\ngroup = "node"\nwithin = "1 d"')
    for hour in range(0, 48, 8):
        assert not trail.take(hour * 3600, node="ct")
        assert not trail.tick(hour * 3600 + 60)
    assert not trail.tick(40 * 3600 + 86_399)
    assert [raised.node for raised in trail.tick(40 * 3600 + 86_400)] == ["ct"]
    assert not trail.take(200 * 3600, node="ct")
    assert len(trail.tick(224 * 3600)) == 1


CONDITIONS = {
    '{ event = "110114" }': True,
    '{ event = ["110100", "110114"] }': True,
    '{ event = "1101*" }': True,
    '{ event = "110100" }': False,
    '{ user = "ALICE" }': True,
    '{ user = { not = "alice" } }': False,
    '{ user = { not = ["bob", "x*"] } }': True,
    '{ any = [{ user = "bob" }, { outcome = "8" }] }': True,
    '{ all = [{ user = "alice" }, { outcome = "0" }] }': False,
    '{ none = [{ user = "bob" }, { outcome = "0" }] }': True,
    '{ patient = "P1" }': False,
    '{ ahead = "30 s" }': True,
    '{ ahead = "1 min" }': False,
    '{ late = "1 s" }': False,
    '{ time = "20:00-21:00" }': True,
    '{ time = "21:00-20:00" }': False,
    '{ time = "22:00-06:00" }': False,
    '{ time = "22:00-06:00", zone = "Europe/Berlin" }': True,
    '{ day = "thu" }': True,
    '{ day = ["sat", "sun"] }': False,
    '{ transport = "tls", event = "110114", outcome = ["4", "8"] }': True,
}


@pytest.mark.parametrize("written", list(CONDITIONS))
def test_conditions_mean_what_they_say(written: str) -> None:
    trail = Trail(f'[[rule]]\nid = "r"\nwhen = {written}')
    raised = trail.take(60, arrived=15, event="110114", user=["alice", "root"], outcome="8")
    assert bool(raised) is CONDITIONS[written]


MISTAKES = {
    "x = 1": "x: there are only [[rule]] tables",
    "[[rule]]\nid = 3": "rule 1.id",
    '[[rule]]\nid = "a"': "rule 1 (a): give either when",
    '[[rule]]\nid = "a"\nwhen = {}\nwen = {}': "rule 1 (a).wen: there is no such key",
    '[[rule]]\nid = "a"\nwhen = { evnt = "1" }': "rule 1 (a).when.evnt: there is no such field; is event meant?",
    '[[rule]]\nid = "a"\nwhen = { event = 110114 }': "rule 1 (a).when.event: give a text",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\ncount = 3': "rule 1 (a).within: say within which time",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\ncount = 0': "rule 1 (a).count",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\nwithin = "5 weeks"': "rule 1 (a).within: a time is written like",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\nwithin = "900 d"': "31 days at most",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\ngroup = ["usr"]': "rule 1 (a).group",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\nseverity = "bad"': "rule 1 (a).severity",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\ntitle = "{user}"': "rule 1 (a).title: {user} is not known",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\ntitle = "{count.__class__}"': "is not known",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\ntitle = "{"': "rule 1 (a).title",
    '[[rule]]\nid = "a"\nwhen = { event = "1" }\n[[rule]]\nid = "a"\nwhen = { event = "1" }': "rule 2 (a).id",
    '[[rule]]\nid = "a"\nwithin = "1 h"\n[[rule.step]]\nwhen = { event = "1" }\nif = 1': "rule 1 (a).step[1]",
    '[[rule]]\nid = "a"\nwhen = { any = [] }': "rule 1 (a).when.any",
    '[[rule]]\nid = "a"\nwhen = { any = [{ time = "8-9" }] }': "rule 1 (a).when.any[1].time",
    '[[rule]]\nid = "a"\nwhen = { time = "08:00-09:00", zone = "Mars" }': "rule 1 (a).when.zone",
    '[[rule]]\nid = "a"\nwhen = { day = "someday" }': "rule 1 (a).when.day",
    "[[rule]\n": "is no TOML: ",
}


@pytest.mark.parametrize("text", list(MISTAKES))
def test_mistakes_are_told_with_their_place(text: str) -> None:
    with pytest.raises(RulesError) as problem:
        read_rules(text)
    assert MISTAKES[text] in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "deep").write_text("[[rule]]\nid = 'a'\nwhen = " + "{any=[" * 500 + "]}" * 500)
    for name in ("absent", "binary", "deep", "."):
        with pytest.raises(RulesError) as problem:
            load_rules(tmp_path / name)
        assert str(problem.value).startswith(str(tmp_path))


def test_the_rules_that_come_along_can_be_read_and_each_has_its_words() -> None:
    rules = load_rules()
    assert len(rules) > 10
    assert {rule.severity for rule in rules} == {"note", "warning", "critical"}
    assert all(rule.title != rule.id for rule in rules)


@given(st.text(max_size=200))
@examples(max_examples=100, derandomize=True, deadline=None)
def test_no_text_breaks_the_reading_otherwise(text: str) -> None:
    with contextlib.suppress(RulesError):
        read_rules(text)


def test_memory_is_bounded_whoever_floods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "MOST_GROUPS", 50)
    trail = Trail(COUNT + ABSENT.replace('"r"', '"s"'))
    for number in range(1000):
        trail.take(number, event="110114", outcome="8", user=f"u{number}")
        trail.take(number, event="110102", study=f"1.{number}")
    raised = trail.tick(10_000)
    assert 0 < len(raised) <= 50
    many = Trail(COUNT)
    for number in range(5000):
        many.take(number / 1000, event="110114", outcome="8", user="one")
    assert many.take(60, event="110114", outcome="8", user="one")[0:1] == []


COUNTED = """
[[rule]]
id = "r"
when = { event = "1" }
group = ["node"]
within = "10 s"
quiet = "1 s"
count = %d
%s
"""


@given(
    happened=st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abcd")), max_size=25),
    count=st.integers(1, 5),
    distinct=st.booleans(),
)
@examples(max_examples=150, derandomize=True, deadline=None)
def test_counting_is_what_it_says_in_any_order(happened: list[tuple[int, str]], count: int, distinct: bool) -> None:
    trail = Trail(COUNTED % (count, 'distinct = "user"' if distinct else ""))
    said: list[int] = []
    for place, (at, user) in enumerate(happened, 1):
        raised = trail.take(at, event="1", user=user)
        counts = []
        for begin, _ in happened[:place]:
            if begin <= at <= begin + 10:
                within = [name for when, name in happened[:place] if begin <= when <= begin + 10]
                counts.append(len(set(within)) if distinct else len(within))
        reached = any(number >= count for number in counts)
        assert bool(raised) is (reached and not any(abs(at - before) < 1 for before in said[-1:]))
        said += [at] if raised else []


def test_a_flood_costs_little_for_each_message() -> None:
    trail = Trail(COUNT.replace("count = 3", 'distinct = "address"\ncount = 500') + SEQUENCE.replace('"r"', '"s"'))
    for number in range(6000):
        trail.take(number / 100, event="110114", outcome="8", user="a", address="192.0.2.1")
    kept = sum(len(kept.entries) for each in trail.engine.memories for kept in each.groups.values())
    assert kept < 4000


def _happenings() -> Iterator[bytes]:
    for _ in range(5):
        occasion = builders.Occasion(when=datetime.now(UTC), source=audit_source("CT-1"), outcome="8")
        person = Party("mallory", requestor=True, access_point=address("192.0.2.66"))
        yield syslog(to_xml(builders.user_authentication(occasion, attempt="login", person=person)))


def test_a_running_repository_stores_alerts_tells_them_and_writes_them_into_the_trail(tmp_path: Path) -> None:
    pki = Pki.create()
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nid = "guess"\ntitle = "{user} <guesses>"\nwhen = { event = "110114", outcome = "8" }\n'
        'group = ["user"]\ncount = 5\nwithin = "1 h"\nsend = true\n'
        '[[rule]]\nid = "alarm"\ntitle = "alarm"\nwhen = { event = "110113" }\n'
    )
    with Repository(settings(tmp_path, pki, rules=rules)) as repository, repository.subscribe() as subscription:
        send(repository, pki, _happenings())
        until(lambda: bool(repository.search.alerts()))
        (alert,) = repository.search.alerts(only_open=True)
        assert (alert.rule, alert.title, alert.count, alert.node) == ("guess", "mallory <guesses>", 5, "CT-1")
        assert alert.fields == (("user", "mallory"),)
        assert len(alert.messages) == 5
        until(lambda: bool(repository.search.page(Query(event="110113", mark="own")).rows))
        (told,) = repository.search.page(Query(event="110113")).rows
        assert told.shall == 0
        until(lambda: any(getattr(each, "rule", "") == "guess" for each in subscription.take(0.2)))
        assert repository.store.acknowledge(alert.number, "auditor", datetime.now(UTC), "seen to")
        assert not repository.store.acknowledge(alert.number, "auditor", datetime.now(UTC))
        assert not repository.search.alerts(only_open=True)
    with Repository(
        settings(tmp_path, pki, rules=rules)
    ) as repository:  # what was before is remembered, not said again
        send(repository, pki, list(_happenings())[:1])
        until(lambda: repository.search.count(Query(event="110114")).number == 6)
        assert repository.stop() == 0


def test_what_is_written_about_rules_is_so() -> None:
    written = (Path(__file__).resolve().parents[2] / "docs" / "detection-rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```toml\n(.*?)^ *```", written, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    for block in blocks:
        assert read_rules(block)
    rows = [line.split("|")[1] for line in written.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == FIELDS | {"ahead", "late", "time", "day", "zone", "any", "all", "none"}
