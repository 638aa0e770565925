"""The Availability Zones that stacks build in, by letter.

Letters, not names: `us-east-1a` is another place in every account, and the zone that does not offer the instance type
differs too. `deploy` chooses which zones A, B and C are when the network is created, and keeps it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import Value, equals, if_, join
from bicoastal.spec.model import Spec

_LETTERS = "ABC"
_COUNT = "ZoneCount"
_CONDITION = "HasZoneC"


@dataclass(frozen=True)
class AvailabilityZone:
    """One of the zones that a template may build in."""

    letter: str
    index: int
    """Its place in lists of zones, subnets and route tables."""
    condition: str | None
    """Name of the condition under which a region has it; None if every region does."""


def zones(spec: Spec) -> tuple[AvailabilityZone, ...]:
    """As many as the region with the most; what not every region has is conditional."""
    counts = [region.availability_zones for region in spec.regions.values()]
    return tuple(
        AvailabilityZone(_LETTERS[index], index, None if index < min(counts) else _CONDITION)
        for index in range(max(counts))
    )


def declare_zones(stack: Stack) -> tuple[AvailabilityZone, ...]:
    """The zones, with the parameter and condition that tell a region with two from one with three, if there is one."""
    found = zones(stack.spec)
    if any(zone.condition for zone in found):
        counts = {name: str(region.availability_zones) for name, region in stack.spec.regions.items()}
        stack.condition(
            _CONDITION,
            equals(
                stack.setting(
                    _COUNT, counts, "Availability Zones that the region is spread over", AllowedValues=["2", "3"]
                ),
                "3",
            ),
        )
    return found


def for_each_zone(found: Sequence[AvailabilityZone], values: Sequence[Value]) -> Value:
    """The zones' values as one comma-separated text, without those of a zone that the region does not have."""
    certain = [value for zone, value in zip(found, values, strict=True) if zone.condition is None]
    if len(certain) == len(values):
        return join(",", list(values))
    return if_(_CONDITION, join(",", list(values)), join(",", certain))
