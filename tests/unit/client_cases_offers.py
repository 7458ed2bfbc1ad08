"""What a client offers, uses and shows, and what it is judged for."""

# ruff: noqa: E501 - the cases are a table

from __future__ import annotations

from tests.unit.client_changes import (
    CBC,
    CBC_HASH,
    OUTSIDE,
    b12,
    b13,
    both,
    everywhere,
    offering,
    own,
    showing,
    with_trials,
)
from tests.unit.client_judging import Verdicts
from tests.unit.client_observations import (
    SUITES,
    Record,
    accepted,
    changed_everywhere,
    conforming,
    hello,
    refused,
    trial,
    went_on,
)
from tests.unit.tls_observations import TLS12, TLS13, certificate

EC = certificate("ec", sha256="leaf-ec", subject="CN=scu", issuer="CN=authority", signature_algorithm="ecdsa")
EC_AUTHORITY = certificate("ec", sha256="ca-ec", subject="CN=authority", issuer="CN=authority", self_signed=True)

CASES: dict[str, tuple[Record, Verdicts]] = {
    # offers
    "compression": (everywhere(compression_methods=(1, 0)), both("warning", "RFC9325-3.3-client-no-compression")),
    "early data": (with_trials(reset=trial(refused(hello=hello(extensions=(23, 42))))), both("fail", "RFC9325-3.10-client-no-early-data")),
    "no secure renegotiation": (
        everywhere(renegotiation_info=False),
        both("fail", "RFC9325-3.5-client-renegotiation-info", "RFC9325-3.5-client-renegotiation-info-sent"),
    ),
    "secure renegotiation signalled by a suite": (everywhere(renegotiation_info=False, renegotiation_scsv=True), {}),
    "no extended master secret": (everywhere(extensions=(0, 10, 13)), both("fail", "RFC9325-3.5-client-extended-master-secret")),
    "truncated HMAC": (everywhere(extensions=(4, 23)), both("fail", "RFC9325-4.6-client-no-truncated-hmac")),
    "all point formats": (everywhere(point_formats=(0, 1, 2)), both("fail", "RFC9325-4.2.1-client-point-formats")),
    "no point formats": (everywhere(point_formats=None), both("not_applicable", "RFC9325-4.2.1-client-point-formats")),
    "no P-256": (everywhere(groups=(0x1D, 0x18)), both("warning", "RFC9325-4.2.1-client-supports-p256")),
    "no X25519": (everywhere(groups=(0x17, 0x18), key_shares=(0x17,)), both("warning", "RFC9325-4.2.1-client-supports-x25519")),
    "no groups": (
        everywhere(groups=None),
        both("warning", "RFC9325-4.2.1-client-supported-groups")
        | both("inconclusive", "RFC9325-4.2.1-client-supports-p256", "RFC9325-4.2.1-client-supports-x25519"),
    ),
    "no SHA-256": (everywhere(schemes=(0x0503, 0x0805)), both("fail", "RFC9325-4.5-client-requests-sha-256")),
    "no TLS 1.3": (
        everywhere(supported_versions=(), key_shares=None, suites=SUITES[3:])
        | {name: trial(skipped="no TLS 1.3") for name in ("padding", "key-update", "retry", "retry-cookie", "retry-twice")},
        both("warning", "RFC9325-3.1.1-client-supports-tls-1.3")
        | own("not_applicable", "attempts-tls-1.3")
        | b13("not_applicable", "tls-1.3-suites")
        | both(
            "not_applicable",
            "RFC9325-3.1.1-client-prefers-tls-1.3", "RFC9325-3.10-client-no-early-data", "RFC8446-4.1.3-client-downgrade-sentinel",
            "RFC8446-4.1.4-client-hello-retry-request", "RFC8446-4.1.4-client-second-retry-request",
            "RFC8446-4.1.4-client-checks-retry-request", "RFC8446-4.2.1-client-version-not-offered",
            "RFC8446-4.4.3-client-no-pkcs1-signature", "RFC8446-4.4.3-client-verifies-signature",
            "RFC8446-4.4.4-client-verifies-finished", "RFC8446-4.6.3-client-key-update",
        ),
    ),
    "no TLS 1.2": (
        everywhere(supported_versions=(TLS13,), suites=SUITES[:3]),
        b12("fail", "B.12-client-supports-tls-1.2", "RFC9325-3.1.1-client-supports-tls-1.2")
        | b13("not_applicable", "tls-1.2-suites")
        | both(
            "not_applicable",
            "RFC9325-3.3-client-no-compression", "RFC9325-3.5-client-renegotiation-info", "RFC9325-3.5-client-renegotiation-info-sent",
            "RFC9325-3.5-client-renegotiation-info-unacknowledged", "RFC9325-3.5-client-extended-master-secret",
            "RFC9325-4.2-client-recommended-suites", "RFC9325-4.2.1-client-first-proposal",
            "RFC9325-4.2.1-client-no-rsa-aes-128-cbc-sha", "RFC8446-4.1.3-client-downgrade-sentinel",
            "RFC5246-7.4.3-client-verifies-signature", "RFC5246-7.4.9-client-verifies-finished",
            "RFC5746-3.4-client-checks-renegotiation-info", "RFC9325-7.2.1-client-gcm-nonce-sequence", "RFC5288-3-client-nonce-unique",
            "RFC9325-4.2.1-client-point-formats",
        ),
    ),
    # suites
    "other suite first": (
        everywhere(suites=(0x1302, 0x1303, 0x1301, 0xC030, *(each for each in SUITES[3:] if each != 0xC030))),
        both("warning", "RFC9325-4.2.1-client-first-proposal"),
    ),
    "a recommended suite missing": (
        everywhere(suites=tuple(each for each in SUITES if each != 0xC02C)),
        both("warning", "RFC9325-4.2-client-recommended-suites"),
    ),
    "static RSA in use": (
        offering(0x009C, taking={"suite-static-rsa": 0x009C}),
        both("warning", "RFC9325-4.1-client-no-static-rsa") | OUTSIDE | b13("fail", "forbidden-key-exchange", "permitted-key-exchange"),
    ),
    "static RSA offered, and refused": (offering(0x009C, refusing=("suite-static-rsa",)), {}),
    "static RSA offered, trial missing": (
        offering(0x009C) | {"suite-static-rsa": trial()},
        both("inconclusive", "RFC9325-4.1-client-no-static-rsa")
        | b13("inconclusive", "tls-1.2-closed-set", "forbidden-key-exchange", "permitted-key-exchange"),
    ),
    "mandatory suite of TLS 1.2": (
        offering(0x002F, refusing=("suite-static-rsa",)),
        both("warning", "RFC9325-4.2.1-client-no-rsa-aes-128-cbc-sha")
        | both("pass", "RFC9325-4.2-client-cbc-only-with-encrypt-then-mac"),
    ),
    "NULL": (
        offering(0xC010, taking={"suite-null": 0xC010}),
        b12("fail", "B.12-client-no-null-cipher") | both("fail", "RFC9325-4.1-client-no-null") | OUTSIDE | CBC_HASH,
    ),
    "TLS_NULL_WITH_NULL_NULL": (
        offering(0x0000, taking={"suite-null": 0x0000}),
        b12("fail", "B.12-client-no-null-cipher", "B.12-client-no-null-key-exchange", "B.12-client-no-null-signature-hash")
        | both("fail", "RFC9325-4.1-client-no-null") | OUTSIDE | b13("fail", "permitted-key-exchange"),
    ),
    "anonymous": (
        offering(0x00A6, taking={"suite-anonymous": 0x00A6}),
        b12("fail", "B.12-client-no-null-signature-hash") | OUTSIDE | b13("fail", "permitted-key-exchange"),
    ),
    "RC4": (
        offering(0xC011, taking={"suite-rc4": 0xC011}),
        both("fail", "RFC9325-4.1-client-no-rc4") | OUTSIDE | CBC_HASH | b13("fail", "forbidden-stream-cipher", "permitted-stream-cipher"),
    ),
    "export": (
        offering(0x0008, taking={"suite-export": 0x0008}),
        both("fail", "RFC9325-4.1-client-no-below-112-bits")
        | both("warning", "RFC9325-4.1-client-no-below-128-bits", "RFC9325-4.1-client-no-static-rsa", "RFC9325-4.2-client-cbc-only-with-encrypt-then-mac")
        | OUTSIDE | CBC | CBC_HASH
        | b13("fail", "forbidden-block-cipher", "permitted-block-cipher", "forbidden-key-exchange", "permitted-key-exchange"),
    ),
    "static DH": (
        offering(0x00A0, taking={"suite-static-dh": 0x00A0}),
        both("warning", "RFC9325-4.1-client-no-static-dh") | OUTSIDE | b13("fail", "forbidden-key-exchange", "permitted-key-exchange"),
    ),
    "static ECDH": (
        offering(0xC031, taking={"suite-static-ecdh": 0xC031}),
        both("warning", "RFC9325-4.1-client-no-static-ecdh") | OUTSIDE | b13("fail", "forbidden-key-exchange", "permitted-key-exchange"),
    ),
    "GOST": (
        offering(0xC100, taking={"suite-gost": 0xC100}),
        OUTSIDE
        | b13("fail", "forbidden-signature", "permitted-signature", "forbidden-block-cipher", "permitted-block-cipher")
        | b13("fail", "forbidden-block-mode", "permitted-block-mode", "forbidden-hash", "permitted-hash", "permitted-key-exchange"),
    ),
    "Camellia with GCM": (offering(0xC08A, taking={"suite-camellia": 0xC08A}), {}),
    "CBC without encrypt-then-MAC": (
        offering(0xC027, taking={"suite-cbc": 0xC027}),
        both("warning", "RFC9325-4.2-client-cbc-only-with-encrypt-then-mac") | OUTSIDE | CBC,
    ),
    "DHE": (
        offering(0x009E, taking={"suite-dhe": 0x009E, "suite-dhe-again": 0x009E}, refusing=("dhe-1024",)),
        b12("warning", "RFC9325-4.1-client-no-dhe")
        | both("pass", "RFC9325-4.5-client-dhe-2048")
        | b13("pass", "dhe-key-length")
        | both("inconclusive", "RFC9325-7.4-client-no-ffdh-reuse"),
    ),
    "short DHE": (
        offering(0x009E, taking={"suite-dhe": 0x009E, "dhe-1024": 0x009E}),
        b12("warning", "RFC9325-4.1-client-no-dhe")
        | both("fail", "RFC9325-4.5-client-dhe-2048")
        | b13("fail", "dhe-key-length")
        | both("inconclusive", "RFC9325-7.4-client-no-ffdh-reuse"),
    ),
    "no suite of B.13's lists under TLS 1.2": (
        everywhere(suites=(0x1302, 0x009E)) | {
            name: trial(accepted(TLS12, suite=0x009E, hello=hello(suites=(0x1302, 0x009E)), dhe_public=f"{number:064x}"))
            for number, name in enumerate(("suite-dhe", "suite-dhe-again"))
        } | {"dhe-1024": trial(refused(TLS12))},
        b13("fail", "tls-1.2-suites") | b12("warning", "RFC9325-4.1-client-no-dhe") | b13("pass", "dhe-key-length")
        | both("pass", "RFC9325-4.5-client-dhe-2048", "RFC9325-7.4-client-no-ffdh-reuse")
        | both("warning", "RFC9325-4.2-client-recommended-suites", "RFC9325-4.2.1-client-first-proposal"),
    ),
    "no suite of B.13's list under TLS 1.3": (
        everywhere(suites=(0x00C6, *SUITES[3:])),
        b13("fail", "tls-1.3-suites") | b13("inconclusive", "permitted-block-cipher", "permitted-hash"),
    ),
    "no forward secrecy": (
        everywhere(suites=(0x1302, 0x009C)) | {"suite-static-rsa": trial(refused(TLS12))},
        both("fail", "RFC9325-4.1-client-supports-forward-secrecy", "RFC9325-4.1-client-prefers-forward-secrecy")
        | b13("fail", "tls-1.2-suites")
        | both("warning", "RFC9325-4.2-client-recommended-suites", "RFC9325-4.2.1-client-first-proposal")
    ),
    "forward secrecy last": (
        everywhere(suites=(0x1302, 0x009C, *SUITES[3:])) | {"suite-static-rsa": trial(refused(TLS12))},
        both("fail", "RFC9325-4.1-client-prefers-forward-secrecy") | both("warning", "RFC9325-4.2.1-client-first-proposal"),
    ),
    "DHE key used again": (
        offering(0x009E, taking={"suite-dhe": 0x009E, "suite-dhe-again": 0x009E}, refusing=("dhe-1024",))
        | {name: trial(accepted(TLS12, suite=0x009E, dhe_public="ab" * 32)) for name in ("suite-dhe", "suite-dhe-again")},
        b12("warning", "RFC9325-4.1-client-no-dhe")
        | both("pass", "RFC9325-4.5-client-dhe-2048")
        | b13("pass", "dhe-key-length")
        | both("warning", "RFC9325-7.4-client-no-ffdh-reuse"),
    ),
    # keys and signatures
    "P-224": (with_trials(**{"curve-p-224": trial(went_on(group=0x15))}), b13("fail", "ecdhe-key-length")),
    "P-192": (
        with_trials(**{"curve-p-192": trial(went_on(group=0x13))}),
        b13("fail", "ecdhe-key-length") | both("fail", "RFC9325-4.5-client-no-curves-below-224"),
    ),
    "sect163k1 offered": (
        everywhere(groups=(0x1D, 0x17, 0x01)),
        b13("inconclusive", "ecdhe-key-length") | both("inconclusive", "RFC9325-4.5-client-no-curves-below-224"),
    ),
    "SHA-1 signature taken": (
        with_trials(**{"signature-sha1": trial(went_on())}),
        both("fail", "RFC9325-4.5-client-no-sha1-md5-signatures") | CBC_HASH,
    ),
    "SHA-224 signature taken": (with_trials(**{"signature-sha224": trial(went_on())}), b13("fail", "permitted-hash")),
    "own SHA-1 signature": (
        changed_everywhere(conforming(), scheme=0x0201),
        both("fail", "RFC9325-4.5-client-no-sha1-md5-signatures") | CBC_HASH,
    ),
    "own SHA-512 signature": (changed_everywhere(conforming(), scheme=0x0806), b13("inconclusive", "permitted-hash")),
    "own Ed25519 signature": (changed_everywhere(conforming(), scheme=0x0807), b13("fail", "permitted-signature")),
    "nonces out of sequence": (
        changed_everywhere(conforming(), explicit_nonces=("00000000000000a1", "0000000000000007")),
        both("warning", "RFC9325-7.2.1-client-gcm-nonce-sequence"),
    ),
    "nonces used twice": (
        changed_everywhere(conforming(), explicit_nonces=("00000000000000a1", "00000000000000a1")),
        both("warning", "RFC9325-7.2.1-client-gcm-nonce-sequence") | both("fail", "RFC5288-3-client-nonce-unique"),
    ),
    # its own certificate
    "short RSA key": (
        showing(certificate("rsa", key_bits=1024, issuer="CN=authority"), certificate("rsa", sha256="ca", subject="CN=authority", self_signed=True)),
        b13("fail", "certificate-rsa-key-length"),
    ),
    "signed by a short RSA key": (
        showing(certificate("rsa", issuer="CN=authority"), certificate("rsa", sha256="ca", key_bits=1024, subject="CN=authority", self_signed=True)),
        b13("fail", "certificate-rsa-key-length", "certificate-rsa-signature-key-length"),
    ),
    "SHA-1 client certificate": (
        showing(certificate("rsa", issuer="CN=authority", signature_hash="sha1"), certificate("rsa", sha256="ca", subject="CN=authority", self_signed=True)),
        b13("fail", "certificate-hash") | both("fail", "RFC9325-4.5-client-no-sha1-md5-certificates"),
    ),
    "P-224 client certificate": (
        showing(EC | {"key_bits": 224, "curve": "secp224r1"}, EC_AUTHORITY, scheme=0x0403),
        b13("fail", "certificate-ecc-key-length") | b13("pass", "certificate-ecdsa-signature-key-length")
        | b13("not_applicable", "certificate-rsa-key-length", "certificate-rsa-signature-key-length")
        | both("warning", "RFC9325-4.2-client-ecdsa-p256"),
    ),
    "signed by P-224": (
        showing(EC, EC_AUTHORITY | {"key_bits": 224, "curve": "secp224r1"}, scheme=0x0403),
        b13("fail", "certificate-ecc-key-length", "certificate-ecdsa-signature-key-length")
        | b13("not_applicable", "certificate-rsa-key-length", "certificate-rsa-signature-key-length")
        | both("pass", "RFC9325-4.2-client-ecdsa-p256"),
    ),
    "no client certificate": (
        showing(),
        b13("not_applicable", "certificate-rsa-key-length", "certificate-rsa-signature-key-length", "certificate-hash")
        | both("not_applicable", "RFC9325-4.5-client-no-sha1-md5-certificates"),
    ),
}  # fmt: skip
