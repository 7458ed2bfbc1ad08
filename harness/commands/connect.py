"""``ps315 connect``: run the reference client once against a server, for others to test their servers with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import _options as option

if TYPE_CHECKING:
    from pydicom import Dataset

    from harness.target import Target
    from reference_impl.scu import Outcome, Scu
    from reference_impl.transport.front import Identity


def connect(
    target: Annotated[str, typer.Argument(help="HOST:PORT or a URL.", metavar="TARGET")],
    *,
    profile: Annotated[str, typer.Option("--profile", help="Profile that the client keeps.")] = "B.12",
    edition: option.Edition = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="Switch on a fault of the client; may be repeated.", metavar="NAME"),
    ] = None,
    cert: option.Certificate = None,
    key: option.Key = None,
    ca: option.Authorities = None,
    crl: Annotated[
        list[Path] | None, typer.Option("--crl", help="Revocation list, DER or PEM; may be repeated.", metavar="FILE")
    ] = None,
    server_name: Annotated[
        str, typer.Option("--server-name", help="Name that the certificate has to bear (default: the host).")
    ] = "",
    called_aet: Annotated[str, typer.Option("--called-aet", help="AE title of the server.")] = "ANY-SCP",
    calling_aet: Annotated[str, typer.Option("--calling-aet", help="AE title of the client.")] = "PS315-SCU",
    store: Annotated[
        list[Path] | None, typer.Option("--store", help="Instance to store; may be repeated.", metavar="FILE")
    ] = None,
    get: Annotated[str, typer.Option("--get", help="Path to get over HTTPS.", metavar="PATH")] = "/",
) -> int:
    """Connect, send C-ECHO (or store, or get), say how it went. Returns 0 if all was done, else 1."""
    from harness.errors import UsageProblem
    from harness.sut import checked_ae_title
    from harness.target import parse_target

    parsed = parse_target(target)
    instances = [_instance(path) for path in store or []]
    if parsed.protocol == "https" and instances:
        raise UsageProblem("--store: instances are stored over DICOM; name the server as HOST:PORT")
    try:
        called = checked_ae_title(parsed.called_aet or called_aet)
        calling = checked_ae_title(calling_aet)
    except ValueError as problem:
        raise UsageProblem(str(problem)) from None
    kept = profile, edition or ""
    client = _client(parsed, kept, fault or [], calling, _identity(cert, key), _anchors(ca), crl or [])
    outcome = _talk(client, parsed, called, server_name, instances, get)
    word = "done" if outcome.ok else f"ended at the stage {outcome.stage}"
    sys.stdout.write(f"{parsed.address}: {word}: {outcome.detail}\n")
    return 0 if outcome.ok else 1


def _talk(  # noqa: PLR0917 - the parts of one command line
    client: Scu, target: Target, called: str, server_name: str, instances: list[Dataset], path: str
) -> Outcome:
    if target.protocol == "syslog-tls":
        return client.send(target.host, target.port, server_name=server_name)
    if target.protocol == "https":
        return client.get(target.host, target.port, path, server_name)
    if instances:
        return client.store(target.host, target.port, called, instances, server_name)
    return client.echo(target.host, target.port, called, server_name)


def _client(  # noqa: PLR0917 - the parts of one command line
    target: Target,
    kept: tuple[str, str],
    faults: list[str],
    calling: str,
    identity: Identity | None,
    anchors: bytes,
    crls: list[Path],
) -> Scu:
    """The client of the command line. Raises `UsageProblem`."""
    from cryptography import x509

    from harness.claims import check_kept
    from harness.errors import UsageProblem
    from harness.sut import closest
    from reference_impl.faults import load_faults
    from reference_impl.node import BESIDE, PROFILES
    from reference_impl.scu import PROTOCOLS, Scu

    if target.protocol not in PROTOCOLS:
        raise UsageProblem(f"TARGET: the client speaks {' and '.join(PROTOCOLS)}, not {target.protocol}")
    check_kept(kept[0], kept[1], (*PROFILES, *BESIDE))
    known = load_faults("tls-client")
    for name in faults:
        if name not in known:
            raise UsageProblem(f"--fault: there is no fault {name!r}{closest(name, known) or '; see `ps315 faults`'}")
    try:
        return Scu(
            kept[0],
            faults,
            edition=kept[1],
            protocol=target.protocol,
            trust_anchors=x509.load_pem_x509_certificates(anchors) if anchors else [],
            identity=identity,
            ae_title=calling,
            crls=[_list(path) for path in crls],
        )
    except LookupError as problem:
        raise UsageProblem(f"--profile: {problem}") from None
    except ValueError as problem:
        raise UsageProblem(f"the client cannot be set up: {problem}") from None


def _read(path: Path, flag: str) -> bytes:
    from harness.errors import UsageProblem

    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageProblem(f"{flag}: {path} cannot be read: {problem.strerror}") from None


def _anchors(path: Path | None) -> bytes:
    return _read(path, "--ca") if path else b""


def _list(path: Path) -> bytes:
    """The revocation list in DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    data = _read(path, "--crl")
    return x509.load_pem_x509_crl(data).public_bytes(Encoding.DER) if data.startswith(b"-----") else data


def _identity(certificate: Path | None, key: Path | None) -> Identity | None:
    """What the client shows when it is asked. Raises `UsageProblem`."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from harness.errors import UsageProblem
    from reference_impl.transport.front import Identity
    from reference_impl.transport.front.settings import IdentityKey

    if certificate is None or key is None:
        if certificate is not key:
            raise UsageProblem("--cert and --key belong together: give both or neither")
        return None
    try:
        chain = tuple(x509.load_pem_x509_certificates(_read(certificate, "--cert")))
        loaded = load_pem_private_key(_read(key, "--key"), None)
    except (ValueError, TypeError) as problem:
        raise UsageProblem(f"--cert, --key: {problem}; give PEM files without a password") from None
    if not isinstance(loaded, IdentityKey):
        raise UsageProblem("--key: the key is of a type that TLS client authentication does not use")
    return Identity(chain, loaded)


def _instance(path: Path) -> Dataset:
    """The DICOM file. Raises `UsageProblem`."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    from harness.errors import UsageProblem
    from reference_impl.dicom_client import proposal_of

    try:
        instance = dcmread(path)
        proposal_of(instance)
    except (OSError, InvalidDicomError, ValueError) as problem:
        raise UsageProblem(f"--store: {path} is no DICOM instance that can be sent: {problem}") from None
    return instance
