"""Programs for measuring the audit repository: messages as departments send them, a sender, and the repository.

``repository FOLDER CERTIFICATE KEY AUTHORITY`` prints its port, then answers each line of input with how many messages
are stored, and how many of them wait for the index; ``send PORT AUTHORITY CERTIFICATE KEY FILE CONNECTIONS TIMES HOW``
says that it is ready, and after a line of input sends the frames of FILE so often over each of so many connections;
"apart": each in a record of its own.
"""

from __future__ import annotations

import contextlib
import gc
import random
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reference_impl.audit import builders
from reference_impl.audit.parts import Party, address, audit_source, patient, study
from reference_impl.audit.repository.facts import Facts, Received, packed
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.audit.syslog.tls import ClientTls, Trust
from reference_impl.audit.writing import to_xml
from reference_impl.syslog_frames import FrameReader, frame

OCTETS = 2048
_ROOT = "1.2.826.0.1.3680043.10.1561"


def department(number: int, seed: int = 1) -> Iterator[bytes]:
    """Syslog messages of `OCTETS` octets: instances opened, log-ins, of 20 nodes, 200 users and 5,000 patients."""
    chance = random.Random(seed)  # noqa: S311 - measured material
    now = datetime.now(UTC)
    for place in range(number):
        node = f"CT-{chance.randrange(20)}"
        at = now - timedelta(seconds=chance.randrange(60))
        person = Party(
            f"user{chance.randrange(200)}@hospital.example",
            requestor=True,
            access_point=address(f"192.0.2.{chance.randrange(250)}"),
        )

        short = _message(place, at, node, person, "x")
        yield _message(place, at, node, person, "x" * (OCTETS - len(short) + 1))


def _message(place: int, at: datetime, node: str, person: Party, description: str) -> bytes:
    source = audit_source(node, site="Radiology", types=["4"])
    message = builders.instances_accessed(
        builders.Occasion(when=at, source=source, description=description),
        action="R",
        person=person,
        process=Party("4711", ae_titles=("ARCHIVE",), access_point=address("192.0.2.1")),
        patient=patient(f"PAT{place % 5000:06}", "Test^Patient"),
        studies=[study(f"{_ROOT}.{place}", name="CT of the chest")],
    )
    return write(audit_message(to_xml(message), at, hostname=f"{node}.example", app_name="viewer"))


def stored(number: int, seed: int = 1) -> Iterator[Received]:
    """Messages as they are given to the store: of a year, 200 nodes, 2,000 users, 100,000 patients."""
    chance = random.Random(seed)  # noqa: S311 - measured material
    now = int(datetime.now(UTC).timestamp() * 1e6)
    octets = next(department(1))
    events = ("110103", "110104", "110114", "110112", "110113")
    for place in range(number):
        node, user = f"NODE-{chance.randrange(200)}", f"user{chance.randrange(2000)}@hospital.example"
        patient_id, event = f"PAT{chance.randrange(100_000):06}", chance.choices(events, (50, 25, 15, 9, 1))[0]
        outcome = "4" if chance.random() < 0.03 else "0"
        at = now - chance.randrange(365 * 86_400) * 1_000_000
        terms = [
            ("node", node), ("peer", "192.0.2.9"), ("host", node), ("application", "viewer"), ("event", event),
            ("action", "R"), ("outcome", outcome), ("site", "Radiology"), ("source-type", "4"), ("user", user),
            ("address", f"192.0.2.{chance.randrange(250)}"), ("patient", patient_id), ("patient-name", "Test^Patient"),
            ("study", f"{_ROOT}.{place}"),
        ]  # fmt: skip
        if chance.random() < 0.02:
            terms += [("level", "shall"), ("rule", f"A.5.3.6-rule-{chance.randrange(30)}")]
        facts = Facts(
            event_time=at, event=event, event_system="DCM", event_name="DICOM Instances Accessed", action="R",
            outcome=outcome, node=node, site="Radiology", host=node, application="viewer", users=user,
            patients=patient_id, shall=int(terms[-1][0] == "rule"), values=packed(terms),
        )  # fmt: skip
        yield Received(octets, at, "tls", "192.0.2.9", 1, facts)


def serve(folder: Path, certificate: Path, key: Path, authority: Path) -> None:
    """Run a repository until standard input ends."""
    from reference_impl.audit.repository.service import Repository
    from reference_impl.audit.repository.settings import Settings

    gc.set_threshold(100_000, 50, 100)  # as the command line does
    asked = Settings(
        folder / "audit.sqlite",
        tls_port=0,
        udp_port=None,
        certificate=certificate,
        key=key,
        client_ca=authority,
    )
    with Repository(asked) as repository:
        assert repository.addresses.tls is not None
        print(repository.addresses.tls[1], flush=True)
        for _ in sys.stdin:
            status = repository.status
            print(status.stored, status.unindexed, flush=True)


def send(port: int, tls: ClientTls, file: Path, *, connections: int, times: int, apart: bool) -> None:
    """Send what `file` holds `times` over each of `connections` at once."""
    context, octets = tls.context(), file.read_bytes()
    chunks = [frame(message) for message in FrameReader().feed(octets)] if apart else [octets]
    print("ready", flush=True)
    sys.stdin.readline()

    def bring() -> None:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as secured:
            for _ in range(times):
                for chunk in chunks:
                    secured.sendall(chunk)
            with contextlib.suppress(OSError):  # not every receiver answers
                secured.unwrap()

    threads = [threading.Thread(target=bring) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Run what the first argument names."""
    what, *rest = sys.argv[1:]
    if what == "send":
        authority, certificate, key, file = map(Path, rest[1:5])
        tls = ClientTls(Trust(authority), certificate, key, "localhost")
        send(int(rest[0]), tls, file, connections=int(rest[5]), times=int(rest[6]), apart=rest[7] == "apart")
    else:
        folder, certificate, key, authority = map(Path, rest)
        serve(folder, certificate, key, authority)


if __name__ == "__main__":
    main()
