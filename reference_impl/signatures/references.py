"""Secure references of documents to their evidence (PS3.15 A.4): signatures and MACs of the instances referred to.

Every item of Referenced SOP Sequence in the two evidence sequences of a report or key object selection gets a
Referenced Digital Signature Sequence (0400,0402), a Referenced SOP Instance MAC Sequence (0400,0403), or both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.elements import Level
from reference_impl.signatures.items import parameters_fields
from reference_impl.signatures.keys import SigningError
from reference_impl.signatures.mac import CORRECT, VARIANTS, digest, mac_parts, signable
from reference_impl.signatures.macros import MAC_ID, SIGNATURE, SIGNATURE_UID, read_macros
from reference_impl.signatures.policy import Lookup
from reference_impl.signatures.reader import DicomFile, UnreadableError, open_dicom
from reference_impl.signatures.writer import Edit, demand_explicit, element, item, transfer_syntax_of, write

EVIDENCE = (0x0040A375, 0x0040A385)
"""Current Requested Procedure Evidence Sequence, Pertinent Other Evidence Sequence."""
REFERENCED_SERIES, REFERENCED_INSTANCES, REFERENCED_INSTANCE = 0x00081115, 0x00081199, 0x00081155
REFERENCED_SIGNATURES, REFERENCED_MACS, MAC = 0x04000402, 0x04000403, 0x04000404

Kind = Literal["signatures", "macs", "both", "either"]


@dataclass(frozen=True, slots=True)
class References:
    """How evidence is referred to: `find` gives the file of an instance by its UID.

    `kind`: "either" takes the signatures of an instance and where it has none a MAC; "both" a MAC always, and the
    signatures it has. MACs cover everything that may be signed. `missing_allowed`: instances not at hand are left as
    they are; otherwise they stop it.
    """

    find: Lookup
    kind: Kind = "either"
    algorithm: str = "SHA256"
    missing_allowed: bool = False


def refer(source: Path, target: Path, references: References, deviations: Deviations = NONE) -> int:
    """Write `source` to `target` with its evidence references filled in; return how many there are.

    Those that bear a signature or MAC already are left alone. Raises `SigningError` where an instance is not at hand
    or cannot be used, or where a signature already covers the reference, `UnreadableError` for an unreadable document.
    """
    with open_dicom(source) as file:
        demand_explicit(file)
        open_ones = [level for level in evidence_of(file) if _is_bare(level)]
        open_ones = open_ones[: len(open_ones) - deviations.skip_references]
        edit = Edit(file)
        covered = _covered(file)
        for level in open_ones:
            _demand_unsigned(level, covered)
            signatures, macs = _secured(file, level, references, deviations)
            if signatures:
                edit.add(level, REFERENCED_SIGNATURES, signatures, undefined=deviations.undefined_lengths)
            if macs:
                edit.add(level, REFERENCED_MACS, macs, undefined=deviations.undefined_lengths)
        write(file, edit.splices(), target)
        return len(open_ones)


def evidence_of(file: DicomFile) -> Iterator[Level]:
    """The items of every Referenced SOP Sequence in the evidence sequences."""
    for evidence in EVIDENCE:
        for study in _items(file.root, evidence):
            for series in _items(study, REFERENCED_SERIES):
                yield from _items(series, REFERENCED_INSTANCES)


def bare_references(path: Path) -> int:
    """How many evidence references of a document bear neither signature nor MAC. Raises `UnreadableError`."""
    with open_dicom(path) as file:
        return sum(map(_is_bare, evidence_of(file)))


def _is_bare(level: Level) -> bool:
    return level.get(REFERENCED_SIGNATURES) is None and level.get(REFERENCED_MACS) is None


def _items(level: Level, tag: int) -> tuple[Level, ...]:
    found = level.get(tag)
    return (found.items or ()) if found is not None else ()


def _covered(file: DicomFile) -> set[tuple[str, int]]:
    """Place and tag of what signatures cover that are there already."""
    return {
        (macros.location, tag)
        for macros in read_macros(file)
        for signature in macros.signatures
        for parameters in macros.parameters_of(signature)
        for tag in parameters.tags
    }


def _demand_unsigned(level: Level, covered: set[tuple[str, int]]) -> None:
    inner = level
    while (sequence := inner.parent) is not None and (outer := inner.enclosing) is not None:
        if (outer.location, sequence.tag) in covered:
            raise SigningError(
                f"{sequence.place} is signed already, and filling in references would invalidate that signature; fill "
                "them in before the first signature"
            )
        inner = outer


def _secured(
    file: DicomFile, level: Level, references: References, deviations: Deviations
) -> tuple[list[bytes], list[bytes]]:
    """Encoded items of the two sequences for the reference in `level`."""
    uid = file.text(level.get(REFERENCED_INSTANCE))
    path = references.find(uid) if uid else None
    if path is None:
        if references.missing_allowed:
            return [], []
        raise SigningError(f"{level.location} refers to instance {uid or '(none)'}, which is not at hand; provide it")
    try:
        with open_dicom(path) as referenced:
            if referenced.sop_instance != uid:
                raise SigningError(f"{path}: is not instance {uid}, to which the document refers")
            signatures = _signature_items(referenced) if references.kind != "macs" else []
            wanted = references.kind in {"macs", "both"} or (references.kind == "either" and not signatures)
            return signatures, [_mac_item(referenced, path, references, deviations)] if wanted else []
    except UnreadableError as problem:
        raise SigningError(f"{path}: cannot be referred to: {problem}; provide another copy of it") from None


def _signature_items(referenced: DicomFile) -> list[bytes]:
    return [
        item(element(SIGNATURE_UID, "UI", each.uid.encode("ascii")), element(SIGNATURE, "OB", each.signature))
        for macros in read_macros(referenced)
        for each in macros.signatures
        if each.uid.isascii() and each.signature
    ]


def _mac_item(referenced: DicomFile, path: Path, references: References, deviations: Deviations) -> bytes:
    """An item of Referenced SOP Instance MAC Sequence: the MAC without fields of a signature (PS3.3 C.17.2)."""
    if not (referenced.explicit and referenced.little_endian):
        raise SigningError(
            f"{path}: no MAC can be made of it in transfer syntax {referenced.transfer_syntax}; convert it to Explicit "
            "VR Little Endian first, for example with dcmconv +te"
        )
    tags = signable(referenced.root)
    variant = VARIANTS[deviations.reference_variant] if deviations.reference_variant else CORRECT
    mac = digest(references.algorithm, mac_parts(referenced, referenced.root, tags, variant))
    if deviations.alter_reference_mac is not None:
        mac = deviations.alter_reference_mac(mac)
    stated = deviations.reference_algorithm or references.algorithm
    fields = parameters_fields(0, transfer_syntax_of(referenced), stated, tags)
    return item(*(octets for tag, octets in fields if tag != MAC_ID), element(MAC, "OB", mac))


def folder_lookup(*folders: Path) -> Lookup:
    """A lookup among the DICOM files in `folders` and below; what is no DICOM file is passed over."""
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        try:
            with open_dicom(path) as file:
                found.setdefault(file.sop_instance, path)
        except UnreadableError:
            continue
    return found.get
