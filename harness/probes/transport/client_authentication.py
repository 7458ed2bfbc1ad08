"""kind ``tls.client-authentication``: is a client certificate asked for, and which ones are let in?"""

from __future__ import annotations

from harness.certificates import distinguished_name
from harness.dicom_ul import ABORT, ASSOCIATE_RJ, PDU_NAMES, abort
from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS12, TLS13, ClientAuthentication, CredentialTrial
from harness.probes.base import ProbeContext
from harness.probes.transport.http_answers import admitted_by_http, read_http_answer
from harness.probes.transport.session import Incoming, Session
from harness.probes.transport.session_credentials import ClientIdentity, unknown_identity
from harness.probes.transport.session_offers import (
    given_identity,
    greeting,
    no_version,
    offer_of,
    supported_versions,
    told,
)
from reference_impl.transport.wire.messages import CertificateRequest

_MAX_AUTHORITIES = 100
_ECDSA_SIGN = 64


def _from_data(session: Session, data: bytes, credential: str) -> tuple[bool | None, str]:
    """Whether application data means that the credential was let in: it may be a refusal above TLS."""
    protocol = session.context.target.protocol
    if protocol == "https":
        return admitted_by_http(read_http_answer(session, data), credential)
    if protocol == "dicom-tls":
        session.send(abort())
        if credential != "given" and data[0] in {ASSOCIATE_RJ, ABORT}:
            return None, f"{PDU_NAMES[data[0]]}: because of the certificate, or of the AE titles"
    return True, "application data came back"


def _after_handshake(session: Session, completed: Reaction, credential: str) -> tuple[bool | None, Reaction]:
    """Whether the server goes on with us: what follows the handshake tells, in TLS 1.3 that alone.

    Silence tells nothing: a server may be slow to refuse, or hold its tongue with those whom it does not know.
    """
    silence = session.context.deadlines.silence
    first = greeting(session.context.target)
    if first:
        session.send(first)
    else:
        session.close_writing()  # a server that let us in closes in good order
    incoming = Incoming(alert=0)
    while incoming.alert is not None or incoming.message is not None:
        incoming = session.read(silence)
    if incoming.data is not None:
        admitted, detail = _from_data(session, incoming.data, credential)
        return admitted, completed.model_copy(update={"detail": detail})
    end = incoming.end or completed
    if end.kind is ReactionKind.SILENCE:
        return None, completed.model_copy(update={"detail": "neither refused nor answered until the deadline"})
    if not first and end.kind is ReactionKind.CLOSE:
        return (True, completed) if end.detail == "close_notify" else (None, end)
    return (False, end) if end.refused else (None, end)


def _admitted(session: Session, reaction: Reaction, credential: str) -> tuple[bool | None, Reaction]:
    if reaction.kind is ReactionKind.COMPLETED:
        # Nobody who asks for no certificate refuses one: the handshake is all there is to see.
        return (True, reaction) if session.flight.request is None else _after_handshake(session, reaction, credential)
    return (False, reaction) if session.flight.request is not None and reaction.refused else (None, reaction)


def _trial(
    context: ProbeContext, version: int, credential: str, identity: ClientIdentity | None
) -> tuple[CredentialTrial, Session]:
    purpose = f"client authentication: certificate {credential}"
    with Session(context, offer_of(context, version, identity=identity), purpose) as session:
        admitted, reaction = _admitted(session, session.handshake(), credential)
    return CredentialTrial(credential=credential, version=version, admitted=admitted, reaction=reaction), session


def _told_apart(given: CredentialTrial, unknown: CredentialTrial) -> CredentialTrial:
    """The trial of the given certificate in the light of that of an unknown authority in the same version.

    Both are handled alike. So where the unknown authority's was refused, and the given one met with something else that
    is no refusal (silence, a question for a password), the given one was let in.
    """
    unlike = (given.reaction.kind, given.reaction.detail) != (unknown.reaction.kind, unknown.reaction.detail)
    if (
        given.admitted is None
        and given.reaction.kind is ReactionKind.COMPLETED
        and unknown.admitted is False
        and unlike
    ):
        return given.model_copy(update={"admitted": True})
    return given


def _stranger(request: CertificateRequest) -> ClientIdentity:
    """A made-up identity of a key type that the server accepts."""
    ecdsa = _ECDSA_SIGN in request.certificate_types if request.certificate_types else 0x0403 in request.schemes
    return unknown_identity("ec" if ecdsa and (not request.schemes or 0x0403 in request.schemes) else "rsa")


def probe_client_authentication(context: ProbeContext) -> Observation:
    """CertificateRequest per version; then no certificate, one of an unknown authority, and the one given."""
    supported = supported_versions(context)
    versions = [version for version in supported if version in {TLS12, TLS13}] or list(supported[:1])
    if not versions:
        missing = no_version("a CertificateRequest").missing
        return context.observed("tls.client-authentication", None, missing=missing)
    requested: dict[int, bool] = {}
    authorities: dict[str, None] = {}
    trials: list[CredentialTrial] = []
    exchanges: list[str] = []
    for version in versions:
        trial, session = _trial(context, version, "none", None)
        exchanges.append(session.id)
        request = session.flight.request
        if request is None and not session.established:
            continue
        requested[version] = request is not None
        trials.append(trial)
        if request is None:
            continue
        authorities.update(dict.fromkeys(map(distinguished_name, request.authorities[:_MAX_AUTHORITIES])))
        given = given_identity(context.target.credentials)
        if version < TLS12:
            continue  # signatures of MD5 and SHA-1 together are not made here
        unknown, session = _trial(context, version, "unknown-authority", _stranger(request))
        exchanges.append(session.id)
        trials.append(unknown)
        if given is not None:
            trial, session = _trial(context, version, "given", given)
            exchanges.append(session.id)
            trials.append(_told_apart(trial, unknown))
    if not requested:
        missing = f"no handshake went far enough to show a CertificateRequest: {told(trial.reaction)}"
        return context.observed("tls.client-authentication", None, missing=missing, exchanges=tuple(exchanges))
    facts = ClientAuthentication(
        requested=requested,
        authorities=tuple(authorities),
        trials=tuple(trials),
        credentials_given=context.target.credentials is not None,
    )
    return context.observed("tls.client-authentication", facts, exchanges=tuple(exchanges))
