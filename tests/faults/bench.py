"""What all runs of one matrix share: a test campaign, read once, and what its certificates are shown by."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from fixtures.pki.campaign import Campaign, Names
from harness.credentials import Credentials, CredentialSources, load_credentials
from harness.listeners.tls import TlsTrials
from harness.sut import Sut


class Bench:
    """A campaign made in `directory`. Runs side by side may share it; close it when they have ended."""

    def __init__(self, directory: Path, names: Names | None = None) -> None:
        Campaign.create(directory, names=names)
        sources = CredentialSources(campaign=str(directory))
        self._credentials = load_credentials(sources, folder=directory, source="kill matrix")
        self.trials = TlsTrials()

    @cached_property
    def campaign(self) -> Campaign:
        """The campaign, as a run that is given its folder reads it."""
        assert self._credentials.campaign is not None
        return self._credentials.campaign

    def given(self, sut: Sut, trust_anchors: Path | None = None) -> Sut:
        """`sut` as if its file named the campaign, and `trust_anchors` where there are any."""
        credentials: Credentials = self._credentials
        if trust_anchors is not None:
            credentials = replace(credentials, trust_anchors=trust_anchors)
        return replace(sut, credentials=credentials)

    def close(self) -> None:
        """End the responders."""
        self.trials.__exit__(None, None, None)
