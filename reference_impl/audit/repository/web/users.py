"""Who may look at the trail with a password: a file of names with scrypt hashes, and the check of one password.

One user a line: ``name:$scrypt$ln=15,r=8,p=3$salt$hash`` (salt and hash in base64). Lines that begin with ``#`` and
empty ones are left alone. The file is read again when it changes, so that somebody who is removed is out at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import stat
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

LEAST_CHARACTERS = 12
"""A password is at least so long."""
MOST_CHARACTERS = 256
"""One that is longer is refused before it costs anything."""
_NAME = re.compile(r"[^\W_][\w.@+-]{0,63}")
_LINE = re.compile(
    r"(?P<name>[^:]+):\$scrypt\$ln=(?P<ln>\d{1,2}),r=(?P<r>\d{1,2}),p=(?P<p>\d{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/=]{16,88})\$(?P<hash>[A-Za-z0-9+/=]{24,88})"
)
_STRENGTH = (15, 8, 3)  # 32 MiB a check: OWASP's table of equal strengths
_COSTS, _MOST_MEMORY = range(14, 19), 512 * 1024 * 1024
_MOST_OCTETS = 1024 * 1024


class UsersFileError(Exception):
    """The file of users cannot be used; the text says why, and what helps."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """One password as it is kept: the parameters of scrypt (RFC 7914), salt and hash."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> Hashed:
        """A new one of `password`."""
        salt = secrets.token_bytes(16)
        return cls(*_STRENGTH, salt, _scrypt(password, _STRENGTH, salt, 32))

    def fits(self, password: str) -> bool:
        """Whether it is that of `password`, told in a time that does not depend on where they differ."""
        length = len(self.digest)
        digest = _scrypt(password, (self.cost, self.block, self.parallel), self.salt, length)
        return hmac.compare_digest(digest, self.digest)

    def __str__(self) -> str:
        salt, digest = (base64.b64encode(octets).decode() for octets in (self.salt, self.digest))
        return f"$scrypt$ln={self.cost},r={self.block},p={self.parallel}${salt}${digest}"


def _scrypt(password: str, strength: tuple[int, int, int], salt: bytes, length: int) -> bytes:
    cost, block, parallel = strength
    normal = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(normal, salt=salt, n=1 << cost, r=block, p=parallel, maxmem=_MOST_MEMORY, dklen=length)


def check_name(name: str) -> str:
    """`name` as it is kept. Raises `ValueError` with what a name is."""
    normal = unicodedata.normalize("NFKC", name)
    if not _NAME.fullmatch(normal):
        raise ValueError("a user's name is 1 to 64 letters, digits, and . _ @ + -, and begins with a letter or digit")
    return normal


def check_password(password: str, name: str) -> str:
    """`password`, if it is fit to protect a trail. Raises `ValueError` with what is wanted."""
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise ValueError(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        raise ValueError("a password is not the user's name, nor a few characters over and over")
    return password


class _Version(NamedTuple):
    inode: int
    size: int
    changed: int


class Users:
    """The users of one file. Raises `UsersFileError` where it cannot be used at the start.

    Later troubles with it let nobody in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._version, self._users = _read(path)
        self._nobody = Hashed.of(secrets.token_urlsafe(16))

    def admits(self, name: str, password: str) -> bool:
        """Whether `password` is that of the user `name`; it takes as long for a name that is unknown."""
        if len(password) > MOST_CHARACTERS:
            return False
        known = self._current().get(unicodedata.normalize("NFKC", name))
        return (known or self._nobody).fits(password) and known is not None

    def stamp(self, name: str) -> str:
        """What changes when the password of `name` does; empty where there is no such user."""
        known = self._current().get(unicodedata.normalize("NFKC", name))
        return "" if known is None else hashlib.sha256(known.salt + known.digest).hexdigest()

    def _current(self) -> dict[str, Hashed]:
        with self._lock:
            try:
                if _version(self.path.stat()) != self._version:
                    self._version, self._users = _read(self.path)
            except (OSError, UsersFileError):
                self._version, self._users = _Version(0, 0, 0), {}
            return self._users


def _version(status: os.stat_result) -> _Version:
    return _Version(status.st_ino, status.st_size, status.st_mtime_ns)


def _read(path: Path) -> tuple[_Version, dict[str, Hashed]]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read(_MOST_OCTETS + 1)
    except OSError as problem:
        reason = problem.strerror or "cannot be read"
        raise UsersFileError(f"{path}: {reason}; add a user with: ps315 audit user add NAME --users {path}") from None
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_IROTH):
        raise UsersFileError(f"{path}: others on this computer can read or change it; do: chmod 600 {path}")
    if len(octets) > _MOST_OCTETS:
        raise UsersFileError(f"{path}: is larger than {_MOST_OCTETS} octets; this is no file of users")
    try:
        lines = octets.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsersFileError(f"{path}: is not UTF-8; this is no file of users") from None
    users: dict[str, Hashed] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, hashed = _parsed(line.strip(), path, number)
            users[name] = hashed
    return _version(status), users


def _parsed(line: str, path: Path, number: int) -> tuple[str, Hashed]:
    found = _LINE.fullmatch(line)
    try:
        if found is None:
            raise ValueError("it is not name:$scrypt$...")
        name = check_name(found["name"])
        cost, block, parallel = int(found["ln"]), int(found["r"]), int(found["p"])
        if cost not in _COSTS or block != 8 or not 1 <= parallel <= 16:
            raise ValueError("its parameters of scrypt are out of bounds")
        salt, digest = (base64.b64decode(found[part], validate=True) for part in ("salt", "hash"))
    except (ValueError, binascii.Error) as problem:
        raise UsersFileError(
            f"{path}, line {number}: cannot be used: {problem}; remove the line, and add the user with: "
            "ps315 audit user add NAME"
        ) from None
    return name, Hashed(cost, block, parallel, salt, digest)


def names_in(path: Path) -> tuple[str, ...]:
    """The users of a file, sorted. Raises `UsersFileError`."""
    return tuple(sorted(_read(path)[1]))


def write_user(path: Path, name: str, password: str | None) -> bool:
    """Add the user `name`, change its password, or remove it (None); returns whether it was there before.

    The file is replaced as a whole, readable by its owner only. Raises `ValueError` where name or password are
    unfit, `UsersFileError` where the file cannot be used or written.
    """
    name = check_name(name)
    kept: list[str] = []
    before = False
    if path.exists():
        _read(path)
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.partition(":")[0].strip() == name:
                before = True
            else:
                kept.append(line)
    if password is not None:
        kept.append(f"{name}:{Hashed.of(check_password(password, name))}")
    _replace(path, "".join(f"{line}\n" for line in kept))
    return before


def _replace(path: Path, text: str) -> None:
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as problem:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsersFileError(f"{path}: cannot be written: {problem.strerror}; name another file") from None
