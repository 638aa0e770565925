"""What the tasks of one deployment share, and what a step between stacks is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import StackEntry
from bicoastal.deploy.choices import Choices
from bicoastal.deploy.graph import Stopped
from bicoastal.deploy.moments import Began, End, Noted, Tell
from bicoastal.deploy.package import Package, bucket_wire
from bicoastal.deploy.survey import Plan, Views
from bicoastal.stacks.view import StackView


@dataclass
class Run:
    """One deployment while it runs. A task writes under its own id only; others read that after it is done."""

    session: Session
    package: Package
    choices: Choices
    views: Views
    """Every stack as it was before."""
    plan: Plan
    tell: Tell
    stop: threading.Event
    allowed: Collection[str] = ()
    stacks: dict[str, StackView] = field(default_factory=dict)
    """The stacks that are done, by entry id."""
    changed: set[str] = field(default_factory=set)
    """Entry ids of the stacks that this run created or changed."""

    def note(self, name: str, text: str) -> None:
        """Tell something worth knowing."""
        self.tell(Noted(name, text))

    def begin(self, name: str, doing: str) -> None:
        """Tell that work begins. Raises Stopped when the user has ended the deployment: nothing begins then."""
        if self.stop.is_set():
            raise Stopped
        self.tell(Began(name, doing))

    def bucket(self, region: str) -> str:
        """The region's artifact bucket, empty while there is none."""
        source = bucket_wire(region)
        stack = self.stacks.get(source.stack)
        return stack.outputs.get(source.output, "") if stack else ""

    def done(self, entry: StackEntry) -> StackView:
        """A stack that a task needs, as it is now."""
        return self.stacks[entry.id]


@dataclass(frozen=True)
class Step:
    """Something that CloudFormation cannot do, or cannot wait for: done after some stacks and before others."""

    id: str
    after: tuple[StackEntry, ...]
    before: tuple[StackEntry, ...]
    run: Callable[[Run], End]
    """Returns how it ended, or raises `graph.NotDone` for what must be said but holds nothing up."""
