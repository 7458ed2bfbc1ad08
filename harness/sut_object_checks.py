"""Whether an endpoint can show what a SUT does in a role that is judged by objects, and the sentences where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sut_audit import AUDIT_ROLES
from harness.sut_audit_checks import (
    audit_repository_problem,
    audit_sharing_problem,
    audit_source_problem,
)
from harness.sut_clients import EMBEDDED, OBJECT_PLACEHOLDERS
from harness.sut_objects import OBJECT_ROLES, SIGNATURE_ROLES
from harness.sut_parts import SIGNATURE_PROFILES

if TYPE_CHECKING:
    from harness.sut_file import Endpoint, SutFile


def check_objects(number: int, role: str, name: str, file: SutFile) -> None:
    """Raise `ValueError` for the claim `number` of `role` at the endpoint `name`, where that cannot be judged."""
    endpoint = file.endpoints[name]
    where = f"claims #{number}: "
    if problem := _CHECKS[role](name, endpoint, file) or _shared(role, name, file) or _driver(role, name, file):
        raise ValueError(where + problem)


def _placeholders(endpoint: Endpoint, file: SutFile) -> tuple[str, ...]:
    """What the command that drives an endpoint is told; nothing where it is none."""
    table = file.drivers.get(endpoint.objects.driver) if endpoint.objects else None
    return table.names if table is not None else ()


def _creator(name: str, endpoint: Endpoint, file: SutFile) -> str:
    if endpoint.listen is not None:
        if endpoint.protocol not in {"dicom", "dicom-tls"}:
            return (
                f"objects are sent to us by C-STORE, and the endpoint {name!r} is {endpoint.protocol}; "
                'write protocol = "dicom" or "dicom-tls"'
            )
        return ""
    if endpoint.objects is None or not (endpoint.objects.folder or endpoint.objects.driver):
        return (
            f"as signature-creator the SUT hands us objects, and the endpoint {name!r} says not how; add a table "
            f"[endpoints.{name}.objects] with folder or driver, or [endpoints.{name}.listen] if it sends them"
        )
    given = endpoint.objects.driver == EMBEDDED or "input" in _placeholders(endpoint, file)
    if endpoint.objects.select and not given:
        return f"the endpoint {name!r} is given no instances that could be selected; leave objects.select out"
    return ""


def _verifier(name: str, endpoint: Endpoint, file: SutFile) -> str:  # noqa: ARG001
    if endpoint.listen is not None:
        return (
            f"as signature-verifier the SUT is shown objects, and the endpoint {name!r} listens for it; name one with "
            'a port, or with protocol = "files"'
        )
    return ""


def _storer(name: str, endpoint: Endpoint, file: SutFile) -> str:  # noqa: ARG001
    if endpoint.listen is not None or endpoint.protocol == "files":
        how = "hands over files" if endpoint.protocol == "files" else "listens for it"
        return (
            f"as instance-storer the SUT is sent objects, and the endpoint {name!r} {how}; name one with protocol "
            '"dicom", "dicom-tls", "http" or "https" and a port'
        )
    retrieve = endpoint.objects.retrieve if endpoint.objects else None
    if endpoint.protocol in {"http", "https"} and retrieve in {"c-get", "c-move"}:
        return (
            f'the endpoint {name!r} is {endpoint.protocol}, where nothing is retrieved by {retrieve}; write "wado-rs"'
        )
    if endpoint.protocol.startswith("dicom") and endpoint.objects is not None:
        by_web = endpoint.objects.retrieved_by(endpoint.protocol) == "wado-rs"
        if by_web and not endpoint.objects.web.startswith("http"):
            return (
                f"endpoint {name!r}: objects.web is missing; write the URL of the SUT's DICOMweb resources, for "
                'example web = "http://host:8042/dicom-web"'
            )
    return ""


def check_role(number: int, profile: str, role: str) -> None:
    """Raise `ValueError` where a profile that is judged by objects is claimed in a role of connections."""
    if profile in SIGNATURE_PROFILES and role not in SIGNATURE_ROLES:
        raise ValueError(
            f"claims #{number}: {profile} is judged by objects, not as {role}; write role = "
            + " or ".join(f'"{each}"' for each in sorted(SIGNATURE_ROLES))
        )


_CHECKS = {
    "signature-creator": _creator,
    "signature-verifier": _verifier,
    "instance-storer": _storer,
    "audit-source": audit_source_problem,
    "audit-repository": audit_repository_problem,
}


def _shared(role: str, name: str, file: SutFile) -> str:
    """Why two roles cannot share an endpoint; empty where they can."""
    if role in AUDIT_ROLES:
        return audit_sharing_problem(role, name, file)
    here = {str(claim.role) for claim in file.claims if name in (claim.endpoint, *claim.alternates)}
    if role == "signature-creator":
        if others := sorted(here & OBJECT_ROLES - {role}):
            return f"the endpoint {name!r} is claimed as {others[0]}, too; name an endpoint of its own for each of them"
        if file.endpoints[name].listen is not None and (others := sorted(here - OBJECT_ROLES)):
            return (
                f"the endpoint {name!r} is where a {others[0]} is examined; add an endpoint with a listen table and a "
                "port of its own for the objects"
            )
    return ""


def _driver(role: str, name: str, file: SutFile) -> str:
    """What is wrong with the driver of `name` for `role`."""
    objects = file.endpoints[name].objects
    if role in AUDIT_ROLES or objects is None or not objects.driver or objects.driver == EMBEDDED:
        return ""
    table = file.drivers.get(objects.driver)
    if table is None:
        return ""  # told where the endpoint is checked
    if table.kind == "dimse":
        return f"the driver {objects.driver!r} is a DIMSE request, which hands over no file; name one with a command"
    if role == "instance-storer":
        return f"a storer needs no driver, and the endpoint {name!r} names {objects.driver!r}; leave it out"
    used = [one for one in table.names if one in OBJECT_PLACEHOLDERS]
    if table.kind == "command" and role == "signature-verifier" and "input" not in used and not objects.folder:
        return (
            f"the command of driver {objects.driver!r} is not told what to verify; write {{input}} into it, where the "
            "path of the object stands"
        )
    if table.kind == "command" and role == "signature-creator" and "input" not in used and not objects.folder:
        return (
            f"the command of driver {objects.driver!r} is not told what to sign; write {{input}} and {{output}} into "
            f"it, or write the folder that it fills: endpoints.{name}.objects.folder"
        )
    if table.kind == "operator" and role == "signature-creator" and not objects.folder:
        return (
            f"the driver {objects.driver!r} is a person; write where the signed objects are then to be found: "
            f"endpoints.{name}.objects.folder"
        )
    return ""
