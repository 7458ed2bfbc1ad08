"""``junit.xml`` as build servers read it: a suite per claim, a case per requirement."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only written here, nothing is parsed
from datetime import UTC
from itertools import groupby

from harness.record import RunRecord, VerdictKind, VerdictRecord
from reports.text import spoken, visible

Claim = tuple[str, str, str, str]


def junit_text(record: RunRecord) -> str:
    """The verdicts of `record` in the JUnit shape that Jenkins, GitLab and GitHub Actions read.

    fail is a failure (a waived one too: its type is ``waived``, and the exit status tells them apart), error an error,
    inconclusive and not applicable are skipped with the reason; a warning passes, with system-out and a property.
    """
    suites = [_suite(record, claim, verdicts) for claim, verdicts in _by_claim(record)]
    root = ET.Element("testsuites", {"name": "ps315", **_totals(suites)})
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _by_claim(record: RunRecord) -> list[tuple[Claim, list[VerdictRecord]]]:
    def claim(verdict: VerdictRecord) -> Claim:
        return verdict.endpoint, verdict.profile, verdict.edition, verdict.role

    return [(key, list(group)) for key, group in groupby(sorted(record.verdicts, key=claim), key=claim)]


def _suite(record: RunRecord, claim: Claim, verdicts: list[VerdictRecord]) -> ET.Element:
    header = record.header
    endpoint, profile, edition, role = claim
    kinds = [verdict.verdict for verdict in verdicts]
    suite = ET.Element(
        "testsuite",
        {
            "name": visible(f"{header.sut.id} {endpoint}: {profile} {edition} {role}"),
            "tests": str(len(kinds)),
            "failures": str(kinds.count(VerdictKind.FAIL)),
            "errors": str(kinds.count(VerdictKind.ERROR)),
            "skipped": str(kinds.count(VerdictKind.INCONCLUSIVE) + kinds.count(VerdictKind.NOT_APPLICABLE)),
            "time": "0.000",
            "timestamp": header.started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": next((visible(at.host) for at in header.sut.endpoints if at.name == endpoint), "unknown"),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("tool", f"{header.tool.name} {header.tool.version}"),
        ("sut", " ".join(filter(None, (header.sut.vendor, header.sut.product, header.sut.version)))),
        ("profile", profile),
        ("edition", edition),
        ("role", role),
    ):
        _property(properties, name, value)
    for verdict in verdicts:
        if verdict.verdict == VerdictKind.WARNING:
            _property(properties, f"warning.{verdict.requirement}", verdict.reason or verdict.title)
    # A dot would be read as a package boundary inside the profile's name.
    package = ".".join(re.sub(r"[^\w-]+", "-", part) for part in (header.sut.id, endpoint))
    class_name = f"{package}." + "-".join((profile.replace(".", "-"), edition, role))
    for verdict in verdicts:
        _case(suite, class_name, verdict)
    return suite


def _case(suite: ET.Element, class_name: str, verdict: VerdictRecord) -> None:
    case = ET.SubElement(
        suite, "testcase", {"classname": class_name, "name": visible(verdict.requirement), "time": "0.000"}
    )
    message = visible(verdict.reason or verdict.title)
    details = visible(_details(verdict))
    kind = verdict.verdict
    if kind == VerdictKind.FAIL:
        waiver = verdict.waiver if verdict.waiver is not None and not verdict.waiver.expired else None
        if waiver is not None:
            message = visible(f"waived until {waiver.until}: {waiver.reason}. {message}")
        attributes = {"message": message, "type": "waived" if waiver is not None else verdict.level}
        ET.SubElement(case, "failure", attributes).text = details
    elif kind == VerdictKind.ERROR:
        ET.SubElement(case, "error", {"message": message, "type": "harness"}).text = details
    elif kind in {VerdictKind.INCONCLUSIVE, VerdictKind.NOT_APPLICABLE}:
        ET.SubElement(case, "skipped", {"message": f"{kind.value.replace('_', ' ')}: {message}"})
    elif kind == VerdictKind.WARNING:
        ET.SubElement(case, "system-out").text = f"warning: {details}"


def _details(verdict: VerdictRecord) -> str:
    lines = [verdict.text]
    if verdict.expected:
        lines.append("expected: " + " or ".join(verdict.expected))
    if verdict.observed is not None:
        lines.append(f"observed: {spoken(verdict.observed)}")
    lines += [f"{name}: {text}" for name, text in (("reason", verdict.reason), ("remedy", verdict.remedy)) if text]
    return "\n".join(lines)


def _property(properties: ET.Element, name: str, value: str) -> None:
    ET.SubElement(properties, "property", {"name": visible(name), "value": visible(value)})


def _totals(suites: list[ET.Element]) -> dict[str, str]:
    names = ("tests", "failures", "errors", "skipped")
    return {name: str(sum(int(suite.attrib[name]) for suite in suites)) for name in names} | {"time": "0.000"}
