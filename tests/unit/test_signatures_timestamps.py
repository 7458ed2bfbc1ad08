"""Certified timestamps: what an authority stamps is verified, and everything that is wrong with it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import tsp
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki import Pki
from reference_impl.http_exchange import HttpExchangeError, ask
from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.certificates import Trust
from reference_impl.signatures.results import Standing, TimestampResult
from reference_impl.signatures.timestamp_requests import QUERY, make_request, token_of
from reference_impl.signatures.timestamps import TimestampError, request_timestamp, verify_timestamp
from reference_impl.signatures.tsa import TimestampAuthority, TsaDeviations, TsaServer

VALID, INVALID, UNKNOWN = Standing.VALID, Standing.INVALID, Standing.UNKNOWN
VALUE = bytes(range(256))
NOW = datetime.now(UTC)
EARLIER = timedelta(hours=-15)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def der(pki: Pki, case: str) -> bytes:
    return pki.issue(case).certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def trust(pki: Pki) -> Trust:
    return Trust(anchors=(der(pki, "ca"), der(pki, "ca_ec")), crls=(pki.revocation_list(),))


def authority(pki: Pki, case: str = "tsa", **deviations: Any) -> TimestampAuthority:
    issued = pki.issue(case)
    return TimestampAuthority(issued.certificate, issued.key, issued.intermediates, TsaDeviations(**deviations))


@pytest.fixture(scope="module")
def good(pki: Pki) -> bytes:
    return authority(pki).stamp(VALUE)


@pytest.fixture(scope="module")
def exchanged(pki: Pki) -> tuple[bytes, bytes]:
    request = make_request(VALUE)
    return request, authority(pki).reply(request)


def verified(token: bytes, trust: Trust, value: bytes = VALUE) -> tuple[TimestampResult, set[str]]:
    result = verify_timestamp(token, value, trust, datetime.now(UTC))
    return result, {reason.code for reason in result.reasons}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("case", ["tsa", "tsa_ec"])
def test_a_good_timestamp_is_valid(pki: Pki, trust: Trust, case: str, algorithm: str) -> None:
    token = authority(pki, case).stamp(VALUE, algorithm)
    for octets in (token, token + b"\0"):  # OB has an even length
        result, _ = verified(octets, trust)
        assert (result.standing, result.of_this_signature, result.hash_algorithm) == (VALID, True, algorithm)
        assert result.authority is not None
        assert result.authority.subject.startswith("CN=PS315 Test Time-Stamping Authority")
        assert abs(datetime.fromisoformat(result.time) - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("case", "deviations", "outcome"),
    [
        ("tsa", {"alter_imprint": lambda octets: bytes(reversed(octets))}, (INVALID, "timestamp-imprint")),
        ("tsa", {"alter_content": lambda octets: octets[:-20] + bytes(20)}, (INVALID, "timestamp-")),
        ("tsa", {"alter_signature": lambda octets: octets[:-1] + b"\0"}, (INVALID, "timestamp-signature")),
        ("tsa_ec", {"alter_signature": lambda octets: octets[:-2]}, (INVALID, "timestamp-signature")),
        ("tsa", {"signing_certificate": "none"}, (INVALID, "timestamp-signature")),
        ("tsa", {"signing_certificate": "other"}, (INVALID, "timestamp-signature")),
        ("tsa", {"attribute_type": "data"}, (INVALID, "timestamp-signature")),
        ("tsa", {"unsigned_attributes": True}, (INVALID, "timestamp-signature")),
        ("tsa", {"version": 2}, (INVALID, "timestamp-unreadable")),
        ("tsa", {"moved": timedelta(days=1)}, (INVALID, "timestamp-future")),
        ("tsa", {"moved": timedelta(days=-2)}, (INVALID, "certificate-not-yet-valid")),
        ("tsa", {"with_certificate": False}, (UNKNOWN, "timestamp-certificate-missing")),
        ("tsa", {"signing_certificate": "v1"}, (VALID, "")),
        ("tsa", {"status": "granted_with_mods"}, (VALID, "")),
        ("tsa_expired", {}, (INVALID, "certificate-expired")),
        ("tsa_expired", {"moved": EARLIER}, (VALID, "certificate-expired-since")),
        ("tsa_revoked", {}, (INVALID, "certificate-revoked")),
        ("tsa_revoked", {"moved": EARLIER}, (INVALID, "certificate-revoked")),  # its key was compromised
        ("tsa_unknown_ca", {}, (INVALID, "certificate-untrusted")),
        ("tsa_without_purpose", {}, (INVALID, "timestamp-purpose")),
        ("tsa_purpose_not_critical", {}, (INVALID, "timestamp-purpose")),
        ("tsa_further_purpose", {}, (INVALID, "timestamp-purpose")),
        ("signer_tls_only", {}, (INVALID, "certificate-usage")),
    ],
)
def test_what_is_wrong_with_a_timestamp_is_told(
    pki: Pki, trust: Trust, case: str, deviations: dict[str, Any], outcome: tuple[Standing, str]
) -> None:
    result, codes = verified(authority(pki, case, **deviations).stamp(VALUE), trust)
    standing, code = outcome
    assert result.standing is standing
    assert not code or any(each.startswith(code) for each in codes), codes


def test_the_timestamp_of_another_signature_is_none_of_this_one(pki: Pki, trust: Trust) -> None:
    result, codes = verified(authority(pki).stamp(VALUE[:-1]), trust)
    assert (result.standing, result.of_this_signature, codes) == (INVALID, False, {"timestamp-imprint"})


def test_a_value_may_have_been_stamped_without_its_padding(pki: Pki, trust: Trust) -> None:
    result, _ = verified(authority(pki).stamp(VALUE[:-1] + b"\1"), trust, VALUE[:-1] + b"\1\0")
    assert (result.standing, result.of_this_signature) == (VALID, True)


def test_without_anchors_and_for_other_types_nothing_is_said(pki: Pki, trust: Trust) -> None:
    token = authority(pki).stamp(VALUE)
    result, codes = verified(token, Trust())
    assert (result.standing, result.of_this_signature, codes) == (UNKNOWN, True, {"no-anchors"})
    other = verify_timestamp(token, VALUE, trust, NOW, kind="SOMETHING")
    assert (other.standing, [reason.code for reason in other.reasons]) == (UNKNOWN, ["timestamp-type"])


def test_a_certificate_that_the_site_has_need_not_come_with_the_timestamp(pki: Pki, trust: Trust) -> None:
    token = authority(pki, with_certificate=False).stamp(VALUE)
    result, codes = verified(token, replace(trust, intermediates=(der(pki, "tsa"),)))
    assert (result.standing, codes) == (VALID, set())


@pytest.mark.parametrize("octets", [b"", b"\0\0", b"0\0", b"0\3\2\1\1", b"0" * 4000, b"\x30\x80" * 1000])
def test_what_is_no_timestamp_is_told_as_such(trust: Trust, octets: bytes) -> None:
    result, codes = verified(octets, trust)
    assert (result.standing, codes) == (INVALID, {"timestamp-unreadable"})


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_octets_changed_at_will_raise_nothing(good: bytes, trust: Trust, data: st.DataObject) -> None:
    token = bytearray(good)
    place = data.draw(st.integers(0, len(token) - 1))
    token[place] ^= data.draw(st.integers(1, 255))
    result, codes = verified(bytes(token), trust)
    changed = verify_timestamp(bytes(token), VALUE[1:], trust, NOW)
    assert changed.standing is not VALID
    assert result.standing is VALID or codes


# -- asking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deviations", "said"),
    [
        (
            {"status": "rejection", "failure": "unaccepted_policy", "words": ("no such policy",)},
            "refused the request: it does not have the policy that was asked for, it says 'no such policy'",
        ),
        ({"status": "waiting"}, "put the request off"),
        ({"token": False}, "sent no timestamp"),
        ({"nonce": "other"}, "another nonce"),
        ({"nonce": "none"}, "another nonce"),
        ({"alter_imprint": lambda octets: bytes(len(octets))}, "stamped something else"),
        ({"alter_signature": lambda octets: bytes(len(octets))}, "its signature is wrong"),
        ({"with_certificate": False}, "certificate of its signer is not at hand"),
        ({"http_status": 500}, "HTTP status 500"),
        ({"media_type": "text/html"}, "answered with text/html"),
    ],
)
def test_why_there_is_no_timestamp_is_said_in_a_sentence(pki: Pki, deviations: dict[str, Any], said: str) -> None:
    with TsaServer(authority(pki, **deviations)) as server, pytest.raises(TimestampError, match=said):
        request_timestamp(server.url, VALUE)


def test_what_is_asked_for_is_had(pki: Pki, trust: Trust) -> None:
    with TsaServer(authority(pki)) as server:
        token = request_timestamp(server.url, VALUE, "SHA384", policy="1.2.3.4")
        asked = tsp.TimeStampReq.load(server.received[0])
    result, codes = verified(token, trust)
    assert (result.standing, result.policy, result.hash_algorithm, codes) == (VALID, "1.2.3.4", "SHA384", set())
    assert asked["cert_req"].native is True
    assert asked["nonce"].native is not None


@pytest.mark.parametrize("url", ["ftp://localhost/", "localhost", "http://", "http://[::1", "http://localhost:x/"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(TimestampError, match="URL"):
        request_timestamp(url, VALUE)


def test_wrong_orders_are_told() -> None:
    with pytest.raises(TimestampError, match="no hash algorithm"):
        make_request(VALUE, "SHA3")
    with pytest.raises(TimestampError, match="no object identifier"):
        make_request(VALUE, policy="nonsense")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_replies_changed_at_will_are_told_or_taken(exchanged: tuple[bytes, bytes], data: st.DataObject) -> None:
    request, reply = exchanged[0], bytearray(exchanged[1])
    reply[data.draw(st.integers(0, len(reply) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        token_of(bytes(reply), request)
    except TimestampError as problem:
        assert "time-stamping authority" in str(problem)


@pytest.mark.parametrize("octets", [b"", b"nonsense", b"0\3\2\1\1"])
def test_an_authority_rejects_what_is_no_request(pki: Pki, octets: bytes) -> None:
    with pytest.raises(TimestampError, match="the data has the wrong format"):
        token_of(authority(pki).reply(octets), make_request(VALUE))


def test_an_authority_answers_over_http_what_is_none_of_its_business(pki: Pki) -> None:
    with TsaServer(authority(pki)) as server:
        assert ask(server.url, b"x", "text/plain").status == 415
        assert ask(server.url, bytes(10_000), QUERY).status == 413
        assert ask(server.url).status == 501


@pytest.fixture
def trickle() -> Iterator[str]:
    """The URL of a server that begins an answer and goes on with an octet now and then."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not ended.wait(0.05):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    ended.set()
    thread.join(5)
    listener.close()


def test_an_answer_has_so_much_time_altogether(trickle: str) -> None:
    with pytest.raises(HttpExchangeError, match=r"no whole answer came in 0.3 s"):
        ask(trickle, seconds=0.3)


def test_an_answer_is_not_read_beyond_its_limit(pki: Pki) -> None:
    with TsaServer(authority(pki)) as server, pytest.raises(HttpExchangeError, match="more than 100 octets"):
        ask(server.url, make_request(VALUE), QUERY, largest=100)
