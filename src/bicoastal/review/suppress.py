"""Findings that somebody has looked at and wants no more of: said in a template's own Metadata, with a reason.

    Metadata:
      bicoastal:
        suppress:
          - rule: fleet-in-one-zone
            reason: Batch workers; rebuilt in minutes, nobody waits for them.

On a resource it holds for that resource, at the top of a template for all of the file. Without a reason it does
nothing: the rule `suppression-without-reason` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.cfn.deployment import Deployment, Resource

KEY = "bicoastal"


@dataclass(frozen=True)
class Suppression:
    """One entry of a list `suppress`."""

    rule: str
    reason: str


def written(metadata: Any) -> Iterator[Suppression]:
    """The entries that a Metadata section or attribute holds, with and without a reason."""
    own = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    entries = own.get("suppress") if isinstance(own, Mapping) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, Mapping):
            reason = entry.get("reason")
            yield Suppression(str(entry.get("rule")), reason.strip() if isinstance(reason, str) else "")
        else:
            yield Suppression(str(entry), "")


class Suppressions:
    """What the templates of a deployment suppress."""

    def __init__(self, deployment: Deployment) -> None:
        self._whole = {
            stack.template.file: self._rules(stack.template.body.get("Metadata"))
            for stack in deployment.stacks.values()
        }

    def hold(self, rule: str, resource: Resource) -> bool:
        """Whether a rule is suppressed for a resource."""
        if rule in self._whole.get(resource.stack.template.file, ()):
            return True
        return rule in self._rules(resource.body.get("Metadata"))

    def _rules(self, metadata: Any) -> frozenset[str]:
        return frozenset(entry.rule for entry in written(metadata) if entry.reason)
