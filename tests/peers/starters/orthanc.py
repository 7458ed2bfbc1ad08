"""Orthanc with DICOM TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, program, running


@contextmanager
def orthanc(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `mutual` ("yes": a client certificate is required)."""
    path, port = program("Orthanc"), free_port()
    database = directory / "database"
    database.mkdir(parents=True, exist_ok=True)
    settings = {
        "Name": "PEER",
        "StorageDirectory": str(database),
        "IndexDirectory": str(database),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowEcho": True,
        "DicomTlsEnabled": True,
        "DicomTlsPrivateKey": str(pki.key_file("server")),
        "DicomTlsCertificate": str(pki.certificate_file("server")),
        "DicomTlsTrustedCertificates": str(pki.trust_anchors_file()),
        "DicomTlsRemoteCertificateRequired": options.get("mutual", "yes") == "yes",
    }
    configuration = directory / "orthanc.json"
    configuration.write_text(json.dumps(settings), encoding="utf-8")
    with running([path, str(configuration)], port, directory, name="orthanc") as log:
        yield Peer("127.0.0.1", port, log, "ORTHANC")
