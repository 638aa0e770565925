"""CloudWatch: composite alarms as a CloudFormation type, metric math in those of metrics, and what its parts add.

Data are in `metric_data`, what states of alarms lead to in `alarm_states`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import answers, emulator, rights
from bicoastal.twin.cloud.answers import Answer
from bicoastal.twin.cloud.handlers import alarm_states, metric_data
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, Wanted
from bicoastal.twin.cloud.rights import Check, Request

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


def install() -> None:
    """Put all of it in place."""
    _metric_math()
    _metric_math_by_api()
    metric_data.install()
    alarm_states.install()
    rights.rules(RIGHTS)


def _metric_math() -> None:
    """Let an alarm have `Metrics`, where ministack takes one metric; the metrics controller sets its state."""
    inner = emulator.provisioners()._cw_metric_alarm_record

    def record(name: str, properties: Mapping[str, Json]) -> Record:
        if not properties.get("Metrics"):
            made: Record = inner(name, properties)
            return made
        return _math_record(name, properties)

    emulator.provisioners()._cw_metric_alarm_record = record


def _metric_math_by_api() -> None:
    """The same for PutMetricAlarm."""
    inner = emulator.of_service("cloudwatch", "_put_metric_alarm")

    def put(parameters: Mapping[str, Json], data: Json, is_cbor: bool, is_json: bool = False) -> Answer:
        asked = data if is_cbor or is_json else answers.unflatten(parameters)
        name = str(asked.get("AlarmName"))
        known = emulator.store("cloudwatch", "_alarms").get(name)
        if not asked.get("Metrics"):
            done: Answer = inner(parameters, data, is_cbor, is_json)
            return done
        try:
            record = _math_record(name, asked)
        except Refused as error:
            refused: Answer = emulator.of_service("cloudwatch", "_error")(
                "ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor
            )
            return refused
        answer: Answer = inner(parameters, data, is_cbor, is_json)
        if answer[0] == 200 and known is None:
            record["StateUpdatedTimestamp"] = int(time.time())
        if answer[0] == 200:
            emulator.store("cloudwatch", "_alarms")[name] = record
        return answer

    emulator.replace_in_service("cloudwatch", "_put_metric_alarm", put)


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


def _namespace(request: Request) -> Sequence[Check]:
    """Policies let somebody publish in one namespace alone by this key: the action has no resource."""
    return [Check("*", {"cloudwatch:namespace": str(request.data.get("Namespace", ""))})]


TYPES = (CompositeAlarm(),)
QUESTIONS = alarm_states.QUESTIONS
REPORTS = alarm_states.REPORTS
RIGHTS = {"cloudwatch:PutMetricData": _namespace}
