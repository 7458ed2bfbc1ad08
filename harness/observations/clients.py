"""Facts about the certificates that a TLS server admits clients with, and about a TLS client that connects to us.

Versions, suites, groups, schemes, extensions and alerts are IANA code points. Every model states what was seen, never
whether it is right. `None` means: not established.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.observations.base import Frozen, Reaction
from harness.observations.transport import CertificateFacts


class CertificateTrial(Frozen):
    """One client certificate shown to a server in one protocol version.

    `case` is a name of the certificate zoo (`fixtures.pki.zoo`). `admitted` as in
    `harness.observations.transport.CredentialTrial`; `stage` tells what decided it: the "handshake", the "association"
    (A-ASSOCIATE rejected or aborted, an HTTP status) or "application" data that came back.
    """

    case: str
    text: str = ""  # what is the matter with the certificate, in one sentence
    treatment: Literal["accept", "refuse", "either", ""] = ""  # what a conforming server does with it
    version: int
    admitted: bool | None
    stage: Literal["handshake", "association", "application", ""] = ""
    reaction: Reaction


class ClientCertificates(Frozen):
    """kind ``tls.client-certificates``: the zoo as client certificates, at a server that asks for one.

    `requested` False: the server asks for none, and no case was shown. `campaign`: the cases were issued by the
    authority of a test campaign, which the SUT's operator was told to trust; False: only cases that need no trust were
    shown. `controls` are trials of the good certificate before and after: where they are not admitted, a refusal of
    another one tells nothing.
    """

    requested: bool
    campaign: bool = False
    controls: tuple[CertificateTrial, ...] = ()
    trials: tuple[CertificateTrial, ...] = ()


class ClientHelloFacts(Frozen):
    """A ClientHello as it came, lists in the order of the hello, GREASE values (RFC 8701) kept."""

    record_version: int
    version: int  # legacy_version / client_version
    supported_versions: tuple[int, ...] = ()  # empty: no such extension
    suites: tuple[int, ...]
    compression_methods: tuple[int, ...] = (0,)
    extensions: tuple[int, ...] = ()
    groups: tuple[int, ...] | None = None  # None: extension absent, also below
    key_shares: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None  # signature_algorithms
    certificate_schemes: tuple[int, ...] | None = None  # signature_algorithms_cert
    point_formats: tuple[int, ...] | None = None
    server_name: str | None = None
    alpn: tuple[str, ...] | None = None
    psk_modes: tuple[int, ...] | None = None
    renegotiation_info: bool = False  # the extension
    renegotiation_scsv: bool = False  # 0x00FF among the suites
    fallback_scsv: bool = False  # 0x5600 among the suites
    session_id_octets: int = 0
    length: int = 0  # octets of the handshake message
    ssl2_format: bool = False
    ja4: str = ""

    @property
    def highest_version(self) -> int:
        """The highest protocol version offered."""
        offered = [v for v in self.supported_versions if 0x0300 <= v <= 0x0304]  # GREASE and drafts left out
        return max(offered) if offered else self.version

    def offers(self, version: int) -> bool:
        """Whether `version` may be negotiated: listed, or without a list not above client_version."""
        return version in self.supported_versions if self.supported_versions else version <= self.version


class ClientConnection(Frozen):
    """One connection that the SUT made to a listener.

    `progress` is how far the client went: "nothing" (TCP only), "hello", "went-on" (after the server's flight it sent
    more than an alert: ClientKeyExchange or Finished, in TLS 1.3 also its Certificate), "completed" (its Finished was
    verified, or what a stack calls established). `ended` is who ended it and how, seen from the client: its "alert",
    "close_notify", "close", "reset", "silence" (nothing more until the deadline), or "harness" (the trial ended it).
    """

    exchange: str
    peer: str  # "127.0.0.1:40312"
    after_ms: float = 0.0  # since the trial began
    opening: Literal["tls", "ssl2", "dicom", "http", "syslog", "other", "nothing"]
    hello: ClientHelloFacts | None = None
    second_hello: ClientHelloFacts | None = None  # after a HelloRetryRequest
    version: int | None = None  # selected by the listener
    suite: int | None = None
    group: int | None = None
    progress: Literal["nothing", "hello", "went-on", "completed"]
    ended: Literal["alert", "close_notify", "close", "reset", "silence", "harness"]
    alert: int | None = None
    fatal: bool | None = None
    certificates: tuple[CertificateFacts, ...] | None = None  # shown by the client; (): an empty list; None: not asked
    scheme: int | None = None  # signature scheme of its CertificateVerify
    application_octets: int = 0  # decrypted octets of the client
    application_first: str = ""  # hex of the first of them, at most 64 octets
    application: Literal["association", "http", "syslog", "other", ""] = ""
    association_accepted: bool = False  # by the listener
    operations: tuple[str, ...] = ()  # "C-ECHO", "C-STORE 1.2.840..." that the listener answered
    dhe_public: str = ""  # hex of the client's FFDHE public key (TLS 1.2)
    explicit_nonces: tuple[str, ...] = ()  # hex, TLS 1.2 AES-GCM records of the client, in order
    detail: str = ""


class DriverOutcome(Frozen):
    """How the SUT was made to connect. `output` is cut and redacted."""

    kind: Literal["command", "dimse", "operator", "embedded", "none"]
    action: str = ""  # the command line as run, the request sent, the instruction shown
    seconds: float = 0.0
    exit_status: int | None = None
    timed_out: bool = False
    output: str = ""
    confirmed_by: str = ""  # operator
    problem: str = ""  # one sentence where the driver itself could not do its work


class ClientTrial(Frozen):
    """kind ``tls.client-trial``, subject: the trial's id. What a client SUT did at a listener that plays one trial.

    `connections` in the order of arrival; none: the SUT never came, `driver` tells what was done. `skipped` says why a
    trial was not played at all (the client cannot be brought into it: it never offers TLS 1.2, for example).
    """

    trial: str
    text: str = ""  # what the listener does, in one sentence
    treatment: Literal["accept", "refuse", "either", ""] = ""  # what a conforming client does with it
    connections: tuple[ClientConnection, ...] = ()
    driver: DriverOutcome = Field(default_factory=lambda: DriverOutcome(kind="none"))
    strangers: tuple[str, ...] = ()  # addresses other than the SUT's that were turned away
    ended: Literal["settled", "deadline", "interrupted", ""] = ""
    skipped: str = ""
