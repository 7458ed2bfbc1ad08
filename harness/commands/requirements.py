"""``ps315 requirements``: the catalogue, with how each requirement is judged."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harness.commands import _options as option


def requirements(
    *,
    profile: Annotated[str | None, typer.Option("--profile", help="Only what binds a claim of this profile.")] = None,
    edition: Annotated[str | None, typer.Option("--edition", help="Only what binds it in this edition.")] = None,
    suite: option.Suites = None,
    as_json: option.AsJson = False,
) -> int:
    """Print the catalogue. Returns the exit status."""
    import json

    from harness.catalogue import load_catalogue
    from harness.claims import edition_problem, held_by, profile_problem
    from harness.errors import UsageProblem

    catalogue = load_catalogue(*(folder.resolve() for folder in suite or ()))
    held = held_by(catalogue)
    if edition and not profile:
        raise UsageProblem("--edition is given without --profile; name the profile that it is an edition of")
    if profile and (problem := profile_problem(profile, held)):
        raise UsageProblem(f"--profile: {problem}")
    if profile and edition and (problem := edition_problem(profile, edition, held)):
        raise UsageProblem(f"--edition: {problem}")
    chosen = [
        each
        for each in catalogue
        if profile is None
        or any(of.profile == profile and (not edition or of.holds_in(edition)) for of in each.applies)
    ]
    if as_json:
        wanted = {each.id for each in chosen}
        rows = [row for row in catalogue.as_json() if row["id"] in wanted]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    for each in chosen:
        bound = ", ".join(dict.fromkeys(of.profile for of in each.applies))
        how = f"{each.judged} ({each.reason})" if each.reason else each.judged
        sys.stdout.write(f"{each.id}\n    {each.title}\n    {each.level}; {each.role}; {bound}; {how}\n")
    sys.stdout.write(f"{len(chosen)} requirements\n")
    return 0
