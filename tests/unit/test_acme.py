"""What is wrong with an order for an ACME server is one sentence; orders themselves are in tests/peers/test_acme.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.cli import run
from reference_impl.transport.acme import AcmeError, AcmeOrder, obtain_identity

NOWHERE = "https://127.0.0.1:1/dir"  # a port that nothing listens at


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--acme", NOWHERE], "add --acme-name"),
        (["--acme-name", "node.example"], "belong to --acme"),
        (["--acme", NOWHERE, "--acme-name", "node.example", "--acme-ca", "missing.pem"], "cannot be read"),
        (["--acme", NOWHERE, "--acme-name", "node.example"], "cannot be reached"),
        (["--acme", "no url", "--acme-name", "node.example"], "no url"),
        (["--acme", NOWHERE, "--acme-name", "node.example", "--acme-port", "0"], "--acme-port"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if says in ("cannot be reached", "no url"):
        pytest.importorskip("acme")
    assert run(["serve", "--port", "0", "--directory", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


def test_missing_packages_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "acme", None)
    with pytest.raises(AcmeError, match=r"ps315\[acme\]"):
        obtain_identity(AcmeOrder(NOWHERE, ("node.example",)))


def test_an_order_has_a_name() -> None:
    pytest.importorskip("acme")
    with pytest.raises(AcmeError, match="needs a name"):
        obtain_identity(AcmeOrder(NOWHERE, ()))
