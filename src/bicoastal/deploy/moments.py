"""What a deployment tells while it runs. Data: whoever shows it decides how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bicoastal.stacks.watch import Event


class End(StrEnum):
    """How a stack or a step ended."""

    DONE = "done"
    UNCHANGED = "unchanged"
    NOT_DONE = "not done"
    """The answer was no, and what comes after goes on: the reason says what is missing."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Something that it needs failed."""
    NOT_STARTED = "not started"
    """The user ended the deployment before."""


@dataclass(frozen=True)
class Began:
    """Work on a stack or step begins; `doing` says what: `creating 12 resources`."""

    id: str
    doing: str


@dataclass(frozen=True)
class Happened:
    """CloudFormation told an event of a stack."""

    id: str
    event: Event


@dataclass(frozen=True)
class Watched:
    """Everything is changed, and CloudFormation looks for a while whether it stays well; `text` says until when."""

    id: str
    text: str
    minutes: int
    """That it looks."""


@dataclass(frozen=True)
class Noted:
    """Something worth knowing about a stack or step."""

    id: str
    text: str


@dataclass(frozen=True)
class Ended:
    """A stack or step ended."""

    id: str
    end: End
    seconds: float
    text: str = ""


Moment = Began | Happened | Watched | Noted | Ended
Tell = Callable[[Moment], None]


def quiet(_moment: Moment) -> None:
    """For those who don't want to be told."""
