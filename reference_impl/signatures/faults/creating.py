"""Faults of creators against PS3.15 C.1 and PS3.3 C.12.1.1.3: changes of the plan for an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from reference_impl.signatures.purposes import purposes
from reference_impl.signatures.results import FileResult
from reference_impl.signatures.signing_node import Pass, Plan

Change = Callable[[Plan, FileResult], Plan]
"""Turns the plan for an instance, of which the result of verifying is known, into another."""
Condition = Callable[[FileResult], bool]

_SIGNATURE_UID, _DATE_TIME, _TIMESTAMP_TYPE = 0x04000100, 0x04000105, 0x04000305
_ABSENT = 0x00104000  # Patient Comments: no instance of the set has it
_LOW_GROUP = 0x00020010
_SIGNATURES = 0xFFFAFFFA
_PADDING = 0xFFFCFFFC
_IMPLICIT = "1.2.840.10008.1.2"


def always(_instance: FileResult) -> bool:
    """Whatever the instance."""
    return True


def holding(tag: str) -> Condition:
    """Instances with that element at their top level."""
    return lambda instance: any(each.tag == tag for each in instance.present)


def each_pass(change: Callable[[Pass, FileResult], Pass], only: Condition = always) -> Change:
    """Change every pass over the instances that are meant."""

    def changed(plan: Plan, instance: FileResult) -> Plan:
        if not only(instance):
            return plan
        return replace(plan, passes=tuple(change(each, instance) for each in plan.passes))

    return changed


def deviating(only: Condition = always, **knobs: Any) -> Change:
    """Turn knobs of `Deviations`."""
    return each_pass(lambda each, _: replace(each, deviations=replace(each.deviations, **knobs)), only)


def _listing(tags: Callable[[FileResult], tuple[int, ...]], only: Condition = always) -> Change:
    """List elements that are not signed."""
    return each_pass(
        lambda each, instance: replace(each, deviations=replace(each.deviations, list_unsigned=tags(instance))), only
    )


def _signing_by(case: str) -> Change:
    """Sign with the key and the certificate of another case."""
    return each_pass(lambda each, _: replace(each, signer=case))


def _signing_outside(case: str) -> Change:
    """The same with a key that C.1 is not for."""
    return each_pass(lambda each, _: replace(each, signer=case, deviations=replace(each.deviations, unchecked=True)))


def _stamped_by(case: str) -> Change:
    return each_pass(lambda each, _: replace(each, stamper=case))


def _in_items(**knobs: Any) -> Change:
    """Turn knobs for the signatures of items alone."""

    def change(each: Pass, _instance: FileResult) -> Pass:
        within = all(order.location for order in each.orders)
        return replace(each, deviations=replace(each.deviations, **knobs)) if within else each

    return each_pass(change)


def _dated_locally(each: Pass, _instance: FileResult) -> Pass:
    """The time is that of the clock, and does not say of which place."""
    now = datetime.now().astimezone().strftime("%Y%m%d%H%M%S")
    return replace(each, deviations=replace(each.deviations, date_time=now))


def _number(tag: str) -> int:
    return int(tag[1:5] + tag[6:10], 16)


def _group_lengths(instance: FileResult) -> tuple[int, ...]:
    numbers = (_number(each.tag) for each in instance.present)
    return tuple(number for number in numbers if not number & 0xFFFF and number >> 16 >= 8)


def _unknown(instance: FileResult) -> tuple[int, ...]:
    return tuple(_number(each.tag) for each in instance.present if each.vr == "UN" or each.holds_unknown)


def _has_group_lengths(instance: FileResult) -> bool:
    return bool(_group_lengths(instance))


def _holds_unknown(instance: FileResult) -> bool:
    return bool(_unknown(instance))


def _other(octets: bytes) -> bytes:
    return bytes([octets[0] ^ 1]) + octets[1:]


BASE_CHANGES: Mapping[str, Change] = {
    # The byte stream of the MAC
    "signs-without-sequence-delimiters": deviating(variant="sequence-delimiters-omitted"),
    "signs-lengths-of-delimiters": deviating(variant="delimiter-lengths-included"),
    "signs-item-delimiters": deviating(variant="item-delimiters-included"),
    "signs-lengths-of-sequences": deviating(variant="lengths-included"),
    "signs-without-item-tags": deviating(variant="item-tags-omitted"),
    "signs-group-lengths-in-items": deviating(variant="group-lengths-included"),
    "signs-nested-signatures": deviating(variant="nested-signatures-included"),
    "signs-fragments-without-item-tags": deviating(variant="encapsulated-item-tags-omitted"),
    "signs-lengths-of-fragments": deviating(variant="encapsulated-lengths-included"),
    "signs-fragments-without-delimiter": deviating(variant="encapsulated-delimiter-omitted"),
    "signs-without-value-lengths": deviating(variant="value-lengths-omitted"),
    "signs-without-representations": deviating(variant="representations-omitted"),
    "signs-values-without-padding": deviating(variant="values-trimmed"),
    "signs-in-listed-order": deviating(variant="listed-order", order="descending"),
    "omits-signature-fields": deviating(variant="signature-fields-omitted"),
    "signs-its-certificate": deviating(variant="signature-fields-all"),
    "changes-a-mac": deviating(alter_mac=_other),
    # What is listed
    "lists-in-wrong-order": deviating(order="descending"),
    "lists-twice": deviating(repeat_listed=2),
    "lists-absent-elements": deviating(list_unsigned=(_ABSENT,)),
    "lists-group-lengths": _listing(_group_lengths, _has_group_lengths),
    "signs-group-lengths": each_pass(
        lambda each, instance: replace(
            each,
            deviations=replace(each.deviations, variant="group-lengths-included", sign_also=_group_lengths(instance)),
        ),
        _has_group_lengths,
    ),
    "lists-file-meta-information": deviating(list_unsigned=(_LOW_GROUP,)),
    "lists-unknown-vr": _listing(_unknown, _holds_unknown),
    "lists-signatures": deviating(list_unsigned=(_SIGNATURES,)),
    "lists-padding": deviating(holding("(FFFC,FFFC)"), list_unsigned=(_PADDING,)),
    # The items of both sequences
    "omits-signature-uid": deviating(omit=frozenset({_SIGNATURE_UID})),
    "encodes-date-as-text": deviating(value_representations=((_DATE_TIME, "LO"),)),
    "reuses-mac-ids": deviating(mac_id=0),
    "refers-to-no-mac-parameters": _in_items(referenced_mac_id=315),
    "states-implicit-vr": deviating(stated_transfer_syntax=_IMPLICIT),
    "reuses-signature-uids": deviating(uid="2.25.315"),
    "dates-without-offset": each_pass(_dated_locally),
    "tells-two-purposes": deviating(purposes=(purposes()["1"], purposes()["14"])),
    # Algorithm, key and certificate
    "states-another-algorithm": deviating(stated_algorithm="SHA224"),
    "signs-with-ecdsa": _signing_outside("signer_ec"),
    "pads-by-pss": deviating(encoding="pss"),
    "writes-no-certificate": deviating(certificate=b"PS315-TEST: this is no certificate"),
    "certificate-names-nobody": _signing_by("signer_without_subject"),
    "states-another-certificate-type": deviating(certificate_type="X509_1997"),
    "signs-with-expired-certificate": _signing_by("signer_expired"),
    "signs-with-unknown-certificate": _signing_by("signer_unknown_ca"),
    "signs-with-tls-certificate": _signing_by("signer_tls_only"),
    # Certified timestamps
    "states-another-timestamp-type": deviating(timestamp_type="PS315"),
    "omits-timestamp-type": deviating(omit=frozenset({_TIMESTAMP_TYPE})),
    "stamped-by-no-authority": _stamped_by("tsa_without_purpose"),
    "spoils-timestamps": deviating(alter_timestamp=lambda token: token[:-1] + bytes([token[-1] ^ 1])),
    "stamps-something-else": deviating(timestamp_over=b"PS315-TEST: something else"),
}
"""By the name of the fault."""
