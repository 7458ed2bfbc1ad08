"""Verifying in tests: small signed files, what was changed in them, and what is said of them."""

from __future__ import annotations

from pathlib import Path

from reference_impl.signatures.certificates import Trust, read_certificates, read_crls
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.results import FileResult, SignatureResult
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import El
from tests.unit.signing_material import CONTENT, PIXELS, SERIES, pki, signer, write

PATIENT = 0x00100010
ORDER = SigningOrder()


def trust(*, lists: bool = False) -> Trust:
    anchors = read_certificates(pki().trust_anchors_file().read_bytes())
    return Trust(anchors=anchors, crls=read_crls(pki().revocation_list()) if lists else ())


def signed(
    folder: Path,
    deviations: Deviations = NONE,
    *orders: SigningOrder,
    case: str = "signer",
    elements: tuple[El, ...] = (),
) -> Path:
    source = write(folder / "in.dcm", *(elements or (*SERIES, CONTENT, PIXELS)))
    sign_file(source, folder / "out.dcm", orders or [ORDER], signer(case), deviations)
    return folder / "out.dcm"


def changed(path: Path, old: bytes, new: bytes) -> Path:
    octets = path.read_bytes()
    assert octets.count(old) >= 1, old
    path.write_bytes(octets.replace(old, new))
    return path


def only(result: FileResult) -> SignatureResult:
    (found,) = result.signatures
    return found


def judged(path: Path, **settings: object) -> SignatureResult:
    return only(verify_file(path, Policy(**{"trust": trust(), **settings})))  # type: ignore[arg-type]


def codes(result: SignatureResult) -> list[str]:
    return [each.code for each in result.reasons]
