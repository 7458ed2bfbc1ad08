"""What servers say and show, and what a client that takes it, or breaks off needlessly, is judged for."""

# ruff: noqa: E501 - the cases are a table

from __future__ import annotations

from fixtures.pki.zoo import CASES as ZOO
from tests.unit.client_changes import b12, b13, both, certificates, everywhere, own, taken, with_trials
from tests.unit.client_judging import Verdicts
from tests.unit.client_observations import SUITES, Record, accepted, hello, refused, trial, went_on
from tests.unit.tls_observations import TLS12, TLS13

RULES = {
    rule: tuple(case.name for case in ZOO.values() if case.rule == rule and case.server == "refuse" and case.level == "shall")
    for rule in (
        "validity", "trust", "signature", "signature-algorithm", "extended-key-usage", "key-usage", "basic-constraints",
        "path-length", "name-constraints", "critical-extension", "version", "encoding", "chain",
    )
}  # fmt: skip
CASES: dict[str, tuple[Record, Verdicts]] = {
    # versions
    "SSL 3.0": (with_trials(**{"only-ssl-3.0": trial(went_on(0x0300))}), both("fail", "RFC9325-3.1.1-client-no-ssl-3.0")),
    "TLS 1.0": (
        with_trials(**{"only-tls-1.0": trial(went_on(0x0301))}),
        both("fail", "RFC9325-3.1.1-client-no-tls-1.0", "RFC8996-4-client-no-tls-1.0", "RFC8996-4-client-protocol-version-alert"),
    ),
    "TLS 1.1": (
        with_trials(**{"only-tls-1.1": trial(went_on(0x0302))}),
        both("fail", "RFC9325-3.1.1-client-no-tls-1.1", "RFC8996-5-client-no-tls-1.1", "RFC8996-5-client-protocol-version-alert"),
    ),
    "handshake_failure for TLS 1.0": (
        with_trials(**{"only-tls-1.0": trial(refused(0x0301, alert=40))}),
        both("fail", "RFC8996-4-client-protocol-version-alert"),
    ),
    "reset for TLS 1.1": (
        with_trials(**{"only-tls-1.1": trial(refused(0x0302, ended="reset", alert=None, fatal=None))}),
        both("inconclusive", "RFC8996-5-client-protocol-version-alert"),
    ),
    "close for TLS 1.1": (
        with_trials(**{"only-tls-1.1": trial(refused(0x0302, ended="close", alert=None, fatal=None))}),
        both("fail", "RFC8996-5-client-protocol-version-alert"),
    ),
    "SSL 2.0 format": (
        with_trials(**{"reset": trial(refused(opening="ssl2", hello=hello(ssl2_format=True)))}),
        both("fail", "RFC9325-3.1.1-client-no-ssl-2.0"),
    ),
    "fallback to TLS 1.0": (
        with_trials(**{"fallback-after-close": trial(refused(ended="harness"), refused(hello=hello(version=0x0301, supported_versions=())))}),
        both("fail", "RFC9325-3.1.3-client-no-fallback", "RFC8996-4-client-no-client-hello-tls-1.0"),
    ),
    "fallback to TLS 1.1": (
        with_trials(**{"fallback-after-close": trial(refused(ended="harness"), refused(hello=hello(version=0x0302, supported_versions=())))}),
        both("fail", "RFC9325-3.1.3-client-no-fallback", "RFC8996-5-client-no-client-hello-tls-1.1"),
    ),
    "fallback to TLS 1.2": (
        with_trials(**{"fallback-after-close": trial(refused(ended="harness"), refused(hello=hello(supported_versions=())))}),
        {},
    ),
    "fallback to plain DICOM": (
        with_trials(**{"plaintext-dicom": trial(refused(), refused(opening="dicom", hello=None, progress="nothing", alert=None, ended="close"))}),
        b12("fail", "B.12-client-encrypts-all-communications"),
    ),
    "a late second try without TLS 1.3": (
        with_trials(**{"certificate/unknown-authority": trial(refused()), "certificate/expired": trial(refused(hello=hello(supported_versions=())))}),
        {},
    ),
    "TLS 1.3 not always": (
        with_trials(**{"padding": trial(accepted(hello=hello(supported_versions=())))}),
        own("fail", "attempts-tls-1.3") | both("fail", "RFC9325-3.1.1-client-prefers-tls-1.3"),
    ),
    "sentinel": (
        with_trials(**{"downgrade-to-tls-1.2": trial(went_on())}),
        both("fail", "RFC8446-4.1.3-client-downgrade-sentinel"),
    ),
    # certificates
    **{
        f"certificates: {rule}": (taken(*certificates(names[-1])), both("fail", f"RFC5280-6.1-server-certificate-{rule}"))
        for rule, names in RULES.items()
    },
    "short key": (taken(*certificates("rsa-1024")), both("warning", "RFC5280-6.1-server-certificate-key-strength")),
    "revoked": (taken(*certificates("revoked-crl")), both("warning", "RFC5280-6.1-server-certificate-revocation")),
    "SHA-1 certificate": (taken(*certificates("sha1-signature")), both("warning", "RFC5280-6.1-server-certificate-recommended-refusals")),
    "other host": (
        taken(*certificates("wrong-host-name")),
        both("warning", "RFC9325-7.1-client-host-name", "RFC9325-3.7-client-acknowledged-name"),
    ),
    "NUL in name": (taken(*certificates("nul-in-name")), both("warning", "RFC9325-7.1-client-host-name")),
    "possession": (taken(*certificates("possession"), version=TLS13), both("fail", "RFC8446-4.4.3-client-verifies-signature")),
    "odd certificate refused": (
        with_trials(**{"certificate/missing-extended-key-usage": trial(refused())}),
        both("warning", "RFC5280-6.1-server-certificate-acceptable"),
    ),
    "stapled response overlooked": (
        everywhere(extensions=(5, 23)) | taken(*certificates("revoked-stapled")) | {"ordinary": trial(accepted(hello=hello(extensions=(5, 23))))},
        both("fail", "RFC6066-8-client-checks-stapled-response"),
    ),
    "Ed25519": (
        everywhere(schemes=(0x0403, 0x0804, 0x0807)) | taken("certificate/ed25519", version=TLS13),
        b13("fail", "permitted-signature"),
    ),
    "Ed25519 beside a suite with DSA that no trial selects": (
        everywhere(schemes=(0x0403, 0x0804, 0x0807), suites=(*SUITES, 0x00A2)) | taken("certificate/ed25519", version=TLS13),
        b13("fail", "permitted-signature"),
    ),
    # what the server says
    "suite not offered": (
        with_trials(**{"suite-not-offered-1.3": trial(went_on(TLS13, suite=0x1304))}),
        both("fail", "RFC8446-4.1.3-client-suite-not-offered"),
    ),
    "extension not offered": (
        with_trials(**{"extension-unsolicited-1.2": trial(went_on())}),
        both("fail", "RFC8446-4.2-client-extension-not-offered"),
    ),
    "extension twice": (
        with_trials(**{"extension-duplicate": trial(went_on(TLS13))}),
        both("warning", "RFC8446-4.2-client-duplicate-extension"),
    ),
    "version not offered": (
        with_trials(**{"version-not-offered": trial(went_on(TLS13))}),
        both("fail", "RFC8446-4.2.1-client-version-not-offered"),
    ),
    "group not offered": (
        with_trials(**{"explicit-curve": trial(went_on())}),
        both("fail", "RFC8446-4.2.8-client-group-not-offered"),
    ),
    "second retry": (
        with_trials(**{"retry-twice": trial(went_on(TLS13))}),
        both("fail", "RFC8446-4.1.4-client-second-retry-request"),
    ),
    "pointless retry": (
        with_trials(**{"retry-without-change": trial(went_on(TLS13))}),
        both("fail", "RFC8446-4.1.4-client-checks-retry-request"),
    ),
    "retry refused": (
        with_trials(retry=trial(refused(TLS13))),
        both("fail", "RFC8446-4.1.4-client-hello-retry-request"),
    ),
    "no certificate": (
        taken("certificate-empty", version=TLS13),
        both("fail", "RFC8446-4.4.2.4-client-empty-certificate"),
    ),
    "PKCS#1 in TLS 1.3": (
        taken("signature-pkcs1-1.3", version=TLS13),
        both("warning", "RFC8446-4.4.3-client-no-pkcs1-signature"),
    ),
    "CertificateVerify overlooked": (
        taken("signature-wrong-1.3", version=TLS13),
        both("fail", "RFC8446-4.4.3-client-verifies-signature"),
    ),
    "ServerKeyExchange overlooked": (
        with_trials(**{"signature-wrong-1.2": trial(went_on())}),
        both("fail", "RFC5246-7.4.3-client-verifies-signature"),
    ),
    "Finished of TLS 1.3 overlooked": (taken("finished-wrong-1.3", version=TLS13), both("fail", "RFC8446-4.4.4-client-verifies-finished")),
    "Finished of TLS 1.2 overlooked": (taken("finished-wrong-1.2"), both("fail", "RFC5246-7.4.9-client-verifies-finished")),
    "wrong renegotiation_info": (
        with_trials(**{"renegotiation-info-wrong": trial(went_on())}),
        both("fail", "RFC5746-3.4-client-checks-renegotiation-info"),
    ),
    "no renegotiation_info taken": (
        taken("no-renegotiation-info"),
        both("fail", "RFC9325-3.5-client-renegotiation-info-unacknowledged"),
    ),
    "another alert without renegotiation_info": (
        with_trials(**{"no-renegotiation-info": trial(refused(TLS12, alert=80))}),
        both("fail", "RFC9325-3.5-client-renegotiation-info-unacknowledged"),
    ),
    "foreign protocol": (
        everywhere(alpn=("http/1.1",)) | {"alpn-unknown": trial(accepted(hello=hello(alpn=("http/1.1",))))},
        both("warning", "RFC9325-3.8-client-alpn-not-offered"),
    ),
    "request for a certificate refused": (
        with_trials(**{"request-without-authorities": trial(refused())}),
        both("fail", "RFC5246-7.4.6-client-answers-certificate-request"),
    ),
    "odd records refused": (
        with_trials(**{"application-records-of-one-octet": trial(accepted(operations=(), association_accepted=False, ended="alert", alert=10, fatal=True))}),
        both("warning", "RFC8446-5.1-client-record-boundaries"),
    ),
    "tickets refused": (with_trials(tickets=trial(refused(TLS13))), both("warning", "RFC8446-4.6.1-client-tickets")),
    "key update refused": (
        with_trials(**{"key-update": trial(accepted(operations=(), ended="alert", alert=10, fatal=True))}),
        both("fail", "RFC8446-4.6.3-client-key-update"),
    ),
    "broken record overlooked": (
        taken("record-corrupt-application", version=TLS13),
        own("fail", "integrity-failure-drops-connection"),
    ),
}  # fmt: skip
