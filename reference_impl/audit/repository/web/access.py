"""Who gets in: what a site allows, and who stands behind one request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
import ssl
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reference_impl.audit.repository.web.sessions import COOKIE, Ended, Limits, Session, Sessions, Way
from reference_impl.audit.repository.web.throttle import Allowance, Throttle
from reference_impl.audit.repository.web.users import Users
from reference_impl.audit.syslog.revocation import check_revocation

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_MOST_NAME = 128


@dataclass(frozen=True, slots=True)
class Access:
    """How the page is reached: with a password of the file `users`, with a certificate of the authorities in
    `client_ca` (PEM), or either. Raises `ValueError` where it is neither: nobody looks at a trail without a name.

    `revoked` (PEM) are revocation lists of these authorities: certificates that they name open nothing.
    `certificate_names`: common names of subjects that are let in; empty: whoever the authorities certify.
    `hosts`: names and addresses by which browsers call it; requests for others are refused. `zone`: in whose time the
    page tells times ("Europe/Berlin"); empty: that of this computer.
    """

    users: Path | None = None
    client_ca: Path | None = None
    revoked: Path | None = None
    certificate_names: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    zone: str = ""
    limits: Limits = field(default_factory=Limits)
    allowance: Allowance = field(default_factory=Allowance)

    def __post_init__(self) -> None:
        if self.users is None and self.client_ca is None:
            raise ValueError("the page needs a file of users or an authority of client certificates: nobody is let in")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who stands behind a request, known by what, from where. `session` is None for a single request of a program."""

    user: str
    way: Way
    address: str
    session: Session | None
    cookie: str = ""

    @property
    def check(self) -> str:
        """The token of forms, empty without a session."""
        return "" if self.session is None else self.session.check


@dataclass(frozen=True, slots=True)
class Refused:
    """A log-in that failed; `seconds` to wait where there were too many."""

    seconds: float = 0.0


Happening = Literal["login", "login-failed", "logout", "logout-idle", "too-many"]
Told = Callable[[Happening, str, Way, str], None]
"""Told of what happened, the user (claimed or known), the way, and the address."""


class Door:
    """Decides who stands behind a request. Thread-safe; `told` hears of every log-in, its failure, and its end.

    Raises `UsersFileError` where the file of users cannot be used.
    """

    def __init__(self, access: Access, told: Told) -> None:
        self.access = access
        self.users = None if access.users is None else Users(access.users)
        self._told = told
        self.sessions = Sessions(access.limits, self._ended)
        self._throttle = Throttle(access.allowance)
        self._secret = secrets.token_bytes(32)

    def identify(self, request: HTTPConnection, *, touch: bool = True) -> Identity | None:
        """Who sends `request`; None: nobody who is known."""
        return self._by_session(request, touch) or self._by_certificate(request, touch)

    def still(self, identity: Identity) -> bool:
        """Whether the session of `identity` still runs, without prolonging it."""
        session = self.sessions.find(identity.cookie, touch=False)
        return session is not None and self._stands(session)

    def log_in(self, name: str, password: str, address: str) -> Identity | Refused:
        """Open a session with a password. It takes long (scrypt): call it from a thread."""
        refused = self._password_refused(name, password, address)
        if refused is not None:
            return refused
        name = unicodedata.normalize("NFKC", name)
        cookie, session = self.sessions.begin(name, "password", address, self._stamp(name))
        self._told("login", name, "password", address)
        return Identity(name, "password", address, session, cookie)

    def log_out(self, identity: Identity) -> None:
        """End the session of `identity`."""
        self.sessions.end(identity.cookie)

    def by_basic(self, authorization: str, address: str) -> Identity | Refused:
        """Who sends the password in this header (RFC 7617), for programs. It takes long: call it from a thread."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, found, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Refused()
        if scheme.lower() != "basic" or not found:
            return Refused()
        refused = self._password_refused(name, password, address)
        return refused or Identity(unicodedata.normalize("NFKC", name), "password", address, None)

    def _password_refused(self, name: str, password: str, address: str) -> Refused | None:
        if self.users is None:
            return Refused()
        place = network_of(address)
        key = unicodedata.normalize("NFKC", name).casefold()[:_MOST_NAME]
        wait = self._throttle.begin(key, place)
        if wait > 0:
            self._told("too-many", name[:_MOST_NAME], "password", address)
            return Refused(wait)
        if not self.users.admits(name, password):
            self._told("login-failed", name[:_MOST_NAME], "password", address)
            return Refused()
        self._throttle.succeeded(key, place)
        return None

    def _by_session(self, request: HTTPConnection, touch: bool) -> Identity | None:
        cookie = request.cookies.get(COOKIE, "")
        session = self.sessions.find(cookie, touch=touch) if cookie else None
        if session is None or session.way != "password":
            return None
        if not self._stands(session):
            self.sessions.end(cookie)
            return None
        return Identity(session.user, session.way, address_of(request), session, cookie)

    def _stands(self, session: Session) -> bool:
        """Whether what the session rests on still holds: the user is there, with the same password."""
        return session.way != "password" or hmac.compare_digest(self._stamp(session.user), session.proof)

    def _stamp(self, name: str) -> str:
        return "" if self.users is None else self.users.stamp(name) or "removed"

    def _by_certificate(self, request: HTTPConnection, touch: bool) -> Identity | None:
        octets = getattr(request.state, "peer_certificate", None)
        if self.access.client_ca is None or not isinstance(octets, bytes):
            return None
        name = name_in(octets)
        if not name or (self.access.certificate_names and name not in self.access.certificate_names):
            return None
        address = address_of(request)
        proof = hashlib.sha256(octets).hexdigest()
        cookie = hmac.new(self._secret, f"{proof} {address}".encode(), hashlib.sha256).hexdigest()
        session = self.sessions.find(cookie, touch=touch)
        if session is None:
            _, session = self.sessions.begin(name, "certificate", address, proof, cookie)
            self._told("login", name, "certificate", address)
        return Identity(name, "certificate", address, session, cookie)

    def _ended(self, session: Session, how: Ended) -> None:
        self._told("logout" if how == "left" else "logout-idle", session.user, session.way, session.address)


def address_of(request: HTTPConnection) -> str:
    """The address of the client as the connection has it; headers of proxies are not believed."""
    return request.client.host if request.client is not None else ""


def network_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def name_in(certificate: bytes) -> str:
    """The common name of the subject, or all of the subject where it has none; empty where it cannot be read."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_der_x509_certificate(certificate).subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        text = str(names[0].value) if names else subject.rfc4514_string()
    except ValueError:
        return ""
    return "".join(each for each in text if each.isprintable())[:_MOST_NAME].strip()


def server_context(certificate: Path, key: Path, access: Access, password: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with forward secrecy; asks for a client's certificate where one is allowed, demands it where
    nothing else is. Raises `OSError` (`ssl.SSLError`) where a file cannot be used, ValueError for `revoked`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # a certificate is looked at anew in every connection
    context.load_cert_chain(certificate, key, password)
    if access.client_ca is not None:
        context.load_verify_locations(access.client_ca)
        if access.revoked is not None:
            check_revocation(context, access.revoked)
        context.verify_mode = ssl.CERT_REQUIRED if access.users is None else ssl.CERT_OPTIONAL
    return context
