"""Progress: one line on a terminal, silence elsewhere."""

from __future__ import annotations

import io

from harness.progress import Silent, StatusLine, progress_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_only_a_terminal_is_told() -> None:
    assert isinstance(progress_for(quiet=False, stream=io.StringIO()), Silent)
    assert isinstance(progress_for(quiet=True, stream=Terminal()), Silent)
    assert isinstance(progress_for(quiet=False, stream=Terminal()), StatusLine)


def test_progress_is_one_line_that_counts() -> None:
    stream = io.StringIO()
    line = StatusLine(stream, columns=40)
    line.expect(2)
    line.started("pacs/dimse", "cipher suites of every version and more")
    line.finished("pacs/dimse", "cipher suites of every version and more")
    line.close()
    shown = stream.getvalue().split("\r\x1b[K")
    assert shown[1].startswith("observing 0/2 pacs/dimse: cipher")
    assert len(shown[1]) == 39
    assert shown[2] == "observing 1/2"
    assert shown[-1] == ""
    assert "\n" not in stream.getvalue()
