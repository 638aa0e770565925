"""What a row is judged on: the deployment, the demand, and their models, each built once and only when asked for.

Models that a small template never asks for are not even imported before: a review is a new process each time.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Value
from bicoastal.review.demand import Demand
from bicoastal.review.model.identity import Identities
from bicoastal.review.model.names import Names
from bicoastal.review.model.network import Network
from bicoastal.review.model.service import Balancer, Fleet, balancers, fleets
from bicoastal.review.model.signals import Alarm, Signals
from bicoastal.review.model.told import Telling

if TYPE_CHECKING:
    from bicoastal.review.model.reachable import Reachable
    from bicoastal.review.model.resolution import Resolution
    from bicoastal.review.model.trigger import Trigger

DATABASE = "AWS::RDS::DBInstance"


class Case:
    """A deployment held against a demand."""

    def __init__(self, deployment: Deployment, demand: Demand) -> None:
        self.deployment = deployment
        self.demand = demand
        self.regions: tuple[str, ...] = tuple(region.name for region in demand.regions)
        """Home, then standby; home alone where no second region was asked for."""
        self.standby = demand.standby.name if demand.standby else ""
        self._networks: dict[str, Network] = {}
        self._fleets: dict[str, list[Fleet]] = {}
        self._balancers: dict[str, list[Balancer]] = {}
        self._telling: dict[str, Telling] = {}
        self._triggers: dict[int, Trigger] = {}

    def network(self, region: str) -> Network:
        """The networks of a region."""
        if region not in self._networks:
            self._networks[region] = Network(self.deployment, region)
        return self._networks[region]

    def fleets(self, region: str) -> list[Fleet]:
        """The Auto Scaling groups of a region."""
        if region not in self._fleets:
            self._fleets[region] = fleets(self.deployment, region)
        return self._fleets[region]

    def fleet(self, region: str) -> Fleet | None:
        """The fleet behind the region's balancer, or the only one there is."""
        served = {id(target) for one in self.balancers(region) for target in one.targets}
        found = self.fleets(region)
        behind = [item for item in found if any(id(target) in served for target in item.targets)]
        return next(iter(behind or found), None)

    def balancers(self, region: str) -> list[Balancer]:
        """The application load balancers of a region."""
        if region not in self._balancers:
            self._balancers[region] = balancers(self.deployment, region)
        return self._balancers[region]

    def balancer(self, region: str) -> Balancer | None:
        """The region's public balancer."""
        found = self.balancers(region)
        public = [item for item in found if item.resource.get("Scheme", default="internet-facing") == "internet-facing"]
        return next(iter(public or found), None)

    def runs_otherwise(self, region: str) -> str:
        """What runs an application there although there is no fleet, in words; empty where nothing does."""
        from bicoastal.review.model.runners import runners  # noqa: PLC0415

        return next((f"{region} {item.logical_id} is {how}" for item, how in runners(self.deployment, region)), "")

    @cached_property
    def names(self) -> Names:
        """DNS records and health checks."""
        return Names(self.deployment)

    @cached_property
    def reachable(self) -> Reachable:
        """Who can reach whom, as far as the templates tell."""
        from bicoastal.review.model.reachable import Reachable  # noqa: PLC0415

        return Reachable(self.deployment)

    @cached_property
    def signals(self) -> Signals:
        """Alarms, and who publishes what they look at."""
        machines = {
            id(fleet.resource): fleet.machine
            for region in dict.fromkeys((*self.regions, *self.deployment.regions))
            for fleet in self.fleets(region)
            if fleet.machine
        }
        return Signals(self.deployment, machines)

    def trigger(self, alarm: Alarm) -> Trigger:
        """When an alarm rings, in a region whose fleet is at its maximum."""
        from bicoastal.review.model.trigger import Trigger  # noqa: PLC0415

        key = id(alarm.resource)
        if key not in self._triggers:
            self._triggers[key] = Trigger(alarm, self.demand.fleet_max)
        return self._triggers[key]

    def telling(self, region: str) -> Telling:
        """What of a region reaches people."""
        if region not in self._telling:
            self._telling[region] = Telling(self.deployment, self.signals, region)
        return self._telling[region]

    @cached_property
    def identities(self) -> Identities:
        """Roles and what they may do."""
        return Identities(self.deployment)

    @cached_property
    def resolution(self) -> Resolution:
        """What the records answer in a situation."""
        from bicoastal.review.model.resolution import Resolution  # noqa: PLC0415

        return Resolution(self.deployment, self.names, self.signals, self.demand.fleet_max)

    @cached_property
    def public_name(self) -> str:
        """The name that users ask for: the spec's, or else the shortest one that leads to a balancer."""
        if self.demand.domain:
            return self.demand.domain.lower()
        leading = [record.name for record in self.names.records if self.names.balancers(record)]
        return min(leading, key=lambda name: (name.count("."), len(name)), default="")

    # Databases.

    def databases(self, region: str = "") -> list[Resource]:
        """PostgreSQL instances, in a region if one is named."""
        return self.deployment.of_type(DATABASE, region=region)

    def source(self, database: Resource) -> Resource | None:
        """The instance that a replica copies; None for one that copies none, or one that isn't here.

        RDS takes an ARN for a source in another region, and inside a region the identifier alone.
        """
        value = self._source(database)
        found = self.deployment.resource(value)
        if found is not None or value is None:
            return found
        wanted = self.deployment.spelled(value)
        near = (item for item in self.databases(database.region) if item is not database)
        return next(
            (item for item in near if self.deployment.spelled(item.get("DBInstanceIdentifier")) == wanted), None
        )

    def is_reader(self, database: Resource) -> bool:
        """Whether an instance copies one of its own region: it holds nothing else, under the same key."""
        source = self.source(database)
        return source is not None and source.region == database.region

    def is_replica(self, database: Resource) -> bool:
        """Whether an instance copies another one."""
        return self._source(database) is not None

    def _source(self, database: Resource) -> Value:
        return database.get("SourceDBInstanceIdentifier")

    @cached_property
    def primary(self) -> Resource | None:
        """The instance that takes writes in the home region."""
        own = [item for item in self.databases(self.regions[0]) if not self.is_replica(item)]
        return next(iter(own), None)

    @cached_property
    def standby_replica(self) -> Resource | None:
        """The replica in the standby region that copies an instance of the home region."""
        for item in self.databases(self.standby) if self.standby else ():
            source = self.source(item)
            if source is not None and source.region == self.regions[0]:
                return item
        return None
