"""The tables of a SUT file for objects: how a SUT hands us what it signed, judges what we show, keeps what we send."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.sut_audit import AUDIT_ROLES
from harness.sut_parts import AeTitle, Part

SIGNATURE_ROLES = frozenset({"signature-creator", "signature-verifier", "instance-storer"})
"""Roles in which a SUT is judged by DICOM objects that are handed over."""
OBJECT_ROLES = SIGNATURE_ROLES | AUDIT_ROLES
"""Roles in which a SUT is judged by what is handed over: objects or messages."""


class Said(Part):
    """How a command gives an answer: by its exit status, by what it prints, or by both together.

    `output` is a regular expression that is searched in what the command prints on its outputs.
    """

    exit: tuple[Annotated[int, Field(ge=0, le=255, strict=True)], ...] = ()
    output: Annotated[str, Field(max_length=1000)] = ""

    @field_validator("output")
    @classmethod
    def _an_expression(cls, output: str) -> str:
        try:
            re.compile(output)
        except re.error as problem:
            raise ValueError(f"is no regular expression: {problem}; mend it, or quote its characters with \\") from None
        return output

    @model_validator(mode="after")
    def _something(self) -> Said:
        if not self.exit and not self.output:
            raise ValueError('says nothing; write { exit = [1] }, { output = "a regular expression" } or both')
        return self

    def matches(self, status: int, output: str) -> bool:
        """Whether a command that ended with `status` and printed `output` gave this answer."""
        if self.exit and status not in self.exit:
            return False
        return not self.output or re.search(self.output, output, re.MULTILINE) is not None


class Objects(Part):
    """How objects are handed over at an endpoint.

    A creator's are in `folder`, or its `driver` makes them of what it is given; a verifier's `driver` tells what it
    says (without one an operator does, or at a DICOM port the C-STORE status), and `folder` is where it finds what it
    is shown; a storer gives back by `retrieve`. `seconds` bounds one step, `select` narrows what is handed over to
    names that match one of the patterns, `most` how many objects of the SUT are looked at.

    `destination`, `port` and `address` are those at which the SUT moves to us (C-MOVE), `web` is the base of its
    DICOMweb resources: a URL, or the path at the endpoint.
    """

    folder: Annotated[str, Field(max_length=1000)] = ""
    driver: str = ""
    seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    select: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    most: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 500
    retrieve: Literal["c-get", "c-move", "wado-rs", "folder"] | None = None
    destination: AeTitle | None = None
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    address: Annotated[str, Field(max_length=255)] = ""
    web: Annotated[str, Field(max_length=1000, pattern=r"^(https?://[^\s]+|/[^\s]*)?$")] = ""

    def retrieved_by(self, protocol: str) -> str:
        """How what was stored is retrieved: as written, else over the web where there is one, else by C-GET."""
        return self.retrieve or ("wado-rs" if self.web or protocol in {"http", "https"} else "c-get")

    @model_validator(mode="after")
    def _goes_together(self) -> Objects:
        if self.retrieve == "c-move" and (self.destination is None or self.port is None):
            raise ValueError(
                "destination and port are missing; write the AE title and the port of this computer that the SUT moves "
                'to, for example destination = "PS315-HARNESS" and port = 11114'
            )
        if self.retrieve == "folder" and not self.folder:
            raise ValueError('folder is missing; write where the SUT keeps its files, for example folder = "archive"')
        for key in ("destination", "port", "address"):
            if self.retrieve != "c-move" and key in self.model_fields_set:
                raise ValueError(f'{key} is no key without retrieve = "c-move"; write that, or leave it out')
        return self
