"""The catalogue of requirements: what judgements cite, read from the ``requirements`` tables of suite folders.

A suite folder holds ``requirements.toml`` or ``requirements/**/*.toml``: an optional ``[defaults]`` table and an array
``[[requirement]]``. Vendors' folders declare a ``prefix`` of their own at the top of every file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from harness.errors import HarnessError, UsageProblem
from reference_impl.editions import includes

Level = Literal["shall", "should", "may"]
Judged = Literal["automatically", "by-declaration", "by-operator", "not-testable", "derived"]

BUILT_IN = Path(__file__).resolve().parent.parent / "suites"
"""The folder of the built-in suites, one folder per domain."""

_RESERVED = re.compile(r"(?:RFC\d*|PS3|[A-Z](?:\.\d+)*)\Z")
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{1,15}\Z")
_DEEPEST_PAGE = 3  # numbers behind the letter of an annex
_NEMA = "https://dicom.nema.org/medical/dicom/{edition}/output/chtml/part{part}/{page}.html"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Entry):
    """Where a requirement stands: "PS3.15" with edition, section and paragraph (xml:id), or an RFC with its section."""

    document: str = Field(min_length=1)
    edition: str = ""
    section: str = Field(min_length=1)
    paragraph: str = ""


class Applicability(_Entry):
    """For which claims a requirement stands: profile, editions, kinds of endpoint and what has to hold."""

    profile: str = Field(min_length=1)
    editions: tuple[str, ...] = Field(min_length=1)  # editions, or spans of them: "2018b..2022d", "..2018a"
    protocols: tuple[str, ...] = ()  # "dicom-tls", "https", "syslog-tls"; empty: every kind of endpoint
    condition: str = ""  # one sentence; where an observation shows it false, the requirement does not apply

    @field_validator("editions")
    @classmethod
    def _spans(cls, editions: tuple[str, ...]) -> tuple[str, ...]:
        for span in editions:
            includes(span, "2026c")  # ValueError for a span that is none
        return editions

    def holds_in(self, edition: str) -> bool:
        """Whether `edition` is one of the editions, or lies within one of the spans."""
        return any(includes(span, edition) for span in self.editions)


class Requirement(_Entry):
    """One normative statement, in this project's own words.

    `reason` says why a requirement is not testable; `question` and `answer` ("yes", or "text" for any words) are what
    the SUT file is asked for one judged by declaration; `members` are the ids, or patterns of ids, that an umbrella
    requirement is derived from. `see_also` names tests of others that are about the same. `vendor_suite` is the prefix
    of the vendor's suite, empty for a built-in requirement.
    """

    id: str = Field(pattern=r"^[A-Z][A-Za-z0-9.]*(-[A-Za-z0-9.]+)+$")
    title: str = Field(min_length=1, max_length=70)
    text: str = Field(min_length=1)
    level: Level
    role: str = Field(min_length=1)
    applies: tuple[Applicability, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = Field(min_length=1)
    judged: Judged
    reason: str = ""
    question: str = ""
    answer: Literal["", "yes", "text"] = ""
    denied: Literal["fail", "inconclusive"] = "fail"  # what the answer "no" to a yes-question establishes
    members: tuple[str, ...] = ()
    remedy: str = ""
    see_also: tuple[str, ...] = ()
    vendor_suite: str = ""

    @property
    def imported(self) -> bool:
        """Whether it is brought in by reference (BCP 195, TLS), not the claimed profile's own (DICOM's, or IHE's)."""
        return all(not source.document.startswith(("PS3.", "IHE ")) for source in self.sources)

    @property
    def condition(self) -> str:
        """What has to hold for the requirement to apply, empty if nothing."""
        return next((of.condition for of in self.applies if of.condition), "")

    def applies_to(self, profile: str, edition: str, role: str, protocol: str) -> bool:
        """Whether a claim of `profile` and `edition` in `role` at an endpoint of `protocol` is bound by it."""
        return self.role == role and any(
            of.profile == profile and of.holds_in(edition) and (not of.protocols or protocol in of.protocols)
            for of in self.applies
        )


class Catalogue:
    """Requirements by id, in the order of their files."""

    def __init__(self, requirements: tuple[Requirement, ...]) -> None:
        self._by_id = {requirement.id: requirement for requirement in requirements}
        # neither changes, and both are asked for again and again: for each claim, umbrella and fault
        self._bound: dict[tuple[str, str, str, str], tuple[Requirement, ...]] = {}
        self._deciding: dict[tuple[str, tuple[str, ...], str, str, str, str], tuple[Requirement, ...]] = {}

    def __getitem__(self, requirement: str) -> Requirement:
        return self._by_id[requirement]

    def __contains__(self, requirement: object) -> bool:
        return requirement in self._by_id

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def select(self, profile: str, edition: str, role: str, protocol: str) -> tuple[Requirement, ...]:
        """The requirements that bind one claim at one kind of endpoint."""
        claimed = profile, edition, role, protocol
        if claimed not in self._bound:
            self._bound[claimed] = tuple(each for each in self if each.applies_to(*claimed))
        return self._bound[claimed]

    def members_of(
        self, umbrella: Requirement, profile: str, edition: str, role: str, protocol: str
    ) -> tuple[Requirement, ...]:
        """The requirements that decide an umbrella in one claim.

        Patterns reach shall-level requirements only. Umbrellas among the members are replaced by their own members;
        requirements that do not bind the claim, or cannot be tested, are left out.
        """
        asked = umbrella.id, umbrella.members, profile, edition, role, protocol
        if asked not in self._deciding:
            self._deciding[asked] = self._members_of(umbrella, profile, edition, role, protocol)
        return self._deciding[asked]

    def _members_of(
        self, umbrella: Requirement, profile: str, edition: str, role: str, protocol: str
    ) -> tuple[Requirement, ...]:
        found: dict[str, Requirement] = {}
        seen: set[str] = set()
        waiting = [umbrella]
        while waiting:
            current = waiting.pop(0)
            if current.id in seen:
                continue
            seen.add(current.id)
            for member in self._named(current.members):
                if not member.applies_to(profile, edition, role, protocol) or member.judged == "not-testable":
                    continue
                if member.judged == "derived":
                    waiting.append(member)
                else:
                    found[member.id] = member
        return tuple(requirement for requirement in self if requirement.id in found)

    def _named(self, members: tuple[str, ...]) -> Iterator[Requirement]:
        for name in members:
            if "*" in name:
                yield from (each for each in self if each.level == "shall" and fnmatchcase(each.id, name))
            else:
                yield self._by_id[name]

    def as_json(self) -> list[dict[str, Any]]:
        """What ``ps315 requirements --json`` prints (``schemas/requirements.schema.json``)."""
        fields = {"id", "text", "level", "role", "applies", "sources", "judged", "reason"}
        return [requirement.model_dump(mode="json", include=fields) for requirement in self]


def clause_url(source: Source) -> str:
    """The public page of the clause, empty where none is known.

    PS3 parts lead to the edition's chtml page and paragraph on dicom.nema.org, RFCs to the section at rfc-editor.org.
    """
    if source.document.startswith("PS3.") and source.edition:
        part = source.document.removeprefix("PS3.").zfill(2)
        page, section = _page(source.section), f"sect_{source.section}"
        anchor = source.paragraph or (section if "." in source.section and page != section else "")
        return _NEMA.format(edition=source.edition, part=part, page=page) + (f"#{anchor}" if anchor else "")
    if match := re.fullmatch(r"RFC (\d+)", source.document):
        kind = "section" if source.section[0].isdigit() else "appendix"
        return f"https://www.rfc-editor.org/rfc/rfc{match[1]}#{kind}-{source.section}"
    return ""


def _page(section: str) -> str:
    """The page of a section; the first one within another has none of its own, nor has what is deeper."""
    chapter, *numbers = section.split(".")
    own = list(takewhile(lambda number: number != "1", numbers[:_DEEPEST_PAGE]))
    return f"sect_{'.'.join([chapter, *own])}" if own else f"chapter_{chapter}"


@cache
def load_catalogue(*folders: Path) -> Catalogue:
    """The built-in catalogue, and the requirements of the vendors' suite `folders` after it.

    Raises `UsageProblem`, naming file and key, for a vendor's file that is wrong, that takes a built-in prefix or
    that uses an id twice.
    """
    loaded = list(_built_in())
    known = {requirement.id: str(BUILT_IN) for requirement in loaded}
    for folder in folders:
        files = _files(folder)
        if not files:
            raise UsageProblem(f"{folder}: no requirements.toml in this suite folder; write one beside its test files")
        for file in files:
            for requirement in _read(file, vendor=True):
                if requirement.id in known:
                    raise UsageProblem(
                        f"{file}: requirement {requirement.id} is already defined in {known[requirement.id]}"
                    )
                known[requirement.id] = str(file)
                loaded.append(requirement)
    catalogue = Catalogue(tuple(loaded))
    for requirement in catalogue:
        for member in requirement.members:
            if "*" not in member and member not in catalogue:
                raise UsageProblem(
                    f"{known[requirement.id]}: requirement {requirement.id}, key members: {member} is no requirement"
                )
    return catalogue


def domains_of(requirements: Iterable[Requirement]) -> frozenset[str]:
    """The domains (folders of the built-in suites) to which the built-in ones of `requirements` belong."""
    folders = _domains()
    return frozenset(folders[one.id] for one in requirements if one.id in folders and not one.vendor_suite)


@cache
def _built_in() -> tuple[Requirement, ...]:
    return tuple(requirement for _, requirement in _by_domain())


@cache
def _domains() -> dict[str, str]:
    return {requirement.id: domain for domain, requirement in _by_domain()}


@cache
def _by_domain() -> tuple[tuple[str, Requirement], ...]:
    found: dict[str, tuple[str, Requirement]] = {}
    for folder in sorted(BUILT_IN.iterdir()):
        for file in _files(folder):
            for requirement in _read(file, vendor=False):
                if requirement.id in found:
                    raise HarnessError(f"{file}: requirement {requirement.id} is defined twice")
                found[requirement.id] = folder.name, requirement
    return tuple(found.values())


def _files(folder: Path) -> list[Path]:
    single = folder / "requirements.toml"
    return ([single] if single.is_file() else []) + sorted((folder / "requirements").rglob("*.toml"))


_REQUIREMENT = TypeAdapter(Requirement)


def _read(file: Path, *, vendor: bool) -> list[Requirement]:
    """The requirements of one file. Raises `UsageProblem` (a built-in file: `HarnessError`) naming file and key."""
    family = UsageProblem if vendor else HarnessError

    def wrong(key: str, why: str) -> NoReturn:
        raise family(f"{file}: {key}: {why}")

    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise family(f"{file}: cannot be read as TOML: {problem}") from problem

    prefix = table.pop("prefix", "")
    if vendor:
        if not isinstance(prefix, str) or not _PREFIX.match(prefix):
            wrong("prefix", 'a suite needs a prefix of capital letters and digits for its ids, such as prefix = "ACME"')
        if _RESERVED.match(prefix):
            wrong("prefix", f"{prefix} is kept for built-in requirements; choose another one")
    elif prefix:
        wrong("prefix", "built-in requirements have none")
    defaults = table.pop("defaults", {})
    entries = table.pop("requirement", [])
    if table:
        wrong(next(iter(table)), "is not known here; a file holds prefix, [defaults] and [[requirement]]")
    if not isinstance(defaults, dict) or not isinstance(entries, list):
        wrong("requirement", "write requirements as [[requirement]] and defaults as [defaults]")
    requirements = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            wrong(f"requirement {number}", "is no table; write it as [[requirement]]")
        where = f"requirement {entry.get('id', number)}"
        try:
            requirement = _REQUIREMENT.validate_python(_with_defaults(entry, defaults) | {"vendor_suite": prefix})
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            wrong(f"{where}, key {key}", str(first["msg"]))
        if vendor and not requirement.id.startswith(prefix + "-"):
            wrong(f"{where}, key id", f"ids of this suite begin with {prefix}-")
        if complaint := _incoherence(requirement):
            wrong(where, complaint)
        requirements.append(requirement)
    return requirements


def _with_defaults(entry: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """`entry` with the file's defaults; `condition` and `protocols` are folded into each applicability."""
    merged = defaults | entry
    shared = {key: merged.pop(key) for key in ("condition", "protocols") if key in merged}
    if shared and isinstance(merged.get("applies"), list):
        merged["applies"] = [shared | of if isinstance(of, dict) else of for of in merged["applies"]]
    return merged


def _incoherence(requirement: Requirement) -> str:
    """What contradicts itself in a requirement, empty if nothing."""
    judged = requirement.judged
    if (judged == "not-testable") != bool(requirement.reason):
        return "key reason: given for a requirement that is not-testable, and for no other"
    if (judged == "by-declaration") != bool(requirement.question and requirement.answer):
        return "keys question and answer: given for a requirement judged by-declaration, and for no other"
    if (judged == "derived") != bool(requirement.members):
        return "key members: given for a derived requirement, and for no other"
    if requirement.level == "may" and judged != "not-testable":
        return "key judged: what merely may be done is never judged"
    return ""
