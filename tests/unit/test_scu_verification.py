"""What the reference client makes of every server certificate of the zoo, and of octets that are none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki.campaign import Campaign, Names
from fixtures.pki.revocation import Responder
from fixtures.pki.zoo import CASES, Zoo, ZooCase
from reference_impl.transport.client import (
    AlertDescription,
    Check,
    ClientSettings,
    OnlineRevocation,
    RefusalError,
    Trust,
    Verifier,
    settings_for,
)
from reference_impl.transport.client_faults.behaviour import deviating
from reference_impl.transport.profiles import load_profile

NAME, ADDRESS = "harness.ps315.example", "127.0.0.1"
SERVERS = {name: case for name, case in CASES.items() if case.server is not None and name != "possession"}
ALERTS = {
    "expired": AlertDescription.CERTIFICATE_EXPIRED,
    "unknown-authority": AlertDescription.UNKNOWN_CA,
    "self-signed-unknown": AlertDescription.UNKNOWN_CA,
    "revoked-crl": AlertDescription.CERTIFICATE_REVOKED,
    "revoked-stapled": AlertDescription.CERTIFICATE_REVOKED,
    "wrong-extended-key-usage": AlertDescription.UNSUPPORTED_CERTIFICATE,
    "wrong-host-name": AlertDescription.BAD_CERTIFICATE,
}
FORGIVING = {
    "expired": Check.EXPIRED,
    "not-yet-valid": Check.NOT_YET_VALID,
    "unknown-authority": Check.TRUST,
    "wrong-host-name": Check.HOST_NAME,
    "wrong-extended-key-usage": Check.EXTENDED_KEY_USAGE,
    "leaf-as-authority": Check.BASIC_CONSTRAINTS,
    "path-length-exceeded": Check.PATH_LENGTH,
    "name-constraints-violated": Check.NAME_CONSTRAINTS,
    "unknown-critical-extension": Check.CRITICAL_EXTENSION,
    "rsa-1024": Check.KEY_STRENGTH,
    "sha1-signature": Check.SIGNATURE_ALGORITHM,
    "tampered-signature": Check.SIGNATURE,
    "revoked-crl": Check.REVOCATION_LIST,
    "revoked-ocsp": Check.RESPONDER,
    "revoked-stapled": Check.STAPLED_STATUS,
    "not-a-certificate": Check.ENCODING,
    "common-name-beside-other-names": Check.COMMON_NAME,
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign.create(tmp_path_factory.mktemp("campaign"), names=Names(dns_names=(NAME,), ip_addresses=(ADDRESS,)))


@pytest.fixture(scope="module")
def responder(campaign: Campaign) -> Iterator[Responder]:
    with Responder(campaign.pki) as running:
        yield running


def verdict(
    campaign: Campaign, responder: Responder, case: ZooCase, profile: str = "B.12", *ignored: Check
) -> AlertDescription | None:
    """The alert by which the client refuses `case`, None where it accepts it."""
    by_address = "by-address" in case.needs
    zoo = Zoo(
        campaign.pki,
        dns_names=() if by_address else (NAME,),
        ip_addresses=(ADDRESS,) if by_address else (),
        revocation_url=responder.url,
        pinned=campaign.pinned,
    )
    shown = zoo.present(case.name, "server")
    anchors = (campaign.authority.certificate, campaign.pinned["server"].certificate)
    wanted = deviating(ignores=frozenset(ignored))(settings_for(load_profile(profile)))
    trust = Trust(anchors, online=OnlineRevocation())
    try:
        Verifier(trust, wanted, ADDRESS if by_address else NAME).verify(shown.chain, shown.ocsp_response)
    except RefusalError as refusal:
        return refusal.alert
    return None


@pytest.mark.parametrize("profile", ["B.12", "B.13"])
@pytest.mark.parametrize("name", SERVERS)
def test_the_zoo_is_treated_as_it_should_be(campaign: Campaign, responder: Responder, name: str, profile: str) -> None:
    case = SERVERS[name]
    alert = verdict(campaign, responder, case, profile)
    if case.server != "either":
        assert (alert is None) == (case.server == "accept"), alert
    assert name not in ALERTS or alert is ALERTS[name]


@pytest.mark.parametrize(("name", "check"), FORGIVING.items())
def test_what_a_check_catches_passes_without_it(
    campaign: Campaign, responder: Responder, name: str, check: Check
) -> None:
    assert verdict(campaign, responder, CASES[name]) is not None
    assert verdict(campaign, responder, CASES[name], "B.12", check) is None


def test_no_certificate_is_refused(campaign: Campaign) -> None:
    verifier = Verifier(Trust((campaign.authority.certificate,)), ClientSettings(), NAME)
    with pytest.raises(RefusalError, match="no certificate"):
        verifier.verify((), None)


@settings(deadline=None, max_examples=150)
@given(
    place=st.floats(0, 1, exclude_max=True), octet=st.integers(0, 255), cut=st.booleans(), staple=st.binary(max_size=60)
)
def test_broken_certificates_are_refused_and_raise_nothing_else(
    campaign: Campaign, place: float, octet: int, cut: bool, staple: bytes
) -> None:
    good = Zoo(campaign.pki, dns_names=(NAME,), ip_addresses=()).good("server").chain[0]
    at = int(place * len(good))
    broken = good[:at] if cut else good[:at] + bytes((octet,)) + good[at + 1 :]
    verifier = Verifier(Trust((campaign.authority.certificate,)), ClientSettings(), NAME)
    if broken == good:
        verifier.verify((broken,), staple)
        return
    with pytest.raises(RefusalError):
        verifier.verify((broken,), staple)


def test_names_of_other_scripts_are_compared_by_their_a_labels(campaign: Campaign) -> None:
    spoken, written = "klinik-süd.example", "xn--klinik-sd-x9a.example"
    shown = Zoo(campaign.pki, dns_names=(written,), ip_addresses=()).good("server")
    trust = Trust((campaign.authority.certificate,))
    Verifier(trust, ClientSettings(), spoken).verify(shown.chain, None)
    with pytest.raises(RefusalError):
        Verifier(trust, ClientSettings(), "klinik-sud.example").verify(shown.chain, None)
