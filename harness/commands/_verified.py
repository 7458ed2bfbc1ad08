"""What verifying many files came to, kept small however many they are, and told so that it stays readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import TextIO

from harness.commands._printing import printable
from reference_impl.signatures.batch import DIRECTORY_RECORDS
from reference_impl.signatures.datetimes import has_offset, parsed_time
from reference_impl.signatures.results import FileResult, Reason, SignatureResult, Standing

_MOST_SHOWN = 40
_MOST_DETAILED = 6
_MOST_SIGNERS = 8
_MOST_CAUSES = 6
_OF_MANY_WORDS = frozenset({"unreadable", "mac-variant", "incomplete", "internal-error"})
_SUFFIXES = (".dcm", ".dicom", ".ima")
_COLOURS = {Standing.VALID: "32", Standing.INVALID: "1;31", Standing.UNKNOWN: "33", Standing.UNSIGNED: "2"}
_STYLES = {Standing.VALID: "green", Standing.INVALID: "bold red", Standing.UNKNOWN: "yellow", Standing.UNSIGNED: "dim"}
_YELLOW, _RED = "33", "1;31"
_WORDS = {
    Standing.VALID: "valid",
    Standing.INVALID: "INVALID",
    Standing.UNKNOWN: "cannot be judged",
    Standing.UNSIGNED: "unsigned",
}
_PARTLY = "part of it: "
_UNPLACED = frozenset({"private", "others"})
_GRAVE = frozenset(
    {"pixel-data", "pixel-description", "report", "document", "treatment", "waveform", "patient-identity"}
)
"""What is not signed and has to be said even of files that are valid."""


class Output:
    """Where text for people goes: in colour on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be in its encoding

    def line(self, text: str = "", standing: Standing | None = None, rest: str = "", *, colour: str = "") -> None:
        """Print one line: `text`, the word for `standing`, `rest`; hostile characters are made visible."""
        word = "" if standing is None else self._coloured(_WORDS[standing], _COLOURS[standing])
        self.stream.write(f"{self._coloured(printable(text), colour)}{word}{printable(rest)}\n")

    def _coloured(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if colour and self.terminal else text


@dataclass(frozen=True)
class Demands:
    """What the user asks for beyond valid signatures; `folders` may hold files that are no DICOM objects."""

    signature: bool = False
    profile: str = ""
    folders: tuple[str, ...] = ()


@dataclass
class Summary:
    """Counts of all files, and the few that have to be shown."""

    demands: Demands
    files: int = 0
    octets: int = 0
    signatures: int = 0
    standings: Counter[Standing] = field(default_factory=Counter)
    directories: int = 0
    not_dicom: int = 0
    unmet: int = 0
    profiles: Counter[str] = field(default_factory=Counter)
    signers: Counter[str] = field(default_factory=Counter)
    uncovered: Counter[tuple[str, str]] = field(default_factory=Counter)
    detailed: list[FileResult] = field(default_factory=list)
    shown: list[tuple[Standing, str, str]] = field(default_factory=list)
    causes: Counter[tuple[Standing, str]] = field(default_factory=Counter)
    wording: dict[str, str] = field(default_factory=dict)
    left_out: int = 0
    without_anchors: int = 0
    interrupted: bool = False

    def add(self, result: FileResult) -> None:
        """Count a file."""
        self.files += 1
        self.octets += result.octets
        if self._is_something_else(result):
            self.not_dicom += 1
            return
        if result.standing is Standing.UNSIGNED and any(each.tag == DIRECTORY_RECORDS for each in result.present):
            self.directories += 1
            return
        standing, reasons = self._judged(result)
        self.standings[standing] += 1
        self.signatures += len(result.signatures)
        if any(reason.code == "no-anchors" for each in result.signatures for reason in each.reasons):
            self.without_anchors += 1
        for each in result.signatures:
            if each.certificate is not None and each.standing is Standing.VALID:
                self.signers[each.certificate.subject or "(no name)"] += 1
        self.profiles.update(
            {name for each in result.signatures if each.standing is Standing.VALID for name in each.profiles}
        )
        if standing is Standing.VALID:
            self.uncovered.update(
                {(each.code, _plain(each.text)) for each in not_covered(result) if each.code in _GRAVE}
            )
        if len(self.detailed) <= _MOST_DETAILED:
            self.detailed.append(result)
        if standing in {Standing.INVALID, Standing.UNKNOWN}:
            self._show(standing, result.path, reasons)

    @property
    def status(self) -> int:
        """The exit status: 1 some invalid, 3 something cannot be judged or there is no signature, else 0."""
        if self.standings[Standing.INVALID]:
            return 1
        return 3 if self.standings[Standing.UNKNOWN] or not self.standings[Standing.VALID] else 0

    def as_object(self) -> dict[str, object]:
        """The counts, for JSON."""
        return {
            "files": self.files,
            "octets": self.octets,
            **{standing.value: self.standings[standing] for standing in Standing},
            "directories": self.directories,
            "not_dicom": self.not_dicom,
            "signatures": self.signatures,
            "profiles": dict(sorted(self.profiles.items())),
            "interrupted": self.interrupted,
            "exit_status": self.status,
        }

    def _is_something_else(self, result: FileResult) -> bool:
        """Whether it is a file that happens to be in a folder, and says nowhere that it is a DICOM object."""
        if not any(each.code == "not-dicom" for each in result.problems):
            return False
        return not result.path.lower().endswith(_SUFFIXES) and result.path.startswith(self.demands.folders)

    def _judged(self, result: FileResult) -> tuple[Standing, list[Reason]]:
        """The standing of a file under the demands, and why."""
        standing = result.standing
        reasons = list(reasons_of(result))
        evidence = [each for each in result.notes if each.code == "evidence-differs"]
        if evidence:
            return Standing.INVALID, [*evidence, *reasons]
        if standing is Standing.UNSIGNED and self.demands.signature:
            return Standing.INVALID, [Reason("unsigned", "it is not signed")]
        if standing is Standing.VALID and self.demands.profile:
            valid = [each for each in result.signatures if each.standing is Standing.VALID]
            if not any(self.demands.profile in each.profiles for each in valid):
                return Standing.INVALID, [Reason("profile", f"no signature in it satisfies {self.demands.profile}")]
        return standing, reasons

    def _show(self, standing: Standing, path: str, reasons: list[Reason]) -> None:
        if reasons:
            self.causes[standing, reasons[0].code] += 1
            self.wording.setdefault(reasons[0].code, reasons[0].text)
        same = sum(1 for each in self.shown if each[0] is standing)
        if same >= _MOST_SHOWN:
            self.left_out += 1
            return
        self.shown.append((standing, path, "; ".join(map(_told, reasons[:2]))))

    # -- for people ----------------------------------------------------------------------------------------------------

    def tell(self, out: Output) -> None:
        """Print details of few files, or what is notable among many, and the counts."""
        if 0 < self.files <= _MOST_DETAILED:
            for result in self.detailed:
                _tell_file(out, result, *self._judged(result), alone=self.files == 1)
        elif self.shown:
            self._tell_shown(out)
        self._tell_counts(out)

    def _tell_shown(self, out: Output) -> None:
        order = (Standing.INVALID, Standing.UNKNOWN)
        shown = sorted(self.shown, key=lambda each: order.index(each[0]))
        if out.terminal:
            _tell_table(out, shown)
        else:
            for standing, path, why in shown:
                out.line("", standing, f"  {path}: {why}")
        if self.left_out:
            out.line(f"... and {self.left_out:,} more of these; --json-lines tells every one of them")
        out.line()

    def _tell_counts(self, out: Output) -> None:
        counted = [
            f"{self.standings[standing]:,} {_WORDS[standing]}"
            for standing in (Standing.VALID, Standing.INVALID, Standing.UNKNOWN, Standing.UNSIGNED)
            if self.standings[standing] or standing in {Standing.VALID, Standing.INVALID}
        ]
        if self.directories:
            counted.append(f"{self.directories:,} DICOMDIR")
        if self.not_dicom:
            counted.append(f"{self.not_dicom:,} not DICOM")
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        out.line(f"{files}, {_size(self.octets)}: {', '.join(counted)}")
        if self.without_anchors:
            out.line(
                "whose signatures they are was not judged: name trusted certificates (--anchors) or --integrity-only"
            )
        elif self.standings[Standing.UNSIGNED] and not self.signatures and not self.standings[Standing.UNKNOWN]:
            out.line("there is no signature")
        if self.files <= _MOST_DETAILED:
            return
        for (standing, code), count in self.causes.most_common(_MOST_CAUSES) if len(self.shown) > 1 else ():
            more = " (and the like)" if code in _OF_MANY_WORDS and count > 1 else ""
            out.line(f"{count:,} ", standing, f": {self.wording[code]}{more}")
        if self.profiles:
            met = ", ".join(f"{name} {count:,}" for name, count in sorted(self.profiles.items()))
            out.line(f"profiles satisfied (files): {met}")
        if self.signers:
            most = self.signers.most_common(_MOST_SIGNERS)
            more = f", and {len(self.signers) - len(most)} more" if len(self.signers) > len(most) else ""
            told = ", ".join(f"{name} ({count:,})" for name, count in most)
            out.line(f"signed by: {told}{more}")
        for (_, text), count in self.uncovered.most_common():
            noun = "1 valid file" if count == 1 else f"{count:,} valid files"
            out.line(f"not signed in {noun}: {text}", colour=_YELLOW)


def _tell_table(out: Output, shown: list[tuple[Standing, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("verdict", "file", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "verdict")
    for standing, path, why in shown:
        table.add_row(Text(_WORDS[standing], style=_STYLES[standing]), Text(printable(path)), Text(printable(why)))
    Console(file=out.stream, highlight=False).print(table)


def reasons_of(result: FileResult) -> Iterator[Reason]:
    """Why a file is as it is: what is wrong with it and with its signatures, the worst first."""
    yield from result.problems
    for each in sorted(result.signatures, key=lambda one: one.standing is not Standing.INVALID):
        if each.standing is not Standing.VALID:
            yield from each.reasons


def not_covered(result: FileResult) -> tuple[Reason, ...]:
    """What no valid signature at the top level of a file covers."""
    top = [each for each in result.signatures if not each.location and each.standing is Standing.VALID]
    if len(top) == 1:
        return top[0].uncovered
    if top:
        prefix = "covered by no signature: "
        return tuple(
            Reason(each.code, each.text.removeprefix(prefix), each.place)
            for each in result.notes
            if each.text.startswith(prefix)
        )
    if any(each.standing is Standing.VALID for each in result.signatures):
        return (Reason("patient-identity", "everything outside the signed items"),)
    return ()


def _tell_file(out: Output, result: FileResult, standing: Standing, reasons: list[Reason], *, alone: bool) -> None:
    out.line(f"{result.path}: ", standing)
    if standing is not result.standing:
        for reason in reasons[:1]:
            out.line(f"  {_told(reason)}")
    for problem in result.problems:
        out.line(f"  {_told(problem)}")
    for each in result.signatures:
        _tell_signature(out, each)
    for note in result.notes:
        if note.code == "evidence-differs":
            out.line(f"  {_told(note)}", colour=_RED)
    lacking = not_covered(result)
    if lacking and alone:
        out.line("  not signed:", colour=_YELLOW)
        for one in lacking:
            places = "" if one.code in _UNPLACED else f": {one.place}"
            out.line(f"    {_worded(one.text)}{places}", colour=_YELLOW if one.code in _GRAVE else "")
    elif lacking:
        out.line("  not signed: " + "; ".join(_worded(one.text) for one in lacking), colour=_YELLOW)


def _tell_signature(out: Output, each: SignatureResult) -> None:
    of = f" of {each.location}" if each.location else ""
    facts = [" ".join(each.profiles), each.algorithm, _time(each.signed_at)]
    if each.certificate is not None and each.certificate.subject:
        facts.insert(0, f"by {each.certificate.subject}")
    if each.purposes:
        facts.append("purpose " + ", ".join(one.meaning or one.value for one in each.purposes))
    if each.timestamp is not None:
        facts.append(f"timestamp {_WORDS[each.timestamp.standing]} {each.timestamp.time}".strip())
    out.line(f"  signature {each.number}{of}: ", each.standing, "".join(f", {fact}" for fact in facts if fact))
    if each.mac is Standing.VALID and each.standing is Standing.UNKNOWN:
        out.line("    what it signs is unchanged")
    for reason in each.reasons:
        out.line(f"    {_told(reason)}")
    for reason in each.encoding:
        out.line(f"    encoding: {_told(reason)}", colour=_YELLOW)
    if each.certificate is not None and each.standing is Standing.VALID:
        for reason in each.certificate.reasons:
            if reason.code not in {"no-anchors"}:
                out.line(f"    note: {_told(reason)}", colour=_YELLOW)
    if each.location and each.uncovered:
        told = "; ".join(_worded(one.text) for one in each.uncovered)
        out.line(f"    of this item not signed: {told}", colour=_YELLOW)


def _time(text: str) -> str:
    """A DT value as people write it; as it stands where it is none."""
    time = parsed_time(text)
    return text if time is None or not has_offset(text) else time.isoformat(" ", "seconds")


def _told(reason: Reason) -> str:
    return f"{reason.text} [{reason.place}]" if reason.place else reason.text


def _plain(text: str) -> str:
    return text.removeprefix(_PARTLY)


def _worded(text: str) -> str:
    return f"{_plain(text)} (in part)" if text.startswith(_PARTLY) else text


def _size(octets: int) -> str:
    amount, unit = float(octets), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
