"""Reactions of a server in words."""

from __future__ import annotations

from harness import Missing, Reaction, ReactionKind
from reference_impl.transport.registry import alert_name, suite, version_name


def shown(reaction: Reaction) -> str:
    """A reaction in words."""
    match reaction.kind:
        case ReactionKind.SERVER_HELLO | ReactionKind.COMPLETED:
            chosen = [version_name(reaction.version)] if reaction.version is not None else []
            chosen += [suite(reaction.suite).name] if reaction.suite is not None else []
            return " ".join(["accepted", *chosen])
        case ReactionKind.ALERT:
            return f"alert {alert_name(reaction.alert)}" if reaction.alert is not None else "an alert"
        case kind:
            return WORDS[kind]


WORDS = {
    ReactionKind.HELLO_RETRY_REQUEST: "a request for another hello",
    ReactionKind.CLOSE: "connection closed without an alert",
    ReactionKind.RESET: "connection reset",
    ReactionKind.SILENCE: "no answer before the deadline",
    ReactionKind.PLAINTEXT: "an answer that is no TLS",
    ReactionKind.MALFORMED: "an answer that breaks the TLS format",
    ReactionKind.UNREACHABLE: "no connection",
}


def unanswered(reaction: Reaction, stimulus: str) -> Missing:
    """The outcome for a reaction that establishes nothing."""
    detail = f" ({reaction.detail})" if reaction.detail else ""
    return Missing(
        f"{stimulus} got {shown(reaction)}{detail}, which establishes nothing",
        "Look for a firewall or a connection limit between harness and server, and run the observation again.",
        reaction.exchange,
    )
