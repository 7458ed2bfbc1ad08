"""The run record: its models and the journal that writes and reads it. All that renderers may import."""

from harness.record.models import (
    SCHEMA_VERSION,
    AdviceRecord,
    AuditRecord,
    ClaimRecord,
    ClaimVerdict,
    EndpointRecord,
    ListenRecord,
    NotExamined,
    ObjectsRecord,
    RunRecord,
    SeparationRecord,
    SourceRecord,
    SutRecord,
    VerdictKind,
    VerdictRecord,
    WaiverRecord,
)

__all__ = [
    "SCHEMA_VERSION",
    "AdviceRecord",
    "AuditRecord",
    "ClaimRecord",
    "ClaimVerdict",
    "EndpointRecord",
    "ListenRecord",
    "NotExamined",
    "ObjectsRecord",
    "RunRecord",
    "SeparationRecord",
    "SourceRecord",
    "SutRecord",
    "VerdictKind",
    "VerdictRecord",
    "WaiverRecord",
]
