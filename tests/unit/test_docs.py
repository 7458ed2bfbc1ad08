"""What README and docs promise: their command lines can be given, links lead somewhere, examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import cli
from harness.commands.audit import VERBS
from harness.sut import load_sut

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(ps315 [^`\n]+)`")
_COMMAND = re.compile(r"(?:^|[ /])ps315 ([a-z].*)")
_OPTION = re.compile(r"(?<=\s)--[a-z][a-z-]*")


def commands(page: Path) -> set[str]:
    """The command lines of a page, without the program's name."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    found = {each for line in (*lines, *_INLINE.findall(text)) for each in line.partition(" # ")[0].split(" | ")}
    return {match[1] for each in found if (match := _COMMAND.search(each))}


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What commands say of themselves, as far as they were asked."""
    return {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_are_there(
    page: Path, helps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    missing = []
    for line in sorted(commands(page)):
        words = line.split()
        name = words[:2] if words[0] == "audit" else words[:1]
        if name == ["audit"] or (name[0] == "audit" and name[1] not in VERBS):
            missing.append(line)
            continue
        called = " ".join(name)
        if called not in helps:
            assert cli.run([*name, "--help"]) == 0, line
            helps[called] = capsys.readouterr().out
        missing += [f"{called} {option}" for option in _OPTION.findall(line) if f"{option} " not in helps[called]]
    assert not missing


def test_commands_are_found() -> None:
    assert len(commands(ROOT / "README.md")) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_example_messages_conform(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "validate", *map(str, (ROOT / "docs/examples").glob("*.xml"))]) == 0
    assert "should" not in capsys.readouterr().out


def test_the_audit_trail_of_readme_is_a_sut_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block with the endpoints, then the ways of reading one after the other."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (endpoints,) = (each for each in blocks if "[endpoints.trail]" in each)
    (readings,) = (each for each in blocks if "[readings.looked]" in each)
    (tmp_path / "captured").mkdir()
    monkeypatch.setenv("AUDIT_DB", "sqlite://")
    monkeypatch.setenv("AUDIT_PASSWORD", "x")
    _, *ways = re.split(r"^(?=\[readings\.)", readings, flags=re.MULTILINE)
    head = 'schema = 1\n[identity]\nid = "x"\n'
    for way in ways:
        name = way.partition(".")[2].partition("]")[0]
        text = re.sub(r"^\[readings\.kept\].*\n.*\n", "", endpoints, flags=re.MULTILINE).replace('"kept"', f'"{name}"')
        (tmp_path / "sut.toml").write_text(head + text + way, encoding="utf-8")
        sut = load_sut(tmp_path / "sut.toml")
        assert [each.profile for each in sut.file.claims] == ["A.6"]
