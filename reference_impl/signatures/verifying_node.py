"""A verifier of signatures: given an object, it says whether what it holds is validly signed (PS3.15 C.1, A.2).

It keeps the usual policy of a site: certificates lead to its anchors, are in force, not revoked, for signatures, and
their RSA keys have 2048 bits. `faults` change how it verifies, or what it makes of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from reference_impl.signatures.certificates import Trust
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.verifier import verify_file

if TYPE_CHECKING:
    from reference_impl.signatures.faults.verifying import VerifierBehaviour

WORDS = {
    Standing.VALID: "valid",
    Standing.INVALID: "invalid",
    Standing.UNKNOWN: "unverifiable",
    Standing.UNSIGNED: "unverifiable",
}
"""What it says; an object without a signature is none that it can verify."""
LEAST_RSA_BITS = 2048


@dataclass
class VerifyingNode:
    """Verifies by `anchors` and `crls` (DER), with `faults` (names of the role signature-verifier).

    `rule_of` tells of a crafted object, by its name, which rule it puts to the test: some faults are against one rule
    alone. Raises `UnknownFaultError` for a name that is no fault.
    """

    anchors: tuple[bytes, ...]
    crls: tuple[bytes, ...] = ()
    faults: tuple[str, ...] = ()
    rule_of: Callable[[str], str] = lambda _name: ""

    @cached_property
    def behaviours(self) -> tuple[VerifierBehaviour, ...]:
        """What its faults change."""
        from reference_impl.signatures.faults import verifier_changes

        return verifier_changes(self.faults)

    @cached_property
    def policy(self) -> Policy:
        """By what it verifies."""
        trust = Trust(self.anchors, crls=self.crls, least_rsa_bits=LEAST_RSA_BITS)
        policy = Policy(trust=trust, variants=False)  # why a MAC differs is nobody's question here
        for behaviour in self.behaviours:
            policy = behaviour.policy(policy)
        return policy

    def answer(self, path: Path, name: str = "") -> str:
        """What it says of the object at `path`, which is called `name`: one of `WORDS`."""
        return self.conclude(verify_file(path, self.policy), name)

    def conclude(self, result: FileResult, name: str = "") -> str:
        """The same of an object that was verified by its `policy`."""
        return WORDS[self._standing(result, name)]

    def _standing(self, result: FileResult, name: str) -> Standing:
        standing = result.standing
        for behaviour in self.behaviours:
            standing = behaviour.conclusion(result, standing, self.rule_of(name))
        return standing
