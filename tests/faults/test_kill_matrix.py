"""The kill matrix: every fault of the reference node and client turns exactly what it is said to turn."""

from __future__ import annotations

import pytest

from harness.catalogue import load_catalogue
from harness.record.models import VerdictKind
from reference_impl.faults import load_faults
from tests.faults.conftest import UNTOUCHED, Runs, kind_of
from tests.faults.expectations import compared, expected, selected, told, turned
from tests.faults.observe import PROFILES

FAULTS = {name: fault for name, fault in load_faults(None).items() if not (fault.retired or fault.beside)}
ROLES = ("tls-server", "tls-client")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("role", "protocol"), UNTOUCHED)
def test_untouched_one_passes_everything(runs: Runs, role: str, protocol: str, profile: str) -> None:
    verdicts = runs[UNTOUCHED[role, protocol]].of(profile)
    assert verdicts.keys() == {one.id for one in selected(profile, protocol, role) if one.judged != "not-testable"}
    wrong = {
        name: (one.verdict.value, one.reason)
        for name, one in verdicts.items()
        if one.verdict not in {VerdictKind.PASS, VerdictKind.NOT_APPLICABLE}
    }
    assert wrong == {}
    assert sum(one.verdict is VerdictKind.PASS for one in verdicts.values()) > 40


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_turns_exactly_what_it_says(runs: Runs, fault: str) -> None:
    untouched, run = runs[UNTOUCHED[kind_of(fault)]], runs[fault]
    complaints = []
    for profile in PROFILES:
        breaks, becomes = FAULTS[fault].breaks.get(profile, {}), FAULTS[fault].becomes.get(profile, {})
        stated = expected(profile, breaks, becomes, untouched)
        seen = turned(profile, run, untouched)
        differences = compared(stated, seen, untouched.kinds(profile))
        if differences:
            complaints.append(told(differences, profile, run))
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_automatic_requirement_has_a_fault(profile: str, role: str) -> None:
    by_protocol = {protocol: selected(profile, protocol, role) for of, protocol in UNTOUCHED if of == role}
    automatic = {one.id for found in by_protocol.values() for one in found if one.judged == "automatically"}
    faults = [fault for fault in FAULTS.values() if fault.role == role]
    assert automatic - {name for fault in faults for name in fault.breaks.get(profile, {})} == set()
    https = {name for fault in faults if fault.protocol == "https" for name in fault.breaks.get(profile, {})}
    only_there = {one.id for one in by_protocol["https"]} - {one.id for one in by_protocol["dicom-tls"]}
    assert automatic & only_there <= https


@pytest.mark.parametrize("profile", PROFILES)
def test_ports_are_judged_by_what_answers(profile: str) -> None:
    https = {name for fault in FAULTS.values() if fault.protocol == "https" for name in fault.breaks.get(profile, {})}
    assert f"{profile}-dicomweb-port-differs" in https, "what answers depends on the protocol"


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_names_known_requirements_that_it_can_turn(fault: str) -> None:
    catalogue = load_catalogue()
    assert set(FAULTS[fault].breaks) | set(FAULTS[fault].becomes) <= set(PROFILES)
    for profile in PROFILES:
        known = {one.id: one for one in selected(profile, FAULTS[fault].protocol, FAULTS[fault].role)}
        breaks, becomes = FAULTS[fault].breaks.get(profile, {}), FAULTS[fault].becomes.get(profile, {})
        for name, verdict in breaks.items():
            assert name in catalogue, f"{name} is in no catalogue"
            assert name in known, f"{name} does not bind a claim of {profile}"
            assert known[name].judged == "automatically", f"{name} is {known[name].judged}; umbrellas are computed"
            assert verdict == ("fail" if known[name].level == "shall" else "warning"), f"{name}: {verdict}"
        for name, verdict in becomes.items():
            assert name in known, f"{name} does not bind a claim of {profile}"
            assert verdict in {"not_applicable", "inconclusive", "pass"}, f"{name}: {verdict}"
        assert not set(breaks) & set(becomes)


def test_faults_that_break_nothing_say_what_they_are_for() -> None:
    idle = [fault for fault in FAULTS.values() if not any(fault.breaks.values())]
    assert [fault.id for fault in idle if not fault.advice] == []
