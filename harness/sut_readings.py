"""The tables [readings] of a SUT file: by what it is told which of the messages sent to a repository it keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.credentials import Secret, secret_value
from harness.sut_clients import fill, placeholders
from harness.sut_parts import Part, closest

READING_PLACEHOLDERS = ("token", "begin", "end", "since")
"""What may stand in braces in a command, a URL or an instruction: what all messages of one delivery have in common,
what one of them holds near its beginning (its UserID is {begin}@ps315.test) and near its end, and a minute before
sending began (ISO 8601, UTC)."""
ReadingKind = Literal["file", "command", "sql", "web", "operator"]
KINDS: tuple[ReadingKind, ...] = ("file", "command", "sql", "web", "operator")
_NAMED = re.compile(r"(?<!:):(token|pattern|begin|end|since)\b")
_OWN_KEYS: Mapping[str, frozenset[str]] = {
    "file": frozenset(),
    "command": frozenset({"secrets"}),
    "sql": frozenset({"url"}),
    "web": frozenset({"headers", "user", "password"}),
    "operator": frozenset(),
}


class Reading(Part):
    """One way of reading what has arrived: exactly one of `file`, `command`, `sql`, `web` and `operator`.

    `file` is a path or a pattern of paths, relative to the SUT file's folder; only what was appended since the delivery
    is read. `command` prints the records that hold {token}. `sql` selects them at the database `url` (of SQLAlchemy),
    with :token, :pattern (for LIKE), :begin, :end and :since. `web` is a URL that answers with them, asked with
    `headers` and, where `user` is given, with `password`. `operator` tells a person where to look for {token}.

    What is asked by {token} is asked once for all messages of a delivery, by {begin} or {end} once for each.

    `seconds` bounds the wait for one delivery to arrive. `secrets` names environment variables that a command uses and
    that no record shows.
    """

    file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    command: Annotated[str, Field(min_length=1, max_length=8192)] | None = None
    sql: Annotated[str, Field(min_length=1, max_length=8192)] | None = None
    web: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    operator: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    url: str | Secret | None = Field(default=None, repr=False)
    headers: dict[str, str | Secret] = Field(default_factory=dict, repr=False)
    user: Annotated[str, Field(max_length=255)] = ""
    password: str | Secret | None = Field(default=None, repr=False)
    secrets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    seconds: Annotated[float, Field(gt=0, le=3600)] = 20.0

    @property
    def kind(self) -> ReadingKind:
        """Which of the five it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def for_each(self) -> bool:
        """Whether it is asked for each message of a delivery, because it searches for marks of one alone."""
        asked = set(_NAMED.findall(self.sql or "")) | set(placeholders(self.command or self.web or ""))
        return not asked & {"token", "pattern"} and bool(asked & {"begin", "end"})

    def filled(self, values: Mapping[str, str]) -> str:
        """The command, URL or instruction with its placeholders replaced by `values`."""
        return fill(str(getattr(self, self.kind)), values)

    @field_validator("command", "web", "operator")
    @classmethod
    def _known_placeholders(cls, text: str | None) -> str | None:
        if text is not None and "\0" in text:
            raise ValueError("has a NUL character; leave it out")
        for name in placeholders(text or ""):
            if name not in READING_PLACEHOLDERS:
                raise ValueError(
                    f"{{{name}}} is no placeholder; known: "
                    + " ".join(f"{{{known}}}" for known in READING_PLACEHOLDERS)
                    + f" (write {{{{{name}}}}} for braces that are to stay)"
                    + closest(name, READING_PLACEHOLDERS)
                )
        return text

    @field_validator("web")
    @classmethod
    def _a_url(cls, web: str | None) -> str | None:
        if web is not None and not re.match(r"https?://[^\s/]", web):
            raise ValueError(
                'is no URL of HTTP; write one, for example "https://arr/AuditEvent?entity.identifier={token}"'
            )
        return web

    @model_validator(mode="after")
    def _one_kind(self) -> Reading:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else f"has none of {', '.join(KINDS)}"
            raise ValueError(f"{said}; write exactly one of them")
        for name in sorted(self.model_fields_set - {given[0], "seconds"} - _OWN_KEYS[given[0]]):
            raise ValueError(f"{name} is no key of a reading by {given[0]}; leave it out")
        if self.sql is not None and self.url is None:
            raise ValueError(
                'url is missing; write that of the database, for example url = { env = "AUDIT_DB" } or '
                'url = "sqlite:////var/lib/audit/trail.db"'
            )
        if (self.user == "") != (self.password is None):
            raise ValueError("user and password belong together; write both, or neither")
        self._check_told()
        return self

    def _check_told(self) -> None:
        """What is asked has to be told what for."""
        if self.sql is not None and not _NAMED.search(self.sql):
            raise ValueError(
                "is not told what to select; write :pattern into it, for example "
                'sql = "select message from audit where message like :pattern"'
            )
        asked = self.command or self.web
        if asked is not None and not placeholders(asked):
            raise ValueError(f"{self.kind} is not told what to look for; write {{token}} into it")


@dataclass(frozen=True)
class ReadingSecrets:
    """What a reading needs to reach what it reads; `octets` are those that no record may show."""

    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    password: str = field(default="", repr=False)
    octets: tuple[bytes, ...] = field(default=(), repr=False)


def secrets_of(reading: Reading, *, where: str, folder: Path) -> ReadingSecrets:
    """What `reading` names, files relative to `folder`. Raises `UsageProblem` naming `where` and the key."""
    hidden: list[bytes] = []

    def value(key: str, given: str | Secret | None) -> str:
        if isinstance(given, Secret):
            content = secret_value(given, where=f"{where}.{key}", folder=folder)
            hidden.append(content.encode())
            return content
        return given or ""

    url, password = value("url", reading.url), value("password", reading.password)
    headers = {name: value(f"headers.{name}", given) for name, given in reading.headers.items()}
    return ReadingSecrets(url, headers, password, (*hidden, *([password.encode()] if password else [])))
