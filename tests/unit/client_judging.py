"""The judgements of TLS clients without the engine around them: one record, all verdicts, in no time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from harness.catalogue import BUILT_IN, Requirement, load_catalogue
from harness.judging import Observations
from harness.judging.expect import recording
from harness.judging.findings import Case, finding_of
from harness.judging.lookup import Endpoints
from harness.judging.outcomes import Outcome
from harness.judging.verifies import verified_by
from harness.observations import Frozen, Observation
from harness.record.models import ClaimRecord, EndpointRecord
from suites.transport.client_view import TlsClient
from tests.unit.client_observations import observations
from tests.unit.tls_observations import NOW

B12 = ClaimRecord(profile="B.12", edition="2026c", role="tls-client", endpoint="scu")
B13 = B12.model_copy(update={"profile": "B.13"})
SCU = EndpointRecord(name="scu", protocol="dicom-tls", host="127.0.0.1", port=0)
_PARSED: dict[int, tuple[Observation, Frozen]] = {}  # what is in every record is validated once
Verdicts = dict[str, str]
"""By profile and requirement: "B.12 RFC9325-4.1-client-no-rc4"."""


@dataclass(frozen=True)
class Judge:
    """A judgement and a requirement that it judges."""

    requirement: Requirement
    function: Callable[..., None]

    def __call__(self, client: TlsClient) -> None:
        """Judge; raises an `Outcome` unless it passes."""
        wanted = signature(self.function).parameters
        self.function(client, **({"requirement": self.requirement} if "requirement" in wanted else {}))


@cache
def judges(profile: str = "B.12", protocol: str = "dicom-tls") -> tuple[Judge, ...]:
    """The judgements of what binds a client's claim."""
    found: dict[str, Callable[..., None]] = {}
    for path in sorted((Path(BUILT_IN) / "transport").glob("test_client_role_*.py")):
        module = import_module(f"suites.transport.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("test_"):
                found |= dict.fromkeys(verified_by(function), function)
    bound = load_catalogue().select(profile, "2026c", "tls-client", protocol)
    return tuple(Judge(each, found[each.id]) for each in bound if each.judged == "automatically")


def verdicts(record: Mapping[str, Any], claims: tuple[ClaimRecord, ...] = (B12, B13)) -> Verdicts:
    """The verdicts on a record, as the engine would find them."""
    lookup = Observations({}, NOW, parsed=_PARSED)
    lookup.take(observations(record))
    found: Verdicts = {}
    for claim in claims:
        for each in judges(claim.profile):
            case = Case(claim, each.requirement, Endpoints(SCU))
            raised: Outcome | None = None
            with recording() as ledger:
                try:
                    each(TlsClient(lookup.fresh(), case.endpoints, claim))
                except Outcome as outcome:
                    raised = outcome
            found[f"{claim.profile} {each.requirement.id}"] = finding_of(case, raised, ledger, ()).kind.value
    return found
