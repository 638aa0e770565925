"""Asks every rule, and makes one list of findings: with places, without what somebody suppressed for a reason.

A rule is imported only where a resource type that it speaks of is there: a small template must not wait for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Finding, Location, Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import CannotTell, Hit, Path, Rule, Seen
from bicoastal.review.rules.index import INDEX
from bicoastal.review.suppress import Suppressions
from bicoastal.review.verdict import plain

FAILED = "rule-failed"
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


class RuleModule(Protocol):
    """A module of `review.rules`."""

    RULE: Rule

    def look(self, case: Case) -> Iterator[Seen]:
        """What the rule sees in a case."""


@dataclass(frozen=True)
class Found:
    """What the rules have to say."""

    findings: tuple[Finding, ...]
    """Errors first; then by file, line and rule."""
    suppressed: int = 0
    """Findings that somebody suppressed, with a reason."""


def module_of(rule: str) -> RuleModule:
    """The module of a rule. Raises KeyError for an id that is none."""
    return cast(RuleModule, import_module(f"bicoastal.review.rules.{INDEX[rule][0]}"))


def explained(rule: str) -> Rule:
    """All that is written about a rule. Raises KeyError for an id that is none."""
    return module_of(rule).RULE


def look(case: Case, only: frozenset[str] = frozenset()) -> Found:
    """Ask every rule (or those named) about a case."""
    there = {item.type for item in case.deployment.resources}
    suppressions = Suppressions(case.deployment)
    kept, suppressed = [], 0
    for id_, (_, types) in INDEX.items():
        if (only and id_ not in only) or (types and there.isdisjoint(types)):
            continue
        for finding, resource in _of_rule(module_of(id_), case):
            if resource is not None and suppressions.hold(id_, resource):
                suppressed += 1
            else:
                kept.append(finding)
    kept.sort(key=_order)
    return Found(tuple(dict.fromkeys(kept)), suppressed)


def _of_rule(module: RuleModule, case: Case) -> Iterator[tuple[Finding, Resource | None]]:
    try:
        for seen in module.look(case):
            yield _finding(module.RULE, seen), seen.resource
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Templates can hold anything anywhere; what one rule stumbles over must not hide what the others see.
        file = next((stack.template.file for stack in case.deployment.stacks.values()), "")
        title = f"Rule {module.RULE.id} could not be asked here: {type(error).__name__}: {error}"
        yield Finding(FAILED, Severity.INFO, title, Location(file), template=file), None


def _finding(rule: Rule, seen: Seen) -> Finding:
    location, resource = place(seen.resource, seen.path), seen.resource
    severity, title, detail, remedy = rule.severity, rule.title, "", rule.remedy
    match seen:
        case Hit(text=text, remedy=own):
            detail, remedy = f"{plain(text)} {rule.why}", own or remedy
        case CannotTell(reason=reason):
            severity, title, detail = Severity.INFO, f"Can't tell: {rule.title}", plain(reason)
    file = resource.stack.template.file
    return Finding(rule.id, severity, title, location, detail, remedy, file, resource.region, resource.logical_id)


def place(resource: Resource, path: Path) -> Location:
    """Where a property of a resource (the resource itself, without a path) stands in its file."""
    origin = resource.stack.evaluator.origins[resource.logical_id]
    return resource.stack.template.location((*origin, "Properties", *path) if path else origin)


def _order(finding: Finding) -> tuple[int, str, int, str, str, str]:
    position = finding.location.position
    line = position.line if position else 0
    return _ORDER.index(finding.severity), finding.template, line, finding.rule, finding.region, finding.detail
