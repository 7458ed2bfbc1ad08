"""``ps315 audit``: its verbs, each with the module that declares it and what it does.

A module declares the function of its verb and imports what is heavy inside of it; the command line imports only the
module of the verb that was asked for.
"""

from __future__ import annotations

from typing import Final

VERBS: Final[dict[str, tuple[str, str, str]]] = {
    "serve": (
        "harness.commands._audit_serving",
        "run an audit repository: receive, examine, store, search, watch, show",
        "0 it was stopped; 2 it cannot start, or something could not be stored.",
    ),
    "search": (
        "harness.commands._audit_searching",
        "search a stored audit trail, or check that it was not changed",
        "0 searched; 1 --verify found a change; 2 the command is wrong.",
    ),
    "export": (
        "harness.commands._audit_searching",
        "write what is found as FHIR AuditEvents, XML, CSV or syslog",
        "0 written; 2 the command is wrong, or nothing can be written there.",
    ),
    "send": (
        "harness.commands._audit_send",
        "send audit messages over syslog, by TLS or UDP, and lose none",
        "0 all sent; 1 not all; 2 the command is wrong, or it was interrupted.",
    ),
    "validate": (
        "harness.commands._audit_validate",
        "check audit messages against PS3.15 A.5, and their syslog headers against A.6 or A.7",
        "0 every message conforms; 1 some message breaks a shall; 3 something cannot be judged, or there is none; "
        "2 the command is wrong, or it was interrupted.",
    ),
    "user": (
        "harness.commands._audit_users",
        "add, remove or list who may look at the audit trail with a password",
        "0 done; 2 the command is wrong, or there is no such user.",
    ),
}
"""Verb: the module that has a function of this name, what the verb does, as a sentence without its full stop, and what
its exit statuses mean."""
