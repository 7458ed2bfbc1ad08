"""Retired profiles on the command line: probed, judged again, and what separates them from the current one."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from fixtures.pki.campaign import Campaign
from harness.catalogue import load_catalogue
from harness.claims import claims_to_judge, held_by
from harness.commands.serve import make_node
from harness.record.models import ClaimRecord, EndpointRecord, SutRecord
from harness.schemas import load
from reference_impl.node import Node
from tests.unit.cli_bench import document, probe_arguments, ps315, verdicts


def test_a_retired_profile_is_probed_and_held_apart_from_the_current_one(
    cli_campaign: Campaign, tmp_path: Path
) -> None:
    with make_node("B.3", [], campaign=cli_campaign) as node:
        ended = ps315(*probe_arguments(node), "--profile", "B.3", cwd=tmp_path)
    assert (ended.status, ended.err) == (0, ""), ended.out
    report = document(tmp_path / "ps315-report")
    jsonschema.validate(report, load("report.schema.json"))
    assert {(claim["profile"], claim["edition"]) for claim in report["claims"]} == {("B.3", "2018a")}
    (separation,) = report["separations"]
    assert (separation["title"], separation["retired_after"]) == (
        "AES TLS Secure Transport Connection Profile",
        "2018a",
    )
    deviations = {one["requirement"]: (one["verdict"], one["level"]) for one in separation["deviations"]}
    assert deviations["RFC9325-3.1.1-no-tls-1.0"] == ("fail", "shall")
    assert deviations["RFC9325-4.1-no-static-rsa"] == ("warning", "should")
    assert {one["verdict"] for one in report["verdicts"]} <= {"pass", "not_applicable"}
    event = jsonschema.Draft202012Validator(load("run-event.schema.json"))
    for line in (tmp_path / "ps315-report" / "run.jsonl").read_text(encoding="utf-8").splitlines():
        event.validate(json.loads(line))


def test_a_record_is_judged_again_by_another_profile_and_edition(cli_node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    ps315(*probe_arguments(cli_node), "--out", folder, cwd=tmp_path)
    assert document(folder)["separations"] == []
    before = verdicts(folder)
    ps315("judge", folder, "--profile", "B.9", "--quiet", cwd=tmp_path)
    report = document(folder)
    assert {(claim["profile"], claim["edition"]) for claim in report["claims"]} == {("B.9", "2022d")}
    assert (report["judged_profile"], report["judged_edition"]) == ("B.9", "")
    assert [one["profile"] for one in report["separations"]] == ["B.9"]
    ps315("judge", folder, "--edition", "2023b", "--quiet", cwd=tmp_path)
    report = document(folder)
    assert {(claim["profile"], claim["edition"]) for claim in report["claims"]} == {("B.12", "2023b")}
    assert report["separations"][0]["retired_after"] == ""
    for arguments, told in (
        (("--profile", "B.2"), "it is no TLS profile"),
        (("--profile", "A.6"), "A.6 is judged at syslog-tls endpoints"),
        (("--profile", "B.1", "--edition", "2020a"), "B.1 was retired after 2018a"),
        (("--edition", "2024a"), "is not established"),
    ):
        wrong = ps315("judge", folder, *arguments, cwd=tmp_path)
        assert (wrong.status, told in wrong.err) == (2, True), wrong.err
    ps315("judge", folder, "--quiet", cwd=tmp_path)
    assert verdicts(folder) == before


def test_another_profile_is_held_where_it_applies() -> None:
    """Judged again by one of Annex B, an audit source keeps its claim: nothing at its endpoint is judged by that."""
    claims = [
        ClaimRecord(profile=p, edition="2026c", role="tls-client", endpoint=e)
        for p, e in (("B.12", "scu"), ("A.6", "log"))
    ]
    endpoints = [
        EndpointRecord(name=name, protocol=protocol, host="127.0.0.1", port=1)
        for name, protocol in (("scu", "dicom-tls"), ("log", "syslog-tls"))
    ]
    sut = SutRecord(id="x", claims=tuple(claims), endpoints=tuple(endpoints))
    judged = claims_to_judge(sut, "B.3", None, held_by(load_catalogue()))
    assert [(claim.profile, claim.endpoint) for claim in judged] == [("B.3", "scu"), ("A.6", "log")]
