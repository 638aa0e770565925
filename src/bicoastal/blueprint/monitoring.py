"""What each region watches of itself and of the other one, and who is told (M7, D18).

The same alarms stand in both regions and none asks for its region's role, so none has to be switched over when the
database moves. Home's loss is seen in the standby: its replica's heartbeat stops aging only while home writes it. What
a single stack can judge of its own resources is alarmed there; here is what takes several of them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bicoastal.blueprint.dashboard import dashboard
from bicoastal.blueprint.database.database import Database
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.service.service import Service
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.telemetry import metric_namespace
from bicoastal.blueprint.vault import Vault
from bicoastal.cfn.intrinsics import Value, ref, sub
from bicoastal.spec.model import Spec

BEHIND_BYTES = 256 * 1024 * 1024
"""WAL waiting for the replica. RDS closes a 64 MB segment every five minutes even if nothing is written: a replica that
is gone is seen within some 25 minutes on an idle database, and sooner on a busy one."""
SHORTEST_AGE_S = 15
"""Less would ring by itself: it beats every second, is read every second, and crosses a continent between."""
ERRORS_PERCENT = 5
FAILING_PERCENT = 50
FEW_REQUESTS = 20
"""Requests a minute below which a share of errors says nothing."""


@dataclass(frozen=True)
class Monitoring:
    """Nothing depends on it."""

    stack: Stack


def monitoring(spec: Spec, foundation: Foundation, vault: Vault, database: Database, service: Service) -> Monitoring:
    """Alarms across stacks and a dashboard, in both regions."""
    stack = Stack(spec, "monitoring", f"What is watched in each region of {spec.prefix}.")
    alarms = _Alarms(stack, foundation, service)
    _other_region(alarms)
    _database(alarms)
    _serving(alarms, service)
    _application_errors(alarms, service)
    dashboard(
        stack,
        {
            "Balancer": stack.input(service.balancer_full_name),
            "TargetGroup": stack.input(service.target_group_full_name),
            "Fleet": stack.input(service.fleet_name),
            "Database": stack.input(database.database_id),
            "Vault": stack.input(vault.name),
        },
        alarms.made,
    )
    return Monitoring(stack)


def _other_region(alarms: _Alarms) -> None:
    limit = max(alarms.spec.promise.rpo_seconds, SHORTEST_AGE_S)
    alarms.on_kit(
        "HeartbeatLost",
        "HeartbeatAge",
        "Maximum",
        f"The database's heartbeat is older than {limit} seconds, the RPO promised, or nobody here can read it. On "
        "the replica: the primary's region is lost or cut off, or replication is behind. Run `bicoastal status`, "
        "then decide on `failover`. On the primary: its instances cannot write to it.",
        above=limit,
        minutes=3,
        missing="breaching",
        comment="Missing data is the worst answer, not a pass. The primary's own region reads an age near zero.",
    )
    alarms.on_kit(
        "ReplicaBehind",
        "SlotRetainedBytes",
        "Maximum",
        "Changes wait for the replica in the other region: it is lost, cut off or too slow. A failover now would "
        "lose them, and they fill the primary's disk up to `max_slot_wal_keep_size`.",
        above=BEHIND_BYTES,
        minutes=5,
        comment="Only a primary has slots: elsewhere there is no data, which is no finding.",
    )
    alarms.math(
        "Unprotected",
        "IF(primary > 0 AND slot < 0, 1, 0)",
        {
            "primary": alarms.kit_metric("Primary", "Maximum"),
            "known": alarms.kit_metric("SlotRetainedBytes", "Maximum"),
            "slot": "FILL(known, -1)",
        },
        "The primary is here and no replica follows it: losing this region would lose everything since the last "
        "backup. `bicoastal rejoin` builds the replica.",
        above=0,
        minutes=15,
    )


def _database(alarms: _Alarms) -> None:
    alarms.on_kit(
        "Fenced",
        "Fenced",
        "Maximum",
        "The database here refuses writes: the other region has taken over, or this one found itself cut off. "
        "`bicoastal status` says which.",
        above=0,
        minutes=1,
    )
    alarms.on_kit(
        "KitErrors",
        "KitErrors",
        "Sum",
        "The instance kit fails in its rounds: no database, no password, no witness. Heartbeat, gate and fence "
        "depend on it; its log says why.",
        above=30,
        minutes=5,
    )


def _serving(alarms: _Alarms, service: Service) -> None:
    none_healthy = service.stack.output("NoHealthyHostsAlarm", ref("NoHealthyHosts"), "Nobody here answers.")
    alarms.stack.input(none_healthy)
    errors = {
        "requests": alarms.balancer_metric("RequestCount", "Sum"),
        "balancer": alarms.balancer_metric("HTTPCode_ELB_5XX_Count", "Sum"),
        "target": alarms.balancer_metric("HTTPCode_Target_5XX_Count", "Sum"),
    }
    percent = f"IF(requests > {FEW_REQUESTS}, 100 * (FILL(balancer, 0) + FILL(target, 0)) / requests, 0)"
    alarms.math(
        "ServerErrors",
        percent,
        errors,
        f"More than {ERRORS_PERCENT} % of the answers here are server errors. A closed read gate, and writes to a "
        "read-only standby, count as such.",
        above=ERRORS_PERCENT,
        minutes=5,
    )
    alarms.math(
        "Failing",
        percent,
        errors,
        f"More than {FAILING_PERCENT} % of the answers here are server errors.",
        above=FAILING_PERCENT,
        minutes=2,
        tell=False,
    )
    alarms.any_of(
        "CannotServe",
        ["${NoHealthyHostsAlarm}", "${Failing.Arn}"],
        "This region cannot serve its users. Without a healthy instance DNS sends them to the other region, if that is "
        "in service; errors alone move nobody: then decide on `failover`.",
    )


def _application_errors(alarms: _Alarms, service: Service) -> None:
    stack = alarms.stack
    group = service.stack.output("ApplicationLogGroup", ref("ApplicationLog"), "What the application writes.")
    stack.add(
        "ErrorsInLog",
        "AWS::Logs::MetricFilter",
        {
            "LogGroupName": stack.input(group),
            "FilterPattern": "?ERROR ?CRITICAL ?FATAL ?Traceback",
            "MetricTransformations": [
                {
                    "MetricNamespace": _log_namespace(stack.spec),
                    "MetricName": "ErrorsInLog",
                    "MetricValue": "1",
                    "DefaultValue": 0,
                    "Unit": "Count",
                }
            ],
        },
    )
    alarms.plain(
        "ApplicationErrors",
        {"Namespace": _log_namespace(stack.spec), "MetricName": "ErrorsInLog", "Statistic": "Sum"},
        "The application logs errors, more than 10 a minute for 5 minutes.",
        above=10,
        minutes=5,
    )


def _log_namespace(spec: Spec) -> str:
    """Apart from the instances' own namespace: what is counted in logs cannot be published by an instance."""
    return f"{metric_namespace(spec)}/logs"


class _Alarms:
    """Adds alarms that read one metric a minute and tell the region's topic, both when they begin and when they end."""

    def __init__(self, stack: Stack, foundation: Foundation, service: Service) -> None:
        self.stack = stack
        self.spec = stack.spec
        self.made: list[Resource] = []
        self._topic = stack.input(foundation.alert_topic_arn)
        self._fleet = [{"Name": "AutoScalingGroupName", "Value": stack.input(service.fleet_name)}]
        self._balancer = [{"Name": "LoadBalancer", "Value": stack.input(service.balancer_full_name)}]

    def kit_metric(self, name: str, statistic: str) -> Mapping[str, Value]:
        """A figure that the instance kit publishes, over the whole fleet."""
        return _metric(metric_namespace(self.spec), name, statistic, self._fleet)

    def balancer_metric(self, name: str, statistic: str) -> Mapping[str, Value]:
        """A figure of the region's balancer."""
        return _metric("AWS/ApplicationELB", name, statistic, self._balancer)

    def on_kit(self, logical_id: str, metric: str, statistic: str, description: str, **limits: Value) -> Resource:
        """An alarm on one of the kit's figures."""
        return self.plain(logical_id, self.kit_metric(metric, statistic), description, **limits)

    def plain(
        self,
        logical_id: str,
        metric: Mapping[str, Value],
        description: str,
        *,
        above: float,
        minutes: int,
        missing: str = "notBreaching",
        comment: str = "",
    ) -> Resource:
        """An alarm on one metric, for `minutes` in a row."""
        properties = {**metric, "Period": 60, **_limits(above, minutes, missing)}
        return self._add(logical_id, description, properties, comment=comment)

    def math(
        self,
        logical_id: str,
        expression: str,
        inputs: Mapping[str, Mapping[str, Value] | str],
        description: str,
        *,
        above: float,
        minutes: int,
        tell: bool = True,
    ) -> Resource:
        """An alarm on an expression over several metrics: for people, as a Route 53 check takes none of these."""
        queries = [
            {"Id": name, "ReturnData": False, **({"Expression": item} if isinstance(item, str) else _query(item))}
            for name, item in inputs.items()
        ]
        result = {"Id": "result", "Label": logical_id, "Expression": expression, "ReturnData": True}
        properties = {"Metrics": [result, *queries], **_limits(above, minutes, "notBreaching")}
        return self._add(logical_id, description, properties, tell=tell)

    def any_of(self, logical_id: str, children: Sequence[str], description: str) -> None:
        """One alarm for several reasons: names or ARNs of alarms, as text for `sub`."""
        rule = " OR ".join(f'ALARM("{child}")' for child in children)
        self.made.append(
            self.stack.add(
                logical_id,
                "AWS::CloudWatch::CompositeAlarm",
                {
                    "AlarmName": f"{self.spec.prefix}-{_kebab(logical_id)}",
                    "AlarmDescription": description,
                    "AlarmRule": sub(rule),
                    "AlarmActions": [self._topic],
                    "OKActions": [self._topic],
                },
            )
        )

    def _add(
        self,
        logical_id: str,
        description: str,
        properties: Mapping[str, Value],
        *,
        tell: bool = True,
        comment: str = "",
    ) -> Resource:
        actions = {"AlarmActions": [self._topic], "OKActions": [self._topic]} if tell else {}
        alarm = self.stack.add(
            logical_id,
            "AWS::CloudWatch::Alarm",
            {
                "AlarmName": f"{self.spec.prefix}-{_kebab(logical_id)}",
                "AlarmDescription": description,
                **properties,
                **actions,
            },
            comment=comment,
        )
        self.made.append(alarm)
        return alarm


def _metric(namespace: str, name: str, statistic: str, dimensions: Value) -> Mapping[str, Value]:
    return {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions, "Statistic": statistic}


def _query(metric: Mapping[str, Value]) -> Mapping[str, Value]:
    named = {key: metric[key] for key in ("Namespace", "MetricName", "Dimensions")}
    return {"MetricStat": {"Metric": named, "Period": 60, "Stat": metric["Statistic"]}}


def _limits(above: float, minutes: int, missing: str) -> Mapping[str, Value]:
    return {
        "EvaluationPeriods": minutes,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": above,
        "TreatMissingData": missing,
    }


def _kebab(logical_id: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in logical_id).lstrip("-")
