"""``ps315 init``: write a commented SUT file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.commands import _options as option

_TEMPLATE = Path(__file__).resolve().parent.parent / "sut_template.toml.jinja"
_CREDENTIALS = (
    ("client_certificate", '"client.pem"'),
    ("client_key", '"client.key"'),
    ("client_key_password", '{ env = "PS315_KEY_PASSWORD" }'),
    ("trust_anchors", '"ca.pem"'),
    ("campaign", '"campaign"  # a folder made by `ps315 pki`; what is not given above comes from it'),
)


@dataclass(frozen=True)
class _Question:
    key: str
    text: str
    default: str = ""


_QUESTIONS = (
    _Question("host", "Host name or address of the device"),
    _Question("port", "Port of its secure DICOM service", "2762"),
    _Question("called_aet", "AE title of the device", "ANY-SCP"),
    _Question("calling_aet", "AE title under which it knows this harness", "PS315-HARNESS"),
    _Question("id", "Short name for it (folder and verdicts)", "device"),
    _Question("vendor", "Vendor"),
    _Question("product", "Product"),
    _Question("version", "Version"),
    _Question("serial", "Serial number"),
    _Question("site", "Site"),
    _Question("tester", "Your name"),
)


def init(
    *,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("sut.toml"),
    profile: Annotated[list[str] | None, typer.Option("--profile", help="Profile claimed; may be repeated.")] = None,
    edition: option.Edition = None,
    protocol: Annotated[str, typer.Option("--protocol", help="dicom-tls or https.")] = "dicom-tls",
    host: Annotated[str | None, typer.Option("--host", help="Host name or address.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port.")] = None,
    called_aet: Annotated[str | None, typer.Option("--called-aet", help="AE title of the device.")] = None,
    calling_aet: Annotated[str | None, typer.Option("--calling-aet", help="AE title of this harness.")] = None,
    server_name: Annotated[str, typer.Option("--server-name", help="Name to ask for and to check.")] = "",
    sut_id: Annotated[str | None, typer.Option("--id", help="Short name of the device.")] = None,
    vendor: Annotated[str | None, typer.Option("--vendor")] = None,
    product: Annotated[str | None, typer.Option("--product")] = None,
    version: Annotated[str | None, typer.Option("--product-version")] = None,
    serial: Annotated[str | None, typer.Option("--serial")] = None,
    site: Annotated[str | None, typer.Option("--site")] = None,
    tester: Annotated[str | None, typer.Option("--tester")] = None,
    cert: option.Certificate = None,
    key: option.Key = None,
    ca: option.Authorities = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    non_interactive: option.NonInteractive = False,
) -> int:
    """Write a SUT file from flags, asking on a terminal for what no flag gives. Returns the exit status."""
    from harness.claims import default_edition
    from harness.errors import UsageProblem

    if out.exists() and not force:
        raise UsageProblem(f"{out}: exists already; give --out another file, or --force")
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "called_aet": called_aet,
        "calling_aet": calling_aet,
        "id": sut_id,
        "vendor": vendor,
        "product": product,
        "version": version,
        "serial": serial,
        "site": site,
        "tester": tester,
    }
    _complete(given, ask=sys.stdin.isatty() and not non_interactive)
    values = given | {
        "file": out.name,
        "protocol": protocol,
        "endpoint": "dimse" if protocol == "dicom-tls" else "dicomweb",
        "server_name": server_name,
        "claims": [(name, edition or default_edition(name)) for name in profile or ["B.12"]],
        "paths": {"client_certificate": cert, "client_key": key, "trust_anchors": ca},
    }
    text = sut_file_text(values, folder=out.resolve().parent)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageProblem(f"{out}: cannot be written: {problem.strerror}; give --out another file") from None
    sys.stdout.write(f"{out} is written; answer its [declarations], then: ps315 run {out}\n")
    return 0


def _complete(given: dict[str, Any], *, ask: bool) -> None:
    """Fill in what no flag gave: from the terminal, or with defaults. Raises `UsageProblem` without a host."""
    from harness.errors import UsageProblem

    for question in _QUESTIONS:
        if given[question.key] is not None:
            continue
        answer = ""
        if ask:
            default = f" [{question.default}]" if question.default else ""
            sys.stderr.write(f"{question.text}{default}: ")
            sys.stderr.flush()
            answer = sys.stdin.readline().strip()
        given[question.key] = answer or question.default
    if not given["host"]:
        raise UsageProblem("--host is missing; give the device's host name or address")
    try:
        given["port"] = int(given["port"])
    except ValueError:
        raise UsageProblem(f"--port {given['port']!r}: is no number; write a number from 1 to 65535") from None


def sut_file_text(values: dict[str, Any], *, folder: Path) -> str:
    """A commented SUT file for `values`; paths are written relative to `folder`.

    It has been read back and validated. Raises `UsageProblem` for values that no SUT file may have.
    """
    from jinja2 import Environment, StrictUndefined

    from harness.catalogue import load_catalogue
    from harness.commands.run import checked_catalogue
    from harness.sut import Role, parse_sut

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - TOML
    environment.filters["toml"] = _toml
    catalogue = load_catalogue()
    protocol = values["protocol"]
    bound = [
        each
        for each in catalogue
        if any(each.applies_to(profile, edition, Role.TLS_SERVER, protocol) for profile, edition in values["claims"])
    ]
    today = date.today()
    credentials = [(name, _path(values["paths"].get(name), folder), example) for name, example in _CREDENTIALS]
    text = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        **values,
        credentials=credentials,
        questions=[each for each in bound if each.judged == "by-declaration"],
        asks=[each for each in bound if each.judged == "by-operator"],
        today=today.isoformat(),
        in_a_year=(today + timedelta(days=365)).isoformat(),
    )
    checked_catalogue([parse_sut(text, source=values["file"], folder=folder)], ())
    return text


def _toml(value: object) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's, but for DEL."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _path(path: Path | None, folder: Path) -> str:
    if path is None:
        return ""
    absolute = path.resolve()
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)
