"""What verifying says of a file and of each signature in it: plain facts that are printed, recorded and judged.

Tags are written "(7FE0,0010)"; places within nested sequences as "(0040,A730)[2].(0040,A168)[1].(0008,0100)", items
numbered from 1. Times are ISO 8601 with an offset. Nothing here depends on how it was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """What can be said of a signature, or of a part of it."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"  # it cannot be judged; the reasons say why
    UNSIGNED = "unsigned"  # of files only: there is no signature


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: `code` names the kind of reason for good, `place` the element in question."""

    code: str
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class CertificateResult:
    """The certificate of a signer or of a time-stamping authority.

    `at_signing` is its path at the time of the signature, `now` at the time of verifying; both are unknown where no
    trust anchors were given. `key_type` is "rsa", "ec", "dsa", "unknown".
    """

    at_signing: Standing
    now: Standing
    subject: str = ""  # RFC 4514
    issuer: str = ""
    serial: str = ""
    not_before: str = ""
    not_after: str = ""
    key_type: str = "unknown"
    key_bits: int | None = None
    signature_hash: str = ""
    key_usage: tuple[str, ...] | None = None  # None: extension absent
    extended_key_usage: tuple[str, ...] | None = None
    sha256: str = ""
    pem: str = ""
    version: int = 0  # as X.509 counts: 3
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class TimestampResult:
    """A certified timestamp (RFC 3161): whether it is one, is of this signature and is by an authority we trust."""

    kind: str  # (0400,0305), "CMS_TSP"
    standing: Standing
    time: str = ""
    policy: str = ""
    hash_algorithm: str = ""
    of_this_signature: bool | None = None
    authority: CertificateResult | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureResult:
    """One item of a Digital Signatures Sequence.

    `location` is the place of the data set that holds it, empty for the top level; `number` counts from 1. `mac` tells
    whether the MAC that was signed is that of the elements listed; `variant` names the wrong way of forming it under
    which it would be (`reference_impl.signatures.mac.VARIANTS`). `absent` are listed tags that the data set lacks,
    `forbidden` listed tags that shall not be (C.12.1.1.3.1.1). `profiles` are those of Annex C that it satisfies;
    `uncovered` says what a reader might believe to be signed and is not.
    """

    location: str
    number: int
    standing: Standing
    uid: str = ""
    mac_id: int | None = None
    mac_id_items: int = 0  # items of MAC Parameters at this level with that number
    signed_at: str = ""  # (0400,0105) as it stands
    certificate_type: str = ""
    algorithm: str = ""
    transfer_syntax: str = ""
    signed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    in_order: bool = True  # each tag once, ascending
    mac: Standing = Standing.UNKNOWN
    variant: str = ""
    scheme: str = ""  # "rsa-pkcs1-v1.5", "rsa-other", "ecdsa", "dsa", ""
    signature_octets: int = 0
    certificate: CertificateResult | None = None
    timestamp: TimestampResult | None = None
    purposes: tuple[Code, ...] = ()  # items of (0400,0401)
    covers_sequences: bool = False  # whether a listed element is a sequence, here and below
    covers_encapsulated: bool = False
    profiles: tuple[str, ...] = ()
    uncovered: tuple[Reason, ...] = ()
    encoding: tuple[Reason, ...] = ()  # what is wrong with the items themselves (type 1 missing, VR, VM)
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class PresentElement:
    """An element at the top level of a data set. `holds_unknown`: its VR is UN, or one within it is."""

    tag: str
    vr: str
    holds_unknown: bool = False
    nested: tuple[str, ...] = ()  # of a sequence: tags that stand within it at any depth, each once


@dataclass(frozen=True, slots=True)
class EvidenceReference:
    """A referenced instance in an evidence sequence of a document (PS3.15 A.4)."""

    place: str
    sop_instance: str
    signatures: int = 0  # items of Referenced Digital Signature Sequence
    macs: int = 0  # items of Referenced SOP Instance MAC Sequence
    mac_algorithms: tuple[str, ...] = ()
    standing: Standing = Standing.UNKNOWN  # of the reference, where the referenced instance is at hand
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """What a structured report or key object selection says that its signatures depend on (C.4)."""

    kind: str  # "sr" or "kos"
    verification_flag: str = ""
    completion_flag: str = ""
    verifying_observers: int = 0
    evidence: tuple[EvidenceReference, ...] = ()


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file. `standing` is the worst of its signatures; `problems` say what could not be read, and where."""

    path: str
    standing: Standing
    sop_class: str = ""
    sop_instance: str = ""
    transfer_syntax: str = ""
    octets: int = 0
    signatures: tuple[SignatureResult, ...] = ()
    mac_ids: tuple[int, ...] = ()  # of every MAC Parameters item in the instance, in order
    unused_mac_ids: tuple[int, ...] = ()
    present: tuple[PresentElement, ...] = ()
    document: DocumentResult | None = None
    problems: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
