"""Makes digital signatures in DICOM files (PS3.15 C.1 to C.4, PS3.3 C.12.1.1.3).

The octets of a file stay as they stand; the items of the two sequences are added at the level that is signed. What a
signature covers never includes them, so no signature that is there already is disturbed. Nothing is loaded whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from reference_impl.signatures import items
from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.elements import DIGITAL_SIGNATURES, MAC_PARAMETERS, Level, tag_text
from reference_impl.signatures.keys import Signer, SigningError
from reference_impl.signatures.mac import CORRECT, VARIANTS, digest, is_excluded, mac_parts, signable
from reference_impl.signatures.mac import signature_item_parts as item_parts
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.reader import DicomFile, open_data_set, open_dicom
from reference_impl.signatures.results import Code, PresentElement
from reference_impl.signatures.writer import (
    Edit,
    LateWriting,
    Splice,
    demand_explicit,
    partial_file,
    transfer_syntax_of,
    write,
)

if TYPE_CHECKING:
    from reference_impl.signatures.references import References

__all__ = ["Signer", "SigningError", "SigningOrder", "sign_file"]

Profile = Literal["", "C.1", "C.2", "C.3", "C.4"]
_PROFILES = get_args(Profile)
_DIRECTORY_RECORDS = 0x00041220
_CHARACTER_SET = 0x00080005
_VERIFICATION_FLAG = 0x0040A493
_LARGE = 8_000_000
"""Octets of a file from which on it is worth writing it while its MAC is formed."""
_MOST_MAC_IDS = 0x10000


@dataclass(frozen=True, slots=True)
class SigningOrder:
    """What one signature shall be.

    `profile`: "C.1" (Base), "C.2" (Creator), "C.3" (Authorization), "C.4" (Structured Report; of a verified document
    what the verification signature covers is signed whatever the purpose), or empty for a signature outside them
    (ECDSA, DSA). `tags` are signed in addition to what the profile demands and the Specific Character Set; under C.1,
    which demands nothing, they are all that is signed, and without them everything that may be. `location` is that of
    the sequence item to sign, "(0040,A730)[2]", empty for the top level. `transfer_syntax` is the MAC Calculation
    Transfer Syntax UID: by default that of the file if it is encapsulated, else Explicit VR Little Endian. `mac_id` by
    default is the lowest that is free in the instance. `timestamp` takes the Value of Signature and returns a certified
    timestamp. `references` fills in evidence references before signing.
    """

    profile: Profile = "C.1"
    tags: tuple[int, ...] | None = None
    location: str = ""
    algorithm: str = "SHA256"
    purpose: Code | None = None
    transfer_syntax: str | None = None
    mac_id: int | None = None
    uid: str | None = None
    at: datetime | None = None
    timestamp: Callable[[bytes], bytes] | None = None
    references: References | None = None
    signer: Signer | None = None
    allow_weak_key: bool = False


def sign_file(
    source: Path, target: Path, orders: Sequence[SigningOrder], signer: Signer, deviations: Deviations = NONE
) -> tuple[str, ...]:
    """Write `source` to `target` with a signature for each of `orders`; return their UIDs.

    `signer` makes those whose order names no other. `target` appears whole or not at all and replaces a file of that
    name; `source` is not written to. Raises `SigningError` for an order that cannot be carried out,
    `UnreadableError` for a file that cannot be read, OSError where the target cannot be written.
    """
    if target.exists() and target.samefile(source):
        raise SigningError(f"{target}: is the file to be signed, which is never written to; name another target")
    references = next((order.references for order in orders if order.references is not None), None)
    if references is None:
        return _sign(source, target, orders, signer, deviations)
    from reference_impl.signatures.references import refer

    with partial_file(target) as referring:
        refer(source, referring, references, deviations)
        return _sign(referring, target, orders, signer, deviations)


def _sign(
    source: Path, target: Path, orders: Sequence[SigningOrder], signer: Signer, deviations: Deviations
) -> tuple[str, ...]:
    with open_dicom(source) as file:
        demand_explicit(file)
        if file.root.get(_DIRECTORY_RECORDS) is not None:
            raise SigningError("it is a DICOMDIR, and signing would move what its offsets point to; sign its files")
        taken = _mac_ids(file)
        making: list[_Making] = []
        for order in orders:
            mac_id = _mac_id(order, taken, deviations)
            taken.add(mac_id)
            making.append(_Making(file, order, order.signer or signer, deviations, mac_id))
        awaited = [octets for each in making if (octets := each.of_that_length())]
        if file.size > _LARGE and not file.deflated and len(awaited) == len(making):
            with LateWriting(file, _splices(file, making, awaited, deviations), target, awaited) as writing:
                writing.resolve([each.signature() for each in making])
        else:
            write(file, _splices(file, making, [each.signature() for each in making], deviations), target)
    return tuple(each.uid for each in making)


def _splices(
    file: DicomFile, making: Sequence[_Making], signatures: Sequence[bytes], deviations: Deviations
) -> list[Splice]:
    """What is added to the file: items of both sequences, at each level in the order of the signatures."""
    levels: dict[str, tuple[Level, list[bytes], list[bytes]]] = {}
    for each, signature in zip(making, signatures, strict=True):
        _, parameters, values = levels.setdefault(each.level.location, (each.level, [], []))
        parameters.append(each.parameters)
        values.append(signature)
    edit, undefined = Edit(file), deviations.undefined_lengths
    for level, parameters, values in levels.values():
        if deviations.sequences != "signatures":
            edit.add(
                file.root if deviations.parameters_at_top else level, MAC_PARAMETERS, parameters, undefined=undefined
            )
        if deviations.sequences != "parameters":
            edit.add(level, DIGITAL_SIGNATURES, values, undefined=undefined)
    return edit.splices()


def find_level(root: Level, location: str) -> Level:
    """Return the data set at `location`: "(0040,A730)[2].(0040,A730)[1]"; empty for `root`.

    Raises `SigningError` where there is no such item.
    """
    if not location:
        return root
    from reference_impl.signatures.profiles import parse_tag

    level = root
    for part in location.split("."):
        tag, _, number = part.removesuffix("]").partition("[")
        try:
            sequence, wanted = level.get(parse_tag(tag.upper())), int(number)
        except ValueError:
            raise SigningError(f"{location}: is no place of an item; write it as (0040,A730)[2]") from None
        found = (sequence.items or ()) if sequence is not None else ()
        if not 1 <= wanted <= len(found):
            held = f"{tag} has {len(found)}" if sequence is not None else f"there is no {tag}"
            raise SigningError(f"{location}: there is no such item: {held}; items are counted from 1")
        if sequence is not None and sequence.tag in {MAC_PARAMETERS, DIGITAL_SIGNATURES}:
            raise SigningError(f"{location}: belongs to a signature; sign an item of another sequence")
        level = found[wanted - 1]
    return level


def _mac_ids(file: DicomFile) -> set[int]:
    """MAC ID Numbers of every MAC Parameters item in the instance."""
    macros = read_macros(file)
    for problem in (problem for each in macros for problem in each.problems if problem.code == "limit"):
        raise SigningError(
            f"{problem.place}: {problem.text}, so that no free MAC ID Number is known; remove signatures"
        )
    return {each.mac_id for level in macros for each in level.mac_parameters if each.mac_id is not None}


def _mac_id(order: SigningOrder, taken: set[int], deviations: Deviations) -> int:
    if deviations.mac_id is not None:
        return deviations.mac_id
    if order.mac_id is None:
        free = next((number for number in range(_MOST_MAC_IDS) if number not in taken), None)
        if free is None:
            raise SigningError("every MAC ID Number of the instance is taken; remove signatures first")
        return free
    if order.mac_id in taken:
        raise SigningError(f"MAC ID Number {order.mac_id} is taken in this instance; let one be chosen")
    if not 0 <= order.mac_id < _MOST_MAC_IDS:
        raise SigningError(f"{order.mac_id} is no MAC ID Number; name one from 0 to {_MOST_MAC_IDS - 1}")
    return order.mac_id


class _Making:
    """One signature in the making: the level it is of, its UID, the encoded item of MAC Parameters."""

    def __init__(
        self, file: DicomFile, order: SigningOrder, signer: Signer, deviations: Deviations, mac_id: int
    ) -> None:
        self._file = file
        self._order = order
        self._signer = signer
        self._deviations = deviations
        self.level = find_level(file.root, order.location)
        if not deviations.unchecked:
            self._check_key()
            self._check_structure()
            if order.profile == "C.4":
                self._check_document()
        self._covered, listed = self._tags()
        syntax = order.transfer_syntax or transfer_syntax_of(file)
        parameters = items.parameters_fields(mac_id, syntax, order.algorithm, listed, deviations)
        self.parameters = items.encoded_item(parameters, deviations)
        self.uid = (order.uid or f"2.25.{uuid.uuid4().int}") if deviations.uid is None else deviations.uid
        self._fields = self._known_fields(mac_id)

    def _known_fields(self, mac_id: int) -> items.Fields:
        """The elements of the signature's item that are known before it is made."""
        order, deviations = self._order, self._deviations
        purposes = deviations.purposes
        if purposes is None and order.purpose is not None:
            purposes = (order.purpose,)
        referenced = mac_id if deviations.referenced_mac_id is None else deviations.referenced_mac_id
        at = order.at or datetime.now(UTC).astimezone()
        fields = items.signed_fields(referenced, self.uid, at, purposes, deviations)
        return fields + items.certificate_field(self._signer.certificate, deviations)

    def of_that_length(self) -> bytes | None:
        """An item as long as the signature's will be; None where that cannot be known."""
        length = self._signer.length
        if length is None or self._order.timestamp is not None or self._deviations is not NONE:
            return None
        return items.encoded_item(self._fields + items.value_fields(bytes(length), None))

    def signature(self) -> bytes:
        """Form the MAC, sign it, have it time-stamped; return the encoded item of the Digital Signatures Sequence."""
        value = self._value()
        fields = self._fields + items.value_fields(value, self._timestamp(value), self._deviations)
        return items.encoded_item(fields, self._deviations)

    def _value(self) -> bytes:
        order, deviations = self._order, self._deviations
        variant = VARIANTS[deviations.variant] if deviations.variant else CORRECT
        with open_data_set(b"".join(each for _, each in sorted(self._fields))) as own:
            parts = chain(mac_parts(self._file, self.level, self._covered, variant), item_parts(own, own.root, variant))
            mac = digest(order.algorithm, parts)
        if deviations.alter_mac is not None:
            mac = deviations.alter_mac(mac)
        value = self._signer.sign(order.algorithm, mac, deviations.encoding)
        return value if deviations.alter_signature is None else deviations.alter_signature(value)

    def _timestamp(self, value: bytes) -> bytes | None:
        deviations = self._deviations
        if self._order.timestamp is None:
            return None
        stamped = value + b"\0" * (len(value) % 2)  # the Value of the attribute, whose length is even
        timestamp = self._order.timestamp(stamped if deviations.timestamp_over is None else deviations.timestamp_over)
        return timestamp if deviations.alter_timestamp is None else deviations.alter_timestamp(timestamp)

    def _tags(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tags for the MAC, and those to list."""
        deviations = self._deviations
        chosen = self._chosen() - deviations.leave_out | frozenset(deviations.sign_also)
        if not chosen and not deviations.unchecked:
            raise SigningError(f"{self._named()} holds nothing that can be signed; sign another place")
        listed = sorted(chosen - frozenset(deviations.sign_unlisted) | frozenset(deviations.list_unsigned))
        if deviations.order == "descending":
            listed.reverse()
        listed *= deviations.repeat_listed
        if len(listed) > items.MOST_LISTED:
            raise SigningError(f"{len(listed)} elements are more than can be listed; sign fewer")
        covered = chosen | frozenset(deviations.sign_unlisted)
        in_order = [tag for tag in dict.fromkeys(listed) if tag in covered]
        return (*in_order, *sorted(covered - frozenset(in_order))), tuple(listed)

    def _chosen(self) -> frozenset[int]:
        """What order and profile want signed."""
        order = self._order
        able = frozenset(signable(self.level))
        wanted = frozenset(order.tags or ())
        for tag in sorted(wanted - able):
            raise SigningError(f"{tag_text(tag)} {self._why_not(tag)}; leave it out")
        if order.profile in {"", "C.1"}:
            return able if order.tags is None else wanted
        if order.location:
            raise SigningError(
                f"profile {order.profile} is about the whole data set, not about {order.location}; sign items under C.1"
            )
        from reference_impl.signatures.profiles import parse_tag, required_tags

        present = [
            PresentElement(tag_text(each.tag), each.vr, each.holds_unknown, tuple(map(tag_text, each.nested_tags())))
            for each in self.level.elements
        ]
        verified = self._file.text(self.level.get(_VERIFICATION_FLAG)) == "VERIFIED"
        demanded = frozenset(map(parse_tag, required_tags(order.profile, present, verified)))
        # without its character set, signed text can be made to read otherwise
        return wanted | able & (demanded | {_CHARACTER_SET})

    def _why_not(self, tag: int) -> str:
        there = self.level.get(tag)
        if there is None:
            return f"is not in {self._named()}"
        if is_excluded(tag, ""):
            return "must never be signed (PS3.3 C.12.1.1.3.1.1)"
        return "cannot be signed: its VR, or one within it, is UN"

    def _named(self) -> str:
        return self._order.location or "the data set"

    def _check_key(self) -> None:
        order, signer = self._order, self._signer
        if order.algorithm not in ALGORITHMS:
            raise SigningError(f"{order.algorithm!r} is no MAC algorithm; name one of {', '.join(ALGORITHMS)}")
        if order.profile and signer.scheme != "rsa-pkcs1-v1.5":
            raise SigningError(
                f"profile {order.profile} demands an RSA key, not {signer.scheme.upper()}; use one, or sign outside "
                "the profiles"
            )
        if signer.is_weak and not order.allow_weak_key:
            raise SigningError("the RSA key has less than 2048 bits; use a longer one, or allow weak keys")
        if order.profile not in _PROFILES:
            raise SigningError(f"{order.profile!r} is no signature profile; name {', '.join(filter(None, _PROFILES))}")

    def _check_structure(self) -> None:
        """Tags name elements, so each may stand there once, and in order (PS3.5 7.1); what is encapsulated is OB."""
        previous = -1
        for each in self.level.elements:
            wrong = ""
            if each.tag <= previous:
                wrong = "stands there twice" if each.tag == previous else "is out of order"
            elif each.length is None and each.vr not in {"OB", "SQ", "UN"}:
                wrong = f"is encapsulated with VR {each.vr} instead of OB"
            if wrong:
                raise SigningError(
                    f"{each.place} {wrong}, so what is signed would be in doubt; have the file written anew first, for "
                    "example with dcmconv"
                )
            previous = each.tag

    def _check_document(self) -> None:
        """What C.4 asks of the document and of the order, beside the elements to sign."""
        from reference_impl.signatures.documents import document_of
        from reference_impl.signatures.profiles import is_verification

        order = self._order
        document = document_of(self._file, self._file.sop_class)
        if document is None:
            raise SigningError(
                f"SOP Class {self._file.sop_class or '(none)'} is neither a structured report nor a key object "
                "selection, of which profile C.4 is; choose another profile"
            )
        if order.purpose is None:
            raise SigningError("profile C.4 demands a purpose; name one, such as 1 (author) or 5 (verification)")
        if document.verifying_observers > 1:
            raise SigningError(
                f"the document has {document.verifying_observers} verifying observers, and profile C.4 is for one at "
                "most; choose another profile"
            )
        if not is_verification(order.purpose):
            return
        if document.verification_flag != "VERIFIED":
            raise SigningError(
                f"the document is {document.verification_flag or 'of no verification state'}, and a verification "
                "signature is for one that is VERIFIED; verify it first, or choose another purpose"
            )
        if not document.verifying_observers:
            raise SigningError("the document is VERIFIED and names no verifying observer; have it say who verified it")
