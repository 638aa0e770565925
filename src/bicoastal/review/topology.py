"""What stands where and what leads where, as the templates have it: the facts that a drawing shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.review.case import Case
from bicoastal.review.model.network import Kind
from bicoastal.review.verdict import number, yes
from bicoastal.review.what_if import spoken

DATABASE = "AWS::RDS::DBInstance"
STORES = (
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::Redshift::Cluster",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
)
_ENTRANCES = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api", "AWS::CloudFront::Distribution")
_WORKERS = ("AWS::EC2::Instance", "AWS::ECS::Service", "AWS::Lambda::Function")
USERS = "users"


@dataclass(frozen=True)
class Box:
    """A thing that is drawn."""

    key: str
    title: str
    text: str
    kind: str
    """`names`, `web`, `servers`, `data` or `store`."""


@dataclass(frozen=True)
class Edge:
    """One thing leads to another."""

    source: str
    target: str
    text: str
    kind: str
    """`traffic`, `replication` or `peering`."""


@dataclass
class RegionView:
    """A region with what stands in it, from users to data."""

    name: str
    role: str
    zones: list[str] = field(default_factory=list)
    subnets: str = ""
    boxes: list[Box] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    """What is not drawn, counted."""


@dataclass
class Topology:
    """Everything."""

    name: str
    """What users ask for; empty where no record leads to a balancer."""
    guards: str
    regions: list[RegionView] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def topology(case: Case) -> Topology:
    """The facts of a deployment."""
    name = case.public_name
    records = case.names.named(name) if name else []
    checks = len(case.names.checks)
    found = Topology(name if records else "", f"{checks} health checks" if checks else "no health check")
    for region in case.deployment.regions:
        found.regions.append(_region(case, region))
    _edges(case, found)
    return found


def key(resource: Resource) -> str:
    """What a resource is called in a drawing."""
    return f"{resource.stack.id}/{resource.logical_id}"


def _region(case: Case, region: str) -> RegionView:
    role = {case.deployment.home: "home", case.deployment.standby: "standby"}.get(region, "")
    view = RegionView(region, role if len(case.deployment.regions) > 1 else "")
    network = case.network(region)
    view.zones = sorted({spoken(subnet.zone) for subnet in network.subnets if subnet.zone})
    kinds = Counter(subnet.kind for subnet in network.subnets)
    words = {Kind.PUBLIC: "public", Kind.EGRESS: "private", Kind.ISOLATED: "isolated"}
    view.subnets = ", ".join(f"{kinds[kind]} {words[kind]}" for kind in Kind if kinds[kind])
    drawn = []
    for balancer in case.balancers(region):
        scheme = balancer.resource.get("Scheme", default="internet-facing")
        view.boxes.append(_box(balancer.resource, f"load balancer, {scheme}", "web"))
        drawn.append(balancer.resource)
    for item in case.deployment.of_type(*_ENTRANCES, region=region):
        view.boxes.append(_box(item, _kind(item), "web"))
        drawn.append(item)
    for fleet in case.fleets(region):
        least, most = number(fleet.resource.get("MinSize")), number(fleet.resource.get("MaxSize"))
        kind = fleet.data("InstanceType")
        size = f"{least:g} to {most:g} " if least is not None and most is not None else ""
        text = f"{size}instances{f' of {kind}' if isinstance(kind, str) else ''}"
        view.boxes.append(_box(fleet.resource, text, "servers"))
        drawn.append(fleet.resource)
    for item in case.deployment.of_type(*_WORKERS, region=region):
        view.boxes.append(_box(item, _kind(item), "servers"))
        drawn.append(item)
    for item in case.databases(region):
        view.boxes.append(_box(item, _database(case, item), "data"))
        drawn.append(item)
    for item in case.deployment.of_type(*STORES, region=region):
        view.boxes.append(_box(item, _kind(item), "store"))
        drawn.append(item)
    seen = {id(item) for item in drawn}
    others = Counter(_kind(i) for i in case.deployment.resources if i.region == region and id(i) not in seen)
    view.rest = [f"{count} {name}" for name, count in others.most_common()]
    return view


def _box(item: Resource, text: str, kind: str) -> Box:
    return Box(key(item), item.logical_id, text, kind)


def _kind(item: Resource) -> str:
    return item.type.removeprefix("AWS::").replace("::", " ")


def _database(case: Case, item: Resource) -> str:
    engine = str(item.get("Engine") or "PostgreSQL" if not case.is_replica(item) else "PostgreSQL")
    role = "read replica" if case.is_replica(item) else "primary"
    multi = item.get("MultiAZ")
    zones = "" if isinstance(multi, Unknown) else ", Multi-AZ" if yes(multi) else ", one zone"
    return f"{'PostgreSQL' if engine == 'postgres' else engine}, {role}{zones}"


def _edges(case: Case, found: Topology) -> None:
    for region in case.deployment.regions:
        for balancer in case.balancers(region):
            if found.name and any(item is balancer.resource for item in _led_to(case, found.name)):
                found.edges.append(Edge(USERS, key(balancer.resource), "", "traffic"))
            targets = {id(target) for target in balancer.targets}
            for fleet in case.fleets(region):
                if any(id(target) in targets for target in fleet.targets):
                    found.edges.append(Edge(key(balancer.resource), key(fleet.resource), "", "traffic"))
        for fleet in case.fleets(region):
            told = case.deployment.mentioned(fleet.template.properties) if fleet.template else []
            for item in case.databases():
                if any(item is one for one in told):
                    found.edges.append(Edge(key(fleet.resource), key(item), "", "traffic"))
    for item in case.databases():
        source = case.source(item)
        if source is not None:
            found.edges.append(Edge(key(source), key(item), "replication", "replication"))


def _led_to(case: Case, name: str) -> list[Resource]:
    return [item for record in case.names.named(name) for item in case.names.balancers(record)]
