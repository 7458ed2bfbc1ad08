"""Holds one signature against its data set: is its value made of the MAC of what it lists (PS3.3 C.12.1.1.3.1)?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reference_impl.signatures.algorithms import ALGORITHMS, Hash, algorithm_of
from reference_impl.signatures.elements import Level, tag_text
from reference_impl.signatures.mac import CORRECT, VARIANTS, Variant, feed, mac_parts, signable, signature_item_parts
from reference_impl.signatures.macros import DigitalSignature, LevelMacros, MacParameters
from reference_impl.signatures.policy import Policy, Skip
from reference_impl.signatures.reader import (
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    DicomFile,
)
from reference_impl.signatures.results import Reason, Standing
from reference_impl.signatures.scheme import RSA_OTHER, SignatureValue

_NOT_EXPLICIT = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, "1.2.840.113619.5.2"})
_STANDARD = "1.2.840.10008.1.2."
_MOST_KEPT = 16
_MOST_LISTED = 1_000_000
"""Tags listed for all signatures of a file, beyond which they are not judged."""
_ONE_ELEMENT = 128
"""Octets that are hashed in the time that an element takes beside its octets."""
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_LEAST_BUDGET = 256 << 20
_PASSES = 64
_EXPLAINED = 20
"""So many signatures of a file are explained where their MACs differ; the rest fails without it."""


@dataclass
class MacFinding:
    """What came of holding a signature against its data set; `value` is None where it did not come so far."""

    standing: Standing
    parameters: MacParameters | None = None
    tags: tuple[int, ...] = ()
    value: SignatureValue | None = None
    variant: str = ""
    reasons: list[Reason] = field(default_factory=list)
    outside: bool = False  # the elements and the value agree, but not in the way of C.1 or PS3.3


class MacChecker:
    """Forms the MACs of one file, each stretch of it as seldom as can be, and within a budget."""

    def __init__(self, file: DicomFile, policy: Policy) -> None:
        self._file, self._policy = file, policy
        self._variant = VARIANTS[policy.mac_variant] if policy.mac_variant else CORRECT
        if Skip.DUPLICATES in policy.skip:
            self._variant = replace(self._variant, repeated=False)
        self._hashes: OrderedDict[tuple[str, str], Hash] = OrderedDict()
        self._lists: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._left_to_list = _MOST_LISTED
        self._left = _LEAST_BUDGET + _PASSES * file.size
        self._left_to_explain = _LEAST_BUDGET + len(VARIANTS) * file.size
        self._explained = 0

    def check(self, macros: LevelMacros, signature: DigitalSignature) -> MacFinding:
        """Hold `signature`, of the data set `macros`, against what it lists. Raises UnreadableError."""
        careless = Skip.MAC_ID in self._policy.skip
        candidates = macros.mac_parameters[:1] if careless else macros.parameters_of(signature)
        if not candidates:
            number = "none" if signature.mac_id is None else str(signature.mac_id)
            text = f"no item of MAC Parameters has the signature's MAC ID Number ({number})"
            return _unknown("no-mac-parameters", text, signature.location)
        findings = (self._check(macros, signature, parameters) for parameters in candidates)
        first = next(findings)
        if len(candidates) == 1:
            return first
        # No matter which is meant, one of them may fit; but what it covers is then anybody's choice.
        best = next((each for each in (first, *findings) if each.standing is Standing.VALID), first)
        text = f"{len(candidates)} items of MAC Parameters have the MAC ID Number {signature.mac_id}"
        best.reasons.append(Reason("mac-id-not-unique", text, candidates[1].location))
        return best

    def _check(self, macros: LevelMacros, signature: DigitalSignature, parameters: MacParameters) -> MacFinding:
        tags = self._listed(parameters)
        if tags is None:
            return _unknown("too-much-work", _TOO_LONG, signature.location)
        finding = MacFinding(Standing.UNKNOWN, parameters, tags)
        obstacle = self._obstacle(signature, parameters)
        if obstacle is not None:
            finding.reasons.append(obstacle)
            return finding
        # First the MAC: meanwhile what judges the certificate can be loaded.
        digest = b"" if Skip.MAC in self._policy.skip else self._digest(parameters, macros.level, tags, signature.item)
        if digest is None:
            finding.reasons.append(Reason("too-much-work", _TOO_LONG, signature.location))
            return finding
        lenient = Skip.PADDING in self._policy.skip
        value = SignatureValue(signature.certificate, signature.signature, lenient=lenient)
        finding.value = value
        if value.problem:
            finding.reasons.append(Reason("value-unreadable", value.problem, signature.location))
            return finding
        if Skip.MAC in self._policy.skip:
            finding.standing = Standing.INVALID if value.digest_info is None else Standing.VALID
            return finding
        algorithm = parameters.algorithm
        if value.fits(algorithm, digest):
            finding.standing = Standing.VALID
            finding.reasons += self._outside(value, signature)
            finding.outside = bool(finding.reasons)
        elif value.digest_info is not None and value.digest_info.endswith(digest):
            finding.standing, finding.outside = Standing.VALID, True
            text = f"what the key of the certificate opens the value to is no DigestInfo of {algorithm}"
            finding.reasons.append(Reason("digest-info", text, signature.location))
        elif self._depends_on_syntax(parameters, macros.level, tags):
            finding.reasons.append(self._other_syntax(parameters))
        else:
            finding.standing = Standing.INVALID
            finding.reasons += self._explained_difference(macros, signature, finding)
        return finding

    # -- whether it can be judged --------------------------------------------------------------------------------------

    def _obstacle(self, signature: DigitalSignature, parameters: MacParameters) -> Reason | None:
        file, known = self._file, self._policy.algorithms
        if not (file.explicit and file.little_endian):
            text = f"the object is in transfer syntax {file.transfer_syntax}, not Explicit VR Little Endian"
            return Reason("not-explicit", text)
        for each in (*signature.encoding, *parameters.encoding):
            cut = each.code == "length" and each.place.endswith(_LIST)
            if cut or (each.code in {"missing", "duplicate"} and each.place.endswith(_NEEDED)):
                return Reason("incomplete", each.text, each.place)
        algorithm = parameters.algorithm
        if algorithm not in ALGORITHMS or (known is not None and algorithm not in known):
            return Reason("unknown-algorithm", f"the MAC algorithm {algorithm!r} is not known", parameters.location)
        return None

    def syntax_problem(self, parameters: MacParameters, level: Level, tags: Sequence[int]) -> Reason | None:
        """Whether MAC Calculation Transfer Syntax cannot be that of a MAC that fits the object as it stands.

        PS3.3 C.12.1.1.3 rules out those without VRs and big endian ones; pixel data are bound to theirs.
        """
        if Skip.SYNTAX in self._policy.skip:
            return None
        its, place = parameters.transfer_syntax, parameters.location
        if its in _NOT_EXPLICIT:
            return Reason(
                "mac-syntax", f"MACs shall not be formed in transfer syntax {its}, without VRs or big endian", place
            )
        if not its.startswith(_STANDARD) and its != self._file.transfer_syntax:
            return Reason("mac-syntax", f"the transfer syntax {its!r} of the MAC is not known", place)
        return self._other_syntax(parameters) if self._depends_on_syntax(parameters, level, tags) else None

    def _other_syntax(self, parameters: MacParameters) -> Reason:
        its, mine = parameters.transfer_syntax, self._file.transfer_syntax
        text = f"the MAC was formed in transfer syntax {its}; the object is in {mine}"
        return Reason("other-syntax", text, parameters.location)

    def _depends_on_syntax(self, parameters: MacParameters, level: Level, tags: Sequence[int]) -> bool:
        """Whether the object would have to be encoded anew to form the MAC: pixel data in another transfer syntax."""
        mine, its = self._file.transfer_syntax, parameters.transfer_syntax
        if mine == its or Skip.SYNTAX in self._policy.skip:
            return False
        if its in _NOT_EXPLICIT or not its:
            return True
        native = {EXPLICIT_LITTLE_ENDIAN, "1.2.840.10008.1.2.1.99"}
        return not {mine, its} <= native and any(tag in _PIXELS for tag in tags if level.rows(tag))

    @staticmethod
    def _outside(value: SignatureValue, signature: DigitalSignature) -> Iterator[Reason]:
        if value.scheme in _OUTSIDE and not value.lenient:
            text = f"{_OUTSIDE[value.scheme]} is not in the signature profiles of PS3.15, which know RSA PKCS #1 v1.5"
            yield Reason("outside-profile", text, signature.location)

    # -- forming the MAC -----------------------------------------------------------------------------------------------

    def _listed(self, parameters: MacParameters) -> tuple[int, ...] | None:
        """The tags that are listed; None where those of the signatures of the file are too many altogether."""
        if self._left_to_list < 0:
            return None
        tags = self._lists.get(parameters.location)
        if tags is None:
            tags = _kept(self._lists, parameters.location, parameters.tags)
        self._left_to_list -= len(tags)
        return tags

    def _digest(self, parameters: MacParameters, level: Level, tags: tuple[int, ...], item: Level) -> bytes | None:
        """The MAC; None where forming those of the file would take too long."""
        algorithm, variant = parameters.algorithm, self._variant
        key = (parameters.location, algorithm)
        elements = self._hashes.get(key)
        if elements is None:
            self._left -= _cost(level, tags)
            if self._left < 0:
                return None
            formed = feed(algorithm_of(algorithm).new(), mac_parts(self._file, level, tags, variant))
            elements = _kept(self._hashes, key, formed)
        return feed(elements.copy(), signature_item_parts(self._file, item, variant)).digest()

    # -- why it differs ------------------------------------------------------------------------------------------------

    def _explained_difference(
        self, macros: LevelMacros, signature: DigitalSignature, finding: MacFinding
    ) -> Iterator[Reason]:
        value, parameters = finding.value, finding.parameters
        assert value is not None and parameters is not None  # noqa: S101 - for the type checker
        if value.digest_info is None and value.scheme == RSA_OTHER:
            text = "the value was not made by the key of the certificate: value or certificate was changed or damaged"
            yield Reason("value-not-by-key", text, signature.location)
            return
        self._explained += 1
        if not self._policy.variants or self._explained > _EXPLAINED:
            yield Reason("mac-differs", _DIFFERS, signature.location)
            return
        found = self._other_algorithm(macros, signature, finding)
        if found is None:
            finding.variant = self._fitting_variant(macros, signature, finding)
            if finding.variant:
                text = (
                    f"the MAC would be right, had it to be formed in a wrong way: {finding.variant.replace('-', ' ')}"
                )
                yield Reason("mac-variant", text, signature.location)
                return
            found = self._other_list(macros, signature, finding)
        yield found or Reason("mac-differs", _DIFFERS, signature.location)

    def _other_algorithm(self, macros: LevelMacros, signature: DigitalSignature, finding: MacFinding) -> Reason | None:
        value, parameters = finding.value, finding.parameters
        if value is None or parameters is None or value.digest_algorithm in {"", parameters.algorithm}:
            return None
        name = value.digest_algorithm
        fits = self._fits(macros.level, finding.tags, signature, value, name)
        more = "; with it the MAC is right, so (0400,0015) was changed" if fits else ""
        text = f"the value holds a MAC by {name}, the parameters say {parameters.algorithm}{more}"
        return Reason("other-algorithm", text, parameters.location)

    def _fitting_variant(self, macros: LevelMacros, signature: DigitalSignature, finding: MacFinding) -> str:
        value, parameters = finding.value, finding.parameters
        if value is None or parameters is None:
            return ""
        for name, variant in VARIANTS.items():
            if self._fits(macros.level, finding.tags, signature, value, parameters.algorithm, variant):
                return name
        return ""

    def _other_list(self, macros: LevelMacros, signature: DigitalSignature, finding: MacFinding) -> Reason | None:
        """Whether the MAC is that of another list: of other parameters, with a tag more, or with one less."""
        value, mine, tags, level = finding.value, finding.parameters, finding.tags, macros.level
        if value is None or mine is None:
            return None
        for other in macros.mac_parameters[:_EXPLAINED]:
            if other is not mine and self._fits(level, other.tags, signature, value, mine.algorithm):
                text = f"the MAC is that of the elements that item {other.number} of MAC Parameters lists"
                return Reason("other-parameters", text, other.location)
        present = signable(level)
        if len(present) * _cost(level, present) > self._left_to_explain:
            return None
        listed = frozenset(tags)
        place = f"{level.location}." if level.location else ""
        for tag in present:
            if tag in listed:
                if self._fits(level, tuple(each for each in tags if each != tag), signature, value, mine.algorithm):
                    text = f"the MAC is right without {tag_text(tag)}: it was added, to the object or to the list"
                    return Reason("element-added", text, place + tag_text(tag))
            elif self._fits(level, (*tags, tag), signature, value, mine.algorithm):
                text = f"the MAC is right with {tag_text(tag)}: it was taken from the list"
                return Reason("element-unlisted", text, place + tag_text(tag))
        return None

    def _fits(  # noqa: PLR0917 - what makes a MAC
        self,
        level: Level,
        tags: tuple[int, ...],
        signature: DigitalSignature,
        value: SignatureValue,
        algorithm: str,
        variant: Variant = CORRECT,
    ) -> bool:
        self._left_to_explain -= _cost(level, tags)
        if self._left_to_explain < 0:
            return False
        parts = mac_parts(self._file, level, tags, variant)
        hashing = feed(algorithm_of(algorithm).new(), parts)
        feed(hashing, signature_item_parts(self._file, signature.item, variant))
        return value.fits(algorithm, hashing.digest())


_TOO_LONG = "its MAC was not formed: the signatures of the object would take too long"
_DIFFERS = "the elements are not those that were signed"
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_NEEDED = tuple(map(tag_text, (0x04000005, 0x04000010, 0x04000015, 0x04000020, 0x04000115, 0x04000120)))
"""What cannot be done without: MAC ID, transfer syntax, algorithm, list, certificate, value."""
_LIST = tag_text(0x04000020)
_OUTSIDE = {"ecdsa": "ECDSA", "dsa": "DSA", "rsa-other": "RSA with this padding"}


def _unknown(code: str, text: str, place: str) -> MacFinding:
    return MacFinding(Standing.UNKNOWN, reasons=[Reason(code, text, place)])


def _cost(level: Level, tags: Sequence[int]) -> int:
    """What forming a MAC takes: the octets of the listed elements, and of each some more."""
    table = level.table
    rows = [row for tag in frozenset(tags) for row in level.rows(tag)]
    return sum(table.ends[row] - table.starts[row] for row in rows) + _ONE_ELEMENT * (len(tags) + len(rows))


def _kept(cache: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    """`value`, after it was put into a cache of limited size."""
    cache[key] = value
    if len(cache) > _MOST_KEPT:
        cache.popitem(last=False)
    return value
