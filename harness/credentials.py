"""Credentials of a SUT file: loaded from files or the environment, checked to fit together, never shown."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.errors import UsageProblem
from harness.probes.base import ClientCredentials

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign


class Secret(BaseModel):
    """Where a secret stands: in an environment variable or in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    env: Annotated[str, Field(min_length=1)] | None = None
    file: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError('write { env = "NAME" } or { file = "PATH" }')
        return self


class CredentialSources(BaseModel):
    """`[credentials]`: a plain string is a path, but for `client_key_password`, where it is the password itself.

    `campaign` is a folder that ``ps315 pki`` made: what is not given beside it comes from there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    client_certificate: str | Secret | None = None
    client_key: str | Secret | None = None
    client_key_password: str | Secret | None = Field(default=None, repr=False)
    trust_anchors: str | Secret | None = None
    campaign: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _certificate_with_key(self) -> CredentialSources:
        if (self.client_certificate is None) != (self.client_key is None):
            given, other = (
                ("client_certificate", "client_key")
                if self.client_key is None
                else ("client_key", "client_certificate")
            )
            raise ValueError(f"{given} is given without {other}; give both, or neither")
        return self


@dataclass(frozen=True)
class Credentials:
    """Loaded credentials. `given` names them for the report; `secrets` are the octets that no record may show."""

    client: ClientCredentials | None = field(default=None, repr=False)
    trust_anchors: Path | None = None
    given: tuple[str, ...] = ()
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    campaign: Campaign | None = field(default=None, repr=False)


def _octets(value: str | Secret, *, where: str, folder: Path) -> tuple[bytes, str]:
    """The content that `value` points to, and how to call it in a message."""
    if isinstance(value, Secret) and value.env is not None:
        content = os.environ.get(value.env)
        if not content:
            raise UsageProblem(f"{where}: the environment variable {value.env} is not set; set it, or name a file")
        return content.encode(), f"{where}: the environment variable {value.env}"
    named = value.file if isinstance(value, Secret) else value
    path = folder / Path(str(named)).expanduser()
    try:
        return path.read_bytes(), f"{where}: {path}"
    except OSError as problem:
        raise UsageProblem(f"{where}: {path} cannot be read: {problem.strerror}; name an existing file") from None


def secret_value(secret: Secret, *, where: str, folder: Path) -> str:
    """The text that `secret` stands for, without a line end. Raises `UsageProblem` naming `where`."""
    content, called = _octets(secret, where=where, folder=folder)
    try:
        return content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageProblem(f"{called} is no text in UTF-8; write it anew") from None


def _check_certificates(pem: bytes, called: str) -> bytes:
    """The public key (SubjectPublicKeyInfo) of the first certificate. Raises `UsageProblem`."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        leaf = x509.load_pem_x509_certificates(pem)[0]
        return leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        holds = "holds a private key" if b"PRIVATE KEY" in pem else "is no certificate"
        raise UsageProblem(f"{called} {holds}; give a certificate (chain) in PEM form") from None


def _check_key(pem: bytes, password: bytes | None, called: str) -> tuple[bytes, bytes]:
    """The public key (SubjectPublicKeyInfo) and the private key (PKCS #8) in DER. Raises `UsageProblem`."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(pem, password)
    except TypeError:
        remedy = "give client_key_password" if password is None else "leave client_key_password out"
        state = "is encrypted" if password is None else "is not encrypted"
        raise UsageProblem(f"{called} {state}; {remedy}") from None
    except ValueError:
        if password is not None and b"PRIVATE KEY" in pem:
            raise UsageProblem(f"{called} cannot be decrypted; check client_key_password") from None
        raise UsageProblem(f"{called} is no private key; give an unbroken key in PEM form") from None
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _secret_parts(pem: bytes, der: bytes, password: bytes | None) -> tuple[bytes, ...]:
    """What must not be shown: the password, the key's octets and each line of its PEM body."""
    lines = [line.strip() for line in pem.splitlines()]
    body = [line for line in lines if len(line) >= 16 and not line.startswith(b"-----")]
    return tuple(part for part in (password, der, *body) if part)


def _as_file(pem: bytes, value: str | Secret, folder: Path) -> Path:
    """A path that holds `pem`; a temporary one, gone at exit, where the environment holds it."""
    if not (isinstance(value, Secret) and value.env is not None):
        return folder / Path(str(value.file if isinstance(value, Secret) else value)).expanduser()
    handle, name = tempfile.mkstemp(prefix="ps315-trust-", suffix=".pem")
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)


def load_credentials(
    sources: CredentialSources, *, folder: Path, source: str, called: Mapping[str, str] | None = None
) -> Credentials:
    """Load what `sources` names, relative to `folder`. Raises `UsageProblem` naming `source` and the key.

    `called` says what to call a key instead, for example ``--cert`` where it comes from a flag.
    """

    def octets(key: str, value: str | Secret) -> tuple[bytes, str]:
        where = called[key] if called else f"{source}: credentials.{key}"
        return _octets(value, where=where, folder=folder)

    client: ClientCredentials | None = None
    anchors: Path | None = None
    given: list[str] = []
    secrets: tuple[bytes, ...] = ()
    campaign = None
    if sources.campaign is not None:
        where = called["campaign"] if called else f"{source}: credentials.campaign"
        campaign, secrets = _load_campaign(folder / Path(sources.campaign).expanduser(), where)
        given.append("test campaign")
    password: bytes | None = None
    if sources.client_key_password is not None:
        if isinstance(sources.client_key_password, str):
            password = sources.client_key_password.encode()
        else:
            password, _ = octets("client_key_password", sources.client_key_password)
            password = password.rstrip(b"\r\n")
    if sources.client_certificate is not None and sources.client_key is not None:
        certificate, name = octets("client_certificate", sources.client_certificate)
        public = _check_certificates(certificate, name)
        key, name = octets("client_key", sources.client_key)
        public_of_key, der = _check_key(key, password, name)
        if public != public_of_key:
            raise UsageProblem(f"{name} does not belong to the client certificate; give the key it was issued for")
        client = ClientCredentials(certificate, key, password)
        given.append("client certificate")
        secrets += _secret_parts(key, der, password)
    elif campaign is not None:
        client = ClientCredentials(campaign.client.chain_pem, campaign.client.key_pem)
        given.append("client certificate")
    if sources.trust_anchors is not None:
        pem, name = octets("trust_anchors", sources.trust_anchors)
        _check_certificates(pem, name)
        anchors = _as_file(pem, sources.trust_anchors, folder)
        given.append("trust anchors")
    elif campaign is not None:
        anchors = campaign.trust_anchors_of_sut
        given.append("trust anchors")
    return Credentials(client, anchors, tuple(given), secrets, campaign)


def _load_campaign(folder: Path, where: str) -> tuple[Campaign, tuple[bytes, ...]]:
    """The campaign in `folder`, and the octets of its private keys. Raises `UsageProblem`."""
    from fixtures.pki.campaign import Campaign, CampaignError

    try:
        campaign = Campaign.load(folder)
        keys = campaign.private_keys()
    except CampaignError as problem:
        raise UsageProblem(f"{where}: {problem}; make one with `ps315 pki {folder}`") from None
    parts: tuple[bytes, ...] = ()
    for pem in keys:
        _, der = _check_key(pem, None, where)
        parts += _secret_parts(pem, der, None)
    return campaign, parts
