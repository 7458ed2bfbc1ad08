"""Audit messages as FHIR AuditEvents, and the search of ITI-81, held against the library that knows FHIR."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.audit.generated import generated
from fixtures.audit.samples import SAMPLES
from fixtures.pki import Pki
from reference_impl.audit import builders
from reference_impl.audit.model import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    Code,
    Detail,
    EventIdentification,
    ParticipantObject,
)
from reference_impl.audit.parsing import read
from reference_impl.audit.parts import Party, address, audit_source, patient, study
from reference_impl.audit.repository.examining import examine
from reference_impl.audit.repository.facts import Received, microseconds
from reference_impl.audit.repository.fhir import audit_event, checked
from reference_impl.audit.repository.fhir_search import SearchError, read_parameters
from reference_impl.audit.repository.query import Query
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.web.access import Access
from reference_impl.audit.repository.web.users import write_user
from reference_impl.audit.repository.web_api import searchset
from reference_impl.audit.writing import to_xml
from tests.unit.repository_bench import settings, syslog

WHEN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
USER, PASSWORD = "auditor", "a long enough phrase"
ODD = ("", " ", "\t\n", "a\u0085b", "<script>", "\u202e", "x" * 20_000, "😀\u0301", " lead", "two  blanks")


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_sample_becomes_a_resource_that_the_library_takes(name: str) -> None:
    resource = audit_event(read(SAMPLES[name].octets), number="1", arrived=WHEN)
    assert checked(resource)["resourceType"] == "AuditEvent"


def test_generated_messages_become_resources_too() -> None:
    for message in generated(11, 60, size="usual"):
        assert checked(audit_event(message, number="1", arrived=WHEN))["agent"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_texts_anywhere_still_make_a_resource(odd: str) -> None:
    code = Code(odd, odd, odd, odd)
    message = AuditMessage(
        EventIdentification(code, odd, odd, odd, (code,), odd),
        (ActiveParticipant(odd, True, odd, odd, (code, code), code, odd, odd),),
        AuditSource(odd, odd, (code,)),
        (ParticipantObject(odd, code, odd, odd.encode(), odd, odd, odd, odd, (Detail(odd, odd.encode()),)),),
    )
    assert checked(audit_event(message, number="1", arrived=WHEN))["recorded"].startswith("2026-03-01T12:00:00")


def test_the_mapping_puts_each_value_in_its_place() -> None:
    message = builders.instances_accessed(
        builders.Occasion(when=WHEN, source=audit_source("PACS-1", site="East", types=["4"])),
        action="R",
        person=Party("jdoe", requestor=True, name="Jane Doe", access_point=address("192.0.2.9")),
        process=None,
        patient=patient("P1", "Test^Pat", sensitivity="VIP"),
        studies=[study("1.2.3", name="CT")],
    )
    resource = checked(audit_event(message, number="7", arrived=WHEN))
    assert resource["type"]["system"] == "http://dicom.nema.org/resources/ontology/DCM"
    assert resource["type"]["code"] == "110103"
    assert (resource["action"], resource["outcome"], resource["id"]) == ("R", "0", "7")
    (agent,) = resource["agent"]
    assert agent["who"]["identifier"]["value"] == "jdoe"
    assert (agent["name"], agent["requestor"]) == ("Jane Doe", True)
    assert agent["network"] == {"address": "192.0.2.9", "type": "2"}
    assert resource["source"]["site"] == "East"
    assert resource["source"]["observer"]["identifier"]["value"] == "PACS-1"
    assert resource["source"]["type"][0]["code"] == "4"
    of_study, of_patient = resource["entity"]
    assert of_study["what"]["identifier"]["value"] == "1.2.3"
    assert of_patient["what"]["identifier"]["value"] == "P1"
    assert of_patient["name"] == "Test^Pat"
    assert (of_patient["type"]["code"], of_patient["role"]["code"]) == ("1", "1")
    assert of_patient["securityLabel"] == [{"display": "VIP"}]
    assert "meta" not in resource


def _rest(**changes: Any) -> AuditMessage:
    client = ActiveParticipant(
        "app", False, roles=(Code("110152", "DCM", "Destination"),), access_point="a", access_point_type="1"
    )
    server = ActiveParticipant(
        "srv", False, roles=(Code("110153", "DCM", "Source"),), access_point="b", access_point_type="1"
    )
    values: dict[str, Any] = {
        "action": "R",
        "outcome": "0",
        "participants": (client, server),
        "subtype": "read",
    } | changes
    return AuditMessage(
        EventIdentification(
            Code("rest"), "2026-03-01T12:00:00Z", values["outcome"], values["action"], (Code(values["subtype"]),)
        ),
        values["participants"],
        AuditSource("fhir-server"),
        (
            ParticipantObject("Patient/1", Code("2"), "p", type="1", role="1"),
            ParticipantObject("Observation/1", Code("9"), "o", type="2", role="4"),
        ),
    )


def test_a_pattern_of_balp_is_named_only_where_it_is_followed() -> None:
    def profile(message: AuditMessage) -> list[str]:
        found: list[str] = audit_event(message, number="1", arrived=WHEN).get("meta", {}).get("profile", [])
        return found

    assert profile(_rest()) == ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"]
    assert profile(_rest(action="U")) == []
    assert profile(_rest(outcome="8")) == []
    assert profile(_rest(participants=_rest().participants[:1])) == []
    assert profile(_rest(subtype="create")) == []  # the roles of a create are the other way round


DATES = {
    "2026": ("2026-01-01", "2027-01-01"),
    "2026-12": ("2026-12-01", "2027-01-01"),
    "eq2026-02-28": ("2026-02-28", "2026-03-01"),
    "ge2026-03-01": ("2026-03-01", None),
    "gt2026-03-01": ("2026-03-02", None),
    "lt2026-03-01": (None, "2026-03-01"),
    "le2026-03-01": (None, "2026-03-02"),
    "ge2026-03-01T12:00:00Z": ("2026-03-01T12:00:00", None),
    "le2026-03-01T12:00:00.25Z": (None, "2026-03-01T12:00:00.260000"),
    "ge2026-03-01T12:00:00+02:00": ("2026-03-01T10:00:00", None),
}


@pytest.mark.parametrize("value", list(DATES))
def test_dates_mean_the_time_that_they_span(value: str) -> None:
    query = read_parameters([("date", value)]).query
    wanted = [None if each is None else datetime.fromisoformat(each).replace(tzinfo=UTC) for each in DATES[value]]
    assert [query.since, query.until] == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "yesterday"), ("date", "ge2026-02-30"), ("_summary", "most"), ("_count", "-1"), ("_count", "x"),
        ("_sort", "agent"), ("agent", ""), ("agent", ","), ("nonsense", "1"), ("agent", "x" * 3000), ("agent", "a\0b"),
        ("agent", ",".join("abcdefgh" * 10)), ("date", "le9999"), ("_id", "1"),
        ("type:not", "110114"), ("type.identifier", "1"), ("site:exact", "x"), ("entity-role", ""), ("type", "DCM|"),
        ("_cursor", "1"), ("_cursor", "9" * 30 + ".1"), ("_format", "xml"), ("_count", "1.5"), ("date", "\uff12026"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_understood_is_refused(name: str, value: str) -> None:
    with pytest.raises(SearchError):
        read_parameters([(name, value)])


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("trail")
    write_user(folder / "users", USER, PASSWORD)
    asked = settings(folder, pki, udp_port=None, web_port=0, access=Access(users=folder / "users"))
    with Repository(asked) as repository:
        batch = []
        for minute in range(30):
            at = WHEN + timedelta(minutes=minute)
            message = builders.instances_accessed(
                builders.Occasion(when=at, source=audit_source(f"PACS-{minute % 2}")),
                action="R",
                person=Party(f"user-{minute % 3}", requestor=True),
                process=None,
                patient=patient(f"P{minute % 5}", "Test^Pat"),
                studies=[study(f"1.2.{minute}", name="CT")],
            )
            octets, arrived = syslog(to_xml(message)), microseconds(at)
            batch.append(Received(octets, arrived, "tls", "192.0.2.1", None, examine(octets, arrived, "tls", "")))
        batch.append(Received(b"no audit message", microseconds(WHEN), "udp", "", None, examine(b"x", 0, "udp", "p")))
        repository.store.add(batch)
        yield repository


def _found(repository: Repository, *given: tuple[str, str]) -> tuple[list[str], Any]:
    bundle = searchset(repository.search, [*given, ("source", "PACS-0,PACS-1")], "https://trail/fhir")
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])], bundle


def test_searches_find_what_they_name(running: Repository) -> None:
    assert len(_found(running)[0]) == 30
    assert len(_found(running, ("patient.identifier", "urn:oid:1.2|P1"))[0]) == 6
    assert len(_found(running, ("agent", "user-1,user-2"))[0]) == 20
    assert len(_found(running, ("agent", "user-1"), ("entity", "P1"))[0]) == 2
    assert len(_found(running, ("date", "ge2026-03-01T12:10:00Z"), ("date", "lt2026-03-01T12:20:00Z"))[0]) == 10
    assert len(_found(running, ("type", "http://dicom.nema.org/resources/ontology/DCM|110103"))[0]) == 30
    assert _found(running, ("type", "110114"))[0] == []
    assert len(_found(running, ("entity-name", "test"))[0]) == 30
    assert _found(running, ("entity-name:exact", "test"))[0] == []


SYSTEMS = "http://terminology.hl7.org/CodeSystem"


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("date", "2026-03-01", 30), ("date", "2026-03", 30), ("date", "gt2026-03-01", 0),
        ("address", "192.0.2.1", 0), ("patient.identifier", "P1", 6), ("patient:identifier", "urn:x|P1", 6),
        ("patient", "P1,P2", 12), ("entity-id", "P1", 6), ("entity.identifier", "1.2.7", 1), ("user", "user-1", 10),
        ("agent.identifier", "USER-1", 10), ("agent-name", "user", 0), ("altid", "user-1", 0),
        ("source.identifier", "PACS-0", 15), ("source:identifier", "PACS-0", 15), ("site", "none", 0),
        ("type", "110103", 30), ("type", "http://dicom.nema.org/resources/ontology/DCM|110103", 30),
        ("type", "http://snomed.info/sct|110103", 0), ("type", "|110103", 0), ("subtype", "110103", 0),
        ("action", "R", 30), ("outcome", "0", 30), ("outcome", "4,8", 0), ("outcome", "http://hl7.org/fhir/x|0", 30),
        ("entity-type", "1", 30), ("entity-type", f"{SYSTEMS}/audit-entity-type|2", 30), ("entity-type", "4", 0),
        ("entity-role", f"{SYSTEMS}/object-role|1", 30), ("entity-role", "http://wrong|1", 0), ("entity-role", "9", 0),
        ("agent-role", "110150", 0), ("entity-name", "test^p", 30), ("entity-name:contains", "pat", 30),
        ("_format", "application/fhir+json", 30), ("_format", "json", 30), ("_pretty", "true", 30),
    ],
)  # fmt: skip
def test_every_parameter_of_iti_81_means_what_it_says(running: Repository, name: str, value: str, number: int) -> None:
    from fhir.resources.R4B.bundle import Bundle

    ids, bundle = _found(running, (name, value), ("_count", "100"))
    assert len(ids) == number
    assert bundle.get("total", number) == number
    Bundle.model_validate(bundle)


def test_messages_that_have_to_be_looked_through_follow_page_by_page(running: Repository) -> None:
    from urllib.parse import parse_qsl, urlsplit

    given, ids = [("_count", "4"), ("entity-role", "1"), ("patient", "P1")], []
    while given:
        page, bundle = _found(running, *given)
        assert len(page) <= 4
        ids += page
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        given = [pair for pair in parse_qsl(urlsplit(following[0]).query) if pair[0] != "source"] if following else []
    assert len(ids) == len(set(ids)) == 6


@pytest.mark.parametrize("asked", [("_count", "0"), ("_summary", "count")])
def test_the_number_alone_can_be_asked(running: Repository, asked: tuple[str, str]) -> None:
    ids, bundle = _found(running, asked)
    assert (ids, bundle["total"], [link["relation"] for link in bundle["link"]]) == ([], 30, ["self"])


def test_unknown_parameters_are_left_out_where_that_is_wanted(running: Repository) -> None:
    bundle = searchset(running.search, [("_tag", "x"), ("agent", "user-1")], "https://trail/fhir", lenient=True)
    assert bundle["link"] == [{"relation": "self", "url": "https://trail/fhir/AuditEvent?agent=user-1"}]


def test_escaped_separators_belong_to_the_value() -> None:
    query = read_parameters([("agent", r"a\,b,urn:x|c\|d,e\\")]).query
    assert query.also[1].values == ("a,b", "c|d", "e\\")


def test_pages_follow_each_other_to_the_end(running: Repository) -> None:
    from urllib.parse import parse_qsl, urlsplit

    from fhir.resources.R4B.bundle import Bundle

    given, ids = [("_count", "7"), ("_sort", "date")], []
    while given:
        page, bundle = _found(running, *given)
        Bundle.model_validate(bundle)
        assert bundle["total"] == 30
        ids += page
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        given = [pair for pair in parse_qsl(urlsplit(following[0]).query) if pair[0] != "source"] if following else []
    assert len(ids) == len(set(ids)) == 30


def _ask(repository: Repository, pki: Pki, path: str, password: str = PASSWORD) -> tuple[int, Any]:
    context = ssl.create_default_context(cafile=str(pki.trust_anchors_file()))
    assert repository.addresses.web is not None
    connection = http.client.HTTPSConnection("localhost", repository.addresses.web[1], context=context, timeout=20)
    secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
    connection.request("GET", path, headers={"Authorization": f"Basic {secret}"} if password else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert password == "" or answer.status == 401 or answer.headers["Content-Type"] == "application/fhir+json"
    return answer.status, json.loads(body) if body.startswith(b"{") else body


def test_programs_search_over_the_web_with_a_password_and_are_recorded(running: Repository, pki: Pki) -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    assert _ask(running, pki, "/fhir/AuditEvent", password="")[0] == 401
    assert _ask(running, pki, "/fhir/AuditEvent", password="wrong one, clearly")[0] == 401
    status, bundle = _ask(running, pki, "/fhir/AuditEvent?agent=user-1&date=ge2026-01-01&date=le2026-12-31")
    assert (status, bundle["resourceType"], bundle["total"]) == (200, "Bundle", 10)
    full = bundle["entry"][0]["fullUrl"]
    assert full.startswith("https://localhost:")
    path = full[full.index("/fhir") :]
    assert _ask(running, pki, path)[1]["resourceType"] == "AuditEvent"
    assert _ask(running, pki, "/fhir/AuditEvent/999999")[0] == 404
    assert _ask(running, pki, "/fhir/AuditEvent/99999999999999999999999")[0] == 404
    for path, refused in (
        ("?_format=xml", 406), ("?_cursor=" + "9" * 25 + ".1", 400), ("/" + "9" * 5000, 404), ("/first", 404),
        ("?date=ge2026-01-01&_tag=x", 400), ("/../Patient", 404),
    ):  # fmt: skip
        status, outcome = _ask(running, pki, f"/fhir/AuditEvent{path}")
        assert (status, outcome["resourceType"]) == (refused, "OperationOutcome"), path
    status, outcome = _ask(running, pki, "/fhir/AuditEvent?date=never")
    assert (status, outcome["resourceType"]) == (400, "OperationOutcome")
    CapabilityStatement.model_validate(_ask(running, pki, "/fhir/metadata")[1])
    looks = running.search.page(Query(event="110101", user=USER))
    assert len(looks.rows) >= 4
    assert {row.shall for row in looks.rows} == {0}
