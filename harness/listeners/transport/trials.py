"""The trials that a listener plays at a client SUT: what each is, and what a conforming client does in it.

Read from ``trials.toml``; trials of certificates come from the certificate zoo. How a server behaves in a trial stands
in :mod:`reference_impl.transport.trials`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Treatment = Literal["accept", "refuse", "either"]

CERTIFICATE_PREFIX = "certificate/"
_FILE = Path(__file__).with_name("trials.toml")
_VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}
FIRST_CERTIFICATES = (
    "unknown-authority",
    "expired",
    "wrong-host-name",
    "self-signed-unknown",
    "possession",
    "revoked",
)
"""Cases of the zoo that are played early, where there are such."""


@dataclass(frozen=True)
class Trial:
    """One thing that a listener plays.

    `treatment` is what a conforming client does, `version` the only version that it is played in (None: the best of the
    client), `needs` the trials that have to be recorded before. `decided` is what shows acceptance: "application" data,
    or that the client "went-on" after the server's flight. `case` names the case of the zoo in a certificate trial.
    """

    id: str
    text: str
    treatment: Treatment
    version: int | None = None
    needs: tuple[str, ...] = ("ordinary",)
    decided: Literal["application", "went-on"] = "application"
    sources: tuple[tuple[str, str], ...] = ()
    case: str = ""
    rule: str = ""

    @property
    def certificate(self) -> bool:
        """Whether this shows a case of the certificate zoo."""
        return bool(self.case)


def _of_row(row: Mapping[str, Any]) -> Trial:
    version = _VERSIONS[row["version"]] if "version" in row else None
    needs = tuple(row.get("needs", ("ordinary",)))
    return Trial(
        row["id"],
        row["text"],
        row["treatment"],
        version,
        needs,
        row.get("decided", "application"),
        tuple((document, section) for document, section in row["sources"]),
    )


def _certificates() -> Iterator[Trial]:
    try:
        from fixtures.pki.zoo import CASES
    except ImportError:  # pragma: no cover - a build without the zoo plays none of it
        return
    for case in CASES.values():
        if case.server is None:
            continue
        version = _VERSIONS.get(str(case.versions).removeprefix("TLS "))
        yield Trial(
            CERTIFICATE_PREFIX + case.name,
            f"The server shows this certificate: {case.text}",
            case.server,
            version,
            sources=((case.document, case.section),),
            case=case.name,
            rule=case.rule,
        )


@cache
def _trials() -> dict[str, Trial]:
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["trials"]
    shown = {trial.case: trial for trial in _certificates()}
    first = [shown.pop(case) for case in FIRST_CERTIFICATES if case in shown]
    found: list[Trial] = []
    for row in rows:
        if "certificates" not in row:
            found.append(_of_row(row))
        else:
            found.extend(first if row["certificates"] == "first" else shown.values())
    return {trial.id: trial for trial in found}


TRIALS: Mapping[str, Trial] = _trials()
"""Every trial by id, in playing order."""
