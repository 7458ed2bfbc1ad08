"""What a report says of a verifier's answers about crafted objects, and of objects that a storer gave back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.record.facts import Difference, FileResult, Standing, StoredObject, VerifierAnswer
from reports.dicom_words import named_place, syntax_name
from reports.trials import driver_of

MOST_DIFFERENCES = 8
_EXPECTED = {"valid": "calls it valid", "not-valid": "does not call it valid", "either": "either"}
_OTHERWISE = {"valid": {"invalid", "unverifiable"}, "not-valid": {"valid"}, "either": set[str]()}
_ANSWERS = {"valid": "valid", "invalid": "not valid", "unverifiable": "cannot be verified", "": "no answer understood"}
_DIFFERENCES = {
    "value": "value changed",
    "removed": "removed",
    "added": "added",
    "vr": "VR changed",
    "item-order": "items in another order",
    "items": "another number of items",
    "signature": "signature",
    "transfer-syntax": "transfer syntax",
}


@dataclass(frozen=True)
class AnswerRow:
    """One crafted object and what the SUT said of it. `kind` is the worst verdict that rests on it; `striking`: another
    answer than a conforming verifier's.
    """

    name: str
    text: str
    expected: str
    answered: str
    told_by: str
    exchange: str
    striking: bool = False
    kind: str = ""


@dataclass(frozen=True)
class StoredRow:
    """One object that was stored and retrieved. `same` where nothing that counts was changed."""

    name: str
    text: str
    way: str
    same: bool | None
    differences: tuple[str, ...]
    left_out: int
    signatures: str
    exchanges: tuple[str, ...]
    kind: str = ""

    @property
    def striking(self) -> bool:
        """Whether anything differs."""
        return bool(self.differences)


def answer_row(one: VerifierAnswer, cited: Mapping[str, str]) -> AnswerRow:
    """One answer of a verifier; `cited`: see `reports.trials.cited_by`."""
    expected = _EXPECTED[one.treatment]
    if one.level == "should" and one.treatment != "either":
        expected = f"should: {expected}"
    driver = f" {driver_of(one.driver)}" if one.driver is not None and not one.answer else ""
    return AnswerRow(
        name=one.case,
        text=one.text or one.case,
        expected=expected,
        answered="not shown" if one.skipped else _ANSWERS[one.answer],
        told_by=one.skipped or f"{one.told_by}{driver}".strip(),
        exchange=one.exchange,
        striking=one.answer in _OTHERWISE[one.treatment],
        kind=cited.get(one.exchange, ""),
    )


def stored_row(one: StoredObject, cited: Mapping[str, str]) -> StoredRow:
    """One object that a storer was sent; `cited`: see `reports.trials.cited_by`."""
    return StoredRow(
        name=one.case,
        text=one.text or one.case,
        way=_way(one),
        same=None if not one.retrieved else not one.differences,
        differences=tuple(_difference(each) for each in one.differences[:MOST_DIFFERENCES]),
        left_out=max(0, len(one.differences) - MOST_DIFFERENCES),
        signatures=_fate(one.before, one.after) if one.retrieved else "",
        exchanges=one.exchanges[:4],
        kind=min((cited[each] for each in one.exchanges if each in cited), default=""),
    )


def _way(one: StoredObject) -> str:
    if one.skipped:
        return f"Not stored: {one.skipped}"
    status = "no status" if one.store_status is None else f"status {one.store_status:04X}"
    said = f"Sent in {syntax_name(one.stored_syntax)} ({status})" if one.stored_syntax else f"Not sent ({status})"
    if one.retrieved:
        return f"{said}; returned in {syntax_name(one.returned_syntax)} by {one.told_by or 'retrieval'}."
    return f"{said}; not retrieved{f': {one.detail}' if one.detail else ''}."


def _difference(one: Difference) -> str:
    said = _DIFFERENCES[one.kind]
    return f"{named_place(one.place)}: {said}{f' ({one.detail})' if one.detail else ''}" if one.place else said


def _fate(before: FileResult | None, after: FileResult | None) -> str:
    """How many signatures verify, and how many did where that was otherwise."""
    if after is None:
        return "not looked at"
    told = _count(after)
    return told if before is None or _count(before) == told else f"{told}; as sent: {_count(before)}"


def _count(result: FileResult) -> str:
    good = sum(each.standing == Standing.VALID for each in result.signatures)
    return f"{good} of {len(result.signatures)} verify" if result.signatures else "none"
