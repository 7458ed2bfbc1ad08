"""Timestamps against two others: `openssl ts` as authority, client and verifier, and dcmsign as client and verifier."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pydicom.data import get_testdata_file

from fixtures.pki import Pki
from reference_impl.http_exchange import ask
from reference_impl.signatures.certificates import Trust
from reference_impl.signatures.results import Standing, TimestampResult
from reference_impl.signatures.timestamp_requests import QUERY, REPLY, make_request, token_of
from reference_impl.signatures.timestamps import request_timestamp, verify_timestamp
from reference_impl.signatures.tsa import TimestampAuthority, TsaDeviations, TsaServer
from tests.missing import lacking

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("timestamps")]

VALUE = bytes(range(256))
DIGESTS = {
    "SHA1": "sha1",
    "SHA256": "sha256",
    "SHA384": "sha384",
    "SHA512": "sha512",
    "RIPEMD160": "ripemd160",
    "MD5": "md5",
}
DCMSIGN_DIGESTS = {
    "SHA256": "+tm2",
    "SHA384": "+tm3",
    "SHA512": "+tm5",
    "RIPEMD160": "+tmr",
    "SHA1": "+tms",
    "MD5": "+tmm",
}
AUTHORITIES = {
    # certificate: whether its timestamps are taken
    "tsa": True,
    "tsa_unknown_ca": False,
    "tsa_expired": False,
    "tsa_without_purpose": False,
    "tsa_purpose_not_critical": False,
    "tsa_further_purpose": False,
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    for program in ("openssl", "dcmsign"):
        if shutil.which(program) is None:
            lacking(f"{program} is not installed")
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def trust(pki: Pki) -> Trust:
    return Trust(anchors=tuple(pki.issue(case).certificate.public_bytes(Encoding.DER) for case in ("ca", "ca_ec")))


def authority(pki: Pki, case: str = "tsa", deviations: TsaDeviations | None = None) -> TimestampAuthority:
    issued = pki.issue(case)
    return TimestampAuthority(issued.certificate, issued.key, issued.intermediates, deviations or TsaDeviations())


def verified(token: bytes, value: bytes, trust: Trust) -> TimestampResult:
    return verify_timestamp(token, value, trust, datetime.now(UTC))


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, timeout=30, cwd=cwd
    )


@pytest.mark.parametrize("case", ["tsa", "tsa_ec"])
@pytest.mark.parametrize("digest", ["SHA256", "SHA512"])
def test_openssl_verifies_our_timestamps(pki: Pki, tmp_path: Path, case: str, digest: str) -> None:
    (tmp_path / "value").write_bytes(VALUE)
    with TsaServer(authority(pki, case)) as server:
        token = request_timestamp(server.url, VALUE, digest)
    (tmp_path / "token").write_bytes(token)
    command = ["openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "value", "-CAfile"]
    done = run(*command, pki.trust_anchors_file(), cwd=tmp_path)
    assert (done.returncode, "Verification: OK" in done.stdout + done.stderr) == (0, True), done.stderr
    (tmp_path / "value").write_bytes(VALUE[1:])
    assert run(*command, pki.trust_anchors_file(), cwd=tmp_path).returncode != 0


@pytest.mark.parametrize(("digest", "name"), DIGESTS.items())
def test_our_authority_takes_the_queries_of_openssl(
    pki: Pki, trust: Trust, tmp_path: Path, digest: str, name: str
) -> None:
    (tmp_path / "value").write_bytes(VALUE)
    done = run(
        *("openssl", "ts", "-query", "-data", "value", "-cert", f"-{name}", "-out", "query"),
        *("-tspolicy", "1.2.3.4.5"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    query = (tmp_path / "query").read_bytes()
    with TsaServer(authority(pki)) as server:
        answer = ask(server.url, query, QUERY)
    assert (answer.status, answer.media_type) == (200, REPLY)
    result = verified(token_of(answer.body, query), VALUE, trust)
    assert (result.standing, result.hash_algorithm, result.policy) == (Standing.VALID, digest, "1.2.3.4.5")
    (tmp_path / "reply").write_bytes(answer.body)
    done = run(
        *("openssl", "ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", pki.trust_anchors_file()),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", ["tsa", "tsa_ec"])
@pytest.mark.parametrize("digest", [*DIGESTS, "SHA256 chained"])
def test_openssl_is_an_authority_for_us(pki: Pki, trust: Trust, tmp_path: Path, case: str, digest: str) -> None:
    digest, _, chained = digest.partition(" ")
    request = make_request(VALUE, digest)
    (tmp_path / "query").write_bytes(request)
    (tmp_path / "serial").write_text("01\n", encoding="ascii")
    (tmp_path / "tsa.cnf").write_text(
        f"[tsa]\ndefault_tsa=t\n[t]\nserial={tmp_path}/serial\ncrypto_device=builtin\n"
        f"signer_cert={pki.certificate_file(case)}\nsigner_key={pki.key_file(case)}\n"
        f"certs={pki.trust_anchors_file('ca')}\nsigner_digest=sha384\ndefault_policy=1.2.3.4.1\n"
        f"digests={','.join(DIGESTS.values())}\naccuracy=secs:1,millisecs:500\nordering=yes\ntsa_name=yes\n"
        f"ess_cert_id_chain={'yes' if chained else 'no'}\ness_cert_id_alg={'sha1' if chained else 'sha256'}\n",
        encoding="ascii",
    )
    done = run(*("openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    token = token_of((tmp_path / "reply").read_bytes(), request)
    result = verified(token, VALUE, trust)
    assert (result.standing, result.policy, result.hash_algorithm) == (Standing.VALID, "1.2.3.4.1", digest)
    other = verified(token, VALUE[1:], trust)
    assert (other.standing, other.of_this_signature) == (Standing.INVALID, False)


@pytest.mark.parametrize(("digest", "option"), DCMSIGN_DIGESTS.items())
def test_dcmsign_takes_our_timestamps_and_we_take_what_it_embeds(
    pki: Pki, trust: Trust, tmp_path: Path, digest: str, option: str
) -> None:
    accepted, token, value = by_dcmsign(pki, tmp_path, authority(pki), option)
    result = verified(token, value, trust)
    assert (accepted, result.standing, result.hash_algorithm) == (True, Standing.VALID, digest)


@pytest.mark.parametrize(("case", "taken"), AUTHORITIES.items())
def test_dcmsign_and_we_agree_on_authorities(pki: Pki, trust: Trust, tmp_path: Path, case: str, taken: bool) -> None:
    accepted, token, value = by_dcmsign(pki, tmp_path, authority(pki, case), "+tm2")
    assert (accepted, verified(token, value, trust).standing is Standing.VALID) == (taken, taken)


def by_dcmsign(pki: Pki, folder: Path, stamper: TimestampAuthority, option: str) -> tuple[bool, bytes, bytes]:
    """Whether dcmsign takes the timestamp that it was given, the token, and the signature value."""
    key, certificate = pki.key_file("signer"), pki.certificate_file("signer")
    source = str(get_testdata_file("CT_small.dcm"))
    steps: list[str | Path] = [
        "dcmsign",
        "+s",
        key,
        certificate,
        "+m2",
        "+ts",
        "query",
        "uid",
        option,
        source,
        "signed.dcm",
    ]
    done = run(*steps, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "reply").write_bytes(stamper.reply((folder / "query").read_bytes()))
    done = run("dcmsign", "+t", "query", "reply", "uid", "signed.dcm", "stamped.dcm", cwd=folder)
    assert done.returncode == 0, done.stderr
    verdict = run("dcmsign", "+cf", pki.trust_anchors_file("ca"), "+tr", "stamped.dcm", cwd=folder)
    item = pydicom.dcmread(folder / "stamped.dcm")[0xFFFAFFFA].value[0]
    return verdict.returncode == 0, item[0x04000310].value, item[0x04000120].value
