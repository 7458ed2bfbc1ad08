"""A plaintext association request on the TLS port (B.12: all communications over the connection are encrypted)."""

from __future__ import annotations

from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import Plaintext
from harness.probes.base import ProbeContext
from harness.probes.transport.control import settled
from harness.probes.transport.exchange import Manner, attend
from harness.probes.transport.listening import RawListener
from harness.probes.transport.upper_layer import answer_type, association_request, pdu_complete

KIND = "tls.plaintext"


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.plaintext``."""
    request = association_request(context.target.calling_aet, context.target.called_aet)
    purpose = "plaintext: an A-ASSOCIATE-RQ without TLS"

    def ask() -> tuple[Reaction, RawListener]:
        listener = RawListener(pdu_complete)
        return attend(context, purpose, request, listener, Manner(silence_likely=True)), listener

    reaction, listener = settled(
        context, ask(), ask, lambda tried: tried[0], lambda tried, outcome: (outcome, tried[1])
    )
    if reaction.kind is ReactionKind.UNREACHABLE:
        why = f"No connection for a plaintext association request: {reaction.detail}."
        return context.observed(KIND, None, missing=why, exchanges=(reaction.exchange,) if reaction.exchange else ())
    facts = Plaintext(
        reaction=reaction, dicom_answer=answer_type(listener.data) is not None, answer=listener.data[:64].hex()
    )
    return context.observed(KIND, facts, exchanges=(reaction.exchange,))
