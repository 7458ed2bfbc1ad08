"""How a creator of signatures can deviate from PS3.3 C.12.1.1.3 and PS3.15 C.1 to C.4: knobs, all off by default.

They serve faulty creators and crafted objects. What a knob changes is what the signature covers in the end, too: the
MAC is always formed over what is written, so that a deviation breaks nothing but its own rule; `alter_mac`,
`alter_signature` and `variant` are there for signatures that do not verify.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reference_impl.signatures.keys import Padding
from reference_impl.signatures.results import Code

TagOrder = Literal["ascending", "descending"]
Sequences = Literal["both", "parameters", "signatures"]


@dataclass(frozen=True, slots=True)
class Deviations:
    """What is done wrongly. Tags are numbers: 0x7FE00010; (0400,xxxx) are those of the two sequences' items."""

    # How the MAC is formed.
    variant: str = ""
    """A wrong way of forming the MAC, by its name in `reference_impl.signatures.mac.VARIANTS`."""
    leave_out: frozenset[int] = frozenset()
    """Elements neither signed nor listed though order or profile want them."""
    sign_also: tuple[int, ...] = ()
    """Elements listed though they shall not be, or are absent: group lengths, UN, (FFFA,FFFA), ... The MAC covers
    those that are there and that its `variant` takes in."""
    sign_unlisted: tuple[int, ...] = ()
    """Elements that the MAC covers and the list does not name."""
    list_unsigned: tuple[int, ...] = ()
    """Elements that the list names and the MAC does not cover."""
    order: TagOrder = "ascending"
    """Order of the list (and of the MAC, where the variant takes the listed order)."""
    repeat_listed: int = 1
    """How often each tag is listed."""
    alter_mac: Callable[[bytes], bytes] | None = None
    """Changes the MAC before it is signed."""

    # MAC Parameters item.
    mac_id: int | None = None
    """MAC ID Number to use although it is taken."""
    stated_algorithm: str | None = None
    """MAC Algorithm (0400,0015) to state instead of the one used."""
    stated_transfer_syntax: str | None = None
    """MAC Calculation Transfer Syntax UID (0400,0010) to state."""
    omit_parameters: frozenset[int] = frozenset()
    """Elements missing in the MAC Parameters item."""
    parameters_at_top: bool = False
    """The MAC Parameters item stands at the top level though the signature is in a sequence item."""
    sequences: Sequences = "both"
    """Which of the two sequences are written."""

    # Digital Signatures item.
    referenced_mac_id: int | None = None
    """MAC ID Number in the signature item that is not that of its MAC Parameters item."""
    uid: str | None = None
    """Digital Signature UID: that of another signature, or none at all."""
    date_time: str | None = None
    """Digital Signature DateTime as it shall stand there: without an offset, a date alone, ..."""
    certificate_type: str | None = None
    certificate: bytes | None = None
    """Certificate of Signer: of another key, no certificate, ..."""
    encoding: Padding = "pkcs1-v1.5"
    """How RSA pads the MAC."""
    alter_signature: Callable[[bytes], bytes] | None = None
    """Changes the signature value before it is written."""
    omit: frozenset[int] = frozenset()
    """Elements missing in the Digital Signatures item."""
    purposes: tuple[Code, ...] | None = None
    """Items of the Digital Signature Purpose Code Sequence: none at all (an empty sequence), two, other codes."""
    timestamp_type: str | None = None
    """Certified Timestamp Type beside the timestamp (or, if there is none, alone)."""
    timestamp_over: bytes | None = None
    """What is time-stamped instead of the signature value."""
    alter_timestamp: Callable[[bytes], bytes] | None = None
    """Changes the certified timestamp before it is written."""

    # Encoding of both items.
    value_representations: tuple[tuple[int, str], ...] = ()
    """Wrong VRs: pairs of tag and VR."""
    more_elements: tuple[tuple[int, str, bytes], ...] = ()
    """Further elements of the Digital Signatures item: tag, VR, value of even length."""
    undefined_lengths: bool = False
    """Sequences and items of undefined length where they are new; no deviation, but another way of writing."""

    # Evidence references (PS3.15 A.4).
    skip_references: int = 0
    """How many of the references (the last ones) get neither signature nor MAC."""
    alter_reference_mac: Callable[[bytes], bytes] | None = None
    reference_algorithm: str | None = None
    """MAC Algorithm to state in (0400,0403)."""
    reference_variant: str = ""
    """As `variant`, for the MAC in (0400,0403)."""

    # Checks of the order that are not made.
    unchecked: bool = False
    """Sign although profile, key or document forbid it: C.4 without a purpose, a weak key, two observers."""


NONE = Deviations()
