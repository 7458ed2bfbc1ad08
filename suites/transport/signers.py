"""How long the key was that signed a certificate, read from the signature where the signer's certificate is unknown."""

from __future__ import annotations

from harness import CertificateFacts


def signer_bits(certificate: CertificateFacts) -> int | None:
    """The length in bits of the key that signed `certificate`, as far as its signature shows; None if it does not.

    An RSA signature is as long as the modulus, in whole octets. The two integers of an ECDSA signature are about as
    long as the order of the curve; the next longer length of a curve in use is given.
    """
    # late: only chains whose issuer was not sent need it
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        signature = x509.load_pem_x509_certificate(certificate.pem.encode("ascii")).signature
        if certificate.signature_algorithm in {"rsa", "rsa-pss"}:
            return 8 * len(signature)
        if certificate.signature_algorithm == "ecdsa":
            longest = max(value.bit_length() for value in decode_dss_signature(signature))
            return next((length for length in _CURVE_LENGTHS if longest <= length), None)
    except ValueError:  # what a SUT sends need not parse
        return None
    return None


_CURVE_LENGTHS = (112, 128, 160, 192, 224, 239, 256, 320, 384, 512, 521, 571)
