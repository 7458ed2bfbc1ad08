"""The TLS front: accepts connections, chooses a stack for each, relays plaintext to the application behind it."""

from reference_impl.transport.front.channel import (
    Channel,
    Limits,
    PassThrough,
    ScriptedChannel,
    alert_record,
)
from reference_impl.transport.front.hello import Hello, Opening, OpeningKind, classify, parse_hello
from reference_impl.transport.front.router import Handler, Router, Rule, Unprotected, refusal
from reference_impl.transport.front.server import Application, Front
from reference_impl.transport.front.settings import (
    SUITES_TLS_1_2,
    SUITES_TLS_1_3,
    FrontSettings,
    Identity,
    PathStep,
    PathVerdict,
)

__all__ = [
    "SUITES_TLS_1_2",
    "SUITES_TLS_1_3",
    "Application",
    "Channel",
    "Front",
    "FrontSettings",
    "Handler",
    "Hello",
    "Identity",
    "Limits",
    "Opening",
    "OpeningKind",
    "PassThrough",
    "PathStep",
    "PathVerdict",
    "Router",
    "Rule",
    "ScriptedChannel",
    "Unprotected",
    "alert_record",
    "classify",
    "parse_hello",
    "refusal",
]
