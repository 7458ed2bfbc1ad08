"""The archive as DICOMweb origin server: Store and Retrieve transactions of instances (PS3.18 10.4, 10.5)."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from reference_impl.http_server import PageHandler
from reference_impl.storage.archive import Archive
from reference_impl.storage.behaviour import EXPLICIT, RefusedError
from reference_impl.storage.instances import Kept, NoRoomError
from reference_impl.storage.multipart import DICOM, MultipartError, joined, media_type, parameter, parted
from reference_impl.storage.part10 import UnfitError, take_apart

MOST_OCTETS = 1 << 28
_JSON = "application/dicom+json"
_UID = r"([0-9.]{1,64})"
_RETRIEVE = re.compile(rf"/studies/{_UID}(?:/series/{_UID}(?:/instances/{_UID})?)?\Z")
_STORE = re.compile(rf"/studies(?:/{_UID})?\Z")
_CANNOT_UNDERSTAND, _OUT_OF_RESOURCES = 0xC000, 0xA700
Uids = tuple[str, ...]


def handler_of(archive: Archive) -> type[PageHandler]:
    """What answers HTTP requests for `archive`, for a `reference_impl.http_server.HttpServer`."""

    class Handler(StorageHandler):
        """Answers for one archive."""

        kept_by = archive

    return Handler


class StorageHandler(PageHandler):
    """Stores what is posted, and gives instances back as they are kept."""

    kept_by: Archive

    def do_GET(self) -> None:  # noqa: N802 - named by the library
        """Retrieve instances; anything else is the page of the node, and a search that finds nothing."""
        match = _RETRIEVE.fullmatch(self._path())
        if match is None:
            super().do_GET()
            return
        found = [one for one in self.kept_by.store.all() if _is_of(one, match.groups())]
        if not found:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is no such instance\n")
            return
        if not _wants_dicom(self.headers.get("Accept", "")):
            self._answer(HTTPStatus.NOT_ACCEPTABLE, "text/plain", b"instances are given as application/dicom alone\n")
            return
        instances = [self.kept_by.given(one) for one in found]
        syntaxes = {one.syntax for one in instances}
        one_syntax = syntaxes.pop() if len(syntaxes) == 1 else ""
        kind = f"{DICOM}; transfer-syntax={one_syntax}" if re.fullmatch(_UID, one_syntax) else DICOM
        self._answer(HTTPStatus.OK, *joined((one.octets() for one in instances), kind))

    def do_POST(self) -> None:  # noqa: N802 - named by the library
        """Store the instances of a body of several parts."""
        match = _STORE.fullmatch(self._path())
        length = self.headers.get("Content-Length", "")
        if match is None:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"nothing is stored here\n")
            return
        if not length.isdecimal() or int(length) > MOST_OCTETS:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "text/plain", b"a length is needed, or it is too large\n")
            return
        body = self.rfile.read(int(length))
        try:
            parts = parted(self.headers.get("Content-Type", ""), body)
        except MultipartError as problem:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", f"{problem}\n".encode())
            return
        stored = [self._keep(octets) for _type, octets in parts]
        failed = sum(1 for one in stored if "00081197" in one)
        status = HTTPStatus.OK if not failed else (
            HTTPStatus.CONFLICT if failed == len(stored) else HTTPStatus.ACCEPTED
        )  # fmt: skip
        answer: dict[str, Any] = {}
        for tag, failure in (("00081199", False), ("00081198", True)):
            items = [one for one in stored if ("00081197" in one) is failure]
            if items:
                answer[tag] = {"vr": "SQ", "Value": items}
        self._answer(status, _JSON, json.dumps(answer).encode("ascii"))

    def _keep(self, octets: bytes) -> dict[str, Any]:
        """An item of the response: what was stored, or why it was not (PS3.18 I.2)."""
        try:
            instance = take_apart(octets)
        except UnfitError:
            return {"00081197": {"vr": "US", "Value": [_CANNOT_UNDERSTAND]}}
        item: dict[str, Any] = {
            "00081150": {"vr": "UI", "Value": [instance.sop_class]},
            "00081155": {"vr": "UI", "Value": [instance.sop_instance]},
        }
        try:
            self.kept_by.keep(instance)
        except UnfitError:
            item["00081197"] = {"vr": "US", "Value": [_CANNOT_UNDERSTAND]}
        except NoRoomError:
            item["00081197"] = {"vr": "US", "Value": [_OUT_OF_RESOURCES]}
        except RefusedError as refused:
            item["00081197"] = {"vr": "US", "Value": [refused.status]}
        return item

    def _path(self) -> str:
        return self.path.split("?")[0].rstrip("/")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _is_of(kept: Kept, uids: tuple[str | None, ...]) -> bool:
    held = (kept.unique("STUDY"), kept.unique("SERIES"), kept.unique("IMAGE"))
    return all(uid is None or uid == of for uid, of in zip(uids, held, strict=True))


def _wants_dicom(accept: str) -> bool:
    """Whether instances may be given as they are kept: in any transfer syntax, or in the one of explicit VR."""
    for field in accept.split(","):
        kind = media_type(field)
        if kind in {"", "*/*", "multipart/related", DICOM} and parameter(field, "type") in {"", DICOM}:
            return parameter(field, "transfer-syntax") in {"", "*", EXPLICIT} or not field
    return False
