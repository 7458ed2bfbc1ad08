"""``ps315 judge``: judge a recorded run again, offline."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import _options as option

if TYPE_CHECKING:
    from harness.commands._outcome import Outcome


def judge(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a recorded run.")],
    *,
    profile: option.OtherProfile = None,
    edition: option.OtherEdition = None,
    suite: option.Suites = None,
    allow_inconclusive: option.AllowInconclusive = False,
    pcap: option.Pcap = False,
    sign: option.Sign = None,
    sign_cert: option.SignCertificate = None,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
) -> int:
    """Judge what was recorded in DIR again and write the report anew. Returns the exit status."""
    from harness.commands._judging import write_report
    from harness.commands._outcome import conclude
    from harness.commands._settings import check_output_options

    suites = tuple(suite or ())
    check_output_options(sign, sign_cert, suites)
    folders = recorded_folders(directory)
    outcomes = [
        _again(folder, profile=profile, edition=edition, suites=suites, allow_inconclusive=allow_inconclusive)
        for folder in folders
    ]
    for outcome in outcomes:
        write_report(outcome.record, outcome.directory, pcap=pcap, sign=sign, certificate=sign_cert)
        if sign is None and (outcome.directory / "signature.p7s").exists():
            sys.stderr.write(
                f"ps315: {outcome.directory}: its signature is of the report before; sign again with --sign\n"
            )
    return conclude(outcomes, directory, several=folders != [directory], quiet=quiet, as_json=as_json)


def recorded_folders(directory: Path) -> list[Path]:
    """The folders of the records in `directory`: itself, or one a SUT. Raises `UsageProblem`."""
    from harness.errors import UsageProblem
    from harness.record.journal import FILE_NAME

    if not directory.is_dir():
        raise UsageProblem(f"{directory}: there is no such folder; name the folder of a recorded run")
    index = directory / "summary.json"
    if (directory / FILE_NAME).exists() or not index.exists():
        return [directory]
    try:
        names = [str(entry["directory"]) for entry in json.loads(index.read_bytes())["suts"]]
    except (ValueError, KeyError, TypeError):
        raise UsageProblem(f"{index}: is broken; judge the folders of the SUTs one by one") from None
    folders = [directory / name for name in names]
    if not folders or not all(folder.resolve().parent == directory.resolve() for folder in folders):
        raise UsageProblem(f"{index}: is broken; judge the folders of the SUTs one by one")
    return folders


def _again(
    folder: Path, *, profile: str | None, edition: str | None, suites: Sequence[Path], allow_inconclusive: bool
) -> Outcome:
    from harness.commands._judging import judge_record
    from harness.commands._outcome import Outcome
    from harness.errors import UsageProblem
    from harness.record.journal import FILE_NAME, Journal, read_record

    path = folder / FILE_NAME
    record = read_record(path)
    missing = set(record.header.suites) - {suite.resolve().name for suite in suites}
    if missing:
        names = ", ".join(sorted(missing))
        raise UsageProblem(f"{folder}: was judged with the suites {names} too; name them by --suite")
    connections = record.footer.connections if record.footer else len(record.exchanges)
    with Journal(path) as journal:
        judged, nothing = judge_record(
            record,
            journal,
            observed=lambda: (record, connections),
            suites=suites,
            allow_inconclusive=allow_inconclusive,
            profile=profile,
            edition=edition,
        )
    return Outcome(judged, folder, nothing)
