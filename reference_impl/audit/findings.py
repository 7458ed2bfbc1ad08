"""What examining an audit message, or the syslog message around it, says: plain facts that are shown and judged.

A rule is named by the id of the requirement that it stands for ("A.5.3.1-event-action-code",
"RFC5424-6.2.3-timestamp"). Nothing here depends on how it was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["shall", "should", "open", "note"]
"""What a finding means: a shall is broken, a should is not met, nobody can tell (an unlisted code where lists may be
extended, for example), or something worth knowing that breaks nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: by which rule, where, what should be there, what is, and what to do about it.

    `place` is an XPath into the message ("/AuditMessage/ActiveParticipant[2]/@UserID") or the name of a field of the
    syslog header; `line` counts from 1 within the message, 0 where there is none. Texts come from a SUT: they are
    short, and shown as text only.
    """

    rule: str
    level: Level
    place: str = ""
    line: int = 0
    expected: str = ""
    found: str = ""
    text: str = ""  # what is wrong, in a sentence
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class MessageResult:
    """What was found in one audit message.

    `section` is the section of PS3.15 whose table it was held against ("A.5.3.1"), empty where EventID names none.
    `forms` names other forms that it follows ("RFC 3881", "DICOM before 2017"). `checked` holds every rule that could
    be told in this message, broken or not. `schema_valid` is None where it is no XML at all, or too large to be parsed.
    """

    findings: tuple[Finding, ...] = ()
    checked: frozenset[str] = frozenset()
    section: str = ""
    event: str = ""  # csd-code of EventID
    schema_valid: bool | None = None
    forms: tuple[str, ...] = ()

    @property
    def conforms(self) -> bool:
        """Whether no shall is broken."""
        return not any(finding.level == "shall" for finding in self.findings)
