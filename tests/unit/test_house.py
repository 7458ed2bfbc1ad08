"""The house rules that tools can check: style, types, import directions, sizes, and what the wheel carries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("fixtures", "harness", "reference_impl", "reports", "suites")
MODULE_LINES = 420


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join
)
def test_style_and_types(command: tuple[str, ...]) -> None:
    result = run(sys.executable, "-m", *command)
    assert result.returncode == 0, result.stdout + result.stderr


def test_imports_run_one_way() -> None:
    result = run(str(Path(sys.executable).with_name("lint-imports")))
    assert result.returncode == 0, result.stdout + result.stderr


def test_modules_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for package in (*PACKAGES, "tests")
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MODULE_LINES
    }
    assert not long


def test_wheel_carries_data_and_schemas(tmp_path: Path) -> None:
    result = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), ".")
    assert result.returncode == 0, result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    listing = run(sys.executable, "-m", "zipfile", "--list", str(wheel)).stdout
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            caches = any(part.startswith((".", "__")) for part in path.relative_to(ROOT).parts[:-1])
            if path.is_file() and path.suffix != ".py" and not caches:
                assert str(path.relative_to(ROOT)) in listing, path
    assert "tests/" not in listing


def test_project_names_no_machine_path_and_no_registry_host() -> None:
    tracked = run("git", "ls-files", "-z").stdout.split("\0")
    if tracked == [""]:
        pytest.skip("not a git checkout")
    forbidden = ("/" + "work/", "/" + "opt/" + "venv", "index" + "-url")
    offenders = [
        name
        for name in tracked
        if name and (ROOT / name).suffix not in {".png"} and (ROOT / name).is_file()
        if any(word in (ROOT / name).read_text(encoding="utf-8", errors="replace") for word in forbidden)
    ]
    assert not offenders
