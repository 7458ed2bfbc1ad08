"""The ClientHello that settings describe."""

from __future__ import annotations

import os
from collections.abc import Mapping

from reference_impl.transport.client.settings import ClientSettings
from reference_impl.transport.registry import EMPTY_RENEGOTIATION_INFO_SCSV
from reference_impl.transport.wire import TLS12, TLS13, ClientHello, Extension, KeyShare, extensions


def client_hello(
    settings: ClientSettings,
    server_name: str,
    shares: Mapping[int, bytes],
    *,
    cookie: bytes | None = None,
    session_id: bytes | None = None,
    random: bytes | None = None,
) -> ClientHello:
    """The hello with key shares `shares` (group to public value).

    After a HelloRetryRequest `session_id` and `random` are those of the first hello, and `cookie` what was given.
    """
    suites = settings.suites
    if settings.renegotiation_scsv:
        suites = (*suites, EMPTY_RENEGOTIATION_INFO_SCSV)
    listed = [*_common(settings, server_name), *_before_tls_1_3(settings)]
    if TLS13 in settings.versions:
        listed.append(extensions.supported_versions(settings.versions))
        listed.append(extensions.psk_key_exchange_modes(settings.psk_modes))
        listed.append(extensions.key_share([KeyShare(group, public) for group, public in shares.items()]))
        if cookie is not None:
            listed.append(Extension(44, cookie))
        if session_id is None:
            session_id = os.urandom(32)  # for middleboxes (RFC 8446 D.4)
    listed += settings.extra_extensions
    return ClientHello(
        suites,
        settings.hello_version or min(max(settings.versions), TLS12),
        tuple(listed),
        session_id or b"",
        settings.compression_methods,
        random or os.urandom(32),
    )


def _common(settings: ClientSettings, server_name: str) -> list[Extension]:
    """Extensions that mean the same in every version."""
    listed: list[Extension] = []
    if settings.names_server and server_name and (named := extensions.server_name(server_name)) is not None:
        listed.append(named)
    if settings.groups:
        listed.append(extensions.supported_groups(settings.groups))
    if settings.schemes:
        listed.append(extensions.signature_algorithms(settings.schemes))
    if settings.certificate_schemes:
        listed.append(extensions.signature_algorithms_cert(settings.certificate_schemes))
    if settings.status_request:
        listed.append(extensions.status_request())
    if settings.protocols:
        listed.append(extensions.alpn(settings.protocols))
    return listed


def _before_tls_1_3(settings: ClientSettings) -> list[Extension]:
    """Extensions for servers that answer with TLS 1.2 or less."""
    if min(settings.versions) >= TLS13:
        return []
    listed: list[Extension] = []
    if settings.point_formats:
        listed.append(extensions.ec_point_formats(settings.point_formats))
    if settings.extended_master_secret:
        listed.append(extensions.extended_master_secret())
    if settings.encrypt_then_mac:
        listed.append(extensions.encrypt_then_mac())
    if settings.session_ticket:
        listed.append(extensions.session_ticket())
    if settings.renegotiation_info:
        listed.append(extensions.renegotiation_info())
    return listed
