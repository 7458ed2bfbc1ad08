"""Editions and their spans, the claims that name them, and the sentences for those that nothing judges."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalogue import load_catalogue
from harness.claims import check_claims, chosen_edition, held_by
from harness.errors import UsageProblem
from harness.sut import Sut, parse_sut
from reference_impl.editions import edition_key, in_words, includes, is_edition, last_of
from reference_impl.transport.profiles import edition_problem, profiles

HELD = held_by(load_catalogue())
EDITIONS = st.builds(
    lambda year, letter: f"{year}{letter}" if year >= 2014 else str(year),
    st.integers(min_value=1993, max_value=2035),
    st.sampled_from("abcde"),
)


@given(EDITIONS, EDITIONS, EDITIONS)
def test_a_span_holds_what_lies_between_its_ends(first: str, edition: str, last: str) -> None:
    between = edition_key(first) <= edition_key(edition) <= edition_key(last)
    assert includes(f"{first}..{last}", edition) == between
    assert includes(f"..{last}", edition) == (edition_key(edition) <= edition_key(last))
    assert includes(f"{first}..", edition) == (edition_key(first) <= edition_key(edition))
    assert includes(edition, edition)


@given(st.text(max_size=8))
def test_no_text_is_an_edition_and_none_by_accident(text: str) -> None:
    held = is_edition(text)
    assert includes("..", text) == held
    assert includes("2018a..2026c", text) <= held


@pytest.mark.parametrize("span", ["2018..2019a", "x..2019a", "2018a..y", "2018a..2019f"])
def test_a_span_between_no_editions_is_an_error(span: str) -> None:
    with pytest.raises(ValueError, match="is no edition"):
        includes(span, "2018b")


def test_spans_in_words() -> None:
    assert [in_words(span) for span in ("..2018a", "2018b..2022d", "2024e..", "2026c")] == [
        "up to 2018a",
        "2018b to 2022d",
        "from 2024e on",
        "2026c",
    ]
    assert [last_of(span) for span in ("..2018a", "2018b..2022d", "2024e..", "2026c")] == [
        "2018a",
        "2022d",
        "",
        "2026c",
    ]


def claiming(profile: str, edition: str = "", role: str = "tls-server") -> Sut:
    named = f'edition = "{edition}"\n' if edition else ""
    return parse_sut(
        'schema = 1\n[identity]\nid = "ct-1"\n[endpoints.dimse]\nhost = "127.0.0.1"\nport = 2762\n'
        f'[[claims]]\nprofile = "{profile}"\n{named}role = "{role}"\nendpoint = "dimse"\n',
        source="sut.toml",
        folder=Path(),
    )


@pytest.mark.parametrize(
    ("profile", "edition"),
    [
        ("B.1", "2018a"),
        ("B.3", "2018a"),
        ("B.9", "2022d"),
        ("B.10", "2022d"),
        ("B.11", "2022d"),
        ("B.12", "2026c"),
        ("B.13", "2026c"),
    ],
)
def test_a_claim_without_edition_is_one_of_the_last_that_holds_the_profile(profile: str, edition: str) -> None:
    sut = claiming(profile)
    assert sut.record.claims[0].edition == edition
    check_claims(sut, HELD)
    assert chosen_edition(profile, None, HELD) == edition


@pytest.mark.parametrize(
    ("profile", "edition"),
    [("B.1", "2008"), ("B.3", "2017c"), ("B.9", "2018b"), ("B.11", "2019c"), ("B.12", "2023b"), ("B.13", "2024e")],
)
def test_a_claim_in_an_edition_that_holds_the_profile(profile: str, edition: str) -> None:
    check_claims(claiming(profile, edition), HELD)


@pytest.mark.parametrize(
    ("profile", "edition", "told"),
    [
        (
            "B.1",
            "2019c",
            "B.1 was retired after 2018a and is not in edition 2019c; it is held in the editions up to 2018a",
        ),
        ("B.9", "2017d", "B.9 is not in edition 2017d; it is held in the editions 2018b to 2022d"),
        ("B.10", "2023a", "B.10 was retired after 2022d"),
        ("B.11", "2019a", "not established .*between 2018e and 2019c.*2019c to 2022d"),
        ("B.12", "2022d", "B.12 is not in edition 2022d"),
        ("B.12", "2024b", "not established .*RFC 7525 or RFC 9325.*2023a to 2023b and 2024e to 2026c"),
        ("B.13", "2022e", "not established"),
        ("B.13", "soon", "'soon' is no edition of the standard"),
        ("B.2", "", r"claims #1: profile: B.2 \(ISCL.*is no TLS profile.*2761.*retired after 2018a"),
        ("B.4711", "", "there is no profile 'B.4711'"),
    ],
)
def test_a_claim_that_nothing_judges_is_told_why(profile: str, edition: str, told: str) -> None:
    with pytest.raises(UsageProblem, match=told):
        check_claims(claiming(profile, edition), HELD)


@pytest.mark.parametrize("profile", ["B.1", "B.3", "B.9", "B.10", "B.11", "B.12", "B.13"])
@pytest.mark.parametrize("role", ["tls-server", "tls-client"])
def test_every_profile_is_held_for_both_roles(profile: str, role: str) -> None:
    assert any(name == profile and of == role for name, _, of in HELD)


def test_no_edition_of_the_catalogue_lies_outside_the_window_of_its_profile() -> None:
    known = {name for name, _ in profiles()}
    ends = {(name, last_of(span)) for name, span, _ in HELD if name in known}
    assert {
        (name, edition): edition_problem(name, edition) for name, edition in ends if edition_problem(name, edition)
    } == {}
