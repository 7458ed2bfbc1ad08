"""``ps315 audit user``: who may look at the audit trail with a password."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

_ACTIONS = ("add", "remove", "list")
_MOST_OCTETS = 4_096


def user(
    action: Annotated[str, typer.Argument(metavar="add|remove|list", help="What to do.")],
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The user's name; one who is there is changed.")] = "",
    *,
    users: Annotated[
        Path, typer.Option("--users", metavar="FILE", help="The file of users, as `ps315 audit serve` is given it.")
    ] = Path("ps315-audit/users"),
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
    ] = False,
) -> int:
    """Change or list the users. Returns the exit status; raises `UsageProblem`."""
    from harness.errors import UsageProblem
    from reference_impl.audit.repository.web.users import UsersFileError, names_in, write_user

    if action not in _ACTIONS:
        raise UsageProblem(f"{action!r}: write one of {', '.join(_ACTIONS)}")
    if bool(name) == (action == "list"):
        raise UsageProblem("list takes no name" if name else f"{action}: say whom: ps315 audit user {action} NAME")
    try:
        if action == "list":
            sys.stdout.write("".join(f"{each}\n" for each in names_in(users)))
            return 0
        password = _password(stdin=password_stdin) if action == "add" else None
        if action == "add":
            users.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = write_user(users, name, password)
    except UsersFileError as problem:
        raise UsageProblem(str(problem)) from None
    except OSError as problem:
        raise UsageProblem(f"{users.parent}: cannot be made: {problem.strerror}; name another file") from None
    except ValueError as problem:
        raise UsageProblem(f"{name}: {problem}") from None
    if action == "remove" and not before:
        raise UsageProblem(f"{name}: is not in {users}; list its users with: ps315 audit user list --users {users}")
    said = "was removed" if action == "remove" else "has a new password" if before else "was added"
    sys.stdout.write(f"{name} {said}; the page knows it at once.\n")
    return 0


def _password(*, stdin: bool) -> str:
    """The password, asked for twice, or the first line of standard input."""
    from harness.errors import UsageProblem

    if stdin:
        try:
            line = sys.stdin.readline(_MOST_OCTETS).rstrip("\r\n")
            line.encode("utf-8")  # what was no UTF-8 could be typed into no form
        except UnicodeError:
            raise UsageProblem("the password on standard input is no text in UTF-8") from None
        return line
    if not sys.stdin.isatty():
        raise UsageProblem("there is no terminal to ask for the password; give it with --password-stdin")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != first:
        raise UsageProblem("the two passwords differ; try again")
    return first
