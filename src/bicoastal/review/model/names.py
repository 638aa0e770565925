"""Where DNS names lead: record sets, the health checks that guard them, and what they finally point at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Value
from bicoastal.review.verdict import number, yes

CONFIG = "HealthCheckConfig"


@dataclass(frozen=True)
class Record:
    """One record set of one or another kind of routing."""

    resource: Resource
    path: tuple[str | int, ...]
    name: str
    type: str
    set_id: str
    alias: str
    """The name that it is an alias of, spelled out; empty if it is none."""
    balancer: Resource | None
    """The load balancer that it is an alias of."""
    evaluates: bool
    ttl: float | None
    values: tuple[str, ...]
    failover: str
    weight: float | None
    latency_region: str
    check: Resource | None
    guarded: bool
    """It names a health check, known here or not."""


class Names:
    """The hosted zones' records and the health checks."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.records = list(self._records())
        self.checks = deployment.of_type("AWS::Route53::HealthCheck")

    @cached_property
    def _by_name(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.name, []).append(record)
        return found

    def named(self, name: str, type_: str = "") -> list[Record]:
        """The records of a name."""
        return [item for item in self._by_name.get(name.rstrip(".").lower(), ()) if type_ in ("", item.type)]

    def balancers(self, record: Record) -> list[Resource]:
        """Every load balancer that a record can lead to, through any number of aliases."""
        found: dict[int, Resource] = {}
        seen = {id(record)}
        waiting = [record]
        while waiting:
            current = waiting.pop()
            if current.balancer is not None:
                found[id(current.balancer)] = current.balancer
                continue
            for item in self.named(current.alias, current.type) if current.alias else ():
                if id(item) not in seen:
                    seen.add(id(item))
                    waiting.append(item)
        return list(found.values())

    def children(self, check: Resource) -> list[Resource]:
        """The health checks that a calculated one counts."""
        found = [self._deployment.resource(item) for item in check.items(CONFIG, "ChildHealthChecks")]
        return [item for item in found if item is not None]

    def endpoint(self, check: Resource) -> Resource | None:
        """The load balancer that an endpoint check knocks at, by its own name or by a record that leads there."""
        name = check.get(CONFIG, "FullyQualifiedDomainName")
        target = self._deployment.resource(name)
        if target is not None:
            return target
        spelled = self._deployment.spelled(name) if name is not None else ""
        found = [item for record in self.named(spelled) for item in self.balancers(record)]
        return found[0] if len(found) == 1 else None

    def _records(self) -> Iterator[Record]:
        for item in self._deployment.of_type("AWS::Route53::RecordSet"):
            yield self._record(item, ())
        for item in self._deployment.of_type("AWS::Route53::RecordSetGroup"):
            for index, _ in enumerate(item.items("RecordSets")):
                yield self._record(item, ("RecordSets", index))

    def _record(self, item: Resource, path: tuple[str | int, ...]) -> Record:
        spelled = self._deployment.spelled

        def of(*names: str) -> Value:
            return item.get(*path, *names)

        def text(*names: str) -> str:
            value = of(*names)
            return "" if value is None else spelled(value)

        target = self._deployment.resource(of("AliasTarget", "DNSName"))
        check = of("HealthCheckId")
        return Record(
            item,
            path,
            text("Name").rstrip(".").lower(),
            text("Type"),
            text("SetIdentifier"),
            text("AliasTarget", "DNSName").rstrip(".").lower(),
            target if target is not None and target.type.endswith("::LoadBalancer") else None,
            yes(of("AliasTarget", "EvaluateTargetHealth")),
            number(of("TTL")),
            tuple(spelled(value) for value in item.items(*path, "ResourceRecords")),
            text("Failover"),
            number(of("Weight")),
            text("Region"),
            self._deployment.resource(check),
            check is not None,
        )
