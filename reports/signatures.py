"""What a report says of digital signatures: objects that a SUT signed, its answers to crafted ones, what it stored.

Facts about objects, in words; verdicts stand elsewhere and only put first what findings rest on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from harness.record.facts import (
    CertificateResult,
    CreatedObjects,
    FileResult,
    Reason,
    SignatureResult,
    SignedObject,
    Standing,
    TimestampResult,
)
from reports.dicom_words import date_time, named_place, places_text, reason_text, syntax_name, tag_number
from reports.facts import Endpoint
from reports.objects_shown import AnswerRow, StoredRow, answer_row, stored_row
from reports.text import plural
from reports.trials import driver_of
from reports.words import VerdictWord

MOST_OBJECTS = 250
MOST_SIGNATURES = 8
"""Of one object; so many are shown."""
MOST_ROWS = 400
MOST_REASONS = 8
_PARTLY = "part of it"  # as the reference implementation says it
_MOST_TAGS = 60
_MOST_GROUPS = 40
_CHARACTERS = 350_000
_BARE_SIGNATURE = 1_200  # characters of markup that a signature takes without its words

STANDINGS: Mapping[str, VerdictWord] = {
    "invalid": VerdictWord("fail", "does not verify", "✕", "the signature is not one of what the object holds"),
    "unknown": VerdictWord("inconclusive", "cannot be judged", "?", "the reasons say what is missing"),
    "unsigned": VerdictWord("not_applicable", "not signed", "○", "there is no signature"),
    "valid": VerdictWord("pass", "verifies", "✓", "the signature is one of what the object holds"),
}
"""How what verifying finds is called, worst first. No verdicts: the profile decides what is permitted."""
_MANY = {
    "invalid": ("does not verify", "do not verify"),
    "unknown": ("cannot be judged", "cannot be judged"),
    "unsigned": ("is none", "are none"),
    "valid": ("verifies", "verify"),
}
_SCHEMES = {
    "rsa-pkcs1-v1.5": "RSA (PKCS #1 v1.5)",
    "rsa-other": "RSA with another padding",
    "ecdsa": "ECDSA",
    "dsa": "DSA",
    "": "unknown signature scheme",
}
_ORDER = {"fail": 0, "warning": 1, "": 2}
_ROW = TypeVar("_ROW", "AnswerRow", "StoredRow")


@dataclass(frozen=True)
class Shown:
    """Rows that are shown, and how many are not."""

    rows: tuple[ObjectEntry, ...] | tuple[AnswerRow, ...] | tuple[StoredRow, ...]
    left_out: int = 0


@dataclass(frozen=True)
class SignatureEntry:
    """One signature: `facts` are its properties by name; `told` says why it does not verify, place by place;
    `uncovered` is in words and elements, `covered` in words that fit whole objects: empty for one `nested` in a part.
    """

    title: str
    word: VerdictWord
    facts: tuple[tuple[str, str], ...]
    told: tuple[str, ...]
    encoding: tuple[str, ...]
    covered: tuple[str, ...]
    uncovered: tuple[tuple[str, str], ...]
    nested: bool
    tags: tuple[str, ...]
    tags_left_out: int

    @property
    def characters(self) -> int:
        """So many it takes in the report, nearly."""
        lists = (self.told, self.encoding, self.covered, *self.uncovered, self.tags)
        facts = sum(len(name) + len(value) for name, value in self.facts)
        return _BARE_SIGNATURE + facts + sum(len(each) + 9 for every in lists for each in every)


@dataclass(frozen=True)
class ObjectEntry:
    """One object that came from the SUT. `remarks` are about the object as a whole."""

    name: str
    text: str
    word: VerdictWord
    meta: str
    signatures: tuple[SignatureEntry, ...]
    left_out: int
    remarks: tuple[str, ...]
    exchange: str
    kind: str = ""


@dataclass(frozen=True)
class Signatures:
    """What is shown for one endpoint."""

    name: str
    created: Shown | None
    created_says: str
    answers: Shown | None
    stored: Shown | None
    missing: tuple[tuple[str, str], ...] = ()


def signatures_of(at: Endpoint, cited: Mapping[str, str]) -> Signatures | None:
    """What the facts of an endpoint say of signatures; None where there are none. `cited`: see `reports.trials`."""
    if not (at.created or at.answers or at.stored):
        return None
    objects = [(made, one) for made in at.created for one in made.objects]
    entries = _entries(objects, cited)
    left_out = len(objects) - len(entries) + sum(made.left_out for made in at.created)
    nothing = tuple((made.text.removeprefix("sign: "), _why_nothing(made)) for made in at.created if not made.objects)
    return Signatures(
        name=at.name,
        created=Shown(entries, left_out) if at.created else None,
        created_says=_summary([one.result for _, one in objects]) if at.created else "",
        answers=_shown([answer_row(answer, cited) for answer in at.answers]),
        stored=_shown([stored_row(stored, cited) for stored in at.stored]),
        missing=nothing[:MOST_ROWS],
    )


def _shown(rows: list[_ROW]) -> Shown | None:
    """The first rows as far as they fit: what a SUT says can be long."""
    rows.sort(key=lambda row: (_ORDER[row.kind], not row.striking))
    sizes = accumulate(len(repr(row)) for row in rows[:MOST_ROWS])
    fitting = tuple(row for row, size in zip(rows, sizes, strict=False) if size <= _CHARACTERS)
    return Shown(fitting, len(rows) - len(fitting)) if rows else None


def _entries(
    objects: Sequence[tuple[CreatedObjects, SignedObject]], cited: Mapping[str, str]
) -> tuple[ObjectEntry, ...]:
    """The objects, those on which findings rest and those that do not verify first; details as far as they fit."""
    standings = list(STANDINGS)

    def worst_first(pair: tuple[CreatedObjects, SignedObject]) -> tuple[int, int]:
        return _ORDER[cited.get(pair[1].exchange, "")], standings.index(pair[1].result.standing)

    found: list[ObjectEntry] = []
    budget = _CHARACTERS
    for made, one in sorted(objects, key=worst_first)[:MOST_OBJECTS]:
        entry = _object(made, one, cited, detailed=budget > 0)
        budget -= sum(each.characters for each in entry.signatures)
        found.append(entry)
    return tuple(found)


def _summary(results: Sequence[FileResult]) -> str:
    signatures = [each for result in results for each in result.signatures]
    if not results:
        return "No object came from the device."
    counts = {standing: sum(each.standing == standing for each in signatures) for standing in STANDINGS}
    told = ", ".join(f"{number} {_MANY[standing][number > 1]}" for standing, number in counts.items() if number)
    unread = sum(bool(result.problems) and not result.signatures for result in results)
    unsigned = sum(not result.signatures for result in results) - unread
    said = f"{plural(len(results), 'object')} with {plural(len(signatures), 'signature')}"
    said += f": {told}." if told else "."
    said += f" {plural(unsigned, 'object')} without a signature." if unsigned else ""
    return f"{said} {plural(unread, 'object')} could not be read." if unread else said


def _why_nothing(made: CreatedObjects) -> str:
    return (driver_of(made.driver) if made.driver is not None else "") or "nothing came from the device"


def _object(made: CreatedObjects, one: SignedObject, cited: Mapping[str, str], *, detailed: bool) -> ObjectEntry:
    result = one.result
    remarks = [reason_text(each) for each in (*result.problems[:MOST_REASONS], *result.notes[:MOST_REASONS])]
    if one.unchanged is False:
        remarks.insert(0, "What the device was given to sign is not in it bit for bit.")
    entries = tuple(_signature(each) for each in result.signatures[: MOST_SIGNATURES if detailed else 0])
    met = sorted({profile for each in result.signatures for profile in each.profiles})
    meta = ["could not be read" if result.problems else "no signature"]
    if result.signatures:
        meta = [plural(len(result.signatures), "signature")]
        follows = "follows" if any(each.standing == Standing.VALID for each in result.signatures) else "would follow"
        meta.append(f"{follows} {', '.join(met)}" if met else f"{follows} no profile of Annex C")
        meta += _lacks(result)
    return ObjectEntry(
        name=one.name or result.sop_instance or result.path,
        text=made.text.removeprefix("sign: "),
        word=STANDINGS[result.standing],
        meta="; ".join(meta),
        signatures=entries,
        left_out=len(result.signatures) - len(entries),
        remarks=tuple(remarks),
        exchange=one.exchange,
        kind=cited.get(one.exchange, ""),
    )


def _lacks(result: FileResult) -> list[str]:
    """What no signature at the top level covers, that a reader would look for first."""
    top = [each for each in result.signatures if not each.location]
    if not top:
        return ["none covers the object as a whole"]
    common = set.intersection(*({each.text for each in one.uncovered} for one in top))
    whole = (each.text for each in top[0].uncovered if each.text in common and not each.text.startswith(_PARTLY))
    named = list(whole)[:2]
    return [f"not signed: {', '.join(map(_short, named))}"] if named else []


def _short(text: str) -> str:
    """What is signed or not, without what follows from it."""
    return text.split(":", maxsplit=1)[0]


def _signature(one: SignatureResult) -> SignatureEntry:
    place = f"in {named_place(one.location)}" if one.location else "of the object"
    reasons = [*one.reasons, *(one.certificate.reasons if one.certificate else ())]
    reasons += one.timestamp.reasons if one.timestamp else ()
    return SignatureEntry(
        title=f"Signature {one.number} {place}",
        word=STANDINGS[one.standing],
        facts=tuple(_facts(one)),
        told=_bounded(reasons),
        encoding=_bounded(one.encoding),
        covered=() if one.location else tuple(_covered(one)),
        uncovered=tuple((each.text, places_text(each.place)) for each in one.uncovered[:_MOST_GROUPS]),
        nested=bool(one.location),
        tags=tuple(named_place(tag) for tag in one.signed[:_MOST_TAGS]),
        tags_left_out=max(0, len(one.signed) - _MOST_TAGS),
    )


def _facts(one: SignatureResult) -> Iterable[tuple[str, str]]:
    followed = ", ".join(one.profiles) or "none of Annex C"
    yield "Profiles followed", f"{followed}, if it verified" if one.standing == Standing.INVALID else followed
    if one.certificate is not None:
        yield "Signer", one.certificate.subject or "(empty)"
        yield "Certificate", _certificate(one.certificate)
    else:
        yield "Signer", "no certificate could be read"
    yield "Signed at", date_time(one.signed_at) or "not stated"
    yield "Time certified", _timestamp(one.timestamp) if one.timestamp is not None else "no certified timestamp"
    algorithm = f"{one.algorithm or 'no MAC algorithm'}, {_SCHEMES.get(one.scheme, one.scheme)}"
    yield "Algorithm", f"{algorithm}, {one.signature_octets * 8} bits" if one.signature_octets else algorithm
    yield "MAC", _mac(one)
    if one.transfer_syntax:
        yield "MAC calculated in", syntax_name(one.transfer_syntax)
    if one.purposes:
        yield "Purpose", "; ".join(each.meaning or f"{each.value} ({each.scheme})" for each in one.purposes[:4])


def _mac(one: SignatureResult) -> str:
    said = {
        Standing.VALID: "that of the elements listed",
        Standing.INVALID: "not that of the elements listed",
    }.get(one.mac, "could not be compared")
    number = "no MAC ID Number" if one.mac_id is None else f"MAC ID Number {one.mac_id}"
    return f"{said} ({number})" + (f"; it is formed the wrong way: {one.variant}" if one.variant else "")


def _certificate(one: CertificateResult) -> str:
    said = {"valid": "valid", "invalid": "not valid", "unknown": "not judged", "unsigned": "not judged"}
    key = f"{one.key_type.upper()} {one.key_bits} bits" if one.key_bits else one.key_type
    period = f", {one.not_before[:10]} to {one.not_after[:10]}" if one.not_after else ""
    standing = f"at signing {said[one.at_signing]}, now {said[one.now]}"
    return f"{standing}; {key}{period}; issued by {one.issuer or '(empty)'}"


def _timestamp(one: TimestampResult) -> str:
    said = {"valid": "certified", "invalid": "timestamp not valid", "unknown": "timestamp not judged"}
    authority = f" by {one.authority.subject}" if one.authority is not None else ""
    whose = "; it belongs to another signature" if one.of_this_signature is False else ""
    return f"{said.get(one.standing, one.standing)}{': ' if one.time else ''}{one.time}{authority} ({one.kind}){whose}"


def _covered(one: SignatureResult) -> Iterable[str]:
    """What is signed, in the words in which what is not is told."""
    from reference_impl.signatures.coverage import groups

    partly = {each.code for each in one.uncovered}
    tags = [number for number in map(tag_number, one.signed) if number is not None]
    for group in groups():
        if group.among(tags):
            said = _short(group.text)
            yield f"{_PARTLY}: {said}" if group.code in partly else said


def _bounded(reasons: Sequence[Reason]) -> tuple[str, ...]:
    told = [reason_text(each) for each in dict.fromkeys(reasons)]
    more = len(told) - MOST_REASONS
    return tuple(told if more <= 0 else [*told[:MOST_REASONS], f"and {more} more, which are in run.jsonl"])
