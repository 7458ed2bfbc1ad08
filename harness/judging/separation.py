"""What separates a SUT that claims a retired profile, or an older wording, from the profile that holds today.

The same observations are judged under the current B.12 in the same role, apart from the claim: what is found
influences neither verdicts nor exit status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.record.models import ClaimRecord, SeparationRecord, VerdictKind, VerdictRecord
from reference_impl.transport.profiles import CURRENT, UnknownProfileError, default_edition, load_profile

_TOLD = (VerdictKind.FAIL, VerdictKind.WARNING)


def counterparts(claims: Iterable[ClaimRecord]) -> dict[ClaimRecord, ClaimRecord]:
    """For each claim whose profile or wording is superseded: the claim of the current profile in its role."""
    edition = default_edition(CURRENT)
    found = {}
    for claim in claims:
        try:
            superseded = load_profile(claim.profile, claim.edition).superseded
        except UnknownProfileError:  # a profile of another domain, or a vendor's own
            continue
        if superseded:
            found[claim] = claim.model_copy(update={"profile": CURRENT, "edition": edition})
    return found


def separation_of(claim: ClaimRecord, other: ClaimRecord, verdicts: Sequence[VerdictRecord]) -> SeparationRecord:
    """What `verdicts`, those of the automatic requirements of `other`, say about the SUT of `claim`."""
    profile, current = load_profile(claim.profile, claim.edition), load_profile(other.profile, other.edition)
    deviations = [one for one in verdicts if one.verdict in _TOLD]
    counted: Mapping[VerdictKind, int] = Counter(one.verdict for one in verdicts)
    return SeparationRecord(
        profile=claim.profile,
        edition=claim.edition,
        role=claim.role,
        endpoint=claim.endpoint,
        title=profile.title,
        retired_after=profile.retired_after,
        against_profile=current.id,
        against_edition=current.edition,
        against_title=current.title,
        counts={kind.value: counted[kind] for kind in VerdictKind},
        deviations=tuple(sorted(deviations, key=lambda one: _TOLD.index(one.verdict))),
        inconclusive=tuple(one.requirement for one in verdicts if one.verdict is VerdictKind.INCONCLUSIVE),
    )
