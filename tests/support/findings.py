"""What the rules say: of a few lines in a test, or of the sound deployment of the benchmarks with a fault in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.faults.base import Built
from bench.faults.shapes import write
from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.load import read_deployment
from bicoastal.cfn.reader import parse_template
from bicoastal.core.findings import Finding
from bicoastal.review.case import Case
from bicoastal.review.demand import two_region_web
from bicoastal.review.findings import look


def of_deployment(deployment: Deployment, *rules: str) -> tuple[Finding, ...]:
    """What the rules (all, or those named) say of a deployment."""
    return look(Case(deployment, two_region_web()), frozenset(rules)).findings


def of_stacks(stacks: Mapping[str, Built], folder: Path, shape: str, *rules: str) -> tuple[Finding, ...]:
    """The same of stacks, written to disk in a shape and read back. `folder` must not exist yet."""
    write(stacks, folder, shape)
    deployment = read_deployment([folder])
    assert deployment.findings == []
    return of_deployment(deployment, *rules)


def said(
    rule: str,
    *resources: str,
    regions: tuple[str, ...] = ("us-east-1",),
    head: str = "",
    heads: tuple[str, ...] = (),
) -> list[str]:
    """What one rule says: `error: text` for each finding, in order.

    `resources`: the section Resources of one template for each region, without its indentation; the last one stands for
    all further regions. `head`: sections before it, or `heads` one for each.
    """
    pairs = []
    for number, region in enumerate(regions):
        body = resources[min(number, len(resources) - 1)]
        indented = "".join(f"  {line}\n" for line in body.strip("\n").splitlines())
        above = heads[number] if heads else head
        pairs.append((parse_template(f"{above}\nResources:\n{indented}", f"{region}.yaml"), region))
    deployment = Deployment.of_files(pairs)
    assert [str(finding) for template, _ in pairs for finding in template.findings] == []
    return [f"{finding.severity}: {finding.detail}" for finding in of_deployment(deployment, rule)]
