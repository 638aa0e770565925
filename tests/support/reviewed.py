"""The synthesized sample, reviewed with changes: a resource gone, a property edited, a parameter moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.deployment import Change, Deployment
from bicoastal.cfn.manifest import Manifest
from bicoastal.cfn.reader import Template, parse_template
from bicoastal.review.asked import verdicts
from bicoastal.review.demand import Demand, demand_of
from bicoastal.review.verdict import RowVerdict, Verdict
from bicoastal.spec.model import Spec
from tests.support.specs import spec


@dataclass(frozen=True)
class Sample:
    """Templates, what wires them, and what was asked."""

    manifest: Manifest
    templates: Mapping[str, Template]
    demand: Demand

    @classmethod
    def of(cls, asked: Spec) -> Sample:
        """What `synth` writes for a spec, read back."""
        made = compose(asked)
        files = {f"templates/{stack.kind}.yaml": stack.to_yaml() for stack in made.stacks}
        return cls(made.manifest, {name: parse_template(text, name) for name, text in files.items()}, demand_of(asked))

    def deployment(self, change: Change | None = None, edits: Mapping[str, Template] | None = None) -> Deployment:
        """All stacks in both regions."""
        return Deployment.of(self.manifest, {**self.templates, **(edits or {})}, change)

    def rows(self, change: Change | None = None, edits: Mapping[str, Template] | None = None) -> dict[str, RowVerdict]:
        """Every row's verdict by its id."""
        return {row.id: row for row in verdicts(self.deployment(change, edits), self.demand)}

    def undelivered(self) -> dict[str, tuple[str, ...]]:
        """What each row that is not delivered lacks."""
        rows = self.rows().values()
        return {row.id: (*row.missing, *row.doubts) for row in rows if row.verdict is not Verdict.DELIVERED}

    def first_undelivered(self, change: Change) -> RowVerdict | None:
        """The first row that is not delivered; the rest are not asked."""
        judged = verdicts(self.deployment(change), self.demand)
        return next((row for row in judged if row.verdict is not Verdict.DELIVERED), None)

    def edited(self, kind: str, logical_id: str, *path: str | int, value: Any) -> dict[str, Template]:
        """The template of a kind with a property of a resource changed; `...` removes it.

        KeyError for a resource that is not there.
        """
        name = f"templates/{kind}.yaml"
        template = self.templates[name]
        found = template.section("Resources")[logical_id]
        where = path if path[0] in found else ("Properties", *path)
        return {name: template.edited(("Resources", logical_id, *where), value)}


@cache
def sample() -> Sample:
    """The smallest spec's deployment; read once for all tests."""
    return Sample.of(spec())
