"""Judgements of who an audit source says that it is: one identity, one host name, one network access point a node."""

from __future__ import annotations

import re

from tests.unit.audit_source_judging import FILES, body, broken, came, in_files, syslog, verdicts

LOGIN = body("login")


def test_identity_is_kept() -> None:
    two = [
        came(syslog(LOGIN, hostname="a.example.org")),
        came(syslog(body("logout"), hostname="b.example.org"), event="logout"),
    ]
    assert broken(verdicts(two, "A.6"))["RFC5424-6.2.4-source-same-hostname"] == "warning"
    start = body("application-start")
    mark = b'AuditSourceID="'
    at = start.index(mark) + len(mark)
    other = start[:at] + b"x" + start[at:]
    changed = [came(syslog(start), event="application-start"), came(syslog(other), event="application-stop")]
    assert broken(verdicts(changed, "A.6"))["A.5.2-same-audit-source"] == "warning"


def test_a_node_has_one_network_access_point() -> None:
    rule = "A.5.2.4-constant-network-access-point"
    start = body("application-start")
    mark = b'NetworkAccessPointID="'
    if mark not in start:
        start = start.replace(b"<RoleIDCode", b"<RoleIDCode", 1)
    assert mark in start
    at = start.index(mark) + len(mark)
    end = start.index(b'"', at)
    other = start[:at] + b"192.0.2.77" + start[end:]
    again = came(syslog(other), event="application-stop")
    found = verdicts([came(syslog(start), event="application-start"), again], "A.6")
    assert str(found[rule].kind) == "fail"
    assert "192.0.2.77" in str(found[rule].observed)


def test_nodes_whose_messages_lie_in_one_folder_are_told_apart() -> None:
    rule = "A.5.2.4-constant-network-access-point"
    start = body("application-start")
    mark, at = b'NetworkAccessPointID="', b'AuditSourceID="'
    place = start.index(mark) + len(mark)
    moved = start[:place] + b"192.0.2.77" + start[start.index(b'"', place) :]
    assert str(verdicts([in_files(start, moved)], "A.5", FILES)[rule].kind) == "fail"
    other = moved.replace(at, at + b"second-")
    assert str(verdicts([in_files(start, other)], "A.5", FILES)[rule].kind) == "pass"
    mailed = moved.replace(b'NetworkAccessPointTypeCode="1"', b'NetworkAccessPointTypeCode="4"')
    mailed = mailed.replace(b'NetworkAccessPointTypeCode="2"', b'NetworkAccessPointTypeCode="4"')
    assert str(verdicts([in_files(start, mailed)], "A.5", FILES)[rule].kind) == "pass"


def test_names_of_hosts_are_alike_in_any_case_and_addresses_in_any_notation() -> None:
    start, mark = body("application-start"), b'NetworkAccessPointID="'
    place = start.index(mark) + len(mark)

    def at(where: bytes) -> bytes:
        return start[:place] + where + start[start.index(b'"', place) :]

    for one, other in (("Node.example.org", "node.EXAMPLE.org."), ("2001:db8::1", "2001:0DB8:0:0::1")):
        two = [syslog(at(one.encode()), hostname=one), syslog(at(other.encode()), hostname=other)]
        found = verdicts([came(*two, event="application-start")], "A.6")
        assert str(found["A.5.2.4-constant-network-access-point"].kind) == "pass"
        assert str(found["RFC5424-6.2.4-source-same-hostname"].kind) == "pass"


def test_programs_of_one_name_on_two_nodes_are_no_change_of_access_point() -> None:
    rule = "A.5.2.4-constant-network-access-point"
    start, moved = body("application-start"), body("instances-transferred")
    user = start[start.index(b'UserID="') :].split(b'"')[1]
    users = [each.split(b'"')[0] for each in moved.split(b' UserID="')[1:]]
    assert len(set(users)) > 1
    for each in users:
        moved = moved.replace(b' UserID="' + each + b'"', b' UserID="' + user + b'"')
    found = verdicts([came(syslog(start), syslog(moved), event="application-start")], "A.6")
    assert str(found[rule].kind) == "pass"


def test_messages_of_several_nodes_are_no_change_of_hostname() -> None:
    rule = "RFC5424-6.2.4-source-same-hostname"
    mark = b'AuditSourceID="'
    one, two = syslog(LOGIN, hostname="a"), syslog(LOGIN.replace(mark, mark + b"second-"), hostname="b")
    assert str(verdicts([came(one, two)], "A.6")[rule].kind) == "pass"  # over a relay
    nameless = [re.sub(rb' Audit(?:EnterpriseSite|Source)ID="[^"]*"', b"", LOGIN)] * 2
    given = [syslog(each, hostname=host) for each, host in zip(nameless, ("a", "b"), strict=True)]
    assert str(verdicts([came(*given)], "A.6")[rule].kind) == "warning"
