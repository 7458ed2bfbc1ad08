"""A realistic run record for the tests of the renderers: every verdict, every kind of fact a report shows."""

from __future__ import annotations

import itertools
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from fixtures.pki import Pki
from harness.observations import Exchange, Observation
from harness.observations.base import Frozen, Reaction, ReactionKind
from harness.observations.transport import (
    AcceptedSuite,
    CertificateChain,
    CertificateFacts,
    Certificates,
    CipherSuites,
    GroupResult,
    Groups,
    GroupsOfVersion,
    Reachability,
    SignatureSchemes,
    SuitesOfVersion,
    Versions,
)
from harness.record.models import (
    AdviceRecord,
    ClaimRecord,
    ClaimVerdict,
    EndpointRecord,
    Footer,
    Header,
    JudgingEvent,
    Limits,
    NoteEvent,
    NotExamined,
    ObservationEvent,
    RunRecord,
    SourceRecord,
    StoredObjectEvent,
    SutRecord,
    ToolRecord,
    VerdictKind,
    VerdictRecord,
    WaiverRecord,
)
from tests.unit.reports_more_material import client_trials, separation, shown_certificates

AT = datetime(2026, 11, 22, 10, 31, 42, tzinfo=UTC)
CATALOGUE = Path(__file__).parents[2] / "suites" / "transport" / "requirements"
FAILING = {
    "B.12-no-null-cipher": "TLS_RSA_WITH_NULL_SHA was accepted.",
    "B.13-tls-1.2-closed-set": "TLS_RSA_WITH_AES_128_CBC_SHA and 3 others outside the list were accepted.",
    "B.13-permitted-key-exchange": "RSA key exchange was accepted.",
    "RFC8996-4-no-tls-1.0": "A ClientHello of at most TLS 1.0 was answered with a ServerHello of TLS 1.0.",
    "RFC9325-3.1.1-no-tls-1.0": "A ClientHello of at most TLS 1.0 was answered with a ServerHello of TLS 1.0.",
    "RFC9325-4.1-no-null": "TLS_RSA_WITH_NULL_SHA was accepted.",
}
WARNED = {"RFC9325-4.1-no-static-rsa", "RFC9325-4.2.1-no-rsa-aes-128-cbc-sha", "RFC9325-3.7-unrecognized-name-alert"}
OPEN = {
    "B.13-tls-1.2-ecdhe-ecdsa-with-aes-256-gcm-sha384": "The device presents no ECDSA certificate.",
    "B.13-tls-1.2-ecdhe-ecdsa-with-aes-128-gcm-sha256": "The device presents no ECDSA certificate.",
    "B.12-mutual-authentication-supported": "The device did not ask for a client certificate.",
    "B.13-mutual-authentication-supported": "The device did not ask for a client certificate.",
}
_REFUSED = "15030300020246"


def certificate_facts(certificate: x509.Certificate) -> CertificateFacts:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return CertificateFacts(
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        pem=certificate.public_bytes(_pem()).decode(),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        version=3,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_type="rsa",
        key_bits=2048,
        signature_algorithm="rsa",
        signature_algorithm_oid=certificate.signature_algorithm_oid.dotted_string,
        signature_hash="sha256",
        names=tuple(f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)),
        common_name=str(common[0].value),
    )


def _pem() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def chain(pki: Pki, case: str = "server") -> CertificateChain:
    return CertificateChain(
        certificates=(certificate_facts(pki.issue(case).certificate),),
        presented_in=(0x0304, 0x0303),
        key_kind="rsa",
        in_order=True,
        name_matches=True,
        ocsp_stapled=False,
        exchange="dimse-0001",
    )


def exchange(number: int, octets: int = 320, decoded: tuple[str, ...] | None = None) -> Exchange:
    hello = bytes(
        itertools.islice(itertools.cycle(b"\x16\x03\x01\x01\x3b\x01\x00\x01\x37\x03\x03" + bytes(range(200))), octets)
    )
    lines = ("sent ClientHello, TLS 1.0, 24 suites", "received Alert, fatal, protocol_version (70)")
    return Exchange(
        id=f"dimse-{number:04}",
        purpose=f"Offer of TLS 1.{number % 4}",
        endpoint="dimse",
        started=AT + timedelta(milliseconds=20 * number),
        duration_ms=3.25,
        peer="10.20.30.40:2762",
        segments=(("sent", 0.2, hello.hex()), ("received", 1.9, _REFUSED)),
        outcome="The server refused with the alert protocol_version.",
        decoded=lines if decoded is None else decoded,
    )


def suites() -> CipherSuites:
    def accepted(*codes: int) -> tuple[AcceptedSuite, ...]:
        return tuple(AcceptedSuite(code=code, exchange="dimse-0003") for code in codes)

    return CipherSuites(
        versions={
            0x0304: SuitesOfVersion(
                accepted=accepted(0x1302, 0x1303, 0x1301), offered=10, complete=True, preference="server"
            ),
            0x0303: SuitesOfVersion(
                accepted=accepted(
                    0xC030, 0xC02F, 0xCCA8, 0x009F, 0x009E, 0xC028, 0x009D, 0x009C, 0x002F, 0x000A, 0x0002
                ),
                offered=346,
                complete=True,
                preference="server",
            ),
            0x0301: SuitesOfVersion(
                accepted=accepted(0x002F, 0x0035, 0x000A),
                offered=251,
                complete=False,
                note="The server stopped answering.",
            ),
            0x0300: SuitesOfVersion(accepted=(), offered=251, complete=True),
            0x0002: SuitesOfVersion(accepted=(), offered=9, complete=True),
        }
    )


def versions() -> Versions:
    refused, silent = Reaction(kind=ReactionKind.ALERT, alert=70), Reaction(kind=ReactionKind.SILENCE)
    return Versions(reactions={0x0302: refused, 0x0300: refused, 0x0002: silent})


def observation(kind: str, facts: Frozen) -> ObservationEvent:
    made = Observation(kind=kind, endpoint="dimse", observed_at=AT, facts=facts.model_dump(mode="json"))
    return ObservationEvent(step=f"connect:{kind}", observation=made)


def observations(pki: Pki, case: str = "server") -> tuple[ObservationEvent, ...]:
    groups = tuple(GroupResult(code=code, named=True, accepted=True, exchange="dimse-0004") for code in (29, 23, 24))
    return (
        observation("tls.reachability", Reachability(address="10.20.30.40:2762", tcp="connected", speaks="tls")),
        observation("tls.versions", versions()),
        observation("tls.cipher-suites", suites()),
        observation("tls.groups", Groups(versions={0x0304: GroupsOfVersion(groups=groups, complete=True)})),
        observation(
            "tls.signature-schemes",
            SignatureSchemes(versions={0x0303: (AcceptedSuite(code=0x0804, exchange=""),)}, complete={0x0303: True}),
        ),
        observation("tls.certificates", Certificates(chains=(chain(pki, case),))),
        observation("tls.client-certificates", shown_certificates()),
        *client_trials(AT, chain(pki, case).certificates),
    )


def catalogue() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every requirement of the transport catalogue with the defaults of its file."""
    found = []
    for path in sorted(CATALOGUE.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [(data.get("defaults", {}), item) for item in data["requirement"]]
    return found


def profiles_of(defaults: dict[str, Any], item: dict[str, Any]) -> list[str]:
    applies = item.get("applies", defaults.get("applies", []))
    return [entry["profile"] for entry in applies if entry["profile"] in {"B.12", "B.13"}]


def verdict(
    requirement: str = "B.12-server-supports-tls-1.2",
    kind: VerdictKind = VerdictKind.PASS,
    level: Literal["shall", "should", "may"] = "shall",
    **fields: Any,
) -> VerdictRecord:
    profile = fields.setdefault("profile", "B.12")
    values: dict[str, Any] = {
        "key": f"ct-1/dimse/{profile}-2026c-tls-server/{requirement}",
        "requirement": requirement,
        "title": "TLS 1.2 is supported",
        "text": "The server completes TLS 1.2 handshakes.",
        "verdict": kind,
        "level": level,
        "judged": "automatically",
        "imported": requirement.startswith("RFC"),
        "edition": "2026c",
        "role": "tls-server",
        "endpoint": "dimse",
        "sources": (SourceRecord(document="PS3.15", edition="2026c", section="B.12", paragraph="para_3154cbf7"),),
    }
    return VerdictRecord.model_validate(values | fields)


def _from_catalogue(item: dict[str, Any], profile: str, position: int) -> VerdictRecord:
    name = item["id"]
    fields: dict[str, Any] = {
        "title": item["title"],
        "text": item["text"],
        "judged": item["judged"],
        "derived": item["judged"] == "derived",
        "profile": profile,
        "sources": tuple(SourceRecord(**source) for source in item["sources"]),
        "remedy": item.get("remedy", ""),
        "evidence": (f"dimse-{1 + position % 120:04}",),
    }
    kind = VerdictKind.PASS
    if name in FAILING:
        kind = VerdictKind.FAIL
        fields |= {"reason": FAILING[name], "expected": ("an alert", "a close", "a reset"), "observed": FAILING[name]}
    elif name in WARNED:
        kind = VerdictKind.WARNING
        fields |= {
            "reason": "It was accepted.",
            "expected": ("a refusal",),
            "observed": {"version": "TLS 1.2", "suites": ["TLS_RSA_WITH_AES_128_CBC_SHA"]},
        }
    elif name in OPEN:
        kind = VerdictKind.INCONCLUSIVE
        fields |= {
            "reason": OPEN[name],
            "remedy": "Install an ECDSA certificate, or name an alternate endpoint.",
            "evidence": (),
        }
    elif item["judged"] == "derived":
        failing = name in {"B.12-bcp-195", "B.13-bcp-195", "B.13-permitted-algorithms"}
        kind = VerdictKind.FAIL if failing else VerdictKind.PASS
        fields |= {
            "reason": "A member fails." if failing else "Every member passes.",
            "evidence": (),
            "members": tuple(FAILING),
        }
    elif position % 9 == 4 and item.get("condition"):
        kind = VerdictKind.NOT_APPLICABLE
        fields |= {"reason": f"Not the case: {item['condition']}."}
    else:
        fields |= {"reason": "As permitted.", "expected": ("TLS 1.3", "TLS 1.2"), "observed": "TLS 1.3"}
    return verdict(name, kind, item["level"], **fields)


def limits() -> Limits:
    return Limits(
        connections_at_once=4,
        connections_per_second=200.0,
        connect_seconds=5.0,
        exchange_seconds=10.0,
        received_octets=262144,
        evidence_octets=65536,
    )


def sut(**fields: Any) -> SutRecord:
    values: dict[str, Any] = {
        "id": "ct-1",
        "vendor": "Example Imaging",
        "product": "ArchiveStation",
        "version": "7.2.1",
        "serial": "AS-00421-X",
        "site": "University Hospital, Radiology 2",
        "tester": "Dr. M. Weber",
        "claims": tuple(
            ClaimRecord(profile=p, edition="2026c", role="tls-server", endpoint="dimse") for p in ("B.12", "B.13")
        ),
        "endpoints": (
            EndpointRecord(name="dimse", protocol="dicom-tls", host="10.20.30.40", port=2762, called_aet="ARCHIVE"),
        ),
        "declarations": {"B.12-statement-ports": "2762 by default, configurable"},
        "waivers": (
            WaiverRecord(requirement="B.12-no-null-cipher", reason="Replacement is ordered", until=date(2027, 1, 31)),
            WaiverRecord(
                requirement="RFC9325-4.1-no-null", reason="Old gateway", until=date(2026, 9, 30), expired=True
            ),
        ),
    }
    return SutRecord(**(values | fields))


def header(**fields: Any) -> Header:
    values: dict[str, Any] = {
        "tool": ToolRecord(version="0.1.0", python="3.12.3", platform="Linux", libraries={"cryptography": "46.0.1"}),
        "started": AT,
        "command": "run",
        "sut": sut(),
        "limits": limits(),
    }
    return Header(**(values | fields))


def roll_up(verdicts: list[VerdictRecord]) -> tuple[ClaimVerdict, ...]:
    claims = []
    for profile in dict.fromkeys(item.profile for item in verdicts):
        counts: dict[bool, dict[str, int]] = {False: {}, True: {}}
        of_claim = [item for item in verdicts if item.profile == profile]
        for item in of_claim:
            counts[item.imported][item.verdict.value] = counts[item.imported].get(item.verdict.value, 0) + 1
        kinds = [item.verdict for item in of_claim]
        kind = next((k for k in VerdictKind if k in kinds and k is not VerdictKind.WARNING), VerdictKind.PASS)
        claims.append(
            ClaimVerdict(
                profile=profile,
                edition="2026c",
                role="tls-server",
                endpoint="dimse",
                verdict=kind,
                own=counts[False],
                imported=counts[True],
            )
        )
    return tuple(claims)


def realistic(pki: Pki, case: str = "server", **fields: Any) -> RunRecord:
    """Both TLS profiles over the whole catalogue, some findings of every kind, 160 exchanges, a client's trials."""
    verdicts, unexamined = [], []
    position = 0
    given = header()
    for defaults, item in catalogue():
        for profile in profiles_of(defaults, item):
            position += 1
            if item["judged"] in {"automatically", "derived"}:
                verdicts.append(_from_catalogue(item, profile, position))
                continue
            reason = item.get("reason", "The SUT file does not answer it.")
            unexamined.append(
                NotExamined(
                    requirement=item["id"],
                    title=item["title"],
                    text=item["text"],
                    level=item["level"],
                    profile=profile,
                    judged=item["judged"],
                    reason=reason,
                )
            )
    error = verdict(
        "B.12-integrity-failure-drops-connection",
        VerdictKind.ERROR,
        reason="KeyError in the harness",
        title="Broken records end the connection",
    )
    verdicts = [error if item.requirement == error.requirement else item for item in verdicts]
    waivers = {waiver.requirement: waiver for waiver in given.sut.waivers}
    verdicts = [item.model_copy(update={"waiver": waivers.get(item.requirement)}) for item in verdicts]
    summary = {kind: sum(item.verdict == kind for item in verdicts) for kind in VerdictKind}
    values: dict[str, Any] = {
        "header": given,
        "observations": observations(pki, case),
        "exchanges": {made.id: made for made in map(exchange, range(1, 161))},
        "notes": (NoteEvent(at=AT, text="The second opinion was not asked: --no-second-opinion."),),
        "stored_objects": (
            StoredObjectEvent(endpoint="dimse", sop_instance_uid="2.25.1", description="test image of PS315^TEST"),
        ),
        "judging": JudgingEvent(at=AT + timedelta(seconds=4), tool_version="0.1.0", observed_at=AT),
        "verdicts": tuple(verdicts),
        "claims": roll_up(verdicts),
        "separations": (separation(),),
        "advice": (
            AdviceRecord(
                id="dhe",
                endpoint="dimse",
                text="TLS_DHE is allowed by B.13, though RFC 9325 advises against it.",
                remedy="Prefer ECDHE.",
                source="RFC 9325, Section 4.1",
                evidence=("dimse-0003",),
            ),
        ),
        "not_examined": tuple(unexamined),
        "footer": Footer(finished=AT + timedelta(seconds=5), connections=142, summary=summary, exit_status=1),
    }
    return RunRecord(**(values | fields))
