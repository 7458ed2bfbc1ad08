"""``ps315 pki``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.pki.campaign import Campaign
from harness.cli import run


def test_it_makes_a_campaign_and_says_what_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "campaign"
    command = [
        "pki",
        str(folder),
        "--name",
        "Harness.hospital.example",
        "--address",
        "192.0.2.7",
        "--address",
        "2001:DB8::7",
    ]
    command += ["--sut-name", "ct1.hospital.example", "--sut-name", "192.0.2.8", "--days", "7"]
    assert run([*command, "--revocation-url", "http://192.0.2.7:8080/"]) == 0
    said = capsys.readouterr().out
    assert str(folder / "install.html") in said
    assert f'campaign = "{folder}"' in said
    names = Campaign.load(folder).names
    assert names.dns_names == ("Harness.hospital.example",)
    assert names.ip_addresses == ("192.0.2.7", "2001:db8::7")
    assert names.sut_names == ("ct1.hospital.example", "192.0.2.8")
    assert names.revocation_url == "http://192.0.2.7:8080"
    assert (folder / "sut" / "facility.p12").is_file()


def test_it_replaces_nothing_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run(["pki", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert run(["pki", str(tmp_path), "--force"]) == 0
    before = Campaign.load(tmp_path).authority.certificate
    assert run(["pki", str(tmp_path), "--force"]) == 0
    assert Campaign.load(tmp_path).authority.certificate != before
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_international_names_are_written_as_dns_has_them(tmp_path: Path) -> None:
    assert run(["pki", str(tmp_path), "--name", "röntgen.hospital.example"]) == 0
    assert Campaign.load(tmp_path).names.dns_names == ("xn--rntgen-wxa.hospital.example",)
    assert Campaign.load(tmp_path).names.ip_addresses == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--name", "192.0.2.7"], "write --address"),
        (["--name", "two words"], "no DNS name"),
        (["--name", "a..b"], "no DNS name"),
        (["--name", "x" * 64], "no DNS name"),
        (["--address", "harness"], "no IP address"),
        (["--sut-name", "<script>"], "no DNS name"),
        (["--client-name", "x" * 65], "1 to 64"),
        (["--revocation-url", "https://harness"], "plain HTTP"),
        (["--revocation-url", "http://[::1"], "plain HTTP"),
        (["--days", "0"], "--days"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(["pki", str(tmp_path / "campaign"), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "campaign").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["pki", str(tmp_path / "file")]) == 2
    assert run(["pki", str(tmp_path / "file" / "below")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_campaign_of_one_day_has_every_case(tmp_path: Path) -> None:
    """Certificates that are valid only from the day after tomorrow end later than such an authority."""
    assert run(["pki", str(tmp_path / "short"), "--days", "1"]) == 0
    assert (tmp_path / "short" / "zoo" / "server" / "not-yet-valid-intermediate.pem").is_file()
