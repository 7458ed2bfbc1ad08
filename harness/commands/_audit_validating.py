"""What ``ps315 audit validate`` does: it finds messages, examines each, and tells what came of it.

Nothing is kept of a message that conforms, and little of others, so that a folder may hold any number of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from harness.commands._audit_told import Told
from harness.commands._json_output import writer
from harness.errors import UsageProblem
from harness.progress import progress_for
from reference_impl.audit.captured import Captured, Unread, captured, from_stream
from reference_impl.audit.findings import Finding, MessageResult
from reference_impl.audit.syslog.messages import parse
from reference_impl.audit.syslog.profiles import Profile, profile_findings
from reference_impl.audit.validator import validate as validate_content

if TYPE_CHECKING:
    from harness.progress import Progress
    from reference_impl.audit.syslog.messages import Parsed

Standing = Literal["conforms", "breaks", "open"]
_CONTENT_ALONE: Final = "A.5"
_HEADERS: Final[tuple[str, ...]] = get_args(Profile)
_JSON_BEGINS = '{"schema_version":1,"results":['
_INTERRUPTED = 2
_TELLING = 0.1  # seconds between two words of progress
_CUT_FROM = 480  # octets; datagrams that are no longer have to arrive whole (RFC 5426 3.2)


@dataclass(frozen=True, slots=True)
class Examined:
    """A message with what was found: in its syslog header, where it has one, and in the audit message."""

    message: Captured
    result: MessageResult
    header: tuple[Finding, ...] = ()
    legacy: str = ""
    profile: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, those of the header first."""
        return (*self.header, *self.result.findings)

    @property
    def standing(self) -> Standing:
        """ "breaks" where a shall is broken, "open" where something cannot be told, else "conforms"."""
        levels = {each.level for each in self.findings}
        return "breaks" if "shall" in levels else "open" if "open" in levels else "conforms"


def validate(
    paths: list[str],
    *,
    profile: str = "",
    section: list[str] | None = None,
    as_json: bool = False,
    json_lines: str = "",
    allow_inconclusive: bool = False,
    quiet: bool = False,
) -> int:
    """Check and print. Returns 0 if all conform, 1 if some do not, 3 if something cannot be judged.

    Raises `UsageProblem` for paths that are not there, profiles and sections that are none.
    """
    if as_json and json_lines:
        raise UsageProblem("--json and --json-lines exclude each other; choose one")
    if profile and profile not in {_CONTENT_ALONE, *_HEADERS}:
        raise UsageProblem(f"--profile: {profile!r} is none of {', '.join((_CONTENT_ALONE, *_HEADERS))}")
    wanted = _sections(section or [])
    _are_there(paths)
    told, progress = Told(), progress_for(quiet=quiet)
    interrupted = False
    with writer(as_json, json_lines, paths, _JSON_BEGINS) as write:
        try:
            for each in _examined(paths, profile, wanted, progress):
                told.add(each)
                if write is not None:
                    write(json.dumps(as_object(each), ensure_ascii=False))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            progress.close()
        if as_json:
            begin = "" if told.results else _JSON_BEGINS
            status = _INTERRUPTED if interrupted else told.status_if(allow_inconclusive=allow_inconclusive)
            summary = {**told.as_object(), "exit_status": status, "interrupted": interrupted}
            sys.stdout.write(f'{begin}],\n"summary":{json.dumps(summary)}}}\n')
    if not quiet and not as_json:
        told.tell(sys.stderr if json_lines == "-" else sys.stdout)
    if interrupted:
        raise UsageProblem(f"interrupted after {told.messages} messages; what is shown concerns these")
    return told.status_if(allow_inconclusive=allow_inconclusive)


def examine(message: Captured, profile: str = "") -> Examined:
    """Hold a message against PS3.15 A.5, and its header, if it has one, against RFC 5424 and a profile.

    Whatever was cut before it came here is not held against its author.
    """
    if message.truncated:
        why = f"only the first {len(message.octets)} of {message.length} octets are here"
        return Examined(message, MessageResult((_cannot_tell(why),)))
    if not message.header:
        return Examined(message, validate_content(message.octets))
    parsed = parse(message.octets)
    profile = profile or ("A.7" if message.transport == "udp" else "A.6")
    result = validate_content(parsed.body)
    if _may_be_cut(message, parsed, result):
        why = "the message ends early, and the datagram that carried it may have been cut on its way (RFC 5426 3.2)"
        result = replace(result, findings=(_cannot_tell(why),))
    if profile == _CONTENT_ALONE:
        return Examined(message, result, legacy=parsed.legacy, profile=profile)
    more, _ = profile_findings(parsed, cast("Profile", profile))
    return Examined(message, result, (*parsed.findings, *more), parsed.legacy, profile)


def as_object(each: Examined | Unread) -> dict[str, object]:
    """A result as JSON has it (``audit-validation.schema.json``)."""
    if isinstance(each, Unread):
        return {"verdict": "unread", "name": each.name, "line": each.line, "why": each.why, "expected": each.expected}
    message, result = each.message, each.result
    return {
        "verdict": each.standing,
        "name": message.name,
        "number": message.number,
        "line": message.first_line,
        "octets": message.length,
        "transport": message.transport,
        "peer": message.peer,
        "profile": each.profile,
        "legacy": each.legacy,
        "section": result.section,
        "event": result.event,
        "schema_valid": result.schema_valid,
        "forms": list(result.forms),
        "header": [asdict(finding) for finding in each.header],
        "findings": [asdict(finding) for finding in result.findings],
    }


def _examined(
    paths: list[str], profile: str, wanted: frozenset[str], progress: Progress
) -> Iterator[Examined | Unread]:
    """The results in the order of the messages, of those wanted."""
    said, number = 0.0, 0
    for found in _found(paths):
        if isinstance(found, Unread):
            yield found
            continue
        number += 1
        if monotonic() >= said + _TELLING:
            said = monotonic()
            progress.phase(f"message {number:,}: {Path(found.name).name}")
        each = examine(found, profile)
        if not wanted or each.result.section in wanted or each.result.event in wanted:
            yield each


def _found(paths: Iterable[str]) -> Iterator[Captured | Unread]:
    for path in paths:
        if path == "-":
            with closing(sys.stdin.buffer) as stream:
                yield from from_stream(stream, "-")
        else:
            yield from captured([path])


def _are_there(paths: list[str]) -> None:
    if paths.count("-") > 1:
        raise UsageProblem("-: standard input is read once; name it once")
    for path in paths:
        try:
            there = path == "-" or Path(path).exists()
        except (OSError, ValueError):
            there = False
        if not there:
            raise UsageProblem(f"{path}: there is no such file or folder")


def _sections(given: list[str]) -> frozenset[str]:
    for each in given:
        kind, _, number = each.rpartition(".")
        if not (each.isascii() and number.isdigit() and (kind == "A.5.3" or not kind)):
            raise UsageProblem(
                f"--section: {each!r} is no section of A.5.3 and no event code; write A.5.3.12 or 110114"
            )
    return frozenset(given)


def _may_be_cut(message: Captured, parsed: Parsed, result: MessageResult) -> bool:
    """Whether a datagram holds the beginning of a message, as one that was cut does."""
    return (
        message.transport == "udp"
        and message.length >= _CUT_FROM
        and result.schema_valid is None
        and parsed.body.lstrip().startswith(b"<")
        and not parsed.body.rstrip().endswith(b">")
    )


def _cannot_tell(why: str) -> Finding:
    return Finding("A.5.1-schema-valid", "open", text=f"It cannot be told whether this is valid: {why}.")
