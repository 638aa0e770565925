"""Stacks are wired by outputs and exports, and an export ends at its region's border."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.deployment import Stack
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "stack-wire-broken",
    Severity.ERROR,
    "A value comes from an output or export that is not there",
    "The stack cannot be created: in the other region first, where nobody has tried it.",
    "Export it in the same region, pass it as a parameter, or correct the name.",
    (),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html",
)
_EXPORT = re.compile(r"nothing here exports (\S+) in (\S+)")


def look(case: Case) -> Iterator[Seen]:
    """Wires to stacks that are here and give no such thing, and imports across a region's border."""
    exported: dict[str, str] = {}
    for stack in case.deployment.stacks.values():
        for body in stack.evaluator.outputs.values():
            export = body.get("Export") if isinstance(body, dict) else None
            name = stack.evaluator.value(export.get("Name")) if isinstance(export, dict) else None
            if isinstance(name, str):
                exported[name] = stack.region
    for item in case.deployment.resources:
        for path, unknown in item.unknowns:
            match = _EXPORT.match(unknown.reason)
            if match and exported.get(match[1], match[2]) != match[2]:
                yield Hit(item, f"{item.logical_id} imports {match[1]}, which {exported[match[1]]} exports.", path)
                break
            if unknown.reason.endswith(tuple(f"has no output {name}" for name in _fed(item.stack))):
                yield Hit(item, f"{item.logical_id}: {unknown.reason}.", path)
                break


def _fed(stack: Stack) -> list[str]:
    """The outputs that feed a stack."""
    return [fed.output for fed in stack.feeds.values()] if stack.sources else []
