"""Judgements of an example suite. Only what `harness` exports is for use here."""

from harness import Certificates, Endpoints, Observations, expect, verifies

ORGANISATION = "O=PS315 Test"


@verifies("ACME-certificate-organisation")
def test_certificates_name_our_organisation(endpoints: Endpoints, observations: Observations) -> None:
    """ACME security policy 4.1."""
    for endpoint in endpoints:
        for chain in observations.facts(endpoint, Certificates).chains:  # Missing, so inconclusive, if not obtained
            leaf = chain.certificates[0]
            expect(leaf.subject, evidence=chain.exchange, what="subject").to_hold(
                ORGANISATION in leaf.subject, expected=f"a subject with {ORGANISATION}"
            )
