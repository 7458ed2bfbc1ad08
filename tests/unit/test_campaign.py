"""Test campaigns: made once, read again, nothing of their keys shown."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki.campaign import Campaign, CampaignError, Names
from fixtures.pki.campaign_files import DEFAULT_PASSWORD, write_files
from fixtures.pki.zoo import CASES, revoked_numbers
from harness.credentials import CredentialSources, load_credentials
from harness.errors import UsageProblem
from harness.sut import parse_sut
from tests.unit.zoo_judges import run

NAMES = Names(
    dns_names=("harness.hospital.example",),
    ip_addresses=("192.0.2.7",),
    sut_names=("ct1.hospital.example", "192.0.2.8"),
    revocation_url="http://harness.hospital.example:8080",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("campaign") / "of march"
    write_files(Campaign.create(made, names=NAMES))
    return made


def test_private_keys_are_for_their_owner_alone(folder: Path) -> None:
    secret = [*folder.rglob("*.key"), *folder.rglob("*.p12")]
    assert len(secret) > 100
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    for path in set(folder.rglob("*")) - set(secret):
        if path.is_file():
            assert b"PRIVATE KEY" not in path.read_bytes(), path


def test_what_was_made_is_read_again(folder: Path) -> None:
    one, two = Campaign.load(folder), Campaign.load(folder)
    assert one.names == NAMES
    assert one.authority.certificate == two.authority.certificate
    assert one.zoo().pki.issue("ca").certificate == one.authority.certificate
    for role in ("server", "client"):
        assert (
            one.zoo().present("self-signed-pinned", role).chain == two.zoo().present("self-signed-pinned", role).chain
        )
    revoked = x509.load_der_x509_certificate(one.zoo().present("revoked-crl", "server").chain[0])
    assert revoked.serial_number in revoked_numbers(two.authority)
    for name in ("ca.crl", "expired.crl"):
        listed = x509.load_der_x509_crl((folder / "crl" / name).read_bytes())
        assert listed.is_signature_valid(one.authority.certificate.public_key())  # type: ignore[arg-type]
        assert (listed.get_revoked_certificate_by_serial_number(revoked.serial_number) is None) == (name != "ca.crl")


def test_nothing_outlives_the_campaign(folder: Path) -> None:
    campaign = Campaign.load(folder)
    assert timedelta(days=89) < campaign.expires - datetime.now(UTC) <= timedelta(days=90)
    for path in (*(folder / "sut").glob("*.pem"), *folder.glob("*.pem")):
        for certificate in x509.load_pem_x509_certificates(path.read_bytes()):
            assert certificate.not_valid_after_utc <= campaign.expires, path
    good = x509.load_der_x509_certificate(campaign.zoo().good("client").chain[0])
    assert good.not_valid_after_utc <= campaign.expires


@pytest.mark.parametrize("name", ["self-signed", "facility", "through-intermediate"])
@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_takes_the_identities_of_a_sut_in_both_roles(folder: Path, name: str, purpose: str) -> None:
    pem = str(folder / "sut" / f"{name}.pem")
    for called in (["-verify_hostname", "ct1.hospital.example"], ["-verify_ip", "192.0.2.8"]):
        accepted, said = run(
            ["openssl", "verify", "-x509_strict", "-auth_level", "2", "-purpose", purpose, *called,
             "-trusted", str(folder / "harness-trust-anchors.pem"), "-untrusted", pem, pem]
        )  # fmt: skip
        assert accepted, said


@pytest.mark.parametrize("stem", ["harness-client", "harness-server", "sut/through-intermediate", "sut/self-signed"])
def test_pkcs12_holds_what_pem_does(folder: Path, stem: str) -> None:
    octets = (folder / f"{stem}.p12").read_bytes()
    key, certificate, others = pkcs12.load_key_and_certificates(octets, DEFAULT_PASSWORD.encode())
    assert certificate is not None
    assert key is not None
    assert [certificate, *others] == x509.load_pem_x509_certificates((folder / f"{stem}.pem").read_bytes())
    assert key.public_key() == certificate.public_key()
    done = subprocess.run(
        ["openssl", "pkcs12", "-in", folder / f"{stem}.p12", "-passin", f"pass:{DEFAULT_PASSWORD}", "-noenc"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_zoo_is_written_role_by_role(folder: Path) -> None:
    for role in ("server", "client"):
        written = {path.stem for path in (folder / "zoo" / role).glob("*.pem")}
        assert written == {case.name for case in CASES.values() if case.treatment(role)}
        assert written == {path.stem for path in (folder / "zoo" / role).glob("*.key")}
    assert (folder / "zoo" / "server" / "revoked-stapled.ocsp").stat().st_size > 100


def test_the_page_says_what_to_do_and_loads_nothing(folder: Path) -> None:
    page = (folder / "install.html").read_text(encoding="utf-8")
    for file in ("trust-anchors.pem", "pinned-server.pem", "crl/ca.crl", "sut/facility.*"):
        assert f"<code>{file}</code>" in page
    for path in ("trust-anchors.pem", "pinned-server.pem", "pinned-client.pem", "crl/ca.crl", "README.txt"):
        assert (folder / path).is_file()
    assert "src=" not in page
    assert "href=" not in page
    assert f"{Campaign.load(folder).expires:%Y-%m-%d}" in page
    assert DEFAULT_PASSWORD in page
    assert NAMES.revocation_url in page
    assert len(page) < 60_000


def test_names_are_text_in_the_page_and_ones_own_password_is_not_written(tmp_path: Path) -> None:
    script = "<script>document.title='owned'</script>"
    write_files(Campaign.create(tmp_path, names=Names(sut_names=(script,))), password="correct horse")
    page = (tmp_path / "install.html").read_text(encoding="utf-8")
    assert script not in page
    assert "&lt;script&gt;" in page
    assert all(b"correct horse" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


# -- reading what is broken --------------------------------------------------------------------------------------------


def test_an_expired_campaign_is_refused(tmp_path: Path) -> None:
    Campaign.create(tmp_path, days=0)
    with pytest.raises(CampaignError, match="expired on"):
        Campaign.load(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("campaign.json", None, "cannot be read"),
        ("campaign.json", "{", "does not describe a campaign"),
        ("campaign.json", "[]", "does not describe a campaign"),
        ("campaign.json", '{"schema": 99}', "another version"),
        ("campaign.json", '{"schema": 1, "dns_names": "localhost"}', "does not describe"),
        ("authority.key", None, "cannot be read"),
        ("authority.key", "no key", "authority"),
        ("authority.pem", "no certificate", "authority"),
        ("harness-client.pem", None, "cannot be read"),
        ("pinned-server.key", "no key", "pinned-server"),
    ],
)
def test_a_broken_folder_is_one_sentence(
    folder: Path, tmp_path: Path, file: str, content: str | None, says: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("zoo"))
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_text(content)
    with pytest.raises(CampaignError, match=says):
        Campaign.load(copy)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(["schema", "dns_names", "ip_addresses", "sut_names", "revocation_url", "client_name"])


@given(content=_JSON | st.dictionaries(_KEYS, st.just(1) | _JSON), octets=st.none() | st.binary(max_size=30))
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_the_description_is_read_or_refused(content: object, octets: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "campaign.json").write_bytes(json.dumps(content).encode() if octets is None else octets)
        with pytest.raises(CampaignError):  # the description alone is no campaign either
            Campaign.load(folder)


def test_a_key_of_another_certificate_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("zoo"))
    shutil.copy(copy / "harness-client.key", copy / "authority.key")
    with pytest.raises(CampaignError, match="does not belong"):
        Campaign.load(copy)


# -- the SUT file ------------------------------------------------------------------------------------------------------

SUT = """
schema = 1
[identity]
id = "ct-1"
[endpoints.dimse]
host = "127.0.0.1"
port = 2762
[[claims]]
profile = "B.12"
endpoint = "dimse"
[credentials]
campaign = {campaign}
"""


def test_a_sut_file_takes_credentials_from_its_campaign(folder: Path) -> None:
    sut = parse_sut(SUT.format(campaign=json.dumps(folder.name)), source="sut.toml", folder=folder.parent)
    target = sut.target("dimse")
    assert target.campaign is not None
    assert target.campaign.names == NAMES
    assert target.trust_anchors == folder / "harness-trust-anchors.pem"
    assert target.credentials is not None
    assert target.credentials.certificate == (folder / "harness-client.pem").read_bytes()
    assert sut.record.credentials_given == ("test campaign", "client certificate", "trust anchors")


def test_what_is_given_beside_a_campaign_comes_first(folder: Path) -> None:
    sources = CredentialSources(
        campaign=folder.name,
        client_certificate="of march/sut/facility.pem",
        client_key="of march/sut/facility.key",
        trust_anchors="of march/trust-anchors.pem",
    )
    loaded = load_credentials(sources, folder=folder.parent, source="sut.toml")
    assert loaded.campaign is not None
    assert loaded.trust_anchors == folder / "trust-anchors.pem"
    assert loaded.client is not None
    assert loaded.client.certificate == (folder / "sut" / "facility.pem").read_bytes()


def test_every_key_of_the_campaign_is_a_secret(folder: Path) -> None:
    loaded = load_credentials(CredentialSources(campaign=folder.name), folder=folder.parent, source="sut.toml")
    for path in folder.rglob("*.key"):
        body = [line for line in path.read_bytes().splitlines() if not line.startswith(b"-----") and len(line) >= 16]
        assert set(body) <= set(loaded.secrets), path
    shown = repr(loaded) + repr(loaded.campaign)
    assert "PRIVATE" not in shown
    assert all(secret.decode("latin-1") not in shown for secret in loaded.secrets)


def test_a_campaign_that_is_none_is_a_sentence_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        UsageProblem, match=r"sut.toml: credentials.campaign: .*campaign.json: cannot be read.*ps315 pki"
    ):
        parse_sut(SUT.format(campaign='"nowhere"'), source="sut.toml", folder=tmp_path)
