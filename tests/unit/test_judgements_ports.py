"""DIMSE and DICOMweb have ports of their own, judged across the endpoints of a SUT (PS3.15 B.12, B.13)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judging import judge
from harness.record.models import ClaimRecord, EndpointRecord, ListenRecord, SutRecord, VerdictRecord
from tests.unit.tls_observations import NOW, changed, conforming, observations

RULE = "dicomweb-port-differs"


def endpoint(name: str, protocol: str, host: str = "pacs.example.org", port: int = 2762) -> EndpointRecord:
    return EndpointRecord(name=name, protocol=protocol, host=host, port=port)


def judged(*endpoints: EndpointRecord, claimed: str, addresses: dict[str, str]) -> dict[str, VerdictRecord]:
    claims = tuple(
        ClaimRecord(profile=profile, edition="2026c", role="tls-server", endpoint=claimed)
        for profile in ("B.12", "B.13")
    )
    seen = []
    for each in endpoints:
        if each.name in addresses:
            web = each.protocol == "https"
            heard: dict[str, Any] = {"association": "no-dicom", "http_answer": True} if web else {}
            facts = changed(conforming()["tls.reachability"], {"address": addresses[each.name]})
            seen += observations(
                conforming()
                | {"tls.reachability": facts}
                | {"tls.application": changed(conforming()["tls.application"], heard)},
                each.name,
            )
    found = judge(SutRecord(id="pacs", claims=claims, endpoints=endpoints), seen, observed_at=NOW, command="run")
    return {one.profile: one for one in found.verdicts if one.requirement.endswith(RULE)}


@pytest.mark.parametrize("claimed", ["dimse", "web"])
@pytest.mark.parametrize("host", ["pacs.example.org", "PACS.example.org"])
def test_two_endpoints_on_one_port_are_both_named(claimed: str, host: str) -> None:
    found = judged(
        endpoint("dimse", "dicom-tls"),
        endpoint("web", "https", host),
        claimed=claimed,
        addresses={claimed: "192.0.2.7:2762"},
    )
    for profile in ("B.12", "B.13"):
        assert found[profile].verdict == "fail"
        assert found[profile].observed == ["dimse and web: pacs.example.org:2762"]


def test_two_names_of_one_address_are_seen_through() -> None:
    found = judged(
        endpoint("dimse", "dicom-tls"),
        endpoint("web", "https", "archive.example.org"),
        claimed="dimse",
        addresses={"dimse": "192.0.2.7:2762", "web": "192.0.2.7:2762"},
    )
    assert found["B.12"].verdict == "fail"
    assert found["B.12"].observed == ["dimse and web: 192.0.2.7:2762"]


@pytest.mark.parametrize(
    "other",
    [
        endpoint("web", "https", port=443),
        endpoint("web", "https", "archive.example.org"),
        endpoint("second", "dicom-tls"),
        endpoint("logs", "syslog-tls"),
    ],
)
def test_ports_of_their_own_are_right(other: EndpointRecord) -> None:
    found = judged(endpoint("dimse", "dicom-tls"), other, claimed="dimse", addresses={"dimse": "192.0.2.7:2762"})
    assert found["B.12"].verdict == "pass"


def test_where_the_sut_connects_from_is_no_port_of_its_own() -> None:
    listening = ListenRecord(address="127.0.0.1", port=2762, name="harness", seconds=60)
    web = EndpointRecord(name="web", protocol="https", host="pacs.example.org", listen=listening)
    found = judged(endpoint("dimse", "dicom-tls"), web, claimed="dimse", addresses={"dimse": "192.0.2.7:2762"})
    assert found["B.12"].verdict == "pass"
