"""Signing for tests: a signer, small files, and what the values of the signatures in a file open to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fixtures.pki import Pki
from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.elements import Level
from reference_impl.signatures.keys import Signer, load_signer
from reference_impl.signatures.mac import mac_parts, signature_item_parts
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.reader import DicomFile, open_dicom
from tests.unit.signature_material import El, Encoder, as_file

SERIES = (
    El(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    El(0x00080018, "UI", b"1.2.3.40\0\0"[:8]),
    El(0x00100010, "PN", b"PS315^TEST"),
    El(0x00100020, "LO", b"PS315-TEST"),
)
CONTENT = El(
    0x0040A730,
    "SQ",
    items=(
        (El(0x0040A040, "CS", b"TEXT"), El(0x0040A160, "UT", b"first ")),
        (
            El(0x0040A040, "CS", b"CONTAINER "),
            El(0x0040A730, "SQ", items=((El(0x0040A160, "UT", b"within"),),)),
        ),
    ),
)
PIXELS = El(0x7FE00010, "OW", bytes(range(64)))


@cache
def pki() -> Pki:
    return Pki.create()


@cache
def signer(case: str = "signer") -> Signer:
    return load_signer(pki().key_file(case), pki().certificate_file(case))


def write(path: Path, *elements: El, undefined: bool = False, meta: bytes | None = None) -> Path:
    data_set = Encoder([undefined]).data_set(elements)
    path.write_bytes(as_file(data_set) if meta is None else as_file(data_set, meta))
    return path


@dataclass(frozen=True)
class Found:
    """A signature read back: what its value opens to, and what it should open to."""

    location: str
    mac_id: int
    uid: str
    listed: tuple[int, ...]
    opened: bytes
    expected: bytes

    @property
    def good(self) -> bool:
        return self.opened == self.expected


def signatures_in(path: Path, location: str | None = None) -> list[Found]:
    """Every signature of a file, or of one level of it, opened with the key of its certificate (RSA)."""
    with open_dicom(path) as file:
        return list(_found(file, location))


def _found(file: DicomFile, location: str | None) -> Iterator[Found]:
    for macros in read_macros(file):
        if location is not None and macros.location != location:
            continue
        assert not macros.problems
        for signature in macros.signatures:
            assert not signature.encoding, signature.encoding
            (parameters,) = macros.parameters_of(signature)
            assert not parameters.encoding, parameters.encoding
            key = x509.load_der_x509_certificate(
                signature.certificate[: der_length(signature.certificate)]
            ).public_key()
            assert isinstance(key, rsa.RSAPublicKey)
            algorithm = ALGORITHMS[parameters.algorithm]
            hashing = hashlib.new(algorithm.hash_name)
            for part in parts(file, macros.level, parameters.tags, signature.item):
                hashing.update(part)
            yield Found(
                location=macros.location,
                mac_id=signature.mac_id if signature.mac_id is not None else -1,
                uid=signature.uid,
                listed=parameters.tags,
                opened=key.recover_data_from_signature(signature.signature, padding.PKCS1v15(), None),
                expected=algorithm.prefix + hashing.digest(),
            )


def parts(file: DicomFile, level: Level, tags: tuple[int, ...], item: Level) -> Iterator[bytes | memoryview]:
    yield from mac_parts(file, level, tags)
    yield from signature_item_parts(file, item)


def der_length(octets: bytes) -> int:
    """The length of the DER value that `octets` begin with."""
    first = octets[1]
    if first < 0x80:
        return 2 + first
    size = first & 0x7F
    return 2 + size + int.from_bytes(octets[2 : 2 + size], "big")


def pem(key: object, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    octets: bytes = key.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return octets
