"""A program that is killed while it sends: it says of each message when the spool has it.

Arguments: port, authority, certificate, key, spool, number of the first message, number of messages.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reference_impl.audit.syslog.sender import Destination, Sender, SenderLimits
from reference_impl.audit.syslog.tls import ClientTls, Trust


def main() -> None:
    """Send, say so, and wait until everything has gone."""
    port, authority, certificate, key, spool, first, number = sys.argv[1:]
    tls = ClientTls(Trust(Path(authority)), Path(certificate), Path(key), "localhost")
    limits = SenderLimits(first_pause=0.05, grace=0.05)
    with Sender(Destination("127.0.0.1", int(port), "tls", tls), Path(spool), limits) as sender:
        for each in range(int(first), int(first) + int(number)):
            sender.send(b"%d" % each)
            print(each, flush=True)
        sender.flush(20)


if __name__ == "__main__":
    main()
