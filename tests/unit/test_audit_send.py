"""``ps315 audit send``: what goes out is what was named, in order, and what has not gone is told and kept."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.pki import Pki
from harness.cli import run
from harness.commands import _audit_sending
from reference_impl.audit.syslog.messages import parse
from reference_impl.audit.syslog.receiver_thread import ReceiverThread
from reference_impl.audit.syslog.sender import Sender
from reference_impl.audit.syslog.tls import fingerprint
from tests.unit.audit_syslog_bench import LOOPBACK, SOON, frames, pki_in, server_tls

GIVEN = b"<86>1 2026-03-04T05:06:07Z host app 1 IHE+RFC-3881 - <AuditMessage/>"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki_in(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def receiver(pki: Pki) -> Iterator[ReceiverThread]:
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, udp=LOOPBACK) as running:
        yield running


def url(receiver: ReceiverThread, transport: str) -> str:
    return f"syslog-{transport}://127.0.0.1:{receiver.addresses[transport][1]}"


def believing(pki: Pki) -> list[str]:
    shown = ["--cert", str(pki.certificate_file("client")), "--key", str(pki.key_file("client"))]
    return [*shown, "--ca", str(pki.trust_anchors_file("ca")), "--server-name", "localhost"]


def send(*arguments: str | Path) -> int:
    return run(["audit", "send", *map(str, arguments)])


def test_messages_without_a_header_get_one_and_others_keep_theirs(
    pki: Pki, receiver: ReceiverThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.xml").write_bytes(b"<AuditMessage n='1'/>")
    (tmp_path / "b.log").write_bytes(frames(GIVEN, GIVEN))
    assert send(tmp_path, "--to", url(receiver, "tls"), *believing(pki), "--severity", "4", "--app-name", "ct") == 0
    assert "3 messages sent to syslog-tls://127.0.0.1" in capsys.readouterr().out
    first, *others = [each.octets for each in receiver.await_messages(3, SOON)]
    assert others == [GIVEN, GIVEN]
    message = parse(first).message
    assert message is not None
    assert (message.pri, message.app_name, message.msgid) == (84, "ct", "DICOM+RFC3881")
    assert (message.body, parse(first).findings) == (b"<AuditMessage n='1'/>", ())


def test_standard_input_over_udp(receiver: ReceiverThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(GIVEN + b"\n" + GIVEN + b"\n")))
    assert send("-", "--to", url(receiver, "udp"), "--quiet") == 0
    assert [each.octets for each in receiver.await_messages(2, SOON)] == [GIVEN, GIVEN]


def test_what_has_not_gone_waits_in_the_spool(
    pki: Pki, receiver: ReceiverThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").write_bytes(GIVEN)
    spool = ["--spool", str(tmp_path / "spool")]
    absent = "syslog-tls://127.0.0.1:1"
    assert send(tmp_path / "a.log", "--to", absent, *believing(pki), *spool, "--seconds", "0.2") == 1
    told = capsys.readouterr().err
    assert f"ps315: 1 of 1 message has not gone to {absent} and wait in {tmp_path / 'spool'}: " in told
    assert "cannot be reached" in told
    assert send("--to", url(receiver, "tls"), *believing(pki), *spool) == 0
    assert [each.octets for each in receiver.await_messages(1, SOON)] == [GIVEN]
    assert send(tmp_path / "a.log", "--to", absent, *believing(pki), "--seconds", "0.2") == 1
    assert "are not kept (--spool keeps them)" in capsys.readouterr().err


def test_the_receiver_may_be_known_by_its_fingerprint(pki: Pki, receiver: ReceiverThread, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(GIVEN)
    der = pki.issue("server_key_encipherment").chain_der[0]
    shown = ["--cert", str(pki.certificate_file("client")), "--key", str(pki.key_file("client"))]
    arguments = [str(tmp_path / "a.log"), "--to", url(receiver, "tls"), *shown, "--seconds", "1"]
    assert send(*arguments, "--fingerprint", fingerprint(der)) == 0
    assert send(*arguments, "--fingerprint", fingerprint(b"another")) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["x.log"], "Missing option '--to'"),
        (["x.log", "--to", "localhost:6514"], "write syslog-tls://HOST:6514"),
        (["x.log", "--to", "http://localhost"], "write syslog-tls://HOST:6514"),
        (["x.log", "--to", "syslog-tls://localhost:99999"], "write syslog-tls://HOST:6514"),
        (["x.log", "--to", "syslog-tls://user@localhost"], "write syslog-tls://HOST:6514"),
        (["x.log", "--to", "syslog-tls://localhost"], "name the receiver's authority by --ca"),
        (["x.log", "--to", "syslog-udp://localhost", "--ca", "x.log"], "are for syslog-tls; leave them out"),
        (["x.log", "--to", "syslog-tls://localhost", "--ca", "x.log", "--cert", "x.log"], "belong together"),
        (["x.log", "--to", "syslog-tls://localhost", "--ca", "nowhere"], "No such file"),
        (["x.log", "--to", "syslog-tls://localhost", "--ca", "x.log"], "name files in PEM"),
        (["--to", "syslog-udp://localhost"], "nothing to send"),
        (["nowhere", "--to", "syslog-udp://localhost"], "no such file or folder"),
        (["nothing", "--to", "syslog-udp://localhost"], "nothing: holds no audit message; leave it out"),
        (["packed", "--to", "syslog-udp://localhost"], "is compressed (gzip); unpack it first or leave it out"),
        (["empty", "--to", "syslog-udp://localhost"], "empty: holds no audit message; name files that do"),
        (["bare.xml", "--to", "syslog-udp://localhost", "--app-name", "a b"], "give another value"),
        (["x.log", "--to", "syslog-udp://localhost", "--spool", "x.log"], "name another --spool"),
    ],
)
def test_what_is_wrong_with_a_command_is_one_sentence(
    arguments: Sequence[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.log").write_bytes(GIVEN)
    Path("bare.xml").write_bytes(b"<AuditMessage/>")
    Path("empty").mkdir()
    Path("empty", "README").write_bytes(b"about this folder")
    Path("packed").write_bytes(b"\x1f\x8b\x08" + bytes(20))
    Path("nothing").write_bytes(b"nothing that is a message\n")
    assert send(*arguments) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
    assert Path("x.log").read_bytes() == GIVEN


def test_what_has_gone_before_something_wrong_is_told(
    receiver: ReceiverThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever sends the rest afterwards has to know."""
    monkeypatch.setattr(_audit_sending, "_GROUP", 1)
    (tmp_path / "a.log").write_bytes(GIVEN)
    (tmp_path / "b.gz").write_bytes(b"\x1f\x8b\x08" + bytes(20))
    assert send(tmp_path, "--to", url(receiver, "udp")) == 2
    assert f"leave it out; 1 message sent to {url(receiver, 'udp')}" in capsys.readouterr().err
    assert [each.octets for each in receiver.await_messages(1, SOON)] == [GIVEN]


@pytest.mark.parametrize("spool", [True, False])
def test_an_interruption_tells_what_has_not_gone(
    spool: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    (tmp_path / "a.log").write_bytes(GIVEN)
    monkeypatch.setattr(Sender, "flush", interrupted)
    kept = ["--spool", str(tmp_path / "spool")] if spool else []
    assert send(tmp_path / "a.log", "--to", "syslog-tls://127.0.0.1:1", "--fingerprint", fingerprint(b"a"), *kept) == 2
    told = capsys.readouterr().err
    assert "interrupted; 1 of 1 message has not gone" in told
    assert (f"wait in {tmp_path / 'spool'}" if spool else "are not kept") in told
