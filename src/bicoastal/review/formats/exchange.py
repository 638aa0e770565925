"""SARIF, JUnit and GitHub's annotations: the same rows and findings, where other tools show them.

A row that is not delivered is a result of its own, at the file that it is about or at the first template: code scanning
and pull requests show what is missing beside what is wrong. Where rows do not make the review say no (`--fail-on error`
alone), they are told as notes: nothing is shown red in a run that passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from bicoastal import __version__
from bicoastal.cfn.deployment import Deployment
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.verdict import RowVerdict, Verdict

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


@dataclass(frozen=True)
class _Result:
    rule: str
    title: str
    severity: Severity
    file: str
    line: int
    column: int
    text: str


def as_sarif(
    rows: Sequence[RowVerdict], findings: Sequence[Finding], deployment: Deployment, *, rows_count: bool = True
) -> str:
    """SARIF 2.1.0. `rows_count`: whether a row that is not delivered makes the review say no."""
    results = list(_results(rows, findings, deployment, rows_count=rows_count))
    rules = {result.rule: result for result in results}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "bicoastal",
                        "version": __version__,
                        "rules": [
                            {
                                "id": rule,
                                "shortDescription": {"text": result.title},
                                "defaultConfiguration": {"level": _LEVELS[result.severity]},
                            }
                            for rule, result in rules.items()
                        ],
                    }
                },
                "results": [_sarif_result(result, list(rules).index(result.rule)) for result in results],
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sarif_result(result: _Result, index: int) -> dict[str, Any]:
    return {
        "ruleId": result.rule,
        "ruleIndex": index,
        "level": _LEVELS[result.severity],
        "message": {"text": result.text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": result.file.replace("\\", "/")},
                    "region": {"startLine": max(result.line, 1), "startColumn": max(result.column, 1)},
                }
            }
        ],
    }


def as_junit(
    rows: Sequence[RowVerdict], findings: Sequence[Finding], deployment: Deployment, *, rows_count: bool = True
) -> str:
    """A test case for each row, one for each finding, and one for each template in which none was found."""
    wrong = [result for result in _results((), findings, deployment) if result.severity is not Severity.INFO]
    clean = {stack.template.file for stack in deployment.stacks.values()} - {result.file for result in wrong}
    kinds = {row.id: _kind(row) if rows_count or _kind(row) != "failure" else "warning" for row in rows}
    cases = [*(_case("asked", f"{row.id} {row.title}", _row_text(row), kinds[row.id]) for row in rows)]
    for result in wrong:
        kind = "failure" if result.severity is Severity.ERROR else "warning"
        cases.append(_case(result.file, f"{result.rule} line {result.line}", result.text, kind))
    cases += [_case(file, "no finding", "", "") for file in sorted(clean)]
    failures = sum("<failure" in case for case in cases)
    skipped = sum("<skipped" in case for case in cases)
    head = (
        f'<testsuite name="bicoastal review" tests="{len(cases)}" failures="{failures}" skipped="{skipped}" errors="0">'
    )
    body = "".join(cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{head}\n{body}</testsuite>\n</testsuites>\n'


def _kind(row: RowVerdict) -> str:
    return {Verdict.DELIVERED: "", Verdict.UNKNOWN: "skipped"}.get(row.verdict, "failure")


def _case(suite: str, name: str, text: str, kind: str) -> str:
    head = f"  <testcase classname={quoteattr(_xml(suite))} name={quoteattr(_xml(name))}"
    if not kind:
        return f"{head}/>\n"
    text = _xml(text)
    if kind == "warning":
        return f"{head}><system-out>{escape(text)}</system-out></testcase>\n"
    message = quoteattr(text.splitlines()[0] if text else name)
    return f"{head}><{kind} message={message}>{escape(text)}</{kind}></testcase>\n"


def _xml(text: str) -> str:
    """Without the control characters that XML cannot hold, in whatever way they are written."""
    return _CONTROL.sub("?", text)


def as_github(
    rows: Sequence[RowVerdict], findings: Sequence[Finding], deployment: Deployment, *, rows_count: bool = True
) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
    lines = []
    for result in _results(rows, findings, deployment, rows_count=rows_count):
        at = f"file={_property(result.file)},line={max(result.line, 1)},col={max(result.column, 1)}"
        title = _property(f"{result.rule}: {result.title}")
        lines.append(f"::{words[result.severity]} {at},title={title}::{_message(result.text)}\n")
    return "".join(lines)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _results(
    rows: Sequence[RowVerdict], findings: Sequence[Finding], deployment: Deployment, *, rows_count: bool = True
) -> Iterator[_Result]:
    first = next((stack.template.file for stack in deployment.stacks.values()), "")
    for row in rows:
        if row.verdict is Verdict.DELIVERED:
            continue
        place = row.evidence[0] if row.evidence else None
        severity = Severity.WARNING if row.verdict is Verdict.UNKNOWN else Severity.ERROR
        severity = severity if rows_count else Severity.INFO
        file, line = (place.template, place.line) if place else (first, 1)
        yield _Result(row.id, row.title, severity, file, line, 1, _row_text(row))
    for finding in findings:
        position = finding.location.position
        text = "\n".join(part for part in (finding.title, finding.detail, finding.remedy) if part)
        if finding.region:
            text = f"{finding.region} {finding.resource}: {text}"
        line, column = (position.line, position.column) if position else (1, 1)
        yield _Result(
            finding.rule, finding.title, finding.severity, finding.template or finding.location.file, line, column, text
        )


def _row_text(row: RowVerdict) -> str:
    lines = [*row.missing, *(f"can't tell: {doubt}" for doubt in row.doubts)]
    return "\n".join([f"{row.title}: {row.verdict}", *lines])
