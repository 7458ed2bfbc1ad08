"""Creators: PS3.15 C.1, the Base RSA Digital Signature Profile: MAC algorithm, RSA, certificate, timestamp."""

from __future__ import annotations

from harness import Missing, NotApplicable, verifies
from reference_impl.signatures.results import CertificateResult, SignatureResult, Standing, TimestampResult
from suites.signatures.view import SeenSignature, SignatureCreator, expect_of_each, with_parameters
from suites.signatures.words import bounded, told

pytest_plugins = ("suites.signatures.fixtures",)

MAC_ALGORITHMS = ("RIPEMD160", "MD5", "SHA1", "SHA256", "SHA384", "SHA512")
RSA = frozenset({"rsa-pkcs1-v1.5", "rsa-other"})
OTHER_SCHEMES = {"ecdsa": "signed with ECDSA", "dsa": "signed with DSA"}
PATH_CODES = frozenset(
    f"certificate-{each}" for each in ("untrusted", "expired", "not-yet-valid", "revoked", "path", "unreadable")
)
NO_TOKEN = frozenset({"timestamp-unreadable", "timestamp-signature", "timestamp-purpose"})
NOT_TOLD = frozenset({"timestamp-type", "timestamp-algorithm", "timestamp-certificate-missing"})
ANCHORS = "Name the authority that issued it as trust_anchors under [credentials] of the SUT file, and run again."


@verifies("C.1-mac-algorithm")
def test_the_mac_algorithm_is_one_of_six(creator: SignatureCreator) -> None:
    """C.1: one of six hash functions, by the name that C.1 gives it."""

    def wrong(seen: SeenSignature) -> str:
        named = seen.facts.algorithm
        return "" if named in MAC_ALGORITHMS else f"MAC Algorithm {bounded(named) or 'not told'}"

    expect_of_each(
        creator,
        known(creator),
        wrong,
        what="signatures with another MAC algorithm",
        expected=f"MAC Algorithm one of {', '.join(MAC_ALGORITHMS)}",
    )


@verifies("C.1-rsa")
def test_the_mac_is_encrypted_with_an_rsa_key(creator: SignatureCreator) -> None:
    """C.1: a private RSA key encrypts the MAC."""

    def wrong(seen: SeenSignature) -> str:
        scheme = seen.facts.scheme
        if scheme in RSA:
            return ""
        if scheme in OTHER_SCHEMES:
            return OTHER_SCHEMES[scheme]
        raise Missing(f"how the MAC is encrypted is not known ({told(seen.facts.reasons)})")

    expect_of_each(
        creator, creator.signatures, wrong, what="signatures without an RSA key", expected="signed with an RSA key"
    )


@verifies("C.1-signature-verifies")
def test_the_signature_is_that_of_the_elements_listed(creator: SignatureCreator) -> None:
    """C.1, PS3.3 C.12.1.1.3.1.2: the MAC that was encrypted is that of the object at hand."""

    def wrong(seen: SeenSignature) -> str:
        facts = seen.facts
        if facts.mac is Standing.UNKNOWN:
            raise Missing(f"whether the signature verifies cannot be told ({told(facts.reasons)})")
        if facts.mac is Standing.VALID:
            return ""
        return f"does not verify ({_how(facts)})"

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="signatures that do not verify",
        expected="the MAC of the elements listed, encrypted with the key of the certificate",
    )


def _how(facts: SignatureResult) -> str:
    """Why a signature does not verify."""
    if facts.variant:
        return f"the MAC was formed the wrong way: {facts.variant.replace('-', ' ')}"
    return told(facts.reasons)


@verifies("C.1-pkcs1-padding")
def test_the_mac_is_padded_by_pkcs_1(creator: SignatureCreator) -> None:
    """C.1: padded to the size of the key as RFC 2437 directs; the one way it has for signatures is that of v1.5."""

    def wrong(seen: SeenSignature) -> str:
        facts = seen.facts
        bits = facts.certificate.key_bits if facts.certificate is not None else None
        if facts.scheme in OTHER_SCHEMES:
            raise NotApplicable("no RSA key")
        if facts.scheme == "rsa-pkcs1-v1.5":
            octets = facts.signature_octets
            fits = bits is None or octets in {-(-bits // 8), 2 * -(-bits // 16)}
            return "" if fits else f"{octets} octets of signature with a key of {bits} bits"
        if facts.scheme == "rsa-other" and facts.mac is Standing.VALID:
            return "padded in another way than PKCS #1 v1.5"
        raise Missing(f"how the MAC is padded cannot be told ({told(facts.reasons)})")

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="signatures with another padding",
        expected="PKCS #1 v1.5, as long as the modulus of the key",
        concerned="a signature with an RSA key",
    )


@verifies("C.1-certificate-x509")
def test_the_public_key_comes_in_a_certificate(creator: SignatureCreator) -> None:
    """C.1: an X.509 certificate transmits the public key."""

    def wrong(seen: SeenSignature) -> str:
        found = seen.facts.certificate
        if found is None:
            return "no certificate"
        return f"no X.509 certificate ({told(found.reasons)})" if unreadable(found) else ""

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="signatures without a readable certificate",
        expected="an X.509 certificate in Certificate of Signer",
    )


@verifies("C.1-certificate-names-owner")
def test_the_certificate_names_its_owner(creator: SignatureCreator) -> None:
    """C.1: the certificate transmits the identity of who owns the key pair."""
    expect_of_each(
        creator,
        creator.signatures,
        lambda seen: "" if certificate(seen).subject else "a certificate without a subject",
        what="certificates that name nobody",
        expected="a certificate with a subject",
    )


@verifies("C.1-certificate-type")
def test_the_certificate_type_is_x509_1993_sig(creator: SignatureCreator) -> None:
    """C.1: X509_1993_SIG."""

    def wrong(seen: SeenSignature) -> str:
        kind = seen.facts.certificate_type
        return "" if kind == "X509_1993_SIG" else f"Certificate Type {bounded(kind) or 'not told'}"

    expect_of_each(
        creator, creator.signatures, wrong, what="signatures with another certificate type", expected="X509_1993_SIG"
    )


@verifies("C.1-certificate-path-valid")
def test_the_certificate_was_valid_and_trusted(creator: SignatureCreator) -> None:
    """C.1 leaves certificates to the policy of the site: the usual one, at the time of the signature."""

    def wrong(seen: SeenSignature) -> str:
        found = certificate(seen)
        codes = {reason.code for reason in found.reasons}
        if against := [reason for reason in found.reasons if reason.code in PATH_CODES]:
            return told(against)
        if found.at_signing is Standing.UNKNOWN or codes & {"no-anchors", "no-date"}:
            raise Missing(f"the path of the certificate cannot be judged ({told(found.reasons)})", ANCHORS)
        return ""

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="certificates that were not in force",
        expected="a certificate that was trusted, valid and not revoked when it signed",
    )


@verifies("C.1-certificate-for-signatures")
def test_the_certificate_is_for_signatures(creator: SignatureCreator) -> None:
    """C.1 leaves certificates to the policy of the site: the usual one, by key usage."""

    def wrong(seen: SeenSignature) -> str:
        against = [reason for reason in certificate(seen).reasons if reason.code == "certificate-usage"]
        return told(against) if against else ""

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="certificates for other purposes",
        expected="key usage digitalSignature or nonRepudiation, or none told",
    )


@verifies("C.1-timestamp-type")
def test_a_certified_timestamp_is_of_type_cms_tsp(creator: SignatureCreator) -> None:
    """C.1: CMS_TSP, where timestamps are used."""

    def wrong(seen: SeenSignature) -> str:
        kind = timestamp(seen).kind
        return "" if kind == "CMS_TSP" else f"Certified Timestamp Type {bounded(kind) or 'not told'}"

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="timestamps of another type",
        expected="Certified Timestamp Type CMS_TSP",
        concerned="a certified timestamp",
    )


@verifies("C.1-timestamp-rfc3161")
def test_a_certified_timestamp_is_a_token_of_rfc_3161(creator: SignatureCreator) -> None:
    """C.1: generated as RFC 3161 describes. Whom its authority is trusted by is another matter."""

    def wrong(seen: SeenSignature) -> str:
        found = timestamp(seen)
        against = [reason for reason in found.reasons if reason.code in NO_TOKEN]
        if against:
            return told(against)
        if found.of_this_signature is None or any(reason.code in NOT_TOLD for reason in found.reasons):
            raise Missing(f"the timestamp cannot be judged ({told(found.reasons)})")
        return ""

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="timestamps that are no tokens of RFC 3161",
        expected="a time-stamp token (RFC 3161), signed by its authority",
        concerned="a certified timestamp",
    )


@verifies("PS3.3-C.12.1.1.3.1.3-timestamp-of-this-signature")
def test_a_certified_timestamp_is_one_of_this_signature(creator: SignatureCreator) -> None:
    """PS3.3 C.12.1.1.3.1.3: the value of Signature was sent to the third party."""

    def wrong(seen: SeenSignature) -> str:
        found = timestamp(seen)
        if found.of_this_signature is None:
            raise Missing(f"what was time-stamped cannot be told ({told(found.reasons)})")
        return "" if found.of_this_signature else "the timestamp is one of other data"

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="timestamps of other data",
        expected="a timestamp of the value of Signature",
        concerned="a certified timestamp",
    )


def known(creator: SignatureCreator) -> tuple[SeenSignature, ...]:
    """The signatures whose MAC parameters are known. Raises `Missing` where there is none."""
    found = tuple(with_parameters(creator.signatures))
    if not found:
        raise Missing(
            f"no signature at {creator.name} refers to one item of MAC Parameters, so that these are not known"
        )
    return found


def certificate(seen: SeenSignature) -> CertificateResult:
    """The certificate of the signer. Raises `Missing` where none can be read."""
    found = seen.facts.certificate
    if found is None or unreadable(found):
        raise Missing("there is no certificate that can be read")
    return found


def unreadable(found: CertificateResult) -> bool:
    """Whether what stands for a certificate is none."""
    return any(reason.code == "certificate-unreadable" for reason in found.reasons)


def timestamp(seen: SeenSignature) -> TimestampResult:
    """The certified timestamp of a signature. Raises `NotApplicable` where it has none."""
    if seen.facts.timestamp is None:
        raise NotApplicable("no certified timestamp")
    return seen.facts.timestamp
