"""Which Availability Zone of a fleet gets the next instance, and which instance goes first: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bicoastal.twin.fleets.fleet import Fleet, Member

UNEVEN = 2
"""A difference between two zones that is rebalanced; one of 1 cannot be helped."""


def zones_for(fleet: Fleet, members: Iterable[Member], count: int) -> list[str]:
    """Where to launch so many more: each in the zone that has the fewest then, one where a launch failed last."""
    having = dict.fromkeys(sorted(fleet.subnets), 0)
    for member in members:
        if member.zone in having:
            having[member.zone] += 1
    chosen = []
    for _ in range(count if having else 0):
        zone = min(having, key=lambda name: (name == fleet.failed_zone, having[name], name))
        having[zone] += 1
        chosen.append(zone)
    return chosen


def subnet_for(fleet: Fleet, zone: str, index: int) -> str:
    """One of the zone's subnets, in turn."""
    subnets = fleet.subnets[zone]
    return subnets[index % len(subnets)] if subnets else ""


def victims(fleet: Fleet, members: Sequence[Member], count: int) -> list[Member]:
    """The members that scale-in takes: one after the other from the zone that has the most then.

    Within such zones the termination policies decide; Default is the oldest version of the launch template, then the
    oldest instance. Protected instances are not taken.
    """
    left = [member for member in members if not member.protected]
    chosen: list[Member] = []
    while left and len(chosen) < count:
        having = Counter(member.zone for member in left)
        crowded = [member for member in left if having[member.zone] == max(having.values())]
        first = min(crowded, key=lambda member: _order(fleet, member))
        chosen.append(first)
        left.remove(first)
    return chosen


def _order(fleet: Fleet, member: Member) -> tuple[float | str, ...]:
    order: list[float | str] = []
    for policy in fleet.termination:
        if policy == "NewestInstance":
            order.append(-member.launched)
        elif policy in ("OldestInstance", "ClosestToNextInstanceHour"):
            order.append(member.launched)
        elif policy in ("OldestLaunchTemplate", "Default"):
            # Of another template: older than any version of this one.
            order.append(int(member.version) if member.template == fleet.template else -1)
            if policy == "Default":
                order.append(member.launched)
    return (*order, member.launched, member.id)


def uneven(fleet: Fleet, members: Sequence[Member]) -> Member | None:
    """The member to move for even zones: from one that the group has left, or that has two more than another."""
    outside = [member for member in members if member.zone not in fleet.subnets]
    if outside:
        return outside[0]
    having = dict.fromkeys(fleet.subnets, 0)
    for member in members:
        having[member.zone] += 1
    if not having or max(having.values()) - min(having.values()) < UNEVEN:
        return None
    chosen = victims(fleet, members, 1)
    return chosen[0] if chosen else None
