"""How a trial's server behaves: good by default, one deviation a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

from reference_impl.transport.wire import TLS10, TLS11, TLS12, TLS13, ClientHello, ServerHello

ServerHelloHook: TypeAlias = Callable[[ServerHello, ClientHello], ServerHello]
"""Changes the ServerHello before it is sent; what it selects is what the server goes by."""
MessageHook: TypeAlias = Callable[[bytes], bytes]
"""Changes a handshake message (header included) before it is sent; empty: the message is left out."""
ChooseSuite: TypeAlias = Callable[[ClientHello], "int | None"]
"""The suite to select, None where the trial has nothing to select."""


class Presentation(Protocol):
    """A server's chain (DER, leaf first, as it goes out), the key that signs, and an OCSP response to staple."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates."""

    @property
    def key(self) -> Any:
        """The private key, which need not be that of the leaf."""

    @property
    def ocsp_response(self) -> bytes:
        """DER, empty for none."""


@dataclass(frozen=True)
class Retry:
    """A HelloRetryRequest: for `group` ("other": one offered without a share, "same": one with a share, "foreign": one
    not offered, "none": no group), with a cookie or without."""

    group: Literal["other", "same", "foreign", "none"] = "other"
    cookie: bool = False


@dataclass(frozen=True)
class Script:
    """The behaviour of one connection. The defaults are those of a good server.

    `versions` are served in this order of preference; `version` is answered whatever the client offers. `suite` selects
    in place of the server's own preference, `group` (TLS 1.2) likewise; `dhe_bits` is the length of a DHE group, and
    `scheme` the signature scheme, asked for or not. `server_hello` and `messages` change what is said. `mute` leaves
    the ClientHello unanswered; with `handshake` False, `opening` is said in answer to it, and the connection closed, or
    reset with `reset`. `request` is how a client certificate is asked for.

    `records` tells how handshake messages are cut into records. `after` is what is sent when the handshake is complete.
    `application_octets` is the length of records of application data (0: the usual), `application_empty` puts empty
    records between them, `padding` are octets of padding. `corrupt` names the first record of what is made to fail.
    """

    versions: tuple[int, ...] = (TLS13, TLS12, TLS11, TLS10)
    version: int | None = None
    suite: ChooseSuite | None = None
    group: Callable[[tuple[int, ...]], int | None] | None = None
    dhe_bits: int = 2048
    scheme: int | None = None
    server_hello: ServerHelloHook | None = None
    messages: Mapping[int, MessageHook] = field(default_factory=lambda: MappingProxyType({}))
    without_extensions: frozenset[int] = frozenset()
    encrypt_then_mac: bool = False
    before: bytes = b""
    handshake: bool = True
    opening: bytes = b""
    mute: bool = False
    reset: bool = False
    cut: bool = False
    retries: tuple[Retry, ...] = ()
    retry_fails: bool = False
    share_not_offered: bool = False
    request: Literal["fitting", "foreign", "open", "unusable", "none"] = "fitting"
    records: Literal["each", "together", "octets"] = "each"
    after: frozenset[str] = frozenset()
    ticket_seconds: int = 7200
    early_data: int = 0
    application_octets: int = 0
    application_empty: bool = False
    padding: int = 0
    corrupt: Literal["", "handshake", "application"] = ""
    bare_close: bool = False

    def __post_init__(self) -> None:
        if self.after - {"ticket", "key-update", "hello-request"}:
            raise ValueError(f"unknown: {sorted(self.after)}")
