"""What a verifier goes by: whom it trusts, what it demands, and what a careless one leaves out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.signatures.certificates import Trust

Lookup = Callable[[str], "Path | None"]
"""Where the instance with a SOP Instance UID is to be found, if it is at hand."""


class Skip(StrEnum):
    """A step of verifying that a careless verifier leaves out."""

    MAC = "mac"  # what the value was made of is not compared with the object: any well-formed value will do
    VALUE = "value"  # the value is not looked at: an object that can be read is valid
    CERTIFICATE = "certificate"  # neither path nor validity
    VALIDITY = "validity"  # of the certificate: it is judged at a time at which it was valid
    TIMESTAMP = "timestamp"
    COVERAGE = "coverage"  # a signature may sign nothing
    DUPLICATES = "duplicates"  # an element that stands there again is dropped, as some readers do
    MAC_ID = "mac-id"  # the first item of MAC Parameters is taken, whatever its number
    SYNTAX = "syntax"  # MAC Calculation Transfer Syntax
    PADDING = "padding"  # of RSA: a value that ends in the digest is good enough
    NESTED = "nested"  # signatures within sequences
    OTHERS = "others"  # all signatures of a data set but the first
    UNKNOWN = "unknown"  # what cannot be judged is called valid


@dataclass(frozen=True, slots=True)
class Policy:
    """How `reference_impl.signatures.verifier.verify_file` verifies.

    `trust`: anchors and revocation lists for signers, `tsa_trust` for time-stamping authorities (none: that of the
    signers); a function is asked when it is first needed. Without trust the path of a certificate is unknown; with
    `integrity_only` that does not matter. `now` is
    the time of verifying (none: that of the clock); `at` is a time at which certificates are judged instead of the
    time of signing. Times bear an offset. `references` finds the instances that a document refers to. `variants`:
    where a MAC differs, wrong ways of forming it are tried, to say which it was.

    The rest makes a faulty verifier: `skip` are steps left out, `mac_variant` is the wrong way in which it forms MACs,
    `algorithms` are those it knows (none: all).
    """

    trust: Trust | Callable[[], Trust | None] | None = None
    tsa_trust: Trust | Callable[[], Trust | None] | None = None
    now: datetime | None = None
    at: datetime | None = None
    integrity_only: bool = False
    require_timestamp: bool = False
    references: Lookup | None = None
    variants: bool = True
    skip: frozenset[Skip] = frozenset()
    mac_variant: str = ""
    algorithms: frozenset[str] | None = None


PLAIN = Policy()
