"""A driver that is a shell command: in a process group of its own, bounded in time and in what is kept of output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from harness.drivers.base import Driving, Expectation, Stimulus
from harness.observations.clients import DriverOutcome
from harness.sut_clients import fill

OUTPUT_OCTETS = 65_536
"""So much of what a command prints is kept; the rest is read and dropped, so that the command is not held up."""
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # exit status of a POSIX shell
_GRACE = 1.0  # seconds between asking a command to end and ending it


def command_line(command: str, stimulus: Stimulus) -> str:
    """`command` for `stimulus`: every placeholder replaced by its value, quoted for the shell."""
    values = {
        "host": stimulus.host,
        "port": str(stimulus.port),
        "trust_anchors": str(stimulus.trust_anchors or ""),
        "called_aet": stimulus.called_aet,
        "calling_aet": stimulus.calling_aet,
        "trial": stimulus.trial,
        "event": stimulus.event,
        "object": stimulus.object,
        "input": str(stimulus.input or ""),
        "output": str(stimulus.output or ""),
        "instances": str(stimulus.instances or ""),
        "crl": str(stimulus.crl or ""),
    }
    return fill(command, {name: shlex.quote(value) for name, value in values.items()})


class CommandDriver:
    """Runs `command` by the shell in `folder`, once per trial or object."""

    busy = True

    def __init__(self, command: str, folder: Path) -> None:
        self._command, self._folder = command, folder

    def start(self, stimulus: Stimulus) -> Driving:
        """Start the command."""
        return _Running(command_line(self._command, stimulus), self._folder)


class _Running:
    """A command at work."""

    def __init__(self, line: str, folder: Path) -> None:
        self.over = threading.Event()
        self._line = line
        self._began = time.monotonic()
        self._seconds = 0.0
        self._kept = bytearray()
        self._dropped = 0
        self._problem = ""
        self._status: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            # A session of its own: what the command starts can be ended with it, and Ctrl-C reaches only us.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", line],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as problem:
            self._problem = f"The command cannot be started: {getattr(problem, 'strerror', None) or problem}."
            self.over.set()
            return
        self._reader = threading.Thread(target=self._drain, name="driver output", daemon=True)
        self._reader.start()
        threading.Thread(target=self._watch, name="driver end", daemon=True).start()

    @property
    def then(self) -> Expectation:
        """What may still come once it is over."""
        return "nothing" if self._problem or self._status in {_NOT_EXECUTABLE, _NOT_FOUND} else "begun"

    def _watch(self) -> None:
        """Wait for the end of the shell without reaping it: its process group keeps its number until `stop`."""
        assert self._process is not None  # noqa: S101 - it was started
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        if ended is not None:
            self._status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        self._seconds = time.monotonic() - self._began
        self.over.set()

    def _drain(self) -> None:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101
        with suppress(OSError, ValueError):
            while octets := os.read(self._process.stdout.fileno(), 65_536):
                room = OUTPUT_OCTETS - len(self._kept)
                self._kept += octets[:room]
                self._dropped += len(octets) - min(room, len(octets))

    def stop(self) -> DriverOutcome:
        """End the command, and whatever it left running, and say how it went."""
        timed_out = not self.over.is_set()
        if self._process is not None:
            if timed_out:
                self._signal(signal.SIGTERM)
                self.over.wait(_GRACE)
            self._signal(signal.SIGKILL)
            self.over.wait(_GRACE)
            self._process.wait()
            self._reader.join(_GRACE)  # a process that left the group may hold the pipe: it is not waited for
        seconds = self._seconds or time.monotonic() - self._began
        return DriverOutcome(
            kind="command",
            action=self._line,
            seconds=seconds,
            exit_status=self._status,
            timed_out=timed_out,
            output=self._output(),
            problem=self._problem or _problem(self._status, seconds, timed_out=timed_out),
        )

    def _signal(self, number: signal.Signals) -> None:
        """Signal the command's process group, if there is still one."""
        assert self._process is not None  # noqa: S101 - it was started
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _output(self) -> str:
        text = bytes(self._kept).decode("utf-8", "replace")
        return f"{text}\n[{self._dropped} octets more]" if self._dropped else text


def _problem(status: int | None, seconds: float, *, timed_out: bool) -> str:
    if timed_out:
        return f"The command had not ended after {seconds:.0f} s and was stopped."
    if status == _NOT_FOUND:
        return "The shell found no such program; install it, or mend the command in the SUT file."
    if status == _NOT_EXECUTABLE:
        return "The shell may not run this program; make it executable, or mend the command in the SUT file."
    return ""
