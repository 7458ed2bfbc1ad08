"""What parts of audit messages hold, checked for whoever builds them: ValueError says what no message may have."""

from __future__ import annotations

import re

from reference_impl.audit.identifiers import (
    DCM_NAMES,
    ae_titles,
    can_be_of_dcm,
    cannot_be_uri,
    has_scheme,
    is_ae_title,
    may_be_bare_ae_titles,
    resembles_ae_titles,
)
from reference_impl.audit.model import Code

_UID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+\Z")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked(text: str, what: str) -> str:
    """`text`. Raises ValueError where it is empty or blank (A.5.2), or holds what XML cannot carry."""
    if not text.strip():
        raise ValueError(f"{what} is empty; leave out what there is none of (PS3.15 A.5.2)")
    if _NOT_XML.search(text):
        raise ValueError(f"{what} holds characters that XML cannot carry")
    return text


def optional(text: str, what: str) -> str:
    """Like `checked`, of what may be left out as the empty string."""
    return checked(text, what) if text else ""


def uid(text: str, what: str) -> str:
    """`text`. Raises ValueError where it is no UID (PS3.5 9.1)."""
    if len(text) > 64 or not _UID.match(text):
        raise ValueError(f"{what}: {text[:80]!r} is no UID")
    return text


def coded(code: Code, what: str) -> Code:
    """`code`. Raises ValueError where code, codeSystemName or originalText is empty (the schema requires the three), or
    the code cannot be one of DCM and is said to be.
    """
    for value, name in ((code.code, "csd-code"), (code.system, "codeSystemName"), (code.text, "originalText")):
        checked(value, f"{name} of {what}")
    optional(code.display, f"displayName of {what}")
    if is_of_dcm(code) and not can_be_of_dcm(" ".join(code.code.split())):
        raise ValueError(f"{what}: {code.code[:80]!r} cannot be a code of DCM")
    return code


def is_of_dcm(code: Code) -> bool:
    """Whether a code says that it is one of DCM."""
    return " ".join(code.system.split()) in DCM_NAMES


def located(text: str, what: str) -> str:
    """`text`. Raises ValueError where it is no URI with a scheme."""
    if cannot_be_uri(checked(text, what)) or not has_scheme(text):
        raise ValueError(f"{what}: {text[:80]!r} is no URI")
    return text


def another_id(text: str, what: str) -> str:
    """Like `optional`, of an AlternativeUserID. Raises ValueError for AE titles that A.5.2.2 would have otherwise."""
    titles = ae_titles(optional(text, what))
    wrong = resembles_ae_titles(text) if titles is None else not all(map(is_ae_title, titles))
    if wrong or may_be_bare_ae_titles(text):
        raise ValueError(f'{what}: several AE titles are written "AETITLES= FIRST;SECOND" (A.5.2.2)')
    return text
