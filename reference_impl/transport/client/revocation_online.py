"""Asking the places that a certificate names: its revocation list and its OCSP responder (RFC 5280 4.2, RFC 6960 A).

A place that cannot be reached in time, or answers something else, is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from reference_impl.http_exchange import HttpExchangeError, ask

_MAXIMUM_OCTETS = 1 << 20
_MAXIMUM_PLACES = 4
_OK = 200


@dataclass(frozen=True)
class OnlineRevocation:
    """Asks over HTTP, each place at most `seconds`."""

    seconds: float = 2.0

    def lists(self, certificate: x509.Certificate) -> tuple[x509.CertificateRevocationList, ...]:
        """The revocation lists of the distribution points that `certificate` names."""
        found = []
        for place in _list_places(certificate)[:_MAXIMUM_PLACES]:
            data = self._ask(place)
            if data is not None:
                try:
                    found.append(x509.load_der_x509_crl(data))
                except ValueError:
                    continue
        return tuple(found)

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        """The OCSP response (DER) of the first responder of `certificate` that answers."""
        places = _responders(certificate)[:_MAXIMUM_PLACES]
        if not places:
            return None
        # SHA-1 is a lookup key here, not a signature, and the one that every responder knows.
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
        question = builder.build().public_bytes(serialization.Encoding.DER)
        answers = (self._ask(place, question) for place in places)
        return next((answer for answer in answers if answer is not None), None)

    def _ask(self, place: str, question: bytes | None = None) -> bytes | None:
        if not place.lower().startswith("http://"):
            return None
        kind = "application/ocsp-request" if question else ""
        try:
            answer = ask(place, question, kind, seconds=self.seconds, largest=_MAXIMUM_OCTETS)
        except HttpExchangeError:
            return None
        return answer.body if answer.status == _OK else None


def _list_places(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    names = (name for point in points for name in point.full_name or ())
    return [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]


def _responders(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [
        one.access_location.value
        for one in access
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    ]
