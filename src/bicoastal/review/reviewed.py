"""One review from beginning to end: rows, findings of the files, of the rules and of AWS's schemas, in one result.

    read         cfn.load made a Reading of the files; it is asked for a deployment, and for one in each undecided case
    ask          rows (what was asked) and rules (what is wrong), each case for itself, then brought together
    merge        the schema pass, where it is wanted; what somebody suppressed with a reason is left out and counted

Prints nothing, decides nothing about exit codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bicoastal.cfn.deployment import Change, Deployment
from bicoastal.cfn.load import Reading
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.asked import judged
from bicoastal.review.case import Case
from bicoastal.review.demand import Demand
from bicoastal.review.findings import look
from bicoastal.review.suppress import Suppressions
from bicoastal.review.verdict import RowVerdict

if TYPE_CHECKING:
    from bicoastal.review.worlds import World

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True)
class Review:
    """What a review comes to."""

    deployment: Deployment
    demand: Demand
    case: Case
    rows: tuple[RowVerdict, ...]
    findings: tuple[Finding, ...]
    suppressed: int
    cases: int
    """In how many cases undecided conditions were looked at; 1 where all are decided."""


def review(
    reading: Reading, demand_of: Callable[[Deployment], Demand], *, schema: bool = False, root: Path | None = None
) -> Review:
    """Hold what was read against what is asked. `schema`: AWS's own pass, too; `root`: the folder of a manifest."""
    deployment = reading.deployment()
    demand = demand_of(deployment)
    case = Case(deployment, demand)
    cases = _cases(deployment)
    if cases:
        from bicoastal.review.worlds import merged_findings, merged_rows  # noqa: PLC0415 - seldom needed

        looked = [(world, Case(reading.deployment(Change(conditions=world.conditions)), demand)) for world in cases]
        rows = merged_rows([(world, tuple(judged(one))) for world, one in looked])
        found = [(world, look(one)) for world, one in looked]
        findings = merged_findings([(world, one.findings) for world, one in found])
        suppressed = max(one.suppressed for _, one in found)
    else:
        rows = tuple(judged(case))
        seen = look(case)
        findings, suppressed = seen.findings, seen.suppressed
    more, less = _of_schemas(deployment, root) if schema else ([], 0)
    everything = dict.fromkeys((*deployment.findings, *findings, *more))
    return Review(
        deployment,
        demand,
        case,
        rows,
        tuple(sorted(everything, key=lambda finding: _ORDER.index(finding.severity))),
        suppressed + less,
        len(cases) or 1,
    )


def _cases(deployment: Deployment) -> list[World]:
    if not any(stack.evaluator.conditions for stack in deployment.stacks.values()):
        return []
    from bicoastal.review.worlds import worlds  # noqa: PLC0415 - templates without conditions don't wait for it

    return worlds(deployment)


def _of_schemas(deployment: Deployment, root: Path | None) -> tuple[list[Finding], int]:
    from bicoastal.review.schema import schema_findings  # noqa: PLC0415 - only who asks for it waits for it

    suppressions = Suppressions(deployment)
    kept, suppressed = [], 0
    by_name = {(item.stack.template.file, item.logical_id): item for item in deployment.resources}
    for finding in schema_findings(deployment, root):
        resource = by_name.get((finding.template, finding.resource))
        if resource is not None and suppressions.hold(finding.rule, resource):
            suppressed += 1
        else:
            kept.append(finding)
    return kept, suppressed
