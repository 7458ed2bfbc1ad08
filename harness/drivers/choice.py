"""Which driver makes a SUT act at an endpoint."""

from __future__ import annotations

from harness.drivers.base import Driver
from harness.drivers.command import CommandDriver
from harness.drivers.embedded import EmbeddedDriver
from harness.drivers.operator import OperatorDriver
from harness.errors import HarnessError
from harness.operator_board import Board
from harness.sut import Sut


def driver_for(sut: Sut, endpoint: str, board: Board, *, named: str | None = None, instruction: str = "") -> Driver:
    """The driver that the SUT file names for `endpoint`; without one, whoever looks at `board`.

    `named` is another one that it names there, empty for a person; `instruction` is what a person is told where the
    driver has no words of its own.

    Raises `HarnessError` where a SUT within this process comes without what makes it act.
    """
    table = sut.file.drivers.get(sut.driver_name(endpoint) if named is None else named)
    match sut.driver_kind(endpoint, named):
        case "embedded":
            if endpoint not in sut.embedded:
                raise HarnessError(f"{endpoint}: nothing was given that makes the embedded SUT act")
            return EmbeddedDriver(sut.embedded[endpoint])
        case "command" if table is not None and table.command is not None:
            return CommandDriver(table.command, sut.folder)
        case "dimse" if table is not None:
            from harness.drivers.dimse import DimseDriver

            return DimseDriver(sut.target(table.endpoint), table)
    return OperatorDriver(board, sut.id, (table.operator if table else None) or instruction)
