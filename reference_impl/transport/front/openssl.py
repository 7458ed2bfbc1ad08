"""The conforming stack: OpenSSL by pyOpenSSL over memory, so that the front alone touches sockets."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dh
from OpenSSL import SSL, crypto
from tlslite.mathtls import RFC7919_GROUPS

from reference_impl.transport.front.settings import FrontSettings, Identity, PathStep

OPENSSL_NAMES: dict[int, str] = {
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xC027: "ECDHE-RSA-AES128-SHA256",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xC0AC: "ECDHE-ECDSA-AES128-CCM",
    0xC0AD: "ECDHE-ECDSA-AES256-CCM",
    0xC0AE: "ECDHE-ECDSA-AES128-CCM8",
    0xC0AF: "ECDHE-ECDSA-AES256-CCM8",
    0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
    0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
    0x002F: "AES128-SHA",
    0x009C: "AES128-GCM-SHA256",
    0x009E: "DHE-RSA-AES128-GCM-SHA256",
    0x009F: "DHE-RSA-AES256-GCM-SHA384",
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0x1304: "TLS_AES_128_CCM_SHA256",
    0x1305: "TLS_AES_128_CCM_8_SHA256",
}
"""What OpenSSL calls the suites (code points of the IANA registry)."""

_FINITE_FIELD = frozenset({0x009E, 0x009F})
"""The suites above whose keys are exchanged over a finite field."""

CCM_8 = frozenset({0x1305, 0xC0AE, 0xC0AF})
"""Suites with a tag of 64 bits, which OpenSSL serves at security level 0 only."""

_VERIFY = {
    "off": SSL.VERIFY_NONE,
    "optional": SSL.VERIFY_PEER,
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}
_SESSION_SECONDS = 7200
_FORGIVEN = frozenset({0, 3, 11, 12, 33, 44})
"""No error, and those after which a certificate counts as not revoked: no list, none that is valid now, or for this."""
_LEAF_KEY_TOO_SMALL, _ISSUER_KEY_TOO_SMALL, _DIGEST_TOO_WEAK = 66, 67, 68
_TYPE_RSA_PSS = 912  # EVP_PKEY_RSA_PSS, which pyOpenSSL does not name
_LEAST_BITS = {crypto.TYPE_RSA: 2048, _TYPE_RSA_PSS: 2048, crypto.TYPE_EC: 224}


def build_context(settings: FrontSettings, security_level: int | None = None) -> SSL.Context:
    """Make the OpenSSL context that `settings` describe, at `security_level` or the settings' own.

    Raises OpenSSL.SSL.Error for what OpenSSL does not take.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(settings.minimum_version)
    context.set_max_proto_version(settings.maximum_version)
    level = settings.security_level if security_level is None else security_level
    names = [OPENSSL_NAMES[code] for code in settings.suites_tls_1_2]
    # TLS 1.2 out of range needs a list all the same: OpenSSL refuses an empty one.
    context.set_cipher_list((":".join(names) or "ECDHE+AESGCM").encode() + f":@SECLEVEL={level}".encode())
    context.set_tls13_ciphersuites(":".join(OPENSSL_NAMES[code] for code in settings.suites_tls_1_3).encode())
    context.set_options(
        SSL.OP_CIPHER_SERVER_PREFERENCE
        | SSL.OP_NO_COMPRESSION
        | SSL.OP_NO_RENEGOTIATION
        | SSL.OP_SINGLE_DH_USE
        | SSL.OP_SINGLE_ECDH_USE
        | settings.extra_options
    )
    if _FINITE_FIELD & set(settings.suites_tls_1_2):
        _use_finite_field_group(context)
    if settings.keep_secrets:
        context.set_keylog_callback(_keep_secret)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"ps315")
    context.set_timeout(_SESSION_SECONDS)
    if settings.only_curve is not None:
        context.set_tmp_ecdh(crypto.get_elliptic_curve(settings.only_curve))
    for identity in settings.identities:
        _use_chain(context, identity)
        context.use_privatekey(identity.key)
    _ask_for_client_certificate(context, settings)
    _staple(context, settings)
    if settings.protocols:
        _choose_protocol(context, settings.protocols)
    return context


def _use_finite_field_group(context: SSL.Context) -> None:
    """Exchange keys over ffdhe2048 (RFC 7919) in the suites of TLS_DHE_RSA: OpenSSL has no group of its own accord."""
    generator, prime = RFC7919_GROUPS[0]
    parameters = dh.DHParameterNumbers(prime, generator).parameters()
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(parameters.parameter_bytes(serialization.Encoding.PEM, serialization.ParameterFormat.PKCS3))
        file.flush()
        context.load_tmp_dh(file.name.encode())


def _use_chain(context: SSL.Context, identity: Identity) -> None:
    """Give the context a chain of the identity's own: chains added one by one would serve all its certificates."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in identity.chain))
        file.flush()
        context.use_certificate_chain_file(file.name)


def _keep_secret(connection: SSL.Connection, line: bytes) -> None:
    label, _, secret = line.decode("ascii").split(" ")
    secrets = connection.get_app_data()
    if isinstance(secrets, dict):
        secrets[label] = bytes.fromhex(secret)


def _ask_for_client_certificate(context: SSL.Context, settings: FrontSettings) -> None:
    store = context.get_cert_store()
    if store is not None:
        flags = crypto.X509StoreFlags
        revocation = flags.CRL_CHECK | flags.CRL_CHECK_ALL if settings.client_crls else 0
        store.set_flags(flags.X509_STRICT | flags.PARTIAL_CHAIN | revocation)
        for anchor in settings.client_anchors:
            store.add_cert(crypto.X509.from_cryptography(anchor))
        for crl in settings.client_crls:
            store.add_crl(x509.load_der_x509_crl(crl))
    for anchor in settings.client_anchors:
        context.add_client_ca(anchor)

    def judge(_c: SSL.Connection, certificate: crypto.X509, error: int, depth: int, _good: int) -> bool:
        # At a low security level, which single suites and server certificates need, OpenSSL lets weak clients pass.
        step = PathStep(error or weakness(certificate, depth), depth, certificate)
        otherwise = settings.path_verdict and settings.path_verdict(step)
        return step.error in _FORGIVEN if otherwise is None else otherwise

    context.set_verify(_VERIFY[settings.client_auth], judge)


def weakness(certificate: crypto.X509, depth: int) -> int:
    """OpenSSL's error for a key or a digest that is too weak (RFC 9325 4.5), 0 for others and what cannot be read."""
    try:
        key, signature = certificate.get_pubkey(), certificate.get_signature_algorithm().lower()
        of_anchor = certificate.get_issuer() == certificate.get_subject()  # nobody's concern how it signed itself
    except (crypto.Error, ValueError):
        return 0
    if key.bits() < _LEAST_BITS.get(key.type(), 0):
        return _ISSUER_KEY_TOO_SMALL if depth else _LEAF_KEY_TOO_SMALL
    return _DIGEST_TOO_WEAK if not of_anchor and any(digest in signature for digest in (b"md5", b"sha1")) else 0


def _staple(context: SSL.Context, settings: FrontSettings) -> None:
    responses = {
        identity.chain[0].public_bytes(serialization.Encoding.DER): identity.ocsp_response
        for identity in settings.identities
        if identity.ocsp_response
    }

    def answer(connection: SSL.Connection, _data: object) -> bytes:
        certificate = connection.get_certificate(as_cryptography=True)
        if certificate is None:
            return b""
        return responses.get(certificate.public_bytes(serialization.Encoding.DER), b"")

    if responses:
        context.set_ocsp_server_callback(answer)


def _choose_protocol(context: SSL.Context, ours: tuple[bytes, ...]) -> None:
    """Answer ALPN (RFC 7301) with the first of `ours` that the client names, or not at all."""

    def choose(_connection: SSL.Connection, theirs: list[bytes]) -> Any:
        return next((name for name in ours if name in theirs), SSL.NO_OVERLAPPING_PROTOCOLS)

    context.set_alpn_select_callback(choose)


@dataclass
class OpenSslChannel:
    """One connection of the conforming stack."""

    context: SSL.Context
    established: bool = False
    finished: bool = False
    _connection: SSL.Connection = field(init=False)
    secrets: dict[str, bytes] = field(default_factory=dict, repr=False)
    _plaintext: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._connection = SSL.Connection(self.context, None)
        self._connection.set_app_data(self.secrets)
        self._connection.set_accept_state()

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """The client's certificate, once presented, if it can be read."""
        try:
            with warnings.catch_warnings():  # of odd certificates, which are none of the user's business
                warnings.simplefilter("ignore")
                return self._connection.get_peer_certificate(as_cryptography=True)
        except ValueError:
            return None

    @property
    def randoms(self) -> tuple[bytes, bytes]:
        """The randoms of client and server, empty while unknown."""
        return self._connection.client_random() or b"", self._connection.server_random() or b""

    @property
    def suite_name(self) -> str | None:
        """The negotiated suite as OpenSSL names it."""
        return self._connection.get_cipher_name()

    def receive(self, data: bytes) -> None:
        """Feed octets of the wire and decrypt what they complete."""
        if not data:
            self.finished = True
            return
        while data and not self.finished:
            taken = self._connection.bio_write(data)
            data = data[taken:]
            self._advance()

    def _advance(self) -> None:
        try:
            if not self.established:
                self._connection.do_handshake()
                self.established = True
            while True:
                self._plaintext += self._connection.recv(1 << 16)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.close()
        except SSL.Error:
            # The alert, if OpenSSL has one to say, lies ready to be sent.
            self.finished = True

    def data_to_send(self) -> bytes:
        """Take what OpenSSL wants sent."""
        data = bytearray()
        with contextlib.suppress(SSL.WantReadError):
            while True:
                data += self._connection.bio_read(1 << 16)
        return bytes(data)

    def plaintext(self) -> bytes:
        """Take what was decrypted."""
        data = bytes(self._plaintext)
        self._plaintext.clear()
        return data

    def send_plaintext(self, data: bytes) -> None:
        """Encrypt `data`."""
        try:
            self._connection.sendall(data)
        except SSL.Error:
            self.finished = True

    def close(self) -> None:
        """Send close_notify."""
        if not self.finished:
            with contextlib.suppress(SSL.Error):
                self._connection.shutdown()
        self.finished = True
