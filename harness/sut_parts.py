"""What the tables of a SUT file are made of: the closed base, AE titles, defaults, near words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

DEFAULT_CALLED_AET = "ANY-SCP"
DEFAULT_CALLING_AET = "PS315-HARNESS"
DEFAULT_CLIENT_AET = "ANY-SCU"
PROTOCOLS = ("dicom-tls", "https", "syslog-tls", "syslog-udp", "dicom", "http", "files")
PLAIN = {
    "dicom": "DICOM without TLS",
    "http": "HTTP without TLS",
    "syslog-udp": "syslog over UDP",
    "files": "files",
}
"""What passes at endpoints that have no TLS."""
SIGNATURE_PROFILES = frozenset({"A.2", "A.3", "A.4", "C.1", "C.2", "C.3", "C.4"})
AUDIT_PROFILES = {
    "A.5": ("syslog-tls", "syslog-udp", "files"),
    "A.6": ("syslog-tls", "files"),
    "A.7": ("syslog-udp", "files"),
    "IHE-ATX-TLS-Syslog": ("syslog-tls", "files"),
    "IHE-ATX-UDP-Syslog": ("syslog-udp", "files"),
}
"""Profiles of the audit trail, and the kinds of endpoint at which their messages are judged."""
SYSLOG_PORTS = {"syslog-tls": 6514, "syslog-udp": 514}
"""The default ports of PS3.15 A.6 (RFC 5425 4.1) and A.7."""
_OBJECTS = ("files", "dicom", "dicom-tls", "http", "https")


class Part(BaseModel):
    """Base of every table of the SUT file: closed, so that a misspelt key is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def misplaced(profile: str, protocol: str, role: str = "") -> str:
    """Why nothing at an endpoint of `protocol` is judged by `profile`, with a remedy; empty if something may be.

    `role` is that of the claim, where it is known.
    """
    if profile in SIGNATURE_PROFILES and protocol in SYSLOG_PORTS:
        kinds = f"{', '.join(_OBJECTS[:-1])} or {_OBJECTS[-1]}"
        return f"{profile} is judged by objects, and a {protocol} endpoint takes none; name a {kinds} one"
    if protocol == "syslog-tls" and profile.startswith("B."):
        return (
            f'a syslog-tls endpoint is judged by A.6, not by {profile}; write "A.6", or name a dicom-tls or https one'
        )
    if profile in AUDIT_PROFILES:
        places = AUDIT_PROFILES[profile]
        if protocol in places and not (protocol == "files" and role in {"tls-server", "tls-client"}):
            return ""
        shown = places if role == "audit-source" else tuple(one for one in places if one != "files")
        where = f"{' and '.join((', '.join(shown[:-1]), shown[-1]) if len(shown) > 1 else shown)} endpoints"
        named = "one of these" if len(shown) > 1 else f"a {shown[0]} endpoint"
        return f"{profile} is judged at {where}, and this one is {protocol}; name {named}"
    if profile.startswith(("B.", "IHE-")) and protocol in PLAIN:
        return (
            f"{profile} is judged where there is TLS, and here {PLAIN[protocol]} passes; name a dicom-tls or https "
            "endpoint"
        )
    return ""


def closest(word: str, words: Iterable[str]) -> str:
    """``"; did you mean 'x' or 'y'?"``, or nothing where no word is near."""
    near = difflib.get_close_matches(word, list(words), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def checked_ae_title(title: str) -> str:
    """`title`, if it is a value that VR AE allows (PS3.5 6.2): 1 to 16 characters of ISO IR 6 but no backslash."""
    if title != title.strip(" "):
        title = title.strip(" ")  # PS3.5: leading and trailing spaces are not significant
    if not title:
        raise ValueError("an AE title has at least one character that is no space")
    if len(title) > 16:
        raise ValueError(f"an AE title has at most 16 characters, this one has {len(title)}")
    if not all(" " <= character <= "~" and character != "\\" for character in title):
        raise ValueError("an AE title has only ASCII characters, no backslash and no control characters")
    return title


AeTitle = Annotated[str, AfterValidator(checked_ae_title)]
