"""What is spoken over the secure connection, and what is not without it: PS3.15 B.12 and B.13."""

from __future__ import annotations

from harness import (
    Application,
    EndpointRecord,
    Missing,
    Plaintext,
    Reachability,
    ReactionKind,
    expect,
    facts_of,
    verifies,
)
from suites.transport.expectations import at_every_endpoint
from suites.transport.view import Endpoint, TlsServer
from suites.transport.words import unanswered

pytest_plugins = ("suites.transport.fixtures",)

SPEAKS_DICOM = frozenset({"accepted", "rejected", "aborted"})
ESTABLISHES_NOTHING = frozenset({ReactionKind.UNREACHABLE, ReactionKind.SILENCE})


@verifies("B.12-encrypts-all-communications", "B.1-port-differs-from-every-other", "B.3-port-differs-from-every-other")
@at_every_endpoint
def test_nothing_is_exchanged_without_encryption(server: Endpoint) -> None:
    """B.12: all communications are encrypted; B.1, B.3: the port is for nothing else. No DICOM answer in the clear."""
    reach = server.facts(Reachability)
    if reach.speaks == "plain-dicom":
        raise Missing(
            reach.diagnosis or "this port speaks unencrypted DICOM", "Name the port on which the server speaks TLS."
        )
    facts = server.facts(Plaintext)
    if not facts.dicom_answer and facts.reaction.kind in ESTABLISHES_NOTHING:
        raise unanswered(facts.reaction, "an association requested without TLS")
    expect(
        "DICOM answer" if facts.dicom_answer else "no DICOM answer",
        evidence=facts.reaction.exchange,
        what="association requested without TLS",
    ).to_be("no DICOM answer")


@verifies(
    "B.12-association-over-tls",
    "B.13-association-over-tls",
    "B.1-association-over-tls",
    "B.3-association-over-tls",
    "B.9-association-over-tls",
    "B.10-association-over-tls",
    "B.11-association-over-tls",
)
@at_every_endpoint
def test_associations_work_over_the_secure_connection(server: Endpoint) -> None:
    """B.1 to B.13: the connection is utilised for DICOM. Who is let in, and by which title, is the site's affair."""
    facts = server.facts(Application)
    if facts.association in {"no-dicom", "silence"}:
        told = f"{server.name} did not speak DICOM over TLS" + (f": {facts.detail}" if facts.detail else "")
        raise Missing(told, "Name the port on which the device speaks DICOM over TLS.", facts.exchanges)
    if facts.association != "accepted" or facts.echo_status is None:
        raise Missing(
            f"no C-ECHO over the secure connection of {server.name}: {facts.detail or 'nothing was tried'}",
            "Register the AE titles of the harness at the device, or name the titles and the certificate it expects.",
            facts.exchanges,
        )
    expect(facts.echo_status, evidence=facts.exchanges, what="status of C-ECHO", show="{:04X}H".format).to_be(0x0000)


@verifies(
    "B.12-dicomweb-port-differs",
    "B.13-dicomweb-port-differs",
    "B.9-dicomweb-port-differs",
    "B.10-dicomweb-port-differs",
    "B.11-dicomweb-port-differs",
)
def test_dicomweb_and_dimse_use_different_ports(tls: TlsServer) -> None:
    """B.12, B.13: the TCP ports for DICOMweb over TLS differ from those for DIMSE over TLS."""
    shared = [f"{one.name} and {other.name}: {where}" for one, other, where in same_port(tls)]
    expect(shared, what="endpoints of DIMSE and DICOMweb on one port").to_be_empty(expected="ports of their own")
    at_every_endpoint(is_not_shared)(tls)


def same_port(tls: TlsServer) -> list[tuple[EndpointRecord, EndpointRecord, str]]:
    """The pairs of a DIMSE and a DICOMweb endpoint of the SUT on one port, one of them in the claim, and where."""
    endpoints = [each for each in tls.sut.endpoints if each.port] if tls.sut else []  # where the SUT is connected to
    claimed = {server.name for server in tls.endpoints}
    found = []
    for one in (each for each in endpoints if each.protocol == "dicom-tls"):
        for other in (each for each in endpoints if each.protocol == "https"):
            common = [where for where in places(tls, one) if where in places(tls, other)]
            if common and claimed & {one.name, other.name}:
                found.append((one, other, common[0]))
    return found


def places(tls: TlsServer, endpoint: EndpointRecord) -> tuple[str, ...]:
    """Host and port of `endpoint` as the SUT file has them, and the address that was connected to."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host.lower()
    observed = tls.observations.get(endpoint, "tls.reachability")
    reach = facts_of(observed, Reachability) if observed is not None else None
    return tuple(filter(None, [f"{host}:{endpoint.port}", reach.address if reach is not None else ""]))


def is_not_shared(server: Endpoint) -> None:
    """The port does not take DIMSE and HTTP both; that neither was tried says nothing.

    Where a web server answers HTTP, an association request that it leaves unanswered is not taken: to it that is the
    beginning of a line.
    """
    facts = server.facts(Application)
    unknown = {"", "no-tls"} if server.record.protocol == "https" and facts.http_answer else {"", "no-tls", "silence"}
    dicom = None if facts.association in unknown else facts.association in SPEAKS_DICOM
    if (dicom is not False and facts.http_answer is None) or (dicom is None and facts.http_answer):
        raise Missing(
            f"whether {server.name} takes both DICOM and HTTP over TLS was not established"
            + (f": {facts.detail}" if facts.detail else ""),
            "Name the AE titles and the client certificate that the server expects.",
            facts.exchanges,
        )
    spoken = [name for name, answered in (("DICOM", dicom), ("HTTP", facts.http_answer)) if answered]
    expect(spoken, evidence=facts.exchanges, what=f"spoken over TLS on port {server.record.port}").to_hold(
        len(spoken) < 2, expected=("DICOM alone", "HTTP alone")
    )
