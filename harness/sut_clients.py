"""The tables of a SUT file that describe a SUT which connects: where we listen, and what makes it come."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.sut_objects import Said
from harness.sut_parts import AeTitle, Part, closest

OBJECT_PLACEHOLDERS = ("input", "output", "object", "instances", "crl")
PLACEHOLDERS = ("host", "port", "trust_anchors", "called_aet", "calling_aet", "trial", "event", *OBJECT_PLACEHOLDERS)
"""What may stand in braces in a driver's command; the last are about files that are handed over."""
EMBEDDED = "embedded"
"""`driver` of an endpoint whose SUT is a part of this process; no file may name it."""
DriverKind = Literal["command", "dimse", "operator", "embedded"]

# ${...} is the shell's, {{name}} stands for {name}.
_BRACES = re.compile(r"\$\{[^}]*\}|\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")


def placeholders(command: str) -> tuple[str, ...]:
    """The names that stand in braces in `command`, in order; ``${NAME}`` and ``{{name}}`` are none."""
    return tuple(match[2] for match in _BRACES.finditer(command) if match[2])


def fill(command: str, values: Mapping[str, str]) -> str:
    """`command` with its placeholders replaced by `values` as they are. Raises `KeyError` for an unknown one."""

    def replaced(match: re.Match[str]) -> str:
        if match[2]:
            return values[match[2]]
        return "{" + match[1] + "}" if match[1] else match[0]

    return _BRACES.sub(replaced, command)


def is_loopback(host: str) -> bool:
    """Whether `host` is this computer under an address or name that no other computer reaches."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Listen(Part):
    """Where the harness listens for the SUT.

    `name` is how the SUT calls this computer. `trials` narrows what is played to ids that match one of the patterns.
    """

    address: Annotated[str, Field(max_length=255)] = ""
    port: Annotated[int, Field(ge=0, le=65535, strict=True)] = 0
    name: Annotated[str, Field(max_length=255)] = ""
    ports: Literal["one", "each"] = "one"
    driver: str = ""
    seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    trials: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    @field_validator("address")
    @classmethod
    def _an_address(cls, address: str) -> str:
        address = address.removeprefix("[").removesuffix("]")
        if address:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ValueError(
                    'is no address of this computer; write one, or "0.0.0.0" for all; a name stands in the key name'
                ) from None
        return address

    @field_validator("name")
    @classmethod
    def _a_name(cls, name: str) -> str:
        if re.search(r"[\s/@?#]", name) or "://" in name:
            raise ValueError("is no host name; write the name (or address) alone under which the SUT calls us")
        return name

    def bound_to(self, sut_host: str) -> str:
        """The address to bind: as written, else the loopback one for a SUT on this computer, else every one."""
        six = ":" in sut_host
        if self.address:
            return self.address
        if is_loopback(sut_host):
            return "::1" if six else "127.0.0.1"
        return "::" if six else "0.0.0.0"  # noqa: S104 - the SUT is another computer

    def called(self, sut_host: str) -> str:
        """The name under which the SUT calls us: as written, else the address, else localhost."""
        bound = self.bound_to(sut_host)
        return self.name or ("localhost" if ipaddress.ip_address(bound).is_unspecified else bound)

    def needs_name(self, sut_host: str) -> bool:
        """Whether only the operator can tell how the SUT calls us."""
        bound = ipaddress.ip_address(self.bound_to(sut_host))
        return not self.name and bound.is_unspecified and not is_loopback(sut_host)


class DriverTable(Part):
    """What makes the SUT act: a shell command, a DIMSE request to another endpoint of it, or a person.

    `secrets` names environment variables that the command uses and that no record shows. `valid`, `invalid` and
    `unverifiable` say how a command that verifies a signature gives its answer.
    """

    command: Annotated[str, Field(min_length=1, max_length=8192)] | None = None
    secrets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    valid: Said | None = None
    invalid: Said | None = None
    unverifiable: Said | None = None
    dimse: Literal["c-move", "storage-commitment"] | None = None
    endpoint: str = ""
    plain: bool = False
    destination: AeTitle | None = None
    study: str = ""
    sop_class: str = ""
    sop_instance: str = ""
    operator: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    @property
    def kind(self) -> DriverKind:
        """Which of the three it is."""
        if self.command is not None:
            return "command"
        return "dimse" if self.dimse is not None else "operator"

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders of its command; none where it is another kind."""
        return placeholders(self.command or "")

    @field_validator("command")
    @classmethod
    def _known_placeholders(cls, command: str | None) -> str | None:
        if command is not None and "\0" in command:
            raise ValueError("has a NUL character, which no shell takes")
        for name in placeholders(command or ""):
            if name not in PLACEHOLDERS:
                raise ValueError(
                    f"{{{name}}} is no placeholder; known: "
                    + " ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                    + f" (write {{{{{name}}}}} for braces that the shell is to see)"
                    + closest(name, PLACEHOLDERS)
                )
        return command

    @field_validator("study", "sop_class", "sop_instance")
    @classmethod
    def _a_uid(cls, uid: str) -> str:
        if uid and (len(uid) > 64 or not _UID.fullmatch(uid)):
            raise ValueError("is no UID; write digits and dots, at most 64 characters (PS3.5 9)")
        return uid

    @model_validator(mode="after")
    def _one_kind(self) -> DriverTable:
        given = [name for name in ("command", "dimse", "operator") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "has none of command, dimse and operator"
            raise ValueError(f"{said}; write exactly one of them")
        keys = {"command": {"secrets", "valid", "invalid", "unverifiable"}, "operator": set()}.get(
            given[0], {"endpoint", "plain", "destination", "study", "sop_class", "sop_instance"}
        )
        for name in sorted(self.model_fields_set - {given[0]} - keys):
            raise ValueError(f"{name} is no key of a driver with {given[0]}; leave it out")
        if self.dimse is not None:
            self._check_dimse()
        return self

    def _check_dimse(self) -> None:
        if not self.endpoint:
            raise ValueError('endpoint is missing; name the endpoint that takes the request, e.g. endpoint = "dimse"')
        if self.dimse == "c-move" and not self.study:
            raise ValueError("study is missing; write the Study Instance UID that the SUT is asked to send")
        if self.dimse == "storage-commitment" and not (self.sop_class and self.sop_instance):
            raise ValueError("sop_class and sop_instance are missing; name an instance that the SUT keeps")
