"""What was there when the review was adopted: said once, written down, and not counted again until it changes.

    bicoastal review --write-baseline review-baseline.json      once
    bicoastal review --baseline review-baseline.json            from then on

A finding is known by its rule, file, region, resource and property, not by its line: files move. What a row lacks is
known by its words. The file is JSON in a stable order, so that a person sees in a diff what was paid off.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Severity, dotted
from bicoastal.review.verdict import RowVerdict, Verdict


@dataclass(frozen=True)
class Baseline:
    """What is known."""

    findings: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()

    def unknown(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The findings that are new."""
        return tuple(finding for finding in findings if fingerprint(finding) not in self.findings)

    def is_new(self, row: RowVerdict) -> bool:
        """Whether a row lacks anything that it did not lack before."""
        return row.verdict is not Verdict.DELIVERED and not set(_lacking(row)) <= self.lacking


def fingerprint(finding: Finding) -> str:
    """What a finding is, whatever line it stands on today."""
    place = dotted(finding.location.path)
    file = (finding.template or finding.location.file).replace("\\", "/")
    return " ".join(part for part in (finding.rule, file, finding.region, finding.resource, place) if part)


def _lacking(row: RowVerdict) -> list[str]:
    return [f"{row.id} {text}" for text in (*row.missing, *row.doubts)] or [row.id]


def written(rows: Sequence[RowVerdict], findings: Sequence[Finding]) -> str:
    """The file of a baseline."""
    undone = [row for row in rows if row.verdict is not Verdict.DELIVERED]
    data = {
        "version": 1,
        "findings": sorted({fingerprint(item) for item in findings if item.severity is not Severity.INFO}),
        "lacking": sorted({text for row in undone for text in _lacking(row)}),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def read(path: Path) -> Baseline:
    """Read one. InputError for anything else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != 1:
            raise ValueError(f"version {data['version']} is not 1")
        return Baseline(frozenset(map(str, data["findings"])), frozenset(map(str, data["lacking"])))
    except (OSError, KeyError, TypeError, ValueError) as error:
        finding = Finding(
            "baseline",
            Severity.ERROR,
            f"this is no baseline: {type(error).__name__}: {error}",
            Location(str(path)),
            remedy=f"Write it with `bicoastal review --write-baseline {path}`.",
        )
        raise InputError([finding]) from error
