"""A creator of signatures: given an instance, it signs it by the profile that it keeps (PS3.15 C.1 to C.4, A.4).

Its plan for an instance is data, which `faults` change (`reference_impl.signatures.faults`); it is then carried out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from fixtures.pki import Pki
from reference_impl.signatures.creator import Profile, SigningOrder, sign_file
from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.keys import Signer, SigningError
from reference_impl.signatures.policy import Lookup, Policy
from reference_impl.signatures.purposes import VERIFICATION, purposes
from reference_impl.signatures.references import References
from reference_impl.signatures.results import FileResult, PresentElement
from reference_impl.signatures.tsa import TimestampAuthority
from reference_impl.signatures.verifier import verify_file

if TYPE_CHECKING:
    from reference_impl.signatures.faults.creating import Change

KEPT: Mapping[str, Profile] = {"C.1": "C.1", "C.2": "C.2", "C.3": "C.3", "C.4": "C.4", "A.4": "C.4"}
"""The signature profile by which a node signs that keeps a profile: A.4 signs documents by C.4."""
_AUTHOR, _SOURCE = "1", "14"
_MANY = 6  # kinds of element within a sequence from which on its first item is signed, too
_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_ENCODED_ANEW = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"})


@dataclass(frozen=True)
class Pass:
    """Signatures that are made together. `signer` is a case of `fixtures.pki`; `stamper` one that stamps them."""

    orders: tuple[SigningOrder, ...]
    signer: str = "signer"
    stamper: str = ""
    deviations: Deviations = NONE


@dataclass(frozen=True)
class Plan:
    """What is done to one instance: `passes` one after another; none: it is not signed.

    `references` is how evidence is referred to, where it is.
    """

    passes: tuple[Pass, ...]
    references: References | None = None


@dataclass
class SigningNode:
    """Signs by `profile`, with `faults` (names of the role signature-creator), under the authorities of `pki`.

    `references` finds the instances that documents refer to. Raises `UnknownFaultError` for a name that is no fault.
    """

    profile: str = "C.1"
    faults: tuple[str, ...] = ()
    pki: Pki = field(default_factory=Pki.create)
    references: Lookup = lambda _uid: None

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What its faults change."""
        from reference_impl.signatures.faults import creator_changes

        return creator_changes(self.faults)

    def sign(self, source: Path, target: Path) -> tuple[str, ...]:
        """Write `source` to `target`, signed; the UIDs of its signatures.

        Raises `SigningError` for an instance that the profile is not for, and what `sign_file` raises.
        """
        with tempfile.TemporaryDirectory(prefix="ps315-sign-") as folder:
            given = _with_explicit_vr(source, Path(folder))
            plan = self.plan(verify_file(given, Policy(variants=False)))
            if not plan.passes:
                raise SigningError(f"{source}: is not signed under {self.profile}")
            uids: list[str] = []
            for number, each in enumerate(plan.passes):
                last = number == len(plan.passes) - 1
                made = target if last else Path(folder) / f"pass-{number}"
                orders = self._orders(each, plan if number == 0 else None)
                uids += sign_file(given, made, orders, self._signer(each.signer), each.deviations)
                given = made
            return tuple(uids)

    def plan(self, instance: FileResult) -> Plan:
        """What is to be done to an instance of which `instance` is known."""
        documents = KEPT[self.profile] == "C.4"
        plan = Plan(tuple(self._passes(instance)), References(self.references) if documents else None)
        for change in self.changes:
            plan = change(plan, instance)
        return plan

    def _passes(self, instance: FileResult) -> Iterable[Pass]:
        kept = KEPT[self.profile]
        if kept == "C.4":
            yield from self._of_document(instance)
            return
        stamper = "tsa" if kept == "C.1" else ""
        whole = SigningOrder(kept, purpose=purposes()[_SOURCE] if kept == "C.1" else None)
        if kept == "C.1" and (within := tuple(_of_items(instance))):
            yield Pass(within, stamper=stamper)  # first, since then lengths of what encloses the items are as they stay
        yield Pass((whole,), stamper=stamper)

    def _of_document(self, instance: FileResult) -> Iterable[Pass]:
        """The author's signature, and in a verified document that of the verifying observer; see C.4."""
        document = instance.document
        if document is None:
            yield Pass((SigningOrder("C.1"),))
            return
        if document.verifying_observers > 1:
            return  # C.4 has no rules for it
        yield Pass((SigningOrder("C.4", purpose=purposes()[_AUTHOR]),))
        if document.verification_flag == "VERIFIED":
            yield Pass((SigningOrder("C.4", purpose=VERIFICATION),), signer="signer_second")

    def _signer(self, case: str) -> Signer:
        issued = self.pki.issue(case)
        return Signer(issued.key, issued.certificate.public_bytes(Encoding.DER))  # type: ignore[arg-type]

    def _orders(self, each: Pass, plan: Plan | None) -> tuple[SigningOrder, ...]:
        """The orders of a pass, with who stamps; the first pass of a plan fills in references."""
        orders = each.orders
        if plan is not None and plan.references is not None:
            orders = tuple(replace(order, references=plan.references) for order in orders)
        if not each.stamper:
            return orders
        issued = self.pki.issue(each.stamper)
        authority = TimestampAuthority(issued.certificate, issued.key, issued.intermediates)
        return tuple(replace(order, timestamp=authority.stamp) for order in orders)


def _of_items(instance: FileResult) -> Iterable[SigningOrder]:
    """A signature of the first item of a sequence that holds much."""
    rich = (each for each in instance.present if each.vr == "SQ" and len(each.nested) >= _MANY)
    sequence: PresentElement | None = next((each for each in rich if not each.holds_unknown), None)
    if sequence is not None:
        yield SigningOrder("C.1", location=f"{sequence.tag}[1]")


def _with_explicit_vr(source: Path, folder: Path) -> Path:
    """`source`, or what it is in Explicit VR Little Endian where no MAC can be made in its transfer syntax."""
    import pydicom

    meta = pydicom.filereader.read_file_meta_info(source)
    if meta.get("TransferSyntaxUID") not in _ENCODED_ANEW:
        return source
    instance = pydicom.dcmread(source)
    if not instance.file_meta.TransferSyntaxUID.is_little_endian:
        for element in instance.iterall():
            if element.VR == "OW" and isinstance(element.value, bytes):  # the library leaves their octets as they are
                swapped = bytearray(element.value)
                swapped[0::2], swapped[1::2] = element.value[1::2], element.value[0::2]
                element.value = bytes(swapped)
    anew = pydicom.Dataset({element.tag: element for element in instance})
    anew.file_meta = instance.file_meta
    anew.file_meta.TransferSyntaxUID = pydicom.uid.UID(_LITTLE_ENDIAN)
    target = folder / "explicit.dcm"
    pydicom.dcmwrite(target, anew, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return target
