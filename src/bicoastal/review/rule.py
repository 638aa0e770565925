"""What a rule is, and what it can say: a hit, or that it cannot tell. A rule that sees nothing wrong says nothing.

Each rule is a module of `review.rules` with `RULE`, what people read about it, and `look(case)`, which yields what it
sees. It never guesses: where a value is not known it stays silent, or says `CannotTell` with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with a deployment."""

    id: str
    """Stable: people suppress it, and machines count it. The module bears it as its name."""
    severity: Severity
    title: str
    """What is wrong, in one line, whatever the resource."""
    why: str
    """What it means in an outage, or before."""
    remedy: str
    """The next move, in one sentence."""
    types: tuple[str, ...]
    """Resource types that it speaks of: where none of them is, it is not even loaded."""
    source: str = ""
    """Where AWS documents what it rests on."""


@dataclass(frozen=True)
class Hit:
    """The rule's fault, seen at a resource."""

    resource: Resource
    text: str
    """What is seen, in a sentence with the names and values in question."""
    path: Path = ()
    """The property that shows it, below `Properties`."""
    remedy: str = ""
    """The next move, where it is known better than the rule's own."""


@dataclass(frozen=True)
class CannotTell:
    """The rule would speak of this resource, but what it needs is not in the templates."""

    resource: Resource
    reason: str
    path: Path = ()


Seen = Hit | CannotTell
