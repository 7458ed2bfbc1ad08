"""``ps315 audit serve``: run the audit repository."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.commands._audit_own import Own
    from reference_impl.audit.repository.service import Repository
    from reference_impl.audit.repository.settings import Settings
    from reference_impl.audit.repository.web.access import Access

_HASHES = ("sha-256", "sha-1")
_UDP_PORT = 514
_PRIVILEGED = 1024


def serve(
    *,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST", help="Address to listen at; 0.0.0.0 for all of this computer.")
    ] = "127.0.0.1",
    tls_port: Annotated[int, typer.Option("--tls-port", min=0, max=65535, help="Port of syslog over TLS.")] = 6514,
    udp_port: Annotated[
        int | None,
        typer.Option("--udp-port", min=0, max=65535, help="Port of syslog over UDP (default: 514 where permitted)."),
    ] = None,
    web_port: Annotated[int, typer.Option("--web-port", min=0, max=65535, help="Port of the web page.")] = 8443,
    no_tls: Annotated[bool, typer.Option("--no-tls", help="Receive nothing over TLS.")] = False,
    no_udp: Annotated[bool, typer.Option("--no-udp", help="Receive nothing over UDP.")] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Serve no web page.")] = False,
    cert: Annotated[
        Path | None, typer.Option("--cert", metavar="FILE", help="Certificate (chain) of the repository, PEM.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Its key, PEM.")] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Authorities of the nodes that may send, PEM.")
    ] = None,
    any_node: Annotated[
        bool, typer.Option("--any-node", help="Ask nodes for no certificate: anybody may send.")
    ] = False,
    directory: Annotated[
        Path, typer.Option("--directory", metavar="FOLDER", help="Folder for what is made: database, certificates.")
    ] = Path("ps315-audit"),
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Database: a file, or postgresql://USER:PASSWORD@HOST/NAME."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="Detection rules, TOML (default: built-in ones).")
    ] = None,
    users: Annotated[
        Path | None, typer.Option("--users", metavar="FILE", help="Users of the web page, see ps315 audit user.")
    ] = None,
    web_ca: Annotated[
        Path | None,
        typer.Option("--web-ca", metavar="FILE", help="Authorities whose certificates open the web page, PEM."),
    ] = None,
    crl: Annotated[
        Path | None,
        typer.Option(
            "--crl",
            metavar="FILE",
            help="Revocation lists of the authorities in --ca and --web-ca, PEM; a file that is replaced is read anew.",
        ),
    ] = None,
    web_name: Annotated[
        list[str] | None,
        typer.Option("--web-name", metavar="NAME", help="Name by which browsers call the page; may be repeated."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="AuditSourceID of the repository's own messages.")] = "PS315-ARR",
    site: Annotated[str, typer.Option("--site", help="AuditEnterpriseSiteID of its own messages.")] = "",
) -> int:
    """Serve until interrupted. Returns the exit status."""
    import logging

    from harness.commands._audit_own import Own
    from harness.errors import UsageProblem
    from reference_impl.audit.repository.settings import Settings

    logging.basicConfig(level=logging.WARNING, format="ps315: %(message)s")
    _check(
        cert, key, ca, any_node=any_node, no_tls=no_tls, no_web=no_web, files=(cert, key, ca, rules, users, web_ca, crl)
    )
    if no_tls and no_udp:
        raise UsageProblem("--no-tls and --no-udp: nothing would be received; leave one of them out")
    if crl is not None and ca is None and web_ca is None:
        raise UsageProblem("--crl: name the authorities whose lists these are by --ca or --web-ca")
    own = Own(directory)
    chosen_udp, why_not = _udp(udp_port, listen, no_udp=no_udp)
    anchors = ca
    if cert is None and not (no_tls and no_web):
        own.make_certificates()
        cert, key = own.certificate, own.key
        anchors = ca or (None if any_node else own.anchors)
    settings = Settings(
        database=database if database is not None else own.database,
        host=listen,
        tls_port=None if no_tls else tls_port,
        udp_port=chosen_udp,
        web_port=None if no_web else web_port,
        certificate=cert,
        key=key,
        client_ca=anchors,
        revoked=None if ca is None else crl,
        access=None if no_web else _access(own, users, web_ca, crl, (listen, *(web_name or ()))),
        rules=rules,
        name=name,
        site=site,
    )
    return _run(settings, own, why_not)


def _run(settings: Settings, own: Own, why_no_udp: str) -> int:
    import threading

    repository = _started(settings)
    try:
        sys.stdout.write(_announcement(repository, own, why_no_udp))
        sys.stdout.flush()
        while not threading.Event().wait(0.5):
            continue  # a signal that comes just before a wait without end would be noticed only after it
    except KeyboardInterrupt:
        sys.stderr.write("ps315: stopping; what has come is being stored\n")
    finally:
        lost = repository.stop()
    if lost:
        sys.stderr.write(f"ps315: {lost} messages could not be stored: {repository.status.trouble}\n")
        sys.stderr.write(f"ps315: {_kept_aside(repository.left)}\n")
        return 2
    sys.stderr.write("ps315: stopped\n")
    return 0


def _kept_aside(messages: tuple[bytes, ...]) -> str:
    """Where messages are now that the database did not take."""
    import os
    import tempfile

    from reference_impl.syslog_frames import frame

    try:
        handle, path = tempfile.mkstemp(prefix="ps315-audit-unstored-", suffix=".syslog")
        with os.fdopen(handle, "wb") as file:
            file.writelines(frame(message) for message in messages if message)
    except OSError as problem:
        return f"and they are lost: they could not be written to a file either: {problem.strerror}"
    return f"they are in {path}; bring them by ps315 audit send"


def _started(settings: Settings) -> Repository:
    """The repository, started. Raises `UsageProblem` for whatever does not let it start."""
    import ssl

    from harness.errors import UsageProblem
    from reference_impl.audit.repository.detection.conditions import RulesError
    from reference_impl.audit.repository.service import Repository
    from reference_impl.audit.repository.store import StoreError
    from reference_impl.audit.repository.web.users import UsersFileError

    try:
        repository = Repository(settings)
        repository.start()
    except RulesError as problem:
        raise UsageProblem(f"--rules: {problem}") from None
    except StoreError as problem:
        raise UsageProblem(f"--database: {problem}") from None
    except UsersFileError as problem:
        raise UsageProblem(f"--users: {problem}") from None
    except ssl.SSLError as problem:
        said = problem.reason or problem
        raise UsageProblem(f"--cert, --key, --ca: no such certificates and key in PEM: {said}") from None
    except OSError as problem:
        raise UsageProblem(_of_socket(problem, settings)) from None
    except ValueError as problem:
        raise UsageProblem(str(problem)) from None
    return repository


def _of_socket(problem: OSError, settings: Settings) -> str:
    if problem.errno == errno.EADDRINUSE:
        return f"{settings.host}: a port is taken already ({_ports(settings)}); is another repository running?"
    if problem.errno == errno.EACCES:
        return f"{settings.host}: ports below {_PRIVILEGED} are for root ({_ports(settings)}); choose others"
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"{settings.host}: is no address of this computer; name one with --listen"
    return f"{settings.host}: cannot be listened at: {problem.strerror or problem}"


def _ports(settings: Settings) -> str:
    given = {"--tls-port": settings.tls_port, "--udp-port": settings.udp_port, "--web-port": settings.web_port}
    return ", ".join(f"{option} {port}" for option, port in given.items() if port)


def _check(
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
    *,
    any_node: bool,
    no_tls: bool,
    no_web: bool,
    files: tuple[Path | None, ...],
) -> None:
    from harness.errors import UsageProblem

    if (cert is None) != (key is None):
        raise UsageProblem("--cert and --key belong together; give both, or neither to have certificates made")
    if no_tls and no_web and cert is not None:
        raise UsageProblem("--cert: nothing is served over TLS; leave out --no-tls or --no-web")
    if ca is not None and any_node:
        raise UsageProblem("--ca and --any-node contradict each other; leave one of them out")
    if cert is not None and ca is None and not any_node and not no_tls:
        raise UsageProblem("--ca: name the authorities of the nodes that may send, or let anybody by --any-node")
    for path in files:
        if path is not None and not path.is_file():
            raise UsageProblem(f"{path}: there is no such file")


def _udp(port: int | None, host: str, *, no_udp: bool) -> tuple[int | None, str]:
    """The port of UDP, or None and why it is not opened. A port that was asked for is opened or an error."""
    import socket

    if no_udp:
        return None, ""
    if port is not None:
        return port, ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((host, _UDP_PORT))
        except PermissionError:
            return None, f"off, port {_UDP_PORT} is for root; --udp-port 5514 opens another"
        except OSError:
            return None, f"off, port {_UDP_PORT} is taken; --udp-port names another"
    return _UDP_PORT, ""


def _access(own: Own, users: Path | None, web_ca: Path | None, crl: Path | None, names: tuple[str, ...]) -> Access:
    from harness.errors import UsageProblem
    from reference_impl.audit.repository.web.access import Access

    if users is None and web_ca is None:
        users = own.make_users()
    usual = ("localhost", "127.0.0.1", "::1")
    try:
        hosts = tuple(dict.fromkeys((*names, *usual)))
        return Access(users=users, client_ca=web_ca, revoked=None if web_ca is None else crl, hosts=hosts)
    except ValueError as problem:
        raise UsageProblem(f"--users, --web-ca: {problem}") from None


def _announcement(repository: Repository, own: Own, why_no_udp: str) -> str:
    """Where it listens, what it keeps, and how to send it something."""
    addresses, settings = repository.addresses, repository.settings
    lines = [f"audit repository {settings.name}, stored in {repository.store.name}"]
    if addresses.tls is not None:
        who = "with a certificate" if settings.client_ca is not None else "from anybody"
        lines.append(f"  syslog over TLS (A.6)  {_spoken(addresses.tls)}  {who}")
        lines += [f"  known to senders by    {each}" for each in _fingerprints(settings)]
    if addresses.udp is not None or why_no_udp:
        lines.append(f"  syslog over UDP (A.7)  {_spoken(addresses.udp) if addresses.udp else why_no_udp}")
    if addresses.web is not None:
        lines.append(f"  web page               https://{page_of(settings, addresses.web)}/")
        if _is_any(addresses.web[0]) and settings.access is not None and not _named(settings):
            lines.append(
                "                         from other computers with --web-name and the name by which they call it"
            )
    if own.password:
        lines.append(f"  user of the web page   {own.user}, password {own.password} (this once; ps315 audit user)")
    if addresses.tls is not None and settings.certificate == own.certificate:
        lines.append(
            f"try it: ps315 audit send MESSAGE.xml --to syslog-tls://{_spoken(_here(addresses.tls))}"
            f" --cert {own.client_certificate} --key {own.client_key} --ca {own.anchors}"
        )
    return "\n".join(lines) + "\n"


def _fingerprints(settings: Settings) -> list[str]:
    """How the certificate is told to those who configure senders by fingerprints (RFC 5425 4.2.2)."""
    from reference_impl.audit.syslog.tls import fingerprint_of

    return [] if settings.certificate is None else [fingerprint_of(settings.certificate, of) for of in _HASHES]


_OF_HERE = ("localhost", "127.0.0.1", "::1")


def page_of(settings: Settings, address: tuple[str, int]) -> str:
    """Host and port of the page as a browser calls it: by a name, where all addresses are listened at."""
    names = _named(settings)
    return _spoken((names[0], address[1]) if names and _is_any(address[0]) else _here(address))


def _named(settings: Settings) -> list[str]:
    """The names that were given for the page."""
    hosts = () if settings.access is None else settings.access.hosts
    return [each for each in hosts if each not in _OF_HERE and not _is_any(each)]


def _here(address: tuple[str, int]) -> tuple[str, int]:
    """`address`, by a name of this computer where it is any address: nobody can call that, nor is it certified."""
    return ("localhost", address[1]) if _is_any(address[0]) else address


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 - nothing is bound to it here


def _spoken(address: tuple[str, int] | None) -> str:
    if address is None:
        return ""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
