"""Certificates that an authority has revoked open neither the page of the audit trail nor syslog over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fixtures.pki import Pki
from fixtures.pki.revocation_status import revocation_list
from reference_impl.audit.repository.web.access import Access, server_context
from reference_impl.audit.syslog.tls import ServerTls, Trust

Make = Callable[[Pki, Path], ssl.SSLContext]


def _page(pki: Pki, lists: Path) -> ssl.SSLContext:
    access = Access(client_ca=pki.trust_anchors_file("ca"), revoked=lists)
    return server_context(pki.certificate_file("server"), pki.key_file("server"), access)


def _receiver(pki: Pki, lists: Path) -> ssl.SSLContext:
    trust = Trust(anchors=pki.trust_anchors_file("ca"), revoked=lists)
    return ServerTls(pki.certificate_file("server"), pki.key_file("server"), trust).context()


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(params=[_page, _receiver])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def _lists(
    folder: Path, pki: Pki, *, revoked: bool, valid: timedelta = timedelta(days=1), moved: timedelta = timedelta(0)
) -> Path:
    """A file with the list of the authority that issued "client", issued now or `moved`."""
    issuer, serial = pki.issuer_of("client"), pki.issue("client").certificate.serial_number
    der = revocation_list(issuer.certificate.subject, issuer.key, [serial] if revoked else [], valid=valid, moved=moved)
    path = folder / "lists.pem"
    path.write_bytes(x509.load_der_x509_crl(der).public_bytes(Encoding.PEM))
    return path


def _handshake(pki: Pki, server: ssl.SSLContext) -> None:
    """Shake hands, the client with its certificate. Raises `ssl.SSLError`."""
    context = ssl.create_default_context(cafile=str(pki.trust_anchors_file("ca")))
    context.load_cert_chain(pki.certificate_file("client"), pki.key_file("client"))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        context.wrap_bio(back, there, server_hostname="localhost"),
        server.wrap_bio(there, back, server_side=True),
    ]
    for _ in range(6):
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not sides


def test_a_revoked_certificate_opens_nothing(make: Make, tmp_path: Path, pki: Pki) -> None:
    _handshake(pki, make(pki, _lists(tmp_path, pki, revoked=False)))
    with pytest.raises(ssl.SSLError, match="revoked"):
        _handshake(pki, make(pki, _lists(tmp_path, pki, revoked=True)))


def test_a_list_that_has_run_out_opens_nothing(make: Make, tmp_path: Path, pki: Pki) -> None:
    with pytest.raises(ssl.SSLError, match="CRL has expired"):
        _handshake(pki, make(pki, _lists(tmp_path, pki, revoked=False, valid=-timedelta(minutes=1))))


def test_a_list_that_replaces_the_first_holds_at_once(make: Make, tmp_path: Path, pki: Pki) -> None:
    server = make(pki, _lists(tmp_path, pki, revoked=False, moved=-timedelta(hours=2)))
    _handshake(pki, server)
    (tmp_path / "lists.pem").write_text("no list")
    _handshake(pki, server)  # while it is being written, say
    (tmp_path / "lists.pem").unlink()
    _handshake(pki, server)
    _lists(tmp_path, pki, revoked=True)
    with pytest.raises(ssl.SSLError, match="revoked"):
        _handshake(pki, server)


def test_a_list_that_has_run_out_is_replaced(make: Make, tmp_path: Path, pki: Pki) -> None:
    server = make(pki, _lists(tmp_path, pki, revoked=False, valid=-timedelta(minutes=1)))
    with pytest.raises(ssl.SSLError, match="CRL has expired"):
        _handshake(pki, server)
    _lists(tmp_path, pki, revoked=False)
    _handshake(pki, server)


@pytest.mark.parametrize("text", ["", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_what_is_no_list_is_told(make: Make, tmp_path: Path, pki: Pki, text: str) -> None:
    (tmp_path / "lists.pem").write_text(text)
    with pytest.raises(ValueError, match=r"lists.pem: holds no (readable )?revocation list"):
        make(pki, tmp_path / "lists.pem")
