"""JSON Schemas of everything machine-readable that ps315 reads or writes.

Those of models are made from the models (``python -m harness.schemas`` writes them anew); the others are written by
hand. Tests hold real output against all of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

FOLDER = Path(__file__).resolve().parent
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generated() -> dict[str, dict[str, Any]]:
    """The schemas that are made from models, by file name."""
    from harness.record.models import Event
    from harness.sut import SutFile

    event: TypeAdapter[Any] = TypeAdapter(Event)
    return {
        "run-event.schema.json": {
            "$schema": _DIALECT,
            "title": "One line of run.jsonl",
            **event.json_schema(mode="serialization"),
        },
        "sut.schema.json": {"$schema": _DIALECT, **SutFile.model_json_schema(by_alias=True)},
    }


def text_of(schema: dict[str, Any]) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def load(name: str) -> dict[str, Any]:
    """The schema in the file `name`."""
    schema: dict[str, Any] = json.loads((FOLDER / name).read_bytes())
    return schema
