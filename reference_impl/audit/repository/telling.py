"""What a message tells that is kept beside its octets; read from its values, or for messages alike from the octets.

A source writes the same kind of event the same way each time. What stands where in messages with one skeleton (the
octets without attribute values and texts) is found out once, by parsing one of them with marks in the place of names
and identifiers; in the others the values are then taken from their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
_MARK: Final = re.compile("\ue000(\\d+)\ue000")

Value = str | int
"""A text, or in a template the place of one."""


class Told(NamedTuple):
    """What a message tells. `people` and `patients` are pairs of id and name; `terms` pairs of kind and value, in which
    "alias" is an AlternativeUserID."""

    time: Value = ""
    event: Value = ""
    event_system: Value = ""
    event_name: Value = ""
    action: Value = ""
    outcome: Value = ""
    node: Value = ""
    site: Value = ""
    people: tuple[tuple[Value, Value], ...] = ()
    patients: tuple[tuple[Value, Value], ...] = ()
    terms: tuple[tuple[str, Value], ...] = ()


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


class Templates:
    """Reads messages alike without parsing them. Not thread-safe."""

    def __init__(self) -> None:
        self._named: dict[bytes, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._templates: dict[tuple[bytes, tuple[bytes, ...]], Told | None] = {}

    def read(self, octets: bytes, parts: Parts | None) -> Told | None:
        """What a message tells, whose parts `split` gave; None where it has to be parsed."""
        if parts is None or b"&" in octets or not _is_plain(*parts):
            return None
        skeleton, values, texts = parts
        places = self._named.get(skeleton)
        if places is None:
            places = self._places(skeleton, len(values), len(texts))
        fixed, free = places
        values = values + texts
        key = (skeleton, tuple([values[place] for place in fixed]))
        template = self._templates.get(key, _UNSEEN)
        if template is _UNSEEN:
            template = self._made(key, octets, skeleton, values, free)
        return None if template is None else _filled(template, values)

    def _places(self, skeleton: bytes, values: int, texts: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The places of values that have to be the same in messages alike, and of those that need not."""
        names = [found[1] if (found := _ATTRIBUTE.search(part)) else b"" for part in skeleton.split(b'"')[:-1]]
        free = [place for place, name in enumerate(names) if name in _FREE]
        fixed = [place for place in range(values) if place not in set(free)]
        if len(self._named) >= _MOST_SKELETONS:
            self._named.clear()
        places = self._named[skeleton] = (tuple(fixed), (*free, *range(values, values + texts)))
        return places

    def _made(
        self,
        key: tuple[bytes, tuple[bytes, ...]],
        octets: bytes,
        skeleton: bytes,
        values: list[bytes],
        free: tuple[int, ...],
    ) -> Told | None:
        if len(self._templates) >= _MOST_SKELETONS * _MOST_TEMPLATES:
            self._templates.clear()
        template = self._templates[key] = _template(octets, skeleton, values, free)
        return template


_UNSEEN: Final = Told(time=-1)


def _is_plain(skeleton: bytes, values: list[bytes], texts: list[bytes]) -> bool:
    """Whether there is nothing in a message but elements, and each of its parts stands where a skeleton has it."""
    return not (
        b"<!" in skeleton
        or b"<?" in skeleton
        or skeleton.count(_HELD) != len(texts)
        or skeleton.count(b'"') != len(values)
    )


def _template(octets: bytes, skeleton: bytes, values: list[bytes], free: tuple[int, ...]) -> Told | None:
    """What messages like `octets` tell, with the places of values; None where it cannot be told from marks."""
    marked = list(values)
    for place in free:
        marked[place] = f"\ue000{place}\ue000".encode()
    try:
        told = told_of(message_of(parse_xml(_joined(skeleton, marked))))
        same = told_of(message_of(parse_xml(octets)))
    except UnreadableMessageError:
        return None
    template = _replaced(told, _place)
    return template if _filled(template, values) == same else None


def _joined(skeleton: bytes, values: list[bytes]) -> bytes:
    """The message with a skeleton and values, attributes first and then texts."""
    parts = skeleton.split(b'"')
    pieces = [parts[0]]
    for place, part in enumerate(parts[1:]):
        pieces += [b'"', values[place], b'"', part]
    texts = iter(values[len(parts) - 1 :])
    return _HELD_TEXT.sub(lambda _: next(texts), b"".join(pieces))


_HELD_TEXT: Final = re.compile(re.escape(_HELD))


def _place(value: Value) -> Value:
    """The place that a mark names; any other text as it is."""
    assert isinstance(value, str)  # noqa: S101 - no template yet
    found = _MARK.fullmatch(value)
    return int(found[1]) if found else value


def _filled(template: Told, values: list[bytes]) -> Told | None:
    """What is told where these values stand; None where one would be read otherwise than as it stands."""
    texts: dict[int, str] = {}

    def text(value: Value) -> Value:
        if isinstance(value, str):
            return value
        known = texts.get(value)
        if known is None:
            known = texts[value] = values[value].decode()
        return known

    told = _replaced(template, text)
    for each in texts.values():
        if not each.isprintable() or not each or each[0] == " " or each[-1] == " ":
            return None
    return told


def _replaced(told: Told, put: Callable[[Value], Value]) -> Told:
    """`told` with `put` in the place of each value."""
    return Told(
        put(told.time),
        put(told.event),
        put(told.event_system),
        put(told.event_name),
        put(told.action),
        put(told.outcome),
        put(told.node),
        put(told.site),
        tuple([(put(one), put(other)) for one, other in told.people]),
        tuple([(put(one), put(other)) for one, other in told.patients]),
        tuple([(kind, put(value)) for kind, value in told.terms]),
    )


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
