"""What an alarm's change of state leads to, and who may say the state."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bicoastal.twin.ground import Ground
from bicoastal.twin.metrics.controller import Metrics
from bicoastal.twin.metrics.series import TICKS_A_MINUTE
from tests.twin.conftest import Grounds
from tests.twin.metrics.conftest import HOME

Json = Any


class Alarms:
    """One region's alarms on the metric Shop/Load, evaluated when the test says so."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.client = ground.api.client("cloudwatch", HOME)
        self.metrics = Metrics(ground)
        self.minute_s = ground.pace.seconds(60)
        self.minute = int(time.time() / self.minute_s)
        self.mark = f"test-{next(_numbers)}"
        """In the names of all that a test makes: modules share a control plane."""

    def name(self, short: str) -> str:
        return f"{self.mark}-{short}"

    def put(self, name: str, **changes: Json) -> None:
        self.client.put_metric_alarm(
            **{
                "AlarmName": self.name(name),
                "Namespace": self.mark,
                "MetricName": "Load",
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 10.0,
                "ComparisonOperator": "GreaterThanThreshold",
                **changes,
            }
        )

    def minute_with(self, value: float | None) -> None:
        if value is not None:
            self.client.put_metric_data(
                Namespace=self.mark,
                MetricData=[{"MetricName": "Load", "Value": value, "Timestamp": self.minute * self.minute_s}],
            )
        self.minute += 1
        self.metrics.evaluate(HOME, self.minute * TICKS_A_MINUTE)

    def state(self, name: str) -> str:
        found = self.client.describe_alarms(AlarmNames=[self.name(name)], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms: list[Json] = found["MetricAlarms"] + found["CompositeAlarms"]
        assert len(alarms) == 1
        return str(alarms[0]["StateValue"])

    def history(self, name: str, kind: str = "StateUpdate") -> list[str]:
        items = self.client.describe_alarm_history(
            AlarmName=self.name(name),
            HistoryItemType=kind,
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            ScanBy="TimestampAscending",
        )["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in items]


_numbers = itertools.count()


@pytest.fixture
def alarms(twin: Ground) -> Alarms:
    return Alarms(twin)


Inbox = Callable[[], list[Mapping[str, Json]]]


@pytest.fixture
def inbox(alarms: Alarms) -> tuple[str, Inbox]:
    """A topic, and what a queue that subscribes to it has got."""
    sns, sqs = (alarms.ground.api.client(service, HOME) for service in ("sns", "sqs"))
    topic = sns.create_topic(Name=alarms.mark)["TopicArn"]
    queue = _queue(sqs, alarms.mark)
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def read() -> list[Mapping[str, Json]]:
        found = []
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    return topic, read


def _queue(sqs: Json, name: str) -> str:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    return str(sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"])


def test_a_change_notifies_as_cloudwatch_does_and_only_a_change(alarms: Alarms, inbox: tuple[str, Inbox]) -> None:
    topic, read = inbox
    alarms.put("high", AlarmActions=[topic], OKActions=[topic], AlarmDescription="too much")
    alarms.minute_with(5.0)
    alarms.minute_with(50.0)
    alarms.minute_with(60.0)
    assert alarms.state("high") == "ALARM"
    first, second = read()
    assert second["Subject"] == f'ALARM: "{alarms.name("high")}" in US East (N. Virginia)'
    message = json.loads(second["Message"])
    assert (message["OldStateValue"], message["NewStateValue"], message["AlarmDescription"]) == (
        "OK",
        "ALARM",
        "too much",
    )
    assert message["AlarmActions"] == [topic]
    assert message["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [50.0")
    assert message["Trigger"]["Statistic"] == "MAXIMUM"
    assert message["Trigger"]["Threshold"] == 10.0
    assert json.loads(first["Message"])["NewStateValue"] == "OK"
    assert alarms.history("high")[1:] == [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
    ]
    assert alarms.history("high", "Action") == [f"Successfully executed action {topic}"] * 2


def test_actions_that_are_off_or_impossible(alarms: Alarms, inbox: tuple[str, Inbox]) -> None:
    topic, read = inbox
    alarms.put("off", AlarmActions=[topic], ActionsEnabled=False)
    nowhere = topic + "-nowhere"
    alarms.put("lost", AlarmActions=[nowhere])
    alarms.minute_with(50.0)
    assert alarms.state("off") == "ALARM"
    assert read() == []
    (said,) = alarms.history("lost", "Action")
    assert said.startswith(f"Failed to execute action {nowhere}")


def test_a_state_that_a_user_sets_acts_and_holds_until_the_next_evaluation(
    alarms: Alarms, inbox: tuple[str, Inbox]
) -> None:
    topic, read = inbox
    alarms.put("high", AlarmActions=[topic])
    alarms.minute_with(5.0)
    alarms.client.set_alarm_state(AlarmName=alarms.name("high"), StateValue="ALARM", StateReason="a rehearsal")
    assert alarms.state("high") == "ALARM"
    assert json.loads(read()[0]["Message"])["NewStateReason"] == "a rehearsal"
    record = alarms.client.describe_alarms(AlarmNames=[alarms.name("high")])["MetricAlarms"][0]
    assert alarms.metrics.alarm_state(HOME, record) == "OK", "who reads the metric is not deceived"
    alarms.minute_with(5.0)
    assert alarms.state("high") == "OK"


def test_nobody_else_evaluates(alarms: Alarms) -> None:
    alarms.put("high")
    alarms.client.put_metric_data(Namespace=alarms.mark, MetricData=[{"MetricName": "Load", "Value": 99.0}])
    alarms.put("high", Threshold=1.0)
    assert alarms.state("high") == "INSUFFICIENT_DATA"


def test_without_the_plane_ministack_evaluates_as_before(grounds: Grounds) -> None:
    alarms = Alarms(grounds())
    alarms.put("high")
    alarms.client.put_metric_data(Namespace=alarms.mark, MetricData=[{"MetricName": "Load", "Value": 99.0}])
    assert alarms.state("high") == "ALARM"


def test_missing_data_by_treatment_and_a_kept_state(alarms: Alarms) -> None:
    for treatment in ("missing", "ignore", "breaching", "notBreaching"):
        alarms.put(treatment, TreatMissingData=treatment)
    alarms.minute_with(50.0)
    for _ in range(3):
        alarms.minute_with(None)
    states = {name: alarms.state(name) for name in ("missing", "ignore", "breaching", "notBreaching")}
    assert states == {
        "missing": "INSUFFICIENT_DATA",
        "ignore": "ALARM",
        "breaching": "ALARM",
        "notBreaching": "OK",
    }


def test_composite_alarms_follow_their_children(alarms: Alarms, inbox: tuple[str, Inbox]) -> None:
    topic, read = inbox
    alarms.put("high")
    alarms.put("very-high", Threshold=100.0)
    high, very = alarms.name("high"), alarms.name("very-high")
    alarms.client.put_composite_alarm(AlarmName=alarms.name("either"), AlarmRule=f'ALARM("{high}") OR ALARM("{very}")')
    alone = f"ALARM({high}) AND NOT (ALARM({very}) OR INSUFFICIENT_DATA({very}))"
    alarms.client.put_composite_alarm(AlarmName=alarms.name("high-alone"), AlarmRule=alone, AlarmActions=[topic])
    alarms.client.put_composite_alarm(AlarmName=alarms.name("above"), AlarmRule=f"OK({alarms.name('high-alone')})")
    seen = []
    for value in (5.0, 50.0, 500.0, 5.0):
        alarms.minute_with(value)
        seen.append(tuple(alarms.state(name) for name in ("either", "high-alone", "above")))
    assert seen == [("OK", "OK", "ALARM"), ("ALARM", "ALARM", "OK"), ("ALARM", "OK", "ALARM"), ("OK", "OK", "ALARM")]
    (message,) = [json.loads(one["Message"]) for one in read()]
    assert (message["AlarmName"], message["NewStateValue"]) == (alarms.name("high-alone"), "ALARM")


def test_a_fleet_is_asked_for_as_long_as_the_alarm_lasts(alarms: Alarms) -> None:
    ec2, fleets = (alarms.ground.api.client(service, HOME) for service in ("ec2", "autoscaling"))
    name = alarms.mark
    data = {"ImageId": "ami-1", "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    fleets.create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=1, MaxSize=6, AvailabilityZones=[f"{HOME}a"],
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
    )  # fmt: skip
    policy = fleets.put_scaling_policy(
        AutoScalingGroupName=name, PolicyName="out", PolicyType="StepScaling", AdjustmentType="ExactCapacity",
        EstimatedInstanceWarmup=0,
        StepAdjustments=[
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 3},
            {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 5},
        ],
    )["PolicyARN"]  # fmt: skip
    alarms.put("out", AlarmActions=[policy])
    sizes = []
    for value in (5.0, 15.0, 15.0, 50.0, 5.0):
        fleets.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
        alarms.minute_with(value)
        (group,) = fleets.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        sizes.append(group["DesiredCapacity"])
    assert sizes == [1, 3, 3, 5, 1]
    assert alarms.history("out", "Action") == [f"Successfully executed action {policy}"], "asked again without a word"


def test_a_change_is_an_event(alarms: Alarms) -> None:
    events, sqs = (alarms.ground.api.client(service, HOME) for service in ("events", "sqs"))
    queue = _queue(sqs, f"{alarms.mark}-events")
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [alarms.name("high")], "state": {"value": ["ALARM"]}},
    }
    events.put_rule(Name=alarms.mark, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=alarms.mark, Targets=[{"Id": "queue", "Arn": arn}])
    alarms.put("high")
    alarms.minute_with(5.0)
    alarms.minute_with(50.0)
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    event = json.loads(message["Body"])
    assert event["detail"]["alarmName"] == alarms.name("high")
    assert event["detail"]["previousState"]["value"] == "OK"
    assert event["resources"] == [f"arn:aws:cloudwatch:{HOME}:{event['account']}:alarm:{alarms.name('high')}"]
    assert event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "Load"
