"""What `ps315 sign` is told: what to sign and where to, elements and items by their names, purposes, keys."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageProblem

if TYPE_CHECKING:
    from cryptography import x509

    from reference_impl.signatures.creator import Profile, SigningOrder
    from reference_impl.signatures.keys import Signer
    from reference_impl.signatures.references import References
    from reference_impl.signatures.results import Code

PROFILES: Mapping[str, Profile] = {"base": "C.1", "creator": "C.2", "authorization": "C.3", "sr": "C.4", "none": ""}
"""Signature profiles of PS3.15 by the names that users give."""

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_KEYWORD = re.compile(r"[A-Z][A-Za-z0-9]*")
_STEP = re.compile(r"(.+?)\[(\d{1,9})\]")
_DIRECTORY = "DICOMDIR"
_SPOKEN = 400


def tasks_of(inputs: Sequence[str], out: str, *, force: bool) -> list[tuple[Path, Path]]:
    """Pairs of a file to sign and the file to write.

    Files of a folder keep their place below it. Raises `UsageProblem`: nothing to sign, two files for one name, or a
    file that is there already (unless `force`).
    """
    target = Path(out)
    one = len(inputs) == 1 and Path(inputs[0]).is_file() and Path(inputs[0]).name.upper() != _DIRECTORY
    if one and not target.is_dir() and not out.endswith(("/", os.sep)):
        if not target.parent.is_dir():
            raise UsageProblem(f"--out {out}: there is no folder {target.parent}; make it, or name another")
        pairs = [(Path(inputs[0]), target)]
    elif target.exists() and not target.is_dir():
        raise UsageProblem(f"--out {out}: is a file, and here a folder is due; name one")
    else:
        pairs = list(dict.fromkeys(pair for path in inputs for pair in _pairs(path, target)))
    if not pairs:
        raise UsageProblem(
            f"{' '.join(inputs)[:_SPOKEN]}: there is no file to sign; name DICOM files or folders of them"
        )
    _check_targets(pairs, force=force)
    return pairs


def _pairs(path: str, out: Path) -> list[tuple[Path, Path]]:
    from reference_impl.signatures.sources import NothingThereError, files_of

    if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
        raise UsageProblem(f"{path}: is neither file nor folder; name DICOM files or folders of them")
    try:
        found = [Path(each) for each in files_of([path])]
    except NothingThereError as problem:
        raise UsageProblem(f"{problem}; name DICOM files or folders of them") from None
    base, written = _base(path), out.resolve()
    within = Path(path).resolve() if Path(path).is_dir() else None
    pairs = []
    for source in found:
        if within and source.name.upper() == _DIRECTORY:
            continue  # offsets in it would become wrong
        if within and source.resolve().is_relative_to(written) and not within.is_relative_to(written):
            continue  # signed earlier, into a folder below the one that is named
        pairs.append((source, out / (source.relative_to(base) if source.is_relative_to(base) else source.name)))
    return pairs


def _base(path: str) -> Path:
    """The folder below which what is found keeps its place."""
    if Path(path).is_dir():
        return Path(path)
    if Path(path).exists() or not glob.has_magic(path):
        return Path(path).parent
    parts = Path(path).parts
    plain = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:plain])


def _check_targets(pairs: Sequence[tuple[Path, Path]], *, force: bool) -> None:
    written: dict[Path, Path] = {}
    originals = {identity for source, _ in pairs if (identity := _identity(source)) is not None}
    for source, target in pairs:
        other = written.setdefault(target, source)
        if other != source:
            raise UsageProblem(f"{other} and {source} would both be written to {target}; sign them one after the other")
        there = _identity(target)
        if there is None:
            continue
        if there in originals:
            raise UsageProblem(f"{target}: is what is to be signed, and originals are never written to; change --out")
        if target.is_dir():
            raise UsageProblem(f"{target}: is a folder; change --out")
        if not force:
            raise UsageProblem(f"{target}: is there already; replace it with --force, or change --out")


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from every other, whatever the names of both; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _location(path: str) -> str:
    """The place of an item from what was given as --item: "(0040,A730)[2]" or "ContentSequence[2]", joined by dots.

    Raises `UsageProblem`.
    """
    from reference_impl.signatures.elements import tag_text

    steps = []
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None or match[2].strip("0") == "":
            raise UsageProblem(
                f"--item {path!r}: is no place of an item; write it as (0040,A730)[2] or ContentSequence[2], with "
                "items counted from 1"
            )
        steps.append(f"{tag_text(_tag(match[1], '--item'))}[{int(match[2])}]")
    return ".".join(steps)


def _tag(name: str, option: str) -> int:
    match = _TAG.fullmatch(name)
    if match is not None:
        return int(match[1] + match[2], 16)
    if _KEYWORD.fullmatch(name):
        from pydicom.datadict import tag_for_keyword

        tag = tag_for_keyword(name)
        if tag is not None:
            return tag
    raise UsageProblem(f"{option} {name!r}: is no element; write its tag, as (0010,0020), or its keyword, as PatientID")


def profile_of(name: str, purpose: str | None, *, verification: bool) -> str:
    """The user's name of the profile to sign under, from that or its section. Raises `UsageProblem`."""
    name = next((known for known, section in PROFILES.items() if section and section == name.upper()), name)
    if verification and (name not in {"", "sr"} or purpose not in {None, "5"}):
        raise UsageProblem("--verification means --profile sr --purpose 5; leave out what contradicts it")
    chosen = name or ("sr" if verification else "base")
    if chosen not in PROFILES:
        raise UsageProblem(f"--profile {name!r}: is no signature profile; choose {', '.join(PROFILES)}")
    if chosen == "sr" and purpose is None and not verification:
        raise UsageProblem(
            "--profile sr demands a purpose; add --purpose 1 for an author's signature, or --verification"
        )
    return chosen


def algorithm_of(name: str) -> str:
    """The defined term of a MAC algorithm. Raises `UsageProblem`."""
    from reference_impl.signatures.algorithms import ALGORITHMS

    term = name.upper().replace("-", "")
    if term not in ALGORITHMS:
        raise UsageProblem(f"--mac {name!r}: is no MAC algorithm; choose {', '.join(ALGORITHMS)}")
    return term


def orders_of(
    profile: str,
    *,
    algorithm: str,
    purpose: str | None,
    tags: Sequence[str],
    items: Sequence[str],
    timestamp: str | None,
    references: Sequence[Path],
    allow_weak_key: bool,
) -> list[SigningOrder]:
    """What is to be signed in each file. Raises `UsageProblem`."""
    from reference_impl.signatures.creator import SigningOrder

    if items and profile not in {"base", "none"}:
        raise UsageProblem(f"--item: profile {profile} is about whole files; sign items with --profile base")
    for folder in references:
        if not folder.is_dir():
            raise UsageProblem(f"--reference {folder}: there is no such folder; name one with the referenced instances")
    order = SigningOrder(
        profile=PROFILES[profile],
        tags=tuple(_tag(name, "--tag") for name in tags) or None,
        algorithm=algorithm,
        purpose=None if purpose is None else _purpose(purpose),
        timestamp=None if timestamp is None else _stamping(timestamp),
        references=_referring(references, algorithm) if references else None,
        allow_weak_key=allow_weak_key,
    )
    return [replace(order, location=_location(path)) for path in items] or [order]


def _referring(folders: Sequence[Path], algorithm: str) -> References:
    from reference_impl.signatures.references import References, folder_lookup

    return References(folder_lookup(*folders), algorithm=algorithm)


def _stamping(url: str) -> Callable[[bytes], bytes]:
    if not url.lower().startswith(("http://", "https://")):
        raise UsageProblem(f"--timestamp {url!r}: is no URL; write one such as http://tsa.example.org/")

    def stamp(value: bytes) -> bytes:
        from reference_impl.signatures.timestamp_requests import TimestampError, request_timestamp

        try:
            return request_timestamp(url, value)
        except TimestampError as problem:
            raise UsageProblem(f"{problem}; check --timestamp, or sign without a timestamp") from None

    return stamp


def _purpose(number: str) -> Code:
    from reference_impl.signatures.purposes import purposes

    known = purposes()
    if number not in known:
        listed = ", ".join(f"{value} {code.meaning}" for value, code in known.items())
        raise UsageProblem(f"--purpose {number!r}: is none of the purposes; choose from {listed}")
    return known[number]


def signer_of(key: Path, certificate: Path, password_env: str | None, profile: str, *, allow_weak_key: bool) -> Signer:
    """Key and certificate from their files, fit for `profile`. Raises `UsageProblem`."""
    from reference_impl.signatures.keys import LEAST_RSA_BITS, SigningError, load_signer

    password = None
    if password_env is not None:
        text = os.environ.get(password_env)
        if text is None:
            raise UsageProblem(f"--password-env {password_env}: there is no such environment variable; set it")
        password = text.encode()
    try:
        signer = load_signer(key, certificate, password)
    except SigningError as problem:
        hint = " in an environment variable, named by --password-env" if "give its password" in str(problem) else ""
        raise UsageProblem(f"{problem}{hint}") from None
    if signer.scheme != "rsa-pkcs1-v1.5" and profile != "none":
        raise UsageProblem(
            f"{key}: is no RSA key, and profile {profile} demands one; name an RSA key, or sign outside the profiles "
            "with --profile none"
        )
    if signer.is_weak and not allow_weak_key:
        raise UsageProblem(
            f"{key}: has less than {LEAST_RSA_BITS} bits; name a longer key, or sign nevertheless with --allow-weak-key"
        )
    return signer


def notes_on(signer: Signer, order: SigningOrder) -> Iterator[str]:
    """What makes verifiers doubt the signatures, one sentence each."""
    from cryptography import x509

    from reference_impl.signatures.algorithms import ALGORITHMS

    certificate = x509.load_der_x509_certificate(signer.certificate)
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        yield f"the certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}; verifiers will say so"
    if now < certificate.not_valid_before_utc:
        yield f"the certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}; verifiers will say so"
    if not _may_sign(certificate):
        yield "the certificate's key usage is not for signatures; verifiers will say so"
    if ALGORITHMS[order.algorithm].weak:
        yield f"{order.algorithm} is weak; PS3.15 allows it, SHA256 is better"


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether the key usage, where there is one, permits signatures (RFC 5280 4.2.1.3)."""
    from cryptography import x509

    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return usage.digital_signature or usage.content_commitment
