"""What came of examining audit messages, kept small however many they are, and told so that it stays readable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final, TextIO

from harness.commands._printing import printable
from reference_impl.audit.captured import Unread
from reference_impl.audit.codes import groups

if TYPE_CHECKING:
    from rich.console import Console

    from harness.commands._audit_validating import Examined
    from reference_impl.audit.findings import Finding

_MOST_DETAILED = 6
_MOST_FINDINGS = 30
_MOST_BROKEN = 20
_MOST_UNREAD = 10
_MOST_RULES = 400
_LONGEST = 160
_WIDTH = 180  # of what is no terminal
_STYLES: Final = {
    "conforms": "green",
    "breaks": "bold red",
    "open": "yellow",
    "shall": "bold red",
    "should": "yellow",
    "note": "cyan",
}
_WORDS: Final = {"conforms": "conforms", "breaks": "DOES NOT CONFORM", "open": "cannot be judged"}
_COUNTED: Final = (
    ("conforms", "conforms", "conform"),
    ("breaks", "does not conform", "do not conform"),
    ("open", "cannot be judged", "cannot be judged"),
)
_LEVELS: Final = ("shall", "open", "should", "note")
_LEVEL_WORDS: Final = {"shall": "shall", "open": "open", "should": "should", "note": "note"}


@dataclass
class _Rule:
    """A rule that found something: in how many messages, and the first of them."""

    level: str
    first: str
    finding: Finding
    messages: int = 0


@dataclass
class Told:
    """Counts of all results, and the few that have to be shown."""

    messages: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    sections: Counter[tuple[str, str]] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    others: int = 0
    _rules: dict[tuple[str, str], _Rule] = field(default_factory=dict)
    _detailed: list[Examined] = field(default_factory=list)
    _broken: list[str] = field(default_factory=list)
    _unread: list[Unread] = field(default_factory=list)
    _passed_over: int = 0

    @property
    def results(self) -> int:
        """How many results there were, of files that could not be read, too."""
        return self.messages + self.unread + self._passed_over

    @property
    def status(self) -> int:
        """The exit status: 1 some break a shall, 3 something cannot be judged or there is no message, else 0."""
        if self.standings["breaks"]:
            return 1
        return 3 if self.standings["open"] or self.unread or not self.messages else 0

    def status_if(self, *, allow_inconclusive: bool) -> int:
        """The exit status, 0 instead of 3 if that is allowed; where nothing at all was judged, nothing is in order."""
        return 0 if self.status == 3 and allow_inconclusive and self.messages else self.status

    def add(self, each: Examined | Unread) -> None:
        """Count a result."""
        if isinstance(each, Unread):
            self._add_unread(each)
            return
        self.messages += 1
        self.standings[each.standing] += 1
        self.sections[each.result.section, each.result.event] += 1
        self.forms.update([*each.result.forms, *([each.legacy] if each.legacy else [])])
        if len(self._detailed) <= _MOST_DETAILED:
            self._detailed.append(each)
        if each.standing == "breaks" and len(self._broken) < _MOST_BROKEN:
            self._broken.append(place_of(each))
        for key in dict.fromkeys((finding.rule, finding.level) for finding in each.findings):
            if key not in self._rules:
                if len(self._rules) >= _MOST_RULES:
                    continue
                first = next(one for one in each.findings if (one.rule, one.level) == key)
                self._rules[key] = _Rule(key[1], place_of(each), first)
            self._rules[key].messages += 1

    def _add_unread(self, each: Unread) -> None:
        self.others += each.others
        if each.expected:
            self._passed_over += 1
            return
        self.unread += 1
        if len(self._unread) < _MOST_UNREAD:
            self._unread.append(each)

    def as_object(self) -> dict[str, object]:
        """The counts, for JSON."""
        return {
            "messages": self.messages,
            **{standing: self.standings[standing] for standing in _WORDS},
            "unread": self.unread,
            "others": self.others,
            "sections": {section or "none": count for section, count in sorted(self._by_section().items())},
            "forms": dict(sorted(self.forms.items())),
            "rules": [
                {"rule": rule, "level": level, "messages": found.messages, "first": found.first}
                for (rule, level), found in sorted(self._rules.items())
            ],
        }

    def _by_section(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for (section, _), count in self.sections.items():
            counted[section] += count
        return counted

    # -- for people ----------------------------------------------------------------------------------------------------

    def tell(self, stream: TextIO) -> None:
        """Print details of few messages, or what was found by rule among many, and the counts."""
        from rich.console import Console

        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # texts need not be in its encoding
        width = None if stream.isatty() else _WIDTH
        console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)
        if self.messages <= _MOST_DETAILED:
            for each in self._detailed:
                _tell_message(console, each)
        elif self._rules:
            self._tell_rules(console)
        for unread in self._unread:
            line = f", line {unread.line}" if unread.line else ""
            console.print(printable(f"{unread.name}{line}: {unread.why}"), style="yellow")
        if self.unread > len(self._unread):
            console.print(f"... and {self.unread - len(self._unread):,} more that could not be read", style="yellow")
        self._tell_counts(console)

    def _tell_rules(self, console: Console) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("level", "messages", "rule", "what", "first in"):
            table.add_column(heading, overflow="fold", justify="right" if heading == "messages" else "left")
        order = sorted(self._rules.items(), key=lambda each: (_LEVELS.index(each[1].level), -each[1].messages))
        for (rule, level), found in order:
            table.add_row(
                Text(_LEVEL_WORDS[level], style=_STYLES[level]),
                f"{found.messages:,}",
                Text(printable(rule)),
                Text(_short(found.finding.text)),
                Text(printable(found.first)),
            )
        console.print(table)
        if self._broken and self.standings["breaks"] > 1:
            console.print("do not conform:", style=_STYLES["breaks"])
            for place in self._broken:
                console.print(f"  {printable(place)}")
            if self.standings["breaks"] > len(self._broken):
                left = self.standings["breaks"] - len(self._broken)
                console.print(f"  ... and {left:,} more; --json-lines tells every one of them")
        console.print()

    def _tell_counts(self, console: Console) -> None:
        counted = [
            f"{self.standings[standing]:,} {one if self.standings[standing] == 1 else many}"
            for standing, one, many in _COUNTED
            if self.standings[standing] or standing != "open"
        ]
        noun = "1 message" if self.messages == 1 else f"{self.messages:,} messages"
        if self.messages:
            console.print(f"{noun}: {', '.join(counted)}")
        else:
            console.print("there is no audit message")
        if self.messages > _MOST_DETAILED:
            events = groups()[400].codes
            for (section, event), count in sorted(self.sections.items(), key=lambda each: _order(*each[0])):
                words = f"{section} {events.get(event, event)}" if section else "no message of A.5.3"
                console.print(f"{count:>9,}  {printable(words)}")
        for form, count in self.forms.most_common(_MOST_UNREAD):
            console.print(printable(f"{count:,} in another form: {form}"), style="yellow")
        if self.others:
            console.print(f"{self.others:,} lines or messages of others were passed over")


def place_of(each: Examined) -> str:
    """Where a message stands: file, line or number."""
    message = each.message
    if message.first_line:
        return f"{message.name}:{message.first_line}" if message.first_line > 1 or message.number > 1 else message.name
    sender = f" from {message.peer}" if message.peer else ""
    return f"{message.name}, message {message.number}{sender}"


def _tell_message(console: Console, each: Examined) -> None:
    from rich.text import Text

    result = each.result
    name = groups()[400].codes.get(result.event, result.event)
    what = " ".join(filter(None, (result.section, name))) or "no message of A.5.3"
    line = Text(printable(f"{place_of(each)}: {what}: "))
    line.append(_WORDS[each.standing], style=_STYLES[each.standing])
    console.print(line)
    for form in dict.fromkeys([*result.forms, *([each.legacy] if each.legacy else [])]):
        console.print(printable(f"  it follows another form: {form}"), style="yellow")
    found = sorted(each.findings, key=lambda one: _LEVELS.index(one.level))
    for finding in found[:_MOST_FINDINGS]:
        _tell_finding(console, each, finding)
    if len(found) > _MOST_FINDINGS:
        console.print(f"  ... and {len(found) - _MOST_FINDINGS:,} findings more; --json tells every one of them")


def _tell_finding(console: Console, each: Examined, finding: Finding) -> None:
    from rich.text import Text

    begin = each.message.first_line
    in_header = finding in each.header
    at = f", line {begin + finding.line - 1 if begin else finding.line}" if finding.line and not in_header else ""
    head = Text(f"  {_LEVEL_WORDS[finding.level]:<6} ", style=_STYLES[finding.level])
    head.append(printable(f"{finding.rule}: {finding.text}"), style="default")
    console.print(head)
    if finding.place or at:
        console.print(printable(f"         at {finding.place or 'the message'}{at}"))
    if finding.expected:
        console.print(f"         expected {_short(finding.expected)}")
    if finding.found:
        console.print(f"         found    {_short(finding.found)}")
    if finding.remedy:
        console.print(f"         {printable(finding.remedy)}")


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _order(section: str, event: str) -> tuple[int, str]:
    number = section.rpartition(".")[2]
    return (int(number) if number.isdigit() else 99), event
