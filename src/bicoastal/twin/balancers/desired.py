"""What the API says of a region's load balancers, as frozen data with AWS's defaults filled in. Nothing acts here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any

_IDLE_S = 60.0
_KEEP_ALIVE_S = 3600.0
_DRAIN_S = 300.0


@dataclass(frozen=True)
class Check:
    """How a target group's targets are checked; seconds are AWS's."""

    protocol: str
    port: str
    """A number, or `traffic-port`."""
    path: str
    interval_s: float
    timeout_s: float
    healthy: int
    """Passes in a row after which an unhealthy target is healthy."""
    unhealthy: int
    """Failures in a row after which a target is unhealthy."""
    codes: str
    """`200`, `200,202` or `200-299`."""

    def matches(self, code: int) -> bool:
        """Whether an answer of this code passes."""
        for part in self.codes.split(","):
            first, _, last = part.strip().partition("-")
            if int(first) <= code <= int(last or first):
                return True
        return False


@dataclass(frozen=True)
class Target:
    """One of a target group."""

    id: str
    port: int

    @property
    def key(self) -> str:
        """As the API's table of health names it."""
        return f"{self.id}:{self.port}"


@dataclass(frozen=True)
class Group:
    """A target group."""

    arn: str
    protocol: str
    version: str
    target_type: str
    check: Check
    targets: tuple[Target, ...]
    """Registered ones that are to be checked and may get requests."""
    draining: Mapping[str, float]
    """Targets that were deregistered, and when, in seconds since the epoch."""
    reported: Mapping[str, Mapping[str, str]]
    """Target to what the API says of it now."""
    algorithm: str
    slow_start_s: float
    deregistration_s: float
    stickiness: Stickiness | None

    @property
    def name(self) -> str:
        """`targetgroup/NAME/ID`: CloudWatch's dimension."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True)
class Stickiness:
    """A cookie that keeps a client with a target, or with a target group."""

    cookie: str
    seconds: float
    """0: until the browser is closed."""


@dataclass(frozen=True)
class Action:
    """What a rule does with a request."""

    kind: str
    groups: tuple[tuple[str, int], ...] = ()
    """Target groups and their weights."""
    sticky_s: float | None = None
    """How long a client stays with a target group; None: it does not."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Of a fixed response or a redirect, as the API has it."""


@dataclass(frozen=True)
class Condition:
    """One of a rule's; any of its values is enough."""

    kind: str
    values: tuple[Any, ...]
    header: str = ""


@dataclass(frozen=True)
class Rule:
    """A listener's; the first by priority whose conditions all hold is taken."""

    arn: str
    priority: int
    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class Listener:
    """A port of a load balancer."""

    arn: str
    port: int
    protocol: str
    policy: str
    names: tuple[str, ...]
    """Those of its certificates."""
    attributes: Mapping[str, str]
    rules: tuple[Rule, ...]
    """By priority; the default one is the last."""


@dataclass(frozen=True)
class Balancer:
    """A load balancer, with all that is its own."""

    region: str
    arn: str
    dns: str
    scheme: str
    state: str
    attributes: Mapping[str, str]
    listeners: tuple[Listener, ...]
    groups: Mapping[str, Group]
    """Those that its rules forward to."""
    web_acl: Json
    """As WAF has it; None where none is associated."""
    address_sets: Mapping[str, tuple[str, ...]]
    """WAF's IP sets by ARN."""

    @property
    def name(self) -> str:
        """`app/NAME/ID`: CloudWatch's dimension."""
        return self.arn.partition("loadbalancer/")[2]

    @property
    def idle_s(self) -> float:
        """How long a connection may say nothing."""
        return float(self.attributes.get("idle_timeout.timeout_seconds", _IDLE_S))

    @property
    def keep_alive_s(self) -> float:
        """How old a client's connection may become."""
        return float(self.attributes.get("client_keep_alive.seconds", _KEEP_ALIVE_S))

    def on(self, attribute: str, default: str = "false") -> bool:
        """Whether an attribute is set."""
        return self.attributes.get(attribute, default) == "true"


def balancers(region: str, everything: Mapping[str, Json]) -> Iterator[Balancer]:
    """Read the answer to `elbv2.everything`; load balancers of other kinds are left out."""
    groups = {arn: _group(record) for arn, record in everything["Groups"].items()}
    sets = {arn: tuple(addresses) for arn, addresses in everything["IPSets"].items()}
    for record in everything["Balancers"]:
        if record.get("Type", "application") != "application":
            continue
        listeners = tuple(sorted((_listener(item) for item in record["Listeners"]), key=lambda item: item.port))
        used = {arn for item in listeners for rule in item.rules for arn, _ in rule.action.groups}
        yield Balancer(
            region=region,
            arn=record["LoadBalancerArn"],
            dns=record["DNSName"],
            scheme=record["Scheme"],
            state=record["State"],
            attributes=record["Attributes"],
            listeners=listeners,
            groups={arn: groups[arn] for arn in sorted(used) if arn in groups},
            web_acl=record["WebACL"],
            address_sets=sets,
        )


def _listener(record: Mapping[str, Json]) -> Listener:
    return Listener(
        arn=record["ListenerArn"],
        port=int(record["Port"]),
        protocol=record["Protocol"],
        policy=record.get("SslPolicy", ""),
        names=tuple(record["Names"]),
        attributes=record["Attributes"],
        rules=tuple(sorted(map(_rule, record["Rules"]), key=lambda rule: rule.priority)),
    )


_LAST = 1 << 20


def _rule(record: Mapping[str, Json]) -> Rule:
    return Rule(
        arn=record["RuleArn"],
        priority=_LAST if record["IsDefault"] else int(record["Priority"]),
        conditions=tuple(map(_condition, record["Conditions"])),
        action=_action(record["Actions"]),
    )


def _condition(record: Mapping[str, Json]) -> Condition:
    header = record.get("HttpHeaderConfig") or {}
    values = header.get("Values") or record.get("Values") or ()
    return Condition(record["Field"], tuple(values), header.get("HttpHeaderName", ""))


def _action(records: list[Mapping[str, Json]]) -> Action:
    """The last in order: those before it authenticate, which is not done here."""
    record = max(records, key=lambda item: int(item.get("Order", 1)))
    if record["Type"] != "forward":
        config = record.get("FixedResponseConfig") or record.get("RedirectConfig") or {}
        return Action(record["Type"], config={key: str(value) for key, value in config.items()})
    forward = record["ForwardConfig"]
    sticky = forward.get("TargetGroupStickinessConfig") or {}
    enabled = str(sticky.get("Enabled", "false")).lower() == "true"
    return Action(
        "forward",
        groups=tuple((item["TargetGroupArn"], int(item["Weight"])) for item in forward["TargetGroups"]),
        sticky_s=float(sticky.get("DurationSeconds", 1)) if enabled else None,
    )


def _group(record: Mapping[str, Json]) -> Group:
    attributes = record["Attributes"]
    health = record["Health"]
    usable = [key for key, state in health.items() if state["State"] != "unused"]
    return Group(
        arn=record["TargetGroupArn"],
        protocol=record["Protocol"],
        version=record.get("ProtocolVersion", "HTTP1"),
        target_type=record["TargetType"],
        check=Check(
            protocol=record["HealthCheckProtocol"],
            port=str(record["HealthCheckPort"]),
            path=record["HealthCheckPath"],
            interval_s=float(record["HealthCheckIntervalSeconds"]),
            timeout_s=float(record["HealthCheckTimeoutSeconds"]),
            healthy=int(record["HealthyThresholdCount"]),
            unhealthy=int(record["UnhealthyThresholdCount"]),
            codes=str(record["Matcher"]["HttpCode"]),
        ),
        targets=tuple(_target(key) for key in usable),
        draining=record["Draining"],
        reported=health,
        algorithm=attributes.get("load_balancing.algorithm.type", "round_robin"),
        slow_start_s=float(attributes.get("slow_start.duration_seconds", 0)),
        deregistration_s=float(attributes.get("deregistration_delay.timeout_seconds", _DRAIN_S)),
        stickiness=_stickiness(attributes),
    )


def _target(key: str) -> Target:
    id_, _, port = key.rpartition(":")
    return Target(id_, int(port))


def _stickiness(attributes: Mapping[str, str]) -> Stickiness | None:
    if attributes.get("stickiness.enabled") != "true":
        return None
    if attributes.get("stickiness.type") == "app_cookie":
        # Envoy cannot follow a cookie of the application's: one of ours does what it is for.
        return Stickiness("AWSALBAPP-0", float(attributes.get("stickiness.app_cookie.duration_seconds", 86400)))
    return Stickiness("AWSALB", float(attributes.get("stickiness.lb_cookie.duration_seconds", 86400)))
