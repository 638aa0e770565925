"""An Auto Scaling group as it is observed: what the API says of it and of its instances at one moment, frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
GONE = "gone"
"""The state of an instance of which EC2 knows nothing any more."""
ENDED = ("stopping", "stopped", "shutting-down", "terminated", GONE)


@dataclass(frozen=True)
class Member:
    """An instance of a group."""

    id: str
    zone: str
    state: str = "InService"
    """Pending, InService, Standby, Terminating or Detaching."""
    version: str = "1"
    """Of the launch template: a number."""
    template: str = ""
    healthy: bool = True
    protected: bool = False
    launched: float = 0.0
    """Seconds since the epoch, as all times here."""
    served: float = 0.0
    """When it came into service; 0: not yet."""
    leaving: str = ""
    """Why it is to be replaced: `unhealthy`, `refresh`, `rebalance`; empty: it stays."""
    drained_from: float = 0.0
    """When it was deregistered."""
    ec2: str = "running"
    """Its state as an instance, or `gone`."""
    reachable: bool | None = True
    """What EC2's status checks say; None: nothing yet."""
    target: str = ""
    """The worst state that its target groups say; empty: it is not their target."""

    @property
    def counts(self) -> bool:
        """Whether it is capacity of the group."""
        return self.state in ("Pending", "InService")


@dataclass(frozen=True)
class Bounds:
    """How many instances may be in service at least, and there at most, while some are replaced."""

    least: int
    most: int

    @classmethod
    def of(cls, desired: int, least_percent: float, most_percent: float) -> Bounds:
        """From percentages of the desired capacity; one instance at least can always be replaced."""
        least = math.ceil(desired * least_percent / 100)
        most = max(math.ceil(desired * most_percent / 100), desired)
        if most <= desired and least >= desired:
            least = max(desired - 1, 0)
        return cls(least, most)


@dataclass(frozen=True)
class Refresh:
    """An instance refresh that is under way."""

    id: str
    started: float
    total: int
    """Instances that it was to replace when it began; -1: not counted yet."""
    left: int
    percent: int
    progressed: float
    """When an instance was replaced last."""
    least_percent: float | None = None
    most_percent: float | None = None
    warmup_s: float = 0.0
    skip_matching: bool = False


@dataclass(frozen=True)
class Fleet:
    """A group."""

    region: str
    name: str
    now: float
    """When it was observed, by the clock of the API."""
    seen: int
    """Which state of the group this is: what is decided on another one is not done."""
    desired: int
    minimum: int
    maximum: int
    subnets: Mapping[str, tuple[str, ...]]
    """Availability Zone to the group's subnets there."""
    template: str = ""
    version: str = ""
    """Of the launch template, as a number; empty where there is none such."""
    members: tuple[Member, ...] = ()
    uses_balancer_health: bool = False
    grace_s: float = 0.0
    warmup_s: float = 0.0
    """A template's time, as all settings are: of `pace`, not of a clock."""
    maintenance: tuple[float, float] | None = None
    """Least and most percentage in service."""
    suspended: frozenset[str] = frozenset()
    termination: tuple[str, ...] = ("Default",)
    drain_s: float = 0.0
    drains_by_balancer: bool = False
    """Whether targets stay `draining` for as long as their balancer says."""
    metrics: tuple[str, ...] = ()
    failures: int = 0
    """Launches that failed in a row."""
    failed_at: float = 0.0
    failed_zone: str = ""
    refresh: Refresh | None = None

    @property
    def alive(self) -> tuple[Member, ...]:
        """Its capacity: pending and in service."""
        return tuple(member for member in self.members if member.counts)

    @property
    def staying(self) -> tuple[Member, ...]:
        """Those of them that nothing replaces."""
        return tuple(member for member in self.alive if not member.leaving)

    def runs(self, process: str) -> bool:
        """Whether a process of the group is not suspended."""
        return process not in self.suspended

    @classmethod
    def read(cls, region: str, now: float, data: Mapping[str, Json]) -> Fleet:
        """From the control plane's answer: names are those of this class."""
        refresh = data.get("refresh")
        return cls(
            region=region,
            now=now,
            **{
                **data,
                "subnets": {zone: tuple(ids) for zone, ids in data["subnets"].items()},
                "members": tuple(Member(**member) for member in data["members"]),
                "maintenance": tuple(data["maintenance"]) if data["maintenance"] else None,
                "suspended": frozenset(data["suspended"]),
                "termination": tuple(data["termination"]),
                "metrics": tuple(data["metrics"]),
                "refresh": Refresh(**refresh) if refresh else None,
            },
        )


@dataclass(frozen=True)
class Decision:
    """What to do about a group now, and when to look again though nothing has changed."""

    actions: tuple[Mapping[str, Json], ...] = ()
    due: float = math.inf
    """Seconds since the epoch."""


@dataclass
class Later:
    """Gathers when something is due."""

    at: float = field(default=math.inf)

    def passed(self, now: float, due: float) -> bool:
        """Whether a time has come; if not, it is remembered."""
        if now >= due:
            return True
        self.at = min(self.at, due)
        return False
