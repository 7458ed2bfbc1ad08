"""Names for the code points that a record holds, so that renderers need to know nothing but the record."""

from __future__ import annotations

from reference_impl.transport.registry import (
    EXTENSIONS,
    SSL2_CIPHER_KINDS,
    CipherSuite,
    alert_name,
    group,
    signature_scheme,
    suite,
    version_name,
)

SSL2 = 0x0002


def suite_name(code: int, version: int | None = None) -> str:
    """The IANA name of a cipher suite; for SSL 2.0 that of a CIPHER-KIND. ``unknown 0x....`` if there is none."""
    kind = SSL2_CIPHER_KINDS.get(code) if version == SSL2 else None
    return kind.name if kind is not None else suite(code).name


def suite_quality(code: int, version: int | None = None) -> str:
    """What a suite gives by its construction: "modern", "dated" or "broken". A fact about the suite, no verdict.

    modern: AEAD with forward secrecy (every TLS 1.3 suite with encryption); broken: no encryption, no
    authentication, or less than 128 bits (NULL, anonymous, export, RC4, DES, 3DES, all of SSL 2.0); dated: the rest.
    """
    properties = suite(code)
    if version == SSL2 or _broken(properties):
        return "broken"
    if properties.aead and (properties.forward_secrecy or properties.versions == "tls1.3"):
        return "modern"
    return "dated"


def _broken(properties: CipherSuite) -> bool:
    return (
        properties.export
        or properties.cipher in {"NULL", "RC4", "RC2", "DES", "3DES"}
        or properties.authentication in {"anon", "NULL"}
        or 0 < properties.strength_bits < 128
    )


def group_name(code: int) -> str:
    """The IANA name of a group."""
    return group(code).name


def extension_name(code: int) -> str:
    """The IANA name of a TLS extension, ``unknown 0x....`` if there is none."""
    return EXTENSIONS.get(code, f"unknown 0x{code:04X}")


def scheme_name(code: int) -> str:
    """The IANA name of a signature scheme."""
    return signature_scheme(code).name


__all__ = ["alert_name", "extension_name", "group_name", "scheme_name", "suite_name", "suite_quality", "version_name"]
