"""The command line: ``ps315``. Composition root; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

_COMMANDS = {
    "demo": "start the embedded reference node, judge it and write the report",
    "probe": "judge one TLS endpoint without a SUT file",
    "run": "judge all that SUT files claim",
    "judge": "judge a recorded run again, offline",
    "init": "write a commented SUT file",
    "pki": "make the certificates of a test campaign: authority, identities, lists, the zoo, instructions",
    "serve": "run the reference node for others to test against",
    "connect": "run the reference client once against a server",
    "requirements": "the catalogue, with how each requirement is judged",
    "faults": "the faults of the reference systems, and what each breaks",
    "sign": "put digital signatures into DICOM files",
    "verify": "verify the digital signatures of files, folders, DICOMDIRs",
    "audit": "examine, send, store and search audit messages",
    "verify-report": "check a signed report",
}
_GROUPS = frozenset({"audit"})
"""Commands that have verbs of their own: `harness.commands.<name>.VERBS` tells where each stands."""
_PLAIN = {"sign": "harness.commands._signing", "verify": "harness.commands._verifying"}


def main() -> None:
    """Entry point of the program. Ends the process with the exit status of the design."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from harness.version import version

        sys.stdout.write(f"ps315 {version()}\n")
        sys.exit(0)
    import gc
    import signal
    import warnings

    # Odd certificates are this program's business: what a library has to say about them stands in verdicts.
    warnings.filterwarnings("ignore", message="Parsed a ")
    gc.set_threshold(100_000, 50, 100)  # a short process that imports much: a tenth of its time went to the collector
    # A build server cancels with SIGTERM: the record stays as whole as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from harness import process

    process.claim()
    process.end(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit status. What the user did wrong is one sentence, never a traceback."""
    from harness.errors import HarnessError, UsageProblem

    try:
        status = _run_plainly(arguments)
        return _invoke(_complete(arguments)) if status is None else status
    except UsageProblem as problem:
        _say(*str(problem).splitlines())
    except HarnessError as problem:
        _say(f"internal error: {problem}")
    except KeyboardInterrupt:
        _say("interrupted")
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
    except Exception as problem:
        _say(f"internal error: {type(problem).__name__}: {problem}; the traceback is in {_keep_traceback()}")
    return 2


def _run_plainly(arguments: Sequence[str]) -> int | None:
    """Run a command that is over sooner than typer is imported, if its command line is plain; None if it is not."""
    if not arguments or arguments[0] not in _PLAIN:
        return None
    from importlib import import_module

    from harness.commands._plain import parse

    module = import_module(_PLAIN[arguments[0]])
    options = parse(arguments[1:], module.OPTIONS, module.OPERANDS)
    if options is None:
        return None
    status: int = getattr(module, arguments[0])(**options)
    return status


def _complete(arguments: Sequence[str]) -> Sequence[str]:
    """`arguments` with the value of an option that may stand without one; typer knows no such option."""
    if "--operator-page" not in arguments:
        return arguments
    from harness.operator_page.address import with_default

    return with_default(arguments)


def _invoke(arguments: Sequence[str]) -> int:
    import typer
    from typer.main import get_command

    app = typer.Typer(
        name="ps315",
        help="Judge DICOM devices against the security profiles of PS3.15, requirement by requirement, with evidence.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def _global(
        version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True),
    ) -> None:
        if version:
            from harness.version import version as current

            typer.echo(f"ps315 {current()}")
            raise typer.Exit

    named, verb = ([each for each in arguments if not each.startswith("-")] + ["", ""])[:2]
    for name in [named] if named in _COMMANDS else _COMMANDS:
        _register(app, name, verb)
    command = get_command(app)
    # typer brings click's exceptions along under a name that depends on its version: BadParameter is a UsageError,
    # which is a ClickException.
    click_error: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        status = command.main(args=list(arguments) or ["--help"], prog_name="ps315", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except click_error as problem:
        message = str(getattr(problem, "format_message", problem.__str__)()).rstrip(".")
        context = getattr(problem, "ctx", None)
        _say(f"{message}; see `{context.command_path if context else 'ps315'} --help`")
        return 2
    if not arguments:
        return 2
    return status if isinstance(status, int) else 0


def _register(app: object, name: str, verb: str) -> None:
    """Add the command `name`, importing its module alone; of a group, the module of `verb` alone where it has it."""
    from importlib import import_module

    import typer

    assert isinstance(app, typer.Typer)  # noqa: S101 - typer is imported late
    function = name.replace("-", "_")
    module = import_module(f"harness.commands.{function}")
    if name not in _GROUPS:
        text = _sentence(_COMMANDS[name])
        app.command(name, help=text, short_help=text)(_interruptible(getattr(module, function)))
        return
    group = typer.Typer(rich_markup_mode=None)
    for each in [verb] if verb in module.VERBS else module.VERBS:
        where, what, statuses = module.VERBS[each]
        text = _sentence(what)
        declare = group.command(each, help=text, short_help=text, epilog=f"Exit status: {statuses}")
        declare(_interruptible(getattr(import_module(where), each)))
    group.callback()(lambda: None)  # one verb alone would otherwise take the place of the group
    app.add_typer(group, name=name, help=_sentence(_COMMANDS[name]), short_help=_sentence(_COMMANDS[name]))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _interruptible(command: Callable[..., int]) -> Callable[..., int]:
    """`command`, saying that it was interrupted where it does not say so itself; typer would end with 130."""
    from functools import wraps

    from harness.errors import UsageProblem

    @wraps(command)
    def call(*arguments: object, **options: object) -> int:
        try:
            return command(*arguments, **options)
        except KeyboardInterrupt:
            raise UsageProblem("interrupted") from None

    return call


def _say(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"ps315: {line}\n")


def _keep_traceback() -> str:
    import os
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="ps315-internal-error-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return path
