"""Facts that the probes of a TLS server record (PS3.15 Annex B, RFC 9325, RFC 8996).

Versions, suites, groups, schemes and alerts are IANA code points. Every model states what was seen, never
whether it is right. `None` means: not established.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from harness.observations.base import Frozen, Reaction

SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304


class Reachability(Frozen):
    """kind ``tls.reachability``: what answers at the address, before any TLS question is asked."""

    address: str  # the address that was connected to, "127.0.0.1:2762"
    tcp: str  # "connected", "refused", "timeout", "unreachable", "unresolved"
    speaks: str  # "tls", "plain-dicom", "speaks-first", "http", "silent", "unknown", "" if not connected
    first_bytes: str = ""  # hex, what a server that speaks first (or garbage) sent
    diagnosis: str = ""  # one sentence for the field engineer, empty when TLS is spoken
    hello: Reaction | None = None  # answer to a broad, ordinary ClientHello


class Versions(Frozen):
    """kind ``tls.versions``: the answer to a hello of exactly one version each, and to one offering all.

    Keys of `reactions` are SSL2..TLS13 code points. The hello for 1.0 / 1.1 / SSL 3.0 is one whose highest
    version that is (RFC 8996 4, 5). `all_offered` offers TLS 1.3 down to 1.2; `preferred` is its version.
    """

    reactions: dict[int, Reaction]
    all_offered: Reaction | None = None
    fallback_scsv: Reaction | None = None  # 1.2-only hello with TLS_FALLBACK_SCSV (RFC 7507)


class AcceptedSuite(Frozen):
    """A cipher suite that the server selected."""

    code: int
    exchange: str


class SuitesOfVersion(Frozen):
    """Cipher suites of one protocol version, by elimination."""

    accepted: tuple[AcceptedSuite, ...]  # in the order in which the server chose them
    offered: int  # how many code points were offered in all
    complete: bool  # the elimination ended in a refusal; False: it broke off, `note` says why
    preference: str = ""  # "server", "client" or "" (not established, or one suite only)
    note: str = ""


class CipherSuites(Frozen):
    """kind ``tls.cipher-suites``."""

    versions: dict[int, SuitesOfVersion]


class PreferenceTrial(Frozen):
    """One targeted offer: what was offered in which order and what the server selected."""

    offered: tuple[int, ...]
    selected: int | None
    reaction: Reaction


class Preferences(Frozen):
    """kind ``tls.preferences``: TLS 1.2 offers made to see what the server prefers.

    `forward_secrecy`: accepted suites without forward secrecy first, one with it last (None: not both kinds accepted).
    `recommended`: accepted weaker suites first, 0xC02F last (None: 0xC02F or no weaker suite accepted).
    `version`: TLS 1.3 and 1.2 offered together. `aes_to_triple_des`: TLS_RSA_WITH_3DES_EDE_CBC_SHA first and
    TLS_RSA_WITH_AES_128_CBC_SHA last, in the newest version that accepts both (None: none does).
    """

    forward_secrecy: PreferenceTrial | None = None
    recommended: PreferenceTrial | None = None
    version: PreferenceTrial | None = None
    aes_to_triple_des: PreferenceTrial | None = None


class GroupResult(Frozen):
    """A group the server named or used.

    `accepted` needs a ServerHello or ServerKeyExchange; a HelloRetryRequest only names.
    """

    code: int  # IANA group; explicit curves are reported in Groups.explicit_curves
    named: bool
    accepted: bool
    exchange: str


class GroupsOfVersion(Frozen):
    """Groups of one protocol version by elimination."""

    groups: tuple[GroupResult, ...]
    complete: bool
    note: str = ""


class DheParameter(Frozen):
    """Finite-field parameters of one DHE suite (ServerKeyExchange)."""

    suite: int
    version: int
    bits: int  # length of the prime
    prime: str  # hex
    group_name: str = ""  # well-known name if recognised, e.g. "ffdhe2048", "RFC 5114 / Oakley 2"
    public_keys_differ: bool | None = None  # over several connections; None: not compared
    exchange: str = ""


class Groups(Frozen):
    """kind ``tls.groups``."""

    versions: dict[int, GroupsOfVersion]  # keys TLS12 (and below), TLS13
    dhe: tuple[DheParameter, ...] = ()
    explicit_curves: tuple[str, ...] = ()  # description, bits first: "192-bit explicit prime curve"
    ecdhe_keys_differ: bool | None = None  # several connections with one group; None: not compared
    ecdhe_reused_groups: tuple[int, ...] = ()
    off_curve_point_accepted: bool | None = None  # only tried where keys are reused


class SignatureSchemes(Frozen):
    """kind ``tls.signature-schemes``: schemes the server signed its handshake with, by elimination.

    TLS 1.2: ServerKeyExchange; TLS 1.3: CertificateVerify. Below 1.2 the signature is fixed (MD5+SHA-1, SHA-1)
    and not listed. Keys TLS12, TLS13; values in the order of choice.
    """

    versions: dict[int, tuple[AcceptedSuite, ...]]
    complete: dict[int, bool]


class CertificateFacts(Frozen):
    """One certificate, parsed. Times are UTC; `signature_hash` is "sha256", "sha1", "md5", "" for EdDSA."""

    sha256: str
    pem: str
    subject: str  # RFC 4514
    issuer: str
    serial: str
    version: int
    not_before: datetime
    not_after: datetime
    key_type: str  # "rsa", "rsa-pss", "ec", "ed25519", "ed448", "dsa", "unknown"
    key_bits: int | None
    curve: str = ""
    signature_algorithm: str  # "rsa", "rsa-pss", "ecdsa", "ed25519", "ed448", "dsa", or the dotted OID
    signature_algorithm_oid: str
    signature_hash: str
    names: tuple[str, ...] = ()  # "DNS:localhost", "IP:127.0.0.1", ...
    common_name: str = ""
    is_ca: bool | None = None
    key_usage: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] | None = None  # names or OIDs; None: extension absent
    ocsp_responders: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    self_signed: bool = False
    problems: tuple[str, ...] = ()  # what could not be parsed


class CertificateChain(Frozen):
    """One chain as presented, leaf first as sent."""

    certificates: tuple[CertificateFacts, ...]
    presented_in: tuple[int, ...]  # protocol versions in which it was seen
    key_kind: str  # "rsa" or "ec" or other: the kind that was asked for by the offer
    in_order: bool  # each certificate is issued by the next
    signer_bits: tuple[
        int | None, ...
    ] = ()  # per certificate: key length of whoever signed it, if known from the chain
    signer_key_types: tuple[str, ...] = ()
    name_matches: bool | None = None  # leaf covers the server name / host that was asked
    ocsp_stapled: bool | None = None
    ocsp_status: str = ""  # "good", "revoked", "unknown", "unparsable", ""
    exchange: str = ""


class Certificates(Frozen):
    """kind ``tls.certificates``. `rsa_refused` / `ecdsa_refused`: positively shown that no such
    certificate is installed (a hello that only such a certificate can satisfy is refused in 1.2 and, if
    supported, 1.3)."""

    chains: tuple[CertificateChain, ...]
    rsa_refused: bool | None = None
    ecdsa_refused: bool | None = None


class Extensions(Frozen):
    """kind ``tls.extensions``: what the server echoed to a TLS 1.2 hello that offered it (None: not established)."""

    extended_master_secret: bool | None = None
    encrypt_then_mac: bool | None = None  # offered with CBC suites only; None where no CBC suite is accepted
    cbc_without_encrypt_then_mac: Reaction | None = None
    renegotiation_info: bool | None = None  # answer to the extension
    renegotiation_info_for_scsv: bool | None = None
    compression: int | None = None  # method the server selected when DEFLATE was offered before null (0: none)
    truncated_hmac: bool | None = None
    heartbeat: bool | None = None
    max_fragment_length: bool | None = None
    ec_point_formats: tuple[int, ...] | None = None
    session_ticket: bool | None = None
    status_request: bool | None = None
    unknown_alpn: Reaction | None = None  # only "ps315/unknown" offered
    alpn_selected: str | None = None  # for https: answer to h2, http/1.1; "" where ALPN is not answered
    alpn_exchange: str = ""
    unknown_server_name: Reaction | None = None  # TLS 1.2 and 1.3 offered, name ends in ".invalid"
    known_server_name: Reaction | None = None
    compression_exchange: str = ""
    hello_exchange: str = ""  # the exchange that witnesses the echoed extensions


class Tolerance(Frozen):
    """kind ``tls.tolerance``: reactions to hellos that a conforming server has to cope with."""

    record_versions: dict[int, Reaction]  # record version {03,XX} on an otherwise ordinary hello
    client_versions: dict[int, Reaction]  # legacy client_version above 1.2, no supported_versions
    unknown_extensions_tls12: Reaction | None = None
    unknown_values_tls13: Reaction | None = None  # GREASE in versions, suites, groups, extensions
    baseline_tls12: Reaction | None = None
    baseline_tls13: Reaction | None = None
    random_tail_tls12: str = ""  # last 8 octets of ServerHello.random (hex) for a hello of at most 1.2
    downgrade_exchange: str = ""


class Renegotiation(Frozen):
    """kind ``tls.renegotiation``: client-initiated renegotiation in TLS 1.2."""

    secure_accepted: bool | None = None  # second handshake completed / ServerHello seen
    insecure_accepted: bool | None = None  # without renegotiation_info
    reaction: Reaction | None = None


class TicketFacts(Frozen):
    """One NewSessionTicket."""

    version: int
    lifetime: int  # seconds
    length: int  # octets
    max_early_data: int | None = None


class Resumption(Frozen):
    """kind ``tls.resumption``."""

    session_id_tls12: bool | None = None
    ticket_tls12: bool | None = None
    tickets: tuple[TicketFacts, ...] = ()
    psk_dhe_ke: bool | None = None  # resumed in TLS 1.3 with a key share
    psk_ke: bool | None = None  # resumed in TLS 1.3 when only psk_ke was offered
    selected_without_key_share: bool | None = None  # both modes offered: ServerHello came without key_share
    early_data_accepted: bool | None = None
    exchanges: tuple[str, ...] = ()


class CredentialTrial(Frozen):
    """One kind of client credential in one protocol version.

    `admitted`: after the handshake the server went on with this client, or refused it (by an alert, by closing, or by
    an HTTP status); in TLS 1.3 only what follows the handshake tells. None: not established, silence included.
    """

    credential: str  # "none", "given", "unknown-authority"
    version: int
    admitted: bool | None
    reaction: Reaction


class ClientAuthentication(Frozen):
    """kind ``tls.client-authentication``."""

    requested: dict[int, bool]  # CertificateRequest seen, per version
    authorities: tuple[str, ...] = ()  # RFC 4514 names
    trials: tuple[CredentialTrial, ...] = ()
    credentials_given: bool = False


class Integrity(Frozen):
    """kind ``tls.integrity``: a record with a broken MAC / tag after a completed handshake, per version."""

    reactions: dict[int, Reaction]
    dropped: dict[int, bool | None]  # the connection ended; False: the server went on


class RecordProtection(Frozen):
    """kind ``tls.record-protection``: explicit nonces of consecutive TLS 1.2 AES-GCM records of the server."""

    explicit_nonces: tuple[str, ...]  # hex, in order
    suite: int | None = None
    exchange: str = ""


class Plaintext(Frozen):
    """kind ``tls.plaintext``: a plaintext A-ASSOCIATE-RQ (syslog: a plaintext message) sent to the TLS port.

    Syslog answers nothing: what tells is that the connection is kept where that of a broken record is not.
    """

    reaction: Reaction
    dicom_answer: bool  # a well-formed DICOM Upper Layer PDU came back
    answer: str = ""  # hex of the first octets
    broken_record: Reaction | None = None  # syslog-tls: to a record whose ClientHello is cut


class Application(Frozen):
    """kind ``tls.application``: what is spoken inside the secure connection.

    `association`: "accepted", "rejected", "aborted", "no-dicom", "silence", "no-tls", "" not tried.
    """

    association: str
    rejection: tuple[int, int, int] | None = None  # result, source, reason (PS3.8 9.3.4)
    calling_aet: str = ""
    called_aet: str = ""
    echo_status: int | None = None
    version: int | None = None
    suite: int | None = None
    detail: str = ""
    http_answer: bool | None = None  # an HTTP response came to an HTTP request on this port
    http_status_line: str = ""
    closing: Reaction | None = None  # syslog-tls: to our close_notify; CLOSE with the detail "close_notify" if answered
    exchanges: tuple[str, ...] = ()


class SecondOpinion(Frozen):
    """kind ``tls.second-opinion``: what another scanner witnessed, in our code points."""

    tool: str  # "sslyze 6.3.1"
    versions: dict[int, tuple[int, ...]]  # accepted suites per protocol version
    groups: tuple[int, ...] = ()
    client_authentication: str = ""  # "required", "optional", "disabled", ""
    connections: int | None = None
    cannot_know: dict[str, str] = Field(default_factory=dict)  # topic -> reason
    notes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()  # what remained after our probe looked once more
