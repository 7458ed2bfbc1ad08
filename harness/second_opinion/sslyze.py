"""sslyze as a second opinion: started in a process of its own, its JSON read when the probes are done.

sslyze is licensed under the AGPL and is therefore never imported: ``python -m sslyze`` runs beside the probes, and
nothing but its output is shared. It is asked only for what it can witness independently (suites of every version,
elliptic curves, whether a client certificate is asked for), and never gets a client certificate: it sees suites
without one too, since a CertificateRequest comes after the ServerHello, and with one it always reports client
authentication as disabled. ``--slow_connection`` limits it to two connections at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import IO

from harness.observations import Observation
from harness.observations.transport import Reachability
from harness.probes.base import ProbeContext, TlsTarget
from harness.second_opinion.opinion import Opinion, UnreadableOpinionError, parse_sslyze

KIND = "tls.second-opinion"
TIME_LIMIT = 60.0
"""Seconds from its start after which sslyze is stopped."""
SIZE_LIMIT = 8 * 1024 * 1024
"""Octets of its output that are read; an ordinary scan writes about 200 000."""

_SCANS = ("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--elliptic_curves")
_OPTIONS = ("--mozilla_config=disable", "--slow_connection", "--json_out=-")
_PASSED_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "SYSTEMROOT",
    "TEMP",
    "TMPDIR",
)
_GRACE = 2.0


def command(target: TlsTarget) -> list[str]:
    """The command line that scans `target`."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    name = (f"--sni={target.server_name}",) if target.server_name else ()
    interpreter = (sys.executable, "-P", "-W", "ignore", "-m", "sslyze")
    return [*interpreter, *_SCANS, *_OPTIONS, *name, "--", f"{host}:{target.port}"]


def start(target: TlsTarget, *, time_limit: float = TIME_LIMIT) -> SecondOpinionProcess:
    """Start scanning `target` at once and return without waiting. Never raises: a failed start is collected as such."""
    return SecondOpinionProcess(command(target), time_limit=time_limit)


class SecondOpinionProcess:
    """A scan under way. Leave it through `collect` or `stop`; as a context manager it is stopped at the end."""

    def __init__(self, arguments: list[str], *, time_limit: float) -> None:
        self._deadline = time.monotonic() + time_limit
        self._time_limit = time_limit
        # Files, since pipes would have to be read while the probes run; closed in `stop`.
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None
        self._trouble = ""
        self.amended: tuple[Observation, ...] = ()
        """After `collect`: observations of the probes that a second look corrected, to be recorded once more."""
        environment = {name: os.environ[name] for name in _PASSED_ENVIRONMENT if name in os.environ}
        try:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._errors, env=environment
            )
        except OSError as error:
            self._trouble = f"sslyze could not be started: {error.strerror or error}"

    def __enter__(self) -> SecondOpinionProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def finished(self) -> bool:
        """Whether the process has ended (or never started)."""
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """End the process if it still runs and release its files. May be called more than once."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()
        self._errors.close()

    def opinion(self) -> Opinion:
        """Wait for the end of the scan, at most until its time limit, and read it.

        Raises `UnreadableOpinionError` when there is nothing to read; the message says why.
        """
        if self._process is None or self._output.closed:
            raise UnreadableOpinionError(self._trouble or "sslyze was stopped")
        try:
            status = self._process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise UnreadableOpinionError(f"sslyze did not finish within {self._time_limit:g} s") from None
        size = self._output.seek(0, os.SEEK_END)
        if size > SIZE_LIMIT:
            raise UnreadableOpinionError(f"sslyze wrote {size} octets, more than the {SIZE_LIMIT} that are read")
        if status != 0 or size == 0:
            raise UnreadableOpinionError(f"sslyze ended with status {status}: {self._last_error()}")
        self._output.seek(0)
        return parse_sslyze(self._output.read())

    def collect(self, context: ProbeContext) -> Observation:
        """Wait for the scan and compare it with what the probes of `context` have recorded.

        Where sslyze witnessed a suite or group that they did not, they look once more (`reconcile`). Never raises
        for what sslyze or the SUT does: without an opinion, `missing` says why. Ends the process.
        """
        from harness.second_opinion.compare import reconcile

        try:
            reachability = context.facts(Reachability)
            if reachability is not None and reachability.speaks != "tls":
                return context.observed(KIND, None, missing="The port does not speak TLS: no second opinion was asked.")
            opinion = self.opinion()
        except UnreadableOpinionError as error:
            return context.observed(KIND, None, missing=f"No second opinion: {error}.")
        finally:
            self.stop()
        settled = reconcile(context, opinion)
        self.amended = settled.amended
        return context.observed(
            KIND, opinion.facts(settled.conflicts, settled.notes), exchanges=tuple(sorted(settled.exchanges))
        )

    def _last_error(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 4096))
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "it wrote nothing"
