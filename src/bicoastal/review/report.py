"""The asked/delivered table, as text for people and as data for machines. Decides nothing."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from bicoastal.cfn.deployment import Deployment
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.verdict import RowVerdict, Verdict

_WIDTH = 100
_SHOWN = 6
"""Lines of what is missing shown for a row; the rest are counted, and are in the JSON."""
_FEW = 8
"""Up to so many resources are named one by one."""
_FIRST = ("M6", "M5", "M14", "M4", "M3", "M2", "M1", "M9", "M8", "M13", "M11", "M12", "M7", "M10")
"""The order in which rows stand on each other: a network before what is in it."""
_WORDS = {
    Verdict.DELIVERED: "delivered",
    Verdict.PARTLY: "partly",
    Verdict.MISSING: "missing",
    Verdict.UNKNOWN: "can't tell",
}
_MARKS = {
    Verdict.DELIVERED: ("✓", "green"),
    Verdict.PARTLY: ("~", "yellow"),
    Verdict.MISSING: ("✗", "red"),
    Verdict.UNKNOWN: ("?", "yellow"),
}


def as_data(rows: Sequence[RowVerdict], findings: Sequence[Finding]) -> dict[str, Any]:
    """The contract of `review --format json`."""
    return {
        "asked": [
            {
                "id": row.id,
                "title": row.title,
                "verdict": row.verdict.value,
                "evidence": [
                    {
                        "template": item.template,
                        "region": item.region,
                        "resource": item.resource,
                        "line": item.line,
                        "text": item.text,
                    }
                    for item in row.evidence
                ],
                "missing": [*row.missing, *(f"can't tell: {doubt}" for doubt in row.doubts)],
            }
            for row in rows
        ],
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.value,
                "title": finding.title,
                "detail": finding.detail,
                "remedy": finding.remedy,
                "template": finding.template or finding.location.file,
                "region": finding.region,
                "resource": finding.resource,
                "path": list(finding.location.path),
                "line": finding.location.position.line if finding.location.position else 0,
                "column": finding.location.position.column if finding.location.position else 0,
            }
            for finding in findings
        ],
    }


def as_json(rows: Sequence[RowVerdict], findings: Sequence[Finding]) -> str:
    """The same as text, a line at the end."""
    return json.dumps(as_data(rows, findings), indent=2, ensure_ascii=False) + "\n"


def as_text(
    rows: Sequence[RowVerdict], deployment: Deployment, findings: Sequence[Finding]
) -> Iterator[tuple[str, str]]:
    """Lines and the color of each (empty for none): one screen, details only for what is not delivered."""
    yield from ((line, "") for line in _wrapped(f"There is: {_inventory(deployment)}."))
    yield "", ""
    width = max(len(row.title) for row in rows)
    for row in rows:
        mark, color = _MARKS[row.verdict]
        yield f" {mark} {row.id:<4}{row.title:<{width}}  {_WORDS[row.verdict]}", color
    undone = [row for row in rows if row.verdict is not Verdict.DELIVERED]
    for row in undone:
        yield "", ""
        yield f"{row.id}  {row.title}: {_WORDS[row.verdict]}", ""
        yield from ((line, "") for line in _details(row))
    yield from _found(findings)
    yield "", ""
    yield from ((line, "") for line in _conclusion(rows, undone))


def _found(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Errors and warnings; what cannot be told is counted, and is in the JSON."""
    said: dict[tuple[str, ...], list[str]] = {}
    for finding in findings:
        if finding.severity is not Severity.INFO:
            place = f"{finding.location}: {finding.severity}: {finding.title}"
            said.setdefault((place, finding.rule, finding.detail, finding.remedy), []).append(finding.region)
    for (place, rule, detail, remedy), regions in said.items():
        where = f" (in {' and '.join(dict.fromkeys(regions))})" if all(regions) else ""
        yield "", ""
        yield f"{place}{where} [{rule}]", "red" if ": error: " in place else "yellow"
        for mark, text in (("   ", detail), ("    ->", remedy)):
            if text:
                yield from (
                    (line, "")
                    for line in textwrap.wrap(text, _WIDTH, initial_indent=f"{mark} ", subsequent_indent="    ")
                )
    unclear = sum(finding.severity is Severity.INFO for finding in findings)
    if unclear:
        yield "", ""
        yield f"{unclear} more could not be told from the templates (--format json says why).", ""


def _inventory(deployment: Deployment) -> str:
    """What the templates hold: each thing by name where they are few, counted where they are many."""
    where = " and ".join(deployment.regions)
    found = deployment.resources
    if len(found) > _FEW:
        return f"{len(found)} resources in {len(deployment.stacks)} stacks, in {where}"
    things = [f"{item.logical_id} ({item.type.removeprefix('AWS::').replace('::', ' ')})" for item in found]
    return f"{', '.join(things) or 'nothing'}, in {where or 'no region'}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _details(row: RowVerdict) -> Iterator[str]:
    lines = [*(("  -", text) for text in row.missing), *(("  ?", text) for text in row.doubts)]
    for mark, text in lines[:_SHOWN]:
        yield from textwrap.wrap(text, _WIDTH, initial_indent=f"{mark} ", subsequent_indent="    ")
    if len(lines) > _SHOWN:
        yield f"    and {len(lines) - _SHOWN} more of the kind (--format json has all of them)"
    if row.evidence and row.missing:
        there = list(dict.fromkeys(f"{item.resource} ({item.text})" for item in row.evidence))
        text = "there is: " + ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        yield from textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _conclusion(rows: Sequence[RowVerdict], undone: Sequence[RowVerdict]) -> Iterator[str]:
    if not undone:
        yield f"All {len(rows)} rows are delivered."
        return
    count = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    parts = [f"{count[verdict]} {_WORDS[verdict]}" for verdict in Verdict if count[verdict]]
    yield f"Of {len(rows)} rows: {', '.join(parts)}."
    by_id = {row.id: row for row in undone if row.missing}
    first = next((by_id[id_] for id_ in _FIRST if id_ in by_id), None)
    if first is not None:
        yield from _wrapped(f"Begin with {first.id}, which others stand on: {first.missing[0]}")
