"""Verifies the digital signatures of a DICOM file (PS3.15 Annex C, PS3.3 C.12.1.1.3) and says what they are worth.

Whatever a file holds, the answer is a `FileResult`: what cannot be judged is unknown, with the place. A signature is
valid where its MAC is that of the elements that it lists, its value was made by the key of its certificate, that
certificate was good when it signed, and it signs something, of which nothing stands there twice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from reference_impl.signatures.certificates import Trust, assess
from reference_impl.signatures.checking import MacChecker, MacFinding
from reference_impl.signatures.coverage import uncovered
from reference_impl.signatures.datetimes import has_offset, parsed_time
from reference_impl.signatures.documents import document_of
from reference_impl.signatures.elements import Element, Level, tag_text
from reference_impl.signatures.mac import is_excluded
from reference_impl.signatures.macros import DigitalSignature, LevelMacros, read_macros
from reference_impl.signatures.narrowing import narrowed
from reference_impl.signatures.policy import PLAIN, Lookup, Policy, Skip
from reference_impl.signatures.reader import DicomFile, NotDicomError, UnreadableError, open_dicom
from reference_impl.signatures.results import (
    CertificateResult,
    Code,
    DocumentResult,
    FileResult,
    PresentElement,
    Reason,
    SignatureResult,
    Standing,
    TimestampResult,
)

__all__ = ["PLAIN", "Lookup", "Policy", "Skip", "Trust", "verify", "verify_file"]


def verify_file(path: str | os.PathLike[str], policy: Policy = PLAIN) -> FileResult:
    """Verify every signature in the file at `path`. Raises nothing for what the file is or holds."""
    name = os.fspath(path)
    try:
        status = os.stat(name)  # noqa: PTH116 - a path that is no text is a path, too
        octets = status.st_size
        if not stat.S_ISREG(status.st_mode):  # a pipe could be waited for for ever
            return _unreadable(name, "it is no regular file", "")
        with open_dicom(path) as file:
            return replace(verify(file, policy), path=name, octets=octets)
    except NotDicomError as problem:
        return _unreadable(name, problem.text, "", "not-dicom")
    except UnreadableError as problem:
        return _unreadable(name, problem.text, problem.place)
    except (OSError, ValueError) as problem:
        return _unreadable(name, f"it cannot be read: {getattr(problem, 'strerror', None) or problem}", "")
    except (MemoryError, RecursionError):
        return _unreadable(name, "it takes more memory than there is", "")


def verify(file: DicomFile, policy: Policy = PLAIN) -> FileResult:
    """Verify every signature in an open file; `path` and `octets` stay empty. Raises UnreadableError."""
    return _Verification(file, policy).result()


def _unreadable(path: str, text: str, place: str, code: str = "unreadable") -> FileResult:
    try:
        octets = os.stat(path).st_size  # noqa: PTH116
    except (OSError, ValueError):
        octets = 0
    return FileResult(path=path, standing=Standing.UNKNOWN, octets=octets, problems=(Reason(code, text, place),))


class _Verification:
    """One file that is being verified."""

    def __init__(self, file: DicomFile, policy: Policy) -> None:
        self._file, self._policy = file, policy
        self._now = policy.now or datetime.now(UTC)
        self._checker = MacChecker(file, policy)
        self._present = tuple(map(_present, file.root.elements))
        self._document: DocumentResult | None = None
        self._found_uncovered: dict[tuple[int, frozenset[int]], tuple[Reason, ...]] = {}

    def result(self) -> FileResult:
        file, policy = self._file, self._policy
        macros = read_macros(file)
        self._document = document_of(file, file.sop_class, policy.references)
        judged = [each for level in self._chosen(macros) for each in self._level(level)]
        mac_ids = tuple(item.mac_id for level in macros for item in level.mac_parameters if item.mac_id is not None)
        problems = tuple(problem for level in macros for problem in level.problems)
        if macros and not any(each.signatures for each in macros):
            text = "there are traces of a digital signature, but no signature"
            problems = (*problems, Reason("no-signature", text, macros[0].location))
        standing = _worst([each.standing for each in judged])
        if standing is not Standing.INVALID and problems:
            standing = Standing.UNKNOWN
        if Skip.UNKNOWN in policy.skip and standing is Standing.UNKNOWN:
            standing = Standing.VALID
        return FileResult(
            path="",
            standing=standing,
            sop_class=file.sop_class,
            sop_instance=file.sop_instance,
            transfer_syntax=file.transfer_syntax,
            octets=file.file_size,
            signatures=tuple(judged),
            mac_ids=mac_ids,
            unused_mac_ids=tuple(_unused(macros)),
            present=self._present,
            document=self._document,
            problems=problems,
            notes=tuple(self._notes(judged)),
        )

    def _chosen(self, macros: Sequence[LevelMacros]) -> Iterator[LevelMacros]:
        """The data sets that are looked at: all, but for a careless verifier."""
        for each in macros:
            if each.location and Skip.NESTED in self._policy.skip:
                continue
            yield replace(each, signatures=each.signatures[:1]) if Skip.OTHERS in self._policy.skip else each

    def _level(self, macros: LevelMacros) -> list[SignatureResult]:
        judged = [self._signature(macros, each) for each in macros.signatures]
        return [narrowed(each, judged) if each.mac is Standing.INVALID else each for each in judged]

    def _signature(self, macros: LevelMacros, signature: DigitalSignature) -> SignatureResult:
        policy, level = self._policy, macros.level
        skip = policy.skip
        found = MacFinding(Standing.VALID) if Skip.VALUE in skip else self._checker.check(macros, signature)
        signed = frozenset(found.tags)
        rows = {tag: level.all(tag) for tag in found.tags}
        forbidden = _forbidden(rows)
        elements = [element for same in rows.values() for element in same]
        timestamp = self._timestamp(signature)
        at = self._time_of(signature, timestamp)
        certificate = self._certificate(signature, at)
        reasons = [*found.reasons]
        verdicts = [found.standing]
        if found.outside and any(each.code == "digest-info" for each in found.reasons):
            verdicts.append(Standing.INVALID)
        for standing, reason in (
            *self._list_faults(found, rows, forbidden, macros.level, signature),
            *self._certificate_faults(signature, certificate, timestamp),
            *self._timestamp_faults(signature, timestamp),
            *self._structure_faults(macros, signature, found),
        ):
            verdicts.append(standing)
            reasons.append(reason)
        parameters = found.parameters
        scheme = found.value.scheme if found.value is not None else ""
        if scheme == "rsa-other" and found.standing is not Standing.VALID:
            scheme = ""
        algorithm = parameters.algorithm if parameters else ""
        listed = tuple(map(tag_text, found.tags))
        return SignatureResult(
            location=macros.location,
            number=signature.number,
            standing=_worst(verdicts),
            uid=signature.uid,
            mac_id=signature.mac_id,
            mac_id_items=len(macros.parameters_of(signature)),
            signed_at=signature.signed_at,
            certificate_type=signature.certificate_type,
            algorithm=algorithm,
            transfer_syntax=parameters.transfer_syntax if parameters else "",
            signed=listed,
            absent=tuple(tag_text(tag) for tag, same in rows.items() if not same),
            forbidden=tuple(map(tag_text, forbidden)),
            in_order=all(one < other for one, other in zip(found.tags, found.tags[1:], strict=False)),
            mac=found.standing,
            variant=found.variant,
            scheme=scheme,
            signature_octets=len(signature.signature),
            certificate=certificate,
            timestamp=timestamp,
            purposes=signature.purposes,
            covers_sequences=any(element.has_items for element in elements),
            covers_encapsulated=any(element.length is None and not element.has_items for element in elements),
            profiles=self._profiles(listed, macros.location, algorithm, scheme, signature) if parameters else (),
            uncovered=self._uncovered(level, signed.difference(forbidden)),
            encoding=(*signature.encoding, *_offset_faults(signature), *(parameters.encoding if parameters else ())),
            reasons=tuple(reasons),
        )

    def _uncovered(self, level: Level, signed: frozenset[int]) -> tuple[Reason, ...]:
        """What nobody should believe to be signed; the same for all signatures over the same elements."""
        key = (level.row, signed)
        if key not in self._found_uncovered:
            self._found_uncovered[key] = uncovered({each.tag: each.vr for each in level.elements}, signed)
        return self._found_uncovered[key]

    # -- certificate and time ------------------------------------------------------------------------------------------

    def _timestamp(self, signature: DigitalSignature) -> TimestampResult | None:
        policy = self._policy
        if not signature.has_timestamp or Skip.TIMESTAMP in policy.skip:
            return None
        from reference_impl.signatures.timestamps import verify_timestamp

        trust = _resolved(policy.tsa_trust) or _resolved(policy.trust) or Trust()
        token, value = signature.timestamp, signature.signature
        return verify_timestamp(token, value, trust, self._now, kind=signature.timestamp_type)

    def _time_of(self, signature: DigitalSignature, timestamp: TimestampResult | None) -> datetime | None:
        """When the signature was made: as certified, else as it says itself; or the time that the policy names."""
        if self._policy.at is not None:
            return self._policy.at
        if timestamp is not None and timestamp.standing is Standing.VALID and timestamp.time:
            return datetime.fromisoformat(timestamp.time)
        return parsed_time(signature.signed_at)

    def _certificate(self, signature: DigitalSignature, at: datetime | None) -> CertificateResult | None:
        value = signature.certificate
        return assess(value, (), at, self._now, _resolved(self._policy.trust) or Trust()) if value else None

    def _certificate_faults(
        self, signature: DigitalSignature, certificate: CertificateResult | None, timestamp: TimestampResult | None
    ) -> Iterator[tuple[Standing, Reason]]:
        policy = self._policy
        if policy.integrity_only or Skip.CERTIFICATE in policy.skip or certificate is None:
            return
        if signature.certificate_type not in {"X509_1993_SIG", ""}:
            text = f"certificates of type {signature.certificate_type!r} are not known"
            yield Standing.UNKNOWN, Reason("certificate-type", text, signature.location)
        wanted = [each for each in certificate.reasons if _tells(each, certificate.at_signing)]
        if Skip.VALIDITY in policy.skip and wanted and all(each.code in _OF_TIME for each in wanted):
            return
        if certificate.at_signing is not Standing.VALID:
            for each in wanted or [Reason("certificate", "the certificate cannot be judged")]:
                yield certificate.at_signing, replace(each, place=signature.location)
        elif certificate.now is Standing.INVALID:
            certified = timestamp is not None and timestamp.standing is Standing.VALID
            for each in certificate.reasons:
                if each.code == "certificate-revoked-since" and not certified and policy.at is None:
                    text = f"{each.text}; that the signature is older is certified by no timestamp"
                    yield Standing.UNKNOWN, Reason(each.code, text, signature.location)

    def _timestamp_faults(
        self, signature: DigitalSignature, timestamp: TimestampResult | None
    ) -> Iterator[tuple[Standing, Reason]]:
        if Skip.TIMESTAMP in self._policy.skip:
            return
        if timestamp is None:
            if self._policy.require_timestamp:
                yield Standing.UNKNOWN, Reason("no-timestamp", "there is no certified timestamp", signature.location)
        elif timestamp.standing is Standing.INVALID:
            for each in timestamp.reasons or (Reason("timestamp", "the certified timestamp is not valid"),):
                yield Standing.INVALID, _of_timestamp(each, signature)
        elif timestamp.standing is Standing.UNKNOWN and self._policy.require_timestamp:
            for each in timestamp.reasons:
                yield Standing.UNKNOWN, _of_timestamp(each, signature)

    # -- list and structure --------------------------------------------------------------------------------------------

    def _list_faults(
        self,
        found: MacFinding,
        rows: dict[int, tuple[Element, ...]],
        forbidden: tuple[int, ...],
        level: Level,
        signature: DigitalSignature,
    ) -> Iterator[tuple[Standing, Reason]]:
        skip = self._policy.skip
        if found.parameters is None or found.standing is Standing.UNKNOWN:
            return
        if Skip.COVERAGE not in skip and not any(same for tag, same in rows.items() if tag not in forbidden):
            yield Standing.INVALID, Reason("signs-nothing", "it signs no element of the object", signature.location)
        for tag, same in rows.items():
            if len(same) > 1 and Skip.DUPLICATES not in skip:
                text = f"the signed element {tag_text(tag)} stands there {len(same)} times"
                yield Standing.INVALID, Reason("duplicate-element", text, same[1].place)
        syntax = self._checker.syntax_problem(found.parameters, level, found.tags)
        if syntax is not None and found.standing is Standing.VALID:
            yield Standing.UNKNOWN, syntax

    def _structure_faults(
        self, macros: LevelMacros, signature: DigitalSignature, found: MacFinding
    ) -> Iterator[tuple[Standing, Reason]]:
        for each in (*signature.encoding, *(found.parameters.encoding if found.parameters else ())):
            if each.code == "vr":  # of what the MAC does not cover, so that anybody could change it
                yield Standing.UNKNOWN, each
        for problem in macros.problems:
            if problem.code == "duplicate":
                yield Standing.UNKNOWN, problem
        for reason in found.reasons:
            if reason.code == "mac-id-not-unique":
                yield Standing.UNKNOWN, Reason("ambiguous", "what it signs is not determined", reason.place)

    # -- what it is worth ----------------------------------------------------------------------------------------------

    def _profiles(
        self, listed: tuple[str, ...], location: str, algorithm: str, scheme: str, signature: DigitalSignature
    ) -> tuple[str, ...]:
        return _satisfied(
            listed,
            self._present,
            self._document if self._document is None else replace(self._document, evidence=()),
            location,
            algorithm,
            scheme,
            signature.certificate_type,
            signature.timestamp_type if signature.has_timestamp else "",
            signature.purposes,
        )

    def _notes(self, judged: Sequence[SignatureResult]) -> Iterator[Reason]:
        """What concerns the file as a whole: elements that no valid signature at its top level covers."""
        top = [each for each in judged if not each.location and each.standing is Standing.VALID]
        if len(top) > 1:
            covered = {tag for each in top for tag in each.signed if tag not in each.forbidden}
            numbers = {int(tag[1:5] + tag[6:10], 16) for tag in covered}
            for reason in uncovered({each.tag: each.vr for each in self._file.root.elements}, numbers):
                yield replace(reason, text=f"covered by no signature: {reason.text}")
        for document in (self._document,) if self._document else ():
            for evidence in document.evidence:
                if evidence.standing is Standing.INVALID:
                    for reason in evidence.reasons:
                        yield Reason("evidence-differs", f"{evidence.sop_instance}: {reason.text}", reason.place)


_OF_TIME = frozenset({"certificate-expired", "certificate-not-yet-valid"})


def _of_timestamp(reason: Reason, signature: DigitalSignature) -> Reason:
    text = f"the certified timestamp is not accepted: {reason.text}"
    return replace(reason, text=text, place=reason.place or signature.location)


def _resolved(trust: Trust | Callable[[], Trust | None] | None) -> Trust | None:
    return trust() if callable(trust) else trust


def _tells(reason: Reason, standing: Standing) -> bool:
    """Whether a reason of a certificate says why it is invalid, or unknown, at the time of the signature."""
    if standing is Standing.INVALID:
        return reason.code.startswith("certificate-") and not reason.code.endswith(
            ("-since", "-weak-key", "-weak-hash")
        )
    return reason.code in {"no-anchors", "no-date"}


@lru_cache(maxsize=256)
def _satisfied(  # noqa: PLR0917 - a key of a cache
    listed: tuple[str, ...],
    present: tuple[PresentElement, ...],
    document: DocumentResult | None,
    location: str,
    algorithm: str,
    scheme: str,
    certificate_type: str,
    timestamp_type: str,
    purposes: tuple[Code, ...],
) -> tuple[str, ...]:
    from reference_impl.signatures.profiles import satisfied

    return satisfied(
        frozenset(listed),
        present,
        document,
        location=location,
        algorithm=algorithm,
        scheme=scheme,
        certificate_type=certificate_type,
        timestamp_type=timestamp_type,
        purposes=purposes,
    )


def _present(element: Element) -> PresentElement:
    if not element.has_items:
        return PresentElement(tag_text(element.tag), element.vr, element.vr == "UN")
    nested = tuple(map(tag_text, element.nested_tags()))
    return PresentElement(tag_text(element.tag), element.vr, element.holds_unknown, nested)


def _forbidden(rows: dict[int, tuple[Element, ...]]) -> tuple[int, ...]:
    """Tags of a list that shall not be in it (C.12.1.1.3.1.1)."""
    return tuple(
        tag
        for tag, same in rows.items()
        if is_excluded(tag, same[0].vr if same else "", bool(same) and same[0].has_items and same[0].holds_unknown)
    )


def _offset_faults(signature: DigitalSignature) -> Iterator[Reason]:
    text = signature.signed_at
    if text and parsed_time(text) is not None and not has_offset(text):
        yield Reason(
            "no-offset", "Digital Signature DateTime has no offset from UTC", f"{signature.location}.(0400,0105)"
        )


def _unused(macros: Sequence[LevelMacros]) -> Iterator[int]:
    for level in macros:
        used = {signature.mac_id for signature in level.signatures}
        for item in level.mac_parameters:
            if item.mac_id is not None and item.mac_id not in used:
                yield item.mac_id


def _worst(standings: Sequence[Standing]) -> Standing:
    for standing in (Standing.INVALID, Standing.UNKNOWN, Standing.VALID):
        if standing in standings:
            return standing
    return Standing.UNSIGNED
