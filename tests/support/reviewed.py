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
from bicoastal.review.asked import ROWS, judged, verdicts
from bicoastal.review.case import Case
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

    def row(self, id_: str, change: Change | None = None, edits: Mapping[str, Template] | None = None) -> RowVerdict:
        """One row's verdict; the rest are not asked."""
        case = Case(self.deployment(change, edits), self.demand)
        return next(judged(case, [row for row in ROWS if row.id == id_]))

    def undelivered_by(self, change: Change, ask_first: str = "") -> str:
        """The id of a row that is not delivered, or empty; the rest are not asked.

        `ask_first`: the row that probably is it, such as the one of the last answer. It saves most of the time.
        """
        rows = sorted(ROWS, key=lambda row: row.id != ask_first)
        verdicts_ = judged(Case(self.deployment(change), self.demand), rows)
        return next((row.id for row in verdicts_ if row.verdict is not Verdict.DELIVERED), "")

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
