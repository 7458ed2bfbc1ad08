"""What ``ps315 verify`` does; apart from its options, so that it starts at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from harness.commands._json_output import writer
from harness.commands._plain import Plain

if TYPE_CHECKING:
    from datetime import datetime

    from harness.commands._verified import Summary
    from harness.progress import Progress
    from reference_impl.signatures.batch import Done
    from reference_impl.signatures.certificates import Trust
    from reference_impl.signatures.policy import Policy
    from reference_impl.signatures.results import FileResult


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


OPERANDS = "paths"
OPTIONS = {
    "--anchors": Plain("anchors", Path, many=True),
    "--crl": Plain("crl", Path, many=True),
    "--intermediates": Plain("intermediates", Path, many=True),
    "--tsa-anchors": Plain("tsa_anchors", Path, many=True),
    "--integrity-only": Plain("integrity_only"),
    "--at": Plain("at", str),
    "--require-signature": Plain("require_signature"),
    "--require-profile": Plain("require_profile", str),
    "--json": Plain("as_json"),
    "--json-lines": Plain("json_lines", str),
    "--jobs": Plain("jobs", _count),
    "--quiet": Plain("quiet"),
}
"""The options as `harness.commands.verify` declares them, for `harness.commands._plain`."""
_PROFILES = ("C.1", "C.2", "C.3", "C.4")
_FEW = 8
_LARGE = 32_000_000
_MOST_INDEXED = 1_000_000
_MOST_DEFERRED = 10_000
_TELLING = 0.1  # seconds between two words of progress
_JSON_BEGINS = '{"schema_version":1,"files":['
_SWITCHING = 0.0002  # seconds after which a thread gives way


def verify(
    paths: list[str],
    *,
    anchors: list[Path] | None = None,
    crl: list[Path] | None = None,
    intermediates: list[Path] | None = None,
    tsa_anchors: list[Path] | None = None,
    integrity_only: bool = False,
    at: str = "",
    require_signature: bool = False,
    require_profile: str = "",
    as_json: bool = False,
    json_lines: str = "",
    jobs: int = 0,
    quiet: bool = False,
) -> int:
    """Verify and print. Returns 0 if all are valid, 1 if some are not, 3 if some cannot be judged or none is signed."""
    from harness.commands._verified import Demands, Output, Summary
    from harness.errors import UsageProblem
    from harness.progress import progress_for
    from reference_impl.signatures.policy import Policy
    from reference_impl.signatures.sources import NothingThereError, files_of

    if as_json and json_lines:
        raise UsageProblem("--json and --json-lines exclude each other; choose one")
    if require_profile and require_profile not in _PROFILES:
        raise UsageProblem(f"--require-profile: {require_profile!r} is none of {', '.join(_PROFILES)}")
    time = _time(at) if at else None
    progress = progress_for(quiet=quiet)
    progress.phase("looking for files")
    try:
        found = list(files_of(paths))
    except NothingThereError as problem:
        raise UsageProblem(str(problem)) from None
    jobs = _processes(found, jobs)
    trust, tsa_trust = _trusted(anchors, tsa_anchors, _Beside(crl, intermediates), meanwhile=jobs == 1)
    policy = Policy(trust=trust, tsa_trust=tsa_trust, at=time, integrity_only=integrity_only)
    folders = tuple(str(path) for path in paths if Path(path).is_dir())
    summary = Summary(Demands(require_signature, require_profile, folders))
    with writer(as_json, json_lines, set(found), _JSON_BEGINS) as write:
        try:
            for done in _told(_verified(found, policy, jobs, lines=write is not None), summary, len(found), progress):
                if isinstance(trust, _Meanwhile):
                    trust.check()
                summary.add(done.result)
                if write is not None:
                    write(done.line)
            if isinstance(trust, _Meanwhile):
                trust.check()
        except KeyboardInterrupt:
            summary.interrupted = True
        finally:
            progress.close()
        if as_json:
            _finish_json(summary)
    if not quiet and not as_json:
        summary.tell(Output(sys.stderr if json_lines == "-" else sys.stdout))
    if summary.interrupted:
        raise UsageProblem(f"interrupted after {summary.files} of {len(found)} files; what is shown concerns these")
    return summary.status


# -- verifying ---------------------------------------------------------------------------------------------------------


def _verified(found: list[str], policy: Policy, jobs: int, *, lines: bool) -> Iterator[Done]:
    """Verify the files; documents come last, held against the evidence that is among the files."""
    from reference_impl.signatures.batch import verify_many

    places: dict[str, str] = {}
    documents: list[str] = []
    for done in verify_many(found, policy, jobs=jobs, lines=lines, brief=True):
        result = done.result
        if result.sop_instance and len(places) < _MOST_INDEXED:
            places.setdefault(result.sop_instance, result.path)
        if len(documents) < _MOST_DEFERRED and _has_evidence(result):
            documents.append(result.path)
        else:
            yield done
    if documents:
        known = replace(policy, references=lambda uid: Path(places[uid]) if uid in places else None)
        yield from verify_many(documents, known, lines=lines, brief=True)


def _has_evidence(result: FileResult) -> bool:
    return result.document is not None and any(each.signatures or each.macs for each in result.document.evidence)


def _processes(found: list[str], jobs: int) -> int:
    """How many processes the files are worth."""
    from reference_impl.signatures.batch import cores

    jobs = min(jobs or cores(), len(found))
    if len(found) <= _FEW and sum(_size_of(path) for path in found) < _LARGE:
        return 1
    return jobs


def _size_of(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def _told(results: Iterator[Done], summary: Summary, total: int, progress: Progress) -> Iterator[Done]:
    """Hand on the results and tell now and then how many there were."""
    told = 0.0
    for done in results:
        yield done
        if monotonic() >= told + _TELLING:
            told = monotonic()
            progress.phase(_progress(summary, total))


def _progress(summary: Summary, total: int) -> str:
    from reference_impl.signatures.results import Standing

    width = 20
    filled = width * summary.files // max(total, 1)
    invalid = summary.standings[Standing.INVALID]
    told = f"verified {summary.files:,} of {total:,} [{'#' * filled}{'-' * (width - filled)}]"
    return f"{told} {invalid:,} invalid" if invalid else told


# -- what the command line says ----------------------------------------------------------------------------------------


class _Meanwhile:
    """What takes long to load, in a thread of its own while the first MAC is formed; a call waits for the trust."""

    def __init__(self, load: Callable[[], Trust | None]) -> None:
        import threading

        self._load = load
        self._trust: Trust | None = None
        self._problem: Exception | None = None
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCHING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __call__(self) -> Trust | None:
        self._thread.join()
        return self._trust

    def check(self) -> None:
        """Wait, and raise what went wrong."""
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            self._trust = self._load()
            if self._trust is not None:
                from OpenSSL import crypto  # noqa: F401 - what judges paths

            from reference_impl.signatures.coverage import groups

            groups()
        except Exception as problem:  # it is raised in the main thread
            self._problem = problem
        finally:
            sys.setswitchinterval(self._before)


@dataclass(frozen=True)
class _Beside:
    """What helps to judge certificates and is trusted by nobody."""

    crls: list[Path] | None
    intermediates: list[Path] | None


def _trusted(
    anchors: list[Path] | None, tsa_anchors: list[Path] | None, beside: _Beside, *, meanwhile: bool
) -> tuple[Trust | Callable[[], Trust | None] | None, Trust | None]:
    """Whom the user trusts to sign and to stamp. Raises `UsageProblem`, `meanwhile` only later."""
    tsa_trust = _trust(tsa_anchors, beside, "--tsa-anchors") if tsa_anchors else None
    if meanwhile:
        return _Meanwhile(lambda: _trust(anchors, beside, "--anchors")), tsa_trust
    return _trust(anchors, beside, "--anchors"), tsa_trust


def _trust(anchors: list[Path] | None, beside: _Beside, flag: str) -> Trust | None:
    """Whom the user trusts; None where nobody is named. Raises `UsageProblem`."""
    from harness.errors import UsageProblem

    if not anchors:
        if flag == "--anchors":
            for given, option, what in (
                (beside.crls, "--crl", "revocation lists"),
                (beside.intermediates, "--intermediates", "authorities in between"),
            ):
                if given:
                    raise UsageProblem(f"{option}: {what} say nothing without --anchors; name the trusted certificates")
        return None
    from reference_impl.signatures.certificates import Trust, read_certificates, read_crls

    def certificates(paths: list[Path], of: str) -> tuple[bytes, ...]:
        return tuple(each for path in paths for each in _read(path, of, read_certificates, "certificate"))

    lists = tuple(each for path in beside.crls or () for each in _read(path, "--crl", read_crls, "revocation list"))
    between = certificates(beside.intermediates or [], "--intermediates")
    return Trust(anchors=certificates(anchors, flag), intermediates=between, crls=lists)


def _read(path: Path, flag: str, reader: Callable[[bytes], tuple[bytes, ...]], what: str) -> tuple[bytes, ...]:
    from harness.errors import UsageProblem

    try:
        return reader(path.read_bytes())
    except OSError as problem:
        raise UsageProblem(f"{flag}: {path} cannot be read: {problem.strerror}") from None
    except ValueError:
        raise UsageProblem(f"{flag}: {path} holds no {what} that can be read; name one in PEM or DER") from None


def _time(text: str) -> datetime:
    from datetime import datetime

    from harness.errors import UsageProblem

    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(f"--at: {text!r} is no time; write it as 2026-11-22T17:00:00+01:00") from None
    return given if given.tzinfo is not None else given.astimezone()


# -- output ------------------------------------------------------------------------------------------------------------


def _finish_json(summary: Summary) -> None:
    import json

    begin = "" if summary.files else _JSON_BEGINS
    sys.stdout.write(f'{begin}],\n"summary":{json.dumps(summary.as_object())}}}\n')
