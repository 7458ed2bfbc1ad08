"""What answers at the address: TLS, unencrypted DICOM, HTTP, something that speaks first, or nothing."""

from __future__ import annotations

from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS10, TLS12, Reachability
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.control import ordinary_hello, remember
from harness.probes.transport.exchange import Manner, attend, converse
from harness.probes.transport.listening import UNFINISHED, RawListener, Ssl2Listener
from harness.probes.transport.upper_layer import answer_type, association_request, pdu_complete
from reference_impl.transport import registry
from reference_impl.transport.wire import Ssl2ClientHello

KIND = "tls.reachability"
_TLS_ANSWERS = frozenset({ReactionKind.SERVER_HELLO, ReactionKind.HELLO_RETRY_REQUEST, ReactionKind.ALERT})
_QUIET = Manner(silence_likely=True)
_UNREACHED = {
    "refused": "The port refuses connections: nothing listens there, or a firewall rejects them.",
    "timeout": "No answer to the connection request: the host is down, or a firewall drops it silently.",
    "unresolved": "The host name cannot be resolved: check its spelling and the name server.",
    "unreachable": "There is no route to the host.",
}


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.reachability``."""
    first = _first(context)
    if first.kind is ReactionKind.UNREACHABLE:
        return _unreached(context, first)
    seen = [first]
    if first.kind not in _TLS_ANSWERS:
        seen += _older_hellos(context)
    if any(reaction.kind in _TLS_ANSWERS for reaction in seen):
        return _observed(context, Reachability(address=_address(context), tcp="connected", speaks="tls", hello=first))
    half = next((reaction for reaction in seen if _half_tls(reaction)), None)
    if half is not None:
        diagnosis = f"What answers begins like TLS and does not keep its format, or not the time: {half.detail}."
        return _observed(
            context,
            Reachability(
                address=_address(context), tcp="connected", speaks="unknown", diagnosis=diagnosis, hello=first
            ),
        )
    return _observed(context, _without_tls(context, first))


def _half_tls(reaction: Reaction) -> bool:
    """Whether something came that began like TLS and was no complete message."""
    return reaction.kind is ReactionKind.MALFORMED or reaction.detail.endswith(UNFINISHED)


def _first(context: ProbeContext) -> Reaction:
    """The answer to an ordinary hello; asked again after a failed connection or a reset, not after silence."""
    purpose = "reachability: an ordinary ClientHello"
    reaction = _asked(context, purpose, ordinary_hello(context.target), Manner(once=True))
    if reaction.kind in {ReactionKind.UNREACHABLE, ReactionKind.RESET}:
        return _asked(context, f"{purpose}, second try", ordinary_hello(context.target), Manner(once=True))
    return reaction


def _asked(context: ProbeContext, purpose: str, stimulus: bytes, manner: Manner) -> Reaction:
    """The reaction to a hello, which is the control of later ones if it is answered with TLS."""
    reaction = converse(context, purpose, stimulus, manner).reaction
    if reaction.kind in _TLS_ANSWERS:
        remember(context, stimulus)
    return reaction


def _older_hellos(context: ProbeContext) -> list[Reaction]:
    """Answers to hellos that a server which chokes on newer ones may still know, up to the first TLS answer."""
    seen: list[Reaction] = []
    for version in (TLS12, TLS10):
        hello = hellos.legacy_hello(context.target, hellos.ORDINARY_SUITES, version)
        name = registry.version_name(version)
        seen.append(_asked(context, f"reachability: a {name} hello", hello.to_records(), _QUIET))
        if seen[-1].kind in _TLS_ANSWERS:
            return seen
    hello2 = Ssl2ClientHello(tuple(registry.SSL2_CIPHER_KINDS))
    seen.append(attend(context, "reachability: an SSL 2.0 hello", hello2.encode(), Ssl2Listener(), _QUIET))
    return seen


def _without_tls(context: ProbeContext, first: Reaction) -> Reachability:
    """Find out what speaks there instead of TLS."""
    address = _address(context)

    def found(speaks: str, octets: bytes, diagnosis: str) -> Reachability:
        return Reachability(
            address=address,
            tcp="connected",
            speaks=speaks,
            first_bytes=octets[:64].hex(),
            diagnosis=diagnosis,
            hello=first,
        )

    greeting = _raw(context, "reachability: nothing sent", b"")
    if greeting:
        text = greeting[:40].decode("ascii", "backslashreplace").strip()
        return found("speaks-first", greeting, f"What listens there speaks first ({text!r}), and not TLS.")
    target = context.target
    request = association_request(target.calling_aet, target.called_aet)
    answer = _raw(context, "reachability: a plaintext A-ASSOCIATE-RQ", request)
    if answer_type(answer) is not None:
        return found("plain-dicom", answer, "This port speaks unencrypted DICOM: TLS is not in use there.")
    for purpose, stimulus in (
        ("reachability: an HTTP request", b"GET / HTTP/1.1\r\nHost: ps315.invalid\r\nConnection: close\r\n\r\n"),
        ("reachability: a ClientHello, whatever the answer", ordinary_hello(target)),
    ):
        octets = answer if answer.startswith(b"HTTP/") else _raw(context, purpose, stimulus)
        if octets.startswith(b"HTTP/"):
            return found("http", octets, "This port speaks unencrypted HTTP: TLS is not in use there.")
        answer = answer or octets
    if answer:
        return found("unknown", answer, f"What answers is neither TLS, DICOM nor HTTP (0x{answer[:8].hex()}).")
    if first.kind is ReactionKind.SILENCE:
        return found("silent", b"", "The port accepts connections and never answers: neither TLS nor plain DICOM.")
    return found(
        "unknown",
        b"",
        "The port accepts connections and closes them unanswered: it may admit known addresses only, or be busy.",
    )


def _raw(context: ProbeContext, purpose: str, stimulus: bytes) -> bytes:
    listener = RawListener(pdu_complete)
    attend(context, purpose, stimulus, listener, _QUIET)
    return listener.data


def _unreached(context: ProbeContext, reaction: Reaction) -> Observation:
    tcp = reaction.detail.partition(":")[0]
    facts = Reachability(
        address=_address(context),
        tcp=tcp if tcp in _UNREACHED else "unreachable",
        speaks="",
        diagnosis=_UNREACHED.get(tcp, f"No TCP connection: {reaction.detail}."),
        hello=reaction,
    )
    return _observed(context, facts)


def _address(context: ProbeContext) -> str:
    host, port = context.shared.get("address") or (context.target.host, context.target.port)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _observed(context: ProbeContext, facts: Reachability) -> Observation:
    exchanges = (facts.hello.exchange,) if facts.hello and facts.hello.exchange else ()
    return context.observed(KIND, facts, exchanges=exchanges)
