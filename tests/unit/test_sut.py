"""The SUT file: what is taken, and one clear sentence for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.pki import Pki
from harness.errors import UsageProblem
from harness.sut import Sut, check_claims, check_requirements, checked_ae_title, load_sut, load_suts, parse_sut
from harness.target import Target, parse_target

MINIMAL = """
schema = 1
[identity]
id = "pacs"
[endpoints.dimse]
host = "127.0.0.1"
port = 2762
[[claims]]
profile = "B.12"
endpoint = "dimse"
"""


def parse(text: str, folder: Path = Path()) -> Sut:
    return parse_sut(text, source="pacs.toml", folder=folder)


def problem(text: str) -> str:
    with pytest.raises(UsageProblem) as raised:
        parse(text)
    return str(raised.value)


def test_a_minimal_file_has_the_documented_defaults() -> None:
    sut = parse(MINIMAL)
    (claim,) = sut.record.claims
    assert (claim.profile, claim.edition, claim.role, claim.endpoint) == ("B.12", "2026c", "tls-server", "dimse")
    target = sut.target("dimse")
    assert (target.host, target.port, target.protocol) == ("127.0.0.1", 2762, "dicom-tls")
    assert (target.called_aet, target.calling_aet) == ("ANY-SCP", "PS315-HARNESS")
    assert sut.record.credentials_given == ()


def test_a_full_file_is_recorded_as_written() -> None:
    sut = parse(
        MINIMAL
        + """
alternates = ["ec"]
[endpoints.ec]
host = "[::1]"
port = 11113
called_aet = "PACS"
[declarations]
"B.12-statement-ports" = "2762"
"B.12-mutual-authentication-declared" = true
[operator."ACME-1"]
answer = "yes"
confirmed_by = "J. Doe"
at = 2026-11-22T10:00:00Z
[[waivers]]
requirement = "RFC9325-3.1.1-no-tls-1.1"
reason = "old modality"
until = 2027-06-30
"""
    )
    assert sut.claimed_endpoints == ("dimse", "ec")
    assert sut.target("ec").host == "::1"
    assert sut.record.declarations == {
        "B.12-statement-ports": "2762",
        "B.12-mutual-authentication-declared": "yes",
    }
    assert sut.record.waivers[0].until.isoformat() == "2027-06-30"
    assert sut.file.operator["ACME-1"].confirmed_by == "J. Doe"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("schema = 1", "", "pacs.toml: schema: is missing; write schema = 1"),
        ("schema = 1", "schema = 7", "newer than this version"),
        ("schema = 1", "schema = [", "is no TOML"),
        ('id = "pacs"', "", "identity.id: is missing"),
        ('id = "pacs"', 'id = "../up"', "identity.id: has characters that are not allowed"),
        ("port = 2762", "port = 70000", "endpoints.dimse.port"),
        ("port = 2762", 'port = "2762"', "write a number from 1 to 65535"),
        ("port = 2762", "port = true", "endpoints.dimse.port"),
        ("port = 2762", "prot = 2762", "did you mean 'port'"),
        ('host = "127.0.0.1"', 'host = "https://x"', "endpoints.dimse.host: is not a host name"),
        ('host = "127.0.0.1"', 'host = "x"\ncalled_aet = "ABCDEFGHIJKLMNOPQ"', "at most 16 characters"),
        ('host = "127.0.0.1"', 'host = "x"\ncalled_aet = "A\\\\B"', "no backslash"),
        ('host = "127.0.0.1"', 'host = "x"\nprotocol = "dcm"', "write one of: dicom-tls, https, syslog-tls"),
        ('endpoint = "dimse"', 'endpoint = "dimsee"', "claims #1 names the endpoint 'dimsee'"),
        ('endpoint = "dimse"', 'endpoint = "dimse"\nalternates = ["x"]', "names the endpoint 'x'"),
        ('endpoint = "dimse"', 'endpoint = "dimse"\nrole = "server"', "claims #1.role"),
        ('host = "127.0.0.1"', 'host = "x"\nprotocol = "syslog-tls"', "is judged by A.6"),
        ("[[claims]]", "[claims]", "claims"),
        ("[identity]", "[identiy]", "did you mean 'identity'"),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_remedy(before: str, after: str, told: str) -> None:
    assert before in MINIMAL
    message = problem(MINIMAL.replace(before, after))
    assert told in message
    assert all(line.startswith("pacs.toml: ") for line in message.splitlines())


def test_every_mistake_is_told_at_once() -> None:
    assert len(problem(MINIMAL.replace("2762", "0").replace('"pacs"', '"a/b"')).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), (b"\xff\xfe\0", "is not UTF-8"), (b"", "is missing")]
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "sut.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageProblem, match=told):
        load_sut(path)


def test_two_files_may_not_share_an_id(tmp_path: Path) -> None:
    paths = [tmp_path / "a.toml", tmp_path / "b.toml"]
    for path in paths:
        path.write_text(MINIMAL, encoding="utf-8")
    with pytest.raises(UsageProblem, match="is also the id of"):
        load_suts(paths)


def test_unknown_requirement_ids_are_told_with_near_ones() -> None:
    sut = parse(MINIMAL + '[declarations]\n"B.12-statement-port" = "x"\n')
    with pytest.raises(UsageProblem, match=r"declarations.*did you mean 'B.12-statement-ports'"):
        check_requirements(sut, ["B.12-statement-ports", "B.13-other"])
    check_requirements(sut, ["B.12-statement-port"])


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ([("B.13", "2026c", "tls-server")], "there is no profile 'B.12'"),
        ([("B.12", "2025a", "tls-server")], "edition"),
        ([("B.12", "2026c", "tls-client")], "is not judged for the role 'tls-server'"),
    ],
)
def test_claims_that_nothing_judges(held: list[tuple[str, str, str]], told: str) -> None:
    with pytest.raises(UsageProblem, match=told):
        check_claims(parse(MINIMAL), held)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


class TestCredentials:
    def text(self, **entries: str) -> str:
        return MINIMAL + "[credentials]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())

    def test_files_are_loaded_and_not_shown(self, pki: Pki) -> None:
        certificate, key = pki.certificate_file("client"), pki.key_file("client")
        anchors = pki.trust_anchors_file()
        sut = parse(
            self.text(client_certificate=f'"{certificate}"', client_key=f'"{key}"', trust_anchors=f'"{anchors}"')
        )
        credentials = sut.target("dimse").credentials
        assert credentials is not None
        assert credentials.certificate == certificate.read_bytes()
        assert sut.record.credentials_given == ("client certificate", "trust anchors")
        assert sut.target("dimse").trust_anchors == anchors
        body = key.read_text(encoding="ascii").splitlines()[1]
        assert body not in repr(sut) + sut.record.model_dump_json()
        assert body.encode() in sut.credentials.secrets

    def test_the_environment_may_hold_them(self, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PS315_TEST_CERT", pki.certificate_file("client").read_text(encoding="ascii"))
        monkeypatch.setenv("PS315_TEST_KEY", pki.key_file("client").read_text(encoding="ascii"))
        monkeypatch.setenv("PS315_TEST_CA", pki.trust_anchors_file().read_text(encoding="ascii"))
        sut = parse(
            self.text(
                client_certificate='{ env = "PS315_TEST_CERT" }',
                client_key='{ env = "PS315_TEST_KEY" }',
                trust_anchors='{ env = "PS315_TEST_CA" }',
            )
        )
        anchors = sut.target("dimse").trust_anchors
        assert anchors is not None
        assert anchors.read_bytes() == pki.trust_anchors_file().read_bytes()

    def test_what_does_not_fit_is_told_in_one_sentence(self, pki: Pki, tmp_path: Path) -> None:
        certificate, key = f'"{pki.certificate_file("client")}"', f'"{pki.key_file("client")}"'
        (tmp_path / "no.pem").write_text("no certificate", encoding="ascii")
        broken = f'"{tmp_path / "no.pem"}"'
        for entries, told in (
            ({"client_certificate": broken, "client_key": key}, "is no certificate"),
            ({"client_certificate": key, "client_key": key}, "holds a private key"),
            ({"client_certificate": certificate, "client_key": broken}, "is no private key"),
            ({"client_certificate": certificate, "client_key": f'"{pki.key_file("server")}"'}, "does not belong"),
            ({"client_certificate": certificate}, "client_certificate is given without client_key"),
            ({"client_certificate": '"missing.pem"', "client_key": key}, "cannot be read"),
            ({"client_certificate": '{ env = "PS315_UNSET" }', "client_key": key}, "PS315_UNSET is not set"),
            ({"trust_anchors": broken}, "credentials.trust_anchors"),
            ({"client_certificate": certificate, "client_key": key, "client_key_password": '"x"'}, "not encrypted"),
        ):
            message = problem(self.text(**entries))
            assert told in message
            assert len(message.splitlines()) == 1
            assert message.startswith("pacs.toml: credentials")

    def test_an_encrypted_key_needs_its_password(self, pki: Pki, tmp_path: Path) -> None:
        from cryptography.hazmat.primitives import serialization as coding

        key = coding.load_pem_private_key(pki.key_file("client").read_bytes(), None)
        path = tmp_path / "client.key"
        path.write_bytes(
            key.private_bytes(
                coding.Encoding.PEM, coding.PrivateFormat.PKCS8, coding.BestAvailableEncryption(b"open sesame")
            )
        )
        entries = {"client_certificate": f'"{pki.certificate_file("client")}"', "client_key": f'"{path}"'}
        assert "is encrypted; give client_key_password" in problem(self.text(**entries))
        wrong = problem(self.text(**entries, client_key_password='"wrong"'))
        assert "cannot be decrypted" in wrong
        sut = parse(self.text(**entries, client_key_password='"open sesame"'))
        assert b"open sesame" in sut.credentials.secrets
        assert "open sesame" not in repr(sut)


@given(st.text(max_size=20))
def test_ae_titles_are_taken_as_the_value_representation_has_them(title: str) -> None:
    try:
        taken = checked_ae_title(title)
    except ValueError:
        return
    assert 1 <= len(taken) <= 16
    assert taken.isascii()
    assert taken.isprintable()
    assert "\\" not in taken


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("pacs:2762", Target("dicom-tls", "pacs", 2762)),
        ("127.0.0.1:1", Target("dicom-tls", "127.0.0.1", 1)),
        ("[::1]:65535", Target("dicom-tls", "::1", 65535)),
        ("dicom-tls://pacs", Target("dicom-tls", "pacs", 2762)),
        ("dicom-tls://pacs:11112?aet=PACS", Target("dicom-tls", "pacs", 11112, "PACS")),
        ("https://pacs.example.org/dicom-web", Target("https", "pacs.example.org", 443)),
        ("syslog-tls://logs.example.org", Target("syslog-tls", "logs.example.org", 6514)),
        ("https://[::1]:8443", Target("https", "::1", 8443)),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pacs", "names no port"),
        ("pacs:", "is no port"),
        ("pacs:0", "is no port"),
        ("pacs:65536", "is no port"),
        ("pacs:²", "is no port"),
        (":2762", "is no host"),
        ("::1:2762", "stands in brackets"),
        ("http://pacs", "give the https port"),
        ("ftp://pacs", "is no protocol"),
        ("dicom-tls://pacs:x", "is no port"),
        ("dicom-tls://pacs?aet=A&x=1", "only"),
        ("https://user:secret@pacs", "leave them out"),
    ],
)
def test_targets_that_are_none(text: str, told: str) -> None:
    with pytest.raises(UsageProblem, match=told) as raised:
        parse_target(text)
    assert "secret" not in str(raised.value)


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_a_usage_problem(text: str) -> None:
    try:
        target = parse_target(text)
    except UsageProblem:
        return
    assert 1 <= target.port <= 65535
    assert target.host
