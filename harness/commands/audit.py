"""``ps315 audit``: its verbs, each with the module that declares it and what it does.

A module declares the function of its verb and imports what is heavy inside of it; the command line imports only the
module of the verb that was asked for.
"""

from __future__ import annotations

from typing import Final

VERBS: Final[dict[str, tuple[str, str]]] = {
    "serve": (
        "harness.commands._audit_serving",
        "run an audit repository: receive, examine, store, search, watch, show",
    ),
    "search": ("harness.commands._audit_searching", "search a stored audit trail, or check that it was not changed"),
    "export": ("harness.commands._audit_searching", "write what is found as FHIR AuditEvents, XML, CSV or syslog"),
    "send": ("harness.commands._audit_send", "send audit messages over syslog, by TLS or UDP, and lose none"),
    "validate": (
        "harness.commands._audit_validate",
        "check audit messages against PS3.15 A.5, and their syslog headers against A.6 or A.7",
    ),
    "user": ("harness.commands._audit_users", "add, remove or list who may look at the audit trail with a password"),
}
"""Verb: the module that has a function of this name, and what the verb does, as a sentence without its full stop."""
