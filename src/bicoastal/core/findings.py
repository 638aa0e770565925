"""One type for everything that Bicoastal has to say about a file: what, where, why it matters, and the next move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, order=True)
class Position:
    """A place in a text file. Lines and columns count from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True)
class Location:
    """Where a finding is: a file, and as much more as is known."""

    file: str
    position: Position | None = None
    path: tuple[str | int, ...] = ()
    """Keys and indexes from the top of the document, such as `("regions", 0, "cidr")`."""

    def __str__(self) -> str:
        if self.position is None:
            return self.file
        return f"{self.file}:{self.position.line}:{self.position.column}"


@dataclass(frozen=True)
class Finding:
    """Something wrong, or worth knowing, with where it is and what to do about it."""

    rule: str
    severity: Severity
    title: str
    location: Location
    detail: str = ""
    remedy: str = ""
    template: str = ""
    region: str = ""
    resource: str = ""

    def __str__(self) -> str:
        path = dotted(self.location.path)
        lines = [f"{self.location}: {self.severity}: {path + ': ' if path else ''}{self.title}"]
        if self.detail:
            lines.append(f"    {self.detail}")
        if self.remedy:
            lines.append(f"    -> {self.remedy}")
        return "\n".join(lines)


def dotted(path: tuple[str | int, ...]) -> str:
    """Write a path as people do: `regions[0].cidr`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
