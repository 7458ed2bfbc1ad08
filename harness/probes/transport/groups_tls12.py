"""Curves of TLS 1.2 and below, named in the ServerKeyExchange, explicit ones included, and keys used again."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations import Reaction
from harness.observations.transport import GroupResult, GroupsOfVersion
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import eliminate
from harness.probes.transport.exchange import Answer, Manner, converse
from harness.probes.transport.key_exchange import KeyExchange, ask
from harness.probes.transport.listening import TlsListener
from reference_impl.transport import registry
from reference_impl.transport.registry import CipherSuite
from reference_impl.transport.wire import (
    CertificateMessage,
    ContentType,
    HandshakeMessage,
    HandshakeType,
    encode_records,
    vector,
)

_EXPLICIT = (0xFF01, 0xFF02)
_DECRYPTION_ALERTS = frozenset({20, 21, 51})  # bad_record_mac, decryption_failed, decrypt_error
_CERTIFIED = frozenset({hellos.P256, hellos.P384, hellos.P521})


class GroupsTls12:
    """The elimination of curves in one version up to TLS 1.2, over the accepted ECDHE suites."""

    def __init__(self, context: ProbeContext, version: int, suites: Sequence[CipherSuite]) -> None:
        self._context = context
        self._version = version
        # An ECDSA certificate is only usable while its own curve is on offer, which would end the elimination early.
        free = [suite.code for suite in suites if suite.authentication not in {"ECDSA", "PSK"}]
        self._bound_to_certificate = not free
        self._suites = free or [suite.code for suite in suites]
        self._seen: dict[int, None] = {}  # groups in the order of choice
        self.exchanges: list[str] = []
        self.explicit_curves: tuple[str, ...] = ()
        """Descriptions of the explicit curves that were used, filled by `observe`."""

    def observe(self) -> GroupsOfVersion:
        """The curves by elimination."""
        offer = (*hellos.curves_tls12(), *_EXPLICIT)
        result = eliminate(offer, self._ask)
        kept = [code for code in result.found if code in _CERTIFIED]
        if self._bound_to_certificate and result.complete and kept:
            left = [code for code in offer if code not in result.found]
            further = eliminate(left, lambda groups: self._ask((*groups, *kept), ignore=frozenset(kept)))
            result.found.update(further.found)
            result.exchanges += further.exchanges
            if not further.complete:
                # Chosen though offered last, the certificate's curve is chosen whenever it is there, and it has to be.
                result.complete = further.last is not None and further.last.accepted
                names = ", ".join(registry.group(code).name for code in kept)
                result.note = f"The certificate needs {names} on offer, and the server prefers it to whatever is left."
        self.exchanges += result.exchanges
        groups = tuple(
            GroupResult(code=code, named=True, accepted=True, exchange=exchange)
            for code, exchange in result.found.items()
            if code not in _EXPLICIT
        )
        return GroupsOfVersion(groups=groups, complete=result.complete, note=result.note)

    def keys_differ(self) -> tuple[bool | None, int | None]:
        """Whether the server's public keys of one curve differ over two connections that offer it alone, and the curve.

        P-256 where it is known: it is the curve whose key is kept where one is kept.
        """
        group = hellos.P256 if hellos.P256 in self._seen else next(iter(self._seen), None)
        if group is None:
            return None, None
        also = tuple(code for code in _CERTIFIED if code != group) if self._bound_to_certificate else ()
        keys: list[bytes] = []
        for _ in range(2):
            key = self._ask_for((group, *also))
            self.exchanges += key.answer.exchanges
            if key.exchange is not None and key.exchange.group == group:
                keys.append(key.exchange.public_key)
        return (None if len(keys) < 2 else len(set(keys)) == len(keys)), group

    def off_curve_point_accepted(self, group: int) -> bool | None:
        """Whether a client's point that is not on the curve is let pass; asked where the server's keys are reused.

        A server that validates ends the handshake at the ClientKeyExchange; one that does not waits for what follows,
        or complains about records that it could not decrypt. A valid point is the control. None where the two cannot be
        told apart, or `group` is none of the NIST curves.
        """
        share = hellos.share_for(group) if group in _CERTIFIED else None
        if share is None:
            return None
        off_curve = share.key_exchange[:-1] + bytes((share.key_exchange[-1] ^ 1,))
        control = self._after_key_exchange(group, share.key_exchange, "a valid point")
        tried = self._after_key_exchange(group, off_curve, "a point off the curve")
        if control is None or tried is None:
            return None
        if not _ended(control):
            return not _ended(tried)
        if control.alert in _DECRYPTION_ALERTS and tried.alert is not None:
            return tried.alert in _DECRYPTION_ALERTS
        return None

    def _after_key_exchange(self, group: int, point: bytes, what: str) -> Reaction | None:
        """What the server does after a ClientKeyExchange with `point`; None if it came to none."""
        sent = False

        def key_exchange(listener: TlsListener) -> bytes | None:
            nonlocal sent
            if sent or listener.hello is None or listener.alert is not None or listener.problem:
                return None
            sent = True
            types = {message.type for message in listener.messages}
            message = HandshakeMessage(HandshakeType.CLIENT_KEY_EXCHANGE, vector(point, 1)).encode()
            if HandshakeType.CERTIFICATE_REQUEST in types:
                message = CertificateMessage(()).encode(self._version) + message
            return encode_records(ContentType.HANDSHAKE, message, self._version)

        hello = hellos.legacy_hello(self._context.target, self._suites, self._version, groups=(group,))
        manner = Manner(until=HandshakeType.SERVER_HELLO_DONE, silence_likely=True, reply=key_exchange)
        answer = converse(self._context, f"groups: ClientKeyExchange with {what}", hello.to_records(), manner)
        self.exchanges += answer.exchanges
        return answer.reaction if sent else None

    def _ask(self, groups: Sequence[int], ignore: frozenset[int] = frozenset()) -> tuple[Answer, int | None]:
        key = self._ask_for(groups)
        if key.exchange is None:
            return key.answer, None
        group = key.exchange.group
        if group is None:
            self.explicit_curves += (key.exchange.explicit_curve,)
            return key.answer, _EXPLICIT["characteristic-2" in key.exchange.explicit_curve]
        self._seen.setdefault(group)
        return key.answer, None if group in ignore else group

    def _ask_for(self, groups: Sequence[int]) -> KeyExchange:
        purpose = f"groups: {registry.version_name(self._version)}, {len(groups)} offered"
        return ask(self._context, purpose, self._suites, self._version, groups=groups)


def _ended(reaction: Reaction) -> bool:
    return reaction.alert is not None or bool(reaction.closed)
