"""Archives that keep what they are sent and give it back: Orthanc, DCMTK's dcmqrscp and storescp, without TLS."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.starters.process import PeerMissing, free_port, program, running

_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_TITLE = "ARCHIVE"
MOVES_TO = "PS315-HARNESS"


@dataclass(frozen=True)
class ArchivePeer:
    """A running archive: the table of its endpoint in a SUT file."""

    endpoint: Mapping[str, object]
    log: Path


@contextmanager
def orthanc_archive(directory: Path, options: Mapping[str, str]) -> Iterator[ArchivePeer]:
    """Options: `way` ("c-get", "c-move", "wado-rs")."""
    path, port, web, back = program("Orthanc"), free_port(), free_port(), free_port()
    if options["way"] == "wado-rs" and not _PLUGIN.exists():
        raise PeerMissing("the DICOMweb plugin of Orthanc is not installed")
    database = directory / "database"
    database.mkdir(parents=True, exist_ok=True)
    settings = {
        "Name": "PEER",
        "StorageDirectory": str(database),
        "IndexDirectory": str(database),
        "HttpPort": web,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": port,
        "DicomAet": _TITLE,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "UnknownSopClassAccepted": True,
        "DicomModalities": {"harness": [MOVES_TO, "127.0.0.1", back]},
        "Plugins": [str(_PLUGIN)] if _PLUGIN.exists() else [],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    configuration = directory / "orthanc.json"
    configuration.write_text(json.dumps(settings), encoding="utf-8")
    with running([path, str(configuration)], web, directory, name="orthanc") as log:
        yield ArchivePeer(_endpoint(options["way"], web if options["way"] == "wado-rs" else port, back), log)


@contextmanager
def dcmqrscp(directory: Path, options: Mapping[str, str]) -> Iterator[ArchivePeer]:
    """Options: `way` ("c-get", "c-move"), `arguments` (separated by blanks)."""
    path, port, back = program("dcmqrscp"), free_port(), free_port()
    database = directory / "database"
    database.mkdir(parents=True, exist_ok=True)
    configuration = directory / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nharness = ({MOVES_TO}, localhost, {back})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{_TITLE} {database} RW (200, 1024mb) ANY\nAETable END\n",
        encoding="ascii",
    )
    arguments = [path, "-c", str(configuration), *options.get("arguments", "").split()]
    with running(arguments, port, directory, name="dcmqrscp") as log:
        yield ArchivePeer(_endpoint(options["way"], port, back), log)


@contextmanager
def storescp_folder(directory: Path, options: Mapping[str, str]) -> Iterator[ArchivePeer]:
    """Options: `arguments` (separated by blanks). What it keeps is looked at in its folder."""
    path, port = program("storescp"), free_port()
    kept = directory / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    arguments = [path, "--fork", "-od", str(kept), *options.get("arguments", "").split(), str(port)]
    with running(arguments, port, directory, name="storescp", environment={"TCP_NODELAY": "1"}) as log:
        endpoint = {**_endpoint("folder", port, 0), "objects": {"retrieve": "folder", "folder": str(kept)}}
        yield ArchivePeer(endpoint, log)


@contextmanager
def pynetdicom_folder(directory: Path, options: Mapping[str, str]) -> Iterator[ArchivePeer]:
    """Takes no options. What pynetdicom's storescp keeps is looked at in its folder."""
    del options
    port = free_port()
    kept = directory / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-od", str(kept), "-q"]
    with running(arguments, port, directory, name="pynetdicom") as log:
        endpoint = {**_endpoint("folder", port, 0), "objects": {"retrieve": "folder", "folder": str(kept)}}
        yield ArchivePeer(endpoint, log)


def _endpoint(way: str, port: int, back: int) -> dict[str, object]:
    objects: dict[str, object] = {"retrieve": way}
    if way == "c-move":
        objects |= {"destination": MOVES_TO, "port": back}
    if way == "wado-rs":
        objects["web"] = "/dicom-web"
    protocol = "http" if way == "wado-rs" else "dicom"
    return {"protocol": protocol, "host": "127.0.0.1", "port": port, "called_aet": _TITLE, "objects": objects}


ARCHIVES = {
    "orthanc": orthanc_archive,
    "dcmqrscp": dcmqrscp,
    "storescp": storescp_folder,
    "pynetdicom": pynetdicom_folder,
}
"""By family: given a directory of its own and the options of `storer_expectations.toml`, a running archive."""
