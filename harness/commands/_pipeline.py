"""The main job: observe, record, judge, render, for one SUT or many side by side."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands._apart import Apart, Tell, begin
from harness.commands._directory import check_directory, clear_directory, make_directory
from harness.commands._judging import judge_record, write_report
from harness.commands._observing import (
    Listening,
    ask_operator,
    interactive,
    needs_operator,
    observe,
    page_of,
    terminal_of,
)
from harness.commands._outcome import Outcome, conclude
from harness.commands._settings import Settings, check_output_options
from harness.commands._warm import prepare, warm
from harness.errors import HarnessError, UsageProblem
from harness.evidence import Redactor
from harness.keylog import KeyLog
from harness.observe import SECOND_OPINION, SECOND_OPINION_STEP, Conduct, SutRun, resolve
from harness.operator_board import Board
from harness.plan import Plan, plan_for
from harness.probes.base import Probe
from harness.progress import Progress, progress_for
from harness.record import RunRecord, SutRecord
from harness.record.journal import FILE_NAME, Journal, drop_torn_line, read_record
from harness.record.models import (
    Header,
    Limits,
    ResumedEvent,
    ToolRecord,
)
from harness.sut import Sut
from harness.version import libraries, version

if TYPE_CHECKING:
    from harness.catalogue import Catalogue


@dataclass(frozen=True)
class _Job:
    """One SUT with its folder and its running record."""

    run: SutRun
    directory: Path
    redactor: Redactor


def perform(suts: Sequence[Sut], settings: Settings, catalogue: Catalogue | None = None) -> int:
    """Do the main job for `suts` and return the exit status. Raises `UsageProblem`, `HarnessError`."""
    check_output_options(settings.sign, settings.sign_certificate, settings.suites)
    several = len(suts) > 1
    if not several:
        _check_resolvable(suts[0])
    directories = {sut.id: settings.out / sut.id if several else settings.out for sut in suts}
    check_directory(settings.out, resume=settings.resume, force=settings.force)
    if settings.force:
        for directory in {settings.out, *directories.values()}:
            clear_directory(directory)
    conduct = settings.conduct()
    probes = _probes(settings)
    keylog = KeyLog(settings.keylog) if settings.keylog else None
    at_terminal = interactive(settings) and (settings.operator_page is not None or needs_operator(suts))
    progress = progress_for(quiet=settings.quiet or at_terminal)
    secrets = [secret for sut in suts for secret in sut.credentials.secrets]
    with ExitStack() as stack, _told(directories[suts[0].id], secrets):
        listening = Listening(suts, stack)
        jobs = [
            _open(
                sut,
                plan_for(sut, probes, catalogue, trials=listening.trials),
                directory=directories[sut.id],
                settings=settings,
                conduct=conduct,
                probes=probes,
                keylog=keylog,
            )
            for sut in suts
        ]
        apart = None
        board, runs = Board(), [job.run for job in jobs]
        try:
            # A page has threads, and a process with threads is not forked: without one, judging is got ready first.
            stack.enter_context(page_of(board, settings))
            paged = at_terminal and settings.operator_page is not None
            stack.enter_context(terminal_of(board, suts, wanted=paged))
            ask_operator(runs, settings, board)
            apart = _judging_apart(jobs, settings)
            with terminal_of(board, suts, wanted=at_terminal and not paged):
                observe(runs, settings, conduct, probes=probes, progress=progress, domain=listening.domain, board=board)
            outcomes = [_judge(job, settings, progress, apart) for job in jobs]
        except KeyboardInterrupt:
            raise UsageProblem(
                f"interrupted; what was observed is kept in {settings.out}: go on with the same command and --resume"
            ) from None
        finally:
            if apart is not None:
                apart.stop()
            progress.close()
            for job in jobs:
                job.run.journal.close()
    return conclude(outcomes, settings.out, several=several, quiet=settings.quiet, as_json=settings.json)


def _probes(settings: Settings) -> tuple[Probe, ...]:
    from harness.probes.transport import PROBES

    return (*PROBES, SECOND_OPINION_STEP) if settings.asks_second_opinion else PROBES


def _check_resolvable(sut: Sut) -> None:
    """Raise `UsageProblem` for a host that has no address."""
    for name in sut.claimed_endpoints:
        endpoint = sut.file.endpoints[name]
        if endpoint.host and resolve(endpoint.host, endpoint.port or 0) is None:
            where = f"{sut.source}: endpoints.{name}.host" if sut.source else "TARGET"
            raise UsageProblem(f"{where}: {endpoint.host!r} cannot be resolved to an address; check the name")


@contextmanager
def _told(directory: Path, secrets: Sequence[bytes]) -> Iterator[None]:
    """Turn an exception that nobody expected into a `HarnessError` that names a file with the traceback."""
    try:
        yield
    except (UsageProblem, HarnessError):
        raise
    except Exception as problem:
        redactor = Redactor(secrets)
        summary = redactor.text(f"{type(problem).__name__}: {problem}")
        make_directory(directory)
        path = directory / "internal-error.txt"
        path.write_text(redactor.text(traceback.format_exc()), encoding="utf-8")
        raise HarnessError(f"{summary}; the traceback is in {path}") from None


def _open(
    sut: Sut,
    plan: Plan,
    *,
    directory: Path,
    settings: Settings,
    conduct: Conduct,
    probes: Sequence[Probe],
    keylog: KeyLog | None,
) -> _Job:
    """Begin the record of a SUT, or go on with the one of an interrupted run."""
    make_directory(directory)
    path = directory / FILE_NAME
    redactor = Redactor(sut.credentials.secrets)
    keep = keylog.take if keylog else SutRun.keep
    if path.exists():
        before = read_record(path, unfinished=True)
        _check_same(path, before, _as_recorded(sut, redactor), plan)
        drop_torn_line(path)
        journal = Journal(path, redactor.line)
        journal.append(ResumedEvent(at=datetime.now(UTC)))
        return _Job(SutRun(sut, plan, journal, before, keep), directory, redactor)
    if settings.resume and any(directory.iterdir()):
        raise UsageProblem(f"{directory}: holds no {FILE_NAME} to go on with; name the folder of an interrupted run")
    journal = Journal(path, redactor.line)
    journal.append(_header(sut, plan, settings, conduct, probes))
    return _Job(SutRun(sut, plan, journal, None, keep), directory, redactor)


def _as_recorded(sut: Sut, redactor: Redactor) -> SutRecord:
    """What a record says about `sut`: without secrets."""
    return SutRecord.model_validate_json(redactor.line(sut.record.model_dump_json()))


def _check_same(path: Path, before: RunRecord, sut: SutRecord, plan: Plan) -> None:
    recorded = before.header
    if recorded.sut != sut or recorded.plan != tuple(step.model_dump(mode="json") for step in plan.steps):
        raise UsageProblem(
            f"{path}: was recorded for another SUT description or with other options; give those, or --force"
        )


def _header(sut: Sut, plan: Plan, settings: Settings, conduct: Conduct, probes: Sequence[Probe]) -> Header:
    return Header(
        tool=tool(),
        started=datetime.now(UTC),
        command=settings.command,
        sut=sut.record,
        plan=tuple(step.model_dump(mode="json") for step in plan.steps),
        limits=Limits(
            connections_at_once=conduct.at_once,
            connections_per_second=conduct.per_second,
            connect_seconds=conduct.deadlines.connect,
            exchange_seconds=conduct.deadlines.exchange,
            received_octets=conduct.deadlines.received_octets,
            evidence_octets=conduct.evidence_octets,
        ),
        probe_versions={probe.kind: probe.version for probe in probes},
        suites=tuple(folder.resolve().name for folder in settings.suites),
        options={
            "second_opinion": settings.asks_second_opinion,
            "gentle": settings.gentle,
            "intrusive": settings.intrusive,
            "endpoint_seconds": conduct.seconds,
        },
    )


def tool() -> ToolRecord:
    """This program, as records name it."""
    return ToolRecord(
        version=version(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        libraries=libraries(),
    )


def _judging_apart(jobs: Sequence[_Job], settings: Settings) -> Apart[int, Outcome] | None:
    """A process that is getting ready to judge, where there can be one; otherwise this one gets ready in a thread."""
    if len(jobs) == 1:
        (job,) = jobs

        def work(connections: Callable[[], int], tell: Tell) -> Outcome:
            prepare()
            with _told(job.directory, job.run.sut.credentials.secrets):
                outcome = _judge_and_render(job, settings, connections, tell)
            # Whatever is told at the end stands in the verdicts; the evidence stays in the file.
            return replace(outcome, record=outcome.record.model_copy(update={"exchanges": {}, "observations": ()}))

        if apart := begin(work):
            return apart
    warm()
    return None


def _judge(job: _Job, settings: Settings, progress: Progress, apart: Apart[int, Outcome] | None) -> Outcome:
    """Judge what was observed and write the report: in the process `apart`, or in this one."""
    job.run.journal.flush()
    connections = job.run.connections + (_connections_before(job.run.before) if job.run.before else 0)
    if apart is not None:
        return apart.result(connections, progress.phase)
    return _judge_and_render(job, settings, lambda: connections, progress.phase)


def _connections_before(before: RunRecord) -> int:
    """How many connections an interrupted run had made: files that are handed over are none."""
    files = {endpoint.name for endpoint in before.header.sut.endpoints if endpoint.protocol == "files"}
    return sum(exchange.endpoint not in files for exchange in before.exchanges.values())


def _judge_and_render(job: _Job, settings: Settings, connections: Callable[[], int], tell: Tell) -> Outcome:
    """Judge and write the report; whatever can be done before is done before `connections` is asked for."""
    journal = job.run.journal

    def observed() -> tuple[RunRecord, int]:
        made = connections()
        tell(f"judging {job.run.sut.id}")
        return read_record(journal.path, unfinished=True), made

    begun = read_record(journal.path, unfinished=True)
    record, nothing = judge_record(
        begun, journal, observed=observed, suites=settings.suites, allow_inconclusive=settings.allow_inconclusive
    )
    tell(f"writing the report of {job.run.sut.id}")
    write_report(record, job.directory, pcap=settings.pcap, sign=settings.sign, certificate=settings.sign_certificate)
    return Outcome(record, job.directory, nothing)


__all__ = ["SECOND_OPINION", "perform", "tool"]
