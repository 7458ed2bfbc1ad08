"""Each judgement of creators of signatures passes, fails, warns, stays inconclusive or does not apply as it should."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from harness import CreatedObjects, DriverOutcome
from harness.catalogue import load_catalogue
from harness.observations import Observation
from reference_impl.signatures.mac import VARIANTS
from reference_impl.signatures.results import (
    CertificateResult,
    FileResult,
    PresentElement,
    Reason,
    SignatureResult,
    Standing,
    TimestampResult,
)
from suites.signatures.test_creator_mac import LISTED_THOUGH_FORBIDDEN, RULES
from tests.unit.signature_judging import (
    AUTHOR,
    CERTIFICATE,
    IMAGE,
    SIGNER,
    claim,
    created,
    elements,
    image,
    judgements,
    kinds,
    signed,
    unobserved,
    verdicts,
)

C1 = claim("C.1")
MACRO, LISTING = "PS3.3-C.12.1.1.3-", "PS3.3-C.12.1.1.3.1.1-"
STREAM, STAMP = "PS3.3-C.12.1.1.3.1.2-", "PS3.3-C.12.1.1.3.1.3-"
STAMPED = TimestampResult("CMS_TSP", Standing.VALID, of_this_signature=True)
SEQUENCE = {"(0040,0555)": "SQ"}
RICH = IMAGE | SEQUENCE
NESTED = {"(0040,0555)": ("(0008,0000)", "(0040,A043)", "(4FFE,0001)", "(FFFA,FFFA)")}
EXPLAINED = {
    name: next((requirement for requirement, rule in RULES.items() if name in rule.variants), "") for name in VARIANTS
}


def rich(**changes: Any) -> FileResult:
    """An object whose signature calls for every rule: sequences, fragments, a timestamp, a purpose."""
    every: dict[str, Any] = {
        "covers_sequences": True,
        "covers_encapsulated": True,
        "timestamp": STAMPED,
        "purposes": (AUTHOR,),
    }
    return image(signed(RICH, **every | changes), present=elements(RICH, NESTED))


def judged(*results: FileResult) -> dict[str, str]:
    return kinds(verdicts([created(*results)], C1))


def differing(*results: FileResult) -> dict[str, str]:
    """The verdicts that differ from those of a good object that calls for every rule."""
    now = judged(*results)
    return {requirement: now[requirement] for requirement, kind in judged(rich()).items() if now[requirement] != kind}


def test_every_automatic_requirement_has_one_judgement_and_no_other_is_judged() -> None:
    own = [each for each in load_catalogue() if each.role in {"signature-creator", "signature-verifier"}]
    automatic = {each.id for each in own if each.judged == "automatically"}
    judges = {name: of for name, of in judgements().items() if name in {each.id for each in own}}
    assert {name: len(of) for name, of in judges.items() if len(of) != 1} == {}
    assert automatic == set(judges)
    assert set(judgements()) <= {each.id for each in load_catalogue()}


def test_a_good_signature_keeps_every_rule() -> None:
    assert Counter(judged(rich()).values()) == {"pass": len(judged(rich()))}


def reason(code: str, place: str = "", text: str = "something is wrong") -> Reason:
    return Reason(code, text, place)


def certified(**changes: Any) -> CertificateResult:
    return replace(CERTIFICATE, **changes)


def doubtful(code: str) -> CertificateResult:
    return certified(at_signing=Standing.INVALID, reasons=(reason(f"certificate-{code}"),))


UNREADABLE = CertificateResult(Standing.INVALID, Standing.INVALID, reasons=(reason("certificate-unreadable"),))
FAULTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "another MAC algorithm": ({"algorithm": "SHA3_256"}, {"C.1-mac-algorithm": "fail"}),
    "no MAC algorithm": ({"algorithm": ""}, {"C.1-mac-algorithm": "fail"}),
    "a weak MAC algorithm": ({"algorithm": "MD5"}, {}),
    "ECDSA": (
        {"scheme": "ecdsa", "certificate": certified(key_type="ec", key_bits=256), "signature_octets": 70},
        {"C.1-rsa": "fail", "C.1-pkcs1-padding": "not_applicable"},
    ),
    "an unknown scheme": ({"scheme": ""}, {"C.1-rsa": "inconclusive", "C.1-pkcs1-padding": "inconclusive"}),
    "PSS": ({"scheme": "rsa-other"}, {"C.1-pkcs1-padding": "fail"}),
    "a short value": ({"signature_octets": 128}, {"C.1-pkcs1-padding": "fail"}),
    "a padding octet": ({"signature_octets": 128, "certificate": certified(key_bits=1016)}, {}),
    "no certificate": (
        {"certificate": None},
        {
            "C.1-certificate-x509": "fail",
            "C.1-certificate-names-owner": "inconclusive",
            "C.1-certificate-path-valid": "inconclusive",
            "C.1-certificate-for-signatures": "inconclusive",
        },
    ),
    "a certificate that is none": (
        {"certificate": UNREADABLE},
        {
            "C.1-certificate-x509": "fail",
            "C.1-certificate-names-owner": "inconclusive",
            "C.1-certificate-path-valid": "inconclusive",
            "C.1-certificate-for-signatures": "inconclusive",
        },
    ),
    "a certificate of nobody": ({"certificate": certified(subject="")}, {"C.1-certificate-names-owner": "fail"}),
    "another certificate type": ({"certificate_type": "X509"}, {"C.1-certificate-type": "fail"}),
    "an expired certificate": ({"certificate": doubtful("expired")}, {"C.1-certificate-path-valid": "warning"}),
    "a revoked certificate": ({"certificate": doubtful("revoked")}, {"C.1-certificate-path-valid": "warning"}),
    "an untrusted certificate": ({"certificate": doubtful("untrusted")}, {"C.1-certificate-path-valid": "warning"}),
    "a certificate for TLS": ({"certificate": doubtful("usage")}, {"C.1-certificate-for-signatures": "warning"}),
    "a short key": ({"certificate": certified(reasons=(reason("certificate-weak-key"),))}, {}),
    "expired since": ({"certificate": certified(reasons=(reason("certificate-expired-since"),))}, {}),
    "no anchors": (
        {"certificate": certified(at_signing=Standing.UNKNOWN, reasons=(reason("no-anchors"),))},
        {"C.1-certificate-path-valid": "inconclusive"},
    ),
    "no timestamp": (
        {"timestamp": None},
        dict.fromkeys(
            (
                "C.1-timestamp-type",
                "C.1-timestamp-rfc3161",
                f"{MACRO}timestamp-type-present",
                f"{STAMP}timestamp-of-this-signature",
            ),
            "not_applicable",
        ),
    ),
    "a timestamp of another type": (
        {"timestamp": TimestampResult("OTHER", Standing.UNKNOWN, reasons=(reason("timestamp-type"),))},
        {
            "C.1-timestamp-type": "fail",
            "C.1-timestamp-rfc3161": "inconclusive",
            f"{STAMP}timestamp-of-this-signature": "inconclusive",
        },
    ),
    "a timestamp without a type": (
        {"timestamp": replace(STAMPED, kind=""), "encoding": (reason("missing", "(FFFA,FFFA)[1].(0400,0305)"),)},
        {"C.1-timestamp-type": "fail", f"{MACRO}timestamp-type-present": "fail"},
    ),
    "no token": (
        {"timestamp": TimestampResult("CMS_TSP", Standing.INVALID, reasons=(reason("timestamp-unreadable"),))},
        {"C.1-timestamp-rfc3161": "fail", f"{STAMP}timestamp-of-this-signature": "inconclusive"},
    ),
    "a timestamp of something else": (
        {"timestamp": replace(STAMPED, standing=Standing.INVALID, of_this_signature=False)},
        {f"{STAMP}timestamp-of-this-signature": "fail"},
    ),
    "a timestamp by a stranger": (
        {"timestamp": replace(STAMPED, standing=Standing.INVALID, reasons=(reason("certificate-untrusted"),))},
        {},
    ),
    "a timestamp that cannot be verified": (
        {"timestamp": replace(STAMPED, reasons=(reason("timestamp-certificate-missing"),))},
        {"C.1-timestamp-rfc3161": "inconclusive"},
    ),
    "something missing": (
        {"encoding": (reason("missing", "(FFFA,FFFA)[1].(0400,0110)"),)},
        {f"{MACRO}required-attributes": "fail"},
    ),
    "something empty": (
        {"encoding": (reason("empty", "(4FFE,0001)[1].(0400,0010)"),)},
        {f"{MACRO}required-attributes": "fail"},
    ),
    "another VR": (
        {"encoding": (reason("vr", "(FFFA,FFFA)[1].(0400,0100)"),)},
        {f"{MACRO}attribute-encoding": "fail"},
    ),
    "two purposes": (
        {"purposes": (AUTHOR, AUTHOR), "encoding": (reason("multiplicity", "(FFFA,FFFA)[1].(0400,0401)"),)},
        {f"{MACRO}one-purpose": "fail"},
    ),
    "an empty purpose": (
        {"purposes": (), "encoding": (reason("multiplicity", "(FFFA,FFFA)[1].(0400,0401)"),)},
        {f"{MACRO}one-purpose": "fail"},
    ),
    "no purpose": ({"purposes": ()}, {f"{MACRO}one-purpose": "not_applicable"}),
    "no offset": (
        {"signed_at": "20260504120000", "encoding": (reason("no-offset", "(FFFA,FFFA)[1].(0400,0105)"),)},
        {f"{MACRO}datetime-offset": "fail"},
    ),
    "no time": ({"signed_at": "20260504+0200"}, {f"{MACRO}datetime-offset": "fail"}),
    "no seconds": ({"signed_at": "202605041200-0330"}, {}),
    "no date": ({"signed_at": ""}, {f"{MACRO}datetime-offset": "fail"}),
    "implicit VR": ({"transfer_syntax": "1.2.840.10008.1.2"}, {f"{MACRO}mac-transfer-syntax": "fail"}),
    "big endian": ({"transfer_syntax": "1.2.840.10008.1.2.2"}, {f"{MACRO}mac-transfer-syntax": "fail"}),
    "JPEG": ({"transfer_syntax": "1.2.840.10008.1.2.4.90"}, {}),
    "a private syntax": ({"transfer_syntax": "1.2.3"}, {f"{MACRO}mac-transfer-syntax": "inconclusive"}),
    "no syntax": ({"transfer_syntax": ""}, {f"{MACRO}mac-transfer-syntax": "inconclusive"}),
    "no UID": ({"uid": ""}, {f"{MACRO}signature-uid-unique": "inconclusive"}),
    "an absent element": ({"absent": ("(0010,0010)",)}, {f"{LISTING}listed-elements-present": "fail"}),
    "disorder": ({"in_order": False}, {f"{LISTING}listed-order": "fail"}),
    "a group length": ({"forbidden": ("(0010,0000)",)}, {f"{LISTING}no-lengths-listed": "fail"}),
    "Length to End": ({"forbidden": ("(0008,0001)",)}, {f"{LISTING}no-lengths-listed": "fail"}),
    "meta information": ({"forbidden": ("(0002,0010)",)}, {f"{LISTING}no-low-groups-listed": "fail"}),
    "a low group length": ({"forbidden": ("(0002,0000)",)}, {f"{LISTING}no-low-groups-listed": "fail"}),
    "signatures": ({"forbidden": ("(FFFA,FFFA)",)}, {f"{LISTING}no-signature-macro-listed": "fail"}),
    "MAC parameters": ({"forbidden": ("(4FFE,0001)",)}, {f"{LISTING}no-signature-macro-listed": "fail"}),
    "trailing padding": ({"forbidden": ("(FFFC,FFFC)",)}, {f"{LISTING}no-padding-listed": "fail"}),
    "UN": ({"forbidden": ("(0009,1010)",)}, {f"{LISTING}no-unknown-vr-listed": "fail"}),
    "a MAC that cannot be formed": (
        {"mac": Standing.UNKNOWN},
        {"C.1-signature-verifies": "inconclusive"} | dict.fromkeys(RULES, "inconclusive"),
    ),
    "a MAC that nothing explains": (
        {"mac": Standing.INVALID},
        {"C.1-signature-verifies": "fail"} | dict.fromkeys(RULES, "inconclusive"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_own_rule_and_no_other(fault: str) -> None:
    changes, expected = FAULTS[fault]
    assert differing(rich(**changes)) == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_wrong_way_of_forming_the_mac_breaks_its_rule_and_proves_the_others(variant: str) -> None:
    expected = {"C.1-signature-verifies": "fail"}
    if EXPLAINED[variant]:
        expected[EXPLAINED[variant]] = "fail"
    assert differing(rich(mac=Standing.INVALID, variant=variant)) == expected


def test_every_wrong_way_has_its_rule() -> None:
    assert {name for name, requirement in EXPLAINED.items() if not requirement} == LISTED_THOUGH_FORBIDDEN
    assert set().union(*(rule.variants for rule in RULES.values())) <= set(VARIANTS)


def test_rules_of_the_stream_that_nothing_calls_for_do_not_apply() -> None:
    plain = judged(image())
    assert {name for name in RULES if plain[name] == "not_applicable"} == {
        *(f"{LISTING}{each}-left-out" for each in ("item-delimiters", "group-lengths", "nested-signatures")),
        f"{LISTING}item-tags",
        f"{LISTING}fragments-like-items",
        f"{STREAM}sequence-delimiters",
        f"{STREAM}sequence-lengths-left-out",
    }
    assert plain[f"{STREAM}element-fields"] == "pass"
    unexplained = judged(image(signed(mac=Standing.INVALID)), rich())
    assert unexplained[f"{STREAM}element-fields"] == "inconclusive"  # it may be what was done wrongly
    assert unexplained[f"{STREAM}sequence-delimiters"] == "pass"  # the object that does not verify has no sequence


def test_within_a_sequence_it_is_not_known_what_stands_in_signed_sequences() -> None:
    inside = rich(location="(0040,0555)[1]")
    assert differing(inside) == {
        f"{LISTING}group-lengths-left-out": "not_applicable",
        f"{LISTING}nested-signatures-left-out": "not_applicable",
    }


def test_mac_id_numbers() -> None:
    assert differing(replace(rich(), mac_ids=(1, 1))) == {f"{MACRO}mac-id-unique": "fail"}
    nobody = differing(rich(), image(signed(mac_id=7, mac_id_items=0, uid="1.2.3.2"), sop_instance="1.2.9"))
    assert nobody == {f"{MACRO}mac-id-reference": "fail"}
    alone = differing(rich(mac_id_items=0))
    assert alone[f"{MACRO}mac-id-reference"] == "fail"
    assert alone["C.1-mac-algorithm"] == alone[f"{LISTING}listed-order"] == "inconclusive"
    assert judged(rich(mac_id=None, mac_id_items=0))[f"{MACRO}mac-id-reference"] == "fail"


def test_uids_are_unique_over_all_objects() -> None:
    other = replace(rich(), sop_instance="1.2.99", path="other.dcm")
    assert differing(rich(), other) == {f"{MACRO}signature-uid-unique": "fail"}
    assert differing(rich(), replace(rich(), path="copy.dcm")) == {}  # the same object, met twice
    twice = image(signed(RICH, number=1), signed(RICH, number=2))
    assert judged(twice)[f"{MACRO}signature-uid-unique"] == "fail"


def test_sequences_without_items_lack_what_they_have_to_hold() -> None:
    broken = replace(rich(), problems=(reason("no-items", "(4FFE,0001)"),))
    assert differing(broken) == {f"{MACRO}required-attributes": "fail"}


def test_what_is_wrong_anywhere_fails_and_what_is_unknown_anywhere_is_missing() -> None:
    second = {"sop_instance": "1.2.50", "path": "second.dcm"}
    unknown = image(signed(uid="1.9", scheme=""), **second)
    assert judged(image(), unknown)["C.1-rsa"] == "inconclusive"
    both = verdicts([created(image(signed(uid="1.8", scheme="dsa")), unknown)], C1)
    assert both["C.1-rsa"].kind.value == "fail"
    assert both["C.1-rsa"].observed == ["ct.dcm: signed with DSA"]
    assert both["C.1-rsa"].evidence == ("signer-0000",)


def many(**changes: str) -> list[FileResult]:
    """Forty objects with a fault each, told in words of its own where `changes` hold a number."""
    faulty = [
        signed(uid=f"1.{number}", **{key: value.format(number) for key, value in changes.items()})
        for number in range(40)
    ]
    return [image(each, sop_instance=each.uid, path=f"{number}.dcm") for number, each in enumerate(faulty)]


def test_long_lists_are_cut_and_say_so() -> None:
    same = verdicts([created(*many(certificate_type="NONE"))], C1)["C.1-certificate-type"]
    assert same.observed == ["0.dcm, 1.dcm, 2.dcm, 3.dcm, 4.dcm, and 35 more: Certificate Type NONE"]
    assert len(same.evidence) == 20
    each = verdicts([created(*many(certificate_type="TYPE{}"))], C1)["C.1-certificate-type"]
    assert each.observed[0] == "0.dcm: Certificate Type TYPE0"
    assert each.observed[-1] == "and 35 more"
    assert len(each.observed) == 6


def test_hostile_words_are_bounded() -> None:
    evil = "\x1b[31m\n" + "<script>" * 1000
    broken = signed(algorithm=evil, certificate_type=evil, signed_at=evil, uid=evil)
    result = image(broken, path=evil, sop_instance=evil)
    found = verdicts([created(result)], C1)
    for each in found.values():
        told = f"{each.reason} {each.observed}"
        assert "\x1b" not in told
        assert len(told) < 2000


def test_without_objects_everything_is_inconclusive() -> None:
    nothing: dict[str, list[Observation]] = {
        "never observed": [],
        "no objects": [created()],
        "unsigned": [created(replace(image(), signatures=()), subject="ct")],
        "nothing": [created(subject="ct", driver=DriverOutcome(kind="command", exit_status=3, output="no key\n"))],
        "not obtained": [unobserved(SIGNER, CreatedObjects, "ct", "the driver did not end within 60 s")],
        "unreadable": [
            created(FileResult("x", Standing.UNKNOWN, problems=(reason("unreadable", text="cut short"),)), subject="ct")
        ],
    }
    reasons = {
        "never observed": "not observed",
        "no objects": "no signed object",
        "unsigned": "ct came back unsigned",
        "nothing": "nothing came back for ct: its driver ended with status 3 (no key)",
        "not obtained": "the driver did not end",
        "unreadable": "what came back for ct cannot be read: cut short",
    }
    for name, observations in nothing.items():
        found = verdicts(observations, C1)
        assert set(kinds(found).values()) == {"inconclusive"}, name
        assert all(reasons[name] in each.reason for each in found.values()), name
        assert all(each.remedy for each in found.values()), name


def test_what_no_object_calls_for_is_open_where_some_were_not_seen() -> None:
    stopped = DriverOutcome(kind="command", timed_out=True, seconds=60)
    unseen = [
        unobserved(SIGNER, CreatedObjects, "sr", "the driver failed"),
        created(subject="sr", driver=stopped),
        created(FileResult("x", Standing.UNKNOWN, problems=(reason("unreadable"),)), subject="sr"),
    ]
    for each in unseen:
        found = verdicts([created(image(), subject="ct"), each], C1)
        assert found["C.1-timestamp-type"].kind.value == "inconclusive"
        assert "not obtained: sr" in found["C.1-timestamp-type"].reason
        assert found["C.1-rsa"].kind.value == "pass"


def test_nobody_is_obliged_to_sign_a_given_object() -> None:
    declining = [
        created(replace(image(), signatures=()), subject="sr"),
        created(subject="ecg", driver=DriverOutcome(kind="command", exit_status=1)),
    ]
    found = verdicts([created(image(), subject="ct"), *declining], C1)["C.1-timestamp-type"]
    assert found.kind.value == "not_applicable"
    assert found.reason == "no signed object has a certified timestamp (1 signed object examined, 2 left unsigned)"
    complete = verdicts([created(image(), subject="ct")], C1)["C.1-timestamp-type"]
    assert complete.reason == "no signed object has a certified timestamp (1 signed object examined)"


def test_objects_are_gathered_from_all_subjects() -> None:
    other = image(signed(uid="1.7", certificate_type="NONE"), sop_instance="1.2.8", path="b.dcm")
    given = [created(image(), subject="a"), created(other, subject="b"), created(left_out=3)]
    assert kinds(verdicts(given, C1))["C.1-certificate-type"] == "fail"


def test_signatures_are_told_apart_in_words() -> None:
    first, second = signed(uid="1.1"), signed(uid="1.2", number=2, location="(0040,A730)[2]", certificate_type="NONE")
    found = verdicts([created(image(first, second))], C1)["C.1-certificate-type"]
    assert found.observed == ["ct.dcm, signature 2 in (0040,A730)[2]: Certificate Type NONE"]


def test_present_elements_may_be_many() -> None:
    present = tuple(PresentElement(f"(0009,{n:04X})", "LO") for n in range(0x1000, 0x3000))
    result = replace(image(), present=present)
    assert kinds(verdicts([created(result)], claim("C.2")))["C.2-signs-general-equipment"] == "not_applicable"


def test_results_survive_the_record() -> None:
    """What is judged has been written and read: enumerations and nested tuples included."""
    observation = Observation.model_validate_json(created(rich()).model_dump_json())
    assert Counter(kinds(verdicts([observation], C1)).values()).keys() == {"pass"}
    assert isinstance(rich().signatures[0], SignatureResult)
