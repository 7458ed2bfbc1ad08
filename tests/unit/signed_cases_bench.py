"""Crafted objects, and the policy of a site that trusts their signers."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fixtures.pki.pki import Pki
from fixtures.pki.revocation_status import revocation_list
from fixtures.pki.signers import revoked_signers
from fixtures.signatures import SIGNED_CASES, SignedObjects
from reference_impl.signatures.verifier import Policy, Trust, verify_file

AUTHORITIES = ("ca", "ca_ec")


class CaseBench:
    """One set of crafted objects, with what a verifier needs to know of their authorities."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki.create(directory / "pki")
        self.objects = SignedObjects(directory / "objects", self.pki)
        authority = self.pki.issue("ca")
        self.crl = revocation_list(authority.certificate.subject, authority.key, revoked_signers(authority))
        anchors = tuple(self.pki.issue(case).certificate.public_bytes(Encoding.DER) for case in AUTHORITIES)
        self.trust = Trust(anchors=anchors, crls=(self.crl,), least_rsa_bits=2048)

    @property
    def anchors_file(self) -> Path:
        """The authorities in PEM."""
        return self.pki.trust_anchors_file(*AUTHORITIES)

    @property
    def crl_file(self) -> Path:
        """The revocation list in PEM."""
        path = self.anchors_file.with_name("ca.crl")
        path.write_bytes(x509.load_der_x509_crl(self.crl).public_bytes(Encoding.PEM))
        return path

    def answer(self, name: str, policy: Policy | None = None) -> str:
        """What our verifier says of a case: "valid", "invalid", "unknown" or "unsigned"."""
        return verify_file(self.objects.file(name), policy or Policy(trust=self.trust)).standing.value


def contradicts(name: str, valid: bool) -> bool:
    """Whether calling the object of a case valid, or not, is not what a conforming verifier does."""
    treatment = SIGNED_CASES[name].treatment
    return (treatment == "valid" and not valid) or (treatment == "not-valid" and valid)
