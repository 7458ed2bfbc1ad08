"""The page of the audit trail, asked over TLS: who gets in, what is refused, and what is recorded."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from fixtures.pki import Pki
from reference_impl.audit.parsing import read
from reference_impl.audit.repository.web.access import Access
from reference_impl.audit.repository.web.sessions import COOKIE
from reference_impl.audit.repository.web.throttle import Allowance
from reference_impl.audit.repository.web.users import write_user
from reference_impl.audit.syslog.messages import parse
from reference_impl.audit.validator import validate
from tests.unit.audit_web_bench import PASSWORD, SECONDS, USER, Bench, Visitor, running
from tests.unit.audit_web_material import afternoon

PATHS: tuple[str, ...] = (
    "/",
    "/message/1",
    "/message/1/octets",
    "/patient?id=x",
    "/user?id=x",
    "/nodes",
    "/node?id=PS315-ARR",
)
PATHS += (
    "/alerts",
    "/connections",
    "/export?format=csv",
    "/export?format=jsonl",
    "/live?from=0",
    "/fhir/AuditEvent",
    "/fhir/AuditEvent/1",
    "/nowhere",
)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("trail"), pki) as started:
        started.add(list(afternoon(datetime.now(UTC), 60)))
        yield started


@pytest.fixture(scope="module")
def officer(bench: Bench) -> Visitor:
    return bench.officer()


@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_the_trail_is_had_without_a_name(bench: Bench, path: str) -> None:
    answer = bench.visitor().get(path)
    assert answer.status in {303, 401}
    assert b"CT-1" not in answer.body
    if answer.status == 303:
        assert answer.headers["location"].startswith("/log-in?next=") or answer.headers["location"] == "/log-in"


@pytest.mark.parametrize(
    "path", ["/log-in", "/log-in/x", "/", "/static/style.css", "/nowhere", "/live", "/static/../app.py"]
)
def test_every_answer_has_the_headers_that_protect(bench: Bench, path: str) -> None:
    headers = bench.visitor().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "strict-transport-security" not in headers  # of localhost it would hold for every program there
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_host_with_a_name_is_reached_over_tls_only(tmp_path: Path, pki: Pki) -> None:
    write_user(tmp_path / "users", USER, PASSWORD)
    with running(tmp_path, pki, Access(users=tmp_path / "users", hosts=("trail.ps315.test",))) as bench:
        headers = bench.visitor().get("/log-in", Host="trail.ps315.test").headers
        assert headers["strict-transport-security"].startswith("max-age=")
        assert bench.visitor().get("/log-in").status == 421


def test_the_cookie_of_a_session_is_for_this_host_over_tls_alone(bench: Bench) -> None:
    visitor = bench.visitor()
    answer = visitor.log_in()
    assert answer.status == 303
    (cookie,) = [
        morsel
        for header in answer.headers.get_all("set-cookie", [])
        for name, morsel in SimpleCookie(header).items()
        if name == COOKIE
    ]
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"].lower() == "strict"
    assert visitor.get("/").status == 200


def test_a_wrong_password_is_refused_and_recorded(bench: Bench) -> None:
    visitor = bench.visitor()
    answer = visitor.log_in("intruder", "not the password")
    assert answer.status == 403
    assert "do not fit" in answer.text
    assert COOKIE not in visitor.cookies
    assert ("User Authentication", ("Login",), "4", "intruder") in bench.events()


def test_logging_out_ends_the_session_on_the_server(bench: Bench) -> None:
    visitor = bench.officer()
    kept = dict(visitor.cookies)
    check = visitor.get("/").check
    assert visitor.ask("POST", "/log-out", {"check": check}).status == 303
    visitor.cookies = kept
    assert visitor.get("/").status == 303
    assert ("User Authentication", ("Logout",), "0", USER) in bench.events()


def test_every_look_is_recorded_and_what_is_recorded_conforms(bench: Bench) -> None:
    visitor = bench.officer()
    visitor.get("/patient?id=P-100231")
    own = [parse(octets).body for octets in bench.own()]
    looks = [body for body in own if b"Audit Log Used" in body]
    assert any(b'UserID="officer"' in body or b"officer" in body for body in looks)
    asked = [detail.value for body in looks for item in read(body).objects for detail in item.details]
    assert b"GET /patient?id=P-100231" in asked
    for body in own:
        assert [finding for finding in validate(body).findings if finding.level in {"shall", "should"}] == []


@pytest.mark.parametrize(
    ("path", "form", "headers"),
    [
        ("/log-out", {}, {}),
        ("/log-out", {"check": "x" * 32}, {}),
        ("/alerts/1", {"note": "x"}, {}),
        ("/log-out", None, {"Origin": "https://evil.example"}),
        ("/log-out", None, {"Origin": "null"}),
        ("/log-out", None, {"Sec-Fetch-Site": "cross-site"}),
        ("/log-out", None, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_a_form_that_is_not_from_the_page_changes_nothing(
    officer: Visitor, path: str, form: dict[str, str] | None, headers: dict[str, str]
) -> None:
    sent = {"check": officer.get("/").check} if form is None else form
    assert officer.ask("POST", path, sent, headers).status == 403
    assert officer.get("/").status == 200


def test_the_form_of_the_log_in_is_tied_to_the_browser_that_asked_for_it(bench: Bench) -> None:
    asked, other = bench.visitor(), bench.visitor()
    check = asked.get("/log-in").check
    form = {"name": USER, "password": PASSWORD, "check": check}
    assert other.ask("POST", "/log-in", form).status == 403
    assert other.ask("POST", "/log-in", form | {"check": ""}).status == 403
    assert asked.ask("POST", "/log-in", form).status == 303


def test_the_token_of_one_session_does_not_fit_another(bench: Bench) -> None:
    one, other = bench.officer(), bench.officer()
    assert other.ask("POST", "/log-out", {"check": one.get("/").check}).status == 403


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_only_forms_are_taken(bench: Bench, officer: Visitor, kind: str) -> None:
    body = f"check={officer.get('/').check}".encode()
    assert officer.ask("POST", "/log-out", headers={"Content-Type": kind}, body=body).status == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_refused(officer: Visitor, method: str) -> None:
    assert officer.ask(method, "/").status == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost@evil.example", "", "localhost/x", "[::1", "evil.example:443"]
)
def test_a_request_for_another_host_is_refused(officer: Visitor, host: str) -> None:
    assert officer.get("/", Host=host).status == 421


def test_a_form_that_is_too_long_is_refused(officer: Visitor) -> None:
    form = {"check": officer.get("/").check, "note": "x" * 20_000}
    assert officer.ask("POST", "/alerts/1", form).status == 413


def test_an_address_that_is_too_long_is_refused(officer: Visitor) -> None:
    assert officer.get(f"/?text={'x' * 9_000}").status == 414


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/store.py",
        "/static//etc/passwd",
        "/static/..%5capp.py",
        "/static/%00",
        "/message/-1",
        "/message/x",
        "/message/99999999999999999999",
        f"/message/{'9' * 5000}",
        "/message/0",
        "/%00",
    ],
)
def test_nothing_else_is_had(officer: Visitor, path: str) -> None:
    answer = officer.get(path)
    assert answer.status in {400, 404}
    assert b"def " not in answer.body
    assert b"Traceback" not in answer.body


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def test_programs_search_with_a_password_of_their_own(bench: Bench) -> None:
    visitor = bench.visitor()
    answer = visitor.get("/fhir/AuditEvent?date=ge2020-01-01&source=CT-1", **basic(USER, PASSWORD))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/fhir+json"
    bundle = json.loads(answer.body)
    assert bundle["entry"]
    assert visitor.cookies == {}
    assert any(b"/fhir/AuditEvent?date=ge2020-01-01" in looked for looked in bench.looks())
    url = bundle["entry"][0]["fullUrl"].removeprefix(bench.url)
    assert json.loads(visitor.get(url, **basic(USER, PASSWORD)).body)["resourceType"] == "AuditEvent"
    following = next(link["url"] for link in bundle["link"] if link["relation"] == "self").removeprefix(bench.url)
    assert visitor.get(following, **basic(USER, PASSWORD)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(USER, "wrong"),
        basic("nobody", PASSWORD),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": f"Bearer {'x' * 100}"},
    ],
)
def test_programs_without_a_good_password_learn_nothing(bench: Bench, headers: dict[str, str]) -> None:
    for path in ("/fhir/AuditEvent", "/fhir/metadata", "/fhir/"):
        answer = bench.visitor().get(path, **headers)
        assert answer.status in {401, 429}
        assert b"AuditEvent" not in answer.body


def test_a_password_in_a_header_opens_no_page_for_people(bench: Bench) -> None:
    for path in ("/", "/export", "/fhirx", "/alerts"):
        assert bench.visitor().get(path, **basic(USER, PASSWORD)).status == 303


def test_guessing_in_the_header_is_braked_too(tmp_path: Path, pki: Pki) -> None:
    write_user(tmp_path / "users", USER, PASSWORD)
    access = Access(users=tmp_path / "users", zone="UTC", allowance=Allowance(pair=2, address=50, user=50))
    with running(tmp_path, pki, access) as bench:
        answers = [bench.visitor().get("/fhir/AuditEvent", **basic(USER, "wrong")).status for _ in range(3)]
        assert answers == [401, 401, 429]
        assert bench.visitor().log_in().status == 429


def test_programs_with_a_certificate_need_no_password(certified: Bench) -> None:
    assert certified.visitor("client").get("/fhir/AuditEvent").status == 200


def test_a_password_that_is_changed_ends_the_sessions_of_the_old_one(tmp_path: Path, pki: Pki) -> None:
    with running(tmp_path, pki) as bench:
        visitor = bench.officer()
        assert visitor.get("/").status == 200
        write_user(tmp_path / "users", USER, "another long password")
        assert visitor.get("/").status == 303
        assert visitor.log_in(password="another long password").status == 303
        write_user(tmp_path / "users", USER, None)
        assert visitor.get("/").status == 303


def test_guessing_is_stopped_and_told(tmp_path: Path, pki: Pki) -> None:
    write_user(tmp_path / "users", USER, PASSWORD)
    access = Access(users=tmp_path / "users", zone="UTC", allowance=Allowance(pair=2, address=50, user=50))
    with running(tmp_path, pki, access) as bench:
        visitor = bench.visitor()
        assert [visitor.log_in(password="wrong").status for _ in range(3)] == [403, 403, 429]
        answer = visitor.log_in()  # even the right one is not looked at
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) > 60
        assert COOKIE not in visitor.cookies
        assert ("User Authentication", ("Login",), "8", USER) in bench.events()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Bench]:
    with running(
        tmp_path_factory.mktemp("certified"), pki, Access(client_ca=pki.trust_anchors_file("ca"), zone="UTC")
    ) as bench:
        yield bench


def test_a_certificate_of_the_authority_lets_in(certified: Bench) -> None:
    visitor = certified.visitor("client")
    answer = visitor.get("/nodes")
    assert answer.status == 200
    assert "by certificate" in answer.text
    visitor.get("/")
    names = [each for each in certified.events() if each[0] == "User Authentication"]
    assert len(names) == 1  # one log-in, however many connections


@pytest.mark.parametrize("case", ["", "client_unknown_ca", "client_expired"])
def test_without_a_good_certificate_there_is_no_connection(certified: Bench, case: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        certified.visitor(case).get("/")


def test_forms_of_who_has_a_certificate_need_the_token_too(certified: Bench) -> None:
    visitor = certified.visitor("client")
    assert visitor.ask("POST", "/alerts/1", {"note": "x"}).status == 403
    check = visitor.get("/alerts").text
    assert "name=" in check or "alerts" in check


def test_only_certificates_that_are_named_let_in(tmp_path: Path, pki: Pki) -> None:
    write_user(tmp_path / "users", USER, PASSWORD)
    anchors = pki.trust_anchors_file("ca")
    named = Access(users=tmp_path / "users", client_ca=anchors, certificate_names=frozenset({"Somebody"}), zone="UTC")
    with running(tmp_path, pki, named) as bench:
        assert bench.visitor("client").get("/").status == 303
        assert bench.officer().get("/").status == 200


def test_octets_that_are_no_request_leave_the_others_alone(bench: Bench, officer: Visitor) -> None:
    for octets in (
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ):
        with (
            socket.create_connection(("localhost", bench.port), SECONDS) as plain,
            officer.context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.settimeout(SECONDS)
            try:
                connection.sendall(octets)
                answer = connection.recv(1000)
            except (ConnectionError, ssl.SSLError):
                answer = b""
            assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 421"))
    assert officer.get("/").status == 200


def test_plain_text_is_not_answered(bench: Bench) -> None:
    with socket.create_connection(("localhost", bench.port), SECONDS) as plain:
        plain.settimeout(SECONDS)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP/1.1 200" not in plain.recv(1000)


def test_one_address_cannot_take_every_connection(bench: Bench, officer: Visitor) -> None:
    with contextlib.ExitStack() as stack:
        refused = 0
        for _ in range(80):
            plain = stack.enter_context(socket.create_connection(("localhost", bench.port), SECONDS))
            plain.settimeout(SECONDS)
            try:
                held = stack.enter_context(officer.context.wrap_socket(plain, server_hostname="localhost"))
                held.sendall(b"GET /log-in HTTP/1.1\r\nHost: localhost\r\n")
            except (ConnectionError, ssl.SSLError):
                refused += 1
        held.settimeout(SECONDS)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert held.recv(1) == b""  # the last was closed again
    assert officer.get("/").status == 200
