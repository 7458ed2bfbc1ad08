"""The kill matrix of audit sources: each fault turns exactly what its table says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from harness.record.models import VerdictKind
from harness.sut_audit import AWAY_AND_BACK
from reference_impl.audit.faults.along_tables import EVENTS
from reference_impl.audit.faults.sources import source_faults
from reference_impl.audit.faults.wires import PROPER
from reference_impl.audit.source_node import AuditSource
from reference_impl.audit.syslog.model import IHE_MSGID
from reference_impl.faults.objects import faults_of_objects, texts_of_objects
from tests.faults.audit_bench import (
    Bundle,
    SideBySide,
    bundles,
    captured,
    listened,
    told_by_the_validator,
    worst_of,
)
from tests.faults.bench import Bench
from tests.faults.signature_bench import UNTOUCHED, Examination, Tried, automatic, stated_of

pytestmark = pytest.mark.xdist_group("audit sources")  # one process makes all runs at once

ROLE = "audit-source"
TEXTS = texts_of_objects(ROLE)
FAULTS = faults_of_objects(ROLE)
IN_MESSAGES = tuple(FAULTS["A.5"])
BUNDLES = bundles(IN_MESSAGES)
PROTOCOLS = {"A.6": "syslog-tls", "A.7": "syslog-udp"}
"""What a source speaks by the profile under which it is tried."""
BESIDE = {"A.6": "IHE-ATX-TLS-Syslog", "A.7": "IHE-ATX-UDP-Syslog"}
"""The profile of IHE that is claimed beside, whose MSGID is allowed by both."""
_OF_STRUCTURED_DATA = {
    *("RFC5424-6.3.2-source-unique-sd-ids", "RFC5424-6.3.2-source-sd-id-names", "RFC5424-6.3.3-source-escapes"),
    *("RFC5424-6.3.3-source-utf-8", "RFC5424-6.4-source-bom-means-utf-8"),
}
TOLD = tuple(dict.fromkeys((*EVENTS.values(), "logout")))
"""What is reported over the wire: each message of A.5.3; one of them is large."""


OF_SEVERAL = {"A.5.2.4-constant-network-access-point"}
"""What the validator cannot tell, since it sees one message at a time."""
NOT_REPORTED_SO = {"A.5-events-claimed", "A.5.1-older-spelling", "A.5.1-source-type-code-system", *_OF_STRUCTURED_DATA}
"""Conditions that the untouched source has no reason to meet; events are claimed where they are reported to us."""


def tried_under(profile: str) -> tuple[str, ...]:
    """The faults that are tried under `profile`: of header and wire, and what shows in several messages together."""
    return tuple(FAULTS[profile])


class Sources:
    """Sources with each fault: of messages, captured in files; of header and wire, listened for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bench = Bench(folder / "campaign")
        self._sources: list[AuditSource] = []
        self._listening: dict[str, SideBySide] = {}

    @cached_property
    def captures(self) -> Examination:
        """All faults of messages."""
        folder = self._made("captures")
        tried = {UNTOUCHED: captured(folder / UNTOUCHED, ("A.5",))}
        tried |= {each.name: captured(folder / each.name, ("A.5",), *each.faults) for each in BUNDLES}
        return Examination(folder, ROLE, tried, bench=self._bench)

    def listening(self, profile: str) -> SideBySide:
        """All faults that are tried under `profile`."""

        def examination(faults: Sequence[str]) -> Examination:
            folder = self._made(f"{profile}-{faults[0]}")
            tried = {UNTOUCHED: self._listened(folder, profile)}
            tried |= {name: self._listened(folder, profile, name) for name in faults}
            return Examination(folder, ROLE, tried, bench=self._bench)

        if profile not in self._listening:
            self._listening[profile] = SideBySide(tried_under(profile), examination)
        return self._listening[profile]

    def _listened(self, folder: Path, profile: str, *faults: str) -> Tried:
        """A source that is listened for while it reports something otherwise than the untouched one.

        The rest is as the untouched one reports it, but for HOSTNAME, which is that of all messages.
        """
        audit: dict[str, Any] = {}
        if profile == "A.6":
            audit = {"away": "embedded", "nothing_lost": True}
        for fault in (source_faults()[name] for name in faults):
            away = fault.wire.reconnecting != PROPER.reconnecting
            named = fault.header is not None and fault.header.field == "hostname"
            audit["select"] = [AWAY_AND_BACK] if away else list(TOLD) if named else [fault.event or "login"]
        tried, source = listened(
            self._bench,
            folder / "".join(faults or [UNTOUCHED]),
            PROTOCOLS[profile],
            (profile, BESIDE[profile]),
            TOLD,
            *faults,
            msgid=IHE_MSGID,
            **audit,
        )
        self._sources.append(source)
        return tried

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def close(self) -> None:
        for source in self._sources:
            source.close()
        self._bench.close()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    """All of them."""
    made = Sources(tmp_path_factory.mktemp("audit-sources"))
    try:
        yield made
    finally:
        made.close()


def test_the_untouched_source_passes_everything(sources: Sources) -> None:
    for examination in (sources.captures, *(sources.listening(profile).of(UNTOUCHED) for profile in PROTOCOLS)):
        verdicts = examination.verdicts(UNTOUCHED)
        others = {key: one for key, one in verdicts.items() if one.verdict is not VerdictKind.PASS}
        reasons = {key: one.reason for key, one in others.items()}
        assert {name for _, name in others} <= NOT_REPORTED_SO, reasons
        assert {one.verdict for one in others.values()} <= {VerdictKind.NOT_APPLICABLE}, reasons


@pytest.mark.parametrize("fault", IN_MESSAGES)
def test_each_fault_of_messages_breaks_the_rules_that_its_table_says(fault: str) -> None:
    assert not told_by_the_validator()
    stated = {rule: verdict for rule, verdict in stated_of(fault, ROLE).items() if rule not in OF_SEVERAL}
    assert told_by_the_validator(fault) == stated


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_faults_of_messages_turn_exactly_what_their_tables_say(sources: Sources, bundle: Bundle) -> None:
    stated = worst_of(stated_of(fault, ROLE) for fault in bundle.faults)
    assert not (different := sources.captures.differences(bundle.name, stated)), "\n".join(different)


@pytest.mark.parametrize(
    ("profile", "fault"), [(profile, name) for profile in PROTOCOLS for name in tried_under(profile)]
)
def test_each_fault_of_header_and_wire_turns_exactly_what_its_table_says(
    sources: Sources, profile: str, fault: str
) -> None:
    different = sources.listening(profile).of(fault).differences(fault, stated_of(fault, ROLE, profile))
    assert not different, "\n".join(different)


def test_every_automatic_requirement_is_turned_by_a_fault_as_its_level_says() -> None:
    known = dict(automatic("A.5", ROLE))
    for profile, protocol in PROTOCOLS.items():
        known |= automatic(profile, ROLE, protocol) | automatic(BESIDE[profile], ROLE, protocol)
    turned = [each for rows in FAULTS.values() for row in rows.values() for each in row.items()]
    for name, verdict in turned:
        assert verdict not in {"fail", "warning"} or verdict == ("fail" if known[name].level == "shall" else "warning")
    killed = {name for name, verdict in turned if verdict in {"fail", "warning"}}
    assert known.keys() - killed == {"A.5-events-claimed"}  # what never came is open, by design
    assert ("A.5-events-claimed", "inconclusive") in turned


def test_every_fault_has_a_row_and_a_text() -> None:
    assert TEXTS.keys() == {fault for rows in FAULTS.values() for fault in rows}
    assert all(text.endswith(".") for text in TEXTS.values())
