"""The three families of things that go wrong, kept apart in types.

What the user did wrong is a `UsageProblem`; what the harness itself did wrong is a `HarnessError` (verdict
``error``). What a system under test does wrong is never an exception that escapes: it is an observation.
"""


class UsageProblem(Exception):  # noqa: N818 - it is the user's problem, not a program error
    """The command, a file or a flag is wrong: one clear sentence with the remedy, exit status 2, no traceback."""


class HarnessError(Exception):
    """The harness itself failed; verdicts that depend on the failed part are ``error``, never ``fail``."""
