"""Faults of verifiers: steps left out, steps done wrongly, and conclusions that do not follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.policy import Policy, Skip
from reference_impl.signatures.results import FileResult, Reason, Standing

Conclusion = Callable[[FileResult, Standing, str], Standing]
"""What is made of a result, of what was concluded from it so far, and of the rule that the object is about."""


def _same(policy: Policy) -> Policy:
    return policy


def _follows(_result: FileResult, standing: Standing, _rule: str) -> Standing:
    return standing


@dataclass(frozen=True)
class VerifierBehaviour:
    """How a faulty verifier verifies, and what it makes of the result."""

    policy: Callable[[Policy], Policy] = _same
    conclusion: Conclusion = _follows


def _skipping(*steps: Skip) -> VerifierBehaviour:
    return VerifierBehaviour(policy=lambda policy: replace(policy, skip=policy.skip | frozenset(steps)))


def _without(algorithm: str) -> VerifierBehaviour:
    known = frozenset(ALGORITHMS) - {algorithm}
    return VerifierBehaviour(policy=lambda policy: replace(policy, algorithms=known))


def _forming(variant: str) -> VerifierBehaviour:
    """MACs are formed in a wrong way."""
    return VerifierBehaviour(policy=lambda policy: replace(policy, mac_variant=variant))


def _trusting(*, crls: bool = True, short_keys: bool = False) -> VerifierBehaviour:
    def changed(policy: Policy) -> Policy:
        trust = policy.trust
        if trust is None or callable(trust):
            return policy
        least = None if short_keys else trust.least_rsa_bits
        return replace(policy, trust=replace(trust, crls=trust.crls if crls else (), least_rsa_bits=least))

    return VerifierBehaviour(policy=changed)


def _forgiving(forgiven: Callable[[Reason], bool]) -> VerifierBehaviour:
    """A signature is good against which nothing but such reasons speaks."""

    def concluded(result: FileResult, standing: Standing, _rule: str) -> Standing:
        bad = [each for each in result.signatures if each.standing is not Standing.VALID]
        if result.problems or not bad:
            return standing
        return Standing.VALID if all(map(forgiven, (r for each in bad for r in each.reasons))) else standing

    return VerifierBehaviour(conclusion=concluded)


def _coded(*codes: str) -> Callable[[Reason], bool]:
    return lambda reason: reason.code.startswith(codes)


def _explaining(policy: Policy) -> Policy:
    """Why a MAC differs is found out."""
    return replace(policy, variants=True)


def _covering_all(result: FileResult, standing: Standing, _rule: str) -> Standing:
    """What is not signed counts against the object."""
    if standing is Standing.VALID and any(each.uncovered for each in result.signatures if not each.location):
        return Standing.INVALID
    return standing


def _overlooking(rule: str) -> VerifierBehaviour:
    """Objects of one rule are called valid."""
    return VerifierBehaviour(conclusion=lambda _, standing, of: Standing.VALID if of == rule else standing)


def _refusing(rule: str) -> VerifierBehaviour:
    """Objects of one rule are called invalid."""
    return VerifierBehaviour(conclusion=lambda _, standing, of: Standing.INVALID if of == rule else standing)


_OVERLOOKED = {
    "changed-value": "changed values",
    "removed-element": "removed elements",
    "added-in-sequence": "what was added to a signed sequence",
    "item-order": "another order of items",
    "changed-vr": "changed VRs",
    "duplicate-element": "signed elements that stand in an object twice",
    "mac-id": "signatures that refer to no MAC parameters or to several",
    "signature-fields": "changed fields of the signature",
    "other-object": "signatures of other objects",
    "wrong-mac": "MACs formed in another way",
    "incomplete": "incomplete sequences",
    "malformed": "objects that cannot be read to their end",
    "implicit-vr": "objects that were encoded anew without VRs",
    "several-signatures": "bad signatures beside good ones",
}
_REFUSED = {
    "transfer-syntaxes": "objects whose transfer syntax is not the plainest",
    "data-elements": "objects with elements of unusual kinds",
    "other-attributes": "signatures that cover more than a profile lists",
    "unsigned-elements": "objects whose unsigned elements have changed",
    "excluded-elements": "objects in which something changed that never is signed",
}

VERIFIER_BEHAVIOURS: Mapping[str, VerifierBehaviour] = {
    **{f"knows-no-{name.lower()}": _without(name) for name in ALGORITHMS},
    "ignores-signature-value": _skipping(Skip.VALUE),
    "ignores-mac": _skipping(Skip.MAC),
    "ignores-padding-of-signature": _skipping(Skip.PADDING),
    "ignores-certificate": _skipping(Skip.CERTIFICATE),
    "ignores-validity": _skipping(Skip.VALIDITY),
    "ignores-revocation": _trusting(crls=False),
    "ignores-key-size": _trusting(short_keys=True),
    "ignores-key-usage": _forgiving(_coded("certificate-usage")),
    "ignores-issuer": _forgiving(_coded("certificate-untrusted")),
    "ignores-timestamp": _skipping(Skip.TIMESTAMP),
    "ignores-coverage": _skipping(Skip.COVERAGE),
    "ignores-mac-id": _skipping(Skip.MAC_ID),
    "ignores-mac-transfer-syntax": _skipping(Skip.SYNTAX),
    "ignores-nested-signatures": _skipping(Skip.NESTED),
    "ignores-further-signatures": _skipping(Skip.OTHERS),
    "takes-unverifiable-for-valid": _skipping(Skip.UNKNOWN),
    "takes-any-variant-of-mac": replace(_forgiving(_coded("mac-variant")), policy=_explaining),
    "forms-macs-with-group-lengths": _forming("group-lengths-included"),
    "forms-macs-without-item-tags": _forming("item-tags-omitted"),
    "forms-macs-without-fragment-tags": _forming("encapsulated-item-tags-omitted"),
    "demands-full-coverage": VerifierBehaviour(conclusion=_covering_all),
    **{f"overlooks-{rule}": _overlooking(rule) for rule in _OVERLOOKED},
    **{f"refuses-{rule}": _refusing(rule) for rule in _REFUSED},
}
"""By the name of the fault."""


def made_texts() -> Mapping[str, str]:
    """What the faults are that are against one rule, in a sentence each; and those against one algorithm."""
    return {
        **{f"knows-no-{name.lower()}": f"Signatures with {name} cannot be verified." for name in ALGORITHMS},
        **{f"overlooks-{rule}": f"Nothing is found wrong with {what}." for rule, what in _OVERLOOKED.items()},
        **{f"refuses-{rule}": f"No signature is taken in {what}." for rule, what in _REFUSED.items()},
    }
