"""What Route 53 answers in a situation: a region lost, full, or taken over.

The rules are in the Route 53 Developer Guide, "How Amazon Route 53 chooses records when health checking is configured":
a record is healthy if its check is and, for an alias that evaluates its target, if the target is; if no record of a set
is healthy, all are treated as healthy; if PRIMARY and SECONDARY are both unhealthy, PRIMARY is answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.review.model.names import CONFIG, Names, Record
from bicoastal.review.model.signals import Alarm, Signals, compare
from bicoastal.review.verdict import number, yes

_MAX_DEPTH = 60


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
    """Requests per target of the largest fleet and minute, by region; absent: few."""


@dataclass
class _View:
    """A situation as users near a region see it, with what is already known of it."""

    situation: Situation
    near: str
    answers: dict[str, dict[str, float]] = field(default_factory=dict)
    records: dict[int, bool] = field(default_factory=dict)
    checks: dict[int, bool] = field(default_factory=dict)
    _depth: int = 0

    @contextmanager
    def deeper(self) -> Iterator[bool]:
        """One alias or child further; False where that is deeper than Route 53 or anybody's tree goes."""
        self._depth += 1
        try:
            yield self._depth <= _MAX_DEPTH
        finally:
            self._depth -= 1


def load_limit(alarm: Alarm, maximum: int) -> float | None:
    """Requests per target of the largest fleet and minute at which an alarm changes; None where it watches no load."""
    if alarm.threshold is None:
        return None
    if alarm.watches("AWS/ApplicationELB", "RequestCountPerTarget"):
        return alarm.threshold
    return alarm.threshold / maximum if alarm.watches("AWS/ApplicationELB", "RequestCount") else None


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
        return dict(self._answers(name, type_, _View(situation, near)))

    def _answers(self, name: str, type_: str, view: _View) -> dict[str, float]:
        """The shares of one name, computed once for a view: trees of aliases share their branches."""
        if name in view.answers:
            return view.answers[name]
        view.answers[name] = found = {}
        shares: dict[str, float] = {}
        for record, part in self._chosen(self._names.named(name, type_), view):
            if record.balancer is not None:
                ends = {record.balancer.region: 1.0}
            elif record.alias:
                with view.deeper() as shallow:
                    ends = self._answers(record.alias, type_, view) if shallow else {}
            else:
                ends = {"\n".join(record.values): 1.0} if record.values else {}
            for end, share in ends.items():
                shares[end] = shares.get(end, 0) + part * share
        found.update(shares)
        return found

    def _chosen(  # noqa: PLR0911 - one return for each routing policy
        self, records: list[Record], view: _View
    ) -> list[tuple[Record, float]]:
        """The records of one name that are answered, with their shares."""
        if not records:
            return []
        healthy = [record for record in records if self._record_healthy(record, view)]
        if any(record.failover for record in records):
            primary = [record for record in records if record.failover == "PRIMARY"]
            secondary = [record for record in records if record.failover == "SECONDARY"]
            for group in (primary, secondary):
                if group and group[0] in healthy:
                    return [(group[0], 1.0)]
            return [((primary or secondary)[0], 1.0)]
        eligible = healthy or records
        if any(record.latency_region for record in records):
            nearest = [record for record in eligible if record.latency_region == view.near]
            return [((nearest or eligible)[0], 1.0)]
        if any(record.weight is not None for record in records):
            total = sum(record.weight or 0 for record in eligible)
            if total <= 0:
                return [(record, 1 / len(eligible)) for record in eligible]
            return [(record, (record.weight or 0) / total) for record in eligible if record.weight]
        return [(eligible[0], 1.0)]

    def _record_healthy(self, record: Record, view: _View) -> bool:
        """Whether a record counts as healthy."""
        if id(record) not in view.records:
            view.records[id(record)] = True  # while it is computed: aliases in a circle hold each other up
            with view.deeper() as shallow:
                view.records[id(record)] = not shallow or self._judged(record, view)
        return view.records[id(record)]

    def _judged(self, record: Record, view: _View) -> bool:
        if record.guarded and (record.check is None or not self._check_healthy(record.check, view)):
            return False
        if record.evaluates:
            if record.balancer is not None:
                return record.balancer.region not in view.situation.lost
            targets = self._names.named(record.alias, record.type)
            if targets:
                return any(self._record_healthy(target, view) for target in targets)
        return True

    def _check_healthy(self, check: Resource, view: _View) -> bool:
        """Whether a health check is healthy; one that watches what is not known here counts as healthy."""
        if id(check) not in view.checks:
            view.checks[id(check)] = True
            with view.deeper() as shallow:
                view.checks[id(check)] = not shallow or self._probed(check, view)
        return view.checks[id(check)]

    def _probed(self, check: Resource, view: _View) -> bool:
        kind = str(check.get(CONFIG, "Type"))
        if yes(check.get(CONFIG, "Disabled")):
            return True
        if kind == "CLOUDWATCH_METRIC":
            return self._alarm_check(check, view.situation)
        if kind == "CALCULATED":
            healthy = sum(self._check_healthy(child, view) for child in self._names.children(check))
            status = healthy >= (number(check.get(CONFIG, "HealthThreshold")) or 0)
        else:
            status = self._endpoint(check, kind, view.situation)
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
        elif metric.name == "RequestCount":
            value = situation.load.get(region, 1.0) * self._maximum
        else:
            return None
        return compare(value, alarm.operator, alarm.threshold)
