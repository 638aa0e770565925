"""Deploys a package: the entry of this folder, and its order.

    look       every stack as it is                                            reads only
    preflight  what would stop a deployment half-way, before anything is made  reads only
    survey     the change sets of what is there                                executes nothing
    guard      data, keys and names are replaced by permission only            refuses everything, or nothing
    walk       executes, in dependency order, with the steps between

`plan` ends before the walk and discards its change sets. Nothing here prints.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError, Refused
from bicoastal.deploy.choices import Choices
from bicoastal.deploy.graph import Outcome
from bicoastal.deploy.moments import End, Noted, Tell
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight import Problem, preflight
from bicoastal.deploy.run import Run
from bicoastal.deploy.steps import steps
from bicoastal.deploy.survey import Plan, forget, look, survey
from bicoastal.deploy.walk import walk
from bicoastal.stacks.view import StackView


@dataclass(frozen=True)
class Wishes:
    """What the user allows and wants beyond the package."""

    allowed: Collection[str] = ()
    """Logical ids of resources that may be replaced or removed, this once."""
    new_image: bool = False
    """Boot the newest image instead of the one that was chosen before."""


@dataclass(frozen=True)
class Result:
    """How a deployment ended."""

    outcomes: Mapping[str, Outcome]
    """By id of stack or step."""
    stacks: Mapping[str, StackView]
    """The stacks that stand, by entry id."""
    problems: tuple[Problem, ...]
    """What the preflight could not tell, or only wants to be known."""
    stopped: bool

    @property
    def unchanged(self) -> bool:
        """There was nothing to do."""
        return all(outcome.end is End.UNCHANGED for outcome in self.outcomes.values())

    @property
    def exit_code(self) -> int:
        """0 all is as it should be; 1 something was refused, not done or not started; 3 something failed."""
        if any(outcome.end is End.FAILED and _code(outcome) != 1 for outcome in self.outcomes.values()):
            return 3
        return 0 if all(outcome.end in (End.DONE, End.UNCHANGED) for outcome in self.outcomes.values()) else 1


def plan(session: Session, package: Package, wishes: Wishes) -> Plan:
    """What would change. Its change sets have been discarded again."""
    views = look(session, package.manifest.stacks)
    choices = Choices(session, package.artifacts, new_image=wishes.new_image)
    found = survey(session, package, choices, views, allowed=wishes.allowed)
    forget(session, found.proposals.values())
    return found


def deploy(session: Session, package: Package, wishes: Wishes, tell: Tell, stop: threading.Event) -> Result:
    """Make every stack what the package says. Setting `stop` ends it soon: AWS then finishes what it has begun.

    Raises Refused, with nothing executed, for problems and for changes that need permission.
    """
    views = look(session, package.manifest.stacks)
    choices = Choices(session, package.artifacts, new_image=wishes.new_image)
    problems = preflight(session, package, views, choices)
    stopping = [problem for problem in problems if problem.stops]
    if stopping:
        raise Refused("\n".join(str(problem) for problem in stopping) + "\nNothing was created or changed.")
    for problem in problems:
        tell(Noted("preflight", problem.text))
    found = survey(session, package, choices, views, allowed=wishes.allowed)
    if found.objections:
        forget(session, found.proposals.values())
        raise Refused("\n".join(str(item) for item in found.objections) + "\nNothing was created or changed.")
    run = Run(session, package, choices, views, found, tell, stop, wishes.allowed)
    outcomes = walk(run, steps(package, views))
    return Result(outcomes, run.stacks, tuple(problems), stop.is_set())


def _code(outcome: Outcome) -> int:
    return outcome.error.exit_code if isinstance(outcome.error, BicoastalError) else 3
