"""The tables and keys of a SUT file, and the sentences that say what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.credentials import CredentialSources

SCHEMA = 1
DEFAULT_EDITION = "2026c"
DEFAULT_CALLED_AET = "ANY-SCP"
DEFAULT_CALLING_AET = "PS315-HARNESS"
PROTOCOLS = ("dicom-tls", "https", "syslog-tls")


class Role(StrEnum):
    """In what part a SUT is judged; shared by claims, requirements and the report."""

    TLS_SERVER = "tls-server"
    TLS_CLIENT = "tls-client"
    ASSOCIATION_ACCEPTOR = "association-acceptor"
    ASSOCIATION_REQUESTOR = "association-requestor"
    SIGNATURE_CREATOR = "signature-creator"
    SIGNATURE_VERIFIER = "signature-verifier"
    INSTANCE_STORER = "instance-storer"
    AUDIT_SOURCE = "audit-source"
    AUDIT_REPOSITORY = "audit-repository"
    MEDIA_CREATOR = "media-creator"
    MEDIA_READER = "media-reader"
    DE_IDENTIFIER = "de-identifier"
    RE_IDENTIFIER = "re-identifier"


def closest(word: str, words: Iterable[str]) -> str:
    """``"; did you mean 'x' or 'y'?"``, or nothing where no word is near."""
    near = difflib.get_close_matches(word, list(words), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def checked_ae_title(title: str) -> str:
    """`title`, if it is a value that VR AE allows (PS3.5 6.2): 1 to 16 characters of ISO IR 6 but no backslash."""
    if title != title.strip(" "):
        title = title.strip(" ")  # PS3.5: leading and trailing spaces are not significant
    if not title:
        raise ValueError("an AE title has at least one character that is no space")
    if len(title) > 16:
        raise ValueError(f"an AE title has at most 16 characters, this one has {len(title)}")
    if not all(" " <= character <= "~" and character != "\\" for character in title):
        raise ValueError("an AE title has only ASCII characters, no backslash and no control characters")
    return title


AeTitle = Annotated[str, AfterValidator(checked_ae_title)]


class Part(BaseModel):
    """Base of every table of the SUT file: closed, so that a misspelt key is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Identity(Part):
    """Who is judged, by whom and where. `id` names the SUT's folder and stays the same over runs."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    vendor: str = ""
    product: str = ""
    version: str = ""
    serial: str = ""
    site: str = ""
    tester: str = ""


class Endpoint(Part):
    """Where the SUT is reached."""

    protocol: Literal["dicom-tls", "https", "syslog-tls"] = "dicom-tls"
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Annotated[int, Field(ge=1, le=65535, strict=True)]
    called_aet: AeTitle = DEFAULT_CALLED_AET
    calling_aet: AeTitle = DEFAULT_CALLING_AET
    server_name: Annotated[str, Field(max_length=255)] = ""

    @field_validator("host")
    @classmethod
    def _bare_host(cls, host: str) -> str:
        host = host.removeprefix("[").removesuffix("]")
        if re.search(r"[\s/@?#]", host) or "://" in host:
            raise ValueError("is not a host name or address; write the name alone, the port has a key of its own")
        return host


class Claim(Part):
    """A PS3.15 profile that the SUT says it conforms to, in a role, at an endpoint (and alternates of it)."""

    profile: Annotated[str, Field(min_length=1)]
    edition: str = DEFAULT_EDITION
    role: Role = Role.TLS_SERVER
    endpoint: str
    alternates: tuple[str, ...] = ()


class OperatorAnswer(Part):
    """A recorded answer to a guided step."""

    answer: Annotated[str, Field(min_length=1)]
    confirmed_by: Annotated[str, Field(min_length=1)]
    at: datetime

    @field_validator("at")
    @classmethod
    def _with_zone(cls, at: datetime) -> datetime:
        return at if at.tzinfo else at.astimezone()


class Waiver(Part):
    """A finding that the site accepts, for a reason and until a day."""

    requirement: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    until: date
    endpoint: str = ""


class SutFile(Part):
    """The whole SUT file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    identity: Identity
    endpoints: Annotated[dict[str, Endpoint], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    credentials: CredentialSources = CredentialSources()
    declarations: dict[str, str] = {}
    operator: dict[str, OperatorAnswer] = {}
    waivers: tuple[Waiver, ...] = ()

    @field_validator("declarations", mode="before")
    @classmethod
    def _yes_or_no(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {key: {True: "yes", False: "no"}[v] if isinstance(v, bool) else v for key, v in value.items()}

    @field_validator("endpoints")
    @classmethod
    def _endpoint_names(cls, endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
        for name in endpoints:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
                raise ValueError(f"{name!r} is no endpoint name; use letters, digits, '-' and '_'")
        return endpoints

    @model_validator(mode="after")
    def _names_resolve(self) -> SutFile:
        for number, claim in enumerate(self.claims, 1):
            for name in (claim.endpoint, *claim.alternates):
                if name not in self.endpoints:
                    known = ", ".join(self.endpoints)
                    raise ValueError(
                        f"claims #{number} names the endpoint {name!r}, which [endpoints] lacks (it has: {known})"
                    )
                _check_protocol(number, claim.profile, name, self.endpoints[name].protocol)
        for number, waiver in enumerate(self.waivers, 1):
            if waiver.endpoint and waiver.endpoint not in self.endpoints:
                raise ValueError(f"waivers #{number} names the endpoint {waiver.endpoint!r}, which [endpoints] lacks")
        return self


def _check_protocol(number: int, profile: str, endpoint: str, protocol: str) -> None:
    """Raise `ValueError` for a claim of a profile of Annex B at a syslog endpoint, or of A.6 at another one."""
    if profile.startswith("B.") and protocol == "syslog-tls":
        raise ValueError(
            f'claims #{number}: a syslog-tls endpoint is judged by A.6, not by {profile}; write profile = "A.6", '
            "or name a dicom-tls or https endpoint"
        )
    if profile == "A.6" and protocol != "syslog-tls":
        raise ValueError(
            f"claims #{number}: A.6 is judged at syslog-tls endpoints, and {endpoint!r} is {protocol}; name a "
            "syslog-tls endpoint"
        )


_REMEDIES = {
    "schema": "write schema = 1 as the first line",
    "id": "use letters, digits, '.', '_' and '-', at most 64",
    "identity": "add a table [identity] with id, vendor, product, version",
    "endpoints": "add a table [endpoints.dimse] with host and port",
    "claims": 'add a table [[claims]] with profile = "B.12" and endpoint = "dimse"',
    "endpoint": 'name a table of [endpoints], for example endpoint = "dimse"',
    "protocol": "write one of: " + ", ".join(PROTOCOLS),
    "role": "write one of: " + ", ".join(Role),
    "port": "write a number from 1 to 65535",
    "host": "write a host name or an address",
    "until": "write a day, for example until = 2027-06-30",
    "at": "write a time, for example at = 2026-11-22T10:00:00Z",
    "called_aet": "write the SUT's AE title",
    "calling_aet": "write the AE title under which the SUT knows this harness",
    "declarations": "write a text, true or false for each requirement id",
    "profile": 'write a profile, for example "B.12"',
}


def _where(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        path += f" #{part + 1}" if isinstance(part, int) else f"{'.' if path else ''}{part}"
    return path


def _keys_at(location: Sequence[int | str]) -> tuple[str, ...]:
    """The keys that are known at the table in which an unknown one stands."""
    models: dict[str, type[BaseModel]] = {
        "identity": Identity,
        "endpoints": Endpoint,
        "claims": Claim,
        "credentials": CredentialSources,
        "operator": OperatorAnswer,
        "waivers": Waiver,
    }
    model = models.get(str(location[0]), SutFile) if len(location) > 1 else SutFile
    return tuple(info.alias or name for name, info in model.model_fields.items())


def sentence_of(source: str, error: Mapping[str, Any]) -> str:
    """What is wrong, where and how to mend it, for one `error` of pydantic."""
    location = tuple(part for part in error["loc"] if part not in {"Secret", "str"})
    last = next((str(part) for part in reversed(location) if isinstance(part, str)), "")
    where = f"{source}: {_where(location)}: " if location else f"{source}: "
    remedy = f"; {_REMEDIES[last]}" if last in _REMEDIES else ""
    match error["type"]:
        case "missing":
            return f"{where}is missing{remedy}"
        case "extra_forbidden":
            known = _keys_at(location)
            return f"{where}is no key of a SUT file{closest(last, known) or '; known here: ' + ', '.join(known)}"
        case "value_error":
            return where + str(error["ctx"]["error"])
        case "string_pattern_mismatch":
            return f"{where}has characters that are not allowed{remedy}"
        case _:
            message = str(error["msg"])
            return f"{where}{message[0].lower()}{message[1:]}{remedy}"
