"""How the attempt to make a SUT act ended, in words: shared by all suites."""

from __future__ import annotations

from harness import DriverOutcome

_LONGEST = 160


def driven(driver: DriverOutcome) -> str:
    """How the attempt to make the client connect ended."""
    if driver.problem:
        return driver.problem.rstrip(".")
    if driver.kind == "none":
        return "nobody made it connect"
    if driver.kind == "operator":
        return f"{driver.confirmed_by} confirmed" if driver.confirmed_by else "the operator confirmed nothing"
    last = next((line.strip() for line in reversed(driver.output.splitlines()) if line.strip()), "")
    said = f" ({last[:_LONGEST]})" if last else ""
    if driver.timed_out:
        return f"its driver had not ended after {driver.seconds:.0f} s{said}"
    if driver.exit_status:
        return f"its driver ended with status {driver.exit_status}{said}"
    return f"its driver ended{said}"
