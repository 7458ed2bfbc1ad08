"""Results as JSON, each written as soon as it is there: one document, or one line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path


@contextmanager
def writer(
    as_json: bool, json_lines: str, inputs: Container[str], begins: str
) -> Iterator[Callable[[str], None] | None]:
    """What takes the JSON of every result; None where none is wanted.

    A document on standard output begins with `begins`, and its list of results is left open; lines go to the file
    `json_lines`, which is none of `inputs`, or with "-" to standard output. Raises `UsageProblem`.
    """
    if as_json:
        before = begins

        def write_element(line: str) -> None:
            nonlocal before
            sys.stdout.write(before + line)
            before = ",\n"

        yield write_element
    elif json_lines == "-":
        yield lambda line: print(line, flush=True)
    elif json_lines:
        from harness.errors import UsageProblem

        with _opened(json_lines, inputs) as file:

            def write_line(line: str) -> None:
                rest = memoryview(f"{line}\n".encode())
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError as problem:
                    raise UsageProblem(f"--json-lines: {json_lines} cannot be written: {problem.strerror}") from None

            yield write_line
    else:
        yield None


def _opened(name: str, inputs: Container[str]) -> FileIO:
    """The file for lines of JSON; what is written to it is there at once. Raises `UsageProblem`."""
    from harness.errors import UsageProblem

    path = Path(name)
    try:
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as old:
                if name in inputs or old.read(1) != b"{":
                    raise UsageProblem(
                        f"--json-lines: {name} is there already and holds something else; name another file"
                    )
        return path.open("wb", buffering=0)
    except OSError as problem:
        raise UsageProblem(f"--json-lines: {name} cannot be written: {problem.strerror}") from None
