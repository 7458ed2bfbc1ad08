"""What a client peer is: a command line with the placeholders of a SUT file, run once for each trial."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """Certificate, key (PEM files) and trust anchors that a client is configured with."""

    certificate: Path
    key: Path
    trust_anchors: Path


@dataclass(frozen=True)
class Client:
    """`command` as it stands in the SUT file; `protocol` is what the client speaks."""

    command: str
    protocol: str = "dicom-tls"
    called_aet: str = "PS315-HARNESS"
    calling_aet: str = "PS315-SUT"


def command_of(arguments: Sequence[str | Path]) -> str:
    """A command line: everything quoted but the placeholders, which the harness quotes when it fills them in."""
    return " ".join(
        text if text.startswith("{") and text.endswith("}") else shlex.quote(text) for text in map(str, arguments)
    )
