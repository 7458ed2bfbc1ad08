"""What faults break beside the profiles of Annex B (``beside_server.toml``, ``beside_client.toml``).

A claim of A.6 or of IHE is judged at a node, or a client, that keeps its own profile, so that the rows are kept by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reference_impl.faults.tables import check_outcome, table, texts_of
from reference_impl.transport.client_faults.beside import BESIDE_CLIENT_BEHAVIOURS
from reference_impl.transport.faults.beside import BESIDE_BEHAVIOURS

_KIND = "beside"
_BEHAVIOURS: Mapping[str, Mapping[str, object]] = {
    "tls-server": BESIDE_BEHAVIOURS,
    "tls-client": BESIDE_CLIENT_BEHAVIOURS,
}

Turns = Mapping[str, Mapping[str, str]]
"""By fault: requirement to verdict, umbrellas left out."""


def texts_beside(role: str = "tls-server") -> dict[str, str]:
    """The faults that show beside Annex B only, with what they are. Raises ValueError where one has no text."""
    return texts_of(_KIND, role, _BEHAVIOURS[role])


@cache
def faults_beside(role: str = "tls-server") -> Mapping[str, Turns]:
    """What each fault turns, by the profile that is kept. Raises ValueError for an unknown verdict."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for profile, rows in table(_KIND, role).items():
        if profile == "texts":
            continue
        turns = found.setdefault(profile, {})
        for fault, by_verdict in rows.items():
            for verdict, ids in by_verdict.items():
                check_outcome(_KIND, role, f"{profile}: {fault}", verdict)
                turns.setdefault(fault, {}).update(dict.fromkeys(ids, verdict))
    return found


def broken_beside(fault: str, role: str = "tls-server") -> dict[str, dict[str, str]]:
    """What `fault` makes fail or warn, by profile."""
    found = {
        profile: {name: verdict for name, verdict in turns.get(fault, {}).items() if verdict in {"fail", "warning"}}
        for profile, turns in faults_beside(role).items()
    }
    return {profile: verdicts for profile, verdicts in found.items() if verdicts}
