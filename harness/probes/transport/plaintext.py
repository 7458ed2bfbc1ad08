"""A plaintext association request, or syslog message, on the TLS port (B.12, A.6: what is exchanged is encrypted)."""

from __future__ import annotations

from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import Plaintext
from harness.probes.base import ProbeContext
from harness.probes.transport.control import settled
from harness.probes.transport.exchange import Manner, attend
from harness.probes.transport.listening import RawListener
from harness.probes.transport.upper_layer import answer_type, association_request, pdu_complete
from reference_impl.syslog_frames import frame

KIND = "tls.plaintext"
_MESSAGE = b"<85>1 - - PS315 - PS315-PLAINTEXT - A test of ps315: this message was sent without TLS."
_BROKEN_RECORD = bytes.fromhex("1603010005 01 000001 03")  # a ClientHello of one octet


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.plaintext``."""
    syslog = context.target.protocol == "syslog-tls"
    if syslog:
        what, request = "a syslog message", frame(_MESSAGE)
    else:
        what, request = "an A-ASSOCIATE-RQ", association_request(context.target.calling_aet, context.target.called_aet)
    reaction, answer = _asked(context, f"plaintext: {what} without TLS", request)
    if reaction.kind is ReactionKind.UNREACHABLE:
        why = f"No connection for {what} without TLS: {reaction.detail}."
        return context.observed(KIND, None, missing=why, exchanges=(reaction.exchange,) if reaction.exchange else ())
    broken = None
    if syslog and reaction.kind is ReactionKind.SILENCE:
        broken, _ = _asked(context, "plaintext: a record with a broken ClientHello, for comparison", _BROKEN_RECORD)
    facts = Plaintext(
        reaction=reaction,
        dicom_answer=not syslog and answer_type(answer) is not None,
        answer=answer[:64].hex(),
        broken_record=broken,
    )
    witnesses = tuple(each.exchange for each in (reaction, broken) if each is not None and each.exchange)
    return context.observed(KIND, facts, exchanges=witnesses)


def _asked(context: ProbeContext, purpose: str, request: bytes) -> tuple[Reaction, bytes]:
    """The reaction to `request`, and the octets that came."""

    def ask() -> tuple[Reaction, RawListener]:
        listener = RawListener(pdu_complete)
        return attend(context, purpose, request, listener, Manner(silence_likely=True)), listener

    reaction, listener = settled(
        context, ask(), ask, lambda tried: tried[0], lambda tried, outcome: (outcome, tried[1])
    )
    return reaction, listener.data
