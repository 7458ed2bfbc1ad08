"""A TLS server made to examine clients: good by default, one deviation a trial."""

from reference_impl.transport.trials.notes import Notes
from reference_impl.transport.trials.script import Presentation, Retry, Script
from reference_impl.transport.trials.scripts import EPHEMERAL_SUITES, GOOD, SERVER_SCRIPTS, SUITE_CLASSES, offered_class
from reference_impl.transport.trials.stack import Server, ServerStack

__all__ = [
    "EPHEMERAL_SUITES",
    "GOOD",
    "SERVER_SCRIPTS",
    "SUITE_CLASSES",
    "Notes",
    "Presentation",
    "Retry",
    "Script",
    "Server",
    "ServerStack",
    "offered_class",
]
