"""Faults of creators against PS3.15 C.4 and A.4: structured reports and key object selections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from reference_impl.signatures.creator import SigningOrder
from reference_impl.signatures.deviations import NONE
from reference_impl.signatures.faults.creating import Change, deviating, each_pass
from reference_impl.signatures.purposes import VERIFICATION, purposes
from reference_impl.signatures.results import FileResult
from reference_impl.signatures.signing_node import Pass, Plan

_VERIFIED_ONLY = (0x00080018, 0x0040A073, 0x0040A493)
_CONTENT = "(0040,A730)"


def _document(condition: Callable[[FileResult], bool]) -> Callable[[FileResult], bool]:
    return lambda instance: instance.document is not None and condition(instance)


def _flag(instance: FileResult) -> str:
    return instance.document.verification_flag if instance.document else ""


_selections = _document(lambda instance: instance.document is not None and instance.document.kind == "kos")
_unverified = _document(lambda instance: _flag(instance) != "VERIFIED")
_verified = _document(lambda instance: _flag(instance) == "VERIFIED")


def _without_purpose(each: Pass, _instance: FileResult) -> Pass:
    orders = tuple(replace(order, purpose=None) for order in each.orders)
    return replace(each, orders=orders, deviations=replace(each.deviations, unchecked=True))


def _with_another_purpose(each: Pass, _instance: FileResult) -> Pass:
    """What would be the verification signature has the purpose of an author's."""
    if all(order.purpose != VERIFICATION for order in each.orders):
        return each
    return replace(
        each, orders=tuple(replace(order, purpose=purposes()["1"], tags=_VERIFIED_ONLY) for order in each.orders)
    )


def _in_an_item(each: Pass, _instance: FileResult) -> Pass:
    orders = tuple(replace(order, profile="C.1", location=f"{_CONTENT}[1]") for order in each.orders)
    return replace(each, orders=orders)


def _for_several(plan: Plan, instance: FileResult) -> Plan:
    """Sign what two observers have verified as if there were rules for it."""
    document = instance.document
    if document is None or document.verifying_observers < 2:
        return plan
    unchecked = replace(NONE, unchecked=True)
    return replace(plan, passes=(Pass((SigningOrder("C.4", purpose=VERIFICATION),), deviations=unchecked),))


DOCUMENT_CHANGES: Mapping[str, Change] = {
    "tells-no-purpose": each_pass(_without_purpose, _unverified),
    "verifies-for-another-purpose": each_pass(_with_another_purpose, _verified),
    "signs-items-of-documents": each_pass(_in_an_item, _selections),
    "signs-for-two-observers": _for_several,
    "leaves-references-bare": deviating(_selections, skip_references=1),
    "refers-by-another-algorithm": deviating(_selections, reference_algorithm="SHA224"),
    "refers-by-wrong-mac": deviating(_selections, alter_reference_mac=lambda mac: bytes(reversed(mac))),
    "refers-by-mac-with-lengths": deviating(_selections, reference_variant="lengths-included"),
}
"""By the name of the fault."""
