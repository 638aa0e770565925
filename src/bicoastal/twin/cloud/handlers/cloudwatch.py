"""Alarms: composite ones as a CloudFormation type, and metric math in those of metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, Wanted

Json = Any
Record = dict[str, Json]

_LISTS = ("AlarmActions", "OKActions", "InsufficientDataActions")


class CompositeAlarm(ResourceType):
    """An alarm on other alarms; CloudWatch refuses a rule that names one that is not there."""

    type = "AWS::CloudWatch::CompositeAlarm"

    def create(self, wanted: Wanted) -> Made:
        """Make it."""
        return self._put(wanted.name("AlarmName", max_len=255), wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Rule and actions change; the state stays until the rule says otherwise."""
        return self._put(id_, wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it."""
        emulator.store("cloudwatch", "_composite_alarms").pop(id_, None)

    def _put(self, name: str, wanted: Wanted) -> Made:
        emulator.call(
            "cloudwatch",
            "GraniteServiceVersion20100801.PutCompositeAlarm",
            {
                "AlarmName": name,
                "AlarmRule": wanted.get("AlarmRule"),
                "AlarmDescription": wanted.get("AlarmDescription", ""),
                "ActionsEnabled": wanted.get("ActionsEnabled", True),
                **{name: list(wanted.get(name) or ()) for name in _LISTS},
            },
        )
        arn = str(emulator.store("cloudwatch", "_composite_alarms")[name]["AlarmArn"])
        emulator.store("cloudwatch", "_resource_tags")[arn] = dict(wanted.tags)
        return Made(name, {"Arn": arn})


def metric_math() -> None:
    """Let an alarm have `Metrics`, where ministack takes one metric; the metrics controller sets its state."""
    inner = emulator.provisioners()._cw_metric_alarm_record

    def record(name: str, properties: Mapping[str, Json]) -> Record:
        if not properties.get("Metrics"):
            made: Record = inner(name, properties)
            return made
        return _math_record(name, properties)

    emulator.provisioners()._cw_metric_alarm_record = record


def _math_record(name: str, properties: Mapping[str, Json]) -> Record:
    metrics = properties["Metrics"]
    returned = [query for query in metrics if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise Refused("Exactly one element of the metrics list should return data (ValidationError)")
    ids = [query["Id"] for query in metrics]
    if len(set(ids)) < len(ids):
        raise Refused("The ids of the metrics list must be unique (ValidationError)")
    if any(name in properties for name in ("MetricName", "Namespace", "Statistic", "Dimensions", "Period")):
        raise Refused("Metrics cannot be given together with a single metric (ValidationError)")
    known = emulator.store("cloudwatch", "_alarms").get(name, {})
    now = int(time.time())
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:{emulator.region()}:{emulator.account()}:alarm:{name}",
        "AlarmDescription": properties.get("AlarmDescription", ""),
        "Metrics": [_query(query) for query in metrics],
        "EvaluationPeriods": int(properties.get("EvaluationPeriods", 1)),
        "DatapointsToAlarm": int(properties.get("DatapointsToAlarm", properties.get("EvaluationPeriods", 1))),
        "Threshold": float(properties["Threshold"]),
        "ComparisonOperator": properties["ComparisonOperator"],
        "TreatMissingData": properties.get("TreatMissingData", "missing"),
        "StateValue": known.get("StateValue", "INSUFFICIENT_DATA"),
        "StateReason": known.get("StateReason", "Unchecked: Initial alarm creation"),
        "StateUpdatedTimestamp": known.get("StateUpdatedTimestamp", now),
        "AlarmConfigurationUpdatedTimestamp": now,
        "ActionsEnabled": properties.get("ActionsEnabled", True),
        **{list_: [str(action) for action in properties.get(list_) or ()] for list_ in _LISTS},
    }


def _query(query: Mapping[str, Json]) -> Record:
    """As DescribeAlarms gives it: whether it returns data is always said."""
    return {**query, "ReturnData": bool(query.get("ReturnData", True))}


TYPES = (CompositeAlarm(),)
