"""What each fault of the reference client does. What it breaks stands in ``reference_impl/faults/client.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fixtures.pki import CLIENT
from reference_impl.transport.client.settings import Check, Dread
from reference_impl.transport.client_faults import attempts, offers, records
from reference_impl.transport.client_faults.behaviour import ClientBehaviour, both, deviating, offering
from reference_impl.transport.client_faults.beside import BESIDE_CLIENT_BEHAVIOURS
from reference_impl.transport.client_faults.retired import RETIRED_CLIENT_BEHAVIOURS
from reference_impl.transport.wire import SSL3, TLS10, TLS11, TLS12, TLS13
from reference_impl.transport.wire.extensions import truncated_hmac

_SHA_384_AND_512 = (0x0503, 0x0603, 0x0805, 0x0806, 0x080A, 0x080B, 0x0501, 0x0601)
_DHE = 0x009E


def _without(*checks: Check) -> ClientBehaviour:
    """The client leaves these checks out."""
    return ClientBehaviour(deviating(ignores=frozenset(checks)))


def _dreading(what: Dread) -> ClientBehaviour:
    """The client breaks off at something acceptable."""
    return ClientBehaviour(deviating(dreads=frozenset({what})))


def _dhe(**changes: object) -> ClientBehaviour:
    """The client offers and takes a DHE suite."""
    return ClientBehaviour(both(offers.using(_DHE), deviating(**changes)))


CLIENT_BEHAVIOURS: Mapping[str, ClientBehaviour] = {
    # certificates of servers
    "accepts-expired-server": _without(Check.EXPIRED),
    "accepts-not-yet-valid-server": _without(Check.NOT_YET_VALID),
    "accepts-any-server-issuer": _without(Check.TRUST),
    "ignores-server-certificate-signature": _without(Check.SIGNATURE),
    "ignores-server-name": _without(Check.HOST_NAME),
    "trusts-common-name": _without(Check.COMMON_NAME),
    "ignores-server-revocation": _without(Check.REVOCATION_LIST, Check.RESPONDER),
    "ignores-stapled-revocation": _without(Check.STAPLED_STATUS),
    "accepts-any-server-purpose": _without(Check.EXTENDED_KEY_USAGE),
    "ignores-server-key-usage": _without(Check.KEY_USAGE),
    "ignores-server-basic-constraints": _without(Check.BASIC_CONSTRAINTS),
    "ignores-server-path-length": _without(Check.PATH_LENGTH),
    "ignores-server-name-constraints": _without(Check.NAME_CONSTRAINTS),
    "ignores-server-critical-extension": _without(Check.CRITICAL_EXTENSION),
    "ignores-server-certificate-encoding": _without(Check.ENCODING),
    "accepts-rsa-1024-server": _without(Check.KEY_STRENGTH),
    "accepts-sha-1-server": _without(Check.SIGNATURE_ALGORITHM),
    "accepts-no-server-certificate": _without(Check.SOME_CERTIFICATE),
    "refuses-missing-server-purpose": _dreading(Dread.NO_PURPOSE),
    "sends-data-before-verification": ClientBehaviour(deviating(verifies_late=True)),
    # protocol versions
    "accepts-ssl-3.0": offers.accepting_version(SSL3),
    "accepts-tls-1.0": offers.accepting_version(TLS10),
    "accepts-tls-1.1": offers.accepting_version(TLS11),
    "accepts-unknown-version": _without(Check.KNOWN_VERSION),
    "offers-only-tls-1.1": offers.only_old_version(TLS11, 0xC013, 0xC014),
    "offers-no-tls-1.2": offers.only_version(TLS13),
    "offers-no-tls-1.3": offers.only_version(TLS12),
    "falls-back-to-tls-1.0": ClientBehaviour(after_failure=(attempts.in_old_version(TLS10),)),
    "falls-back-to-tls-1.1": ClientBehaviour(after_failure=(attempts.in_old_version(TLS11),)),
    "tries-tls-1.2-again": ClientBehaviour(after_tls_1_2=(attempts.dropped_tls_1_2(),)),
    "falls-back-to-ssl-2.0": ClientBehaviour(after_failure=(attempts.in_ssl2_format(),)),
    "falls-back-to-plaintext": ClientBehaviour(after_failure=(attempts.in_plain_text(),)),
    "begins-in-plaintext": ClientBehaviour(before=(attempts.in_plain_text(),)),
    "ignores-downgrade-sentinel": _without(Check.SENTINEL),
    # cipher suites
    "accepts-null": offers.taking(0xC010),
    "accepts-null-with-null-null": offers.taking(0x0000),
    "accepts-integrity-only": offers.taking(0xC0B4),
    "accepts-anonymous": offers.taking(0x00A6),
    "accepts-export": offers.taking(0x0008),
    "accepts-rc4": offers.taking(0xC011),
    "accepts-des": offers.taking(0x0009),
    "accepts-3des": offers.taking(0xC012),
    "accepts-idea": offers.taking(0x0007),
    "accepts-seed": offers.taking(0x0096),
    "accepts-gost": offers.taking(0xC100),
    "accepts-aria": offers.taking(0xC060),
    "accepts-camellia-cbc": offers.taking(0xC076),
    "accepts-cbc": offers.taking(0xC027),
    "accepts-static-rsa": offers.taking(0x009C),
    "accepts-static-dh": offers.taking(0x00A0),
    "accepts-static-ecdh": offers.taking(0xC031),
    "accepts-dhe": _dhe(),
    "accepts-dhe-1024": _dhe(ignores=frozenset({Check.DHE_BITS})),
    "reuses-dhe-key": _dhe(reuses_dhe_key=True),
    "offers-rsa-aes-128-cbc-sha": offers.only_offering(0x002F),
    "prefers-static-rsa": offers.preferring(0x009C),
    "proposes-another-suite-first": offers.proposing_first(0xC030),
    "offers-no-forward-secrecy": offers.only_suites(0x009C),
    "offers-not-all-recommended-suites": offers.without_suites(0xC030),
    "offers-no-listed-tls-1.3-suite": ClientBehaviour(at_first=(attempts.dropped_tls_1_3_by(0x00C6),)),
    "offers-no-listed-tls-1.2-suite": offers.with_tls_1_2_only_by(_DHE),
    "accepts-suite-not-offered": offers.taking_unasked(0xC077),
    # groups and signatures
    "accepts-p-192": offers.accepting_group(0x0013),
    "accepts-p-224": offers.accepting_group(0x0015),
    "accepts-group-not-offered": offers.accepting_group(0x001E, 0x0016, 0x001A),
    "offers-no-p-256": offers.without_group(0x0017),
    "offers-no-x25519": offers.without_group(0x001D),
    "offers-no-groups": offers.without_supported_groups(),
    "offers-compressed-points": ClientBehaviour(offering(point_formats=(0, 1, 2))),
    "accepts-sha-1-signature": offers.accepting_schemes(0x0203, 0x0201),
    "accepts-md5-signature": offers.accepting_schemes(0x0101),
    "accepts-pkcs1-signature": _without(Check.SCHEME_OF_VERSION),
    "asks-for-no-sha-256": ClientBehaviour(offering(schemes=_SHA_384_AND_512, certificate_schemes=())),
    "ignores-server-signature": _without(Check.SERVER_SIGNATURE),
    "ignores-finished": _without(Check.FINISHED),
    # extensions and messages
    "offers-compression": ClientBehaviour(offering(compression_methods=(1, 0))),
    "sends-no-renegotiation-info": ClientBehaviour(offering(renegotiation_info=False)),
    "tolerates-no-renegotiation-info": _without(Check.RENEGOTIATION_ANSWERED),
    "ignores-renegotiation-info": _without(Check.RENEGOTIATION_EMPTY),
    "offers-no-extended-master-secret": ClientBehaviour(offering(extended_master_secret=False)),
    "offers-truncated-hmac": ClientBehaviour(offering(extra_extensions=(truncated_hmac(),))),
    "announces-early-data": offers.sending_early_data(),
    "accepts-any-application-protocol": ClientBehaviour(
        both(offering(protocols=("http/1.1",)), deviating(ignores=frozenset({Check.PROTOCOL})))
    ),
    "accepts-unasked-extension": _without(Check.EXTENSIONS),
    "accepts-repeated-extension": _without(Check.REPETITION),
    "refuses-hello-retry": _dreading(Dread.RETRY),
    "accepts-second-hello-retry": _without(Check.RETRY_ONCE),
    "accepts-useless-hello-retry": _without(Check.RETRY_CHANGES),
    "refuses-split-records": _dreading(Dread.SPLIT_RECORDS),
    "refuses-tickets": _dreading(Dread.TICKETS),
    "refuses-key-update": _dreading(Dread.KEY_UPDATES),
    "refuses-open-certificate-request": _dreading(Dread.OPEN_REQUEST),
    # records
    "ignores-record-integrity": ClientBehaviour(deviating(opens=records.unchecked)),
    "numbers-records-at-random": ClientBehaviour(deviating(seals=records.numbered_at_random)),
    "numbers-records-alike": ClientBehaviour(deviating(seals=records.numbered_alike)),
    # its own certificate
    "shows-rsa-1024": ClientBehaviour(shows=(replace(CLIENT, key="rsa-1024"), "ca")),
    "shows-p-224": ClientBehaviour(shows=(replace(CLIENT, key="ec-secp224r1"), "ca")),
    "shows-p-384": ClientBehaviour(shows=(replace(CLIENT, key="ec-secp384r1"), "ca")),
    "shows-sha-1": ClientBehaviour(shows=(replace(CLIENT, signature_hash="sha1"), "ca")),
    "shows-signed-by-rsa-1024": ClientBehaviour(shows=(CLIENT, "ca_rsa_1024")),
    "shows-signed-by-p-224": ClientBehaviour(shows=(CLIENT, "ca_p224")),
    # under retired profiles and older wordings
    **RETIRED_CLIENT_BEHAVIOURS,
    # as a syslog sender, and by IHE
    **BESIDE_CLIENT_BEHAVIOURS,
}
"""Every fault of the TLS client by name."""

__all__ = ["CLIENT_BEHAVIOURS", "ClientBehaviour"]
