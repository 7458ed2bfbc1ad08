"""Whatever builders are given, they refuse it or make a message that the validator has nothing against."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_impl.audit import builders as build
from reference_impl.audit import parts
from reference_impl.audit.codes import dcm, groups
from reference_impl.audit.model import AuditMessage, AuditSource, Code
from reference_impl.audit.occasions import Occasion
from reference_impl.audit.validator import validate
from reference_impl.audit.writing import to_xml

LISTED = sorted({code for group in groups().values() for code in group.codes})
GOOD = ["name@domain", "10.0.0.1", "http://a/b", "urn:x:y", "A", "é\u4e00", "AETITLES= A;B", "a b"]
ODD = ["", " ", "\t", "AETITLES=", "AETITLES= A;;B", "AE TITLE: A;B", "A;B", "\x00", "\ud800", "\ufffe", "12", "\u00a0"]
TEXTS = st.sampled_from(GOOD) | st.sampled_from([*GOOD, *ODD]) | st.text(max_size=6)
UIDS = st.sampled_from(
    ["1.2.3", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.5", "2.25.0"] * 3 + ["1.02"]
)
TITLES = st.sampled_from(["A", "LONG_AE_TITLE_16", "two words", "Ä", "A;B", " ", "A\n", "=", "A\\B", "x" * 17])
Some = st.SearchStrategy[Any]
FLAGS = st.sampled_from([False, False, True])


def made(make: Callable[..., Any], *args: Some, **kwargs: Some) -> Some:
    """What a builder makes of arguments that it does not refuse."""

    def tried(*given_: Any, **named: Any) -> Any:
        try:
            return make(*given_, **named)
        except ValueError:
            return None

    return st.builds(tried, *args, **kwargs).filter(lambda one: one is not None)


def few(strategy: Some) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=2)


CODES = st.sampled_from([dcm(each) for each in LISTED]) | st.builds(
    Code,
    st.sampled_from([*LISTED, "990001", "no code", "NULL", "2", " 110126 "]),
    st.sampled_from(["DCM", "dcm", "99X", "1.2.840.10008.2.16.4", "RFC-3881", " DCM "]),
    st.sampled_from(["as meant", "Study Instance UID", "Node ID", " ", ""]),
    st.sampled_from(["", "shown", " "]),
)
POINTS = made(parts.AccessPoint, TEXTS, st.sampled_from("12345"))


def parties(requestor: st.SearchStrategy[bool]) -> Some:
    return made(
        parts.Party,
        TEXTS,
        requestor=requestor,
        name=TEXTS,
        alternative_id=st.just("") | TEXTS,
        ae_titles=st.just([]) | few(TITLES),
        access_point=st.none() | POINTS,
        roles=st.just([]) | few(CODES | MEDIA_ROLES),
        media_type=st.none() | st.none() | CODES,
    )


MEDIA_ROLES = st.sampled_from([dcm("110154"), dcm("110155"), dcm("110152"), dcm("110153")])
PARTIES, ASKING, OTHERS = parties(FLAGS), parties(st.just(True)), parties(st.just(False))
MEDIA = made(
    parts.Medium,
    st.sampled_from(["physical", "digital", "network", "application"]),
    TEXTS,
    st.none() | CODES,
    st.none() | POINTS,
    TEXTS,
    TEXTS,
)
PATIENTS = made(parts.patient, TEXTS, TEXTS, sensitivity=TEXTS, life_cycle=st.sampled_from(["", "1", "15", "16"]))
SAFE = st.sampled_from(GOOD)
CLASSES = made(parts.instances, UIDS, st.integers(-1, 5), few(UIDS))
STUDIES = made(parts.study, UIDS, name=TEXTS, query=st.sampled_from([None, None, b"", b"query"])) | made(
    parts.study,
    UIDS,
    name=SAFE,
    sop_classes=st.lists(CLASSES, min_size=1, max_size=2),
    accessions=few(SAFE),
    mpps=few(UIDS),
    encrypted=st.none() | FLAGS,
    anonymized=st.none() | FLAGS,
    contains_sop_classes=few(UIDS),
)
QUERIES = made(parts.dicom_query, UIDS, st.binary(max_size=3), UIDS) | made(
    parts.other_query, TEXTS, CODES, st.binary(max_size=3)
)
SUBJECTS = made(
    parts.alert_subject,
    TEXTS,
    kind=st.sampled_from(["uri", "node"]) | CODES,
    name=TEXTS,
    description=TEXTS,
    role=st.sampled_from(["", "5", "13"]),
)
TYPES_OF_SOURCE = CODES | st.sampled_from([Code("1"), Code("9"), Code("x"), Code("")])
SOURCES = st.builds(AuditSource, TEXTS, TEXTS, few(TYPES_OF_SOURCE).map(tuple))
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-23, seconds=7))])
TIMES = st.datetimes(min_value=datetime(1, 1, 1), timezones=ZONES)
OCCASIONS = made(Occasion, when=TIMES, source=SOURCES, outcome=st.sampled_from("048"), description=TEXTS)
PERSON = {"person": st.none() | PARTIES, "process": st.none() | PARTIES}
ACTIONS = st.sampled_from("CRUDE")
TYPES: Some = st.just([]) | few(CODES)
ENDS = {"sender": PARTIES, "receiver": PARTIES, "others": few(PARTIES)}
ONE = {"patient": PATIENTS, "studies": few(STUDIES), "types": TYPES}
MANY = {"patients": st.lists(PATIENTS, min_size=1, max_size=2), "studies": few(STUDIES), "types": TYPES, "media": MEDIA}
MESSAGES: dict[str, st.SearchStrategy[AuditMessage]] = {
    "A.5.3.1": made(
        build.application_activity,
        OCCASIONS,
        activity=st.sampled_from(["start", "stop"]),
        application=PARTIES,
        launchers=few(PARTIES),
    ),
    "A.5.3.2": made(build.audit_log_used, OCCASIONS, **PERSON, log=TEXTS, types=TYPES),
    "A.5.3.3": made(build.begin_transferring, OCCASIONS, **ENDS, **ONE),
    "A.5.3.4": made(build.data_export, OCCASIONS, person=ASKING, process=OTHERS, **MANY, receivers=few(OTHERS))
    | made(
        build.data_export,
        OCCASIONS,
        person=OTHERS,
        process=st.none(),
        **MANY,
        receivers=st.lists(ASKING, min_size=1, max_size=1),
    ),
    "A.5.3.5": made(
        build.data_import, OCCASIONS, **MANY, importers=st.lists(ASKING, min_size=1, max_size=1), sources=few(OTHERS)
    )
    | made(
        build.data_import,
        OCCASIONS,
        **MANY,
        importers=st.lists(OTHERS, min_size=1, max_size=2),
        sources=st.lists(ASKING, min_size=1, max_size=1),
    ),
    "A.5.3.6": made(build.instances_accessed, OCCASIONS, action=ACTIONS, **PERSON, **ONE),
    "A.5.3.7": made(build.instances_transferred, OCCASIONS, action=ACTIONS, **ENDS, **ONE),
    "A.5.3.8": made(build.study_deleted, OCCASIONS, **PERSON, **ONE),
    "A.5.3.9": made(build.network_entry, OCCASIONS, entry=st.sampled_from(["attach", "detach"]), node=PARTIES),
    "A.5.3.10": made(
        build.query, OCCASIONS, issuer=PARTIES, responder=PARTIES, queried=QUERIES, others=few(PARTIES), types=TYPES
    ),
    "A.5.3.11": made(
        build.security_alert,
        OCCASIONS,
        alert=st.sampled_from(sorted(groups()[403].codes)) | CODES,
        **PERSON,
        performers=few(PARTIES),
        subjects=few(SUBJECTS),
    ),
    "A.5.3.12": made(
        build.user_authentication,
        OCCASIONS,
        attempt=st.sampled_from(["login", "logout"]),
        person=PARTIES,
        node=st.none() | PARTIES,
    ),
    "A.5.3.13": made(build.order_record, OCCASIONS, action=ACTIONS, **PERSON, patient=PATIENTS, types=TYPES),
    "A.5.3.14": made(build.patient_record, OCCASIONS, action=ACTIONS, **PERSON, patient=PATIENTS, types=TYPES),
    "A.5.3.15": made(build.procedure_record, OCCASIONS, action=ACTIONS, **PERSON, **ONE),
}


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_builders_make_breaks_no_shall(data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(sorted(MESSAGES)))
    octets = to_xml(data.draw(MESSAGES[section]))
    result = validate(octets)
    assert (result.schema_valid, result.section) == (True, section)
    assert [each for each in result.findings if each.level == "shall"] == []
