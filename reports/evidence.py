"""Evidence files: what lets a stranger check a verdict with nothing but a text viewer or openssl."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from harness.record import RunRecord
from harness.record.facts import CertificateChain, Exchange
from reports.facts import Endpoint
from reports.text import slug, visible_line

TOTAL_OCTETS = 16 * 1024 * 1024
"""Size of all evidence files together; what does not fit is named in a note, and is whole in run.jsonl."""
FILE_OCTETS = 512 * 1024
"""Size of one evidence file."""
_PRINTABLE = bytes(code if 0x20 <= code < 0x7F else 0x2E for code in range(256))


@dataclass
class EvidenceFiles:
    """What was written: file names (relative to the report) by exchange id and by chain, and notes of what was cut."""

    of_exchange: dict[str, str] = field(default_factory=dict)
    of_chain: dict[tuple[str, int], str] = field(default_factory=dict)  # (endpoint, position of the chain)
    notes: list[str] = field(default_factory=list)

    def cited(self, ids: Iterable[str]) -> list[str]:
        """The files of these exchanges, in order and without doubles; those that were not written are left out."""
        return list(dict.fromkeys(self.of_exchange[name] for name in ids if name in self.of_exchange))


@lru_cache(maxsize=2048)  # the same octets go into the evidence file and into report.html
def hex_dump(data: bytes) -> str:
    """Lines of offset, sixteen octets in hex, and the same as ASCII; "" for no octets."""
    lines = []
    for offset in range(0, len(data), 16):
        part = data[offset : offset + 16]
        lines.append(f"  {offset:06x}  {part.hex(' '):<47}  {part.translate(_PRINTABLE).decode('ascii')}")
    return "\n".join(lines)


def octets_of(recorded: str) -> bytes:
    """The octets of a segment; a segment that is no hex (a record that was edited) as the text that it is."""
    try:
        return bytes.fromhex(recorded)
    except ValueError:
        return recorded.encode("utf-8", "backslashreplace")


def cited_exchanges(record: RunRecord) -> list[Exchange]:
    """Every exchange that a verdict or a piece of advice cites: failures' first, otherwise as they happened."""
    failing = {name for verdict in record.verdicts if verdict.verdict in {"fail", "error"} for name in verdict.evidence}
    cited = failing.union(*(verdict.evidence for verdict in record.verdicts), *(a.evidence for a in record.advice))
    found = [exchange for name, exchange in record.exchanges.items() if name in cited]
    return sorted(found, key=lambda exchange: exchange.id not in failing)


def exchange_text(exchange: Exchange, objects: Sequence[str] = ()) -> Iterator[str]:
    """The lines of one exchange: head, decoded messages, then every segment as a hex dump.

    Where segments are the files `objects`, these are named instead.
    """
    yield f"Exchange    {visible_line(exchange.id)}"
    yield f"Purpose     {visible_line(exchange.purpose)}"
    yield f"Endpoint    {visible_line(exchange.endpoint)} ({visible_line(exchange.peer)})"
    yield f"Started     {exchange.started.isoformat()}, took {exchange.duration_ms:.1f} ms"
    yield f"Outcome     {visible_line(exchange.outcome)}"
    if exchange.truncated:
        yield "Note        a size limit cut this record of the connection"
    if exchange.decoded:
        yield ""
        yield "Decoded"
        yield from (f"  {visible_line(line)}" for line in exchange.decoded)
    for number, (direction, at, octets) in enumerate(exchange.segments):
        data = octets_of(octets)
        yield ""
        yield f"{direction.capitalize()} after {at:.1f} ms, {len(data)} octets"
        yield f"  see {objects[number]}" if objects else hex_dump(data)


def _objects(exchange: Exchange, used: set[str]) -> Iterator[tuple[str, bytes]]:
    """Name and octets of the objects that were handed over whole: for those who look with a tool of their own."""
    if exchange.is_of_objects and not exchange.truncated:
        for direction, _, octets in exchange.segments:
            yield _unused(slug(f"{exchange.id}-{direction}"), ".dcm", used), octets_of(octets)


def write_evidence(record: RunRecord, endpoints: Iterable[Endpoint], directory: Path) -> EvidenceFiles:
    """Write `directory`/evidence and return what was written. Files of an earlier rendering are replaced."""
    folder = directory / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    stale = {path for pattern in ("*.txt", "*.pem", "*.dcm") for path in folder.glob(pattern)}
    files = EvidenceFiles()
    left = TOTAL_OCTETS
    omitted = 0
    for name, chain_key, exchange_id, content in _contents(record, endpoints):
        data = content if isinstance(content, bytes) else _bounded(content, name, files.notes)
        if len(data) > left:
            omitted += 1
            continue
        left -= len(data)
        path = folder / name
        path.write_bytes(data)
        stale.discard(path)
        if exchange_id is not None:
            files.of_exchange[exchange_id] = f"evidence/{name}"
        if chain_key is not None:
            files.of_chain[chain_key] = f"evidence/{name}"
    if omitted:
        files.notes.append(
            f"{omitted} evidence files were left out: together they may have {TOTAL_OCTETS // 2**20} MiB. "
            "The record run.jsonl holds them whole."
        )
    for path in stale:
        path.unlink()
    return files


def _contents(
    record: RunRecord, endpoints: Iterable[Endpoint]
) -> Iterator[tuple[str, tuple[str, int] | None, str | None, str | bytes]]:
    """Name, chain or exchange, and content of every file."""
    used: set[str] = set()
    for endpoint in endpoints:
        for position, chain in enumerate(endpoint.chains):
            name = _unused(f"certificates-{slug(endpoint.name)}-{position + 1}", ".pem", used)
            yield name, (endpoint.name, position), None, chain_pem(chain)
    for exchange in cited_exchanges(record):
        objects = list(_objects(exchange, used))
        text = exchange_text(exchange, [name for name, _ in objects])
        yield _unused(slug(exchange.id), ".txt", used), None, exchange.id, "\n".join((*text, ""))
        for name, octets in objects:
            yield name, None, None, octets


def chain_pem(chain: CertificateChain) -> str:
    """The chain as PEM, leaf first as it was presented, each certificate under a comment with its subject."""
    parts = []
    for certificate in chain.certificates:
        parts.append(f"# subject: {visible_line(certificate.subject)}")
        parts.append(f"# issuer: {visible_line(certificate.issuer)}")
        parts.append(certificate.pem.strip())
    return "\n".join((*parts, ""))


def _bounded(text: str, name: str, notes: list[str]) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= FILE_OCTETS:
        return data
    notes.append(f"evidence/{name} was cut at {FILE_OCTETS // 1024} KiB. The record run.jsonl holds it whole.")
    kept = data[:FILE_OCTETS].rsplit(b"\n", 1)[0]
    return kept + f"\n(cut here: {len(data)} octets in all)\n".encode()


def _unused(stem: str, suffix: str, used: set[str]) -> str:
    name, number = f"{stem}{suffix}", 2
    while name.lower() in used:
        name, number = f"{stem}-{number}{suffix}", number + 1
    used.add(name.lower())
    return name
