"""One HTTP/1.1 request and the status line of its answer (RFC 9112), through whatever carries octets."""

from __future__ import annotations

from reference_impl.dicom_client import DicomError
from reference_impl.transport.client import SecureConnection

_MAXIMUM_HEAD = 1 << 16


def get_page(connection: SecureConnection, host: str, port: int, path: str) -> int:
    """Ask for `path`; returns the status code. Raises `EndedError`, and `DicomError` for what is no HTTP answer."""
    authority = f"[{host}]" if ":" in host else host
    where = authority if port == 443 else f"{authority}:{port}"
    connection.send(f"GET {path} HTTP/1.1\r\nHost: {where}\r\nConnection: close\r\nAccept: */*\r\n\r\n".encode("ascii"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MAXIMUM_HEAD:
        more = connection.receive_some()
        if not more:
            break
        head += more
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise DicomError("dimse", "the answer is no HTTP/1.1")
    return int(words[1])
