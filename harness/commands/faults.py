"""``ps315 faults``: the faults of the reference systems, and what each breaks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from harness.claims import default_edition
from harness.commands import _options as option

if TYPE_CHECKING:
    from harness.catalogue import Catalogue
    from reference_impl.faults import Fault


def faults(*, as_json: option.AsJson = False) -> int:
    """Print the faults. Returns the exit status."""
    import json

    from harness.catalogue import load_catalogue
    from reference_impl.faults import load_faults
    from reference_impl.faults.objects import ROLES, load_object_faults

    every = [*load_faults(None).values(), *(each for role in ROLES for each in load_object_faults(role).values())]
    rows = [fault_as_json(fault, load_catalogue()) for fault in every]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    for row in rows:
        where = f" ({row['role']})" if row["protocol"] == "dicom-tls" else f" ({row['role']}, {row['protocol']})"
        sys.stdout.write(f"{row['id']}{where}\n    {row['text']}\n")
        for profile, expected in row["expected"].items():
            broken = [name for name, verdict in expected.items() if verdict in {"fail", "warning"}]
            sys.stdout.write(f"    {profile}: {', '.join(broken)}\n" if broken else "")
    sys.stdout.write(f"{len(rows)} faults\n")
    return 0


def fault_as_json(fault: Fault, catalogue: Catalogue) -> dict[str, Any]:
    """One row of ``ps315 faults --json`` (``schemas/faults.schema.json``).

    `breaks` lists the requirements that fail or warn under any profile, umbrella requirements included; `expected`
    says by profile which verdict each requirement gets that turns on the fault, what becomes inconclusive or not
    applicable included. All that holds at endpoints of `protocol`.
    """
    expected: dict[str, dict[str, str]] = {}
    for profile in sorted({*fault.breaks, *fault.becomes}):
        broken = dict(fault.breaks.get(profile, {}))
        failed = {name for name, verdict in broken.items() if verdict == "fail"}
        broken |= dict.fromkeys(_failed_umbrellas(catalogue, profile, fault, failed), "fail")
        expected[profile] = broken | dict(fault.becomes.get(profile, {}))
    breaks = [
        name for verdicts in expected.values() for name, verdict in verdicts.items() if verdict in {"fail", "warning"}
    ]
    return {
        "id": fault.id,
        "text": fault.text,
        "role": fault.role,
        "protocol": fault.protocol,
        "breaks": list(dict.fromkeys(breaks)),
        "expected": expected,
        "advice": fault.advice,
    }


def _failed_umbrellas(catalogue: Catalogue, profile: str, fault: Fault, failed: set[str]) -> Iterable[str]:
    """The umbrella requirements of `profile` that fail because a member is in `failed`."""
    edition = default_edition(profile)
    for umbrella in catalogue.select(profile, edition, fault.role, fault.protocol):
        if umbrella.judged != "derived":
            continue
        members = catalogue.members_of(umbrella, profile, edition, fault.role, fault.protocol)
        if any(member.id in failed for member in members):
            yield umbrella.id
