"""Extensions and other choices of the ServerHello: what the server echoes to a hello that offers them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS12, TLS13, AcceptedSuite, CipherSuites, Extensions, Versions
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import side_by_side
from harness.probes.transport.exchange import Answer, converse
from harness.probes.transport.key_exchange import LEGACY, light
from harness.probes.transport.session import Session, Stop
from harness.probes.transport.session_offers import offer_of
from harness.probes.transport.versions import following, none_negotiated, supported
from reference_impl.transport import registry
from reference_impl.transport.wire import ClientHello, Extension, ExtensionType, WireError
from reference_impl.transport.wire import extensions as ext

KIND = "tls.extensions"
UNKNOWN_PROTOCOL = "ps315/unknown"
UNKNOWN_NAME = "ps315-unknown-name.invalid"
_HTTPS_PROTOCOLS = ("h2", "http/1.1")
_DEFLATE = 1
_Facts = dict[str, object]


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.extensions``. Needs ``tls.versions`` and ``tls.cipher-suites``."""
    trials = _Trials(context)
    if not trials.negotiates:
        return context.observed(KIND, None, missing=none_negotiated(context.facts(Versions)))
    tasks = [trials.unknown_protocol, trials.unknown_name]
    if trials.version is not None:
        tasks += [trials.echoes, trials.signalled_renegotiation, trials.compression]
        if trials.cbc:
            tasks.append(trials.encrypt_then_mac)
    if context.target.protocol == "https":
        tasks.append(trials.known_protocol)
    found: _Facts = {}
    for part in side_by_side(tasks):
        for name, value in part.items():
            if found.get(name) is None or value:  # truncated_hmac is seen twice: once is enough
                found[name] = value
    if trials.all_offered is not None:
        found["known_server_name"] = trials.all_offered
    facts = Extensions.model_validate(found | trials.without_encrypt_then_mac())
    return context.observed(KIND, facts, exchanges=tuple(trials.exchanges))


class _Trials:
    """The hellos of this probe, each departing from the ordinary one in one point."""

    def __init__(self, context: ProbeContext) -> None:
        self._context = context
        versions, suites = context.facts(Versions), context.facts(CipherSuites)
        self.version = next((version for version in LEGACY[:-1] if supported(versions, version)), None)
        self._newest = supported(versions, TLS13)
        self.negotiates = self._newest or self.version is not None
        of_version = suites.versions.get(self.version) if suites and self.version is not None else None
        accepted: Sequence[AcceptedSuite] = of_version.accepted if of_version else ()
        self._suites = light(suites, self.version or TLS12) or hellos.ORDINARY_SUITES
        self.cbc = tuple(entry for entry in accepted if registry.suite(entry.code).mode == "CBC")
        self._any_cbc = next(
            (
                (version, entry)
                for version, of in sorted(suites.versions.items() if suites else (), reverse=True)
                for entry in of.accepted
                if registry.suite(entry.code).mode == "CBC"
            ),
            None,
        )
        self.all_offered = versions.all_offered if versions else None
        self.exchanges: list[str] = []

    def _legacy(
        self,
        purpose: str,
        more: Sequence[Extension] = (),
        *,
        suites: Sequence[int] | None = None,
        compression: Sequence[int] = (0,),
        renegotiation_info: bool = True,
    ) -> Answer:
        hello = hellos.legacy_hello(
            self._context.target,
            self._suites if suites is None else suites,
            self.version or TLS12,
            groups=hellos.curves_tls12(),
            more=more,
            compression=compression,
            renegotiation_info=renegotiation_info,
        )
        return self._say(purpose, hello)

    def _say(self, purpose: str, hello: ClientHello) -> Answer:
        answer = converse(self._context, f"extensions: {purpose}", hello.to_records(), following(hello))
        self.exchanges += answer.exchanges
        return answer

    def _newest_hello(self, more: Sequence[Extension] = (), server_name: str | None = None) -> ClientHello:
        """A hello of the newest version that the server knows, with TLS 1.2 beside 1.3."""
        if self._newest:
            return hellos.tls13_hello(
                self._context.target,
                hellos.TLS13_SUITES + self._suites,
                versions=(TLS13, TLS12),
                more=more,
                server_name=server_name,
            )
        return hellos.legacy_hello(
            self._context.target, self._suites, self.version or TLS12, more=more, server_name=server_name
        )

    def echoes(self) -> _Facts:
        """Extensions that a server may simply echo."""
        offered = (
            ext.extended_master_secret(),
            ext.session_ticket(),
            ext.status_request(),
            ext.truncated_hmac(),
            ext.heartbeat(),
            ext.max_fragment_length(),
        )
        answer = self._legacy("extended master secret, tickets, status request and others offered", offered)
        if answer.hello is None:  # heartbeat and fragment length are rarely met: without them
            answer = self._legacy("extended master secret, tickets and status request offered", offered[:3])
        if answer.hello is None:
            return {}
        present = {extension.type for extension in answer.hello.extensions or ()}
        formats = answer.hello.extension(ExtensionType.EC_POINT_FORMATS)
        return {
            "extended_master_secret": ExtensionType.EXTENDED_MASTER_SECRET in present,
            "renegotiation_info": ExtensionType.RENEGOTIATION_INFO in present,
            "session_ticket": ExtensionType.SESSION_TICKET in present,
            "status_request": ExtensionType.STATUS_REQUEST in present,
            "truncated_hmac": ExtensionType.TRUNCATED_HMAC in present,
            "heartbeat": ExtensionType.HEARTBEAT in present,
            "max_fragment_length": ExtensionType.MAX_FRAGMENT_LENGTH in present,
            "ec_point_formats": _point_formats(formats),
            "hello_exchange": answer.reaction.exchange,
        }

    def encrypt_then_mac(self) -> _Facts:
        """encrypt_then_mac and truncated_hmac, which have a meaning for CBC suites only."""
        suites = [entry.code for entry in self.cbc]
        offered = (ext.encrypt_then_mac(), ext.truncated_hmac())
        answer = self._legacy("encrypt-then-MAC offered, CBC suites only", offered, suites=suites)
        if answer.hello is None:
            return {}
        return {
            "encrypt_then_mac": answer.hello.extension(ExtensionType.ENCRYPT_THEN_MAC) is not None,
            "truncated_hmac": answer.hello.extension(ExtensionType.TRUNCATED_HMAC) is not None,
        }

    def without_encrypt_then_mac(self) -> _Facts:
        """The acceptance of a CBC suite without encrypt_then_mac: every hello of the elimination was one."""
        if self._any_cbc is None:
            return {}
        version, first = self._any_cbc
        reaction = Reaction(kind=ReactionKind.SERVER_HELLO, version=version, suite=first.code, exchange=first.exchange)
        return {"cbc_without_encrypt_then_mac": reaction}

    def signalled_renegotiation(self) -> _Facts:
        """renegotiation_info in answer to TLS_EMPTY_RENEGOTIATION_INFO_SCSV."""
        suites = (*self._suites, registry.EMPTY_RENEGOTIATION_INFO_SCSV)
        answer = self._legacy("secure renegotiation signalled by a suite", suites=suites, renegotiation_info=False)
        if answer.hello is None:
            return {}
        return {"renegotiation_info_for_scsv": answer.hello.extension(ExtensionType.RENEGOTIATION_INFO) is not None}

    def compression(self) -> _Facts:
        """The compression method when DEFLATE is offered before null."""
        answer = self._legacy("DEFLATE compression offered", compression=(_DEFLATE, 0))
        if answer.hello is None:
            return {}
        return {"compression": answer.hello.compression_method, "compression_exchange": answer.reaction.exchange}

    def unknown_protocol(self) -> _Facts:
        """The reaction to ALPN with an unknown protocol only."""
        hello = self._newest_hello((ext.alpn((UNKNOWN_PROTOCOL,)),))
        return {"unknown_alpn": self._say("an unknown application protocol", hello).reaction}

    def unknown_name(self) -> _Facts:
        """The reaction to a server name that cannot be the server's."""
        hello = self._newest_hello(server_name=UNKNOWN_NAME)
        return {"unknown_server_name": self._say("an unknown server name", hello).reaction}

    def known_protocol(self) -> _Facts:
        """The protocol selected of those of HTTPS: in TLS 1.2 the ServerHello tells, in 1.3 EncryptedExtensions."""
        purpose = "the protocols of HTTPS"
        if self.version is not None:
            answer = self._legacy(purpose, (ext.alpn(_HTTPS_PROTOCOLS),))
            if answer.hello is not None:
                return _alpn(answer.hello.extension(ExtensionType.ALPN), answer.reaction.exchange)
        if not self._newest:
            return {}
        offer = offer_of(self._context, TLS13, alpn=_HTTPS_PROTOCOLS)
        with Session(self._context, offer, f"extensions: {purpose}") as session:
            session.handshake(Stop.SERVER_FLIGHT)
        self.exchanges.append(session.id)
        encrypted = session.flight.encrypted_extensions
        return {} if encrypted is None else _alpn(ext.find(encrypted, ExtensionType.ALPN), session.id)


def _alpn(data: bytes | None, exchange: str) -> _Facts:
    """The facts of an answer to ALPN, or of none."""
    try:
        chosen = "" if data is None else ", ".join(ext.parse_alpn(data))
    except WireError:
        return {}
    return {"alpn_selected": chosen, "alpn_exchange": exchange}


def _point_formats(data: bytes | None) -> tuple[int, ...] | None:
    try:
        return None if data is None else ext.parse_numbers(data, 1, 1, "ec_point_formats")
    except WireError:
        return None
