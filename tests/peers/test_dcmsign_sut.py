"""dcmsign of DCMTK as a SUT: a SUT file names its commands, ``ps315 run`` judges it as creator and as verifier.

What it does not keep as a verifier, and why that is so, stands with the crafted objects in question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from fixtures.instances import write_instance
from fixtures.pki import Pki
from fixtures.signatures import SIGNED_CASES
from harness.observations.signatures import CreatedObjects, VerifierAnswer
from harness.record.journal import read_record
from tests.peers.dcmsign import require_dcmsign
from tests.peers.examination import ps315

pytestmark = pytest.mark.peer

SIGN = "dcmsign +s key.pem cert.pem"
CREATORS = {
    "base": ("C.1", f"{SIGN} +m2 +pb {{input}} {{output}}", ""),
    "old": ("C.1", f"{SIGN} -fo +m2 +pb {{input}} {{output}}", 'select = ["ct", "enhanced-ct", "mr-rle"]'),
    "creator": ("C.2", f"{SIGN} +m5 +pc {{input}} {{output}}", ""),
    "authorization": ("C.3", f"{SIGN} +mr +pa {{input}} {{output}}", ""),
    "report": ("C.4", f"{SIGN} +m2 +pr +sp 1 {{input}} {{output}}", 'select = ["sr-unverified", "sr-partial", "kos"]'),
    "verified": ("C.4", f"{SIGN} +m2 +pv +sp 5 {{input}} {{output}}", 'select = ["sr-verified"]'),
    "nameless": ("C.2", f"{SIGN} +m2 -t 0008,0018 -t 0010,0010 {{input}} {{output}}", 'select = ["ct"]'),
    "aimless": ("C.4", f"{SIGN} +m2 +pr {{input}} {{output}}", 'select = ["sr-unverified"]'),
    "references": ("A.4", f"{SIGN} +m2 +pr +sp 1 {{input}} {{output}}", 'select = ["kos"]'),
}
"""By endpoint: the profile that is claimed, the command, what it is given."""
FAILS = {
    # -fo: the format that DCMTK wrote before 3.5.4, with the lengths of fragments in the MAC of compressed objects.
    "old": {"C.1-signature-verifies", "PS3.3-C.12.1.1.3.1.1-fragments-like-items"},
    # -t: the UID of the instance and the name of the patient are not all that C.2 lists.
    "nameless": {"C.2-signs-*"},
    # C.4 wants a purpose in every signature; dcmsign writes one only if it is told to.
    "aimless": {"C.4-purpose*"},
    # A.4 wants a MAC or signature with every reference to evidence; dcmsign writes none.
    "references": {"A.4-*"},
}
"""By endpoint: patterns of all requirements that fail. At the others none does."""
VERIFIER = {
    "fail": {"data-elements", "duplicate-element"},
    "warning": {"certificate-key", "certificate-usage", "timestamp"},
}
"""The rules in which it does otherwise than the clause asks; in all others it does as it should."""
DECLARED = """
[declarations]
"C.3-signatory" = true
"C.3-signs-verifiable-attributes" = true
"C.4-signatories" = true
"C.4-statement-signatories" = "Whoever calls the program names key and certificate."
"A.4-statement-conditions" = "Whatever it is called for is signed."
"""


@dataclass(frozen=True)
class Judged:
    """What came of a run: exit status, verdicts, the folder."""

    status: int
    verdicts: list[dict[str, Any]]
    folder: Path

    def of(self, endpoint: str, *verdicts: str) -> dict[str, str]:
        """The requirements (umbrellas left out) that ended so at `endpoint`, with the reason."""
        return {
            each["requirement"]: each["reason"]
            for each in self.verdicts
            if each["endpoint"] == endpoint and each["verdict"] in verdicts and each["judged"] == "automatically"
        }


def run(folder: Path, text: str) -> Judged:
    (folder / "sut.toml").write_text(text, encoding="utf-8")
    ended = ps315("run", "sut.toml", "--out", "report", directory=folder)
    assert ended.returncode in {0, 1}, ended.stdout + ended.stderr
    report = json.loads((folder / "report" / "report.json").read_bytes())
    assert report["summary"]["error"] == report["summary"]["inconclusive"] == 0, ended.stdout
    return Judged(ended.returncode, report["verdicts"], folder / "report")


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    require_dcmsign()
    folder = tmp_path_factory.mktemp("dcmsign")
    pki = Pki.create(folder / "pki")
    signer = pki.issue("signer")
    (folder / "key.pem").write_bytes(signer.key_pem)
    (folder / "cert.pem").write_bytes(signer.certificate_pem)
    (folder / "ca.pem").write_bytes(pki.issue("ca").certificate_pem)
    text = 'schema = 1\n[identity]\nid = "dcmsign"\n[credentials]\ntrust_anchors = "ca.pem"\n' + DECLARED
    for name, (profile, command, select) in CREATORS.items():
        text += f"""
[endpoints.{name}]
protocol = "files"
[endpoints.{name}.objects]
driver = "{name}"
{select}
[drivers.{name}]
command = "{command}"
[[claims]]
profile = "{profile}"
role = "signature-creator"
endpoint = "{name}"
"""
    return run(folder, text)


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    require_dcmsign()
    text = """
schema = 1
[identity]
id = "dcmsign"
[endpoints.checker]
protocol = "files"
objects = { driver = "check" }
[drivers.check]
command = "dcmsign +rg +cf {trust_anchors} +cr {crl} {input}"
[[claims]]
profile = "C.1"
role = "signature-verifier"
endpoint = "checker"
"""
    return run(tmp_path_factory.mktemp("dcmsign-verifies"), text)


@pytest.mark.parametrize("endpoint", CREATORS)
def test_what_it_signs_is_failed_where_the_clause_says_so_and_nowhere_else(endpoint: str, created: Judged) -> None:
    failed = created.of(endpoint, "fail", "warning", "inconclusive")
    patterns = FAILS.get(endpoint, set())
    assert all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in failed), failed
    assert all(any(fnmatchcase(name, pattern) for name in failed) for pattern in patterns), failed
    assert len(created.of(endpoint, "pass")) > 15


def test_every_instance_is_signed_and_left_as_it_was(created: Judged) -> None:
    record = read_record(created.folder / "run.jsonl")
    at_base = [event.observation for event in record.observations if event.observation.endpoint == "base"]
    facts = [CreatedObjects.model_validate(observation.facts) for observation in at_base]
    assert len(facts) > 40
    assert all(len(each.objects) == 1 for each in facts)
    # It drops trailing blanks when it reads: what it signs is then not what it was given.
    assert [each.objects[0].name for each in facts if each.objects[0].unchanged is not True] == ["odd-padding"]
    assert created.status == 1


def test_it_verifies_as_the_clauses_ask_but_where_the_cases_say_why_not(verified: Judged) -> None:
    for verdict, rules in VERIFIER.items():
        told = verified.of("checker", verdict)
        assert {name.partition("-verifier-")[2] for name in told} == rules, told
    assert verified.status == 1


def test_its_answers_are_those_that_the_cases_record(verified: Judged) -> None:
    record = read_record(verified.folder / "run.jsonl")
    answers = [VerifierAnswer.model_validate(event.observation.facts) for event in record.observations]
    assert {answer.case for answer in answers} == set(SIGNED_CASES)
    assert len(answers) == len(SIGNED_CASES)
    for answer in answers:
        assert answer.answer, answer
        asked = answer.treatment == "either" or (answer.treatment == "valid") is (answer.answer == "valid")
        assert asked or SIGNED_CASES[answer.case].dcmsign, answer


@pytest.mark.parametrize(("protocol", "option"), [("dicom", ""), ("dicom-tls", "+tla +cf {trust_anchors}")])
def test_what_it_signs_may_be_sent_by_storescu(protocol: str, option: str, tmp_path: Path) -> None:
    require_dcmsign()
    signer = Pki.create(tmp_path / "pki")
    (tmp_path / "key.pem").write_bytes(signer.issue("signer").key_pem)
    (tmp_path / "cert.pem").write_bytes(signer.issue("signer").certificate_pem)
    (tmp_path / "ca.pem").write_bytes(signer.issue("ca").certificate_pem)
    for name in ("ct", "gsps"):
        write_instance(name, tmp_path / f"{name}.dcm")
    judged = run(
        tmp_path,
        f"""
schema = 1
[identity]
id = "modality"
[endpoints.modality]
protocol = "{protocol}"
host = "127.0.0.1"
listen = {{ driver = "send" }}
[drivers.send]
command = '''
for name in ct gsps; do {SIGN} +m2 +pb $name.dcm $name-signed.dcm || exit; done
storescu -R {option} -aec {{called_aet}} {{host}} {{port}} ct-signed.dcm gsps-signed.dcm'''
[[claims]]
profile = "C.1"
role = "signature-creator"
endpoint = "modality"
[credentials]
trust_anchors = "ca.pem"
""",
    )
    assert judged.status == 0
    (event,) = read_record(judged.folder / "run.jsonl").observations
    facts = CreatedObjects.model_validate(event.observation.facts)
    assert len(facts.objects) == 2
