"""The SUT file of a device that is judged by objects: how they are handed over, one sentence for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.claims import claims_to_judge
from harness.errors import UsageProblem
from harness.sut import Sut, load_sut, parse_sut

SIGNER = """
schema = 1
[identity]
id = "signer"
[endpoints.signer]
protocol = "files"
[endpoints.signer.objects]
driver = "sign"
[drivers.sign]
command = "sign {input} {output}"
[[claims]]
profile = "C.1"
role = "signature-creator"
endpoint = "signer"
"""
VERIFIER = """
schema = 1
[identity]
id = "verifier"
[endpoints.checker]
protocol = "files"
objects = { driver = "check" }
[drivers.check]
command = "check {input} {crl}"
invalid = { exit = [3] }
unverifiable = { output = "^no signature" }
[[claims]]
profile = "C.2"
role = "signature-verifier"
endpoint = "checker"
"""
STORER = """
schema = 1
[identity]
id = "storer"
[endpoints.archive]
protocol = "dicom"
host = "127.0.0.1"
port = 104
[endpoints.archive.objects]
retrieve = "c-get"
[[claims]]
profile = "A.3"
role = "instance-storer"
endpoint = "archive"
"""
SENDER = """
schema = 1
[identity]
id = "modality"
[endpoints.modality]
protocol = "dicom"
host = "127.0.0.1"
[endpoints.modality.listen]
driver = "send"
[drivers.send]
command = "storescu {host} {port}"
[[claims]]
profile = "C.2"
role = "signature-creator"
endpoint = "modality"
"""


def parse(text: str) -> Sut:
    return parse_sut(text, source="x.toml", folder=Path())


def problem(text: str) -> str:
    with pytest.raises(UsageProblem) as raised:
        parse(text)
    return str(raised.value)


def test_a_creator_is_recorded_with_how_it_hands_over() -> None:
    sut = parse(SIGNER)
    assert sut.object_roles("signer") == ("signature-creator",)
    assert not sut.has_transport("signer")
    endpoint = sut.record.endpoints[0]
    assert (endpoint.protocol, endpoint.host, endpoint.port, endpoint.connects) == ("files", "", 0, False)
    assert endpoint.objects is not None
    assert (endpoint.objects.driver, endpoint.objects.driver_kind, endpoint.objects.seconds) == ("sign", "command", 60)
    assert sut.record.claims[0].edition == "2026c"


@pytest.mark.parametrize(
    ("text", "protocol", "way"),
    [
        (STORER, "dicom", "c-get"),
        (STORER.replace('retrieve = "c-get"', 'web = "http://127.0.0.1:8042/dicom-web"'), "dicom", "wado-rs"),
        (
            STORER.replace('protocol = "dicom"', 'protocol = "http"').replace('retrieve = "c-get"', ""),
            "http",
            "wado-rs",
        ),
        (STORER.replace('"c-get"', '"c-move"\ndestination = "US"\nport = 11114'), "dicom", "c-move"),
        (STORER.replace('"c-get"', '"folder"\nfolder = "kept"'), "dicom", "folder"),
    ],
)
def test_a_storer_gives_back_by(text: str, protocol: str, way: str) -> None:
    endpoint = parse(text).record.endpoints[0]
    assert endpoint.protocol == protocol
    assert endpoint.objects is not None
    assert endpoint.objects.retrieve == way


@pytest.mark.parametrize("text", [VERIFIER, SENDER, STORER.replace("instance-storer", "signature-verifier")])
def test_other_ways_are_taken(text: str) -> None:
    assert parse(text).record.endpoints[0].objects is not None


def test_an_archive_may_verify_and_store_and_be_a_tls_server() -> None:
    claims = '\n[[claims]]\nprofile = "C.1"\nrole = "signature-verifier"\nendpoint = "archive"\n'
    claims += '[[claims]]\nprofile = "B.12"\nendpoint = "archive"\n'
    sut = parse(STORER.replace('"dicom"', '"dicom-tls"') + claims)
    assert sut.object_roles("archive") == ("instance-storer", "signature-verifier")
    assert sut.has_transport("archive")


@pytest.mark.parametrize(
    ("text", "before", "after", "told"),
    [
        (SIGNER, 'driver = "sign"', "", "as signature-creator the SUT hands us objects"),
        (
            SIGNER,
            'driver = "sign"',
            'driver = "singn"',
            "names the driver 'singn', which [drivers] lacks (it has: sig",
        ),
        (SIGNER, "{input} {output}", "", "is not told what to sign; write {input} and {output}"),
        (SIGNER, "{input}", "{inptu}", "did you mean 'input'"),
        (SIGNER, 'driver = "sign"', 'driver = "sign"\nfoldr = "x"', "did you mean 'folder'"),
        (SIGNER, 'driver = "sign"', 'driver = "sign"\nseconds = 0', "endpoints.signer.objects.seconds"),
        (SIGNER, 'driver = "sign"', 'driver = "sign"\nmost = 0', "from 1 to 100000"),
        (SIGNER, 'driver = "sign"', 'driver = "sign"\nport = 1', "port is no key without retrieve"),
        (SIGNER, 'protocol = "files"', 'protocol = "files"\nport = 1', "port is no key where files are handed over"),
        (SIGNER, 'protocol = "files"', 'protocol = "dicom"', "endpoints.signer: host is missing"),
        (SIGNER, 'protocol = "files"', 'protocol = "file"', "http, files"),
        (SIGNER, 'profile = "C.1"', 'profile = "B.12"', "B.12 is judged where there is TLS, and here files passes"),
        (
            SIGNER,
            'role = "signature-creator"',
            'role = "instance-storer"',
            "as instance-storer the SUT is sent objects",
        ),
        (SIGNER, 'command = "sign {input} {output}"', 'operator = "Sign."', "write where the signed objects are then"),
        (VERIFIER, "{input}", "", "is not told what to verify; write {input}"),
        (VERIFIER, "^no signature", "(", "drivers.check.unverifiable.output: is no regular expression"),
        (VERIFIER, "{ exit = [3] }", "{}", "drivers.check.invalid: says nothing"),
        (VERIFIER, "{ exit = [3] }", "{ exit = [300] }", "write the exit statuses in brackets"),
        (VERIFIER, "{ exit = [3] }", "{ exti = [3] }", "did you mean 'exit'"),
        (STORER, 'retrieve = "c-get"', 'retrieve = "c-fetch"', 'write "c-get", "c-move", "wado-rs" or "folder"'),
        (STORER, '"c-get"', '"c-move"', "destination and port are missing"),
        (STORER, '"c-get"', '"wado-rs"', "objects.web is missing"),
        (STORER, '"c-get"', '"folder"', "folder is missing"),
        (STORER, '"c-get"', '"c-get"\nweb = "ftp://x"', 'a path such as "/dicom-web"'),
        (STORER, '"dicom"', '"http"', "nothing is retrieved by c-get"),
        (STORER, '"dicom"', '"syslog-tls"', "A.3 is judged by objects, and a syslog-tls endpoint takes none"),
        (STORER, 'profile = "A.3"\nrole = "instance-storer"', 'profile = "B.12"', "here DICOM without TLS passes"),
        (STORER, 'profile = "A.3"', 'profile = "A.6"', "A.6 is judged at syslog-tls endpoints, and this one is dicom"),
        (SIGNER, 'driver = "sign"', 'folder = "x"\nselect = ["ct"]', "is given no instances that could be selected"),
        (SIGNER, 'role = "signature-creator"\n', "", 'C.1 is judged by objects, not as tls-server; write role = "inst'),
        (SENDER, 'role = "signature-creator"\n', "", 'or "signature-creator" or "signature-verifier"'),
        (SENDER, 'protocol = "dicom"', 'protocol = "https"', "objects are sent to us by C-STORE"),
        (SENDER, "{port}", "{port} {input}", "uses {input}, and a SUT that connects is handed no file"),
        (SENDER, "signature-creator", "signature-verifier", "as signature-verifier the SUT is shown objects"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(text: str, before: str, after: str, told: str) -> None:
    assert before in text
    message = problem(text.replace(before, after))
    assert told in message
    assert message.startswith("x.toml: ")
    assert len(message.splitlines()) == 1


def test_a_creator_has_an_endpoint_of_its_own() -> None:
    more = '[[claims]]\nprofile = "C.1"\nrole = "signature-verifier"\nendpoint = "signer"\n'
    assert "is claimed as signature-verifier, too; name an endpoint of its own" in problem(SIGNER + more)
    client = SENDER.replace('"dicom"', '"dicom-tls"')
    trials = '[[claims]]\nprofile = "B.12"\nrole = "tls-client"\nendpoint = "modality"\n'
    assert "is where a tls-client is examined" in problem(client + trials)


def test_no_file_may_be_embedded(tmp_path: Path) -> None:
    path = tmp_path / "sut.toml"
    path.write_text(SIGNER.replace('driver = "sign"', 'driver = "embedded"'), encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"signer\.objects\.driver: 'embedded' is for a SUT within"):
        load_sut(path)


def test_what_is_judged_again_by_another_profile_keeps_its_role() -> None:
    claims = '[[claims]]\nprofile = "B.12"\nendpoint = "archive"\n'
    sut = parse(STORER.replace('"dicom"', '"dicom-tls"') + claims).record
    held = [("A.2", "2026c", "instance-storer"), ("B.12", "2026c", "tls-server"), ("B.13", "2026c", "tls-server")]
    for profile, judged in (("A.2", ["A.2", "B.12"]), ("B.13", ["A.3", "B.13"])):
        assert [claim.profile for claim in claims_to_judge(sut, profile, None, held)] == judged
    with pytest.raises(UsageProblem, match=r"--profile: A\.2 is not judged for the role"):
        claims_to_judge(parse(SIGNER).record, "A.2", None, held)
