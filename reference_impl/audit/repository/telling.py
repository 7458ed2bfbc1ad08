"""What a message tells that is kept beside its octets; read from its values, or for messages alike from the octets.

A source writes the same kind of event the same way each time. What stands where in messages with one skeleton (the
octets without attribute values and texts) is found out once, by parsing one of them with marks in the place of names
and identifiers; in the others the values are then taken from their places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from reference_impl.audit.model import ActiveParticipant, AuditMessage, EventIdentification, ParticipantObject
from reference_impl.audit.parsing import UnreadableMessageError, message_of, parse_xml
from reference_impl.audit.skeletons import HELD as _HELD
from reference_impl.audit.skeletons import Parts

MOST_TERMS: Final = 800
_NAMED: Final = 5  # participants and patients that are shown
_MOST_SKELETONS: Final = 512
_MOST_TEMPLATES: Final = 64
_FREE: Final = frozenset(
    {
        b"UserID", b"UserName", b"AlternativeUserID", b"NetworkAccessPointID", b"AuditSourceID",
        b"AuditEnterpriseSiteID", b"ParticipantObjectID", b"UID", b"Number", b"EventDateTime", b"value",
        b"NumberOfInstances", b"ParticipantObjectSensitivity",
    }
)  # fmt: skip
"""Attributes whose values decide nothing about what others mean."""
_ATTRIBUTE: Final = re.compile(rb"\s([A-Za-z][A-Za-z-]*)=\Z")
_SINGLE: Final = 8  # texts in `Told` before its people
_MARKING: Final = "\ue000".encode()
_MARK: Final = re.compile("\ue000(\\d+)\ue000")


class Told(NamedTuple):
    """What a message tells. `people` and `patients` are pairs of id and name; `terms` pairs of kind and value, in which
    "alias" is an AlternativeUserID."""

    time: str = ""
    event: str = ""
    event_system: str = ""
    event_name: str = ""
    action: str = ""
    outcome: str = ""
    node: str = ""
    site: str = ""
    people: tuple[tuple[str, str], ...] = ()
    patients: tuple[tuple[str, str], ...] = ()
    terms: tuple[tuple[str, str], ...] = ()


def told_of(message: AuditMessage) -> Told:
    """What a message tells."""
    event, source = message.event, message.source
    return Told(
        event.date_time,
        event.id.code,
        event.id.system,
        _event_name(event),
        event.action,
        event.outcome,
        source.id,
        source.enterprise_site,
        tuple((each.user_id, each.user_name) for each in message.participants[:_NAMED]),
        tuple((each.id, each.name) for each in message.patients[:_NAMED]),
        tuple(islice(((kind, value) for kind, value in _terms(message) if value), MOST_TERMS)),
    )


class _Places(NamedTuple):
    """Of a skeleton: how many values and texts it holds, and the places of those that have to be the same in messages
    alike, and of those that need not."""

    values: int
    texts: int
    fixed: tuple[int, ...]
    free: tuple[int, ...]


class Templates:
    """Reads messages alike without parsing them. Not thread-safe."""

    def __init__(self) -> None:
        self._named: dict[bytes, _Places] = {}
        self._templates: dict[tuple[bytes, tuple[bytes, ...]], _Template | None] = {}

    def read(self, octets: bytes, parts: Parts | None) -> Told | None:
        """What a message tells, whose parts `split` gave; None where it has to be parsed."""
        if parts is None or b"&" in octets:
            return None
        skeleton, values, texts = parts
        places = self._named.get(skeleton)
        if places is None:
            if not _is_plain(*parts):
                return None
            places = self._places(skeleton, len(values), len(texts))
        if len(values) != places.values or len(texts) != places.texts:
            return None
        values = values + texts
        key = (skeleton, tuple([values[place] for place in places.fixed]))
        template = self._templates.get(key)
        if template is None:
            if key in self._templates:
                return None
            template = self._made(key, octets, skeleton, values, places.free)
        return None if template is None else template.filled(values)

    def _places(self, skeleton: bytes, values: int, texts: int) -> _Places:
        names = [found[1] if (found := _ATTRIBUTE.search(part)) else b"" for part in skeleton.split(b'"')[:-1]]
        free = [place for place, name in enumerate(names) if name in _FREE]
        fixed = [place for place in range(values) if place not in set(free)]
        if len(self._named) >= _MOST_SKELETONS:
            self._named.clear()
        places = _Places(values, texts, tuple(fixed), (*free, *range(values, values + texts)))
        self._named[skeleton] = places
        return places

    def _made(
        self,
        key: tuple[bytes, tuple[bytes, ...]],
        octets: bytes,
        skeleton: bytes,
        values: list[bytes],
        free: tuple[int, ...],
    ) -> _Template | None:
        if len(self._templates) >= _MOST_SKELETONS * _MOST_TEMPLATES:
            self._templates.clear()
        template = self._templates[key] = _template(octets, skeleton, values, free)
        return template


class _Template:
    """What messages alike tell: texts that are the same in all, and the places of the others."""

    def __init__(self, told: Told) -> None:
        """`told` holds marks in place of what differs."""
        self._constants: list[str] = []
        named = {text: int(found[1]) for text in _texts_of(told) if (found := _MARK.fullmatch(text))}
        self._places = sorted(set(named.values()))
        index = {mark: self._places.index(place) for mark, place in named.items()}

        def at(text: str) -> int:
            """Where a text is found: first come those from their places, then the others."""
            if text not in index:
                index[text] = len(self._places) + len(self._constants)
                self._constants.append(text)
            return index[text]

        self._single = [at(text) for text in told[:_SINGLE]]
        self._people = [(at(one), at(other)) for one, other in told.people]
        self._patients = [(at(one), at(other)) for one, other in told.patients]
        self._terms = [(kind, at(text)) for kind, text in told.terms]

    def filled(self, values: list[bytes]) -> Told | None:
        """What is told where these values stand; None where one would be read otherwise than as it stands."""
        texts = self._constants
        if self._places:
            whole = b"<".join([values[place] for place in self._places]).decode()  # there is no "<" in a value
            bounded = f"<{whole}<"
            if not whole.isprintable() or "<<" in bounded or "< " in bounded or " <" in bounded:
                return None  # one is empty, or has a blank at an end
            texts = whole.split("<") + texts
        return Told._make(
            (
                *[texts[at] for at in self._single],
                tuple([(texts[one], texts[other]) for one, other in self._people]),
                tuple([(texts[one], texts[other]) for one, other in self._patients]),
                tuple([(kind, texts[at]) for kind, at in self._terms]),
            )
        )


def _texts_of(told: Told) -> Iterator[str]:
    yield from told[:_SINGLE]
    for one, other in (*told.people, *told.patients):
        yield from (one, other)
    for _, text in told.terms:
        yield text


def _is_plain(skeleton: bytes, values: list[bytes], texts: list[bytes]) -> bool:
    """Whether there is nothing in a message but elements, and each of its parts stands where a skeleton has it."""
    return not (
        b"<!" in skeleton
        or b"<?" in skeleton
        or skeleton.count(_HELD) != len(texts)
        or skeleton.count(b'"') != len(values)
    )


def _template(octets: bytes, skeleton: bytes, values: list[bytes], free: tuple[int, ...]) -> _Template | None:
    """What messages like `octets` tell, with the places of values; None where it cannot be told from marks."""
    marked = list(values)
    for place in free:
        marked[place] = f"\ue000{place}\ue000".encode()
    joined = _joined(skeleton, marked)
    if joined.count(_MARKING) != 2 * len(free):  # a mark that is none of ours
        return None
    try:
        told = told_of(message_of(parse_xml(joined)))
        same = told_of(message_of(parse_xml(octets)))
    except UnreadableMessageError:
        return None
    template = _Template(told)
    return template if template.filled(values) == same else None


def _joined(skeleton: bytes, values: list[bytes]) -> bytes:
    """The message with a skeleton and values, attributes first and then texts."""
    parts = skeleton.split(b'"')
    pieces = [parts[0]]
    for place, part in enumerate(parts[1:]):
        pieces += [b'"', values[place], b'"', part]
    texts = iter(values[len(parts) - 1 :])
    return _HELD_TEXT.sub(lambda _: next(texts), b"".join(pieces))


_HELD_TEXT: Final = re.compile(re.escape(_HELD))


def _event_name(event: EventIdentification) -> str:
    """What happened, in the words of the message: "User Authentication: Login"."""
    kinds = ", ".join(each.text for each in event.types[:_NAMED] if each.text)
    return f"{event.id.text}: {kinds}" if kinds else event.id.text


def _terms(message: AuditMessage) -> Iterator[tuple[str, str]]:
    """Everything by which a message is found, empty values and repetitions too."""
    event, source = message.event, message.source
    yield "event", event.id.code
    for each in event.types:
        yield "event-type", each.code
    yield "action", event.action
    yield "outcome", event.outcome
    yield "node", source.id
    yield "site", source.enterprise_site
    for each in source.types:
        yield "source-type", each.code
    for participant in message.participants:
        yield from _terms_of_participant(participant)
    for thing in message.objects:
        yield from _terms_of_object(thing)


def _terms_of_participant(participant: ActiveParticipant) -> Iterator[tuple[str, str]]:
    yield "user", participant.user_id
    yield "user-name", participant.user_name
    yield "alias", participant.alternative_user_id
    yield "address", participant.access_point


def _terms_of_object(thing: ParticipantObject) -> Iterator[tuple[str, str]]:
    if thing.is_patient:
        yield "patient", thing.id
        yield "patient-name", thing.name
    else:
        yield "study" if thing.is_study else "object", thing.id
    for description in thing.descriptions:
        for study in description.studies:
            yield "study", study
        for accession in description.accessions:
            yield "object", accession
