"""TARGET of ``ps315 probe``: ``HOST:PORT``, ``[IPv6]:PORT`` or a URL such as ``dicom-tls://host:2762?aet=PACS``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from harness.errors import UsageProblem

DEFAULT_PORTS = {"dicom-tls": 2762, "https": 443, "syslog-tls": 6514}  # IANA service names and ports
ENDPOINT_NAMES = {"dicom-tls": "dimse", "https": "dicomweb", "syslog-tls": "syslog"}
"""What an endpoint without a SUT file is called, by its protocol."""
_EXAMPLE = "write HOST:PORT, [IPV6]:PORT or a URL such as dicom-tls://host:2762?aet=PACS"


@dataclass(frozen=True)
class Target:
    """A parsed TARGET. `called_aet` is empty where none was given."""

    protocol: str
    host: str
    port: int
    called_aet: str = ""

    @property
    def profile(self) -> str:
        """The profile to judge it by where none is named."""
        return "A.6" if self.protocol == "syslog-tls" else "B.12"

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """Parse TARGET. Raises `UsageProblem`."""
    return _parse_url(text) if "://" in text else _parse_pair(text)


def _port(text: str, whole: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise UsageProblem(f"TARGET {whole!r}: {text!r} is no port; write a number from 1 to 65535")
    return int(text)


def _host(text: str, whole: str) -> str:
    if not text or re.search(r"[\s/@?#\\\[\]]", text):
        raise UsageProblem(f"TARGET {whole!r}: {text!r} is no host; {_EXAMPLE}")
    return text


def _parse_pair(text: str) -> Target:
    if match := re.fullmatch(r"\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]:([^:]*)", text):
        return Target("dicom-tls", match[1], _port(match[2], text))
    host, colon, port = text.rpartition(":")
    if not colon:
        raise UsageProblem(f"TARGET {text!r} names no port; {_EXAMPLE}")
    if ":" in host:
        raise UsageProblem(f"TARGET {text!r}: an IPv6 address stands in brackets; write [{host}]:{port}")
    return Target("dicom-tls", _host(host, text), _port(port, text))


def _parse_url(text: str) -> Target:
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.netloc.rpartition("@")[2]
    except ValueError as problem:
        raise UsageProblem(f"TARGET {text!r} is no URL ({problem}); {_EXAMPLE}") from None
    if url.scheme not in DEFAULT_PORTS:
        remedy = "give the https port" if url.scheme == "http" else "write one of: " + ", ".join(DEFAULT_PORTS)
        raise UsageProblem(f"TARGET {text!r}: {url.scheme!r} is no protocol that ps315 judges; {remedy}")
    if "@" in url.netloc:
        raise UsageProblem("TARGET: a URL with user name or password is not taken; leave them out")
    _, colon, given = port.rpartition(":")
    explicit = given if colon and "]" not in given else ""
    query = parse_qs(url.query, keep_blank_values=True)
    if url.scheme == "dicom-tls" and set(query) - {"aet"}:
        raise UsageProblem(f"TARGET {text!r}: only ?aet=TITLE is known behind a dicom-tls URL")
    return Target(
        protocol=url.scheme,
        host=_host(host, text),
        port=_port(explicit, text) if explicit else DEFAULT_PORTS[url.scheme],
        called_aet=query.get("aet", [""])[0] if url.scheme == "dicom-tls" else "",
    )
