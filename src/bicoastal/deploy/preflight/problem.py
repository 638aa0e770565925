"""What a check before the deployment has to say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bicoastal.core.errors import SystemFault


@dataclass(frozen=True)
class Problem:
    """Something that stops the deployment, or that one should know before it."""

    text: str
    """Where, what, and the next move."""
    stops: bool = True

    def __str__(self) -> str:
        return self.text


@contextmanager
def unknown(what: str) -> Iterator[list[Problem]]:
    """Collect a check's problems; when it cannot ask, say so: unknown is no pass and no failure (D14)."""
    problems: list[Problem] = []
    try:
        yield problems
    except SystemFault as fault:
        first = str(fault).splitlines()[0]
        problems.append(Problem(f"unknown: {what}: {first}", stops=False))
