"""What signed documents say of themselves and of their evidence (PS3.15 A.4, C.4; PS3.3 C.17.2, C.17.6)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from reference_impl.signatures.algorithms import UnknownAlgorithmError
from reference_impl.signatures.mac import digest, mac_parts
from reference_impl.signatures.reader import UnreadableError, open_dicom
from reference_impl.signatures.results import DocumentResult, EvidenceReference, Reason, Standing

if TYPE_CHECKING:
    from reference_impl.signatures.elements import Element, Level
    from reference_impl.signatures.policy import Lookup
    from reference_impl.signatures.reader import DicomFile

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_COMPLETION, _VERIFICATION, _OBSERVERS = 0x0040A491, 0x0040A493, 0x0040A073
_EVIDENCE = (0x0040A375, 0x0040A385)  # Current Requested Procedure, Pertinent Other
_SERIES, _INSTANCES, _REFERENCED_INSTANCE = 0x00081115, 0x00081199, 0x00081155
_SIGNATURES, _MACS = 0x04000402, 0x04000403
_UID, _VALUE, _SYNTAX, _ALGORITHM, _SIGNED, _MAC = (
    0x04000100,
    0x04000120,
    0x04000010,
    0x04000015,
    0x04000020,
    0x04000404,
)
_MOST_REFERENCES = 10_000
_MOST_OCTETS = 1 << 16


def document_of(file: DicomFile, sop_class: str, lookup: Lookup | None = None) -> DocumentResult | None:
    """Return what `file` is as a document, or None where its SOP class is neither report nor key object selection.

    With `lookup` each evidence reference is held against the instance that it refers to, where that is at hand.
    Raises `UnreadableError`.
    """
    if not sop_class.startswith(_REPORTS):
        return None
    root = file.root
    observers = root.get(_OBSERVERS)
    return DocumentResult(
        kind="kos" if sop_class == KEY_OBJECT_SELECTION else "sr",
        verification_flag=file.text(root.get(_VERIFICATION)),
        completion_flag=file.text(root.get(_COMPLETION)),
        verifying_observers=len(observers.items or ()) if observers else 0,
        evidence=tuple(_references(file, lookup)),
    )


def _octets(file: DicomFile, level: Level, tag: int) -> bytes:
    element = level.get(tag)
    if element is None or element.length is None or element.length > _MOST_OCTETS:
        return b""
    return file.value(element)


def _references(file: DicomFile, lookup: Lookup | None) -> Iterator[EvidenceReference]:
    count = 0
    for _, study in _items(file.root, *_EVIDENCE):
        for _, series in _items(study, _SERIES):
            for _, instance in _items(series, _INSTANCES):
                count += 1
                if count > _MOST_REFERENCES:
                    return
                yield _reference(file, instance, lookup)


def _items(level: Level, *tags: int) -> Iterator[tuple[Element, Level]]:
    for element in level.elements:
        if element.tag in tags:
            for item in element.items or ():
                yield element, item


def _reference(file: DicomFile, level: Level, lookup: Lookup | None) -> EvidenceReference:
    signatures = [item for _, item in _items(level, _SIGNATURES)]
    macs = [item for _, item in _items(level, _MACS)]
    found = EvidenceReference(
        place=level.location,
        sop_instance=file.text(level.get(_REFERENCED_INSTANCE)),
        signatures=len(signatures),
        macs=len(macs),
        mac_algorithms=tuple(file.text(item.get(_ALGORITHM)) for item in macs),
    )
    if lookup is None or not (signatures or macs):
        return found
    path = lookup(found.sop_instance) if found.sop_instance else None
    if path is None:
        reason = Reason("not-at-hand", "the referenced instance is not among the files", level.location)
        return replace(found, reasons=(reason,))
    try:
        with open_dicom(path) as referenced:
            reasons = tuple(_compare(file, signatures, macs, found.sop_instance, referenced))
    except (UnreadableError, OSError) as problem:
        return replace(found, reasons=(Reason("unreadable", f"the referenced instance: {problem}", level.location),))
    if any(reason.code in {"differs", "no-such-signature", "other-instance"} for reason in reasons):
        return replace(found, standing=Standing.INVALID, reasons=reasons)
    return replace(found, standing=Standing.UNKNOWN if reasons else Standing.VALID, reasons=reasons)


def _compare(
    file: DicomFile, signatures: list[Level], macs: list[Level], instance: str, referenced: DicomFile
) -> Iterator[Reason]:
    """What does not agree between references and the instance; nothing where all do."""
    if referenced.sop_instance != instance:
        place = signatures[0].location if signatures else macs[0].location
        yield Reason("other-instance", "the file at hand is another instance", place)
        return
    held = dict(_values(referenced, referenced.root))
    for item in signatures:
        uid, value = file.text(item.get(_UID)), _octets(file, item, _VALUE)
        if uid not in held:
            yield Reason("no-such-signature", f"the instance holds no signature {uid}", item.location)
        elif not value or not hmac.compare_digest(value, held[uid]):
            yield Reason("differs", f"the signature {uid} has another value in the instance", item.location)
    for item in macs:
        yield from _compare_mac(file, item, referenced)


def _values(file: DicomFile, level: Level) -> Iterator[tuple[str, bytes]]:
    """UID and value of the signatures of the data set `level` and below."""
    for element in level.elements:
        for item in element.items or ():
            if element.tag == 0xFFFAFFFA:
                yield file.text(item.get(_UID)), _octets(file, item, _VALUE)
            else:
                yield from _values(file, item)


def _compare_mac(file: DicomFile, item: Level, referenced: DicomFile) -> Iterator[Reason]:
    algorithm = file.text(item.get(_ALGORITHM))
    stored, listed = _octets(file, item, _MAC), _octets(file, item, _SIGNED)
    tags = [
        int.from_bytes(listed[at : at + 2], "little") << 16 | int.from_bytes(listed[at + 2 : at + 4], "little")
        for at in range(0, len(listed) - 3, 4)
    ]
    if not stored or not tags:
        yield Reason("incomplete", "MAC or the list of its elements is missing", item.location)
        return
    if not (referenced.explicit and referenced.little_endian):
        yield Reason("not-explicit", "the instance is not stored with explicit VR and little endian", item.location)
        return
    try:
        computed = digest(algorithm, mac_parts(referenced, referenced.root, tags))
    except UnknownAlgorithmError:
        yield Reason("unknown-algorithm", f"the MAC algorithm {algorithm!r} is not known", item.location)
        return
    if hmac.compare_digest(stored, computed):
        return
    syntax = file.text(item.get(_SYNTAX))
    if syntax != referenced.transfer_syntax:
        text = f"the MAC is of the instance in transfer syntax {syntax}; here it is in {referenced.transfer_syntax}"
        yield Reason("other-syntax", text, item.location)
    else:
        yield Reason("differs", "the instance is not the one that the MAC was made of", item.location)
