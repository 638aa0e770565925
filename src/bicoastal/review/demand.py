"""What was asked for: a frozen list of facts that rows are judged against, whatever file it came from.

Nothing here imports the spec at run time: reading a deployment of other people needs no pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bicoastal.spec.model import Spec


@dataclass(frozen=True)
class RegionDemand:
    """What is asked of one region; None where anything sensible will do."""

    name: str
    cidr: str | None = None
    zones: int = 2
    requests_per_minute: int | None = None
    cpu_percent: int | None = None
    memory_percent: int | None = None
    at_capacity_requests: int | None = None
    backup_start: str | None = None
    """Local time, `21:00`."""
    backup_time_zone: str | None = None
    backup_keep_days: int | None = None


@dataclass(frozen=True)
class Demand:
    """A web application in one region or two, as it was asked for."""

    home: RegionDemand
    standby: RegionDemand | None
    """None where no second region was asked for."""
    instance_type: str = "t3.micro"
    fleet_min: int = 2
    fleet_max: int = 6
    port: int | None = None
    health_path: str | None = None
    domain: str | None = None
    routing: str = "nearest"
    """`nearest`: both regions serve; `failover`: the standby serves when home is lost."""
    zone_given: bool = False
    """The hosted zone exists already: no template creates it."""
    engine_version: str | None = None
    read_replicas: int = 0
    log_days: int = 30
    aggregate_logs: bool = False
    copies: tuple[str, ...] = ()
    """Regions that may hold copies of the data."""
    writes_cross: bool = True
    """The standby's application may write to the home region's database over the peering connection."""
    tags: Mapping[str, str | None] = field(default_factory=lambda: {"cost-center": None, "environment": None})
    """Tags that everything bears; None where any value will do."""
    emergency_minutes: int = 60
    alerts: tuple[str, ...] = ()
    rto_minutes: int | None = None
    """What users were promised for the loss of the home region; None where nothing was."""
    rpo_seconds: int | None = None
    not_asked: frozenset[str] = frozenset()
    """Ids of rows that nobody asked for."""

    @property
    def regions(self) -> tuple[RegionDemand, ...]:
        """Home, then standby, if there is one."""
        return (self.home, self.standby) if self.standby else (self.home,)

    def of(self, region: str) -> RegionDemand:
        """What is asked of a region."""
        return self.standby if self.standby and region == self.standby.name else self.home

    def other(self, region: str) -> RegionDemand:
        """The region that is not this one; one without a name, where there is no other."""
        return (self.standby or RegionDemand("")) if region == self.home.name else self.home


def two_region_web(home: str = "us-east-1", standby: str = "us-west-2") -> Demand:
    """The built-in profile: the request as it is usually made, without the figures that only a spec knows."""
    return Demand(RegionDemand(home), RegionDemand(standby), copies=(standby,))


def single_region_web(home: str = "us-east-1") -> Demand:
    """The other one: the same application in one region, which may lose any of its zones and nothing more."""
    return Demand(RegionDemand(home), None, writes_cross=False)


def demand_of(spec: Spec) -> Demand:
    """What a spec asks for."""
    from bicoastal.spec.model import Flow  # noqa: PLC0415 - pydantic is loaded only where a spec was read

    regions = {
        name: RegionDemand(
            name,
            cidr=str(region.cidr),
            zones=region.availability_zones,
            requests_per_minute=region.scaling.requests_per_minute,
            cpu_percent=region.scaling.cpu_percent,
            memory_percent=region.scaling.memory_percent,
            at_capacity_requests=region.at_capacity.requests_per_minute,
            backup_start=region.backup.start,
            backup_time_zone=region.backup.time_zone,
            backup_keep_days=region.backup.keep_days,
        )
        for name, region in spec.regions.items()
    }
    return Demand(
        regions[spec.home],
        regions[spec.standby],
        instance_type=spec.instances.type,
        fleet_min=spec.instances.min,
        fleet_max=spec.instances.max,
        port=spec.app.port,
        health_path=spec.app.health_path,
        domain=spec.domain.name,
        routing=spec.routing.value,
        zone_given=spec.domain.zone_id is not None,
        engine_version=spec.database.engine_version,
        read_replicas=spec.database.read_replicas,
        log_days=spec.logs.retention_days,
        aggregate_logs=spec.logs.aggregate,
        copies=spec.copies,
        writes_cross=Flow.WRITES in spec.residency.flows,
        tags={
            "cost-center": spec.cost_center,
            "environment": spec.environment,
            "application": spec.name,
            "managed-by": "bicoastal",
            **spec.tags,
        },
        emergency_minutes=spec.emergency.max_minutes,
        alerts=spec.alerts,
        rto_minutes=spec.promise.rto_minutes,
        rpo_seconds=spec.promise.rpo_seconds,
    )
