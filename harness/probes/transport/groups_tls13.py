"""Groups of TLS 1.3: named in HelloRetryRequests, accepted by the ServerHello that follows."""

from __future__ import annotations

from collections.abc import Sequence

from harness.observations import ReactionKind
from harness.observations.transport import TLS13, GroupResult, GroupsOfVersion
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.elimination import eliminate
from harness.probes.transport.exchange import Answer, converse
from harness.probes.transport.versions import following
from reference_impl.transport import registry


class GroupsTls13:
    """The elimination of groups in TLS 1.3.

    A hello without any key share makes the server name the group it wants, without public-key work; on the same
    connection a second hello brings the share, and the ServerHello is the acceptance.
    """

    def __init__(self, context: ProbeContext) -> None:
        self._context = context
        self._accepted: dict[int, str] = {}
        self._public_keys: dict[int, list[bytes]] = {}
        self.exchanges: list[str] = []

    def observe(self) -> GroupsOfVersion:
        """The groups by elimination; one by one for a server that cannot do without a key share."""
        result = eliminate(hellos.groups_tls13(), self._name_one)
        self.exchanges += result.exchanges
        if not result.found:
            return self._one_by_one()
        groups = tuple(
            GroupResult(
                code=code,
                named=True,
                accepted=code in self._accepted,
                exchange=self._accepted.get(code, exchange),
            )
            for code, exchange in result.found.items()
        )
        return GroupsOfVersion(groups=groups, complete=result.complete, note=result.note)

    def keys_differ(self) -> tuple[bool | None, int | None]:
        """Whether the server's public keys of one group differ over two connections, and the group."""
        group = next(iter(self._public_keys), None)
        if group is None:
            return None, None
        self._with_share(group)
        keys = self._public_keys[group]
        return (None if len(keys) < 2 else len(set(keys)) == len(keys)), group

    def _name_one(self, groups: Sequence[int]) -> tuple[Answer, int | None]:
        hello = hellos.tls13_hello(self._context.target, groups=groups, shares=())
        purpose = f"groups: TLS 1.3, {len(groups)} offered, no key share"
        answer = converse(self._context, purpose, hello.to_records(), following(hello))
        group = answer.retry.selected_group if answer.retry is not None else None
        self._learn(answer)
        if group is None and answer.hello is not None:  # a server that goes on without having been given a share
            group = answer.hello.selected_group
        return answer, group

    def _with_share(self, group: int) -> Answer:
        hello = hellos.tls13_hello(self._context.target, groups=(group,), shares=(group,))
        purpose = f"groups: TLS 1.3, {registry.group(group).name} with a key share"
        answer = converse(self._context, purpose, hello.to_records())
        self.exchanges += answer.exchanges
        self._learn(answer)
        return answer

    def _learn(self, answer: Answer) -> None:
        if answer.hello is None or answer.hello.version != TLS13:
            return
        share = _share_of(answer)
        if share is not None:
            self._accepted.setdefault(share[0], answer.reaction.exchange)
            self._public_keys.setdefault(share[0], []).append(share[1])

    def _one_by_one(self) -> GroupsOfVersion:
        groups: list[GroupResult] = []
        for code in hellos.groups_tls13():
            if hellos.share_for(code) is None:
                continue
            reaction = self._with_share(code).reaction
            if reaction.accepted and code in self._accepted:
                groups.append(GroupResult(code=code, named=False, accepted=True, exchange=reaction.exchange))
            if reaction.kind in {ReactionKind.UNREACHABLE, ReactionKind.SILENCE}:
                return GroupsOfVersion(groups=tuple(groups), complete=False, note=reaction.detail)
        note = "The server names no group in a HelloRetryRequest: only groups with a key share of ours were tried."
        return GroupsOfVersion(groups=tuple(groups), complete=False, note=note)


def _share_of(answer: Answer) -> tuple[int, bytes] | None:
    from reference_impl.transport.wire import WireError

    try:
        share = answer.hello.key_share if answer.hello is not None else None
    except WireError:
        return None
    return None if share is None else (share.group, share.key_exchange)
