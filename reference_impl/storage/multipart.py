"""Bodies of several parts (RFC 2046 5.1) in which DICOMweb sends instances (PS3.18 8.6.1), read with limits."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator

MOST_PARTS = 1_000
_MOST_HEAD = 8_192
_PARAMETER = re.compile(r";\s*([A-Za-z0-9-]+)\s*=\s*(\"[^\"]*\"|[^;\s]+)")
DICOM = "application/dicom"


class MultipartError(ValueError):
    """Octets that are no body of several parts, or exceed a limit."""


def parameter(field: str, name: str) -> str:
    """A parameter of a Content-Type or Accept header field, empty where it has none."""
    return next((value.strip('"') for key, value in _PARAMETER.findall(field) if key.lower() == name), "")


def media_type(field: str) -> str:
    """The media type of a header field, without parameters."""
    return field.split(";", 1)[0].strip().lower()


def joined(parts: Iterable[bytes], part_type: str = DICOM) -> tuple[str, bytes]:
    """The Content-Type and the body that hold `parts`, each of `part_type`."""
    boundary = f"ps315-{secrets.token_hex(12)}"
    head = f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode("ascii")
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode("ascii")
    kind = media_type(part_type)
    return f'multipart/related; type="{kind}"; boundary={boundary}', body


def parted(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Content-Type and octets of each part. Raises `MultipartError`."""
    boundary = parameter(content_type, "boundary")
    if not media_type(content_type).startswith("multipart/") or not boundary or len(boundary) > 70:
        raise MultipartError(f"{content_type[:80]!r} is no multipart with a boundary")
    parts: list[tuple[str, bytes]] = []
    for octets in _pieces(body, b"--" + boundary.encode("latin-1", "replace")):
        head, found, part = octets.partition(b"\r\n\r\n")
        if not found or len(head) > _MOST_HEAD:
            raise MultipartError("a part without the end of its header")
        if len(parts) == MOST_PARTS:
            raise MultipartError(f"more than {MOST_PARTS} parts")
        parts.append((_content_type(head), part))
    return parts


def _pieces(body: bytes, delimiter: bytes) -> Iterator[bytes]:
    """What stands between the delimiters; the first may begin the body."""
    if not body.startswith(delimiter):
        at = body.find(b"\r\n" + delimiter)
        if at < 0:
            raise MultipartError("the boundary does not occur")
        body = body[at + 2 :]
    at = len(delimiter)
    while True:
        if body[at : at + 2] == b"--":
            return
        line_end = body.find(b"\r\n", at)
        end = body.find(b"\r\n" + delimiter, at)
        if line_end < 0 or end < 0:
            raise MultipartError("the last boundary is missing")
        yield body[line_end + 2 : end] if end > line_end else b""
        at = end + 2 + len(delimiter)


def _content_type(head: bytes) -> str:
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    return ""
