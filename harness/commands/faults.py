"""``ps315 faults``: the faults of the reference node, and what each breaks."""

from __future__ import annotations

import sys

from harness.commands import _options as option


def faults(*, as_json: option.AsJson = False) -> int:
    """Print the faults. Returns the exit status."""
    import json

    from reference_impl.faults import load_faults

    known = load_faults()
    if as_json:
        sys.stdout.write(json.dumps([fault.as_json() for fault in known], indent=2, ensure_ascii=False) + "\n")
        return 0
    for fault in known:
        sys.stdout.write(f"{fault.id}\n    {fault.text}\n")
    sys.stdout.write(f"{len(known)} faults\n")
    return 0
