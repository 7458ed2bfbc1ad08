"""kind ``tls.client-authentication``: is a client certificate asked for, and which ones are let in?"""

from __future__ import annotations

from harness.certificates import distinguished_name
from harness.observations import Observation, ReactionKind
from harness.observations.transport import TLS12, TLS13, ClientAuthentication, CredentialTrial
from harness.probes.base import ProbeContext
from harness.probes.transport.admission import admission
from harness.probes.transport.session import Session
from harness.probes.transport.session_credentials import ClientIdentity, unknown_identity
from harness.probes.transport.session_offers import (
    given_identity,
    no_version,
    offer_of,
    supported_versions,
    told,
)
from reference_impl.transport.wire.messages import CertificateRequest

_MAX_AUTHORITIES = 100
_ECDSA_SIGN = 64


def _trial(
    context: ProbeContext, version: int, credential: str, identity: ClientIdentity | None
) -> tuple[CredentialTrial, Session]:
    purpose = f"client authentication: certificate {credential}"
    with Session(context, offer_of(context, version, identity=identity), purpose) as session:
        seen = admission(session, session.handshake(), credential)
    admitted = seen.admitted
    if credential == "given" and admitted is None and context.target.protocol == "dicom-tls":
        admitted = True if seen.stage == "association" else None  # TLS let it in; the rejection is about the AE titles
    return CredentialTrial(credential=credential, version=version, admitted=admitted, reaction=seen.reaction), session


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
