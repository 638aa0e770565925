"""Who is told of what: alarms and event rules that end at a topic."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.review.model.signals import Alarm, Signals

TOPIC = "AWS::SNS::Topic"
_SCALES = "AWS::AutoScaling::ScalingPolicy"


class Telling:
    """What of a region reaches people."""

    def __init__(self, deployment: Deployment, signals: Signals, region: str) -> None:
        self._deployment = deployment
        self._region = region
        self.alarms = [alarm for alarm in signals.of(region) if self._tells(alarm)]
        """Alarms that tell a topic and scale nothing: what a person reads as a fault."""
        self.composites = [
            item
            for item in deployment.of_type("AWS::CloudWatch::CompositeAlarm", region=region)
            if item.get("AlarmRule") is not None and self._to_topic(item, "AlarmActions")
        ]

    def _tells(self, alarm: Alarm) -> bool:
        targets = [self._deployment.resource(action) for action in alarm.actions]
        types = {target.type for target in targets if target is not None}
        return TOPIC in types and _SCALES not in types

    def _to_topic(self, item: Resource, *path: str | int) -> bool:
        targets = [self._deployment.resource(value) for value in item.items(*path)]
        return any(target is not None and target.type == TOPIC for target in targets)

    def on(self, namespace: str, *names: str) -> list[Alarm]:
        """Alarms on one of the metrics; any namespace, for an empty one."""
        return [
            alarm
            for alarm in self.alarms
            if any(metric.name in names and namespace in ("", metric.namespace) for metric in alarm.metrics)
        ]

    def alone(self, part: str) -> list[Alarm]:
        """Alarms on a single metric whose name has a part."""
        return [alarm for alarm in self.alarms if len(alarm.metrics) == 1 and part in alarm.metrics[0].name]

    def of_event(self, *needles: str) -> list[Resource]:
        """Event rules that tell a topic and whose pattern says all of the texts."""
        return [item for item in self._rules() if all(needle in str(item.get("EventPattern")) for needle in needles)]

    def _rules(self) -> Iterator[Resource]:
        for item in self._deployment.of_type("AWS::Events::Rule", region=self._region):
            off = item.get("State") == "DISABLED"
            paths = [("Targets", index, "Arn") for index, _ in enumerate(item.items("Targets"))]
            if not off and any(self._to_topic(item, *path) for path in paths):
                yield item
