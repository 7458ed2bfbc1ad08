"""JA4, the fingerprint of a TLS ClientHello (FoxIO, 2023; the JA4 method for TLS clients is under the BSD licence)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from reference_impl.transport.registry import GREASE

_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_SERVER_NAME, _ALPN = 0x0000, 0x0010
_NOTHING = "0" * 12
_GREASE = frozenset(GREASE)


def _codes(values: Iterable[int]) -> str:
    return ",".join(f"{value:04x}" for value in values)


def _hashed(text: str) -> str:
    return sha256(text.encode("ascii")).hexdigest()[:12]


def _protocol(first: bytes) -> str:
    """The first and last character of the first ALPN name, of its hex digits where one is not alphanumeric."""
    if not first:
        return "00"
    ends = bytes((first[0], first[-1]))
    if all(chr(end).isascii() and chr(end).isalnum() for end in ends):
        return ends.decode("ascii")
    return first.hex()[0] + first.hex()[-1]


def ja4(
    version: int,
    supported_versions: Sequence[int],
    suites: Sequence[int],
    extensions: Sequence[int],
    *,
    schemes: Sequence[int] = (),
    first_protocol: bytes = b"",
) -> str:
    """The fingerprint of a hello over TCP, of its code points in the order of the hello, GREASE included.

    `version` is client_version; `first_protocol` the first name of ALPN, empty where there is none.
    """
    versions = [code for code in supported_versions if code not in _GREASE]
    known = _VERSIONS.get(max(versions, default=version), "00")
    real_suites = [code for code in suites if code not in _GREASE]
    real_extensions = [code for code in extensions if code not in _GREASE]
    head = f"t{known}{'d' if _SERVER_NAME in real_extensions else 'i'}"
    head += f"{min(len(real_suites), 99):02d}{min(len(real_extensions), 99):02d}{_protocol(first_protocol)}"
    hashed = sorted(code for code in real_extensions if code not in (_SERVER_NAME, _ALPN))
    tail = _codes(hashed)
    real_schemes = [code for code in schemes if code not in _GREASE]
    if real_schemes:
        tail += "_" + _codes(real_schemes)
    first = _hashed(_codes(sorted(real_suites))) if real_suites else _NOTHING
    return f"{head}_{first}_{_hashed(tail) if hashed else _NOTHING}"
