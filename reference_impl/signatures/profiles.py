"""Which elements a signature shall cover under the profiles of PS3.15 C.2 to C.4, and which profiles it satisfies.

"Attributes of a module that are present" is read as the note of C.2 says: elements at the top level of the object whose
attribute belongs to the module, whether or not the object's IOD has the module. Elements that cannot be signed
(PS3.3 C.12.1.1.3.1.1: those of VR UN, and sequences that hold one) are never demanded. Tags are written "(7FE0,0010)".
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from reference_impl.signatures.elements import tag_text
from reference_impl.signatures.results import Code, DocumentResult, PresentElement

_HERE = Path(__file__).parent
RuleKind = Literal["attributes", "module", "declaration", "verified-only"]

ALGORITHMS = frozenset({"RIPEMD160", "MD5", "SHA1", "SHA256", "SHA384", "SHA512"})
"""MAC algorithms of C.1."""
VERIFICATION = "5"
"""Code value of the purpose "Verification Signature" (PS3.16 CID 7007, ASTM-sigpurpose)."""
PURPOSE_SCHEME = "ASTM-sigpurpose"
ICON_IMAGES = "(0088,0200)"
_ICON_MODULES = frozenset({"general-image", "image-pixel"})
_RAW_DATA_MARK = 0x00089123  # Creator Version UID: Raw Data Module, type 1, of no other module at the top level
_SOP_CLASS_ROOT = "1.2.840.10008.5.1.4."
_LAST_REPEATING = 0x1E


@dataclass(frozen=True, slots=True)
class Module:
    """A module of PS3.3: the attributes at its top level, those of included macros too.

    `ranges` are attributes of repeating groups, with 00 for the repeating octet. `sop_classes` are the storage SOP
    Classes whose IOD has the module; None: every one. `edition` is that of PS3.3 which `source` gives.
    """

    id: str
    name: str
    section: str
    edition: str
    source: str
    tags: frozenset[int]
    ranges: frozenset[int] = frozenset()
    sop_classes: frozenset[str] | None = None

    def has(self, tag: int) -> bool:
        """Whether an attribute belongs to the module."""
        return tag in self.tags or _in_range(tag, self.ranges)

    def belongs_to(self, sop_class: str) -> bool:
        """Whether the IOD of a SOP Class has the module, as far as edition 2026b tells."""
        return self.sop_classes is None or sop_class in self.sop_classes


@dataclass(frozen=True, slots=True)
class Rule:
    """An item of the list of a profile. `paragraph` is its id in PS3.15, `name` is ours.

    `always`: the tags are to be signed whether or not the object has them. `within`: where the tag stands in the items
    of this sequence, it is signed with the sequence.
    """

    paragraph: str
    name: str
    kind: RuleKind
    tags: tuple[str, ...] = ()
    modules: tuple[Module, ...] = ()
    always: bool = False
    within: str = ""
    note: str = ""
    icon_images: bool = False

    def wants(self, tag: str) -> bool:
        """Whether an element of this tag at the top level falls under the rule, be it only for what it is."""
        number = parse_tag(tag)
        return tag in self.tags or any(module.has(number) for module in self.modules)

    def applies_to(self, element: PresentElement) -> bool:
        """Whether an element at the top level falls under the rule, for itself or for what stands in it."""
        if self.wants(element.tag):
            return True
        if self.within == element.tag:
            return any(tag in element.nested for tag in self.tags)
        return self.icon_images and ICON_IMAGES in element.nested


@dataclass(frozen=True, slots=True)
class Profile:
    """A signature profile: `lead` is the paragraph before its list, `verified_lead` that before the second of C.4."""

    id: str
    name: str
    lead: str
    verified_lead: str
    rules: tuple[Rule, ...] = field(repr=False)

    def rule(self, name: str) -> Rule:
        """Return the rule called `name`; raise KeyError where there is none."""
        found = next((rule for rule in self.rules if rule.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def parse_tag(tag: str) -> int:
    """Return "(7FE0,0010)" as 0x7FE00010; raise ValueError where it is no tag."""
    if len(tag) != 11 or tag[0] != "(" or tag[5] != "," or tag[10] != ")":
        raise ValueError(f"not a tag: {tag!r}")
    return int(tag[1:5] + tag[6:10], 16)


def _in_range(tag: int, ranges: Collection[int]) -> bool:
    low = tag >> 16 & 0xFF
    return bool(ranges) and low <= _LAST_REPEATING and not low & 1 and tag & 0xFF00FFFF in ranges


def _modules() -> dict[str, Module]:
    table = json.loads(_HERE.joinpath("modules.json").read_text(encoding="utf-8"))["modules"]
    return {name: _module(name, row) for name, row in table.items()}


def _module(name: str, row: Mapping[str, str]) -> Module:
    tags = row["tags"].split()
    classes = row["sop_classes"].split()
    return Module(
        id=name,
        name=row["name"],
        section=row["section"],
        edition=row["edition"],
        source=row["source"],
        tags=frozenset(int(tag, 16) for tag in tags if "X" not in tag),
        ranges=frozenset(int(tag.replace("X", "0"), 16) for tag in tags if "X" in tag),
        sop_classes=None if classes == ["*"] else frozenset(_SOP_CLASS_ROOT + each for each in classes),
    )


def _profiles(modules: Mapping[str, Module]) -> dict[str, Profile]:
    table = json.loads(_HERE.joinpath("profiles.json").read_text(encoding="utf-8"))["profiles"]
    return {
        name: Profile(
            id=name,
            name=row["name"],
            lead=row["lead"],
            verified_lead=row.get("verified_lead", ""),
            rules=tuple(_rule(rule, modules, row.get("icon_images", False)) for rule in row["rules"]),
        )
        for name, row in table.items()
    }


def _rule(row: Mapping[str, Any], modules: Mapping[str, Module], icon_images: bool) -> Rule:
    mine = tuple(modules[name] for name in row.get("modules", ()))
    return Rule(
        paragraph=row["paragraph"],
        name=row["name"],
        kind=row["kind"],
        tags=tuple(tag_text(int(tag, 16)) for tag in row.get("tags", ())),
        modules=mine,
        always=row.get("always", False),
        within=tag_text(int(row["within"], 16)) if "within" in row else "",
        note=row.get("note", ""),
        icon_images=icon_images and any(module.id in _ICON_MODULES for module in mine),
    )


MODULES: Mapping[str, Module] = MappingProxyType(_modules())
"""The modules that C.2 to C.4 name, by id."""
PROFILES: Mapping[str, Profile] = MappingProxyType(_profiles(MODULES))
"""C.2, C.3 and C.4 by section."""


def demanded(rule: Rule, present: Iterable[PresentElement]) -> tuple[str, ...]:
    """Tags of elements that `rule` demands of an object with the elements `present`, ascending.

    Nothing for a declaration: what it demands cannot be seen.
    """
    if rule.kind == "declaration":
        return ()
    wanted = {element.tag for element in present if _signable(element) and rule.applies_to(element)}
    if rule.always:
        wanted |= set(rule.tags)
    return tuple(sorted(wanted))


def required_tags(
    profile: str | Profile, present: Collection[PresentElement], verified: bool = False
) -> tuple[str, ...]:
    """Tags that a signer lists for `profile`, ascending: those demanded and there.

    `verified` adds those of the verification signature of C.4. Of an object of raw data its private elements too: the
    Raw Data Module takes those that hold raw data, and which they are cannot be told.
    """
    there = {element.tag for element in present}
    wanted = {tag for rule in _rules(profile, verified) for tag in demanded(rule, present)}
    if _raw_data(profile, present):
        wanted |= {element.tag for element in present if _private(element) and _signable(element)}
    return tuple(sorted(wanted & there))


def missing_from(
    profile: str | Profile,
    rule: str | Rule | None,
    signed: Collection[str],
    present: Collection[PresentElement],
    verified: bool = False,
) -> tuple[str, ...]:
    """Tags that `rule` of `profile` (None: all of them) demands and a signature over `signed` lacks, ascending.

    Of all the rules, those of the verification signature count only with `verified`. Private elements of raw data are
    never among them.
    """
    if rule is None:
        rules = _rules(profile, verified)
    else:
        rules = (_profile(profile).rule(rule) if isinstance(rule, str) else rule,)
    return tuple(sorted({tag for each in rules for tag in demanded(each, present)} - set(signed)))


def foreign(rule: Rule, tags: Iterable[str], sop_class: str) -> tuple[str, ...]:
    """Those of `tags` that fall under `rule` only because a module that the object's IOD lacks has them too.

    They count under C.2, whose note says so; C.3 and C.4 have no such note. Nothing for a SOP Class that no module of
    ours knows (a private one).
    """
    if not any(module.sop_classes and sop_class in module.sop_classes for module in MODULES.values()):
        return ()
    own = [module for module in rule.modules if module.belongs_to(sop_class)]
    return tuple(tag for tag in tags if tag not in rule.tags and not any(module.has(parse_tag(tag)) for module in own))


def satisfied(
    signed: Collection[str],
    present: Collection[PresentElement],
    document: DocumentResult | None = None,
    *,
    location: str = "",
    algorithm: str = "",
    scheme: str = "",
    certificate_type: str = "",
    timestamp_type: str = "",
    purposes: Collection[Code] = (),
) -> tuple[str, ...]:
    """Return the profiles of Annex C whose demands on its making a signature meets, "C.1" first.

    `present` are the elements at the top level of the object; a signature within a sequence (`location`) meets at most
    C.1. Whether the signature verifies is another question. Of C.3, only what can be seen. Under C.4 one with the
    purpose "Verification Signature" in a verified document is held to the second list too.
    """
    base = algorithm in ALGORITHMS and scheme == "rsa-pkcs1-v1.5" and certificate_type == "X509_1993_SIG"
    if not base or timestamp_type not in {"", "CMS_TSP"}:
        return ()
    met = ["C.1"]
    if location:
        return tuple(met)
    met += [name for name in ("C.2", "C.3") if not missing_from(name, None, signed, present)]
    if document is not None and purposes and document.verifying_observers <= 1:
        verified = document.verification_flag == "VERIFIED" and any(map(is_verification, purposes))
        if not missing_from("C.4", None, signed, present, verified):
            met.append("C.4")
    return tuple(met)


def is_verification(purpose: Code) -> bool:
    """Whether a purpose is (5, ASTM-sigpurpose, "Verification Signature")."""
    return purpose.value == VERIFICATION and purpose.scheme == PURPOSE_SCHEME


def _profile(profile: str | Profile) -> Profile:
    return PROFILES[profile] if isinstance(profile, str) else profile


def _rules(profile: str | Profile, verified: bool) -> tuple[Rule, ...]:
    return tuple(rule for rule in _profile(profile).rules if verified or rule.kind != "verified-only")


def _signable(element: PresentElement) -> bool:
    return element.vr != "UN" and not element.holds_unknown


def _private(element: PresentElement) -> bool:
    return bool(parse_tag(element.tag) >> 16 & 1)


def _raw_data(profile: str | Profile, present: Iterable[PresentElement]) -> bool:
    named = any(module.id == "raw-data" for rule in _profile(profile).rules for module in rule.modules)
    return named and any(parse_tag(element.tag) == _RAW_DATA_MARK for element in present)
