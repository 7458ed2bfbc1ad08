"""The SUT file of audit sources and repositories: events, drivers, ports, readings; a sentence for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalogue import load_catalogue
from harness.claims import check_claims, default_edition, held_by
from harness.errors import UsageProblem
from harness.objects.audit_messages import subjects
from harness.plan import plan_for
from harness.sut import Sut, load_sut, parse_sut
from harness.sut_audit import AWAY_AND_BACK
from reference_impl.audit.events import events

SOURCE = """
schema = 1
[identity]
id = "modality"
[endpoints.trail]
protocol = "syslog-tls"
host = "127.0.0.1"
[endpoints.trail.listen]
driver = "report"
[endpoints.trail.audit]
events = ["application-start", "login-failed"]
drivers = { login-failed = "bad_login" }
away = "bad_login"
[drivers.report]
command = "report {event} {host} {port}"
[drivers.bad_login]
operator = "Log in badly."
[[claims]]
profile = "A.6"
role = "audit-source"
endpoint = "trail"
"""
CAPTURED = """
schema = 1
[identity]
id = "captured"
[endpoints.captured]
protocol = "files"
[endpoints.captured.audit]
folder = "captured"
[[claims]]
profile = "A.7"
role = "audit-source"
endpoint = "captured"
"""
REPOSITORY = """
schema = 1
[identity]
id = "arr"
[endpoints.arr]
protocol = "syslog-udp"
host = "127.0.0.1"
[endpoints.arr.audit]
arrived = "grep"
[readings.grep]
file = "/var/log/audit.log"
[[claims]]
profile = "A.7"
role = "audit-repository"
endpoint = "arr"
"""


def parse(text: str) -> Sut:
    return parse_sut(text, source="x.toml", folder=Path())


def problem(text: str) -> str:
    with pytest.raises(UsageProblem) as raised:
        parse(text)
    return str(raised.value)


def test_a_source_is_recorded_with_what_provokes_its_events() -> None:
    sut = parse(SOURCE)
    assert sut.object_roles("trail") == ("audit-source",)
    assert not sut.has_transport("trail")
    endpoint = sut.record.endpoints[0]
    assert endpoint.listen is not None
    assert endpoint.listen.port == 6514
    assert endpoint.audit is not None
    assert endpoint.objects is None
    assert endpoint.audit.drivers == {"application-start": "report", "login-failed": "bad_login"}
    assert endpoint.audit.driver_kinds == {"application-start": "command", "login-failed": "operator"}


def test_each_event_is_a_step_with_its_driver_and_an_absent_repository_the_last() -> None:
    steps = plan_for(parse(SOURCE), ()).files()
    assert [(step.subject, step.driver) for step in steps] == [
        ("application-start", "report"),
        ("login-failed", "bad_login"),
        (AWAY_AND_BACK, "bad_login"),
    ]
    assert {step.observation for step in steps} == {"audit.messages"}
    chosen = plan_for(parse(SOURCE.replace('away = "bad_login"', 'select = ["login*"]')), ()).files()
    assert [step.subject for step in chosen] == ["login-failed"]


def test_without_events_there_is_one_step_for_what_comes() -> None:
    text = SOURCE.replace('events = ["application-start", "login-failed"]', "")
    text = text.replace('drivers = { login-failed = "bad_login" }', "").replace('away = "bad_login"', "")
    assert [subject.name for subject in subjects(parse(text), "trail")] == [""]
    assert [subject.name for subject in subjects(parse(CAPTURED), "captured")] == [""]


@pytest.mark.parametrize(
    ("text", "port"),
    [
        (SOURCE, 6514),
        (SOURCE.replace("[endpoints.trail.listen]", "[endpoints.trail.listen]\nport = 7514"), 7514),
        (SOURCE.replace("[endpoints.trail.listen]", "[endpoints.trail.listen]\nport = 0"), 0),
        (
            SOURCE.replace("syslog-tls", "syslog-udp").replace('"A.6"', '"A.7"').replace('away = "bad_login"', ""),
            514,
        ),
    ],
)
def test_the_port_is_that_of_the_profile_unless_told(text: str, port: int) -> None:
    listen = parse(text).record.endpoints[0].listen
    assert listen is not None
    assert listen.port == port


def test_a_repository_is_reached_at_the_port_of_its_profile() -> None:
    assert parse(REPOSITORY).record.endpoints[0].port == 514
    over_tls = REPOSITORY.replace("syslog-udp", "syslog-tls").replace('"A.7"', '"A.6"')
    assert parse(over_tls).record.endpoints[0].port == 6514
    server = over_tls + '[[claims]]\nprofile = "A.6"\nendpoint = "arr"\n'
    assert parse(server).has_transport("arr")  # its TLS may be judged at the same port


@pytest.mark.parametrize(
    ("profile", "edition", "text"),
    [
        ("A.5", "2026c", SOURCE),
        ("A.6", "2026c", SOURCE),
        ("IHE-ATX-TLS-Syslog", "ITI-20.0", SOURCE),
        ("A.5", "2026c", CAPTURED),
        ("A.6", "2026c", CAPTURED),
        ("A.7", "2026c", CAPTURED),
        ("IHE-ATX-UDP-Syslog", "ITI-20.0", CAPTURED),
        ("A.7", "2026c", REPOSITORY),
        ("IHE-ATX-UDP-Syslog", "ITI-20.0", REPOSITORY),
    ],
)
def test_profiles_are_held_in_their_last_edition(profile: str, edition: str, text: str) -> None:
    sut = parse(text.replace('profile = "A.6"', f'profile = "{profile}"').replace('"A.7"', f'"{profile}"'))
    assert sut.record.claims[0].edition == default_edition(profile) == edition
    check_claims(sut, held_by(load_catalogue()))


@pytest.mark.parametrize(
    ("text", "before", "after", "told"),
    [
        (SOURCE, '"login-failed"]', '"login-faild"]', "did you mean 'login-failed'"),
        (SOURCE, "{ login-failed = ", "{ logout = ", "audit.drivers names 'logout', which audit.events lacks"),
        (SOURCE, '{ login-failed = "bad_login" }', '{ login-failed = "bad_logn" }', "did you mean 'bad_login'"),
        (SOURCE, 'away = "bad_login"', 'away = "off"', "audit names the driver 'off', which [drivers] lacks"),
        (SOURCE, 'away = "bad_login"', "nothing_lost = true", "audit.nothing_lost is claimed, and nothing is sent"),
        (SOURCE, 'away = "bad_login"', "settle = 0", "trail.audit.settle"),
        (SOURCE, 'away = "bad_login"', 'folder = "x"', "audit.folder is no key of a source that sends to us"),
        (SOURCE, 'away = "bad_login"', 'setle = 1.0', "did you mean 'settle'"),
        (SOURCE, 'driver = "report"', 'driver = "report"\ntrials = ["x"]', "listen.trials is no key where audit"),
        (SOURCE, '"syslog-tls"', '"dicom-tls"', "audit is no key of a dicom-tls endpoint"),
        (SOURCE, 'profile = "A.6"', 'profile = "A.7"', "A.7 is judged at syslog-udp and files endpoints"),
        (SOURCE, 'role = "audit-source"\n', 'role = "audit-repository"\n', "as audit-repository the SUT is connected"),
        (SOURCE, 'profile = "A.6"\nrole = "audit-source"', 'profile = "A.5"', "A.5 is judged by audit messages, not"),
        (SOURCE, "[endpoints.trail.listen]\ndriver", "[endpoints.other]\ncalled_aet", "endpoints.other"),
        (SOURCE, "{event} {host} {port}", "{evnt}", "did you mean 'event'"),
        (SOURCE, "report {event} {host} {port}", "report {input}", "uses {input}, and a SUT that connects"),
        (CAPTURED, 'folder = "captured"', "", "captured messages are looked at, and the endpoint 'captured' says not"),
        (CAPTURED, 'folder = "captured"', 'folder = "x"\naway = "y"', "audit.away is no key where captured messages"),
        (CAPTURED, 'folder = "captured"', 'folder = "x"\nmost = 0', "from 1 to 100000"),
        (CAPTURED, 'role = "audit-source"', 'role = "audit-repository"', "as audit-repository the SUT is sent"),
        (CAPTURED, 'profile = "A.7"\nrole = "audit-source"', 'profile = "A.6"', "A.6 is judged at syslog-tls"),
        (CAPTURED, 'profile = "A.7"', 'profile = "B.12"', "B.12 is judged where there is TLS, and here files passes"),
        (REPOSITORY, 'arrived = "grep"', 'arrived = "grip"', "did you mean 'grep'"),
        (REPOSITORY, 'arrived = "grep"', 'events = ["login"]', "audit.events is a key of sources"),
        (REPOSITORY, 'profile = "A.7"', 'profile = "A.6"', "A.6 is judged at syslog-tls endpoints"),
        (
            REPOSITORY,
            'profile = "A.7"\nrole = "audit-repository"',
            'profile = "A.3"\nrole = "instance-storer"',
            "A.3 is judged by objects, and a syslog-udp endpoint takes none",
        ),
        (REPOSITORY, 'profile = "A.7"', 'profile = "B.13"', "and here syslog over UDP passes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_sentence(text: str, before: str, after: str, told: str) -> None:
    assert before in text
    message = problem(text.replace(before, after))
    assert told in message
    assert message.startswith("x.toml: ")
    assert len(message.splitlines()) == 1


def test_over_udp_nobody_can_notice_an_absent_repository() -> None:
    text = SOURCE.replace("syslog-tls", "syslog-udp").replace('"A.6"', '"A.7"')
    assert "audit.away is no key over UDP" in problem(text)


def test_a_source_has_an_endpoint_of_its_own() -> None:
    trials = '[[claims]]\nprofile = "A.6"\nrole = "tls-client"\nendpoint = "trail"\n'
    assert "is claimed as tls-client, too; name an endpoint of its own" in problem(SOURCE + trials)


def test_no_file_may_be_embedded(tmp_path: Path) -> None:
    path = tmp_path / "sut.toml"
    for text in (
        SOURCE.replace('driver = "report"', 'driver = "embedded"'),
        SOURCE.replace('away = "bad_login"', 'away = "embedded"'),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageProblem, match="'embedded' is for a SUT within"):
            load_sut(path)


def test_every_event_names_a_message_of_its_section_that_there_is() -> None:
    assert {each.section for each in events().values()} == {f"A.5.3.{number}" for number in range(1, 16)}
    for name, event in events().items():
        assert name == event.name
        assert event.instruction.endswith(".")
        assert event.is_reported_by(event.event, event.types, "E", "4" if event.outcome == "failure" else "0")
        assert not event.is_reported_by("0", event.types, "E", "0")
    failed = events()["login-failed"]
    assert not failed.is_reported_by(failed.event, failed.types, "E", "0")
    assert not failed.is_reported_by(failed.event, ("110123",), "E", "8")
