"""Repositories that work otherwise than most, and yet as the clauses have it, are failed in nothing."""

from __future__ import annotations

import json
import re
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from fixtures.pki.campaign import Campaign
from harness.judging import judge
from harness.observe import Conduct
from harness.operator_board import Board
from harness.record.models import VerdictKind
from harness.sut import parse_sut
from reference_impl.audit.repository_node import FileTrail, RepositoryNode, certified
from tests.unit.object_bench import ObjectBench

_SUT = """
schema = 1
[identity]
id = "repository"
[endpoints.tls]
protocol = "syslog-tls"
host = "127.0.0.1"
port = {port}
server_name = "localhost"
[endpoints.tls.audit]
arrived = "trail"
select = {select}
[readings.trail]
file = {trail}
seconds = 1
[[claims]]
profile = "A.6"
role = "audit-repository"
endpoint = "tls"
[[claims]]
profile = "IHE-ATX-TLS-Syslog"
role = "audit-repository"
endpoint = "tls"
[credentials]
campaign = {campaign}
"""
SELECT = [
    *("control/plain", "kind/query", "size/480", "size/2048", "size/8192", "size/32768", "size/32768-beyond-ascii"),
    *("text/basic-plane", "text/all-printable-ascii", "bom/with-and-without", "xml/comments", "xml/references"),
    *("frame/line-ends-within", "senders/large-at-once"),
]
_XML = re.compile(rb"(?:<\?xml[^>]*>\s*)?<AuditMessage.*", re.DOTALL)
_USER, _SOURCE = re.compile(rb"UserID=[\"']([^\"']*)"), re.compile(rb"AuditSourceID=[\"']([^\"']*)")


def the_xml_alone(message: bytes) -> bytes:
    """The XML of a syslog message, as it came."""
    found = _XML.search(message)
    return found[0] if found else message


def written_again(message: bytes) -> bytes:
    """The XML as a parser and a writer leave it: without declaration and comments, in other quotes."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_blank_text=True)
    try:
        return etree.tostring(etree.fromstring(the_xml_alone(message), parser), encoding="UTF-8")
    except etree.XMLSyntaxError:
        return message


def in_ascii(message: bytes) -> bytes:
    """The XML with references for all characters beyond ASCII."""
    try:
        return etree.tostring(etree.fromstring(the_xml_alone(message)))
    except etree.XMLSyntaxError:
        return message


def who_and_where(message: bytes) -> bytes:
    """One column for who did it, and one for where it was noticed."""
    return b"; ".join(found[1] for found in (_USER.search(message), _SOURCE.search(message)) if found)


def as_json(message: bytes) -> bytes:
    """A record of JSON."""
    return json.dumps({"msg": message.decode("utf-8", "replace")}).encode()


@dataclass(frozen=True)
class Variation:
    """A repository that keeps `shown` of a message; `warranted`: what a clause lets it be failed in."""

    shown: Callable[[bytes], bytes] = bytes
    longest: int = 0
    tls: ssl.TLSVersion | None = None
    suites: str = ""
    named_clients: bool = True
    warranted: frozenset[str] = frozenset()


VARIATIONS = {
    "the XML alone, without BOM": Variation(the_xml_alone),
    "the XML written again": Variation(written_again),
    "references for characters": Variation(in_ascii),
    "two columns": Variation(who_and_where),
    "JSON": Variation(as_json),
    "8192 octets": Variation(longest=8192, warranted=frozenset({"A.6-repository-32768-octets"})),
    "TLS 1.3 alone, and any client": Variation(tls=ssl.TLSVersion.TLSv1_3, named_clients=False),
    "the suite of RFC 5425 alone": Variation(tls=ssl.TLSVersion.TLSv1_2, suites="AES128-SHA"),
    "TLS 1.1 alone": Variation(tls=ssl.TLSVersion.TLSv1_1, suites="DEFAULT@SECLEVEL=0"),
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign.create(tmp_path_factory.mktemp("campaign") / "pki")


@contextmanager
def running(variation: Variation, campaign: Campaign, folder: Path) -> Iterator[RepositoryNode]:
    context = certified(campaign.pki, folder / "served").context()
    if variation.tls is not None:
        with warnings.catch_warnings():  # that TLS 1.1 is old is the point
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = variation.tls, variation.tls
    if variation.suites:
        context.set_ciphers(variation.suites)
    if not variation.named_clients:
        context.verify_mode = ssl.CERT_NONE
    with ExitStack() as stack:
        trail = stack.enter_context(FileTrail(folder / "trail"))

        def keep(message: bytes) -> None:
            trail.keep(variation.shown(message[: variation.longest or None]))

        yield stack.enter_context(RepositoryNode(keep, context))


@pytest.mark.parametrize("name", VARIATIONS)
def test_what_no_clause_forbids_is_no_fail(name: str, campaign: Campaign, tmp_path: Path) -> None:
    variation = VARIATIONS[name]
    with running(variation, campaign, tmp_path) as node:
        text = _SUT.format(
            port=node.tls_address[1],
            select=json.dumps(SELECT),
            trail=json.dumps(str(tmp_path / "trail")),
            campaign=json.dumps(str(campaign.directory)),
        )
        sut = parse_sut(text, source="sut.toml", folder=tmp_path)
        (record,) = ObjectBench(tmp_path, Board()).examine(sut, conduct=Conduct(per_second=100_000.0))
    observations = tuple(event.observation for event in record.observations)
    found = judge(sut.record, observations, observed_at=datetime.now(UTC), command="run").verdicts
    failed = {
        one.requirement: one.reason
        for one in found
        if one.verdict in {VerdictKind.FAIL, VerdictKind.WARNING, VerdictKind.ERROR} and one.reason
    }
    assert failed.keys() == variation.warranted, failed
    assert "A.6-repository-xml-forms" in {one.requirement for one in found if one.verdict is VerdictKind.PASS}
