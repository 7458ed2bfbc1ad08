"""Creators: what PS3.15 C.2, C.3 and C.4 list has to be signed, entry by entry."""

from __future__ import annotations

from harness import Missing, NotApplicable, Requirement, verifies
from reference_impl.signatures.profiles import Rule
from suites.signatures.coverage import FOREIGN_COUNT, LISTS, Coverage, covered, judged_by, signing_rules
from suites.signatures.view import SeenObject, SignatureCreator, evidence_of, expect_of_each
from suites.signatures.words import as_clause, counted, in_a_row

pytest_plugins = ("suites.signatures.fixtures",)


@verifies(*signing_rules())
def test_what_the_profile_lists_is_signed(creator: SignatureCreator, requirement: Requirement) -> None:
    """C.2, C.3, C.4: as a minimum, the attributes of the list, as far as they are present."""
    profile, rule = signing_rules()[requirement.id]

    def wrong(seen: SeenObject) -> str:
        return lacking(Coverage(profile, seen), rule)

    expect_of_each(
        creator,
        objects_of_profile(creator, profile),
        wrong,
        what="objects with some of it unsigned",
        expected=as_clause(requirement.text),
        concerned=_has(requirement),
    )


def lacking(coverage: Coverage, rule: Rule) -> str:
    """What `rule` asks for and the signature that comes next to the list does not cover, in words.

    Raises `NotApplicable` where the rule asks for nothing of this object and `Missing` where that is open.
    """
    wanted = coverage.wanted(rule)
    if not wanted.all or (rule.kind == "verified-only" and not coverage.verified):
        raise NotApplicable(rule.name)
    nominee = coverage.nominee
    if nominee is None:
        raise Missing(
            f"there is no signature at the top level, whose list could be held against {coverage.profile}",
            "Let the SUT sign the data set of the object itself, not items of its sequences alone.",
        )
    against = (wanted.all if coverage.profile in FOREIGN_COUNT else wanted.own) - covered(nominee)
    if against:
        return f"not signed {in_a_row(sorted(against), 8)}"
    if not wanted.own and coverage.profile not in FOREIGN_COUNT:
        if open_ := wanted.all - covered(nominee):
            raise Missing(
                f"whether {coverage.profile} asks for {in_a_row(sorted(open_), 8)} here is open: "
                f"no module of the list that this kind of object has holds it"
            )
        raise NotApplicable(rule.name)
    return ""


def objects_of_profile(creator: SignatureCreator, profile: str) -> tuple[SeenObject, ...]:
    """The objects whose signatures are judged by the list of `profile`. Raises `Missing` where there is none."""
    endpoint = creator.claim.endpoint
    others = {
        LISTS[each.profile]
        for each in creator.sut.claims
        if each.role == creator.claim.role and each.profile in LISTS and endpoint in {each.endpoint, *each.alternates}
    }
    objects = creator.documents if profile == "C.4" else creator.objects
    found = tuple(each for each in objects if judged_by(profile, others, each))
    if not found:
        raise Missing(
            f"each of the {counted(len(objects), 'signed object')} at {creator.name} follows another profile that is "
            f"claimed there, and none follows {profile}",
            f"Let the SUT sign an object by {profile}, or claim the profiles at endpoints of their own.",
            evidence_of(objects),
        )
    return found


def _has(requirement: Requirement) -> str:
    """What none of the objects has, where the requirement does not apply."""
    return requirement.condition.partition(" has ")[2] or "a Verification Flag of VERIFIED"
