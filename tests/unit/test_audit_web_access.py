"""Who may look at the audit trail: passwords, sessions, the brake on guessing, and the fields of a filter."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import cli
from reference_impl.audit.repository.web.access import Access, network_of
from reference_impl.audit.repository.web.entrance import onward
from reference_impl.audit.repository.web.exports import guarded
from reference_impl.audit.repository.web.filters import bounds, read_day, read_filter
from reference_impl.audit.repository.web.sessions import Limits, Session, Sessions
from reference_impl.audit.repository.web.throttle import Allowance, Throttle
from reference_impl.audit.repository.web.users import Users, UsersFileError, names_in, write_user
from reference_impl.audit.repository.web.zones import zone_of

PASSWORD = "correct horse battery"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_user_gets_in_with_the_password_alone(tmp_path: Path) -> None:
    path = tmp_path / "users"
    assert not write_user(path, "anna", PASSWORD)
    users = Users(path)
    assert users.admits("anna", PASSWORD)
    for name, password in (("anna", PASSWORD + "x"), ("anna", ""), ("bert", PASSWORD), ("", ""), ("anna", "y" * 9999)):
        assert not users.admits(name, password)


def test_no_password_stands_in_the_file_and_others_cannot_read_it(tmp_path: Path) -> None:
    path = tmp_path / "users"
    write_user(path, "anna", PASSWORD)
    assert PASSWORD not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_text()
    assert write_user(path, "anna", PASSWORD)
    assert path.read_text() != first  # another salt


def test_somebody_who_is_removed_is_out_at_once(tmp_path: Path) -> None:
    path = tmp_path / "users"
    write_user(path, "anna", PASSWORD)
    write_user(path, "bert", PASSWORD)
    users = Users(path)
    stamp = users.stamp("anna")
    assert write_user(path, "anna", None)
    assert not users.admits("anna", PASSWORD)
    assert users.admits("bert", PASSWORD)
    assert stamp
    assert users.stamp("anna") == ""


def test_a_file_that_vanishes_or_breaks_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "users"
    write_user(path, "anna", PASSWORD)
    users = Users(path)
    path.write_text("nonsense\n")
    assert not users.admits("anna", PASSWORD)
    path.unlink()
    assert not users.admits("anna", PASSWORD)


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "users"
    write_user(path, "anna", PASSWORD)
    path.chmod(mode)
    with pytest.raises(UsersFileError, match="chmod 600"):
        Users(path)


@pytest.mark.parametrize(
    "line",
    [
        "anna",
        "anna:secret",
        "anna:$scrypt$ln=1,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 44,
        "anna:$scrypt$ln=40,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 44,
        "a b:$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 44,
    ],
)
def test_a_line_that_is_no_user_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "users"
    path.write_text(f"# users\n\n{line}\n")
    path.chmod(0o600)
    with pytest.raises(UsersFileError, match="line 3"):
        Users(path)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "anna-anna-anna", "x" * 257])
def test_a_weak_password_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(ValueError, match="password"):
        write_user(tmp_path / "users", "anna", password)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "-a", "x" * 65, "<b>"])
def test_a_name_that_could_be_mistaken_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        write_user(tmp_path / "users", name, PASSWORD)


def test_the_command_keeps_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "users"
    for said in ("was added", "has a new password"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        assert cli.run(["audit", "user", "add", "anna", "--users", str(path), "--password-stdin"]) == 0
        assert said in capsys.readouterr().out
    assert cli.run(["audit", "user", "list", "--users", str(path)]) == 0
    assert capsys.readouterr().out == "anna\n"
    assert cli.run(["audit", "user", "remove", "bert", "--users", str(path)]) == 2
    assert cli.run(["audit", "user", "remove", "anna", "--users", str(path)]) == 0
    assert names_in(path) == ()
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert cli.run(["audit", "user", "add", "anna", "--users", str(path), "--password-stdin"]) == 2
    assert cli.run(["audit", "user", "praise", "anna", "--users", str(path)]) == 2
    assert cli.run(["audit", "user", "add", "--users", str(path)]) == 2


def test_nobody_is_let_in_without_a_name() -> None:
    with pytest.raises(ValueError, match="nobody"):
        Access()


def test_guessing_is_braked_per_user_and_address() -> None:
    clock = Clock()
    throttle = Throttle(Allowance(pair=3, address=5, user=100, window=60), clock)
    assert [throttle.begin("anna", "192.0.2.1") for _ in range(3)] == [0, 0, 0]
    assert throttle.begin("anna", "192.0.2.1") == pytest.approx(60)
    assert throttle.begin("anna", "192.0.2.2") == 0  # she may come from elsewhere
    assert [throttle.begin("bert", "192.0.2.1") for _ in range(2)] == [0, 0]
    assert throttle.begin("carl", "192.0.2.1") > 0  # the address has failed often enough
    clock.now += 61
    assert throttle.begin("anna", "192.0.2.1") == 0


def test_a_password_that_fits_forgets_the_failures() -> None:
    throttle = Throttle(Allowance(pair=3, address=3, user=3), Clock())
    for _ in range(20):
        assert throttle.begin("anna", "192.0.2.1") == 0
        throttle.succeeded("anna", "192.0.2.1")


def test_the_brake_forgets_the_oldest_and_not_the_last() -> None:
    throttle = Throttle(Allowance(pair=1, address=10**9, user=10**9), Clock())
    throttle.begin("first", "192.0.2.1")
    for number in range(21_000):
        throttle.begin(f"u{number}", "192.0.2.1")
    assert throttle.begin("first", "192.0.2.1") == 0
    assert throttle.begin("u20999", "192.0.2.1") > 0


def test_a_session_ends_idle_and_at_the_latest_after_its_time() -> None:
    clock, ended = Clock(), []
    sessions = Sessions(Limits(idle=10, absolute=25), lambda session, how: ended.append((session.user, how)), clock)
    cookie, _ = sessions.begin("anna", "password", "192.0.2.1", "x")
    for _ in range(3):
        clock.now += 8
        assert (sessions.find(cookie) is None) == (clock.now >= 1025)
    clock.now += 2
    assert sessions.find(cookie) is None
    idle, _ = sessions.begin("bert", "password", "192.0.2.1", "x")
    clock.now += 6
    assert sessions.find(idle, touch=False) is not None
    clock.now += 6
    assert sessions.find(idle) is None
    left, _ = sessions.begin("carl", "password", "192.0.2.1", "x")
    sessions.end(left)
    assert sessions.find(left) is None
    assert ended == [("anna", "expired"), ("bert", "idle"), ("carl", "left")]


def test_sessions_are_bounded_for_each_user_and_in_all() -> None:
    sessions = Sessions(Limits(most=4, each=2), clock=Clock())
    cookies = [sessions.begin("anna", "password", "192.0.2.1", "x")[0] for _ in range(3)]
    assert sessions.find(cookies[0]) is None
    assert sessions.find(cookies[2]) is not None
    for number in range(9):
        sessions.begin(f"user {number}", "password", "192.0.2.1", "x")
    assert len(sessions) == 4


def test_the_token_of_forms_is_compared_whole() -> None:
    session = Session("anna", "password", "192.0.2.1", "x", 0, 0)
    assert session.checks(session.check)
    for wrong in ("", session.check[:-1], session.check + "a", "\udcff", "é"):
        assert not session.checks(wrong)


@pytest.mark.parametrize(
    ("given_address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_address_counts_as_one_place(given_address: str, place: str) -> None:
    assert network_of(given_address) == place


@pytest.mark.parametrize(
    "target",
    [
        "",
        "x",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a\r\nSet-Cookie: x",
        "/log-out",
        "/\tx",
        "/é",
    ],
)
def test_a_log_in_leads_nowhere_else(target: str) -> None:
    assert onward(target) == "/"


def test_a_log_in_leads_on_to_where_one_was_going() -> None:
    assert onward("/message/7") == "/message/7"
    assert onward("/?node=CT%201&outcome=failure") == "/?node=CT%201&outcome=failure"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "|x", "%x", "\r=1", "\u00a0=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Doe;=HYPERLINK(1)", "a;b; +1", "x\t@y", "a;\uff1d1"])
def test_no_part_of_a_cell_is_a_formula_where_semicolons_separate(text: str) -> None:
    parts = re.split("[;\t]", guarded(text))
    assert not any(part.strip().startswith(("=", "+", "-", "@", "\uff1d")) for part in parts)


def test_other_cells_stay_as_they_are() -> None:
    assert guarded("CT-1") == "CT-1"


def test_a_filter_says_what_it_means() -> None:
    asked = read_filter(
        {"since": "2026-03-01T08:00", "node": " CT-1 ", "outcome": "failure", "findings": "1", "text": ""},
        zone_of("Europe/Berlin"),
    )
    assert asked.query.since == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert asked.query.node == "CT-1"
    assert asked.query.only_findings
    assert [condition.values for condition in asked.query.also] == [("4", "8", "12")]
    assert asked.address("/x", node="") == "/x?since=2026-03-01T08%3A00&outcome=failure&findings=1"


@given(st.dictionaries(st.sampled_from(["since", "until", "patient", "node", "event", "outcome", "text"]), st.text()))
def test_no_filter_makes_it_stumble(asked: dict[str, str]) -> None:
    found = read_filter(asked, UTC)
    assert set(found.given) <= set(asked)
    assert found.address().startswith("/")
    assert len(found.chosen) == len(found.given)


def test_a_day_is_one_of_the_zone_also_when_clocks_change() -> None:
    since, until = bounds(read_day("2026-03-29", UTC), zone_of("Europe/Berlin"))
    assert (until - since).total_seconds() == 23 * 3600
    assert read_day("yesterday", UTC) == datetime.now(UTC).date()
    assert read_day("9999-12-31", UTC) == datetime.now(UTC).date()


def test_a_zone_that_is_none_is_refused() -> None:
    for name in ("Mars/Olympus", "../../etc/passwd", "/etc/passwd", "\0"):
        with pytest.raises(ValueError, match="no time zone"):
            zone_of(name)
    assert zone_of() is not None
