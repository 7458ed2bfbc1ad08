"""What is handed to one SUT: instances to sign and crafted objects to verify; and how what it hands us is verified."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixtures.pki import Pki
    from fixtures.signatures import SignedObjects
    from harness.sut import Sut
    from reference_impl.signatures.policy import Policy


class Material:
    """Test objects for `sut`, made in `folder` when they are first needed. Thread-safe.

    What we sign is signed under the authority of the SUT's campaign, which the SUT was told to trust; without one under
    an authority of this run, which a driver's {trust_anchors} names.
    """

    def __init__(self, sut: Sut, folder: Path) -> None:
        self._sut, self._folder = sut, folder
        self._lock = threading.RLock()

    @cached_property
    def pki(self) -> Pki:
        """The authority whose signers sign what the SUT is shown."""
        from fixtures.pki import Pki

        with self._lock:
            campaign = self._sut.credentials.campaign
            return campaign.pki if campaign is not None else Pki.create(self._made_folder("pki"))

    @property
    def installed(self) -> bool:
        """Whether the SUT was told to trust that authority before the run."""
        return self._sut.credentials.campaign is not None

    @cached_property
    def trust_anchors(self) -> Path:
        """PEM file of the authority of `pki`."""
        with self._lock:
            path = self._made_folder("trust") / "trust-anchors.pem"
            path.write_bytes(self.pki.issue("ca").certificate_pem)
            return path

    @cached_property
    def crl(self) -> Path:
        """PEM file of the signers that the authority has revoked."""
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import load_der_x509_crl

        with self._lock:
            path = self._made_folder("trust") / "revoked.pem"
            path.write_bytes(load_der_x509_crl(self.pki.revocation_list()).public_bytes(Encoding.PEM))
            return path

    def instance(self, name: str) -> Path:
        """The unsigned instance `name` of `fixtures.instances`; callers copy what a SUT could write to."""
        from fixtures.instances import write_instance

        with self._lock:
            path = self._made_folder("instances") / f"{name}.dcm"
            return path if path.exists() else write_instance(name, path)

    def case(self, name: str) -> Path:
        """The crafted object `name` of `fixtures.signatures`; callers copy what a SUT could write to."""
        with self._lock:
            return self._signed.file(name)

    @cached_property
    def _signed(self) -> SignedObjects:
        from fixtures.signatures import SignedObjects

        return SignedObjects(self._made_folder("cases"), self.pki)

    @cached_property
    def policy(self) -> Policy:
        """How what the SUT hands to us is verified: by the trust anchors of the SUT file, at present."""
        from reference_impl.signatures.certificates import Trust, read_certificates
        from reference_impl.signatures.policy import Policy

        anchors = self._sut.credentials.trust_anchors
        trust = Trust(read_certificates(anchors.read_bytes())) if anchors is not None else None
        return Policy(trust=trust, references=self.instance_with)

    def instance_with(self, uid: str) -> Path | None:
        """The unsigned instance with the SOP Instance UID `uid`, if it is one of ours: documents refer to them."""
        return self._by_uid.get(uid)

    @property
    def instances(self) -> Path:
        """A folder with all instances, unsigned: what documents among them refer to is there."""
        return next(iter(self._by_uid.values())).parent

    @cached_property
    def _by_uid(self) -> Mapping[str, Path]:
        with self._lock:
            return write_instances(self._made_folder("instances"))

    def _made_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def write_instances(folder: Path) -> Mapping[str, Path]:
    """Write all instances of `fixtures.instances` into `folder`; their files by SOP Instance UID."""
    from fixtures.instances import INSTANCES, write_instance
    from reference_impl.signatures.reader import open_dicom

    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    for name in INSTANCES:
        path = write_instance(name, folder / f"{name}.dcm")
        with open_dicom(path) as file:
            found[file.sop_instance] = path
    return found
