"""What a DNS answer is made from: the zones' records, the checks' health, the balancers. Values, and nothing that acts.

The control plane and the DNS server both read records into these, from the forms that each of them has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Json = Any

ELB_SUFFIX = ".elb.amazonaws.com."
AWS_SUFFIX = ".amazonaws.com."
_DUALSTACK = "dualstack."


def full_name(name: str) -> str:
    """As the zone has it: lower case, with the final dot, and `*` as itself."""
    lowered = name.lower().replace("\\052", "*")
    return lowered if lowered.endswith(".") else f"{lowered}."


@dataclass(frozen=True)
class Alias:
    """Another name of the zone, or a balancer's, whose answer is given."""

    zone: str
    name: str
    evaluate: bool


@dataclass(frozen=True)
class Record:
    """One record set of a zone, with its routing policy."""

    name: str
    type: str
    ttl: int = 0
    """Seconds, as in the template."""
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    set_id: str = ""
    weight: int | None = None
    region: str = ""
    failover: str = ""
    multivalue: bool = False
    elsewhere: str = ""
    """A routing policy that is not evaluated here: `GeoLocation`."""
    check: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Json]) -> Record:
        """From ListResourceRecordSets, or from the control plane's own table."""
        target = item.get("AliasTarget")
        alias = None
        if target:
            zone = str(target["HostedZoneId"]).removeprefix("/hostedzone/")
            alias = Alias(zone, balancer_key(target["DNSName"]), bool(target.get("EvaluateTargetHealth", False)))
        values = (value["Value"] if isinstance(value, Mapping) else value for value in item.get("ResourceRecords", ()))
        policies = ("GeoLocation", "GeoProximityLocation", "CidrRoutingConfig")
        return cls(
            name=full_name(item["Name"]),
            type=str(item["Type"]),
            ttl=int(item.get("TTL") or 0),
            values=tuple(map(str, values)),
            alias=alias,
            set_id=str(item.get("SetIdentifier", "")),
            weight=None if item.get("Weight") is None else int(item["Weight"]),
            region=str(item.get("Region", "")),
            failover=str(item.get("Failover", "")),
            multivalue=bool(item.get("MultiValueAnswer", False)),
            elsewhere=next((name for name in policies if item.get(name)), ""),
            check=str(item.get("HealthCheckId", "")),
        )


@dataclass(frozen=True)
class Zone:
    """A public hosted zone."""

    id: str
    name: str
    records: tuple[Record, ...]

    @classmethod
    def read(cls, id_: str, name: str, items: Iterable[Mapping[str, Json]]) -> Zone:
        """From the API's forms."""
        return cls(id_.removeprefix("/hostedzone/"), full_name(name), tuple(map(Record.read, items)))

    @cached_property
    def sets(self) -> Mapping[str, Mapping[str, tuple[Record, ...]]]:
        """Name to type to the records of that set."""
        found: dict[str, dict[str, tuple[Record, ...]]] = {}
        for record in self.records:
            kinds = found.setdefault(record.name, {})
            kinds[record.type] = (*kinds.get(record.type, ()), record)
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that exists, also one that has no records and stands above one that has."""
        found = {self.name}
        for record in self.records:
            name = record.name
            while name != self.name and name not in found and name.endswith(f".{self.name}"):
                found.add(name)
                name = name.partition(".")[2]
        return frozenset(found)

    def find(self, name: str) -> Mapping[str, tuple[Record, ...]] | None:
        """The sets of a name, by type, or those of the wildcard that covers it; None: there is no such name."""
        if name in self.names:
            return self.sets.get(name, {})
        above = name
        while above not in self.names:
            above = above.partition(".")[2]
        return self.sets.get(f"*.{above}")

    def covers(self, name: str) -> bool:
        """Whether the name is in the zone."""
        return name == self.name or name.endswith(f".{self.name}")


@dataclass(frozen=True)
class Balancer:
    """What a load balancer's own name leads to."""

    region: str
    address: str
    healthy: bool = False
    """Every target group of it has a healthy target."""


@dataclass(frozen=True)
class World:
    """All that an answer depends on."""

    zones: tuple[Zone, ...] = ()
    checks: Mapping[str, bool] = field(default_factory=dict)
    """Check id to whether it is healthy. One that is not there (deleted, or never probed) counts as healthy."""
    balancers: Mapping[str, Balancer] = field(default_factory=dict)
    """By `balancer_key`."""

    def zone_of(self, name: str) -> Zone | None:
        """The zone that answers for a name: the deepest. Of several with one name, that with the most records.

        On AWS the registrar's delegation decides between those; a zone that outlived its stack is nearly empty.
        """
        covering = [zone for zone in self.zones if zone.covers(name)]
        return max(covering, key=lambda zone: (len(zone.name), len(zone.records), zone.id), default=None)

    def zone(self, id_: str) -> Zone | None:
        """The zone of that id."""
        return next((zone for zone in self.zones if zone.id == id_), None)

    @property
    def public_name(self) -> str:
        """The application's: the shortest plain alias to another name of its zone. Empty when there is none yet."""
        found = [
            record.name
            for zone in self.zones
            for record in zone.records
            if record.type == "A" and not record.set_id and record.alias is not None and record.alias.zone == zone.id
        ]
        return min(found, key=lambda name: (len(name), name), default="").rstrip(".")


def balancer_key(name: str) -> str:
    """A balancer's name as it is looked up; the console writes `dualstack.` before it."""
    found = full_name(name)
    return found.removeprefix(_DUALSTACK) if found.endswith(ELB_SUFFIX) else found
