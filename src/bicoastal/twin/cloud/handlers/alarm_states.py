"""What an alarm's change of state does: history, notifications, scaling, an event; and who may say the state.

Where the metrics controller runs, it alone computes states: ministack's evaluation, which looks at one average of all
dimensions, is switched off. Composite alarms follow their children by ministack's own rules. A user's SetAlarmState
acts like a change of the metric, and lasts until the controller's next look.

`cloudwatch.data` is a question: points after a number, and the alarms as they are. `cloudwatch.states` takes changes
(`alarm`, `state`, `reason`, `data`) and `lasting`: alarms whose scaling policies are to be asked again, as CloudWatch
does for as long as a state lasts.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes, registry
from bicoastal.twin.cloud.handlers import metric_data
from bicoastal.twin.cloud.handlers.events import emit, iso
from bicoastal.twin.cloud.registry import ServiceError, Unchanged

Json = Any
Record = dict[str, Json]

ACTIONS_OF = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
KEPT_HISTORY = 5000
_REGIONS = {"us-east-1": "US East (N. Virginia)", "us-west-2": "US West (Oregon)"}
"""As notifications name them; others are named by their code here."""
_TRIGGER = ("Period", "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "Threshold", "TreatMissingData")
_EVALUATED = (
    "AlarmName", "AlarmConfigurationUpdatedTimestamp", "MetricName", "Namespace", "Dimensions", "Statistic",
    "ExtendedStatistic", "Unit", "Metrics", "Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold",
    "ComparisonOperator", "TreatMissingData", "StateValue",
)  # fmt: skip
"""What the controller needs of an alarm."""


def install() -> None:
    """Put it in place; without a controller, ministack goes on evaluating."""
    if not planes.attached("metrics"):
        return
    emulator.replace_in_service("cloudwatch", "_evaluate_alarm", lambda _: None)
    emulator.replace_in_service("cloudwatch", "_evaluate_all_alarms", lambda: None)
    emulator.replace_in_service("cloudwatch", "_dispatch_alarm_actions", _act)


def _data(asked: Mapping[str, Json]) -> Json:
    """What the controller asks at the end of each minute, in one go."""
    found = metric_data.since(int(asked.get("after", 0)))
    alarms = emulator.store("cloudwatch", "_alarms").values()
    found["alarms"] = [
        {**{name: alarm[name] for name in _EVALUATED if alarm.get(name) is not None}, "Scales": bool(_policies(alarm))}
        for alarm in alarms
    ]
    return found


def _states(said: Mapping[str, Json]) -> Json:
    alarms = emulator.store("cloudwatch", "_alarms")
    changed = False
    for change in said.get("changes") or ():
        alarm = alarms.get(change["alarm"])
        if alarm is not None and alarm["StateValue"] != change["state"]:
            set_state(alarm, change["state"], change["reason"], change.get("data"))
            changed = True
    for lasting in said.get("lasting") or ():
        alarm = alarms.get(lasting["alarm"])
        if alarm is not None and alarm.get("ActionsEnabled", True):
            for policy in _policies(alarm):
                with contextlib.suppress(ServiceError):
                    changed |= not isinstance(_scale(alarm, policy, lasting.get("value")), Unchanged)
    return None if changed else Unchanged()


def set_state(alarm: Record, state: str, reason: str, data: Json = None) -> None:
    """A metric alarm changes; what follows it is told."""
    before = alarm["StateValue"]
    now = int(time.time())
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=now, StateTransitionedTimestamp=now)
    alarm["StateReasonData"] = json.dumps(data or {})
    history = emulator.of_service("cloudwatch", "_history_entries")()
    del history[: max(len(history) - KEPT_HISTORY, 0)]
    emulator.of_service("cloudwatch", "_record_history")(alarm["AlarmName"], before, state, reason, "MetricAlarm", data)
    _act(alarm, before, state, reason)
    emulator.of_service("cloudwatch", "_evaluate_parent_alarms")(alarm)


def _act(alarm: Record, before: str, state: str, reason: str) -> None:
    if alarm.get("ActionsEnabled", True):
        for action in alarm.get(ACTIONS_OF.get(state, "")) or ():
            _execute(alarm, action, before, state, reason)
    emit("aws.cloudwatch", "CloudWatch Alarm State Change", _event(alarm, before, state, reason), [alarm["AlarmArn"]])


def _execute(alarm: Record, action: str, before: str, state: str, reason: str) -> None:
    fault = ""
    try:
        if action.startswith("arn:aws:sns:"):
            _notify(alarm, action, before, state, reason)
        elif action.startswith("arn:aws:autoscaling:"):
            _scale(alarm, action, _last_value(alarm))
        else:
            fault = "the twin acts on topics and scaling policies alone"
    except ServiceError as error:
        fault = str(error)
    _remember_action(alarm, action, fault)


def _remember_action(alarm: Record, action: str, fault: str) -> None:
    summary = f"Failed to execute action {action}: {fault}" if fault else f"Successfully executed action {action}"
    emulator.of_service("cloudwatch", "_history_entries")().append(
        {
            "AlarmName": alarm["AlarmName"],
            "AlarmType": "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm",
            "Timestamp": iso(time.time()),
            "HistoryItemType": "Action",
            "HistorySummary": summary,
            "HistoryData": json.dumps(
                {"actionState": "Failed" if fault else "Succeeded", "notificationResource": action}
            ),
        }
    )


def _notify(alarm: Record, topic: str, before: str, state: str, reason: str) -> None:
    subject = f'{state}: "{alarm["AlarmName"]}" in {_region_name()}'[:100]
    message = json.dumps(_message(alarm, before, state, reason))
    if emulator.of_service("sns", "publish_internal")(topic, message, subject) is None:
        raise ServiceError("NotFound", f"The topic {topic} does not exist", 404)


def _policies(alarm: Record) -> list[str]:
    """Scaling policies that the alarm's state asks."""
    actions = alarm.get(ACTIONS_OF.get(alarm["StateValue"], "")) or ()
    return [action for action in actions if action.startswith("arn:aws:autoscaling:")]


def _scale(alarm: Record, policy: str, value: float | None) -> Json:
    """What the fleet answers. How far the value is beyond the threshold decides the step: without one there is none."""
    asked = registry.REPORTS.get("autoscaling.alarm")
    if asked is None:
        raise ServiceError("NotAttached", "no fleet is attached to the twin")
    if value is None:
        raise ServiceError("ValidationError", "there is no data point to choose a step by")
    said = {"policy": policy, "alarm": alarm["AlarmName"], "value": value, "threshold": alarm.get("Threshold")}
    return asked(said)


def _last_value(alarm: Record) -> float | None:
    """The newest data point that led to the state, whoever set it: SetAlarmState takes the same document."""
    try:
        points = json.loads(alarm.get("StateReasonData") or "{}").get("recentDatapoints") or [None]
    except (ValueError, AttributeError):
        return None
    return None if points[-1] is None else float(points[-1])


def _region_name() -> str:
    return _REGIONS.get(emulator.region(), emulator.region())


def _message(alarm: Record, before: str, state: str, reason: str) -> Record:
    """What a subscriber of the topic reads, as CloudWatch writes it."""
    message: Record = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or None,
        "AWSAccountId": emulator.account(),
        "AlarmConfigurationUpdatedTimestamp": _when(alarm.get("AlarmConfigurationUpdatedTimestamp")),
        "NewStateValue": state,
        "NewStateReason": reason,
        "StateChangeTime": _when(alarm.get("StateUpdatedTimestamp")),
        "Region": _region_name(),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": before,
        **{name: list(alarm.get(name) or ()) for name in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }
    if "AlarmRule" in alarm:
        return {**message, "AlarmRule": alarm["AlarmRule"]}
    trigger: Record = {name: alarm.get(name) for name in _TRIGGER if alarm.get(name) is not None}
    if alarm.get("Metrics"):
        trigger["Metrics"] = [_notified_query(query) for query in alarm["Metrics"]]
        return {**message, "Trigger": trigger}
    trigger.update(
        MetricName=alarm.get("MetricName"),
        Namespace=alarm.get("Namespace"),
        Unit=alarm.get("Unit"),
        Dimensions=_notified_dimensions(alarm.get("Dimensions")),
    )
    if alarm.get("ExtendedStatistic"):
        trigger.update(StatisticType="ExtendedStatistic", ExtendedStatistic=alarm["ExtendedStatistic"])
    else:
        trigger.update(StatisticType="Statistic", Statistic=str(alarm.get("Statistic", "Average")).upper())
    return {**message, "Trigger": trigger}


def _notified_dimensions(found: Json) -> list[Record]:
    """Here their names are written small."""
    return [{"value": one["Value"], "name": one["Name"]} for one in found or ()]


def _notified_query(query: Record) -> Record:
    wanted = query.get("MetricStat")
    if not wanted:
        return query
    metric = {**wanted["Metric"], "Dimensions": _notified_dimensions(wanted["Metric"].get("Dimensions"))}
    return {**query, "MetricStat": {**wanted, "Metric": metric}}


def _when(at: float | None) -> str | None:
    if at is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}+0000"


def _event(alarm: Record, before: str, state: str, reason: str) -> Record:
    changed: Record = {"value": state, "reason": reason, "timestamp": _when(alarm.get("StateUpdatedTimestamp"))}
    if alarm.get("StateReasonData"):
        changed["reasonData"] = alarm["StateReasonData"]
    configuration: Record = {"description": alarm.get("AlarmDescription") or ""}
    if "AlarmRule" in alarm:
        configuration["alarmRule"] = alarm["AlarmRule"]
    else:
        configuration["metrics"] = [_event_query(query) for query in alarm.get("Metrics") or [_single(alarm)]]
    return {
        "alarmName": alarm["AlarmName"],
        "configuration": configuration,
        "previousState": {"value": before},
        "state": changed,
    }


def _single(alarm: Record) -> Record:
    metric = {name: alarm.get(name) for name in ("Namespace", "MetricName", "Dimensions")}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": alarm.get("Period"), "Stat": statistic}}


def _event_query(query: Record) -> Record:
    found: Record = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if query.get("Expression"):
        return {**found, "expression": query["Expression"], "label": query.get("Label", query["Id"])}
    wanted = query["MetricStat"]
    metric = wanted["Metric"]
    found["metricStat"] = {
        "metric": {
            "namespace": metric.get("Namespace"),
            "name": metric.get("MetricName"),
            "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()},
        },
        "period": wanted.get("Period"),
        "stat": wanted.get("Stat"),
    }
    return found


QUESTIONS = {"cloudwatch.data": _data}
REPORTS = {"cloudwatch.states": _states}
