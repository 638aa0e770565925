"""What Route 53 answers in a situation: a region lost, full, or taken over.

The rules are in the Route 53 Developer Guide, "How Amazon Route 53 chooses records when health checking is configured":
a record is healthy if its check is and, for an alias that evaluates its target, if the target is; if no record of a set
is healthy, all are treated as healthy; if PRIMARY and SECONDARY are both unhealthy, PRIMARY is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.review.model.names import CONFIG, Names, Record
from bicoastal.review.model.signals import Alarm, Signals, compare
from bicoastal.review.verdict import number, yes

_MAX_DEPTH = 20


@dataclass(frozen=True)
class Situation:
    """The state of the world that health checks see."""

    lost: frozenset[str] = frozenset()
    """Regions that answer nothing and publish no metric."""
    taken_over: str = ""
    """The region whose switch is on."""
    at_maximum: frozenset[str] = frozenset()
    """Regions whose fleets cannot grow."""
    load: Mapping[str, float] = field(default_factory=dict)
    """Requests per target and minute by region; absent: few."""


class Resolution:
    """Answers of the zones' records in situations."""

    def __init__(self, deployment: Deployment, names: Names, signals: Signals, maximum: int) -> None:
        """`maximum`: the size at which a fleet cannot grow."""
        self._deployment = deployment
        self._names = names
        self._signals = signals
        self._maximum = maximum

    def shares(self, name: str, situation: Situation, *, near: str, type_: str = "A") -> dict[str, float]:
        """Where users near a region are sent: region of the balancer (or a record's values) to share of 1."""
        found: dict[str, float] = {}
        self._walk(name, type_, situation, near, 1.0, found, _MAX_DEPTH)
        return found

    def _walk(  # noqa: PLR0917 - the state of a recursion, called from two places
        self, name: str, type_: str, situation: Situation, near: str, share: float, found: dict[str, float], depth: int
    ) -> None:
        if depth == 0:
            return
        for record, part in self._chosen(self._names.named(name, type_), situation, near):
            if record.balancer is not None:
                region = record.balancer.region
                found[region] = found.get(region, 0) + share * part
            elif record.alias:
                self._walk(record.alias, type_, situation, near, share * part, found, depth - 1)
            elif record.values:
                value = "\n".join(record.values)
                found[value] = found.get(value, 0) + share * part

    def _chosen(  # noqa: PLR0911 - one return for each routing policy
        self, records: list[Record], situation: Situation, near: str
    ) -> list[tuple[Record, float]]:
        """The records of one name that are answered, with their shares."""
        if not records:
            return []
        healthy = [record for record in records if self.record_healthy(record, situation)]
        if any(record.failover for record in records):
            primary = [record for record in records if record.failover == "PRIMARY"]
            secondary = [record for record in records if record.failover == "SECONDARY"]
            for group in (primary, secondary):
                if group and group[0] in healthy:
                    return [(group[0], 1.0)]
            return [((primary or secondary)[0], 1.0)]
        eligible = healthy or records
        if any(record.latency_region for record in records):
            nearest = [record for record in eligible if record.latency_region == near]
            return [((nearest or eligible)[0], 1.0)]
        if any(record.weight is not None for record in records):
            total = sum(record.weight or 0 for record in eligible)
            if total <= 0:
                return [(record, 1 / len(eligible)) for record in eligible]
            return [(record, (record.weight or 0) / total) for record in eligible if record.weight]
        return [(eligible[0], 1.0)]

    def record_healthy(self, record: Record, situation: Situation, depth: int = _MAX_DEPTH) -> bool:
        """Whether a record counts as healthy."""
        if depth == 0:
            return True
        if record.guarded and (record.check is None or not self.check_healthy(record.check, situation)):
            return False
        if record.evaluates:
            if record.balancer is not None:
                return record.balancer.region not in situation.lost
            targets = self._names.named(record.alias, record.type)
            if targets:
                return any(self.record_healthy(target, situation, depth - 1) for target in targets)
        return True

    def check_healthy(self, check: Resource, situation: Situation, depth: int = 4) -> bool:
        """Whether a health check is healthy; one that watches what is not known here counts as healthy."""
        kind = str(check.get(CONFIG, "Type"))
        if depth == 0 or yes(check.get(CONFIG, "Disabled")):
            return True
        if kind == "CALCULATED":
            children = self._names.children(check)
            healthy = sum(self.check_healthy(child, situation, depth - 1) for child in children)
            status = healthy >= (number(check.get(CONFIG, "HealthThreshold")) or 0)
        elif kind == "CLOUDWATCH_METRIC":
            return self._alarm_check(check, situation)
        else:
            status = self._endpoint(check, kind, situation)
        return not status if yes(check.get(CONFIG, "Inverted")) else status

    def _endpoint(self, check: Resource, kind: str, situation: Situation) -> bool:
        balancer = self._names.endpoint(check)
        if balancer is None:
            return True
        if balancer.region in situation.lost:
            return False
        if "STR_MATCH" in kind and self.is_switch(check):
            return situation.taken_over == balancer.region
        return True

    def is_switch(self, check: Resource) -> bool:
        """Whether a check looks for the text of a listener's fixed response rather than for the application."""
        balancer = self._names.endpoint(check)
        path = str(check.get(CONFIG, "ResourcePath"))
        return balancer is not None and self.switch_rule(balancer, path) is not None

    def switch_rule(self, balancer: Resource, path: str) -> Resource | None:
        """The rule of a balancer that answers a path by itself."""
        for rule in self._deployment.of_type("AWS::ElasticLoadBalancingV2::ListenerRule", region=balancer.region):
            listener = self._deployment.resource(rule.get("ListenerArn"))
            if listener is None or self._deployment.resource(listener.get("LoadBalancerArn")) is not balancer:
                continue
            paths = [
                value
                for index, _ in enumerate(rule.items("Conditions"))
                for value in rule.items("Conditions", index, "PathPatternConfig", "Values")
            ]
            fixed = any(
                rule.get("Actions", index, "Type") == "fixed-response" for index, _ in enumerate(rule.items("Actions"))
            )
            if path in paths and fixed:
                return rule
        return None

    # Checks on alarms.

    def alarm_of(self, check: Resource) -> Alarm | None:
        """The alarm that a check reads, by its name and region."""
        region = check.get(CONFIG, "AlarmIdentifier", "Region")
        name = check.get(CONFIG, "AlarmIdentifier", "Name")
        alarm = self._signals.alarm(name)
        if alarm is None and isinstance(region, str) and name is not None:
            target = self._deployment.named(name, "AWS::CloudWatch::Alarm", region)
            alarm = self._signals.alarm(target.reference) if target is not None else None
        return alarm if alarm is not None and alarm.resource.region == region else None

    def _alarm_check(self, check: Resource, situation: Situation) -> bool:
        alarm = self.alarm_of(check)
        region = alarm.resource.region if alarm else ""
        ringing = None if alarm is None or region in situation.lost else self._ringing(alarm, situation)
        if ringing is None:
            return bool(check.get(CONFIG, "InsufficientDataHealthStatus") != "Unhealthy")
        return ringing if yes(check.get(CONFIG, "Inverted")) else not ringing

    def _ringing(self, alarm: Alarm, situation: Situation) -> bool | None:
        region = alarm.resource.region
        if len(alarm.metrics) != 1 or alarm.threshold is None:
            return None
        metric = alarm.metrics[0]
        if metric.name == "GroupInServiceInstances":
            value = float(self._maximum if region in situation.at_maximum else self._maximum - 1)
        elif metric.name == "RequestCountPerTarget":
            value = situation.load.get(region, 1.0)
        else:
            return None
        return compare(value, alarm.operator, alarm.threshold)
