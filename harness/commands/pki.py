"""``ps315 pki``: make the certificates of a test campaign."""

from __future__ import annotations

import ipaddress
import re
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def pki(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the campaign's files.")],
    *,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="DNS", help="Name by which systems call this harness; may be repeated."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="IP", help="Address by which they call it; may be repeated."),
    ] = None,
    sut_name: Annotated[
        list[str] | None,
        typer.Option("--sut-name", metavar="DNS", help="Name or address of the system under test; may be repeated."),
    ] = None,
    client_name: Annotated[
        str, typer.Option("--client-name", help="Common name of the harness's client certificates.")
    ] = "PS315-HARNESS",
    revocation_url: Annotated[
        str, typer.Option("--revocation-url", metavar="URL", help="Where the harness serves revocation lists and OCSP.")
    ] = "",
    password: Annotated[
        str | None, typer.Option("--password", help="Password of the PKCS#12 files (default: ps315).")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=398, help="How long everything is valid.")] = 90,
    force: Annotated[bool, typer.Option("--force", help="Replace a campaign that is in the folder.")] = False,
) -> int:
    """Make the set and say what to do with it. Returns the exit status."""
    from fixtures.pki.campaign import Campaign, Names
    from fixtures.pki.campaign_files import DEFAULT_PASSWORD, write_files
    from harness.commands._directory import is_empty
    from harness.errors import UsageProblem

    named = not name and not address
    names = Names(
        dns_names=tuple(_dns_name(each, "--name") for each in name or (["localhost"] if named else [])),
        ip_addresses=tuple(_address(each) for each in address or (["127.0.0.1"] if named else [])),
        sut_names=tuple(_name_or_address(each) for each in sut_name or ["localhost", "127.0.0.1"]),
        revocation_url=_checked_url(revocation_url),
        client_name=_common_name(client_name),
    )
    if not is_empty(folder) and not force:
        raise UsageProblem(f"{folder}: is not empty; replace the campaign in it with --force, or name another folder")
    try:
        campaign = Campaign.create(folder, names=names, days=days)
        write_files(campaign, DEFAULT_PASSWORD if password is None else password)
    except OSError as problem:
        place = problem.filename or folder
        raise UsageProblem(f"{place}: cannot be written: {problem.strerror}; name another folder") from None
    sys.stdout.write(
        f"{folder} holds a test campaign that expires on {campaign.expires:%Y-%m-%d}\n"
        f"  open {folder / 'install.html'}: what to import where, and what to remove afterwards\n"
        f'  in the SUT file: [credentials] campaign = "{folder}"\n'
    )
    return 0


def _dns_name(text: str, option: str) -> str:
    from harness.errors import UsageProblem

    try:
        name = text.encode("ascii").decode() if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        name = ""
    if _is_address(name):
        raise UsageProblem(f"{option} {text!r}: is an address; write --address {text}")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise UsageProblem(f"{option} {text!r}: is no DNS name; write one such as harness.hospital.example")
    return name


def _address(text: str) -> str:
    from harness.errors import UsageProblem

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UsageProblem(f"--address {text!r}: is no IP address; write one such as 192.0.2.7") from None


def _name_or_address(text: str) -> str:
    return str(ipaddress.ip_address(text)) if _is_address(text) else _dns_name(text, "--sut-name")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _common_name(text: str) -> str:
    from harness.errors import UsageProblem

    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise UsageProblem(f"--client-name {text!r}: a common name has 1 to 64 printable characters")
    return text


def _checked_url(text: str) -> str:
    from harness.errors import UsageProblem

    if not text:
        return ""
    try:
        parts = urlsplit(text)
        good = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0 and text.isascii()
    except ValueError:
        good = False
    if not good or re.search(r"[\s\"<>\\]", text):
        raise UsageProblem(
            f"--revocation-url {text!r}: lists and OCSP are served over plain HTTP; write one such as "
            "http://harness.hospital.example:8080"
        )
    return text.rstrip("/")
