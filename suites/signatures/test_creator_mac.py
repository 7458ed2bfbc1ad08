"""Creators: PS3.3 C.12.1.1.3.1.1 and C.12.1.1.3.1.2, each rule of the byte stream of which the MAC is formed.

A MAC that verifies keeps every rule that its elements call for. One that would verify if it were formed in one wrong
way breaks that rule and keeps the others. One that nothing explains tells nothing of any rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness import Missing, NotApplicable, Requirement, verifies
from reference_impl.signatures.results import Standing
from suites.signatures.view import SeenSignature, SignatureCreator, expect_of_each
from suites.signatures.words import as_clause, told

pytest_plugins = ("suites.signatures.fixtures",)

_LISTING, _STREAM = "PS3.3-C.12.1.1.3.1.1", "PS3.3-C.12.1.1.3.1.2"


def _always(_: SeenSignature) -> bool:
    return True


def _sequences(seen: SeenSignature) -> bool:
    return seen.facts.covers_sequences


def _fragments(seen: SeenSignature) -> bool:
    return seen.facts.covers_encapsulated


def _group_lengths(seen: SeenSignature) -> bool:
    return any(tag.endswith(",0000)") for tag in nested(seen))


def _nested_signatures(seen: SeenSignature) -> bool:
    return any(tag.startswith("(FFFA,") or tag == "(4FFE,0001)" for tag in nested(seen))


def nested(seen: SeenSignature) -> frozenset[str]:
    """What stands within the sequences that a signature at the top level covers."""
    if seen.facts.location:
        return frozenset()
    signed = frozenset(seen.facts.signed)
    return frozenset(tag for each in seen.object.present if each.tag in signed for tag in each.nested)


@dataclass(frozen=True)
class StreamRule:
    """A rule of the stream: the wrong ways that break it, and which signatures it concerns."""

    variants: frozenset[str]
    concerns: Callable[[SeenSignature], bool]
    what: str  # completes "no signed object has ..."


def _rule(what: str, concerns: Callable[[SeenSignature], bool], *variants: str) -> StreamRule:
    return StreamRule(frozenset(variants), concerns, what)


_SEQUENCE = "a signature over a sequence"
RULES: Mapping[str, StreamRule] = {
    f"{_LISTING}-item-delimiters-left-out": _rule(_SEQUENCE, _sequences, "item-delimiters-included"),
    f"{_LISTING}-group-lengths-left-out": _rule(
        "a signature over a sequence that holds group lengths", _group_lengths, "group-lengths-included"
    ),
    f"{_LISTING}-nested-signatures-left-out": _rule(
        "a signature over a sequence that holds signatures", _nested_signatures, "nested-signatures-included"
    ),
    f"{_LISTING}-item-tags": _rule(_SEQUENCE, _sequences, "item-tags-omitted"),
    f"{_LISTING}-fragments-like-items": _rule(
        "a signature over encapsulated pixel data",
        _fragments,
        "encapsulated-item-tags-omitted",
        "encapsulated-lengths-included",
        "encapsulated-delimiter-omitted",
    ),
    f"{_STREAM}-sequence-delimiters": _rule(
        _SEQUENCE, _sequences, "sequence-delimiters-omitted", "delimiter-lengths-included"
    ),
    f"{_STREAM}-sequence-lengths-left-out": _rule(_SEQUENCE, _sequences, "lengths-included"),
    f"{_STREAM}-element-fields": _rule(
        "a signature", _always, "value-lengths-omitted", "representations-omitted", "values-trimmed"
    ),
    f"{_STREAM}-order-encountered": _rule("a signature", _always, "listed-order"),
    f"{_STREAM}-signature-fields": _rule("a signature", _always, "signature-fields-omitted"),
    f"{_STREAM}-signature-value-left-out": _rule("a signature", _always, "signature-fields-all"),
}
LISTED_THOUGH_FORBIDDEN = frozenset({"unknown-included"})
"""Wrong ways that only a list can call for which names what never may be listed: that is the rule it breaks."""


@verifies(*RULES)
def test_the_byte_stream_is_formed_by_the_rules(creator: SignatureCreator, requirement: Requirement) -> None:
    """C.12.1.1.3.1.1, C.12.1.1.3.1.2: what goes into the MAC, and how."""
    rule = RULES[requirement.id]

    def wrong(seen: SeenSignature) -> str:
        facts = seen.facts
        if facts.variant in rule.variants:
            return f"the MAC was formed the wrong way: {facts.variant.replace('-', ' ')}"
        if not rule.concerns(seen):
            raise NotApplicable(rule.what)
        if facts.mac is Standing.VALID or facts.variant:
            return ""
        raise Missing(f"how the MAC was formed cannot be told ({told(facts.reasons)})")

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="MACs formed otherwise",
        expected=as_clause(requirement.text),
        concerned=rule.what,
    )
