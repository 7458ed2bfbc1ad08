"""``report.html``: one self-contained file that can be read, filtered, printed and signed."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.record import RunRecord, VerdictKind
from harness.record.names import group_name, scheme_name, version_name
from reports.audit import trail_of
from reports.document import summary_of
from reports.evidence import EvidenceFiles
from reports.exchanges import exchanges_of
from reports.facts import Endpoint
from reports.findings import claims_of, failures_of, open_reasons, unexamined_of
from reports.pictures import QUALITIES, chart_of, matrix_of
from reports.signatures import signatures_of
from reports.text import plural, spoken, visible, visible_line
from reports.trials import cited_by, introduction_of, rows_of, shown_rows
from reports.words import JUDGED, WITHOUT_TLS, WORDS, moment, protocol, rank, word, worst

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment

MAXIMUM_OCTETS = 2_000_000
"""Size of the whole file; the octets of exchanges shown in it give way, evidence/ has them."""
_BUDGETS = (900_000, 250_000, 0)
_TEMPLATES = Path(__file__).parent / "templates"


def html_text(record: RunRecord, endpoints: list[Endpoint], files: EvidenceFiles) -> str:
    """The report of `record`, below `MAXIMUM_OCTETS`: evidence is shown as far as it fits."""
    context = _context(record, endpoints, files)
    for budget in _BUDGETS:
        text = _render("report.html.j2", {**context, "exchanges": exchanges_of(record, files, budget)})
        if len(text.encode()) <= MAXIMUM_OCTETS:
            break
    return text


def index_text(context: dict[str, Any]) -> str:
    """The page over several devices."""
    return _render("index.html.j2", context)


def _render(template: str, context: dict[str, Any]) -> str:
    style, script = _asset("style.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return _environment().get_template(template).render(context, style=style, script=script, policy=policy)


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").strip()


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _compiled() -> BytecodeCache | None:
    """Where compiled templates are kept: beside them, as Python keeps its modules; None where that is not possible."""
    from jinja2 import FileSystemBytecodeCache

    if sys.dont_write_bytecode:
        return None
    folder = _TEMPLATES / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    # jinja2 notices changed templates by itself; the settings of the environment are in this file.
    settings = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return FileSystemBytecodeCache(str(folder), f"{settings}-%s.jinja2")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    def shown(value: Any) -> Any:
        # Markup is made by templates and macros alone; whatever else is put out may stem from the SUT.
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_compiled(),
        optimized=False,  # nothing in the templates is constant enough to pay for the search
    )
    environment.filters.update(
        line=visible_line,
        moment=moment,
        plural=plural,
        protocol=protocol,
        spoken=spoken,
        word=word,
        version=version_name,
        group=group_name,
        scheme=scheme_name,
        whole=escape,  # text that is already visible and bounded
        asset=Markup,  # style and script only: both are this project's own files
    )
    return environment


def _context(record: RunRecord, endpoints: list[Endpoint], files: EvidenceFiles) -> dict[str, Any]:
    claims = claims_of(record)
    summary = summary_of(record.verdicts)
    judged = [verdict for verdict in record.verdicts if not verdict.derived]  # what the claims' numbers count
    sut = record.header.sut
    cited = cited_by(record.verdicts)
    device = " ".join(filter(None, (sut.vendor, sut.product, sut.version))) or sut.id
    return {
        "header": record.header,
        "sut": sut,
        "device": device,
        "footer": record.footer,
        "judging": record.judging,
        "record": record,
        "claims": claims,
        "conclusion": _conclusion(record),
        "failures": failures_of(claims),
        "errors": failures_of(claims, VerdictKind.ERROR),
        "warnings": failures_of(claims, VerdictKind.WARNING),
        "inconclusive": open_reasons(claims, VerdictKind.INCONCLUSIVE),
        "expired": [waiver for waiver in sut.waivers if waiver.expired],
        "summary": summary,
        "chart": chart_of(summary_of(judged)),
        "derived": len(record.verdicts) - len(judged),
        "words": WORDS,
        "judged": JUDGED,
        "qualities": QUALITIES,
        "endpoints": endpoints,
        "endpoints_by_name": {at.name: at for at in endpoints},
        "matrices": {at.name: matrix_of(at.suites, at.versions) for at in endpoints if at.suites is not None},
        "introductions": {at.name: introduction_of(at.trials) for at in endpoints if at.trials},
        "trials": {at.name: rows_of(at.trials, cited) for at in endpoints if at.trials},
        "shown": {
            at.name: shown_rows(at.client_certificates.trials, cited) for at in endpoints if at.client_certificates
        },
        "signatures": [told for at in endpoints if (told := signatures_of(at, cited)) is not None],
        "trails": [trail for at in endpoints if (trail := trail_of(at, cited)) is not None],
        "without_tls": {at.name for at in sut.endpoints if at.protocol in WITHOUT_TLS},
        "transport": not sut.endpoints or any(at.protocol not in WITHOUT_TLS for at in sut.endpoints),
        "unexamined": unexamined_of(record.not_examined),
        "unexamined_reasons": _reasons(record),
        "files": files,
        "total": len(record.verdicts),
    }


def _reasons(record: RunRecord) -> list[tuple[str, int]]:
    unexamined = {item.requirement: item for item in record.not_examined}
    numbers: dict[str, int] = {}
    for item in unexamined.values():
        obliges = item.level == "may" or item.reason == "no obligation"
        label = "oblige nobody" if obliges else _WHY.get(item.judged, "are outside this run")
        numbers[label] = numbers.get(label, 0) + 1
    return sorted(numbers.items(), key=lambda entry: -entry[1])


_WHY = {
    "not-testable": "cannot be tested from outside",
    "by-declaration": "need the vendor's declaration",
    "by-operator": "need an operator's step",
}


def _conclusion(record: RunRecord) -> tuple[str, str]:
    """The verdict to mark the first page with and the sentence that says it all."""
    claims = record.claims
    if not record.verdicts or not claims:
        return "inconclusive", "Nothing was judged."
    overall = worst({claim.verdict.value: 1 for claim in claims})
    kind = overall.kind if overall is not None and overall.kind in _OUTCOMES else "pass"
    profiles = [claim.profile for claim in claims]
    said: dict[str, list[str]] = {}
    for claim in sorted(claims, key=lambda claim: rank(claim.verdict)):
        name = claim.profile if profiles.count(claim.profile) == 1 else f"{claim.profile} at {claim.endpoint}"
        said.setdefault(_OUTCOMES.get(claim.verdict.value, _OUTCOMES["pass"]), []).append(name)
    sentence = "; ".join(f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {out}" for out, names in said.items())
    warnings = sum(verdict.verdict == VerdictKind.WARNING for verdict in record.verdicts)
    return kind, sentence + (f", with {plural(warnings, 'warning')}." if kind == "pass" and warnings else ".")


_OUTCOMES = {
    "fail": "not kept",
    "error": "not decided: the harness itself failed",
    "inconclusive": "not decided: nothing failed, but not everything could be established",
    "pass": "kept",
}


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def prepare() -> None:
    """Compile the templates, so that a report is made faster later: to be called while a network is waited for."""
    for name in (
        "report",
        "macros",
        "summary",
        "requirements",
        "separations",
        "facts",
        "trials",
        "signatures",
        "audit",
        "rest",
    ):
        _environment().get_template(f"{name}.html.j2")
