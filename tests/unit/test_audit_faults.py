"""The reference audit source and repository, untouched and faulty: what goes over the wire, and what is kept of it."""

from __future__ import annotations

import socket
import threading
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from fixtures.pki import Pki
from harness.catalogue import load_catalogue
from harness.claims import default_edition
from reference_impl.audit.events import events
from reference_impl.audit.faults.changing import changed, operation
from reference_impl.audit.faults.collecting import BEHAVIOURS, collecting
from reference_impl.audit.faults.headers import HeaderChange, header_change, with_header_changed
from reference_impl.audit.faults.sources import source_faults
from reference_impl.audit.faults.wires import FRAMINGS, PROPER
from reference_impl.audit.repository_node import RepositoryNode
from reference_impl.audit.source_node import AuditSource, Collector, certified
from reference_impl.audit.syslog.messages import examine
from reference_impl.audit.syslog.tls import ServerTls, Trust
from reference_impl.faults.objects import load_object_faults
from reference_impl.faults.tables import UnknownFaultError
from tests.faults.audit_bench import WHEN

_DEADLINE = 10.0
PROTOCOLS = {
    "A.5": "syslog-tls",
    "A.6": "syslog-tls",
    "A.7": "syslog-udp",
    "IHE-ATX-TLS-Syslog": "syslog-tls",
    "IHE-ATX-UDP-Syslog": "syslog-udp",
}


class Kept:
    """What a repository kept."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._changed = threading.Condition()

    def __call__(self, message: bytes) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait_for(self, number: int) -> list[bytes]:
        """The messages as soon as there are `number`."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= number, _DEADLINE), len(self.messages)
            return list(self.messages)


class Site:
    """A repository and sources that it believes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = Pki.create()
        self.anchors = folder / "ca.pem"
        self.anchors.write_bytes(self.pki.issue("ca").certificate_pem)
        server = self.pki.issue("server")
        chain, key = folder / "server.pem", folder / "server.key"
        chain.write_bytes(server.chain_pem)
        key.write_bytes(server.key_pem)
        self.server = ServerTls(chain, key, Trust(self.anchors))

    def source(self, *faults: str) -> AuditSource:
        return AuditSource(faults, tls=certified(self.pki, self.folder / "source", self.anchors), clock=lambda: WHEN)

    def repository(self, kept: Kept, *faults: str) -> RepositoryNode:
        return RepositoryNode(kept, self.server.context(), faults)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("audit"))


def over_tls(node: RepositoryNode) -> Collector:
    return Collector(*node.tls_address, server_name="localhost")


def test_every_event_is_reported_by_a_message_that_is_it(site: Site) -> None:
    source = site.source()
    for name, event in events().items():
        for octets in source.audit_messages(name):
            root = etree.fromstring(octets)
            types = tuple(str(one) for one in root.xpath("EventIdentification/EventTypeCode/@csd-code"))  # type: ignore[union-attr]
            told = root.find("EventIdentification")
            code = root.find("EventIdentification/EventID")
            assert told is not None and code is not None
            action, outcome = told.get("EventActionCode", ""), told.get("EventOutcomeIndicator", "")
            assert event.is_reported_by(code.get("csd-code", ""), types, action, outcome), name


def test_messages_go_over_tls_and_udp_whole_and_in_order(site: Site) -> None:
    for transport in ("tls", "udp"):
        kept = Kept()
        with site.repository(kept) as node:
            source = site.source()
            told = ("application-start", "instances-transferred", "login")
            to = over_tls(node) if transport == "tls" else Collector(*node.udp_address, transport="udp")
            assert source.report(told, to)
            source.close()
            wanted = [message for event in told for message in site.source().syslog_messages(event)]
            assert kept.wait_for(len(wanted)) == wanted
            assert all(examine(message)[0] is not None for message in wanted)


@pytest.mark.parametrize("name", sorted(source_faults()))
def test_every_fault_of_the_source_changes_something(name: str) -> None:
    fault = source_faults()[name]
    assert fault.text.endswith(".")
    if fault.wire != PROPER:
        return
    seen = {event for event, messages in _said(name).items() if messages != _said()[event]}
    assert seen == ({fault.event} if fault.event else set(events()))


@cache
def _said(*faults: str) -> dict[str, tuple[bytes, ...]]:
    source = AuditSource(faults, clock=lambda: WHEN)
    return {event: source.syslog_messages(event) for event in events()}


def test_every_framing_but_the_first_differs() -> None:
    made = {name: framed("<85>1 äöü".encode()) for name, framed in FRAMINGS.items()}
    assert made["counted"] == "12 <85>1 äöü".encode()
    assert len(set(made.values())) == len(FRAMINGS)


def test_operations_change_what_they_name_and_nothing_else() -> None:
    octets = b'<A b="1"><C d="2"/><C d="3"/></A>'
    cases = {
        b'<A b="1"><C d="9"/><C d="9"/></A>': [{"do": "set", "at": "C/@d", "value": "9"}],
        b'<A><C d="2"/><C d="3"/></A>': [{"do": "remove", "at": "@b"}],
        b'<A b="1"><C e="2"/><C d="3"/></A>': [{"do": "rename", "at": "C[1]/@d", "name": "e"}],
        b'<A><C d="2" b="1"/><C d="3"/></A>': [{"do": "move", "at": "@b", "to": "C"}],
        b'<A b="1"><C d="2"/><C d="2"/><C d="3"/></A>': [{"do": "duplicate", "at": "C[1]"}],
        b'<A b="1"><C d="2"/></A>': [{"do": "remove", "at": "C[2]"}],
        b'<A b="\xd6"><C d="2"/><C d="3"/></A>': [{"do": "octets", "value": "1", "to": "\\xd6"}],
        b'<A b="1"><C d="2"/><C d="3"/><E/></A>': [{"do": "append", "xml": "<E/>"}],
        octets: [{"do": "replace", "at": "C/@x", "value": "7"}, {"do": "remove", "at": "X/@y"}],
    }
    for wanted, rows in cases.items():
        assert changed(octets, tuple(operation(row) for row in rows)) == wanted
    for wrong in ({"do": "paint"}, {"do": "set", "where": "C"}):
        with pytest.raises(ValueError, match=r"none of|unexpected"):
            operation(wrong)
    with pytest.raises(ValueError, match="none of"):
        header_change({"field": "colour"})
    assert with_header_changed(b"<85>1 T h a p m - x", HeaderChange("msgid", "-")) == b"<85>1 T h a p - - x"


def test_faults_are_named_rightly_or_refused_with_close_names() -> None:
    with pytest.raises(UnknownFaultError, match=r"did you mean .*two-requestors"):
        AuditSource(("two-requestor",))
    with pytest.raises(UnknownFaultError, match=r"did you mean .*reads-lines"):
        collecting(["read-lines"])
    both = collecting(["loses-log-outs", "reads-lines"])
    assert both.reads == "lines"
    assert len(both.keeps) == 1
    assert not BEHAVIOURS.keys() & source_faults().keys()


def test_what_is_reported_to_nobody_is_sent_later_once_or_lost_or_twice(site: Site) -> None:
    for fault, times in (("", 1), ("lost-on-reconnect", 0), ("doubled-on-reconnect", 2)):
        kept = Kept()
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        source = site.source(*filter(None, [fault]))
        try:
            assert not source.report(["login"], Collector("127.0.0.1", port, server_name="localhost")) or not times
            with RepositoryNode(kept, site.server.context(), port=port):
                source.report(["logout"], Collector("127.0.0.1", port, server_name="localhost"))
                came = kept.wait_for(2 * max(times, 1) if times == 2 else 1 + times)
                assert sum(b"110122" in message for message in came) == times, fault
        finally:
            source.close()


@pytest.mark.parametrize("role", ["audit-source", "audit-repository"])
def test_what_faults_break_is_told_of_the_profiles_that_ask_for_it(role: str) -> None:
    """Faults are told by profile without the catalogue; it has to say the same."""
    asked: dict[str, set[str]] = {}
    for profile, protocol in PROTOCOLS.items():
        for one in load_catalogue().select(profile, default_edition(profile), role, protocol):
            asked.setdefault(one.id, set()).add(profile)
    told: dict[str, set[str]] = {}
    for fault in load_object_faults(role).values():
        for verdicts in (fault.breaks, fault.becomes):
            for profile, turned in verdicts.items():
                for requirement in turned:
                    told.setdefault(requirement, set()).add(profile)
    assert told == {requirement: asked.get(requirement, set()) for requirement in told}
