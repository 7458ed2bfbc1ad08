"""Facts about digital signatures: objects that a SUT signed, what it says of crafted ones, what it gives back.

What verifying found is the model of the reference implementation (`reference_impl.signatures.results`). Every model
states what was seen, never whether it is right.
"""

from __future__ import annotations

from typing import Literal

from harness.observations.base import Frozen
from harness.observations.clients import DriverOutcome
from reference_impl.signatures.results import FileResult

Answer = Literal["valid", "invalid", "unverifiable", ""]
Treatment = Literal["valid", "not-valid", "either"]


class SignedObject(Frozen):
    """An object that came from the SUT as signed by it. `given` is the result for what it was given to sign."""

    name: str
    result: FileResult
    exchange: str = ""  # id of the Exchange that holds its octets
    unchanged: bool | None = None  # what was given to it is in it, bit for bit; None: nothing was given


class CreatedObjects(Frozen):
    """kind ``signatures.created``: objects signed by the SUT.

    Subject: the instance of `fixtures.instances` that it was given to sign; empty for those it brought itself (from a
    folder, or sent to us). `left_out` counts objects beyond the limit, that were not looked at.
    """

    text: str = ""
    objects: tuple[SignedObject, ...] = ()
    left_out: int = 0
    driver: DriverOutcome | None = None


class VerifierAnswer(Frozen):
    """kind ``signatures.verified``: what the SUT says of one crafted object (subject: its name).

    `treatment` is what a conforming verifier does: it calls the object valid, does not, or may do either. `answer` is
    empty where none was understood; `told_by` says what it was read from.
    """

    case: str
    text: str
    rule: str
    treatment: Treatment
    level: Literal["shall", "should"] = "shall"
    answer: Answer = ""
    told_by: str = ""  # "exit status 101", "C-STORE status A700", "the operator"
    status: int | None = None  # of the C-STORE response
    driver: DriverOutcome | None = None
    skipped: str = ""  # why it was not shown
    exchange: str = ""


class Difference(Frozen):
    """One way in which what came back is not what was sent.

    `kind` is "value", "removed", "added", "vr", "item-order", "items", "signature", "transfer-syntax".
    """

    kind: Literal["value", "removed", "added", "vr", "item-order", "items", "signature", "transfer-syntax"]
    place: str
    detail: str = ""


class StoredObject(Frozen):
    """kind ``signatures.stored``: an object that was sent to the SUT and retrieved again (subject: its name).

    `store_status` is the C-STORE status (or the HTTP status), None where none came; `taken`: it says that the object
    was stored. `stored_syntax` and
    `returned_syntax` are the transfer syntaxes in which it went and came back. `unverified`: it was sent with a
    signature that is broken.
    """

    case: str
    text: str
    store_status: int | None = None
    stored_syntax: str = ""
    returned_syntax: str = ""
    contexts: tuple[str, ...] = ()  # transfer syntaxes that the SUT accepted for it
    unverified: bool = False
    taken: bool = False
    differences: tuple[Difference, ...] = ()
    before: FileResult | None = None
    after: FileResult | None = None
    retrieved: bool = False
    told_by: str = ""  # "C-GET", "C-MOVE", "WADO-RS", "folder"
    skipped: str = ""
    detail: str = ""
    exchanges: tuple[str, ...] = ()
