"""What judgements of a TLS client have in common: trials that it breaks off or goes on with, suites that it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness import TLS12, TLS13, ClientConnection, Missing, NotApplicable, expect
from reference_impl.transport.registry import CipherSuite, suite
from suites.transport.client_view import ORDINARY, ORDINARY_TLS12, ClientEndpoint, Played, TlsClient, broken_off
from suites.transport.client_words import shown, taken
from suites.transport.expectations import judged_everywhere, named_as
from suites.transport.view import SuiteRule

REFUSALS = ("alert", "connection closed", "connection reset", "nothing sent after the handshake")
ClientJudgement = Callable[[ClientEndpoint], None]


def at_every_client_endpoint(judge: ClientJudgement) -> Callable[[TlsClient], None]:
    """Make a judgement of one endpoint one of all endpoints of the claim; the worst outcome is the verdict."""

    def judge_all(client: TlsClient) -> None:
        judged_everywhere(judge, client.endpoints)

    return named_as(judge, judge_all)


def expect_refused(client: ClientEndpoint, trials: Iterable[str]) -> None:
    """The client takes none of `trials`: one that it goes on with is a deviation, whatever the others show.

    Not applicable where none of them can be; one that is missing makes it inconclusive, and so do refusals by a client
    that does not go on with an ordinary server either.
    """
    seen, missing, inapplicable = played_of(client, trials)
    accepted = [(each, connection) for each in seen for connection in each.accepted]
    if seen:
        expect(
            [f"{each}: {taken(connection)}" for each, connection in accepted],
            evidence=[connection.exchange for _, connection in accepted]
            or [at for each in seen for at in each.exchanges],
            what="trials that were to be broken off",
        ).to_be_empty(expected=REFUSALS)
    if missing:
        raise missing[0]
    if not seen:
        raise inapplicable[0]
    client.control(*seen)
    for each in seen:
        told(each)


def expect_gone_on(client: ClientEndpoint, trials: Iterable[str], coped: Callable[[Played], bool | None]) -> None:
    """The client copes with everything in `trials`; `coped` tells, None where that was not seen."""
    seen, missing, inapplicable = played_of(client, trials)
    if seen:
        client.control(*(each for each in seen if each.trial.id != ORDINARY_TLS12))  # that is a control itself
    broken = [each for each in seen if coped(each) is False]
    if seen:
        expect(
            [f"{each}: {shown(each.connections[-1])}" for each in broken],
            evidence=[at for each in broken or seen for at in each.exchanges],
            what="trials that were to be gone on with",
        ).to_be_empty(expected="gone on with, to the end")
    if missing:
        raise missing[0]
    if not seen:
        raise inapplicable[0]
    for each in seen:
        if coped(each) is None:
            raise unclear(each)


def went_on(played: Played) -> bool | None:
    """Whether the client took the trial; None if it neither took it nor ended it."""
    if played.accepted:
        return True
    return False if played.refused else None


def played_of(client: ClientEndpoint, trials: Iterable[str]) -> tuple[list[Played], list[Missing], list[NotApplicable]]:
    """The trials that were played, and why the others were not."""
    seen: list[Played] = []
    missing: list[Missing] = []
    inapplicable: list[NotApplicable] = []
    for trial in trials:
        try:
            seen.append(client.played(trial))
        except Missing as reason:
            missing.append(reason)
        except NotApplicable as reason:
            inapplicable.append(reason)
    if not (seen or missing or inapplicable):
        raise Missing("there is no trial for this", "Update ps315.")
    return seen, missing, inapplicable


def told(played: Played) -> None:
    """Raise `Missing` unless the client ended the trial, or took it."""
    if not played.accepted and not played.refused:
        raise unclear(played)


def unclear(played: Played) -> Missing:
    """The outcome of a trial that the client neither took nor ended."""
    return Missing(
        f"the client neither went on in trial {played} nor broke it off: {shown(played.connections[0])}",
        "Give the client more time, and run the observation again.",
        played.exchanges,
    )


def copes(client: ClientEndpoint) -> Callable[[Played], bool | None]:
    """What tells whether the client came as far in a trial as in the ordinary one."""
    far = max((reached(each) for each in client.played(ORDINARY).accepted), default=0)

    def coped(played: Played) -> bool | None:
        if any(reached(each) >= far and not complained(each) for each in played.accepted):
            return True
        return False if any(broken_off(each) for each in played.connections) else None

    return coped


def reached(connection: ClientConnection) -> int:
    """How far a client came: 3 answered operations, 2 an accepted association, 1 application data."""
    if connection.operations:
        return 3
    if connection.association_accepted:
        return 2
    return 1 if connection.application_octets else 0


def complained(connection: ClientConnection) -> bool:
    """Whether the client ended it by a fatal alert."""
    return bool(connection.alert) and connection.fatal is not False


def expect_no_suite_in_use(client: ClientEndpoint, what: str, rule: SuiteRule) -> None:
    """The client goes on with no suite that `rule` is about; `what` names them.

    What it offers of them has to have been selected by a trial. What it does not offer it cannot use.
    """
    used = client.suites_in_use(rule)
    expect(
        [str(each) for each in used], evidence=[each.exchange for each in used] or client.hello_exchange
    ).to_be_empty(expected=f"no {what} in use")
    offered = client.offered(rule)
    for each in offered:
        settled_by_trial(client, each)


def settled_by_trial(client: ClientEndpoint, offered: CipherSuite) -> None:
    """Raise `Missing` unless it was seen what the client does when a server selects a suite of the class of `offered`.

    One that it goes on with is in use, and judged as such.
    """
    trials = class_trials(offered)
    if not trials:
        raise Missing(
            f"the client offers {offered.name} at {client.name}, and no trial selects it",
            "Remove the cipher suite from the client's configuration.",
            client.hello_exchange,
        )
    selected: dict[int, Played] = {}
    for trial in trials:
        played = client.played(trial)
        if not played.accepted:
            client.control(played)
            told(played)
            return
        selected |= {each.suite: played for each in played.accepted if each.suite is not None}
    if offered.code not in selected:
        named = ", ".join(suite(code).name for code in selected) or "a suite that was not recorded"
        raise Missing(
            f"the client offers {offered.name} at {client.name}, but trial {trials[0]} selected {named}",
            "Remove the cipher suite from the client's configuration.",
            played.exchanges,
        )


def expect_offered(client: ClientEndpoint, recommended: tuple[int, ...]) -> None:
    """The client's hello offers every one of the `recommended` cipher suites; not applicable without TLS 1.2."""
    client.not_without(TLS12)
    expect(
        sorted(set(client.hello.suites) & set(recommended)),
        evidence=client.hello_exchange,
        what="recommended suites offered",
        show=lambda code: suite(code).name,
    ).to_contain(recommended)


def class_trials(offered: CipherSuite) -> tuple[str, ...]:
    """The trials that select a suite of a class to which `offered` belongs."""
    from reference_impl.transport.trials import SUITE_CLASSES, offered_class  # late: only such offers need it

    return tuple(f"suite-{name}" for name in SUITE_CLASSES if offered_class(name, (offered.code,)))


# -- conditions


def offers_both_versions(client: ClientEndpoint) -> None:
    """Raise `NotApplicable` unless the client offers TLS 1.3 and TLS 1.2."""
    client.not_without(TLS13)
    client.not_without(TLS12)


def offers_tls13(client: ClientEndpoint) -> None:
    """Raise `NotApplicable` unless the client offers TLS 1.3."""
    client.not_without(TLS13)


def offers_tls12(client: ClientEndpoint) -> None:
    """Raise `NotApplicable` unless the client offers TLS 1.2."""
    client.not_without(TLS12)


def offers_alpn(client: ClientEndpoint) -> None:
    """Raise `NotApplicable` unless the client offers application protocols."""
    if client.hello.alpn is None:
        raise NotApplicable(f"the client offers no protocol by ALPN at {client.name}", client.hello_exchange)
