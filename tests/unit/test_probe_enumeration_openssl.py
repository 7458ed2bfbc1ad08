"""The probes by elimination, against `openssl s_server` whose configuration is known."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from fixtures.pki import Pki
from harness.observations import Exchange, Frozen, Observation, ReactionKind, facts_of
from harness.observations.transport import (
    SSL2,
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    CipherSuites,
    Extensions,
    Groups,
    Plaintext,
    Preferences,
    Reachability,
    SignatureSchemes,
    Tolerance,
    Versions,
)
from harness.probes.base import Probe
from harness.probes.transport import signature_schemes
from harness.probes.transport.enumeration import ENUMERATION
from reference_impl.transport import registry
from reference_impl.transport.wire.describe import describe
from tests.unit.probe_servers import PATIENT, context_of, observe, s_server

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
FactsT = TypeVar("FactsT", bound=Frozen)
PROBES = (
    *ENUMERATION,
    Probe("tls.signature-schemes", signature_schemes.probe, needs=("tls.versions", "tls.cipher-suites")),
)


@dataclass(frozen=True)
class Seen:
    observations: dict[str, Observation]
    exchanges: list[Exchange]
    connections: int

    def facts(self, kind: str, model: type[FactsT]) -> FactsT:
        facts = facts_of(self.observations[kind], model)
        assert facts is not None, self.observations[kind].missing
        return facts


def look(*arguments: str) -> Seen:
    with s_server(*arguments) as port:
        context, exchanges = context_of(port, PATIENT)
        return Seen(observe(context, PROBES), exchanges, context.budget.connections)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


def certificates(pki: Pki, *, ecdsa: bool = True) -> list[str]:
    first = ["-cert", str(pki.certificate_file("server")), "-key", str(pki.key_file("server"))]
    second = ["-dcert", str(pki.certificate_file("server_ec")), "-dkey", str(pki.key_file("server_ec"))]
    return first + (second if ecdsa else [])


@pytest.fixture(scope="module")
def everything(pki: Pki) -> Iterator[Seen]:
    yield look(*certificates(pki), "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-serverpref")


def names(seen: Seen, version: int) -> set[str]:
    accepted = seen.facts("tls.cipher-suites", CipherSuites).versions[version].accepted
    return {registry.suite(entry.code).name for entry in accepted}


def test_versions_and_the_refusals_of_old_ones(everything: Seen) -> None:
    versions = everything.facts("tls.versions", Versions)
    for version in (TLS10, TLS11, TLS12, TLS13):
        assert versions.reactions[version].accepted
        assert versions.reactions[version].version == version
    assert versions.reactions[SSL3].refused
    assert versions.reactions[SSL2].refused
    assert versions.all_offered is not None
    assert versions.all_offered.version == TLS13
    assert versions.fallback_scsv is not None
    assert versions.fallback_scsv.alert == 86  # inappropriate_fallback


def test_every_suite_that_openssl_lists_is_found_and_no_other(everything: Seen) -> None:
    listing = subprocess.run(
        ["openssl", "ciphers", "-s", "-stdname", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = {line.split()[0] for line in listing.splitlines()}
    # Without keys for them: PSK and SRP suites, and DSA certificates.
    usable = {name for name in listed if "PSK" not in name and "SRP" not in name and "_DSS_" not in name}
    assert names(everything, TLS12) == usable
    suites = everything.facts("tls.cipher-suites", CipherSuites)
    assert all(of_version.complete for of_version in suites.versions.values())
    assert suites.versions[TLS12].preference == "server"
    assert names(everything, TLS13) == {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
    }
    assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" not in names(everything, TLS11)


def test_each_acceptance_is_witnessed_by_the_octets_of_a_server_hello(everything: Seen) -> None:
    exchanges = {exchange.id: exchange for exchange in everything.exchanges}
    assert len(exchanges) == everything.connections
    suites = everything.facts("tls.cipher-suites", CipherSuites)
    for version, of_version in suites.versions.items():
        for entry in of_version.accepted:
            received = "".join(text for way, _at, text in exchanges[entry.exchange].segments if way == "received")
            lines = "\n".join(describe(bytes.fromhex(received)))
            assert f"cipher suite 0x{entry.code:04X}" in lines
            assert f"version {registry.version_name(version)}" in lines


def test_a_server_with_preferences_prefers_the_better_suites(pki: Pki) -> None:
    ciphers = "ECDHE-RSA-AES128-GCM-SHA256:AES256-GCM-SHA384:ECDHE-RSA-AES256-SHA384:AES128-SHA"
    seen = look(*certificates(pki, ecdsa=False), "-tls1_2", "-cipher", ciphers, "-serverpref")
    preferences = seen.facts("tls.preferences", Preferences)
    assert preferences.forward_secrecy is not None
    assert preferences.forward_secrecy.selected == preferences.forward_secrecy.offered[-1]
    assert preferences.recommended is not None
    assert preferences.recommended.selected == 0xC02F


def test_a_client_s_order_decides_where_the_server_has_none(pki: Pki) -> None:
    seen = look(*certificates(pki, ecdsa=False), "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA")
    preferences = seen.facts("tls.preferences", Preferences)
    assert preferences.forward_secrecy is not None
    assert preferences.forward_secrecy.selected == 0x002F
    assert seen.facts("tls.cipher-suites", CipherSuites).versions[TLS12].preference == "client"


def test_groups_of_both_versions_and_dhe_parameters(everything: Seen) -> None:
    groups = everything.facts("tls.groups", Groups)
    older = {registry.group(entry.code).name: entry for entry in groups.versions[TLS12].groups}
    newer = {registry.group(entry.code).name: entry for entry in groups.versions[TLS13].groups}
    assert {"secp256r1", "secp384r1", "secp521r1", "x25519", "x448"} <= older.keys() & newer.keys()
    assert all(entry.accepted for entry in older.values())
    assert newer["x25519"].accepted
    assert newer["x448"].accepted
    assert newer["secp384r1"].accepted
    assert all(of_version.complete for of_version in groups.versions.values())
    signed = [entry for entry in groups.dhe if registry.suite(entry.suite).authentication == "RSA"]
    assert {entry.bits for entry in signed} == {2048}
    assert any(entry.group_name for entry in signed)
    assert groups.dhe[0].public_keys_differ is True
    assert groups.ecdhe_keys_differ is True
    assert groups.explicit_curves == ()


def test_signature_schemes_of_every_certificate(everything: Seen) -> None:
    schemes = everything.facts("tls.signature-schemes", SignatureSchemes)
    found = {registry.signature_scheme(entry.code).name for entry in schemes.versions[TLS12]}
    assert {"rsa_pss_rsae_sha256", "rsa_pkcs1_sha256", "rsa_pkcs1_sha1", "ecdsa_secp256r1_sha256"} <= found
    assert schemes.complete[TLS12]


def test_extensions_that_openssl_echoes(everything: Seen) -> None:
    extensions = everything.facts("tls.extensions", Extensions)
    assert extensions.extended_master_secret is True
    assert extensions.encrypt_then_mac is True
    assert extensions.renegotiation_info is True
    assert extensions.renegotiation_info_for_scsv is True
    assert extensions.compression == 0
    assert extensions.truncated_hmac is False
    assert extensions.heartbeat is False
    assert extensions.cbc_without_encrypt_then_mac is not None
    assert extensions.unknown_server_name is not None
    assert extensions.unknown_server_name.accepted


def test_a_tolerant_server_is_seen_as_tolerant(everything: Seen) -> None:
    tolerance = everything.facts("tls.tolerance", Tolerance)
    assert set(tolerance.record_versions) == {0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x03FF}
    assert all(reaction.version == TLS12 for reaction in tolerance.record_versions.values())
    assert all(reaction.version == TLS12 for reaction in tolerance.client_versions.values())
    assert tolerance.unknown_extensions_tls12 is not None
    assert tolerance.unknown_extensions_tls12.accepted
    assert tolerance.unknown_values_tls13 is not None
    assert tolerance.unknown_values_tls13.version == TLS13
    assert bytes.fromhex(tolerance.random_tail_tls12) == b"DOWNGRD\x01"


def test_a_plaintext_association_gets_no_dicom_answer(everything: Seen) -> None:
    plaintext = everything.facts("tls.plaintext", Plaintext)
    assert plaintext.dicom_answer is False
    assert plaintext.reaction.refused


def test_the_whole_stays_within_its_budget_of_connections(everything: Seen) -> None:
    assert everything.connections < 215
    assert everything.facts("tls.reachability", Reachability).speaks == "tls"


def test_a_server_of_tls12_only_with_one_suite(pki: Pki) -> None:
    seen = look(*certificates(pki, ecdsa=False), "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    versions = seen.facts("tls.versions", Versions)
    assert versions.reactions[TLS13].alert == 70  # protocol_version
    assert versions.reactions[TLS11].alert == 70
    assert versions.reactions[TLS11].closed is True
    assert names(seen, TLS12) == {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
    of_version = seen.facts("tls.cipher-suites", CipherSuites).versions[TLS12]
    assert (of_version.complete, of_version.preference) == (True, "")
    preferences = seen.facts("tls.preferences", Preferences)
    assert preferences.forward_secrecy is None
    assert preferences.recommended is None
    extensions = seen.facts("tls.extensions", Extensions)
    assert extensions.encrypt_then_mac is None
    assert extensions.cbc_without_encrypt_then_mac is None
    assert seen.facts("tls.tolerance", Tolerance).unknown_values_tls13 is None


def test_a_server_of_tls13_only_says_nothing_about_tls12(pki: Pki) -> None:
    suites = "TLS_AES_128_CCM_8_SHA256:TLS_AES_128_CCM_SHA256"
    seen = look(
        *certificates(pki), "-tls1_3", "-ciphersuites", suites, "-groups", "P-521", "-cipher", "ALL:@SECLEVEL=0"
    )
    assert names(seen, TLS13) == {"TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_SHA256"}
    groups = seen.facts("tls.groups", Groups).versions
    assert [(registry.group(entry.code).name, entry.accepted) for entry in groups[TLS13].groups] == [
        ("secp521r1", True)
    ]
    assert TLS12 not in groups
    assert seen.observations["tls.signature-schemes"].facts is None
    assert "no suite" in seen.observations["tls.signature-schemes"].missing


def test_curves_are_found_behind_an_ecdsa_certificate_that_needs_its_own(pki: Pki, tmp_path: Path) -> None:
    material = ["-cert", str(pki.certificate_file("server_ec")), "-key", str(pki.key_file("server_ec"))]
    seen = look(*material, "-tls1_2", "-groups", "X25519:P-256:P-384", "-serverpref")
    groups = seen.facts("tls.groups", Groups).versions[TLS12]
    assert {registry.group(entry.code).name for entry in groups.groups} >= {"x25519", "secp256r1"}


def test_parameters_of_a_site_s_own_are_seen(pki: Pki, tmp_path: Path) -> None:
    parameters = tmp_path / "dh.pem"
    command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe3072"]
    subprocess.run([*command, "-out", str(parameters)], check=True, capture_output=True)
    ciphers = "DHE-RSA-AES128-GCM-SHA256"
    seen = look(*certificates(pki, ecdsa=False), "-tls1_2", "-cipher", ciphers, "-dhparam", str(parameters))
    (parameter,) = seen.facts("tls.groups", Groups).dhe
    assert (parameter.bits, parameter.suite, parameter.group_name) == (3072, 0x009E, "ffdhe3072")


def test_unknown_names_can_be_refused(pki: Pki) -> None:
    other = ["-cert2", str(pki.certificate_file("server")), "-key2", str(pki.key_file("server"))]
    seen = look(*certificates(pki), "-servername", "localhost", "-servername_fatal", *other)
    extensions = seen.facts("tls.extensions", Extensions)
    assert extensions.unknown_server_name is not None
    assert extensions.unknown_server_name.kind is ReactionKind.ALERT
    assert extensions.unknown_server_name.alert == 112
