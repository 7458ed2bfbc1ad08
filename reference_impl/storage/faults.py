"""The faults of the storer by name (``reference_impl/faults/instance_storer.toml`` says what each breaks)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reference_impl.faults.tables import known_names
from reference_impl.storage import alterations as alter
from reference_impl.storage.behaviour import IMPLICIT, StorerBehaviour, Treatment
from reference_impl.storage.renewing import Flaw


@dataclass(frozen=True)
class StorerFault:
    """A behaviour that is switched in, and what the archive then does wrong under A.2."""

    behaviour: StorerBehaviour = field(default_factory=StorerBehaviour)
    flaws: tuple[Flaw, ...] = ()


def _keeps(treatment: Treatment) -> StorerFault:
    return StorerFault(StorerBehaviour(on_receipt=treatment))


def _sends(treatment: Treatment) -> StorerFault:
    return StorerFault(StorerBehaviour(on_sending=treatment))


STORER_BEHAVIOURS: Mapping[str, StorerFault] = {
    "drops-private-elements": _keeps(alter.on_levels(alter.without_private)),
    "drops-an-unsigned-element": _keeps(alter.on_top(alter.without(alter.DIAGNOSES))),
    "drops-signatures": _keeps(alter.on_levels(alter.without_signatures)),
    "trims-padding": _keeps(alter.on_values(alter.TEXTS, alter.trimmed)),
    "pads-values": _keeps(alter.on_values(alter.TEXTS, lambda value: value + b"  ")),
    "rewrites-numbers": _keeps(alter.on_values(alter.NUMBERS, alter.shortest)),
    "converts-character-set": _keeps(alter.on_top(alter.in_utf_8)),
    "changes-an-unsigned-value": _keeps(alter.on_top(alter.value_of(alter.DIAGNOSES, b"changed in storage"))),
    "changes-a-pixel-octet": _sends(alter.on_top(alter.one_pixel_octet)),
    "drops-offset-table": _keeps(alter.on_top(alter.without_offset_table)),
    "joins-fragments": _keeps(alter.on_top(alter.in_one_fragment)),
    "compresses-again": _keeps(alter.compressed_again),
    "reorders-items": _keeps(alter.on_levels(alter.items_reversed)),
    "reorders-unsigned-items": _keeps(alter.on_top(alter.items_of_reversed(alter.PROTOCOL_CODES))),
    "drops-an-item": _keeps(alter.on_levels(alter.last_item_dropped)),
    "adds-to-signed-items": _keeps(alter.on_top(alter.item_added_to)),
    "changes-a-vr": _keeps(alter.on_levels(alter.other_vr("LO", "SH"))),
    "changes-an-unsigned-vr": _keeps(alter.on_top(alter.other_vr("LO", "SH", alter.DIAGNOSES))),
    "private-elements-as-un": _keeps(alter.on_levels(alter.private_unknown)),
    "implicit-vr-only": StorerFault(StorerBehaviour(syntaxes=(IMPLICIT,))),
    "sends-implicit-vr": _sends(alter.without_vrs),
    "keeps-invalidated-signatures": StorerFault(flaws=(Flaw.KEEPS_INVALIDATED,)),
    "signs-nothing-anew": StorerFault(flaws=(Flaw.SIGNS_NOTHING,)),
    "signs-less-anew": StorerFault(flaws=(Flaw.SIGNS_LESS,)),
    "signs-what-was-not-verified": StorerFault(flaws=(Flaw.SIGNS_UNVERIFIED,)),
    "new-signature-is-invalid": StorerFault(flaws=(Flaw.SIGNS_WRONGLY,)),
}
"""Every fault by name."""

VARIATIONS: Mapping[str, StorerFault] = {
    "adds-an-element": _keeps(alter.on_top(alter.element_added)),
    "inflates": _sends(alter.inflated),
}
"""What an archive may do under A.3: no fault, and nothing that a judgement may fail."""


def storer_behaviours() -> Mapping[str, StorerFault]:
    """Every fault by name, as the tables of faults are held against it."""
    return STORER_BEHAVIOURS


def check_storer_faults(names: Iterable[str]) -> tuple[StorerFault, ...]:
    """The faults (or variations) of these names. Raises `UnknownFaultError`, with close names."""
    known = {**STORER_BEHAVIOURS, **VARIATIONS}
    return tuple(known[name] for name in known_names(names, known))
