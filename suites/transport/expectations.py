"""What judgements of a TLS server have in common: prohibited suites, per-endpoint judging, refused stimuli."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from harness import TLS12, TLS13, Missing, NotApplicable, Reaction, ReactionKind, expect
from reference_impl.transport.registry import SignatureScheme, signature_scheme, version_name
from suites.transport.view import Endpoint, SeenCertificate, SuiteRule, TlsServer
from suites.transport.words import shown, unanswered

EndpointT = TypeVar("EndpointT")
EndpointJudgement = Callable[[Endpoint], None]


def at_every_endpoint(judge: EndpointJudgement) -> Callable[[TlsServer], None]:
    """Make a judgement of one endpoint one of all endpoints of the claim; the worst outcome is the verdict."""

    def judge_all(tls: TlsServer) -> None:
        judged_everywhere(judge, tls.endpoints)

    return named_as(judge, judge_all)


def judged_everywhere(judge: Callable[[EndpointT], None], endpoints: Sequence[EndpointT]) -> None:
    """Judge every one of `endpoints`; the worst outcome is raised.

    A deviation outranks what is missing, that outranks a pass; not applicable only where it is so everywhere.
    """
    missing: list[Missing] = []
    elsewhere: list[NotApplicable] = []
    for endpoint in endpoints:
        try:
            judge(endpoint)
        except Missing as reason:
            missing.append(reason)
        except NotApplicable as reason:
            elsewhere.append(reason)
    if missing:
        raise missing[0]
    if len(elsewhere) == len(endpoints):
        raise elsewhere[0]


FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def named_as(judge: Callable[..., object], made: FunctionT) -> FunctionT:
    """`made` under the name and the documentation of `judge`, which it stands for."""
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(made, attribute, getattr(judge, attribute))
    return made


def expect_no_suite(tls: TlsServer, what: str, rule: SuiteRule, *versions: int) -> None:
    """No suite that `rule` is about is accepted in any version (or in `versions`); `what` names them."""
    offending = tls.accepted(rule, *versions)
    expect(offending, evidence=[seen.exchange for seen in offending], what="accepted suites").to_be_empty(
        expected=f"no {what}", describe=str
    )
    tls.every_suite_was_offered(*versions)


def expect_certificates(
    certificates: Iterable[SeenCertificate], what: str, holds: Callable[[SeenCertificate], bool], expected: str
) -> None:
    """Every one of `certificates` keeps to what `holds` tests; `what` says what of them is looked at."""
    certificates = list(certificates)
    offending = [each for each in certificates if not holds(each)]
    evidence = [each.chain.exchange for each in offending or certificates]
    expect(offending, evidence=evidence, what=what).to_be_empty(
        expected=expected, describe=lambda each: f"{each}: {describe(each)}"
    )


def describe(certificate: SeenCertificate) -> str:
    """Key and signature of a certificate, in words."""
    facts = certificate.facts
    key = f"{facts.key_type} {facts.curve or facts.key_bits or ''}".strip()
    signer = f", {certificate.signer_bits} bits" if certificate.signer_bits else ""
    return f"key {key}, signed with {facts.signature_algorithm} {facts.signature_hash}".rstrip() + signer


def expect_accepted(reaction: Reaction, stimulus: str, baseline: Reaction | None, version: int) -> None:
    """A hello that a conforming server copes with is answered with `version`, as the `baseline` hello was.

    Raises `Missing` where the baseline itself was not accepted, or where the reaction establishes nothing.
    """
    if baseline is None or not (baseline.accepted or baseline.kind is ReactionKind.HELLO_RETRY_REQUEST):
        raise Missing(
            f"an ordinary hello was not accepted either, so {stimulus} shows nothing",
            "Run the observation again.",
            baseline.exchange if baseline else (),
        )
    answered = reaction.accepted or reaction.kind is ReactionKind.HELLO_RETRY_REQUEST
    if not answered and not reaction.refused:
        raise unanswered(reaction, stimulus)
    expect(reaction, evidence=(reaction.exchange, baseline.exchange), what=stimulus, show=shown).to_hold(
        answered and reaction.version in {None, version}, expected=f"accepted with {version_name(version)}"
    )


def not_applicable_without(server: Endpoint, *versions: int) -> None:
    """Raise `NotApplicable` if the server refuses one of `versions`, which the requirement supposes."""
    for version in versions:
        if not server.accepts(version):
            raise NotApplicable(f"{server.name} does not support {version_name(version)}")


def established(fact: bool | None, what: str, remedy: str = "Run the observation again.") -> bool:
    """`fact`, or `Missing` where it is None; `what` completes the sentence: it was not established whether."""
    if fact is None:
        raise Missing(f"it was not established {what}", remedy)
    return fact


def expect_no_signature(tls: TlsServer, what: Iterable[str], rule: Callable[[SignatureScheme], bool]) -> None:
    """The server never signed a handshake with a scheme that `rule` is about, whatever it was offered."""
    seen = [
        (signature_scheme(each.code), version, each.exchange)
        for server in tls.endpoints
        for version, schemes in server.signatures.items()
        for each in schemes
    ]
    offending = [(f"{scheme.name} in {version_name(version)}", at) for scheme, version, at in seen if rule(scheme)]
    expect(
        [name for name, _ in offending], evidence=[at for _, at in offending], what="handshake signatures"
    ).to_be_empty(expected=f"no handshake is signed with {' '.join(what)}")
    tls.every_scheme_was_offered(TLS12, TLS13)
