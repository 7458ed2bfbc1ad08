"""Storing an instance at a DICOMweb origin server and getting it back: STOW-RS and WADO-RS (PS3.18 10.5, 10.4)."""

from __future__ import annotations

import json
import socket
import ssl

from harness.drivers.dimse import tls_context
from harness.objects.base import Work
from harness.objects.dicom_port import RECEIVED_OCTETS, Got, Sent
from reference_impl.http_exchange import HttpAnswer, HttpExchangeError, ask
from reference_impl.storage.instances import keys_of
from reference_impl.storage.multipart import DICOM, MultipartError, joined, media_type, parted
from reference_impl.storage.part10 import Instance, UnfitError, take_apart

ANY_SYNTAX = f'multipart/related; type="{DICOM}"; transfer-syntax=*'
"""Accept: instances as they are kept (PS3.18 8.7.3.5.2)."""
TAKEN = frozenset({200, 202})
"""Status codes with which an instance may have been stored (PS3.18 10.5.3.1)."""
_BEFORE_SENDING = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)
_NOT_YET = frozenset({202, 204, 404, 503})
_FAILED_SOP_SEQUENCE = "00081198"
_SHOWN = 120


def web_root(work: Work) -> str:
    """The URL that the SUT's DICOMweb resources begin with."""
    web, target = work.objects.web, work.sut.target(work.endpoint)
    if web.startswith("http"):
        return web.rstrip("/")
    scheme = "https" if target.protocol in {"https", "dicom-tls"} else "http"
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{scheme}://{host}:{target.port}{web.rstrip('/')}"


def store(work: Work, instance: Instance, octets: bytes, seconds: float) -> Sent:
    """Post the file `octets` of `instance`."""
    content_type, body = joined([octets])
    try:
        answer = _ask(work, f"{web_root(work)}/studies", seconds, question=body, content_type=content_type)
    except HttpExchangeError as problem:
        return Sent(None, (), str(problem), unsaid=not isinstance(problem.__context__, _BEFORE_SENDING))
    taken = answer.status in TAKEN and not _failed(answer)
    contexts = (instance.syntax,) if taken else ()
    return Sent(answer.status, contexts, f"HTTP status {answer.status}{_said(answer)}", taken=taken)


def retrieve(work: Work, instance: Instance, seconds: float) -> Got:
    """Get `instance` as the SUT keeps it."""
    keys = keys_of(instance)
    path = f"studies/{keys.get('StudyInstanceUID', '')}/series/{keys.get('SeriesInstanceUID', '')}"
    url = f"{web_root(work)}/{path}/instances/{instance.sop_instance}"
    try:
        answer = _ask(work, url, seconds, accept=ANY_SYNTAX)
    except HttpExchangeError as problem:
        return Got(None, str(problem))
    if answer.status != 200:
        return Got(None, f"HTTP status {answer.status}{_said(answer)}", answer.status in _NOT_YET)
    try:
        parts = parted(answer.content_type, answer.body) if answer.media_type.startswith("multipart/") else [
            (answer.content_type, answer.body)
        ]  # fmt: skip
        found = [take_apart(octets) for kind, octets in parts if media_type(kind) in {"", DICOM}]
    except (MultipartError, UnfitError) as problem:
        return Got(None, f"what came cannot be read: {problem}")
    fitting = next((one for one in found if one.sop_instance == instance.sop_instance), None)
    return Got(fitting, "" if fitting else "the answer holds another instance, or none")


def _ask(
    work: Work, url: str, seconds: float, *, question: bytes | None = None, content_type: str = "", accept: str = ""
) -> HttpAnswer:
    context = tls_context(work.sut.target(work.endpoint)) if url.startswith("https:") else None
    work.check_running()
    with work.budget.connection():
        return ask(
            url,
            question,
            content_type,
            accept=accept or "application/dicom+json",
            seconds=seconds,
            largest=RECEIVED_OCTETS,
            context=context,
        )


def _failed(answer: HttpAnswer) -> bool:
    """Whether the answer names an instance that was not stored."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    sequence = told.get(_FAILED_SOP_SEQUENCE) if isinstance(told, dict) else None
    return isinstance(sequence, dict) and bool(sequence.get("Value"))


def _said(answer: HttpAnswer) -> str:
    text = answer.body[:_SHOWN].decode("utf-8", "replace").strip()
    return f": {text!r}" if text else ""
