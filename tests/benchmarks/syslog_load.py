"""Programs for measuring reception: a sender of prepared frames, and our receiver without anything behind it.

``load PORT AUTHORITY CERTIFICATE KEY CONNECTIONS MESSAGES OCTETS`` says that it is ready, and sends after a line of
input. ``receive FILE CERTIFICATE KEY AUTHORITY`` prints its port, and writes each message to a line of the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from reference_impl.audit.syslog.arrivals import Arrived
from reference_impl.audit.syslog.receiver import Receiver
from reference_impl.audit.syslog.tls import ClientTls, ServerTls, Trust
from reference_impl.syslog_frames import frame

_AT_ONCE = 100  # messages that are written at once


def message(number: int, octets: int) -> bytes:
    """A syslog message of that many octets."""
    head = b"<85>1 2026-03-04T05:06:07.089Z ct1.example.org ps315 7 DICOM+RFC3881 - <AuditMessage number='%08d' text='"
    head %= number
    return head + b"x" * (octets - len(head) - 3) + b"'/>"


def load(port: int, tls: ClientTls, *, connections: int, messages: int, octets: int) -> None:
    """Send `messages` in all over `connections` at once."""
    context = tls.context()
    each = messages // connections
    chunk = b"".join(frame(message(number, octets)) for number in range(_AT_ONCE))
    print("ready", flush=True)
    sys.stdin.readline()

    def send() -> None:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as secured:
            for _ in range(each // _AT_ONCE):
                secured.sendall(chunk)
            with contextlib.suppress(OSError):  # not every receiver answers
                secured.unwrap()

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def receive(file: Path, tls: ServerTls) -> None:
    """Write what comes to `file` until standard input ends."""
    with file.open("ab", buffering=0) as output:

        async def take(arrived: Sequence[Arrived]) -> None:
            output.write(b"\n".join([each.octets for each in arrived]) + b"\n")

        async with Receiver(take, tls=tls, tcp=("127.0.0.1", 0)) as receiver:
            print(receiver.addresses["tls"][1], flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Run what the first argument names."""
    what, *rest = sys.argv[1:]
    if what == "load":
        authority, certificate, key = map(Path, rest[1:4])
        tls = ClientTls(Trust(authority), certificate, key, "localhost")
        load(int(rest[0]), tls, connections=int(rest[4]), messages=int(rest[5]), octets=int(rest[6]))
    else:
        file, certificate, key, authority = map(Path, rest)
        asyncio.run(receive(file, ServerTls(certificate, key, Trust(authority))))


if __name__ == "__main__":
    main()
