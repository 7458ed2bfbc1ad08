"""A connection ended without a TLS answer: does that refuse what was offered, or is nobody admitted for now?

A server that has reached a limit of connections, a block list, and a server that goes down look like a server that
refuses what it is offered. An ordinary hello, which was answered before, tells them apart: while it is answered, the
end of a connection speaks of the stimulus. Otherwise it establishes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from harness.observations import Reaction, ReactionKind
from harness.observations.transport import TLS10, TLS11, TLS12, TLS13, Reachability
from harness.probes.base import ProbeContext, TlsTarget
from harness.probes.transport import hellos

MUTE = frozenset({ReactionKind.CLOSE, ReactionKind.RESET})
"""Ends of a connection without a TLS answer."""
ADMITS_NOBODY = (
    "the connection was ended unanswered, as that of an ordinary hello was then: "
    "a limit on connections, a block list, or a server that has gone down"
)
_TLS_ANSWERS = frozenset({ReactionKind.SERVER_HELLO, ReactionKind.HELLO_RETRY_REQUEST, ReactionKind.ALERT})
_CONTROL, _UNSTEADY = "control hello", "unsteady"
_TRIES, _MORE_TRIES = 2, 4
_PAUSE = 0.25  # seconds for a server that admits so many connections a second

TriedT = TypeVar("TriedT")


def ordinary_hello(target: TlsTarget) -> bytes:
    """The records of a hello that nearly every server answers: TLS 1.3 to 1.0, no key share."""
    suites = hellos.TLS13_SUITES + hellos.ORDINARY_SUITES
    return hellos.tls13_hello(target, suites, versions=(TLS13, TLS12, TLS11, TLS10), shares=()).to_records()


def remember(context: ProbeContext, stimulus: bytes) -> None:
    """Keep a stimulus that the server has answered with TLS as the control of what comes."""
    context.shared[_CONTROL] = stimulus


def settled(
    context: ProbeContext,
    tried: TriedT,
    again: Callable[[], TriedT],
    reaction: Callable[[TriedT], Reaction],
    nobody: Callable[[TriedT, Reaction], TriedT],
) -> TriedT:
    """What a stimulus brought that was `tried` once: an end without an answer is believed if a control is answered.

    Otherwise `nobody` makes the outcome of the last try one that establishes nothing. A server found to be unsteady
    (what it left unanswered it then answered) is tried more often.
    """
    stimulus = _control(context)
    if stimulus is None:
        return again() if reaction(tried).kind is ReactionKind.RESET else tried
    turn, believed = 1, False
    while reaction(tried).kind in MUTE and turn < _tries(context):
        answered = _is_answered(context, stimulus)
        if not answered:
            time.sleep(_PAUSE)
        first, tried, turn = tried, again(), turn + 1
        believed = believed or answered
        if reaction(first).kind in MUTE and reaction(tried).kind in _TLS_ANSWERS:
            context.shared[_UNSTEADY] = True
    final = reaction(tried)
    if final.kind not in MUTE or believed:
        return tried
    return nobody(tried, final.model_copy(update={"kind": ReactionKind.UNREACHABLE, "detail": ADMITS_NOBODY}))


def _control(context: ProbeContext) -> bytes | None:
    """The control; none while it is not known that TLS is spoken. After an interruption it is the ordinary hello."""
    if _CONTROL not in context.shared:
        reached = context.facts(Reachability)
        if reached is None or reached.speaks != "tls":
            return None
        remember(context, ordinary_hello(context.target))
    stimulus = context.shared[_CONTROL]
    return stimulus if isinstance(stimulus, bytes) else None


def _tries(context: ProbeContext) -> int:
    return _MORE_TRIES if context.shared.get(_UNSTEADY) else _TRIES


def _is_answered(context: ProbeContext, stimulus: bytes) -> bool:
    from harness.probes.transport.exchange import attend
    from harness.probes.transport.listening import TlsListener

    purpose = "control: an ordinary hello, after a connection ended without an answer"
    return attend(context, purpose, stimulus, TlsListener()).kind in _TLS_ANSWERS
