"""kind ``tls.client-certificates``: the certificate zoo, shown to a server that asks for client certificates."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from fixtures.pki import Pki
from fixtures.pki.zoo import CASES, Presentation, Zoo, ZooCase
from harness.endpoint_budget import TimeIsUpError
from harness.observations import Observation, ReactionKind
from harness.observations.clients import CertificateTrial, ClientCertificates
from harness.observations.transport import TLS12, TLS13, ClientAuthentication
from harness.probes.base import ProbeContext
from harness.probes.transport.admission import admission
from harness.probes.transport.session import Session
from harness.probes.transport.session_credentials import ClientIdentity
from harness.probes.transport.session_offers import given_identity, offer_of, supported_versions

KIND = "tls.client-certificates"
CONTROL = "good"
IN_TLS12_TOO = frozenset({"expired", "unknown-authority", "possession", "wrong-extended-key-usage"})
"""Cases that are shown in TLS 1.2 as well where TLS 1.3 is the highest version."""
_BETWEEN_CONTROLS = 12
_FEW = 4
_VERSIONS = {"1.2": TLS12, "1.3": TLS13}


@dataclass
class _Show:
    """What has been shown so far, and with what it goes on."""

    context: ProbeContext
    zoo: Zoo
    good: ClientIdentity | None
    controls: list[CertificateTrial] = field(default_factory=list)
    trials: list[CertificateTrial] = field(default_factory=list)

    def in_version(self, version: int, cases: Iterable[ZooCase]) -> None:
        """Show `cases`, some of them at a time, with the control before, between and after.

        A control that is not let through ends it: the server has shut us out, or never trusted the authority.
        """
        waiting = [case.name for case in cases]
        if not waiting or not self._control(version):
            return
        at_once = 1 if self.context.gentle else self.context.budget.at_once
        with ThreadPoolExecutor(at_once) as pool:
            while waiting:
                batch, waiting = waiting[:_BETWEEN_CONTROLS], waiting[_BETWEEN_CONTROLS:]
                seen: list[CertificateTrial] = []
                try:
                    shown = [pool.submit(self._trial, name, version) for name in batch]
                    seen.extend(each.result() for each in shown)
                    seen = self._asked_again(seen)
                    go_on = self._control(version)
                except TimeIsUpError:  # refusals without a control after them tell nothing
                    self.trials += [each for each in seen if each.admitted]
                    raise
                self.trials += seen
                if not go_on:
                    return

    def _asked_again(self, seen: list[CertificateTrial]) -> list[CertificateTrial]:
        """`seen`, where few remained open with these shown once more, one at a time: somebody was slow."""
        if sum(map(_mute, seen)) > _FEW:
            return seen
        return [self._trial(each.case, each.version) if _mute(each) else each for each in seen]

    def could_not_be_shown(self) -> tuple[str, ...]:
        """Cases of TLS 1.3 whose key signs by no scheme of that version, or by none that the server takes."""
        return tuple(
            each.case
            for each in self.trials
            if each.version == TLS13 and each.reaction.kind is ReactionKind.SERVER_HELLO
        )

    def _control(self, version: int) -> bool:
        """Show the good certificate; whether the server may be asked on: it takes it, and still does."""
        if self.good is None:
            return True
        before = next((each for each in self.controls if each.version == version), None)
        seen = _trial(self.context, CONTROL, version, self.good)
        self.controls.append(seen)
        if before is not None:
            return (seen.admitted, seen.stage) == (before.admitted, before.stage)
        return bool(seen.admitted) or (seen.admitted is None and seen.stage == "association")

    def _trial(self, case: str, version: int) -> CertificateTrial:
        return _trial(self.context, case, version, identity_of(self.zoo.present(case, "client")))

    def facts(self, *, campaign: bool) -> ClientCertificates:
        """What was seen; a refusal above TLS is one where the control was not met with it."""
        let_in = {
            version: all(each.admitted for each in self.controls if each.version == version)
            for version in {each.version for each in self.controls}
        }
        trials = tuple(
            each.model_copy(update={"admitted": False})
            if each.admitted is None and each.stage == "association" and let_in.get(each.version)
            else each
            for each in self.trials
        )
        return ClientCertificates(requested=True, campaign=campaign, controls=tuple(self.controls), trials=trials)


def identity_of(presentation: Presentation) -> ClientIdentity | None:
    """What a presentation of the zoo puts on the wire; None: no certificate."""
    return ClientIdentity(presentation.chain, presentation.key) if presentation.chain else None


def _trial(context: ProbeContext, case: str, version: int, identity: ClientIdentity | None) -> CertificateTrial:
    """What the server makes of a certificate; once more, where it was neither refused nor answered in time."""
    seen = _one_trial(context, case, version, identity)
    return _one_trial(context, case, version, identity) if _mute(seen) else seen


def _mute(seen: CertificateTrial) -> bool:
    return seen.admitted is None and not seen.stage and seen.reaction.kind is not ReactionKind.SERVER_HELLO


def _one_trial(context: ProbeContext, case: str, version: int, identity: ClientIdentity | None) -> CertificateTrial:
    with Session(context, offer_of(context, version, identity=identity), f"client certificate: {case}") as session:
        seen = admission(session, session.handshake(), case)
    of = CASES.get(case)
    return CertificateTrial(
        case=case,
        text=of.text if of else "",
        treatment=of.client or "" if of else "",
        version=version,
        admitted=seen.admitted,
        stage=seen.stage,
        reaction=seen.reaction,
    )


def client_cases(*, campaign: bool) -> tuple[ZooCase, ...]:
    """The cases that are shown to servers; without a `campaign` those alone that no authority has to vouch for."""
    return tuple(
        case
        for case in CASES.values()
        if case.client is not None and case.name != CONTROL and (campaign or needs_no_trust(case))
    )


def needs_no_trust(case: ZooCase) -> bool:
    """Whether the case shows something though the server trusts no authority of the harness."""
    return case.rule == "trust" and case.client == "refuse"


def _shown_in(cases: Iterable[ZooCase], version: int) -> list[ZooCase]:
    return [case for case in cases if _VERSIONS.get(case.versions, version) == version]


def probe_client_certificates(context: ProbeContext) -> Observation:
    """Every case in the highest version that asks for a certificate; in TLS 1.2 a few, and what 1.3 cannot show."""
    authentication = context.facts(ClientAuthentication)
    if authentication is None:
        missing = "it was not established whether the server asks for a client certificate"
        return context.observed(KIND, None, missing=missing)
    if not any(authentication.requested.values()):
        return context.observed(KIND, ClientCertificates(requested=False))
    versions = [v for v in supported_versions(context) if v in {TLS12, TLS13} and authentication.requested.get(v)]
    if not versions:
        missing = "the server asks for a client certificate below TLS 1.2 only, where none is shown"
        return context.observed(KIND, None, missing=missing)
    campaign = context.target.campaign
    zoo = campaign.zoo() if campaign is not None else Zoo(Pki.create())
    good = given_identity(context.target.credentials) if campaign is None else identity_of(zoo.good("client"))
    show, cases = _Show(context, zoo, good), client_cases(campaign=campaign is not None)
    with suppress(TimeIsUpError):  # what was seen until then stays, and the judgements miss the rest
        show.in_version(versions[0], _shown_in(cases, versions[0]))
        if TLS12 in versions[1:]:
            left = show.could_not_be_shown()
            again = [c for c in _shown_in(cases, TLS12) if c.name in IN_TLS12_TOO or c.name in left or c.versions]
            show.in_version(TLS12, again)
    exchanges = tuple(each.reaction.exchange for each in (*show.controls, *show.trials) if each.reaction.exchange)
    return context.observed(KIND, show.facts(campaign=campaign is not None), exchanges=exchanges)
