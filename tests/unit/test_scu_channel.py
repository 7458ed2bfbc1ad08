"""The client's channel in memory, against OpenSSL: whole handshakes, broken ones, and what comes afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki import Pki
from reference_impl.transport.client import ClientChannel, ClientSettings, Trust, Verifier
from reference_impl.transport.faults.certificates import identity_of
from reference_impl.transport.front import SUITES_TLS_1_2, SUITES_TLS_1_3, FrontSettings
from reference_impl.transport.front.openssl import OPENSSL_NAMES, OpenSslChannel, build_context
from reference_impl.transport.wire import TLS12, TLS13

BAD_RECORD_MAC, DECRYPT_ERROR, UNKNOWN_CA = 20, 51, 48
Change = Callable[[int, bytes], bytes]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


def server(pki: Pki, version: int, **how: object) -> OpenSslChannel:
    wanted = FrontSettings(
        identities=(identity_of(pki, "server"), identity_of(pki, "server_ec")),
        client_anchors=(pki.issue("ca").certificate,),
        suites_tls_1_2=SUITES_TLS_1_2["B.13"],
        suites_tls_1_3=SUITES_TLS_1_3["B.13"],
        minimum_version=version,
        maximum_version=version,
    )
    return OpenSslChannel(build_context(replace(wanted, **how), security_level=0))  # type: ignore[arg-type]


def client(
    pki: Pki, wanted: ClientSettings | None = None, *, anchors: tuple[str, ...] = ("ca", "ca_ec")
) -> ClientChannel:
    wanted = wanted or ClientSettings()
    trust = Trust(tuple(pki.issue(name).certificate for name in anchors))
    return ClientChannel(wanted, Verifier(trust, wanted, "localhost").verify, "localhost", identity_of(pki, "client"))


def talk(ours: ClientChannel, theirs: OpenSslChannel, change: Change = lambda _at, data: data) -> None:
    """Let both say what they have until neither has anything; `change` what the server says, by its number."""
    for at in itertools.count():
        said = ours.data_to_send()
        if said:
            theirs.receive(said)
        answer = theirs.data_to_send()
        if answer:
            ours.receive(change(at, answer))
        if not said and not answer:
            return


@pytest.mark.parametrize("auth", ["off", "required"])
@pytest.mark.parametrize(
    ("version", "code"),
    [*((TLS12, code) for code in SUITES_TLS_1_2["B.13"]), *((TLS13, code) for code in SUITES_TLS_1_3["B.13"])],
    ids=lambda value: OPENSSL_NAMES.get(value, hex(value)),
)
def test_every_suite_is_spoken(pki: Pki, version: int, code: int, auth: str) -> None:
    ours, theirs = (
        client(pki, ClientSettings(suites=(code,), versions=(version,))),
        server(pki, version, client_auth=auth),
    )
    talk(ours, theirs)
    assert ours.established
    assert theirs.established
    assert (ours.suite, ours.version) == (code, version)
    assert (theirs.peer_certificate is not None) == (auth == "required")
    ours.send_plaintext(b"x" * 40_000)
    theirs.send_plaintext(b"y" * 40_000)
    talk(ours, theirs)
    assert theirs.plaintext() == b"x" * 40_000
    assert ours.plaintext() == b"y" * 40_000
    theirs.close()
    talk(ours, theirs)
    assert ours.closed_properly


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_nothing_is_sent_before_the_server_is_verified(pki: Pki, version: int) -> None:
    ours, theirs = client(pki, anchors=("ca_unknown",)), server(pki, version, client_auth="required")
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    assert (ours.established, ours.finished, ours.alert_sent) == (False, True, UNKNOWN_CA)
    theirs.receive(ours.data_to_send())
    assert not theirs.established
    assert theirs.peer_certificate is None
    ours.send_plaintext(b"secret")
    assert ours.data_to_send() == b""


@pytest.mark.parametrize(("version", "alerts"), [(TLS12, {BAD_RECORD_MAC}), (TLS13, {BAD_RECORD_MAC})])
def test_a_broken_finished_is_refused(pki: Pki, version: int, alerts: set[int]) -> None:
    """The last octets that the server says in its handshake."""
    ours, theirs = client(pki), server(pki, version)
    last = 1 if version == TLS12 else 0

    def change(at: int, data: bytes) -> bytes:
        return data[:-1] + bytes((data[-1] ^ 1,)) if at == last else data

    talk(ours, theirs, change)
    assert not ours.established
    assert ours.alert_sent in alerts


@settings(deadline=None, max_examples=120)
@given(version=st.sampled_from([TLS12, TLS13]), place=st.floats(0, 1, exclude_max=True), octet=st.integers(0, 255))
def test_a_changed_octet_never_raises_nor_passes(pki: Pki, version: int, place: float, octet: int) -> None:
    ours, theirs = client(pki), server(pki, version)
    tolerable = []

    def change(at: int, data: bytes) -> bytes:
        if at:
            return data
        where = int(place * len(data))
        tolerable.append(data[where] == octet or where in version_octets(data))
        return data[:where] + bytes((octet,)) + data[where + 1 :]

    talk(ours, theirs, change)
    assert ours.established <= tolerable[0]
    assert ours.plaintext() == b""


def version_octets(data: bytes) -> set[int]:
    """Where the headers of records name a version, which is not to be looked at (RFC 8446 5.1)."""
    found: set[int] = set()
    at = 0
    while at < len(data):
        found |= {at + 1, at + 2}
        at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
    return found


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_single_octets_are_enough(pki: Pki, version: int) -> None:
    ours, theirs = client(pki), server(pki, version, client_auth="required")
    for _ in range(4):
        theirs.receive(ours.data_to_send())
        for octet in theirs.data_to_send():
            ours.receive(bytes((octet,)))
    assert ours.established
    assert theirs.established


def test_retry(pki: Pki) -> None:
    wanted = ClientSettings(shares=(0x001D,), groups=(0x001D, 0x0018))
    ours, theirs = client(pki, wanted), server(pki, TLS13, only_curve="secp384r1")
    talk(ours, theirs)
    assert ours.established
    assert theirs.established


def test_a_server_that_goes_without_a_word(pki: Pki) -> None:
    ours = client(pki)
    ours.data_to_send()
    ours.receive(b"")
    assert ours.finished
    assert "closed" in ours.problem
