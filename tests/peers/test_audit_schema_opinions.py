"""jing and xmllint about the schema of audit messages: they agree with the validator on thousands of messages.

The known differences: xmllint refuses the leap second, which the standard has recipients process (A.5.2.5), and passes
over characters in base64 that are none of its alphabet.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fixtures.audit.generated import generated_octets
from fixtures.audit.mutants import mutants
from fixtures.audit.samples import SAMPLES
from reference_impl.audit.schema import GRAMMAR
from reference_impl.audit.validator import validate
from tests.missing import lacking

LEAP = b'EventDateTime="2016-12-31T23:59:60Z"'
TIME = re.compile(rb'EventDateTime="[^"]*"')
ATTRIBUTE = re.compile(rb' ([A-Za-z-]+)="([^"]*)"')
ELEMENT = re.compile(rb"<([A-Za-z]+)(?: [^<>]*)?/>|<(ParticipantObject(?:Name|Query)|Encrypted)>[^<]*</\2>")
WRONG = (b"", b"x", b"-1", b"27", b"yes", b"2026-13-01T00:00:00Z", b"2026-01-01", b"MTI", b"16", b" 1 ", b"1.5", b"T")
BATCH = 500  # file names on one command line


def broken(octets: bytes, chance: random.Random) -> bytes:
    """A message with one thing about its structure or its values changed; now and then it stays valid."""
    attributes, elements = list(ATTRIBUTE.finditer(octets)), list(ELEMENT.finditer(octets))
    one, element = chance.choice(attributes), chance.choice(elements)
    match chance.randrange(7):
        case 0:
            return octets[: one.start()] + octets[one.end() :]
        case 1:
            return octets[: one.start(2)] + chance.choice(WRONG) + octets[one.end(2) :]
        case 2:
            return octets[: one.start(1)] + b"Strange" + octets[one.end(1) :]
        case 3:
            return octets[: element.start()] + octets[element.end() :]
        case 4:
            return octets[: element.end()] + element[0] + octets[element.end() :]
        case 5:
            return octets[: element.start()] + b"<Strange/>" + octets[element.start() :]
        case _:
            other = chance.choice(elements)
            return octets[: element.start()] + other[0] + octets[element.end() :]


def material() -> dict[str, bytes]:
    """Messages by file name: samples, single deviations, generated ones, and what was made of them."""
    chance = random.Random(20260314)  # noqa: S311
    found = {f"sample-{name}": each.octets for name, each in SAMPLES.items()}
    found |= {f"mutant-{name}": each.octets for name, each in mutants().items()}
    for number, octets in enumerate(generated_octets(99, 1300, size="small")):
        found[f"generated-{number}"] = octets
        found[f"broken-{number}"] = broken(octets, chance)
    return {f"{name}.xml": octets for name, octets in found.items()}


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bool]]:
    """The folder of the messages, and by their names whether our validator has them follow the schema.

    What cannot be parsed, or has a document type, is no question of the schema; jing would end with it.
    """
    folder = tmp_path_factory.mktemp("messages")
    verdicts = {}
    for name, octets in material().items():
        follows = validate(octets).schema_valid
        if follows is not None:
            (folder / name).write_bytes(octets)
            verdicts[name] = follows
    return folder, verdicts


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        lacking(f"{name} is not installed")
    return found


def said(arguments: list[str], folder: Path, names: list[str]) -> str:
    """What a program says about many files, given in batches."""
    output = []
    for start in range(0, len(names), BATCH):
        result = subprocess.run(
            [*arguments, *names[start : start + BATCH]], cwd=folder, capture_output=True, check=False, timeout=120
        )
        output.append((result.stdout + result.stderr).decode(errors="replace"))
    return "\n".join(output)


def refused_by_jing(folder: Path, names: list[str]) -> set[str]:
    output = said([program("jing"), str(GRAMMAR)], folder, names)
    return {
        Path(match[1]).name for match in re.finditer(r"^(.+?\.xml)(?::\d+)*: (?:error|fatal)", output, re.MULTILINE)
    }


def refused_by_xmllint(folder: Path, names: list[str]) -> set[str]:
    output = said([program("xmllint"), "--noout", "--relaxng", str(GRAMMAR)], folder, names)
    accepted = set(re.findall(r"^(.+\.xml) validates$", output, re.MULTILINE))
    return set(names) - accepted


def test_enough_is_compared(messages: tuple[Path, dict[str, bool]]) -> None:
    verdicts = messages[1].values()
    assert len(verdicts) >= 2600
    assert sum(verdicts) > 1300
    assert len(verdicts) - sum(verdicts) > 700


def differences(refused: set[str], verdicts: dict[str, bool]) -> set[str]:
    return refused ^ {name for name, valid in verdicts.items() if not valid}


def test_jing_agrees_about_the_schema(messages: tuple[Path, dict[str, bool]]) -> None:
    folder, verdicts = messages
    assert differences(refused_by_jing(folder, list(verdicts)), verdicts) == set()


def test_xmllint_agrees_about_the_schema(messages: tuple[Path, dict[str, bool]]) -> None:
    folder, verdicts = messages
    leaping = {name for name in verdicts if re.search(rb":60(?:Z|\"|\.|\+|-)", (folder / name).read_bytes())}
    assert differences(refused_by_xmllint(folder, list(verdicts)), verdicts) <= leaping


def test_leap_seconds_are_the_known_difference(tmp_path: Path) -> None:
    for name, each in SAMPLES.items():
        (tmp_path / f"{name}.xml").write_bytes(TIME.sub(LEAP, each.octets))
        assert validate(TIME.sub(LEAP, each.octets)).findings == ()
    names = [path.name for path in sorted(tmp_path.glob("*.xml"))]
    assert refused_by_jing(tmp_path, names) == set()
    assert refused_by_xmllint(tmp_path, names) == set(names)


def test_plain_text_for_base64_is_the_other_known_difference(tmp_path: Path) -> None:
    value = re.compile(rb' value="[^"]*"')
    octets = SAMPLES["query-full"].octets
    for name, text in {"colon": b"key: value", "minus": b"ABCD-", "whole": b"QUJD", "broken": b"QU JD"}.items():
        spoilt = value.sub(b' value="%b"' % text, octets)
        (tmp_path / f"{name}.xml").write_bytes(spoilt)
        assert validate(spoilt).schema_valid == (name in {"whole", "broken"})
    names = [path.name for path in sorted(tmp_path.glob("*.xml"))]
    assert refused_by_jing(tmp_path, names) == {"colon.xml", "minus.xml"}
    assert refused_by_xmllint(tmp_path, names) == set()
