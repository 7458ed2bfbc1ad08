"""The web page of the audit repository: what all nodes of a department reported, on one time line.

Reachable only over TLS and only with a password or a client's certificate; every look at the trail is itself recorded
in it (PS3.15 A.5.3.2), as is every log-in (A.5.3.12).
"""
