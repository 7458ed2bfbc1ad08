"""A small time-stamping authority (RFC 3161), behind HTTP, with switchable deviations: for tests and demonstrations."""

from __future__ import annotations

import hashlib
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from reference_impl.connections import Listener
from reference_impl.http_server import HttpServer
from reference_impl.signatures.signed_data import BROKEN, HASHES
from reference_impl.signatures.timestamp_reply import Reply
from reference_impl.signatures.timestamp_requests import QUERY, REPLY, make_request

POLICY = "1.2.826.0.1.3680043.10.1569.3161"
"""The policy of this authority; it has no meaning but to be told apart."""
_LARGEST_REQUEST = 1 << 13

Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class TsaDeviations:
    """What the authority does wrongly, nothing by default. A certificate that does not fit is simply given to it."""

    status: Literal["granted", "granted_with_mods", "rejection", "waiting"] = "granted"
    words: tuple[str, ...] = ()
    failure: str = ""
    """Of PKIFailureInfo: "bad_alg", "unaccepted_policy", ..."""
    nonce: Literal["same", "other", "none"] = "same"
    alter_imprint: Change | None = None
    alter_content: Change | None = None
    """Changes what is signed after it was signed."""
    alter_signature: Change | None = None
    signing_certificate: Literal["v2", "v1", "none", "other"] = "v2"
    attribute_type: str = ""
    """The content type that the signed attributes name instead (an object identifier)."""
    unsigned_attributes: bool = False
    """There are no signed attributes: the signature is over the content itself."""
    with_certificate: bool | None = None
    """None: where it is asked for."""
    moved: timedelta = timedelta(0)
    version: int = 1
    policy: str = POLICY
    token: bool = True
    """False: what is granted is not sent."""
    media_type: str = REPLY
    http_status: int = HTTPStatus.OK


@dataclass(frozen=True)
class TimestampAuthority:
    """Stamps with a certificate (RSA or ECDSA), its key, and the certificates between it and a trust anchor."""

    certificate: x509.Certificate
    key: Any
    chain: tuple[x509.Certificate, ...] = ()
    deviations: TsaDeviations = TsaDeviations()

    def stamp(self, signature_value: bytes, algorithm: str = "SHA256", *, at: datetime | None = None) -> bytes:
        """The token (DER) for the value of Signature (0400,0120), as of `at` (aware) or now."""
        request = tsp.TimeStampReq.load(make_request(signature_value, algorithm))
        return bytes(self._token(request, at).dump())

    def reply(self, request: bytes) -> bytes:
        """The DER reply to a DER request; a rejection to what is none."""
        deviations = self.deviations
        try:
            read = tsp.TimeStampReq.load(request, strict=True)
            failure = _failure(read)
            if failure or deviations.status in {"rejection", "waiting"}:
                status = "rejection" if failure else deviations.status
                return _status(status, failure or deviations.failure, deviations.words)
            token = self._token(read, None) if deviations.token else None
        except BROKEN:
            return _status("rejection", "bad_data_format", ())
        return _status(deviations.status, "", deviations.words, token)

    def _token(self, request: Any, at: datetime | None) -> Any:
        content = self._content(request, at)
        attributes = self._attributes(content)
        signed = content if self.deviations.unsigned_attributes else b"\x31" + attributes.dump()[1:]
        signature = self._sign(signed)
        alter_content, alter_signature = self.deviations.alter_content, self.deviations.alter_signature
        certificates = (self.certificate, *self.chain)
        asked = self.deviations.with_certificate
        embedded = [asn1_x509.Certificate.load(_der(one)) for one in certificates]
        signer: dict[str, Any] = {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": {
                        "issuer": asn1_x509.Name.load(self.certificate.issuer.public_bytes()),
                        "serial_number": self.certificate.serial_number,
                    }
                }
            ),
            "digest_algorithm": {"algorithm": "sha256"},
            "signature_algorithm": {"algorithm": "sha256_rsa" if self._is_rsa else "sha256_ecdsa"},
            "signature": alter_signature(signature) if alter_signature else signature,
        }
        if not self.deviations.unsigned_attributes:
            signer["signed_attrs"] = attributes
        data: dict[str, Any] = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {
                "content_type": "tst_info",
                "content": cms.ParsableOctetString(alter_content(content) if alter_content else content),
            },
            "signer_infos": [signer],
        }
        if asked or (asked is None and request["cert_req"].native):
            data["certificates"] = embedded
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})

    def _content(self, request: Any, at: datetime | None) -> bytes:
        """TSTInfo in DER."""
        deviations = self.deviations
        imprint = request["message_imprint"].copy()
        if deviations.alter_imprint is not None:
            imprint["hashed_message"] = deviations.alter_imprint(imprint["hashed_message"].native)
        info: dict[str, Any] = {
            "version": deviations.version,
            "policy": request["req_policy"].dotted if request["req_policy"].native else deviations.policy,
            "message_imprint": imprint,
            "serial_number": secrets.randbits(64),
            "gen_time": ((at or datetime.now(UTC)) + deviations.moved).astimezone(UTC).replace(microsecond=0),
            "accuracy": {"seconds": 1},
        }
        nonce = {"same": request["nonce"].native, "other": secrets.randbits(64), "none": None}[deviations.nonce]
        return bytes(tsp.TSTInfo(info if nonce is None else {**info, "nonce": nonce}).dump())

    def _attributes(self, content: bytes) -> Any:
        kind = self.deviations.attribute_type or "tst_info"
        attributes = [
            {"type": "content_type", "values": [cms.ContentType(kind)]},
            {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
        ]
        der = _der(self.certificate)
        named = self.deviations.signing_certificate
        if named == "v1":
            digest = hashlib.sha1(der, usedforsecurity=False).digest()
            value = tsp.SigningCertificate({"certs": [{"cert_hash": digest}]})
            attributes.append({"type": "signing_certificate", "values": [value]})
        elif named != "none":
            digest = hashlib.sha256(der if named == "v2" else der + b"\0").digest()
            value = tsp.SigningCertificateV2({"certs": [{"cert_hash": digest}]})
            attributes.append({"type": "signing_certificate_v2", "values": [value]})
        return cms.CMSAttributes(attributes)

    @property
    def _is_rsa(self) -> bool:
        return isinstance(self.key, rsa.RSAPrivateKey)

    def _sign(self, octets: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(octets, ec.ECDSA(hashes.SHA256()))
        raise ValueError("a time-stamping authority has an RSA or an ECDSA key here")


class TsaServer(Listener):
    """A port behind which an authority answers requests by HTTP (RFC 3161 3.4). `received` are the requests (DER)."""

    def __init__(self, authority: TimestampAuthority, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port, name="tsa", backlog=16)
        self.received: list[bytes] = []
        self._http = HttpServer(partial(_Handler, authority, self.received))

    @property
    def url(self) -> str:
        """Where to send requests."""
        host, port = self.address
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def stop(self, timeout: float = 10.0) -> None:
        """Close the port and every connection."""
        super().stop(timeout)
        self._http.stop(timeout)

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        self._http.take(client, address)


class _Handler(BaseHTTPRequestHandler):
    """Answers POST with what the authority replies."""

    protocol_version = "HTTP/1.1"
    server_version = "PS315-TSA"
    sys_version = ""
    timeout = 10.0

    def __init__(self, authority: TimestampAuthority, received: list[bytes], *rest: Any) -> None:
        self._authority = authority
        self._received = received
        super().__init__(*rest)

    def do_POST(self) -> None:
        """Reply to a request of the right kind and size."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Content-Type") != QUERY:
            self._answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "text/plain", b"")
        elif not length.isdigit() or int(length) > _LARGEST_REQUEST:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "text/plain", b"")
        else:
            request = self.rfile.read(int(length))
            self._received.append(request)
            deviations = self._authority.deviations
            self._answer(deviations.http_status, deviations.media_type, self._authority.reply(request))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
        """Keep no log."""

    def _answer(self, status: int, media_type: str, body: bytes) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _failure(request: Any) -> str:
    """Why a request cannot be granted, empty where it can."""
    imprint = request["message_imprint"]
    oid, octets = imprint["hash_algorithm"]["algorithm"].dotted, imprint["hashed_message"].native
    if oid not in HASHES:
        return "bad_alg"
    if len(octets) != hashlib.new(HASHES[oid], usedforsecurity=False).digest_size:
        return "bad_data_format"
    return "unaccepted_extensions" if request["extensions"].native else ""


def _status(status: str, failure: str, words: tuple[str, ...], token: Any = None) -> bytes:
    info: dict[str, Any] = {"status": status}
    if words:
        info["status_string"] = list(words)
    if failure:
        info["fail_info"] = {failure}
    return bytes(Reply({"status": info} if token is None else {"status": info, "token": token}).dump())


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


__all__ = ["POLICY", "TimestampAuthority", "TsaDeviations", "TsaServer"]
