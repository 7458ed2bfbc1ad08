"""Certificates, timestamps, careless verifiers, files that cannot be read: what the verifier makes of them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reference_impl.signatures.certificates import Trust, read_certificates
from reference_impl.signatures.creator import SigningOrder
from reference_impl.signatures.datetimes import parsed_time
from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.reader import IMPLICIT_LITTLE_ENDIAN
from reference_impl.signatures.results import Standing
from reference_impl.signatures.tsa import TimestampAuthority
from reference_impl.signatures.verifier import Policy, Skip, verify_file
from tests.unit.signature_material import META
from tests.unit.signing_material import CONTENT, PIXELS, SERIES, pki
from tests.unit.verifying_bench import ORDER, PATIENT, changed, codes, judged, signed, trust

# -- certificates ------------------------------------------------------------------------------------------------------


def test_without_anchors_only_integrity_can_be_judged(tmp_path: Path) -> None:
    path = signed(tmp_path)
    unknown = judged(path, trust=None)
    assert (unknown.standing, unknown.mac) == (Standing.UNKNOWN, Standing.VALID)
    assert judged(path, trust=None, integrity_only=True).standing is Standing.VALID


@pytest.mark.parametrize("case", ["signer_unknown_ca", "signer_tls_only", "signer_not_yet_valid"])
def test_bad_certificates_are_invalid(tmp_path: Path, case: str) -> None:
    path = signed(tmp_path, case=case)
    assert judged(path).standing is Standing.INVALID
    assert judged(path, integrity_only=True).standing is Standing.VALID
    assert judged(path, skip=frozenset({Skip.CERTIFICATE})).standing is Standing.VALID


def test_a_certificate_counts_at_the_time_of_signing(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(hours=15)
    late = judged(signed(tmp_path, case="signer_expired"))
    assert late.standing is Standing.INVALID
    assert codes(late) == ["certificate-expired"]
    in_time = judged(signed(tmp_path, NONE, replace(ORDER, at=before), case="signer_expired"))
    assert in_time.standing is Standing.VALID
    assert in_time.certificate is not None
    assert in_time.certificate.now is Standing.INVALID
    assert judged(signed(tmp_path, case="signer_expired"), at=before).standing is Standing.VALID


def test_who_is_revoked_can_antedate_signatures(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(hours=15)
    revoked = signed(tmp_path, case="signer_revoked")
    assert judged(revoked, trust=trust(lists=True)).standing is Standing.INVALID
    antedated = judged(
        signed(tmp_path, NONE, replace(ORDER, at=before), case="signer_revoked"), trust=trust(lists=True)
    )
    assert antedated.standing is Standing.UNKNOWN
    assert codes(antedated) == ["certificate-revoked-since"]


def test_a_certificate_of_unknown_type_cannot_be_judged(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(certificate_type="PGP")))
    assert found.standing is Standing.UNKNOWN
    assert found.profiles == ()


def test_a_timestamp_that_is_none_is_invalid(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, NONE, replace(ORDER, timestamp=lambda _value: b"\x30\x04abcd")))
    assert found.standing is Standing.INVALID
    assert found.timestamp is not None
    assert found.timestamp.standing is Standing.INVALID


def stamped(folder: Path, case: str = "signer", *, ago: timedelta = timedelta()) -> Path:
    """Signed, dated and time-stamped so long ago, by the authority "tsa_ec"."""
    issued = pki().issue("tsa_ec")
    authority = TimestampAuthority(issued.certificate, issued.key)
    at = datetime.now(UTC) - ago
    return signed(folder, NONE, replace(ORDER, at=at, timestamp=lambda value: authority.stamp(value, at=at)), case=case)


def only_ca(case: str) -> Trust:
    return Trust(anchors=read_certificates(pki().trust_anchors_file(case).read_bytes()))


def test_time_stamping_authorities_are_trusted_apart(tmp_path: Path) -> None:
    path = stamped(tmp_path)
    assert judged(path, trust=only_ca("ca")).standing is Standing.INVALID
    both = judged(path, trust=only_ca("ca"), tsa_trust=only_ca("ca_ec"), require_timestamp=True)
    assert both.standing is Standing.VALID
    assert both.timestamp is not None
    assert both.timestamp.standing is Standing.VALID
    assert "CMS" in both.timestamp.kind


def test_a_timestamp_shows_that_a_signature_is_older_than_a_revocation(tmp_path: Path) -> None:
    path = stamped(tmp_path, "signer_revoked", ago=timedelta(hours=15))
    found = judged(path, trust=trust(lists=True))
    assert found.standing is Standing.VALID
    assert found.certificate is not None
    assert found.certificate.now is Standing.INVALID


def test_a_timestamp_can_be_demanded(tmp_path: Path) -> None:
    found = judged(signed(tmp_path), require_timestamp=True)
    assert found.standing is Standing.UNKNOWN
    assert codes(found) == ["no-timestamp"]


def test_the_worst_of_the_signatures_is_that_of_the_file(tmp_path: Path) -> None:
    path = signed(tmp_path, NONE, SigningOrder(tags=(PATIENT,)), SigningOrder(tags=(0x00100020,)))
    result = verify_file(changed(path, b"PS315^TEST", b"PS315^REST"), Policy(trust=trust()))
    assert [each.standing for each in result.signatures] == [Standing.INVALID, Standing.VALID]
    assert result.standing is Standing.INVALID


# -- careless verifiers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skip", "deviations"),
    [
        (Skip.MAC, Deviations(leave_out=frozenset({PATIENT}), sign_unlisted=(PATIENT,))),
        (Skip.VALUE, Deviations(alter_signature=lambda value: bytes(len(value)))),
        (
            Skip.COVERAGE,
            Deviations(leave_out=frozenset(each.tag for each in (*SERIES, CONTENT, PIXELS)), unchecked=True),
        ),
        (Skip.TIMESTAMP, Deviations(timestamp_type="CMS_TSP", alter_timestamp=lambda _token: b"\x30\0")),
        (Skip.UNKNOWN, Deviations(stated_algorithm="SHA3_256")),
        (Skip.SYNTAX, Deviations(stated_transfer_syntax=IMPLICIT_LITTLE_ENDIAN)),
    ],
)
def test_a_careless_verifier_is_taken_in(tmp_path: Path, skip: Skip, deviations: Deviations) -> None:
    order = replace(ORDER, timestamp=(lambda _value: b"\x30\0") if skip is Skip.TIMESTAMP else None)
    path = signed(tmp_path, deviations, order)
    careful = verify_file(path, Policy(trust=trust()))
    assert careful.standing is not Standing.VALID
    assert verify_file(path, Policy(trust=trust(), skip=frozenset({skip}))).standing is Standing.VALID


def test_a_verifier_may_look_at_the_first_signature_alone(tmp_path: Path) -> None:
    path = signed(tmp_path, NONE, SigningOrder(tags=(0x00100020,)), SigningOrder(tags=(PATIENT,)))
    changed(path, b"PS315^TEST", b"PS315^REST")
    careless = Policy(trust=trust(), skip=frozenset({Skip.OTHERS}))
    assert verify_file(path, careless).standing is Standing.VALID


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing of the kind")
    (result, absent, folder) = (verify_file(tmp_path / each) for each in ("text", "absent", "."))
    assert [each.standing for each in (result, absent, folder)] == [Standing.UNKNOWN] * 3
    assert [each.code for each in result.problems] == ["not-dicom"]
    assert [each.code for each in absent.problems] == ["unreadable"]
    assert folder.problems


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        result = verify_file(path)
        assert result.standing is Standing.UNKNOWN
        assert result.problems[0].text == "it is no regular file"


def test_a_file_cut_short_cannot_be_judged(tmp_path: Path) -> None:
    path = signed(tmp_path)
    octets = path.read_bytes()
    for length in range(132 + len(META), len(octets), 97):
        path.write_bytes(octets[:length])
        result = verify_file(path, Policy(trust=trust()))
        assert result.standing in {Standing.UNKNOWN, Standing.UNSIGNED}, length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20261122172925.864987+0100", "2026-11-22T17:29:25.864987+01:00"),
        ("20261122172925.8-0330", "2026-11-22T17:29:25.800000-03:30"),
        ("20261122", "2026-11-22T00:00:00+00:00"),
        ("202611221729", "2026-11-22T17:29:00+00:00"),
        ("20261231235960+0000", "2026-12-31T23:59:59+00:00"),
        ("2026", None),
        ("20261340", None),
        ("20261122172925+99", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_times_of_signatures(text: str, expected: str | None) -> None:
    found = parsed_time(text)
    assert (found.isoformat() if found else None) == expected
