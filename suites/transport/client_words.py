"""What a client did, in words."""

from __future__ import annotations

from harness import ClientConnection, ClientTrial, Missing
from reference_impl.transport.registry import alert_name, suite, version_name
from suites.driving import driven

_OPENINGS = {
    "ssl2": "a hello in the format of SSL 2.0",
    "dicom": "an unencrypted A-ASSOCIATE request",
    "http": "an unencrypted HTTP request",
    "syslog": "an unencrypted syslog message",
    "other": "octets that are no protocol known here",
    "nothing": "nothing",
}
_ENDS = {
    "alert": "an alert",
    "close_notify": "a close_notify",
    "close": "connection closed without an alert",
    "reset": "connection reset",
    "silence": "nothing more before the deadline",
    "harness": "the end of the trial",
}
_APPLICATIONS = {"association": "an association request", "http": "an HTTP request", "syslog": "a syslog message"}


def shown(connection: ClientConnection) -> str:
    """What the client did on a connection."""
    if connection.opening not in {"tls", "ssl2"}:
        return _OPENINGS[connection.opening]
    said = []
    if connection.version is not None:
        chosen = [version_name(connection.version)]
        chosen += [suite(connection.suite).name] if connection.suite is not None else []
        said.append(f"in {' '.join(chosen)}")
    if connection.application_octets:
        said.append(_APPLICATIONS.get(connection.application, "application data"))
    elif connection.progress == "completed":
        said.append("the handshake completed")
    elif connection.progress == "went-on":
        said.append("the handshake continued")
    if connection.alert is not None and connection.ended != "close_notify":
        said.append(f"alert {alert_name(connection.alert)}")
    else:
        said.append(_ENDS[connection.ended])
    return ", ".join(said)


def taken(connection: ClientConnection) -> str:
    """How a client showed that it took what it should not have."""
    if connection.application_octets:
        return f"{_APPLICATIONS.get(connection.application, 'application data')} came"
    return "it went on with the handshake"


def absent(facts: ClientTrial, endpoint: str) -> Missing:
    """The outcome of a trial to which the client never came (or said nothing), with what was done to make it come."""
    driver = driven(facts.driver)
    if facts.connections:
        came = f"{number} connections" if (number := len(facts.connections)) > 1 else "one connection"
        return Missing(
            f"{came} came to {endpoint} in trial {facts.trial}, and nothing was said there: {driver}",
            "See what the client waits for: in TLS it is the client that speaks first.",
            tuple(connection.exchange for connection in facts.connections[:3]),
        )
    strangers = f"; turned away were {', '.join(facts.strangers[:3])}" if facts.strangers else ""
    remedy = {
        "operator": "Let the client connect while the harness waits.",
        "none": "Let the client connect while the harness waits, or name a driver that makes it.",
    }.get(facts.driver.kind, "See what the driver needs to make the client connect to the harness.")
    if facts.strangers:
        remedy = "Write the address from which the client connects as host of the endpoint."
    return Missing(f"no connection came to {endpoint} in trial {facts.trial}: {driver}{strangers}", remedy)
