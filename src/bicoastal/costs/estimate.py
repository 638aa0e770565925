"""What each resource costs a month while nobody uses it much: what runs all the time is priced, use is named.

One line for each kind of thing in a region. A fleet has two sums, at its least and at its most instances. A resource
type that is neither priced, nor free, nor charged by use alone is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.costs.prices import Prices, prices


@dataclass(frozen=True)
class Cost:
    """A line of the bill: so many of one thing in a region."""

    row: str
    """The row of the request that it serves, such as `M6`; for templates that nobody asked for, what it would serve."""
    what: str
    region: str
    least: float
    """Dollars a month."""
    most: float
    how: str
    """The sum, in words."""
    source: str
    """AWS's page of the price."""
    seen: str
    """Where the price was last seen, and when; or that it is from memory."""
    confirmed: bool


@dataclass(frozen=True)
class Unpriced:
    """Something that the table cannot price, and why."""

    what: str
    region: str
    why: str


@dataclass(frozen=True)
class Estimate:
    """A month's bill, as far as it can be known."""

    costs: tuple[Cost, ...]
    unknown: tuple[Unpriced, ...]
    by_use: tuple[str, ...]
    """What is charged by use: what of it there is, and what use means."""

    @property
    def least(self) -> float:
        """The sum with every fleet at its least."""
        return sum(cost.least for cost in self.costs)

    @property
    def most(self) -> float:
        """The sum with every fleet at its most."""
        return sum(cost.most for cost in self.costs)

    def by_row(self) -> dict[str, tuple[float, float]]:
        """Row to its sums, the dearest first."""
        found: dict[str, tuple[float, float]] = {}
        for cost in self.costs:
            least, most = found.get(cost.row, (0.0, 0.0))
            found[cost.row] = (least + cost.least, most + cost.most)
        return dict(sorted(found.items(), key=lambda item: (-item[1][1], item[0])))

    def by_kind(self) -> list[tuple[str, float, float]]:
        """What to its sums over the regions, the dearest first: what dominates the bill."""
        found: dict[str, tuple[float, float]] = {}
        for cost in self.costs:
            least, most = found.get(cost.what, (0.0, 0.0))
            found[cost.what] = (least + cost.least, most + cost.most)
        return sorted(((what, *sums) for what, sums in found.items()), key=lambda item: (-item[2], item[0]))


@dataclass(frozen=True)
class _Part:
    """One resource's share of a line."""

    row: str
    what: str
    key: str
    least: float
    most: float
    unit: str


_Parts = Iterator[_Part | str]
"""Parts, or the reason why there is none."""


def estimate(deployment: Deployment) -> Estimate:
    """The month's bill of a deployment."""
    table = prices()
    lines: dict[tuple[str, str, str, str, str], tuple[float, float]] = {}
    unknown: list[Unpriced] = []
    use: dict[str, int] = {}
    for item in deployment.resources:
        kind = item.type.removeprefix("AWS::").replace("::", " ")
        if item.type in BY_USE:
            use[item.type] = use.get(item.type, 0) + 1
        reckon = RECKONED.get(item.type)
        if reckon is None:
            if item.type not in BY_USE and not item.type.startswith(FREE):
                unknown.append(
                    Unpriced(f"{item.logical_id} ({kind})", item.region, "the table has no price of its type")
                )
            continue
        for part in reckon(deployment, item):
            if isinstance(part, str):
                unknown.append(Unpriced(f"{item.logical_id} ({kind})", item.region, part))
                continue
            if table.of(part.key, item.region) is None:
                why = f"the table has no price for {part.key.rpartition(':')[2]}" + (
                    "" if item.region in table.regions else f" in {item.region}"
                )
                unknown.append(Unpriced(f"{item.logical_id} ({kind})", item.region, why))
                continue
            key = (part.row, part.what, item.region, part.key, part.unit)
            least, most = lines.get(key, (0.0, 0.0))
            lines[key] = (least + part.least, most + part.most)
    costs = [_cost(table, key, least, most) for key, (least, most) in lines.items()]
    named = tuple(
        f"{count} {name.removeprefix('AWS::').replace('::', ' ')}: {BY_USE[name]}" for name, count in use.items()
    )
    return Estimate(tuple(costs), tuple(unknown), (*named, *ALWAYS_BY_USE))


def _cost(table: Prices, key: tuple[str, str, str, str, str], least: float, most: float) -> Cost:
    row, what, region, price_key, unit = key
    price = table.by_key[price_key]
    count = f"{least:g}" if least == most else f"{least:g} to {most:g}"
    hours = f" x {table.hours} h" if price.per == "hour" else ""
    how = f"{count} {unit} x ${price.usd:g} {f'an hour{hours}' if hours else 'a ' + price.per}"
    return Cost(
        row, what, region, least * price.monthly, most * price.monthly, how, price.source, price.seen, price.confirmed
    )


# Each type that is priced: what it is made of.


def _number(value: Value, default: float | None = None) -> float | None:
    if value is None:
        return default
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _fleet(deployment: Deployment, item: Resource) -> _Parts:
    least, most = _number(item.get("MinSize")), _number(item.get("MaxSize"))
    specification = item.get("LaunchTemplate") or item.get(
        "MixedInstancesPolicy", "LaunchTemplate", "LaunchTemplateSpecification"
    )
    specification = specification if isinstance(specification, dict) else {}
    template = deployment.resource(specification.get("LaunchTemplateId", specification.get("LaunchTemplateName")))
    if least is None or most is None or template is None:
        yield "its size or its launch template is not known"
        return
    yield from _machine(template, least, most, "LaunchTemplateData")


def _machine(item: Resource, least: float, most: float, *path: str) -> _Parts:
    kind = item.get(*path, "InstanceType")
    if not isinstance(kind, str):
        yield "its instance type is not known"
        return
    yield _Part("M4", "instances", f"ec2:{kind}", least, most, kind)
    for index, _ in enumerate(item.items(*path, "BlockDeviceMappings")):
        volume = item.get(*path, "BlockDeviceMappings", index, "Ebs")
        if isinstance(volume, dict) and (size := _number(volume.get("VolumeSize"))):
            name = str(volume.get("VolumeType") or "gp2")
            yield _Part("M4", "volumes", f"ebs:{name}", least * size, most * size, f"GB of {name}")


def _instance(_deployment: Deployment, item: Resource) -> _Parts:
    yield from _machine(item, 1, 1)


def _database(deployment: Deployment, item: Resource) -> _Parts:
    kind, multi = item.get("DBInstanceClass"), item.get("MultiAZ")
    if not isinstance(kind, str) or isinstance(multi, Unknown):
        yield "its class, or whether it is Multi-AZ, is not known"
        return
    engine = item.get("Engine")
    if engine is not None and engine != "postgres":
        yield f"the table has prices of PostgreSQL, not of {engine}"
        return
    times = 2 if str(multi).lower() == "true" else 1
    words = " of a primary and its standby" if times == 2 else ""
    yield _Part("M5", "databases", f"rds:{kind}", times, times, f"{kind}{words}")
    source = deployment.resource(item.get("SourceDBInstanceIdentifier"))
    size = _number(item.get("AllocatedStorage"))
    if size is None and source is not None:
        size = _number(source.get("AllocatedStorage"))
    if size is None:
        yield "how large its storage is is not known"
        return
    name = str(item.get("StorageType") or "gp2")
    yield _Part("M5", "database storage", f"rds-storage:{name}", times * size, times * size, f"GB of {name}")


def _gateway(_deployment: Deployment, item: Resource) -> _Parts:
    if item.get("ConnectivityType", default="public") == "public":
        yield _Part("M6", "NAT gateways", "nat-gateway", 1, 1, "gateways")
    else:
        yield _Part("M6", "NAT gateways", "nat-gateway", 1, 1, "private gateways")


def _address(_deployment: Deployment, _item: Resource) -> _Parts:
    yield _Part("M6", "public addresses", "public-address", 1, 1, "addresses")


def _endpoint(_deployment: Deployment, item: Resource) -> _Parts:
    if item.get("VpcEndpointType", default="Gateway") == "Interface":
        zones = len(item.items("SubnetIds")) or 1
        yield _Part("M6", "interface endpoints", "interface-endpoint", zones, zones, "endpoint zones")


def _balancer(_deployment: Deployment, item: Resource) -> _Parts:
    yield _Part("M3", "load balancers", "load-balancer", 1, 1, "balancers")
    zones = len(item.items("Subnets") or item.items("SubnetMappings"))
    if item.get("Scheme", default="internet-facing") == "internet-facing" and zones:
        yield _Part("M3", "load balancers' addresses", "public-address", zones, zones, "addresses")


def _acl(_deployment: Deployment, item: Resource) -> _Parts:
    yield _Part("M3", "web application firewalls", "web-acl", 1, 1, "web ACLs")
    rules = len(item.items("Rules"))
    if rules:
        yield _Part("M3", "web application firewalls", "web-acl-rule", rules, rules, "rules")


def _zone(_deployment: Deployment, _item: Resource) -> _Parts:
    yield _Part("M9", "hosted zones", "hosted-zone", 1, 1, "zones")


def _check(_deployment: Deployment, item: Resource) -> _Parts:
    kind = str(item.get("HealthCheckConfig", "Type"))
    yield _Part("M9", "health checks", "health-check", 1, 1, "checks of AWS's endpoints")
    features = ["HTTPS" in kind, "STR_MATCH" in kind, str(item.get("HealthCheckConfig", "MeasureLatency")) == "true"]
    fast = _number(item.get("HealthCheckConfig", "RequestInterval"), 30) == 10
    count = sum(features) + fast
    if count:
        yield _Part("M9", "health checks", "health-check-feature", count, count, "features (HTTPS, match, fast)")


def _alarm(_deployment: Deployment, item: Resource) -> _Parts:
    metrics = [one for one in item.items("Metrics") if isinstance(one, dict) and "MetricStat" in one]
    yield _Part("M7", "alarms", "alarm-metric", len(metrics) or 1, len(metrics) or 1, "metrics alarmed on")


def _one(row: str, what: str, key: str, unit: str) -> Callable[[Deployment, Resource], _Parts]:
    def reckon(_deployment: Deployment, _item: Resource) -> _Parts:
        yield _Part(row, what, key, 1, 1, unit)

    return reckon


def _secret(_deployment: Deployment, item: Resource) -> _Parts:
    count = 1 + len(item.items("ReplicaRegions"))
    yield _Part("M5", "secrets", "secret", count, count, "secrets and their copies")


RECKONED: Mapping[str, Callable[[Deployment, Resource], _Parts]] = {
    "AWS::AutoScaling::AutoScalingGroup": _fleet,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _one("M7", "alarms", "composite-alarm", "composite alarms"),
    "AWS::CloudWatch::Dashboard": _one("M7", "dashboards", "dashboard", "dashboards"),
    "AWS::EC2::EIP": _address,
    "AWS::EC2::Instance": _instance,
    "AWS::EC2::NatGateway": _gateway,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _balancer,
    "AWS::KMS::Key": _one("M13", "keys", "key", "keys"),
    "AWS::RDS::DBInstance": _database,
    "AWS::Route53::HealthCheck": _check,
    "AWS::Route53::HostedZone": _zone,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::WAFv2::WebACL": _acl,
}
"""Types that cost something while nobody uses them."""

BY_USE: Mapping[str, str] = {
    "AWS::Backup::BackupVault": "GB of recovery points kept, and copied between regions",
    "AWS::CloudTrail::Trail": "the first copy of management events is free, others by event",
    "AWS::DynamoDB::Table": "requests and GB",
    "AWS::EC2::FlowLog": "GB delivered",
    "AWS::Lambda::Function": "requests and GB-seconds",
    "AWS::Logs::LogGroup": "GB taken in, and kept",
    "AWS::S3::Bucket": "GB kept, and requests",
    "AWS::SNS::Topic": "messages",
    "AWS::SQS::Queue": "messages",
}
ALWAYS_BY_USE = (
    "data transfer: to the internet, between zones and between regions (replication), by the GB",
    "load balancer capacity units, GB through NAT gateways and endpoints, DNS queries, CPU credits beyond the baseline",
)
FREE = (
    "AWS::ApplicationAutoScaling::", "AWS::AutoScaling::", "AWS::Backup::", "AWS::CDK::", "AWS::CertificateManager::",
    "AWS::CloudFormation::", "AWS::EC2::DHCP", "AWS::EC2::Internet", "AWS::EC2::LaunchTemplate", "AWS::EC2::Network",
    "AWS::EC2::Route", "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::EC2::EgressOnly",
    "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::Events::", "AWS::IAM::",
    "AWS::KMS::Alias", "AWS::Lambda::Permission", "AWS::Logs::", "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBSubnetGroup", "AWS::RDS::EventSubscription", "AWS::Route53::RecordSet", "AWS::S3::BucketPolicy",
    "AWS::SNS::", "AWS::SQS::",
    "AWS::SSM::", "AWS::Scheduler::", "AWS::SecretsManager::", "AWS::WAFv2::", "Custom::",
)  # fmt: skip
"""Beginnings of types that cost nothing, or nothing beside what they belong to."""
