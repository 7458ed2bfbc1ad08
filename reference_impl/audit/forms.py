"""Other forms that audit messages have had, by what betrays them: so that a message is named and not just refused."""

from __future__ import annotations

from lxml import etree

from reference_impl.audit.limits import Limits
from reference_impl.audit.rules.collecting import local_name, shortened

RFC_3881 = "RFC 3881, or DICOM before csd-code (code, codeSystem)"
NESTED = "older DICOM (what describes an object stands outside ParticipantObjectDescription)"
MISSPELT = "older DICOM (ParticipantObjectSensistity)"
IHE = "IHE ATNA (PurposeOfUse)"
IHE_PROVISIONAL = "IHE before RFC 3881 (IHEYr4)"
FHIR = "FHIR AuditEvent"

_CODED = frozenset(
    {
        "EventID",
        "EventTypeCode",
        "RoleIDCode",
        "MediaType",
        "AuditSourceTypeCode",
        "ParticipantObjectIDTypeCode",
        "PurposeOfUse",
    }
)
_DESCRIBING = frozenset({"MPPS", "Accession", "SOPClass", "ParticipantObjectContainsStudy", "Encrypted", "Anonymized"})
_FHIR = "http://hl7.org/fhir"


def forms_of(root: etree._Element, limits: Limits) -> tuple[str, ...]:
    """The forms that a message follows in some place, beside or instead of this edition's."""
    namespace = etree.QName(root).namespace
    name = local_name(root)
    if namespace == _FHIR:
        return (FHIR,)
    if name == "IHEYr4":
        return (IHE_PROVISIONAL,)
    found: dict[str, None] = {}
    if namespace and name == "AuditMessage":
        found[f"a namespace of its own ({shortened(namespace, limits.shown)})"] = None
    for element in root.iter():
        own = local_name(element)
        if own in _CODED and ("csd-code" not in element.attrib and "code" in element.attrib):
            found[RFC_3881] = None
        if own == "PurposeOfUse":
            found[IHE] = None
        if "ParticipantObjectSensistity" in element.attrib:
            found[MISSPELT] = None
        parent = element.getparent()
        if own in _DESCRIBING and parent is not None and local_name(parent) == "ParticipantObjectIdentification":
            found[NESTED] = None
    return tuple(found)
