"""The certificate zoo: what the cases say of themselves, and what independent judges make of them."""

from __future__ import annotations

import subprocess
import tomllib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki import CertificateSpec, Pki, certify
from fixtures.pki.recipes import RECIPES
from fixtures.pki.revocation import Responder, answer_ocsp
from fixtures.pki.revocation_status import revocation_list
from fixtures.pki.zoo import CASES, NEEDS, RULES, Zoo, ZooCase, ZooRole
from tests.missing import lacking
from tests.unit.zoo_judges import ADDRESS, HOST, ask, installed, openssl, pem, run

JUDGES = installed()
AUTHORITY = Pki.create().issue("ca")
DISAGREEMENTS = tomllib.loads(Path(__file__).with_name("zoo_disagreements.toml").read_text(encoding="utf-8"))
SHOWN: list[tuple[str, ZooRole]] = [
    (case.name, role) for role in ("server", "client") for case in CASES.values() if case.treatment(role)
]


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return Zoo(Pki.create(), dns_names=(HOST,), ip_addresses=(ADDRESS,))


def test_every_case_can_be_made_and_every_recipe_is_a_case() -> None:
    assert set(CASES) == set(RECIPES)
    assert sum(role == "server" for _, role in SHOWN) >= 40
    assert sum(role == "client" for _, role in SHOWN) >= 40


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_says_what_it_is_about(case: ZooCase) -> None:
    assert case.rule in RULES
    assert case.needs <= set(NEEDS)
    assert case.versions in ("", "1.2", "1.3")
    assert case.level in ("shall", "should")
    assert case.text.endswith(".")
    assert case.document.startswith("RFC ")
    assert case.section
    assert {case.server, case.client} != {None}
    treatments = {case.server, case.client} - {None}
    assert treatments <= {"accept", "refuse", "either"}
    if "either" in treatments or case.level == "should":
        assert case.because, "say why"
    assert (case.rule == "acceptable") == ("accept" in treatments)


@pytest.mark.parametrize(("name", "role"), SHOWN, ids="/".join)
@pytest.mark.parametrize("judge", JUDGES)
def test_independent_judges_agree(zoo: Zoo, judge: str, name: str, role: ZooRole, tmp_path: Path) -> None:
    """Or their disagreement is listed with its reason."""
    case = CASES[name]
    accepted, said = JUDGES[judge](ask(zoo, case, role, tmp_path))
    listed = DISAGREEMENTS.get(judge, {}).get(name)
    expected = case.treatment(role)
    if expected == "either":
        return
    if listed is not None:
        expected = listed["says"]
    assert ("accept" if accepted else "refuse") == expected, said


def test_gnutls_is_among_the_judges() -> None:
    if "gnutls" not in JUDGES:
        lacking("certtool is not installed")


def test_listed_disagreements_are_some() -> None:
    for judge, listed in DISAGREEMENTS.items():
        assert judge in {"openssl", "cryptography", "gnutls"}
        for name, row in listed.items():
            assert row["says"] not in {CASES[name].server, CASES[name].client} - {"either"} or name.startswith("key-")
            assert row["reason"]


def test_a_refusal_is_for_what_the_case_is_about(zoo: Zoo, tmp_path: Path) -> None:
    """OpenSSL's own words."""
    words = {
        "expired": "certificate has expired",
        "expired-intermediate": "certificate has expired",
        "not-yet-valid": "not yet valid",
        "unknown-authority": "unable to get local issuer",
        "self-signed-unknown": "self-signed certificate",
        "tampered-signature": "certificate signature failure",
        "tampered-content": "certificate signature failure",
        "forged-signature": "certificate signature failure",
        "md5-signature": "signature digest algorithm too weak",
        "sha1-signature": "signature digest algorithm too weak",
        "rsa-1024": "certificate key too weak",
        "rsa-1024-intermediate": "CA certificate key too weak",
        "wrong-extended-key-usage": "unsuitable certificate purpose",
        "leaf-as-authority": "invalid CA certificate",
        "missing-basic-constraints": "invalid CA certificate",
        "version-1-authority": "invalid CA certificate",
        "path-length-exceeded": "path length constraint exceeded",
        "unknown-critical-extension": "unhandled critical extension",
        "name-constraints-violated": "permitted subtree violation",
        "name-constraints-excluded": "excluded subtree violation",
        "chain-missing": "unable to get local issuer",
        "issuer-name-differs": "unable to get local issuer",
    }
    for name, reason in words.items():
        accepted, said = openssl(ask(zoo, CASES[name], "client", tmp_path))
        assert not accepted, name
        assert reason in said, (name, said)
    for name in (each.name for each in CASES.values() if each.rule == "name" and each.server == "refuse"):
        accepted, said = openssl(ask(zoo, CASES[name], "server", tmp_path))
        assert not accepted, name
        assert "mismatch" in said, (name, said)


def test_the_key_is_the_leafs_but_for_possession(zoo: Zoo) -> None:
    unreadable = {"not-a-certificate", "trailing-octets", "ber-encoded"}
    for name, role in SHOWN:
        if name in unreadable:
            continue
        shown = zoo.present(name, role)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaf = x509.load_der_x509_certificate(shown.chain[0])
        assert (leaf.public_key() == shown.key.public_key()) == (name != "possession"), name


def test_the_odd_signature_algorithms_are_what_they_say(zoo: Zoo) -> None:
    by_name = {name: x509.load_der_x509_certificate(zoo.present(name, "client").chain[0]) for name in CASES if name in
               ("rsa-pss-signature", "sha512-signature", "rsa-pss-key", "rsa-3072", "md5-signature")}  # fmt: skip
    assert by_name["rsa-pss-signature"].signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.10"
    assert by_name["sha512-signature"].signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.13"
    assert by_name["md5-signature"].signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.4"
    assert by_name["rsa-pss-key"].public_key_algorithm_oid.dotted_string == "1.2.840.113549.1.1.10"
    key = by_name["rsa-3072"].public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 3072


def test_a_client_is_not_shown_what_is_about_servers(zoo: Zoo) -> None:
    with pytest.raises(KeyError):
        zoo.present("wrong-host-name", "client")
    with pytest.raises(KeyError):
        zoo.present("no such case", "server")


def test_a_zoo_needs_a_name() -> None:
    with pytest.raises(ValueError, match="name or an address"):
        Zoo(Pki.create(), dns_names=(), ip_addresses=())


def test_zoos_without_names_or_addresses_are_complete() -> None:
    for names, addresses in ((("localhost",), ()), ((), ("192.0.2.7", "2001:db8::7")), (("n" * 63 + ".example",), ())):
        zoo = Zoo(Pki.create(), dns_names=names, ip_addresses=addresses)
        for name, role in SHOWN:
            assert zoo.present(name, role).chain, (names, addresses, name, role)


def test_threads_share_a_zoo() -> None:
    zoo = Zoo(Pki.create())
    with ThreadPoolExecutor(8) as pool:
        assert len({shown.chain for shown in pool.map(lambda _: zoo.present("p-256", "server"), range(16))}) == 1


# -- revocation --------------------------------------------------------------------------------------------------------


def test_lists_revoke_what_they_should_and_nothing_else(zoo: Zoo, tmp_path: Path) -> None:
    listed = tmp_path / "ca.crl"
    listed.write_bytes(_as_pem_crl(zoo.crl()))
    for role in ("server", "client"):
        for name, revoked in (("good", False), ("revoked-crl", True), ("revoked-ocsp", False)):
            accepted, said = openssl(ask(zoo, CASES[name], role, tmp_path), "-crl_check", "-CRLfile", str(listed))
            assert accepted is not revoked, said
            assert ("certificate revoked" in said) is revoked
    intermediate = ask(zoo, CASES["revoked-intermediate"], "client", tmp_path)
    number = x509.load_der_x509_certificate(intermediate.shown.chain[1]).serial_number
    assert x509.load_der_x509_crl(zoo.crl()).get_revoked_certificate_by_serial_number(number) is not None


def test_the_expired_list_is_expired(zoo: Zoo, tmp_path: Path) -> None:
    listed = tmp_path / "old.crl"
    listed.write_bytes(_as_pem_crl(zoo.expired_crl()))
    accepted, said = openssl(ask(zoo, CASES["crl-expired"], "server", tmp_path), "-crl_check", "-CRLfile", str(listed))
    assert not accepted
    assert "CRL has expired" in said


def test_stapled_responses_say_what_they_should(zoo: Zoo, tmp_path: Path) -> None:
    expected = {
        "stapled-good": (": good", "verify OK"),
        "revoked-stapled": (": revoked", "verify OK"),
        "stapled-expired": ("Status times invalid",),
        "stapled-by-stranger": ("Response Verify Failure",),
        "stapled-error": ("internalerror",),
    }
    (tmp_path / "ca.pem").write_bytes(zoo.pki.issue("ca").certificate_pem)
    for name, words in expected.items():
        shown = zoo.present(name, "server")
        (tmp_path / "leaf.pem").write_bytes(pem(shown.chain[:1]))
        (tmp_path / "response.der").write_bytes(shown.ocsp_response)
        _, said = run(
            ["openssl", "ocsp", "-respin", str(tmp_path / "response.der"), "-issuer", str(tmp_path / "ca.pem"),
             "-cert", str(tmp_path / "leaf.pem"), "-CAfile", str(tmp_path / "ca.pem")]
        )  # fmt: skip
        for word in words:
            assert word in said, (name, said)


@pytest.mark.parametrize(("name", "status"), [("good", "good"), ("revoked-ocsp", "revoked"), ("revoked-crl", "good")])
def test_the_responder_answers_openssl(name: str, status: str, tmp_path: Path) -> None:
    pki = Pki.create()
    with Responder(pki) as responder:
        zoo = Zoo(pki, revocation_url=responder.url)
        shown = zoo.present(name, "server")
        (tmp_path / "leaf.pem").write_bytes(pem(shown.chain[:1]))
        (tmp_path / "ca.pem").write_bytes(pki.issue("ca").certificate_pem)
        accepted, said = run(
            ["openssl", "ocsp", "-url", f"{responder.url}/ocsp", "-issuer", str(tmp_path / "ca.pem"),
             "-cert", str(tmp_path / "leaf.pem"), "-CAfile", str(tmp_path / "ca.pem"), "-timeout", "5"]
        )  # fmt: skip
        assert accepted, said
        assert f": {status}" in said
        assert "WARNING: no nonce" not in said
        assert responder.asked == ("/ocsp",)


def test_certificates_lead_to_the_responder(tmp_path: Path) -> None:
    """curl's and everybody's way: the list is fetched from the place that the certificate names."""
    pki = Pki.create()
    with Responder(pki) as responder:
        zoo = Zoo(pki, revocation_url=responder.url)
        leaf = x509.load_der_x509_certificate(zoo.present("revoked-crl", "client").chain[0])
        points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        assert points[0].full_name is not None
        with urlopen(points[0].full_name[0].value, timeout=5) as answer:  # noqa: S310 - our own responder
            listed = x509.load_der_x509_crl(answer.read())
        assert listed.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{responder.url}/elsewhere", timeout=5)  # noqa: S310
        with urlopen(f"{responder.url}/ocsp/%%%", timeout=5) as answer:  # noqa: S310
            assert answer.read() == b"\x30\x03\x0a\x01\x01"  # malformedRequest


def test_the_list_that_a_certificate_names_is_of_its_issuer() -> None:
    pki = Pki.create()
    with Responder(pki) as responder:
        zoo = Zoo(pki, revocation_url=responder.url)
        fetched: dict[str, x509.CertificateRevocationList] = {}
        for name, role in SHOWN:
            for place, certificate in _places(zoo.present(name, role).chain):
                if "unreachable" in place:
                    continue
                if name in ("serial-zero", "chain-missing"):  # a number that is none; an issuer that is not shown
                    continue
                if place not in fetched:
                    with urlopen(place, timeout=5) as answer:  # noqa: S310 - our own responder
                        fetched[place] = x509.load_der_x509_crl(answer.read())
                listed = fetched[place]
                assert listed.issuer == certificate.issuer or name == "issuer-name-differs", (name, place)
                if name == "serial-negative":  # which no list can hold
                    continue
                number = certificate.serial_number
                revoked = listed.get_revoked_certificate_by_serial_number(number) is not None
                assert not revoked or name in ("revoked-crl", "revoked-intermediate"), name
        assert len(fetched) > 10
        assert {each.issuer for each in fetched.values()} <= {
            *zoo.intermediate_names(),
            pki.issue("ca").certificate.subject,
        }


def _places(chain: tuple[bytes, ...]) -> Iterator[tuple[str, x509.Certificate]]:
    """The first distribution point of every certificate that has one."""
    for octets in chain:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                certificate = x509.load_der_x509_certificate(octets)
                points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
                continue
        assert points[0].full_name is not None
        yield points[0].full_name[0].value, certificate


def test_one_who_wants_the_list_of_every_authority_accepts_what_is_acceptable(zoo: Zoo, tmp_path: Path) -> None:
    """OpenSSL's -crl_check_all, which nginx has with ssl_crl: with the lists that the zoo can make."""
    key = zoo.pki.issue("zoo_authority").key
    lists = [zoo.crl(), *(revocation_list(name, key) for name in zoo.intermediate_names())]
    listed = tmp_path / "all.crl"
    listed.write_bytes(b"".join(_as_pem_crl(each) for each in lists))
    for name, role in SHOWN:
        if CASES[name].treatment(role) != "accept" or CASES[name].needs:
            continue
        accepted, said = openssl(ask(zoo, CASES[name], role, tmp_path), "-crl_check_all", "-CRLfile", str(listed))
        assert accepted, (name, said)
    for name in ("revoked-crl", "revoked-intermediate"):
        accepted, said = openssl(ask(zoo, CASES[name], "client", tmp_path), "-crl_check_all", "-CRLfile", str(listed))
        assert not accepted
        assert "certificate revoked" in said


def test_the_responder_answers_about_what_intermediate_authorities_issued(tmp_path: Path) -> None:
    pki = Pki.create()
    with Responder(pki) as responder:
        shown = Zoo(pki, revocation_url=responder.url).present("through-intermediate", "server")
        for number, name in enumerate(("leaf.pem", "issuer.pem")):
            (tmp_path / name).write_bytes(pem(shown.chain[number : number + 1]))
        (tmp_path / "ca.pem").write_bytes(pki.issue("ca").certificate_pem)
        accepted, said = run(
            ["openssl", "ocsp", "-url", f"{responder.url}/ocsp", "-issuer", str(tmp_path / "issuer.pem"),
             "-cert", str(tmp_path / "leaf.pem"), "-CAfile", str(tmp_path / "ca.pem"), "-timeout", "5",
             "-verify_other", str(tmp_path / "issuer.pem")]
        )  # fmt: skip
        assert accepted, said
        assert ": good" in said
        assert "Response verify OK" in said
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{responder.url}/authority/PS315%20Test%20Root.crl", timeout=5)  # noqa: S310


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_the_responder_answers_whatever_is_asked(octets: bytes) -> None:
    response = ocsp.load_der_ocsp_response(answer_ocsp(AUTHORITY, octets))
    assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_the_responder_says_nothing_about_the_certificates_of_others() -> None:
    stranger = certify(CertificateSpec(common_name="Stranger", key="ec-secp256r1", is_authority=True))
    leaf = certify(CertificateSpec(common_name="Leaf", key="ec-secp256r1"), stranger)
    for algorithm in (hashes.SHA1(), hashes.SHA256()):  # noqa: S303 - a lookup key
        builder = ocsp.OCSPRequestBuilder().add_certificate(leaf.certificate, stranger.certificate, algorithm)
        octets = builder.build().public_bytes(Encoding.DER)
        status = ocsp.load_der_ocsp_response(answer_ocsp(AUTHORITY, octets)).response_status
        assert status is ocsp.OCSPResponseStatus.UNAUTHORIZED
        own = ocsp.load_der_ocsp_response(answer_ocsp(stranger, octets))
        assert own.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
        assert own.certificate_status is ocsp.OCSPCertStatus.GOOD


def _as_pem_crl(der: bytes) -> bytes:
    done = subprocess.run(["openssl", "crl", "-inform", "DER"], input=der, capture_output=True, check=True)
    return done.stdout
