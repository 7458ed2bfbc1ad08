"""Independent judges of certificates: OpenSSL (strict), GnuTLS and the validator of cryptography."""

from __future__ import annotations

import base64
import ipaddress
import shutil
import subprocess
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from fixtures.pki.zoo import Presentation, Zoo, ZooCase, ZooRole

HOST, ADDRESS = "harness.hospital.example", "127.0.0.1"
_PURPOSES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}


@dataclass(frozen=True)
class Question:
    """A case as shown by a role, and the folder where a judge may write."""

    case: ZooCase
    role: ZooRole
    shown: Presentation
    authority: x509.Certificate
    folder: Path

    @property
    def called(self) -> str:
        """How the client calls the server."""
        return ADDRESS if "by-address" in self.case.needs else HOST

    @property
    def anchor(self) -> bytes:
        """What is trusted (PEM)."""
        return pem(self.shown.chain[:1]) if "pinned" in self.case.needs else pem([der(self.authority)])

    def write(self, name: str, content: bytes) -> str:
        """A file for the judge."""
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


Judge = Callable[[Question], tuple[bool, str]]
"""Whether the case is accepted, and what the judge said."""


def ask(zoo: Zoo, case: ZooCase, role: ZooRole, folder: Path) -> Question:
    """The question that a case in a role puts."""
    return Question(case, role, zoo.present(case.name, role), zoo.pki.issue("ca").certificate, folder)


def der(certificate: x509.Certificate) -> bytes:
    """DER of a certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def pem(certificates: Sequence[bytes]) -> bytes:
    """Octets as PEM certificates, whatever they are."""
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(each) + b"-----END CERTIFICATE-----\n"
        for each in certificates
    )


def openssl(question: Question, *options: str) -> tuple[bool, str]:
    """``openssl verify`` as a strict reader of RFC 5280, with keys and hashes of 112 bits or more."""
    chain = question.shown.chain
    arguments = ["openssl", "verify", "-x509_strict", "-auth_level", "2", "-purpose", f"ssl{question.role}"]
    arguments += ["-trusted", question.write("anchor.pem", question.anchor), *options]
    if chain[1:]:
        arguments += ["-untrusted", question.write("untrusted.pem", pem(chain[1:]))]
    if question.role == "server":
        arguments += ["-verify_ip" if question.called == ADDRESS else "-verify_hostname", question.called]
    return run([*arguments, question.write("leaf.pem", pem(chain[:1]))])


def gnutls(question: Question) -> tuple[bool, str]:
    """``certtool --verify``."""
    arguments = ["certtool", "--verify", "--verify-profile", "medium"]
    arguments += ["--verify-purpose", _PURPOSES[question.role]]
    arguments += ["--load-ca-certificate", question.write("anchor.pem", question.anchor)]
    arguments += ["--infile", question.write("chain.pem", pem(question.shown.chain))]
    if question.role == "server":
        arguments += ["--verify-hostname", question.called]
    return run(arguments)


def cryptography(question: Question) -> tuple[bool, str]:
    """The validator of the library of that name, which follows the CA/Browser Forum's profile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaf, *others = (x509.load_der_x509_certificate(each) for each in question.shown.chain)
            anchors = [leaf] if "pinned" in question.case.needs else [question.authority]
            builder = PolicyBuilder().store(Store(anchors))
            if question.role == "client":
                builder.build_client_verifier().verify(leaf, others)
            elif question.called == ADDRESS:
                builder.build_server_verifier(x509.IPAddress(ipaddress.ip_address(ADDRESS))).verify(leaf, others)
            else:
                builder.build_server_verifier(x509.DNSName(HOST)).verify(leaf, others)
    except (VerificationError, UnsupportedAlgorithm, ValueError) as problem:
        return False, str(problem)
    return True, ""


def run(arguments: list[str]) -> tuple[bool, str]:
    """Whether the program ended with status 0, and its output."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def installed() -> dict[str, Judge]:
    """The judges to be had here."""
    judges: dict[str, Judge] = {"openssl": openssl, "cryptography": cryptography}
    if shutil.which("certtool"):
        judges["gnutls"] = gnutls
    return judges
