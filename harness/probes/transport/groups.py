"""Groups and key exchange parameters: named and accepted groups, DHE primes, keys that are used again."""

from __future__ import annotations

from functools import partial

from harness.observations import Observation
from harness.observations.transport import TLS13, CipherSuites, DheParameter, Groups, GroupsOfVersion, Versions
from harness.probes.base import ProbeContext
from harness.probes.transport import dhe_parameters
from harness.probes.transport.elimination import side_by_side
from harness.probes.transport.groups_tls12 import GroupsTls12
from harness.probes.transport.groups_tls13 import GroupsTls13
from harness.probes.transport.key_exchange import NO_SUITES, highest
from harness.probes.transport.versions import supported

KIND = "tls.groups"


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.groups``. Needs ``tls.versions`` and ``tls.cipher-suites``."""
    suites = context.facts(CipherSuites)
    if suites is None:
        return context.observed(KIND, None, missing=NO_SUITES)
    version, with_curves = highest(suites, "ECDHE", "ECDH_anon")
    older = GroupsTls12(context, version, with_curves) if with_curves else None
    newer = GroupsTls13(context) if supported(context.facts(Versions), TLS13) else None
    by_version: dict[int, GroupsOfVersion] = {}
    explicit: list[str] = []
    dhe: list[DheParameter] = []
    differ: dict[int, bool] = {}
    off_curve: list[bool | None] = []

    def curves(of: GroupsTls12) -> None:
        by_version[version] = of.observe()
        explicit.extend(of.explicit_curves)
        fresh, group = of.keys_differ()
        note(fresh, group)
        if fresh is False and group is not None:
            off_curve.append(of.off_curve_point_accepted(group))

    def groups(of: GroupsTls13) -> None:
        by_version[TLS13] = of.observe()
        note(*of.keys_differ())

    def parameters() -> None:
        dhe.extend(dhe_parameters.observe(context, suites))

    def note(keys_differ: bool | None, group: int | None) -> None:
        if keys_differ is not None and group is not None:
            differ[group] = differ.get(group, True) and keys_differ

    tasks = [parameters]
    tasks += [partial(curves, older)] if older else []
    tasks += [partial(groups, newer)] if newer else []
    side_by_side(tasks)
    exchanges = (*(older.exchanges if older else ()), *(newer.exchanges if newer else ()))
    if not by_version and not dhe:
        why = "The server accepted no suite with an ephemeral key exchange."
        return context.observed(KIND, None, missing=why, exchanges=exchanges)
    facts = Groups(
        versions=by_version,
        dhe=tuple(dhe),
        explicit_curves=tuple(explicit),
        ecdhe_keys_differ=all(differ.values()) if differ else None,
        ecdhe_reused_groups=tuple(group for group, fresh in differ.items() if not fresh),
        off_curve_point_accepted=next((accepted for accepted in off_curve if accepted is not None), None),
    )
    return context.observed(KIND, facts, exchanges=exchanges)
