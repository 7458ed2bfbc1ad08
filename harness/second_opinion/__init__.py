"""Second opinions: what another program witnessed about the same endpoint, and what to make of a disagreement.

Another program runs in a process of its own beside the probes, and only what it writes is read. The rule: a
witnessed acceptance outranks somebody's absence. Where the other witnessed what our probes missed, they look once
more; what they then see amends their observation, and what they still cannot reproduce is a conflict.
"""

from harness.second_opinion.compare import Disagreement, compare, look_again, look_again_group, reconcile
from harness.second_opinion.opinion import Opinion, cannot_know, parse_sslyze
from harness.second_opinion.sslyze import SecondOpinionProcess, start

__all__ = [
    "Disagreement",
    "Opinion",
    "SecondOpinionProcess",
    "cannot_know",
    "compare",
    "look_again",
    "look_again_group",
    "parse_sslyze",
    "reconcile",
    "start",
]
