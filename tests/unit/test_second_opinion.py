"""What another scanner says is read with care, compared, and never outranks what was witnessed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.conduct import Budget
from harness.observations import Observation, Reaction, ReactionKind, facts_of
from harness.observations.transport import (
    TLS12,
    TLS13,
    AcceptedSuite,
    CipherSuites,
    GroupResult,
    Groups,
    GroupsOfVersion,
    Reachability,
    SecondOpinion,
    SuitesOfVersion,
)
from harness.probes.base import ProbeContext, TlsTarget
from harness.second_opinion import Disagreement, Opinion, cannot_know, compare, parse_sslyze, reconcile
from harness.second_opinion.opinion import UnreadableOpinionError
from harness.second_opinion.sslyze import SIZE_LIMIT, SecondOpinionProcess, command
from reference_impl.transport.registry import GROUPS, SUITES

TARGET = TlsTarget("dimse", "dicom-tls", "127.0.0.1", 1)
STATIC_RSA, FORWARD_SECRET, P256, X25519 = 0x002F, 0xC02F, 23, 29


def _suite(name: str) -> dict[str, Any]:
    return {"cipher_suite": {"name": name, "is_anonymous": False, "key_size": 128, "openssl_name": "-"}}


def _attempt(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "COMPLETED", "error_reason": None, "error_trace": None, "result": dict(result)}


def _suites(accepted: tuple[str, ...], rejected: tuple[str, ...]) -> dict[str, Any]:
    return _attempt(
        {
            "is_tls_version_supported": bool(accepted),
            "accepted_cipher_suites": [_suite(name) for name in accepted],
            "rejected_cipher_suites": [_suite(name) for name in rejected],
        }
    )


def document(**scan: Any) -> dict[str, Any]:
    curves = {"supported_curves": [{"name": "X25519", "openssl_nid": 1034}], "rejected_curves": [{"name": "secp256r1"}]}
    return {
        "sslyze_version": "6.3.1",
        "server_scan_results": [
            {
                "connectivity_status": "COMPLETED",
                "connectivity_result": {
                    "highest_tls_version_supported": "TLS_1_3",
                    "client_auth_requirement": "REQUIRED",
                },
                "scan_result": {
                    "tls_1_2_cipher_suites": _suites(
                        ("TLS_RSA_WITH_AES_128_CBC_SHA",), ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",)
                    ),
                    "ssl_2_0_cipher_suites": _suites((), ("SSL_CK_RC4_128_WITH_MD5",)),
                    "elliptic_curves": _attempt(curves),
                }
                | scan,
            }
        ],
    }


def read(content: Mapping[str, Any]) -> Opinion:
    return parse_sslyze(json.dumps(content).encode())


def context(*observations: Observation) -> ProbeContext:
    made = ProbeContext(target=TARGET, budget=Budget())
    for observation in observations:
        made.learn(observation)
    return made


def suites_of(*codes: int, version: int = TLS12) -> CipherSuites:
    accepted = tuple(AcceptedSuite(code=code, exchange="dimse-0001") for code in codes)
    return CipherSuites(versions={version: SuitesOfVersion(accepted=accepted, offered=300, complete=True)})


def groups_of(*codes: int, version: int = TLS13) -> Groups:
    found = tuple(GroupResult(code=code, named=True, accepted=True, exchange="dimse-0002") for code in codes)
    return Groups(versions={version: GroupsOfVersion(groups=found, complete=True)})


class TestReading:
    def test_names_become_code_points(self) -> None:
        opinion = read(document())
        assert opinion.tool == "sslyze 6.3.1"
        assert opinion.accepted == {0x0002: (), TLS12: (STATIC_RSA,)}
        assert opinion.refused[TLS12] == (FORWARD_SECRET,)
        assert opinion.refused[0x0002] == (0x010080,)
        assert (opinion.groups, opinion.refused_groups, opinion.group_version) == ((X25519,), (P256,), TLS13)
        assert opinion.client_authentication == "required"
        assert opinion.connections == 4 + 3 + 2

    def test_a_version_that_was_not_examined_has_no_key(self) -> None:
        opinion = read(document(tls_1_3_cipher_suites={"status": "NOT_SCHEDULED", "result": None}))
        assert TLS13 not in opinion.accepted

    def test_a_failed_scan_command_is_a_note(self) -> None:
        failed = {"status": "ERROR", "result": None, "error_trace": "Traceback\n  ...\nOSError: broken\n"}
        opinion = read(document(tls_1_3_cipher_suites=failed))
        assert TLS13 not in opinion.accepted
        assert opinion.notes == ("tls_1_3_cipher_suites did not complete: OSError: broken",)

    def test_an_unknown_name_is_a_note(self) -> None:
        opinion = read(document(tls_1_2_cipher_suites=_suites(("TLS_MADE_UP",), ())))
        assert opinion.accepted[TLS12] == ()
        assert opinion.notes == ("TLS_MADE_UP has no code point that we know",)

    def test_a_server_that_cannot_be_scanned_is_said(self) -> None:
        content = document()
        content["server_scan_results"][0] |= {"connectivity_status": "ERROR", "connectivity_error_trace": "a\nrefused"}
        with pytest.raises(UnreadableOpinionError, match="could not connect: refused"):
            read(content)

    @pytest.mark.parametrize(
        "output", [b"", b"[]", b"{", b"{}", b'{"server_scan_results": []}', b"\xff", b"[" * 200000]
    )
    def test_what_is_no_scan_is_unreadable(self, output: bytes) -> None:
        with pytest.raises(UnreadableOpinionError):
            parse_sslyze(output)

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )

    @given(json_values, st.sampled_from(["connectivity_result", "scan_result", "connectivity_status"]))
    def test_anything_in_a_place_is_read_or_unreadable(self, value: Any, place: str) -> None:
        content = document()
        content["server_scan_results"][0][place] = value
        try:
            assert read(content).tool
        except UnreadableOpinionError as problem:
            assert str(problem)

    @given(json_values, st.sampled_from(["tls_1_2_cipher_suites", "elliptic_curves"]))
    def test_any_result_of_a_command_is_read_or_unreadable(self, value: Any, name: str) -> None:
        for attempt in (value, {"status": "COMPLETED", "result": value}):
            try:
                assert read(document(**{name: attempt})).tool
            except UnreadableOpinionError as problem:
                assert str(problem)


class TestComparing:
    opinion = Opinion(
        tool="sslyze 6.3.1",
        accepted={TLS12: (STATIC_RSA,)},
        refused={TLS12: (FORWARD_SECRET,)},
        groups=(X25519,),
        refused_groups=(P256,),
        group_version=TLS13,
    )

    def test_agreement_has_no_disagreement(self) -> None:
        assert compare(suites_of(STATIC_RSA), groups_of(X25519), self.opinion) == ()

    def test_both_directions_are_found(self) -> None:
        assert set(compare(suites_of(FORWARD_SECRET), groups_of(P256), self.opinion)) == {
            Disagreement("suite", TLS12, STATIC_RSA, "theirs"),
            Disagreement("suite", TLS12, FORWARD_SECRET, "ours"),
            Disagreement("group", TLS13, X25519, "theirs"),
            Disagreement("group", TLS13, P256, "ours"),
        }

    def test_what_was_not_asked_is_no_disagreement(self) -> None:
        camellia_gcm = 0xC08A
        assert compare(suites_of(STATIC_RSA, camellia_gcm), None, self.opinion) == ()

    def test_facts_that_were_not_obtained_disagree_with_nothing(self) -> None:
        assert compare(None, None, self.opinion) == ()


class TestSettling:
    opinion = Opinion(tool="sslyze 6.3.1", accepted={TLS12: (STATIC_RSA,)}, refused={TLS12: (FORWARD_SECRET,)})

    @staticmethod
    def looks(reaction: Reaction) -> Any:
        return {"suite": lambda *_: reaction, "group": lambda *_: reaction}

    def observed(self, facts: CipherSuites | Groups, kind: str) -> ProbeContext:
        made = context()
        made.learn(made.observed(kind, facts))
        return made

    def test_a_second_look_amends_our_observation(self) -> None:
        known = self.observed(suites_of(FORWARD_SECRET), "tls.cipher-suites")
        accepted = Reaction(kind=ReactionKind.SERVER_HELLO, version=TLS12, suite=STATIC_RSA, exchange="dimse-0009")
        settled = reconcile(known, self.opinion, self.looks(accepted))
        assert settled.conflicts == ()
        assert settled.exchanges == {"dimse-0009"}
        (amended,) = settled.amended
        assert (amended.kind, amended.attempts) == ("tls.cipher-suites", 2)
        facts = facts_of(amended, CipherSuites)
        assert facts is not None
        assert [entry.code for entry in facts.versions[TLS12].accepted] == [FORWARD_SECRET, STATIC_RSA]
        assert known.facts(CipherSuites) == facts

    def test_what_cannot_be_reproduced_is_a_conflict(self) -> None:
        known = self.observed(suites_of(), "tls.cipher-suites")
        settled = reconcile(known, self.opinion, self.looks(Reaction(kind=ReactionKind.ALERT, alert=40)))
        assert settled.amended == ()
        assert settled.conflicts == (
            "TLS_RSA_WITH_AES_128_CBC_SHA in TLS 1.2: sslyze 6.3.1 saw it accepted, "
            "our probe was answered with alert 40 twice",
        )

    def test_what_we_witnessed_stands(self) -> None:
        known = self.observed(suites_of(STATIC_RSA, FORWARD_SECRET), "tls.cipher-suites")

        def never(*_: Any) -> Reaction:
            raise AssertionError("there is nothing to look at again")

        settled = reconcile(known, self.opinion, {"suite": never, "group": never})
        assert not settled.conflicts
        assert not settled.amended
        assert len(settled.notes) == 1

    def test_a_group_is_amended_too(self) -> None:
        known = self.observed(groups_of(P256), "tls.groups")
        theirs = Opinion(tool="sslyze", groups=(P256, X25519), group_version=TLS13)
        accepted = Reaction(kind=ReactionKind.SERVER_HELLO, exchange="dimse-0009")
        settled = reconcile(known, theirs, self.looks(accepted))
        (amended,) = settled.amended
        facts = facts_of(amended, Groups)
        assert facts is not None
        assert [entry.code for entry in facts.versions[TLS13].groups] == [P256, X25519]

    def test_second_looks_are_bounded(self) -> None:
        many = tuple(code for code, suite in SUITES.items() if not suite.signalling)[:100]
        known = self.observed(suites_of(), "tls.cipher-suites")
        asked: list[int] = []

        def look(_context: ProbeContext, _version: int, code: int) -> Reaction:
            asked.append(code)
            return Reaction(kind=ReactionKind.CLOSE)

        settled = reconcile(known, Opinion(tool="x", accepted={TLS12: many}), {"suite": look, "group": look})
        assert len(asked) < len(many)
        assert "more disagreements were not looked at again" in settled.conflicts[-1]


class TestProcess:
    @staticmethod
    def collected(program: str, *, time_limit: float = 20.0, known: ProbeContext | None = None) -> Observation:
        process = SecondOpinionProcess([sys.executable, "-c", program], time_limit=time_limit)
        observation = process.collect(known or context())
        assert process.finished
        return observation

    def test_output_becomes_facts(self) -> None:
        observation = self.collected(f"print({json.dumps(document())!r})")
        facts = facts_of(observation, SecondOpinion)
        assert facts is not None
        assert facts.versions[TLS12] == (STATIC_RSA,)
        assert facts.cannot_know

    @pytest.mark.parametrize(
        ("program", "said"),
        [
            ("raise SystemExit('it fell over')", "it fell over"),
            ("import os; os.abort()", "status -6"),
            ("print('no json')", "not JSON"),
            ("pass", "it wrote nothing"),
            (f"print(' ' * {SIZE_LIMIT + 1})", "octets"),
        ],
    )
    def test_a_crash_is_told_and_nothing_else(self, program: str, said: str) -> None:
        observation = self.collected(program)
        assert observation.facts is None
        assert said in observation.missing

    def test_it_is_given_no_more_than_its_time(self) -> None:
        observation = self.collected("import signal; signal.pause()", time_limit=0.3)
        assert observation.facts is None
        assert "did not finish within 0.3 s" in observation.missing

    def test_a_program_that_is_not_there(self) -> None:
        observation = SecondOpinionProcess(["/nonexistent/sslyze"], time_limit=1).collect(context())
        assert "could not be started" in observation.missing

    def test_without_tls_nobody_waits(self) -> None:
        known = context()
        plain = Reachability(address="127.0.0.1:1", tcp="connected", speaks="plain-dicom", diagnosis="plain")
        known.learn(known.observed("tls.reachability", plain))
        observation = self.collected("import signal; signal.pause()", time_limit=60, known=known)
        assert "does not speak TLS" in observation.missing

    def test_stopping_twice_is_harmless(self) -> None:
        process = SecondOpinionProcess([sys.executable, "-c", "import signal; signal.pause()"], time_limit=60)
        process.stop()
        process.stop()
        assert process.finished
        assert "was stopped" in process.collect(context()).missing

    def test_secrets_in_the_environment_stay_here(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        seen = tmp_path / "environment"
        monkeypatch.setenv("SUT_KEY_PASSWORD", "open sesame")
        self.collected(f"import os, pathlib; pathlib.Path({str(seen)!r}).write_text(repr(dict(os.environ)))")
        assert "open sesame" not in seen.read_text()

    def test_the_command_line(self) -> None:
        arguments = command(TlsTarget("e", "dicom-tls", "::1", 2762, server_name="pacs.example"))
        assert arguments[-1] == "[::1]:2762"
        assert arguments[-2] == "--"
        assert "--sni=pacs.example" in arguments
        assert not any(argument.startswith(("--cert", "--key")) for argument in arguments)


class TestTable:
    def test_every_row_says_why(self) -> None:
        assert all(row.topic and len(row.reason) > 20 for row in cannot_know())

    def test_every_selector_selects(self) -> None:
        for row in cannot_know():
            for where in row.where:
                chosen = [s for s in SUITES.values() if all(str(getattr(s, k)) == v for k, v in where.items())]
                assert chosen, (row.topic, where)
            assert set(row.groups) <= set(GROUPS)

    def test_no_suite_of_the_profiles_is_beyond_it_but_camellia_gcm(self) -> None:
        from reference_impl.transport.profiles import load_profile

        profile = load_profile("B.13")
        codes = {code for table in (profile.required, profile.optional) for suites in table.values() for code in suites}
        blind = {SUITES[code].cipher for code in codes if any(row.covers_suite(SUITES[code]) for row in cannot_know())}
        assert blind == {"CAMELLIA"}
