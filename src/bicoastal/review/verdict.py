"""What a row of the request comes to, with the lines that prove it and what is missing in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value

_ZONE = re.compile(r"\$\{AWS::AvailabilityZone/([\w-]+)/(\d)\}")
"""`Fn::GetAZs` gives zones by their position."""
_REFERENCE = re.compile(r"\$\{[^{}]*/(\w[\w.]*)\}")


class Verdict(StrEnum):
    """How much of what was asked is there."""

    DELIVERED = "delivered"
    PARTLY = "partly"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Evidence:
    """A resource that proves something, and where it says so."""

    template: str
    region: str
    resource: str
    line: int
    text: str


@dataclass
class Judgement:
    """Collects what speaks for a row, what is missing, and what cannot be told."""

    evidence: list[Evidence] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)
    """What is in the two lists: a template may lack the same of ten thousand resources."""
    _accused: set[str] = field(default_factory=set)
    """The first two words of each, which name a resource as `where` does."""

    def found(self, resource: Resource, text: str, *path: str | int) -> None:
        """A resource (the property at `path`) proves something."""
        self.evidence.append(
            Evidence(
                resource.stack.template.file, resource.region, resource.logical_id, resource.line(*path), plain(text)
            )
        )

    def sound(self, resource: Resource, text: str, *path: str | int) -> None:
        """The same for a claim about the whole of a resource: only where nothing was said against it before."""
        if where(resource) not in self._accused:
            self.found(resource, text, *path)

    def lacks(self, text: str) -> None:
        """Something that was asked is not there."""
        text = plain(text)
        if text not in self._said:
            self._said.add(text)
            self._accused.add(" ".join(text.split(" ", 2)[:2]).rstrip(":"))
            self.missing.append(text)

    def unsure(self, text: str) -> None:
        """Something cannot be told from the templates."""
        text = plain(text)
        if text not in self._said:
            self._said.add(text)
            self._accused.add(" ".join(text.split(" ", 2)[:2]).rstrip(":"))
            self.doubts.append(text)

    def expect(
        self,
        resource: Resource,
        path: tuple[str | int, ...],
        wanted: Value,
        missing: str,
        found: str = "",
    ) -> bool:
        """The property at `path` is `wanted` (one of them, for a tuple); `missing` says what it means if not."""
        value = resource.get(*path)
        if isinstance(value, Unknown):
            self.unsure(f"{where(resource)}: {missing}: cannot be told: {value.reason}.")
            return False
        options = wanted if isinstance(wanted, tuple) else (wanted,)
        if any(same(value, option) for option in options):
            if found:
                self.found(resource, found, *path)
            return True
        self.lacks(f"{where(resource)}: {missing}.")
        return False

    @property
    def verdict(self) -> Verdict:
        """What all of it comes to."""
        if self.missing:
            return Verdict.PARTLY if self.evidence else Verdict.MISSING
        if self.doubts or not self.evidence:
            return Verdict.UNKNOWN
        return Verdict.DELIVERED


@dataclass(frozen=True)
class RowVerdict:
    """A row of the request, judged."""

    id: str
    title: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]
    doubts: tuple[str, ...]


def plain(text: str) -> str:
    """References as a template writes them: the stack that they are followed to is the reader's own."""
    if "${" not in text:
        return text
    text = _ZONE.sub(lambda found: f"zone {int(found[2]) + 1} of {found[1]}", text)
    return _REFERENCE.sub(r"${\1}", text)


def where(resource: Resource) -> str:
    """A resource as people find it: its region and its name in the template."""
    return f"{resource.region} {resource.logical_id}"


def same(value: Value, wanted: Value) -> bool:
    """Whether a template's scalar is what is wanted: CloudFormation takes `"true"` for true and `"5"` for 5."""
    if isinstance(wanted, bool):
        return value is wanted or (isinstance(value, str) and value.lower() == str(wanted).lower())
    if isinstance(wanted, int | float):
        return number(value) == wanted
    return bool(value == wanted)


def number(value: Value) -> float | None:
    """A template's number, however it is written; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def yes(value: Value) -> bool:
    """Whether a template says true."""
    return same(value, True)
