"""What PS3.15 A.2 asks of an archive that does not keep every octet: validate, remove what is invalid, sign anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from pydicom import Dataset
from pydicom.uid import UID

from fixtures.pki import Pki
from reference_impl.signatures.certificates import Trust
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.keys import Signer
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import SignatureResult, Standing
from reference_impl.signatures.verifier import verify_file
from reference_impl.storage.alterations import TEXTS, on_values, trimmed
from reference_impl.storage.behaviour import Treatment
from reference_impl.storage.data_sets import DIGITAL_SIGNATURES, MAC_PARAMETERS, changed
from reference_impl.storage.part10 import Instance, take_apart

_PLACE = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)\[(\d+)\]")
_MAC_ID = 0x04000005


class Flaw(StrEnum):
    """What an archive may do wrong in keeping A.2."""

    KEEPS_INVALIDATED = "keeps-invalidated"
    SIGNS_NOTHING = "signs-nothing"
    SIGNS_LESS = "signs-less"
    SIGNS_UNVERIFIED = "signs-unverified"
    SIGNS_WRONGLY = "signs-wrongly"


@dataclass(frozen=True)
class _Named:
    """One signature: the place of its data set, and its number there."""

    location: str
    number: int


class Renewal:
    """A treatment that changes the format of values, as A.2 allows, and puts the signatures right.

    `vary` is what it does to values: it trims padding. Signatures that it makes invalid, or that were so when they
    came, are removed; what those covered that were valid is covered by new ones of the signer of `pki`.
    """

    def __init__(self, pki: Pki, flaws: Iterable[Flaw] = (), vary: Treatment | None = None) -> None:
        issued = pki.issue("signer_second")
        assert isinstance(issued.key, RSAPrivateKey)  # noqa: S101 - the case of that name has one
        self._signer = Signer(issued.key, issued.certificate.public_bytes(Encoding.DER))
        self._policy = Policy(trust=Trust((pki.issue("ca").certificate.public_bytes(Encoding.DER),)), variants=False)
        self._vary = vary or on_values(TEXTS, trimmed)
        self._flaws = frozenset(flaws)

    def __call__(self, instance: Instance) -> Instance:
        """The instance as it is sent on."""
        if UID(instance.syntax).is_implicit_VR or not UID(instance.syntax).is_little_endian:
            return self._vary(instance)  # without VRs nothing can be verified, nor signed
        with TemporaryDirectory(prefix="ps315-renewal-") as folder:
            received = self._signatures(instance, Path(folder) / "received.dcm")
            varied = self._vary(instance)
            gone = [one for one in self._signatures(varied, Path(folder) / "varied.dcm") if not _is_valid(one)]
            valid = {_name(one) for one in received if _is_valid(one)}
            lost = [one for one in gone if _name(one) in valid or Flaw.SIGNS_UNVERIFIED in self._flaws]
            base = instance if Flaw.SIGNS_WRONGLY in self._flaws else varied
            if Flaw.KEEPS_INVALIDATED not in self._flaws:
                base = without(base, [_name(one) for one in gone])
            signed = self._signed(base, lost, Path(folder))
            return self._vary(signed) if Flaw.SIGNS_WRONGLY in self._flaws else signed

    def _signatures(self, instance: Instance, path: Path) -> Sequence[SignatureResult]:
        path.write_bytes(instance.octets())
        return verify_file(path, self._policy).signatures

    def _signed(self, instance: Instance, lost: Sequence[SignatureResult], folder: Path) -> Instance:
        tags: dict[str, set[int]] = {}
        for one in lost:
            held = {int(tag[1:5] + tag[6:10], 16) for tag in one.signed if tag not in one.absent}
            tags.setdefault(one.location, set()).update(held)
        if Flaw.SIGNS_LESS in self._flaws:
            tags = {location: set(sorted(covered)[: len(covered) // 2]) for location, covered in tags.items()}
        if Flaw.SIGNS_NOTHING in self._flaws or not tags:
            return instance
        source, target = folder / "unsigned.dcm", folder / "signed.dcm"
        source.write_bytes(instance.octets())
        orders = [SigningOrder(tags=tuple(sorted(covered)), location=at) for at, covered in tags.items()]
        sign_file(source, target, orders, self._signer)
        return take_apart(target.read_bytes())


def without(instance: Instance, signatures: Sequence[_Named]) -> Instance:
    """`instance` without these signatures, and without the MAC Parameters that no other one refers to."""
    if not signatures:
        return instance

    def remove(dataset: Dataset) -> None:
        for location in dict.fromkeys(one.location for one in signatures):
            _remove(_level(dataset, location), {one.number for one in signatures if one.location == location})

    return changed(instance, remove)


def _level(dataset: Dataset, location: str) -> Dataset:
    for group, element, number in _PLACE.findall(location):
        dataset = dataset[int(group + element, 16)].value[int(number) - 1]
    return dataset


def _remove(level: Dataset, numbers: set[int]) -> None:
    items = level[DIGITAL_SIGNATURES].value
    kept = [item for number, item in enumerate(items, 1) if number not in numbers]
    used = {item[_MAC_ID].value for item in kept if _MAC_ID in item}
    _replace(level, DIGITAL_SIGNATURES, kept)
    if MAC_PARAMETERS in level:
        _replace(level, MAC_PARAMETERS, [item for item in level[MAC_PARAMETERS].value if item[_MAC_ID].value in used])


def _replace(level: Dataset, tag: int, items: list[Dataset]) -> None:
    if items:
        level[tag].value[:] = items
    else:
        del level[tag]


def _name(signature: SignatureResult) -> _Named:
    return _Named(signature.location, signature.number)


def _is_valid(signature: SignatureResult) -> bool:
    return signature.standing is Standing.VALID
