"""``ps315 init``: write a commented SUT file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.commands import _options as option

_TEMPLATE = Path(__file__).resolve().parent.parent / "sut_template.toml.jinja"
_INSTRUCTION = "Verify the connection to PS315, or send one object to it."
_CLIENTS = {"dicom-tls": "scu", "https": "browser", "syslog-tls": "sender"}
"""What an endpoint that connects is called, by its protocol."""
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


CREATORS = frozenset({"C.1", "C.2", "C.3", "C.4", "A.4"})
VERIFIERS = frozenset({"C.1", "C.2", "C.3", "A.2"})
STORERS = frozenset({"A.2", "A.3"})
"""Profiles by the role in which a device is judged by them."""
_OF_OBJECTS = (
    _Question("sign_command", "Command that makes it sign {input} into {output}, if there is one"),
    _Question("signed_folder", "Folder with objects that it has signed, if there is one"),
    _Question("verify_command", "Command that makes it verify {input}, if there is one"),
)
_PORTS = {
    "dicom": _Question("port", "Port of its DICOM service", "104"),
    "http": _Question("port", "Port of its web service", "80"),
}
"""What is asked for the port, by protocol, where there is no TLS."""
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
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", help="Profile claimed; may be repeated (default: B.12, of audit trails A.6)."),
    ] = None,
    edition: option.Edition = None,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", help="dicom-tls, https, syslog-tls or syslog-udp; of archives dicom or http, too."),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Host name or address.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port.")] = None,
    called_aet: Annotated[str | None, typer.Option("--called-aet", help="AE title of the device.")] = None,
    calling_aet: Annotated[str | None, typer.Option("--calling-aet", help="AE title of this harness.")] = None,
    listen: Annotated[
        int | None, typer.Option("--listen", help="Port at which it connects to us (0: any, with a command).")
    ] = None,
    listen_name: Annotated[
        str, typer.Option("--listen-name", help="Host name or address under which it calls this computer.")
    ] = "",
    driver_command: Annotated[
        str, typer.Option("--driver-command", help="Command that makes it connect, e.g. 'echoscu ... {host} {port}'.")
    ] = "",
    sign_command: Annotated[
        str, typer.Option("--sign-command", help="Command that makes it sign, e.g. 'sign {input} {output}'.")
    ] = "",
    signed_folder: Annotated[str, typer.Option("--signed-folder", help="Folder with objects that it has signed.")] = "",
    verify_command: Annotated[
        str, typer.Option("--verify-command", help="Command that makes it verify, e.g. 'verify {input}'.")
    ] = "",
    event: Annotated[
        list[str] | None,
        typer.Option("--event", help="Event that it reports to an audit trail, e.g. login; may be repeated."),
    ] = None,
    captured_folder: Annotated[
        str, typer.Option("--captured-folder", help="Folder (or file) with audit messages that it has sent.")
    ] = "",
    reading_file: Annotated[
        str, typer.Option("--reading-file", help="File in which an audit repository keeps what arrives.")
    ] = "",
    reading_command: Annotated[
        str, typer.Option("--reading-command", help="Command that prints what a repository keeps, e.g. 'dump {token}'.")
    ] = "",
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
    campaign: Annotated[
        Path | None, typer.Option("--campaign", help="Folder that `ps315 pki` made.", metavar="FOLDER")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    non_interactive: option.NonInteractive = False,
) -> int:
    """Write a SUT file from flags, asking on a terminal for what no flag gives. Returns the exit status."""
    from harness.claims import default_edition
    from harness.commands._init_audit import AuditTrail, usual_profile
    from harness.errors import UsageProblem
    from harness.sut_clients import Listen
    from harness.sut_parts import SIGNATURE_PROFILES, SYSLOG_PORTS
    from harness.target import ENDPOINT_NAMES

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
    events, reading = event or (), (reading_file, reading_command)
    of_trail = usual_profile(events=events, captured=captured_folder, reading=reading, protocol=protocol)
    profiles = profile or [of_trail or "B.12"]
    trail = AuditTrail.of(profiles, events=events, captured=captured_folder, reading=reading, protocol=protocol)
    transport = [name for name in profiles if name not in SIGNATURE_PROFILES and not trail.judges(name)]
    client = listen is not None or bool(driver_command)
    stores = bool(STORERS.intersection(profiles))
    served = (port is not None and not trail.is_kept) or (bool(transport) and not client) or stores
    asking = sys.stdin.isatty() and not non_interactive
    handed = {"sign_command": sign_command, "signed_folder": signed_folder, "verify_command": verify_command}
    sends = client and not transport and bool(CREATORS.intersection(profiles))
    sends = sends and not (sign_command or signed_folder)
    if len(transport) < len(profiles):
        _complete_objects(handed, profiles, sends=sends, ask=asking)
    if not served and not trail.is_kept:
        given["port"] = ""
    if not served and not client and not trail.connects:
        given |= {name: given[name] or "" for name in ("host", "called_aet", "calling_aet")}
    kind = protocol or (_usual_protocol(transport) if transport else "dicom")
    if trail.is_kept and given["port"] is None:
        given["port"] = SYSLOG_PORTS[trail.protocol]
    _complete(given, ask=asking, reached=served or client or trail.connects, port=_PORTS.get(kind))
    if asking and transport and not client:
        listen = _listen_port()
        client = listen is not None
    if (client or trail.events) and not listen_name and Listen().needs_name(given["host"]):
        listen_name = _listen_name(ask=asking)
    values = (
        given
        | handed
        | {
            "file": out.name,
            "protocol": kind,
            "endpoint": ENDPOINT_NAMES.get(kind, "endpoint") if transport else "archive",
            "client_endpoint": _CLIENTS.get(kind, "client"),
            "transport": bool(transport),
            "stores": stores,
            "served": served,
            "client": client and bool(transport),
            "sends": sends,
            "trail": trail,
            "trail_port": SYSLOG_PORTS[trail.protocol] if listen is None or (client and transport) else listen,
            "listen": listen or 0,
            "listen_name": listen_name,
            "driver": "run" if driver_command else "people",
            "driver_command": driver_command,
            "instruction": _INSTRUCTION,
            "server_name": server_name,
            "profiles": [(name, edition or default_edition(name)) for name in profiles],
            "paths": {"client_certificate": cert, "client_key": key, "trust_anchors": ca, "campaign": campaign},
        }
    )
    values["claims"] = _claims(values)
    text = sut_file_text(values, folder=out.resolve().parent)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageProblem(f"{out}: cannot be written: {problem.strerror}; give --out another file") from None
    sys.stdout.write(f"{out} is written; answer its [declarations], then: ps315 run {out}\n")
    return 0


def _complete_objects(handed: dict[str, str], profiles: Sequence[str], *, sends: bool, ask: bool) -> None:
    """Fill in how objects are handed over where no flag says: from the terminal, or a folder of signed ones.

    With `sends` the device sends what it has signed.
    """
    wanted = [
        one
        for one in _OF_OBJECTS
        if (one.key == "verify_command" and VERIFIERS.intersection(profiles))
        or (one.key != "verify_command" and not sends and CREATORS.intersection(profiles))
    ]
    if ask and not any(handed.values()):
        for question in wanted:
            sys.stderr.write(f"{question.text} []: ")
            sys.stderr.flush()
            handed[question.key] = sys.stdin.readline().strip()
    if not sends and not any(handed.values()) and CREATORS.intersection(profiles):
        handed["signed_folder"] = "signed"


def _complete(given: dict[str, Any], *, ask: bool, reached: bool = True, port: _Question | None = None) -> None:
    """Fill in what no flag gave: from the terminal, or with defaults.

    `port` is the question for its port where there is no TLS. Raises `UsageProblem` without a host for
    a device that is reached, or connects.
    """
    from harness.errors import UsageProblem

    for each in _QUESTIONS:
        question = port if port is not None and each.key == port.key else each
        if given[question.key] is not None:
            continue
        answer = ""
        if ask:
            default = f" [{question.default}]" if question.default else ""
            sys.stderr.write(f"{question.text}{default}: ")
            sys.stderr.flush()
            answer = sys.stdin.readline().strip()
        given[question.key] = answer or question.default
    if reached and not given["host"]:
        raise UsageProblem("--host is missing; give the device's host name or address")
    if given["port"] == "":
        return  # it is the device that connects
    try:
        given["port"] = int(given["port"])
    except ValueError:
        raise UsageProblem(f"--port {given['port']!r}: is no number; write a number from 1 to 65535") from None


def _usual_protocol(profiles: Sequence[str]) -> str:
    """What an endpoint speaks where no flag tells: the protocol that the profiles of transport are judged at first."""
    return "syslog-tls" if set(profiles) == {"A.6"} else "dicom-tls"


def _listen_port() -> int | None:
    """The port at which the device connects to us, asked for at the terminal; None if it does not."""
    from harness.errors import UsageProblem

    sys.stderr.write("Port at which it connects to this computer, if it is to be judged as a client too []: ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer and not (answer.isascii() and answer.isdecimal()):
        raise UsageProblem(f"--listen {answer!r}: is no number; write a number from 1 to 65535")
    return int(answer) if answer else None


def _listen_name(*, ask: bool) -> str:
    """How the device calls this computer, asked for at the terminal. Raises `UsageProblem` without an answer."""
    from harness.errors import UsageProblem

    answer = ""
    if ask:
        sys.stderr.write("Host name or address under which it calls this computer: ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
    if not answer:
        raise UsageProblem("--listen-name is missing; give the host name or address under which it calls this computer")
    return answer


def _claims(values: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What is claimed: profile, edition, role, endpoint."""
    from harness.sut_parts import SIGNATURE_PROFILES

    claims = []
    signs = bool(values["sign_command"] or values["signed_folder"] or values["sends"])
    for profile, edition in values["profiles"]:
        objects = profile in SIGNATURE_PROFILES
        if values["trail"].judges(profile):
            claims += [(profile, edition, role, endpoint) for role, endpoint in values["trail"].claimed(profile)]
            continue
        roles = [
            ("tls-server", values["endpoint"], values["served"] and not objects),
            ("tls-client", values["client_endpoint"], values["client"] and not objects),
            ("signature-creator", "signer", signs and profile in CREATORS),
            ("signature-verifier", "verifier", bool(values["verify_command"]) and profile in VERIFIERS),
            ("instance-storer", values["endpoint"], profile in STORERS),
        ]
        claims += [(profile, edition, role, endpoint) for role, endpoint, holds in roles if holds]
    return claims


def sut_file_text(values: dict[str, Any], *, folder: Path) -> str:
    """A commented SUT file for `values`; paths are written relative to `folder`.

    It has been read back and validated. Raises `UsageProblem` for values that no SUT file may have.
    """
    from jinja2 import Environment, StrictUndefined

    from harness.catalogue import load_catalogue
    from harness.commands.run import checked_catalogue
    from harness.sut import parse_sut

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - TOML
    environment.filters["toml"] = _toml
    catalogue = load_catalogue()
    protocols = {"signer": values["protocol"] if values["sends"] else "files", "verifier": "files"}
    protocols |= values["trail"].protocols
    bound = [
        each
        for each in catalogue
        if any(
            each.applies_to(profile, edition, role, protocols.get(endpoint, values["protocol"]))
            for profile, edition, role, endpoint in values["claims"]
        )
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
