"""What a server that demands client certificates did with those of the zoo. Nothing here judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fixtures.pki.zoo import CASES, ZooCase
from harness import (
    TLS12,
    TLS13,
    CertificateTrial,
    ClientAuthentication,
    ClientCertificates,
    Missing,
    NotApplicable,
    ReactionKind,
)
from reference_impl.transport.registry import version_name
from suites.transport.view import Endpoint

INSTALL = (
    "Make a test authority with ps315 pki, let the server trust it, and name its folder as campaign in [credentials]."
)
TRUST = "Let the server trust the authority of the test campaign and know the AE titles that are used, and run again."
TITLES = "Let the server know the AE titles that the harness uses, so that it accepts associations, and run again."
AGAIN = "Run the observation again."
SHUT_OUT = (
    "See whether the server, or something before it, shuts out who shows bad certificates; run again without that."
)


@dataclass(frozen=True)
class SeenTrial:
    """A case of the zoo, shown to the server."""

    case: ZooCase
    facts: CertificateTrial

    @property
    def shown(self) -> bool:
        """Whether it could be shown at all: the server takes a signature that the certificate's key can make."""
        return self.facts.reaction.kind is not ReactionKind.SERVER_HELLO

    def __str__(self) -> str:
        return f"{self.case.name} in {version_name(self.facts.version)}"


class Shown:
    """The trials at one endpoint, in the versions in which it demands a certificate."""

    def __init__(self, server: Endpoint, *versions: int) -> None:
        """Raises `NotApplicable` where no certificate is demanded (in `versions`), `Missing` where nobody knows."""
        self.server = server
        self._facts = server.facts(ClientCertificates)
        self._versions = self._demanding(versions or (TLS12, TLS13))

    def _demanding(self, versions: tuple[int, ...]) -> tuple[int, ...]:
        """Of `versions`, those in which nobody without a certificate is admitted."""
        name = self.server.name
        if not self._facts.requested:
            raise NotApplicable(f"{name} asks for no client certificate")
        seen = self.server.facts(ClientAuthentication)
        asking = [version for version in versions if seen.requested.get(version)]
        if not asking:
            called = " or ".join(version_name(version) for version in versions)
            if any(version not in seen.requested and self.server.accepts(version) for version in versions):
                raise Missing(f"it was not established whether {name} asks for a client certificate in {called}", AGAIN)
            raise NotApplicable(f"{name} asks for no client certificate in {called}")
        without = {each.version for each in seen.trials if each.credential == "none" and each.admitted}
        if without.issuperset(asking):
            raise NotApplicable(
                f"{name} admits clients without a certificate, and may go on with one whose certificate it rejects"
            )
        return tuple(version for version in asking if version not in without)

    def trials(self, cases: Iterable[ZooCase]) -> tuple[SeenTrial, ...]:
        """The trials of `cases`; raises `Missing` where there is none."""
        names = {case.name for case in cases}
        found = tuple(
            SeenTrial(CASES[each.case], each)
            for each in self._facts.trials
            if each.case in names and each.version in self._versions
        )
        if found and not any(each.shown for each in found):
            raise Missing(f"none of these certificates could be shown to {self.server.name}", AGAIN)
        if not found:
            if not self._facts.campaign:
                raise Missing(
                    "the harness has no certificates for this of an authority that the server trusts", INSTALL
                )
            self.refusals_tell(self._versions)
            raise Missing(f"these certificates were not shown to {self.server.name}", AGAIN)
        return found

    def refusals_tell(self, versions: Iterable[int]) -> None:
        """Raise `Missing` unless the good certificate was admitted in `versions`, to the end."""
        versions = set(versions)
        controls = [each for each in self._facts.controls if each.version in versions]
        exchanges = tuple(each.reaction.exchange for each in controls)
        if not controls:
            remedy = TRUST if self._facts.campaign else "Give the harness a client certificate that the server trusts."
            raise Missing(f"no good client certificate was shown to {self.server.name}", remedy, exchanges)
        if not _let_through(controls[0]):
            raise Missing(f"{self.server.name} did not admit the good client certificate either", TRUST, exchanges)
        if not all(map(_let_through, controls)):
            raise Missing(
                f"{self.server.name} admitted the good client certificate, and later did not", SHUT_OUT, exchanges
            )

    def like_the_good_one(self, trial: SeenTrial) -> bool:
        """Whether `trial` met with what the good certificate met with, be it a rejection for other reasons."""
        seen = trial.facts
        return any(
            (each.admitted, each.stage, each.reaction.kind, each.reaction.detail)
            == (seen.admitted, seen.stage, seen.reaction.kind, seen.reaction.detail)
            for each in self._facts.controls
            if each.version == seen.version
        )

    def demands(self, trial: SeenTrial) -> bool:
        """Whether nobody without a certificate gets in where `trial` was made; `Missing` where nobody knows."""
        seen = self.server.facts(ClientAuthentication).trials
        version = trial.facts.version
        nobody = next((each for each in seen if each.credential == "none" and each.version == version), None)
        if nobody is None or nobody.admitted is None:
            raise Missing(
                f"it was not established whether {self.server.name} admits clients without a certificate", AGAIN
            )
        return not nobody.admitted


def _let_through(control: CertificateTrial) -> bool:
    """Whether TLS let the good certificate through; an association may be rejected for its AE titles."""
    return bool(control.admitted) or (control.admitted is None and control.stage == "association")


def cases(*rules: str, level: str = "") -> tuple[ZooCase, ...]:
    """The cases of `rules` that servers have to refuse, those whose clause binds as `level` says if it is given."""
    return tuple(
        case
        for case in CASES.values()
        if case.rule in rules and case.client == "refuse" and (not level or case.level == level)
    )


def acceptable() -> tuple[ZooCase, ...]:
    """The odd cases that servers accept, as far as nothing has to be installed for each of them."""
    return tuple(
        case
        for case in CASES.values()
        if case.client == "accept" and case.name != "good" and "pinned" not in case.needs
    )
