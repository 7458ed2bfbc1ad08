"""A detached CMS signature (RFC 5652) over a report, and its check.

`sign` writes three files beside the report: ``manifest.json`` (SHA-256 of every file of the report), ``signature.p7s``
over the manifest, and ``report.json.p7s`` over report.json itself, for those who keep nothing but that file. Both are
what ``openssl cms -verify -binary -inform DER -content FILE`` checks.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

MANIFEST = "manifest.json"
MANIFEST_SIGNATURE = "signature.p7s"
REPORT_SIGNATURE = "report.json.p7s"
SIGNED_FILES = ("report.json", "report.html", "junit.xml", "run.jsonl")
_LONGEST_FILE_NAME = 300


class SigningProblem(ValueError):  # noqa: N818 - it is the user's problem, not a program error
    """What the user gave cannot be used to sign or to check a report: one sentence with the remedy."""


def sign(directory: Path, key: Path, certificate: Path, password: str | None = None) -> None:
    """Sign the report in `directory` with a PEM `key` (RSA or EC) and its PEM `certificate`, further ones behind it.

    Writes manifest.json, signature.p7s and report.json.p7s. Raises `SigningProblem` where the report is incomplete,
    a file is not what it should be, or key and certificate do not belong together.
    """
    private_key = _load_key(key, password)
    chain = load_certificates(certificate)
    if not (directory / "report.json").is_file():
        raise SigningProblem(f"there is no report in {directory}: report.json is missing")
    if _encoded(private_key.public_key()) != _encoded(chain[0].public_key()):
        raise SigningProblem(f"{key} is not the key of the first certificate in {certificate}")
    manifest = json.dumps(manifest_of(directory), indent=2, ensure_ascii=True).encode("ascii") + b"\n"
    (directory / MANIFEST).write_bytes(manifest)
    for content, name in ((manifest, MANIFEST_SIGNATURE), ((directory / "report.json").read_bytes(), REPORT_SIGNATURE)):
        (directory / name).write_bytes(_signature(content, private_key, chain))


def verify(directory: Path, ca: Path, *, at: datetime | None = None) -> list[str]:
    """Check a signed report against the certificates in `ca` (PEM); return what is wrong, one sentence each.

    Nothing is wrong where the list is empty. Checked are the hashes of all files, both signatures, and the signer's
    chain and validity at the signing time and at `at` (now, if not given): the signing time is the signer's own word.
    Raises `SigningProblem` where there is no signed report in `directory` or `ca` holds no certificate.
    """
    from reports.verification import check_signature

    anchors = load_certificates(ca)
    contents = {}
    for name in (MANIFEST, MANIFEST_SIGNATURE, REPORT_SIGNATURE):
        path = directory / name
        if not path.is_file() and name != REPORT_SIGNATURE:
            raise SigningProblem(f"there is no signed report in {directory}: {name} is missing")
        contents[name] = path.read_bytes() if path.is_file() else None
    manifest = contents[MANIFEST] or b""
    problems = check_signature(MANIFEST, manifest, contents[MANIFEST_SIGNATURE] or b"", anchors, at)
    problems += _check_files(directory, manifest)
    report, report_signature = directory / "report.json", contents[REPORT_SIGNATURE]
    if report_signature is None:
        problems.append(f"{REPORT_SIGNATURE} is missing")
    elif report.is_file():
        problems += check_signature("report.json", report.read_bytes(), report_signature, anchors, at)
    return list(dict.fromkeys(problems))


def manifest_of(directory: Path) -> dict[str, Any]:
    """The manifest of the files that are there: ``{"schema_version", "algorithm", "files": {path: sha256}}``."""
    return {
        "schema_version": 1,
        "algorithm": "sha256",
        "files": {name: _digest(path) for name, path in sorted(_report_files(directory).items())},
    }


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The PEM certificates in `path`. Raises `SigningProblem` where it cannot be read or holds none."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as problem:
        raise SigningProblem(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise SigningProblem(f"{path} holds no PEM certificate") from problem
    return found


def _report_files(directory: Path) -> dict[str, Path]:
    files = {name: directory / name for name in SIGNED_FILES if (directory / name).is_file()}
    evidence = directory / "evidence"
    for path in evidence.rglob("*") if evidence.is_dir() else ():
        if path.is_symlink() or not path.is_dir():
            files[path.relative_to(directory).as_posix()] = path
    return files


def _check_files(directory: Path, manifest: bytes) -> list[str]:
    listed = _listed(manifest)
    if listed is None:
        return [f"{MANIFEST} is not a manifest of this tool"]
    present = _report_files(directory)
    problems = [f"{_quoted(name)} is missing" for name in listed if name not in present]
    problems += [f"{_quoted(name)} was added after signing" for name in present if name not in listed]
    for name, digest in listed.items():
        path = present.get(name)
        if path is None:
            continue
        if path.is_symlink() or not path.is_file():
            problems.append(f"{_quoted(name)} is no regular file")
        elif _digest(path) != digest:
            problems.append(f"{_quoted(name)} was changed after signing")
    if "report.json" not in listed:
        problems.append(f"{MANIFEST} does not cover report.json")
    return problems


def _listed(manifest: bytes) -> dict[str, str] | None:
    try:
        files = json.loads(manifest)["files"]
        valid = all(_plausible(name) and isinstance(digest, str) for name, digest in files.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return dict(files) if valid else None


def _plausible(name: str) -> bool:
    parts = PurePosixPath(name).parts
    inside = name in SIGNED_FILES or (len(parts) > 1 and parts[0] == "evidence" and ".." not in parts)
    return inside and len(name) <= _LONGEST_FILE_NAME


def _quoted(name: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", name)


def _digest(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_key(path: Path, password: str | None) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        data = path.read_bytes()
        key = serialization.load_pem_private_key(data, None if password is None else password.encode())
    except OSError as problem:
        raise SigningProblem(f"{path} cannot be read: {problem.strerror}") from problem
    except TypeError as problem:  # a password where none is needed, or none where one is
        raise SigningProblem(f"{path}: {'a' if password is None else 'no'} password is needed") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        wrong = "" if password is None else ", or the password is wrong"
        raise SigningProblem(f"{path} holds no PEM private key{wrong}") from problem
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise SigningProblem(f"{path}: sign with an RSA or an EC key")
    return key


def _encoded(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _signature(
    content: bytes, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, chain: list[x509.Certificate]
) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(chain[0], key, hashes.SHA256())
    for further in chain[1:]:
        builder = builder.add_certificate(further)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])
