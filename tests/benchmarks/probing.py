"""Probes one endpoint with all probes and nothing else: ``probing.py HOST PORT CERTIFICATE KEY``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.observe import Conduct, Observer, SutRun
from harness.plan import plan_for
from harness.probes.base import Probe
from harness.probes.transport import PROBES
from harness.progress import progress_for
from harness.record.journal import Journal
from harness.sut import Sut, SutFile


def main(host: str, port: int, certificate: Path, key: Path) -> None:
    """Observe, and write what it took to ``probing.json``."""
    from harness.credentials import CredentialSources, load_credentials

    content = {
        "schema": 1,
        "identity": {"id": "subject"},
        "endpoints": {"dimse": {"protocol": "dicom-tls", "host": host, "port": port}},
        "claims": [{"profile": "B.12", "endpoint": "dimse"}],
    }
    sources = CredentialSources(client_certificate=str(certificate), client_key=str(key))
    sut = Sut(SutFile.model_validate(content), "", load_credentials(sources, folder=Path(), source=""))
    probes: tuple[Probe, ...] = tuple(PROBES)
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "run.jsonl", lambda line: line)
        run = SutRun(sut, plan_for(sut, probes), journal)
        observer = Observer(probes, Conduct(), progress_for(quiet=True))
        observer.add(run)
        start = time.perf_counter()
        observer.run()
        seconds = time.perf_counter() - start
        journal.close()
        events = [json.loads(line) for line in (Path(folder) / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    observations = [event["observation"] for event in events if "observation" in event]
    result = {
        "seconds": seconds,
        "connections": run.connections,
        "kinds": len(observations),
        "missing": {each["kind"]: each["missing"] for each in observations if each["facts"] is None},
    }
    Path("probing.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
