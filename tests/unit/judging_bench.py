"""Small suite folders, observations and a SUT to judge: what the tests of the judging engine share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.judging import Judgement, judge
from harness.observations import Observation
from harness.record.models import ClaimRecord, EndpointRecord, SutRecord, VerdictRecord

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CLAIM = ClaimRecord(profile="B.12", edition="2026c", role="tls-server", endpoint="dimse")
ENDPOINT = EndpointRecord(name="dimse", protocol="dicom-tls", host="127.0.0.1", port=2762)
SUT = SutRecord(id="scanner", claims=(CLAIM,), endpoints=(ENDPOINT,))

_REQUIREMENT = """
[[requirement]]
id = "{id}"
title = "{id}"
text = "Something holds."
level = "{level}"
role = "tls-server"
applies = [{{ profile = "B.12", editions = ["2026c"] }}]
judged = "{judged}"
sources = [{{ document = "ACME security policy", section = "1" }}]
{more}
"""


def requirement(name: str, level: str = "shall", judged: str = "automatically", more: str = "") -> str:
    return _REQUIREMENT.format(id=name, level=level, judged=judged, more=more)


def suite_writer(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a vendor's suite folder: its requirements, and one module or several by name."""

    def write(requirements: Sequence[str], modules: dict[str, str] | str) -> Path:
        folder = tmp_path / "acme_suite"
        folder.mkdir(exist_ok=True)
        (folder / "requirements.toml").write_text('prefix = "ACME"\n' + "\n".join(requirements))
        for name, text in ({"test_acme.py": modules} if isinstance(modules, str) else modules).items():
            (folder / name).write_text(IMPORTS + text)
        return folder

    return write


IMPORTS = "from harness import Missing, NotApplicable, Plaintext, Versions, expect, verifies\n"


def judged(
    folder: Path,
    observations: Sequence[Observation] | Callable[[], Sequence[Observation]] = (),
    sut: SutRecord = SUT,
    **more: object,
) -> Judgement:
    options: dict[str, object] = {"observed_at": NOW, "command": "run", "suite_folders": [folder], **more}
    return judge(sut, observations, **options)  # type: ignore[arg-type]


def own(judgement: Judgement) -> dict[str, VerdictRecord]:
    return {one.requirement: one for one in judgement.verdicts if one.vendor_suite}


def observed(kind: str, facts: object = None, missing: str = "", remedy: str = "") -> Observation:
    dumped = facts.model_dump(mode="json") if facts is not None else None  # type: ignore[attr-defined]
    return Observation(
        kind=kind,
        endpoint="dimse",
        observed_at=NOW,
        facts=dumped,
        missing=missing,
        remedy=remedy,
        exchanges=("dimse-0001", "dimse-0002"),
    )
