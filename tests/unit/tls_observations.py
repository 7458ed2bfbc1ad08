"""Observations of an imaginary TLS server that keeps B.12 and B.13, to be spoilt one fact at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fixtures.pki.zoo import CASES
from harness.observations import FACTS, Observation
from harness.probes.transport.client_certificates import IN_TLS12_TOO
from reference_impl.transport.profiles import load_profile

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TLS12, TLS13 = 0x0303, 0x0304


def hello(version: int, suite: int = 0xC02F) -> dict[str, Any]:
    return {"kind": "server_hello", "version": version, "suite": suite, "exchange": "dimse-0001"}


def alert(number: int) -> dict[str, Any]:
    return {"kind": "alert", "alert": number, "fatal": True, "exchange": "dimse-0002"}


def certificate(key_type: str, **changed: Any) -> dict[str, Any]:
    facts = {
        "sha256": key_type * 8,
        "pem": "",
        "subject": f"CN={key_type} server",
        "issuer": "CN=authority",
        "serial": "1",
        "version": 3,
        "not_before": NOW - timedelta(days=1),
        "not_after": NOW + timedelta(days=365),
        "key_type": key_type,
        "key_bits": 2048 if key_type == "rsa" else 256,
        "curve": "" if key_type == "rsa" else "secp256r1",
        "signature_algorithm": "rsa" if key_type == "rsa" else "ecdsa",
        "signature_algorithm_oid": "",
        "signature_hash": "sha256",
        "names": ("DNS:pacs.example",),
        "extended_key_usage": ("serverAuth",),
    }
    return facts | changed


def chain(key_type: str, **changed: Any) -> dict[str, Any]:
    bits = changed.pop("signer_bits", (2048 if key_type == "rsa" else 256,))
    return {
        "certificates": (certificate(key_type, **changed),),
        "presented_in": (TLS12, TLS13),
        "key_kind": key_type,
        "in_order": True,
        "signer_bits": bits,
        "signer_key_types": (key_type,),
        "name_matches": True,
        "exchange": "dimse-0003",
    }


def accepted(*codes: int, complete: bool = True) -> dict[str, Any]:
    return {
        "accepted": tuple({"code": code, "exchange": "dimse-0004"} for code in codes),
        "offered": 350,
        "complete": complete,
        "preference": "server",
    }


def groups(*codes: int, complete: bool = True) -> dict[str, Any]:
    used = tuple({"code": code, "named": True, "accepted": True, "exchange": "dimse-0005"} for code in codes)
    return {"groups": used, "complete": complete}


def schemes(*codes: int) -> tuple[dict[str, Any], ...]:
    return tuple({"code": code, "exchange": "dimse-0006"} for code in codes)


def trial(credential: str, version: int, admitted: bool) -> dict[str, Any]:
    reaction = hello(version) | {"kind": "completed"} if admitted else alert(48)
    return {"credential": credential, "version": version, "admitted": admitted, "reaction": reaction}


def shown(case: str, version: int, admitted: bool | None) -> dict[str, Any]:
    """A client certificate of the zoo, admitted (or not, or nobody knows) in `version`."""
    kind = {True: "completed", False: "alert", None: "completed"}[admitted]
    stage = {True: "application", False: "handshake", None: ""}[admitted]
    reaction = {"kind": kind, "version": version, "exchange": f"dimse-{case}-{version & 0xF}"}
    return {"case": case, "version": version, "admitted": admitted, "stage": stage, "reaction": reaction}


def zoo_shown(**otherwise: bool | None) -> dict[str, Any]:
    """Facts of a server that does with each case what it has to, but for those in `otherwise` (names with _ for -)."""
    changes = {name.replace("_", "-"): admitted for name, admitted in otherwise.items()}
    trials = [
        shown(case.name, version, changes.get(case.name, case.client != "refuse"))
        for case in CASES.values()
        if case.client is not None and case.name != "good"
        for version in ((TLS13, TLS12) if case.name in IN_TLS12_TOO else (TLS13,))
    ]
    controls = [shown("good", version, True) for version in (TLS13, TLS13, TLS12, TLS12)]
    return {"requested": True, "campaign": True, "controls": tuple(controls), "trials": tuple(trials)}


def conforming() -> dict[str, dict[str, Any]]:
    """The facts by kind of a server that warns of nothing and fails nothing under either profile."""
    table = load_profile("B.13").required
    suites = {TLS12: accepted(*table["TLS 1.2"]), TLS13: accepted(*table["TLS 1.3"])}
    old = {0x0002: {"kind": "close"}, 0x0300: alert(70), 0x0301: alert(70), 0x0302: alert(70)}
    return {
        "tls.reachability": {"address": "127.0.0.1:2762", "tcp": "connected", "speaks": "tls"},
        "tls.versions": {
            "reactions": old | {TLS12: hello(TLS12), TLS13: hello(TLS13, 0x1302)},
            "all_offered": hello(TLS13, 0x1302),
        },
        "tls.cipher-suites": {"versions": suites},
        "tls.preferences": {},
        "tls.groups": {
            "versions": {TLS12: groups(0x1D, 0x17, 0x18), TLS13: groups(0x1D, 0x17, 0x11EC)},
            "ecdhe_keys_differ": True,
        },
        "tls.signature-schemes": {
            "versions": {TLS12: schemes(0x0403, 0x0804, 0x0401, 0x0601), TLS13: schemes(0x0403, 0x0804)},
            "complete": {TLS12: True, TLS13: True},
        },
        "tls.certificates": {"chains": (chain("rsa"), chain("ec"))},
        "tls.extensions": {
            "extended_master_secret": True,
            "renegotiation_info": True,
            "renegotiation_info_for_scsv": True,
            "compression": 0,
            "truncated_hmac": False,
            "heartbeat": False,
            "unknown_server_name": alert(112),
            "known_server_name": hello(TLS13, 0x1302),
        },
        "tls.tolerance": {
            "record_versions": {version: hello(TLS12) for version in (0x0300, 0x0301, 0x0304, 0x03FF)},
            "client_versions": {version: hello(TLS12) for version in (0x0304, 0x03FF)},
            "unknown_extensions_tls12": hello(TLS12),
            "unknown_values_tls13": hello(TLS13, 0x1302),
            "baseline_tls12": hello(TLS12),
            "baseline_tls13": hello(TLS13, 0x1302),
            "random_tail_tls12": "444f574e47524401",
        },
        "tls.renegotiation": {"secure_accepted": False, "insecure_accepted": False},
        "tls.resumption": {
            "tickets": ({"version": TLS13, "lifetime": 7200, "length": 200},),
            "psk_dhe_ke": True,
            "psk_ke": False,
            "selected_without_key_share": False,
            "early_data_accepted": False,
        },
        "tls.client-authentication": {
            "requested": {TLS12: True, TLS13: True},
            "trials": tuple(
                trial(credential, version, credential == "given")
                for version in (TLS12, TLS13)
                for credential in ("none", "given", "unknown-authority")
            ),
            "credentials_given": True,
        },
        "tls.client-certificates": zoo_shown(),
        "tls.integrity": {
            "reactions": {TLS12: alert(20), TLS13: alert(20)},
            "dropped": {TLS12: True, TLS13: True},
        },
        "tls.record-protection": {"explicit_nonces": ("0000000000000001", "0000000000000002", "0000000000000003")},
        "tls.plaintext": {"reaction": alert(10), "dicom_answer": False},
        "tls.application": {"association": "accepted", "echo_status": 0, "http_answer": False},
    }


def changed(facts: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`facts` with `changes` merged in, dictionaries within dictionaries; lists and values are replaced."""
    merged = dict(facts)
    for key, value in changes.items():
        before = merged.get(key)
        merged[key] = changed(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return merged


def observations(facts: Mapping[str, Mapping[str, Any] | None], endpoint: str = "dimse") -> list[Observation]:
    """Observations with these facts; None stands for a kind that was not obtained."""
    return [
        Observation(
            kind=kind,
            endpoint=endpoint,
            observed_at=NOW,
            facts=None if of is None else FACTS[kind].model_validate(of).model_dump(mode="json"),
            missing="" if of is not None else f"{kind} was not obtained",
        )
        for kind, of in facts.items()
    ]
