"""The operator at the terminal: told what to do, with a countdown; Enter confirms, ``s`` skips, a line answers."""

from __future__ import annotations

import threading
from typing import TextIO

from harness.operator_board import DONE, SKIP, Board, Task

_SKIPPING = frozenset({"s", "skip"})


class OperatorTerminal:
    """Shows the oldest task of `board` on `shown`, and takes lines of `typed` for replies of `name`.

    Lines are read in a thread of the process's own life: a terminal cannot be asked to stop being read.
    """

    def __init__(self, board: Board, typed: TextIO, shown: TextIO, name: str) -> None:
        self._board, self._typed, self._shown, self._name = board, typed, shown, name
        self._changed = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._current: Task | None = None
        self._painter = threading.Thread(target=self._paint, name="operator terminal", daemon=True)

    def start(self) -> None:
        """Begin to show and to read."""
        self._board.join()
        self._board.on_change(self._changed.set)
        self._painter.start()
        threading.Thread(target=self._read, name="operator typing", daemon=True).start()

    def stop(self) -> None:
        """Show nothing more."""
        self._leave()
        self._painter.join(2.0)

    def _read(self) -> None:
        for line in self._typed:
            if self._over.is_set():
                return
            task = self._current
            if task is not None and not self.take(task, line.strip()):
                self._write("Press Enter when it is done, or type s and Enter to skip it.\n")
        self._leave()  # the terminal is closed: nobody sits there any longer

    def _leave(self) -> None:
        with self._lock:
            if not self._over.is_set():
                self._over.set()
                self._board.leave()
        self._changed.set()

    def take(self, task: Task, line: str) -> bool:
        """Take a line for a reply to `task`; False if it is none."""
        said = line
        if task.kind == "ask":
            said = SKIP if not line or line.lower() in _SKIPPING else line
        elif line.lower() in _SKIPPING:
            said = SKIP
        elif not line:
            said = DONE
        else:
            return False
        self._board.reply(task.id, said, self._name)
        return True

    def _paint(self) -> None:
        while not self._over.is_set():
            tasks = self._board.tasks()
            task = tasks[0] if tasks else None
            if task is not self._current:
                self._current = task
                if task is not None:
                    self._write("\n" + introduction(task))
            if task is not None and task.kind == "do":  # an answer that is being typed is not painted over
                self._write(f"\r\x1b[K{task.seconds_left():4.0f} s left > ")
            self._changed.wait(1.0)
            self._changed.clear()
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            self._shown.write(text)
            self._shown.flush()
        except (OSError, ValueError):
            self._over.set()


def introduction(task: Task) -> str:
    """What is shown of a task when it becomes the current one."""
    if task.kind == "ask":
        at = f", {task.number} of {task.of}" if task.of > 1 else ""
        return f"{task.sut}{at}: {task.title}: {task.text}\nType the answer and press Enter (nothing: skip).\n"
    return (
        f"{task.sut}, {task.number} of {task.of}: {task.title}\n{task.text}\n"
        "Press Enter when it is done; type s and Enter to skip it.\n"
    )
