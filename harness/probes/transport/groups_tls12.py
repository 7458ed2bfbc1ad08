"""Curves of TLS 1.2 and below, named in the ServerKeyExchange, explicit ones included, and keys used again."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations.transport import GroupResult, GroupsOfVersion
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import eliminate
from harness.probes.transport.exchange import Answer
from harness.probes.transport.key_exchange import ask
from reference_impl.transport import registry
from reference_impl.transport.registry import CipherSuite

_EXPLICIT = (0xFF01, 0xFF02)
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
        self._keys: dict[int, list[bytes]] = {}
        self.exchanges: list[str] = []

    def observe(self) -> GroupsOfVersion:
        """The curves by elimination."""
        offer = hellos.curves_tls12()
        result = eliminate(offer, self._ask)
        kept = [code for code in result.found if code in _CERTIFIED]
        if self._bound_to_certificate and result.complete and kept:
            left = [code for code in offer if code not in result.found]
            further = eliminate(left, lambda groups: self._ask((*groups, *kept), ignore=frozenset(kept)))
            result.found.update(further.found)
            result.exchanges += further.exchanges
            if not further.complete:
                result.complete = False
                names = ", ".join(registry.group(code).name for code in kept)
                result.note = f"The certificate needs {names} on offer, and the server prefers it: others may exist."
        self.exchanges += result.exchanges
        groups = tuple(
            GroupResult(code=code, named=True, accepted=True, exchange=exchange)
            for code, exchange in result.found.items()
        )
        return GroupsOfVersion(groups=groups, complete=result.complete, note=result.note)

    def explicit_curves(self) -> tuple[str, ...]:
        """Descriptions of explicit curves that the server uses when only such are offered."""
        key = ask(self._context, "groups: explicit curves only", self._suites, self._version, groups=_EXPLICIT)
        self.exchanges += key.answer.exchanges
        return (key.exchange.explicit_curve,) if key.exchange and key.exchange.explicit_curve else ()

    def keys_differ(self) -> tuple[bool | None, int | None]:
        """Whether the server's public keys of one curve differ over several connections, and the curve."""
        group = next(iter(self._keys), None)
        if group is None:
            return None, None
        also = tuple(_CERTIFIED) if self._bound_to_certificate else ()
        answer, _selected = self._ask((group, *(code for code in also if code != group)))
        self.exchanges += answer.exchanges
        keys = self._keys[group]
        return (None if len(keys) < 2 else len(set(keys)) == len(keys)), group

    def _ask(self, groups: Sequence[int], ignore: frozenset[int] = frozenset()) -> tuple[Answer, int | None]:
        purpose = f"groups: {registry.version_name(self._version)}, {len(groups)} offered"
        key = ask(self._context, purpose, self._suites, self._version, groups=groups)
        group = key.exchange.group if key.exchange is not None else None
        if group is None or key.exchange is None:
            return key.answer, None
        self._keys.setdefault(group, []).append(key.exchange.public_key)
        return key.answer, None if group in ignore else group
