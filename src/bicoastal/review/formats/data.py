"""`--format json`: the contract for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bicoastal.core.findings import Finding
from bicoastal.review.verdict import RowVerdict


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


def as_json(rows: Sequence[RowVerdict], findings: Sequence[Finding], **more: Any) -> str:
    """The same as text, a line at the end; `more`: sections beside the contract's."""
    return json.dumps({**as_data(rows, findings), **more}, indent=2, ensure_ascii=False) + "\n"
