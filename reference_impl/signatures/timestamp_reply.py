"""The reply of a time-stamping authority (TimeStampResp, RFC 3161 2.4.2) as ASN.1."""

from __future__ import annotations

from typing import Any, ClassVar

from asn1crypto import core, tsp
from asn1crypto.cms import ContentInfo


class Reply(core.Sequence):  # type: ignore[misc]
    """A status and, where the request is granted, a token; asn1crypto's own lacks replies without one."""

    _fields: ClassVar[list[Any]] = [("status", tsp.PKIStatusInfo), ("token", ContentInfo, {"optional": True})]
