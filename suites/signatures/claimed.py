"""What the SUTs that claims of digital signatures are about have in common for their judgements."""

from __future__ import annotations

from harness import ClaimRecord, Endpoints, Observations


class Claimed:
    """The SUT of the claim that is judged, in the claim's role."""

    def __init__(self, observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> None:
        self._observations = observations
        self._endpoints = endpoints
        self.claim = claim

    @property
    def name(self) -> str:
        """The endpoint of the claim."""
        return self.claim.endpoint
