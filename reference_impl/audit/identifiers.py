"""Forms of identifiers in audit messages: AE titles (A.5.2.2), URIs and nodes (A.5.3.2, A.5.3.11), codes of DCM.

Builders and rules ask the same.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

DCM_NAMES: Final = frozenset({"DCM", "1.2.840.10008.2.16.4", "urn:oid:1.2.840.10008.2.16.4"})
"""How codeSystemName names the scheme of PS3.16 Annex D: its designator, or its OID (the schema allows both), which
some write as a URN."""

_DCM_CODE = re.compile(r"[A-Z0-9][A-Z0-9_/-]{0,15}\Z")
"""What a code of DCM looks like: six digits, or a mnemonic in capitals (PS3.16 Annex D)."""
_PLACEHOLDERS = frozenset({"CODE", "CSD-CODE", "EV", "DT", "STRING", "TODO", "TBD", "NULL", "NONE", "XXX", "VALUE"})
_TITLES = "AETITLES="
_LIKE_TITLES = re.compile(r"\s*AE[ _-]?TITLES?\s*[=:]", re.IGNORECASE)
_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}\Z")
"""An AE title: 1 to 16 characters of the default repertoire, without backslash (PS3.5, AE)."""
_BARE_TITLES = re.compile(r"[A-Z0-9_]{1,16}(?:;[A-Z0-9_]{1,16})+\Z")
_NO_URI = re.compile(r'[\s<>"{}|\\^`]')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,}")
_LOOKED_AT = 1000
_DICOM, _TRANSFER_SYNTAXES = "1.2.840.10008.", "1.2.840.10008.1.2"


def can_be_of_dcm(code: str) -> bool:
    """Whether a code can be one of DCM: it looks like one, and is no placeholder."""
    return bool(_DCM_CODE.match(code)) and code not in _PLACEHOLDERS


def is_ae_title(text: str) -> bool:
    """Whether a text, blanks around it included, is an AE title; one of blanks alone is none."""
    return bool(_TITLE.match(text)) and not text.isspace()


def ae_titles(text: str) -> list[str] | None:
    """What stands behind ``AETITLES=``, blanks around each left out; None where a text does not begin so."""
    if not text.startswith(_TITLES):
        return None
    return [each.strip() for each in text.removeprefix(_TITLES).removesuffix(";").split(";")]


def resembles_ae_titles(text: str) -> bool:
    """Whether a text begins like AE titles, rightly encoded or not."""
    return bool(_LIKE_TITLES.match(text))


def may_be_bare_ae_titles(text: str) -> bool:
    """Whether a text may be several AE titles without ``AETITLES=``."""
    return bool(_BARE_TITLES.match(text))


def cannot_be_uri(text: str) -> bool:
    """Whether a text holds what no URI holds (RFC 3986)."""
    return bool(_NO_URI.search(text))


def has_scheme(text: str) -> bool:
    """Whether a URI has a scheme; without, it is a relative reference."""
    return bool(_SCHEME.match(text))


def may_name_a_transfer_syntax(uid: str) -> bool:
    """Whether a UID may be that of a transfer syntax: what DICOM gave otherwise is none."""
    return uid.startswith(_TRANSFER_SYNTAXES) or not uid.startswith(_DICOM)


def names_a_node(text: str) -> bool:
    """Whether a node's name with its domain, or an IP address, is within a text (A.5.3.11)."""
    if re.search(r"[^@\s]@[^@\s]", text[:_LOOKED_AT]):
        return True
    for candidate in _ADDRESS.findall(text[:_LOOKED_AT]):
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            continue
        return True
    return False
