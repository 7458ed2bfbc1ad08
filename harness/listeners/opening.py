"""Opening the ports of a listening endpoint: one for all trials, or one for each."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UsageProblem
from harness.listeners.base import Domain, Opening, TrialPlayer
from harness.plan import ListenStep


@dataclass(frozen=True)
class Ports:
    """The servers of an endpoint, by trial; one server may stand for all of them."""

    by_trial: Mapping[str, TrialPlayer]

    def start(self) -> None:
        """Let all of them accept connections."""
        for player in self._players():
            player.start()

    def stop(self) -> None:
        """End all of them."""
        for player in self._players():
            player.stop()

    def _players(self) -> list[TrialPlayer]:
        return list({id(player): player for player in self.by_trial.values()}.values())


def open_ports(domain: Domain, opening: Opening, steps: Sequence[ListenStep], played: frozenset[str]) -> Ports:
    """Open what `steps` of one endpoint need, but for trials that were `played` before.

    Raises `UsageProblem` naming a port that is in use, with everything closed again.
    """
    listen = opening.sut.file.endpoints[opening.endpoint].listen
    assert listen is not None  # noqa: S101 - only endpoints that listen have listen steps
    players: dict[str, TrialPlayer] = {}
    try:
        if listen.ports == "one":
            player = _open(domain, opening)
            players = {step.subject: player for step in steps}
        else:
            for number, step in enumerate(steps):
                if step.subject not in played:
                    port = opening.port + number if opening.port else 0
                    players[step.subject] = _open(domain, replace(opening, port=port))
    except UsageProblem:
        Ports(players).stop()
        raise
    return Ports(players)


def _open(domain: Domain, opening: Opening) -> TrialPlayer:
    try:
        return domain.open(opening)
    except OSError as problem:
        raise UsageProblem(port_problem(opening, problem)) from None


def port_problem(opening: Opening, problem: OSError) -> str:
    """Why a port cannot be had, with the remedy."""
    sut, port = opening.sut, opening.port
    endpoint = sut.file.endpoints[opening.endpoint]
    assert endpoint.listen is not None  # noqa: S101 - see open_ports
    address = endpoint.listen.bound_to(endpoint.host)
    where = f"{sut.source}: endpoints.{opening.endpoint}.listen"
    match problem.errno:
        case errno.EADDRINUSE:
            return f"{where}.port: {port} is in use by another program; end that program, or write another port"
        case errno.EACCES | errno.EPERM:
            return f"{where}.port: {port} may not be used by this user; write a port from 1024 on"
        case errno.EADDRNOTAVAIL:
            return f'{where}.address: {address} is no address of this computer; write one that is, or "0.0.0.0"'
        case _:
            reason = problem.strerror or str(problem)
            return f"{where}: {address} port {port} cannot be listened at: {reason}; write another address or port"
