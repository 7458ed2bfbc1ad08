"""Encodes the items that make a signature: of MAC Parameters and of Digital Signatures (PS3.3 Table C.12-6)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime

from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.macros import (
    CERTIFICATE_OF_SIGNER,
    CERTIFICATE_TYPE,
    DATA_ELEMENTS_SIGNED,
    MAC_ALGORITHM,
    MAC_ID,
    MAC_TRANSFER_SYNTAX,
    PURPOSE,
    SIGNATURE,
    SIGNATURE_DATETIME,
    SIGNATURE_UID,
    TIMESTAMP,
    TIMESTAMP_TYPE,
)
from reference_impl.signatures.results import Code
from reference_impl.signatures.writer import element, item, sequence

MOST_LISTED = 0xFFFE // 4
"""Tags that fit into Data Elements Signed: its VR has a length of 16 bits."""
_CODE_VALUE, _CODING_SCHEME, _CODE_MEANING = 0x00080100, 0x00080102, 0x00080104

Fields = list[tuple[int, bytes]]
"""Encoded elements with their tags."""


def tag_list(tags: Iterable[int]) -> bytes:
    """The value of an element of VR AT."""
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)


def date_time(at: datetime) -> str:
    """A DT value with its offset from UTC; a time without one is taken for local time."""
    return at.astimezone().strftime("%Y%m%d%H%M%S.%f%z") if at.tzinfo is None else at.strftime("%Y%m%d%H%M%S.%f%z")


def code_item(code: Code, *, undefined: bool = False) -> bytes:
    """Encode an item of a code sequence (PS3.3 Table 8.8-1)."""
    return item(
        element(_CODE_VALUE, "SH", code.value.encode("ascii", "replace")),
        element(_CODING_SCHEME, "SH", code.scheme.encode("ascii", "replace")),
        element(_CODE_MEANING, "LO", code.meaning.encode("ascii", "replace")),
        undefined=undefined,
    )


def parameters_fields(
    mac_id: int, transfer_syntax: str, algorithm: str, listed: Sequence[int], deviations: Deviations = NONE
) -> Fields:
    """The elements of a MAC Parameters item."""
    return _encoded(
        [
            (MAC_ID, "US", struct.pack("<H", mac_id)),
            (MAC_TRANSFER_SYNTAX, "UI", (deviations.stated_transfer_syntax or transfer_syntax).encode("ascii")),
            (MAC_ALGORITHM, "CS", (deviations.stated_algorithm or algorithm).encode("ascii")),
            (DATA_ELEMENTS_SIGNED, "AT", tag_list(listed)),
        ],
        deviations.omit_parameters,
        deviations,
    )


def signed_fields(
    mac_id: int, uid: str, at: datetime, purposes: Sequence[Code] | None, deviations: Deviations = NONE
) -> Fields:
    """The elements of a Digital Signatures item that its own MAC covers (C.12.1.1.3.1.2)."""
    stated, stated_time = deviations.certificate_type, deviations.date_time
    fields = _encoded(
        [
            (MAC_ID, "US", struct.pack("<H", mac_id)),
            (SIGNATURE_UID, "UI", uid.encode("ascii")),
            (
                SIGNATURE_DATETIME,
                "DT",
                (date_time(at) if stated_time is None else stated_time).encode("ascii"),
            ),
            (CERTIFICATE_TYPE, "CS", ("X509_1993_SIG" if stated is None else stated).encode("ascii")),
            *deviations.more_elements,
        ],
        deviations.omit,
        deviations,
    )
    if purposes is not None and PURPOSE not in deviations.omit:
        undefined = deviations.undefined_lengths
        items = [code_item(code, undefined=undefined) for code in purposes]
        fields.append((PURPOSE, sequence(PURPOSE, *items, undefined=undefined)))
    return sorted(fields)


def certificate_field(certificate: bytes, deviations: Deviations = NONE) -> Fields:
    """Certificate of Signer, unless it is to be missing."""
    stated = certificate if deviations.certificate is None else deviations.certificate
    return _encoded([(CERTIFICATE_OF_SIGNER, "OB", stated)], deviations.omit, deviations)


def value_fields(signature: bytes, timestamp: bytes | None, deviations: Deviations = NONE) -> Fields:
    """The elements of a Digital Signatures item that come when its MAC is signed: Signature, Certified Timestamp."""
    fields = [(SIGNATURE, "OB", signature)]
    kind = deviations.timestamp_type
    if timestamp is not None or kind is not None:
        fields.append((TIMESTAMP_TYPE, "CS", ("CMS_TSP" if kind is None else kind).encode("ascii")))
    if timestamp is not None:
        fields.append((TIMESTAMP, "OB", timestamp))
    return _encoded(fields, deviations.omit, deviations)


def encoded_item(fields: Fields, deviations: Deviations = NONE) -> bytes:
    """One item of these elements, in ascending order."""
    return item(*(octets for _, octets in sorted(fields)), undefined=deviations.undefined_lengths)


def _encoded(elements: Iterable[tuple[int, str, bytes]], omitted: frozenset[int], deviations: Deviations) -> Fields:
    wrong = dict(deviations.value_representations)
    return [(tag, element(tag, wrong.get(tag, vr), value)) for tag, vr, value in elements if tag not in omitted]
