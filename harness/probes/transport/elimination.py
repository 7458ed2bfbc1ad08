"""Finding out all that a server accepts: offer everything, take away what it selects, until it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harness.observations import Reaction, ReactionKind
from harness.probes.transport.exchange import Answer, in_words

ResultT = TypeVar("ResultT")
MOST_FOUND = 128
"""No server is asked further by elimination: known stacks accept fewer than a hundred suites a version."""


@dataclass
class Elimination:
    """What an elimination found. `found` maps a code point to the exchange that witnesses it, in the order of choice.

    `complete`: it ended in a refusal. Otherwise `note` says why it broke off.
    """

    offered: int = 0
    found: dict[int, str] = field(default_factory=dict)
    complete: bool = False
    note: str = ""
    last: Reaction | None = None
    exchanges: list[str] = field(default_factory=list)

    def add(self, other: Elimination) -> None:
        """Take in the result for another part of the offer."""
        self.offered += other.offered
        self.found.update(other.found)
        self.complete = self.complete and other.complete
        self.note = self.note or other.note
        self.last = other.last
        self.exchanges += other.exchanges


def eliminate(
    offer: Sequence[int],
    ask: Callable[[tuple[int, ...]], tuple[Answer, int | None]],
    *,
    elsewhere: Callable[[Reaction], bool] = lambda _reaction: False,
) -> Elimination:
    """Offer `offer`, then what is left of it, until it is refused.

    `ask` sends an offer and gives the answer and what was selected of it (None: nothing). `elsewhere` recognises an
    answer that accepts something else than what is being eliminated (a lower version): a refusal, too.
    """
    result = Elimination(offered=len(offer))
    left = list(offer)
    while left:
        if len(result.found) >= MOST_FOUND:
            result.note = f"Broken off after {MOST_FOUND}: the server seems to accept whatever it is offered."
            return result
        answer, selected = ask(tuple(left))
        result.exchanges += answer.exchanges
        result.last = answer.reaction
        if selected is None:
            if answer.reaction.refused or elsewhere(answer.reaction):
                result.complete = True
            else:
                result.note = in_words(answer.reaction)
            return result
        if selected not in left:
            result.note = f"The server selected 0x{selected:04X}, which was not offered."
            result.found.setdefault(selected, answer.reaction.exchange)
            return result
        result.found[selected] = answer.reaction.exchange
        left.remove(selected)
    result.complete = True
    return result


def side_by_side(tasks: Sequence[Callable[[], ResultT]]) -> list[ResultT]:
    """The results of independent tasks, run at the same time. Raises what the first failing task raised."""
    results: dict[int, ResultT] = {}
    failures: list[BaseException] = []

    def work(index: int, task: Callable[[], ResultT]) -> None:
        try:
            results[index] = task()
        except BaseException as problem:  # raised again in the caller's thread
            failures.append(problem)

    threads = [threading.Thread(target=work, args=each, daemon=True) for each in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(tasks))]


def silent(reactions: Sequence[Reaction | None]) -> bool:
    """Whether none of the reactions establishes anything: no connection, or no answer."""
    nothing = {ReactionKind.UNREACHABLE, ReactionKind.SILENCE}
    return all(reaction is None or reaction.kind in nothing for reaction in reactions)
