"""Each region watches the other one and itself, with the same alarms whichever holds the primary."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bicoastal.blueprint.monitoring import SHORTEST_AGE_S
from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.telemetry import metric_namespace
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import FromOutput, Live
from tests.support.monitoring import build_monitoring
from tests.support.specs import spec

TOPIC = {"Ref": "AlertTopicArn"}
CHILDREN = ("Failing",)
"""Alarms that speak through the composite one."""


STACK = build_monitoring(spec())
RESOURCES = strip_comments(STACK.document["Resources"])
ALARMS = {name: item["Properties"] for name, item in RESOURCES.items() if item["Type"] == "AWS::CloudWatch::Alarm"}


class TestTheOtherRegion:
    """Seen from here, as long as here lives."""

    def test_homes_loss_is_alarmed_in_the_standby_by_a_heartbeat_that_stops_or_is_not_seen(self) -> None:
        alarm = ALARMS["HeartbeatLost"]
        assert alarm["MetricName"] == "HeartbeatAge"
        assert alarm["TreatMissingData"] == "breaching"
        assert alarm["AlarmActions"] == [TOPIC]
        assert set(STACK.regions) == {"us-east-1", "us-west-2"}

    def test_it_wakes_people_at_the_rpo_that_the_team_promised(self) -> None:
        for promised, rings_at in ((90, 90), (1, SHORTEST_AGE_S)):
            stack = build_monitoring(spec(promise={"rpo_seconds": promised}))
            alarm = strip_comments(stack.document["Resources"]["HeartbeatLost"])["Properties"]
            assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (rings_at, "GreaterThanThreshold")

    def test_the_standbys_loss_is_alarmed_at_the_primary_by_changes_that_wait_for_it(self) -> None:
        alarm = ALARMS["ReplicaBehind"]
        assert alarm["MetricName"] == "SlotRetainedBytes"
        segment = 64 * 1024 * 1024
        assert segment < alarm["Threshold"] <= 8 * segment

    def test_a_primary_without_any_replica_is_alarmed(self) -> None:
        queries = {query["Id"]: query for query in ALARMS["Unprotected"]["Metrics"]}
        assert queries["slot"]["Expression"] == "FILL(known, -1)"
        assert queries["known"]["MetricStat"]["Metric"]["MetricName"] == "SlotRetainedBytes"
        assert queries["result"]["ReturnData"] is True


class TestAlarms:
    """All of them."""

    def test_none_depends_on_which_region_holds_the_primary(self) -> None:
        assert not any(isinstance(source, Live) for source in STACK.sources["us-east-1"].values())
        assert "Conditions" not in STACK.document

    @pytest.mark.parametrize("name", sorted(ALARMS))
    def test_each_tells_the_regions_own_topic_or_is_part_of_one_that_does(self, name: str) -> None:
        if name in CHILDREN:
            assert f"${{{name}.Arn}}" in RESOURCES["CannotServe"]["Properties"]["AlarmRule"]["Fn::Sub"]
            assert "AlarmActions" not in ALARMS[name]
        else:
            assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [TOPIC]

    @pytest.mark.parametrize("name", sorted(ALARMS))
    def test_each_says_what_missing_data_means(self, name: str) -> None:
        assert ALARMS[name]["TreatMissingData"] in ("breaching", "notBreaching")

    @pytest.mark.parametrize("name", sorted(ALARMS))
    def test_each_reads_a_dimension_that_its_metric_has(self, name: str) -> None:
        """An alarm on a dimension that nobody publishes never has data, and never speaks."""
        expected = {
            metric_namespace(STACK.spec): {"AutoScalingGroupName"},
            "AWS/ApplicationELB": {"LoadBalancer", "TargetGroup"},
            f"{metric_namespace(STACK.spec)}/logs": set(),
        }
        for metric in metrics(ALARMS[name]):
            dimensions = {dimension["Name"] for dimension in metric.get("Dimensions", ())}
            assert dimensions <= expected[metric["Namespace"]]
            assert dimensions or not expected[metric["Namespace"]]

    def test_expressions_use_only_what_they_declare(self) -> None:
        for alarm in ALARMS.values():
            queries = {query["Id"] for query in alarm.get("Metrics", ())}
            for query in alarm.get("Metrics", ()):
                used = set(re.findall(r"\b[a-z]+\b", query.get("Expression", "")))
                assert used <= queries

    def test_the_region_cannot_serve_when_no_instance_is_healthy_or_most_answers_are_errors(self) -> None:
        rule = RESOURCES["CannotServe"]["Properties"]["AlarmRule"]["Fn::Sub"]
        assert rule == 'ALARM("${NoHealthyHostsAlarm}") OR ALARM("${Failing.Arn}")'
        source = STACK.sources["us-west-2"]["NoHealthyHostsAlarm"]
        assert source == FromOutput("service/us-west-2", "NoHealthyHostsAlarm")


def metrics(alarm: Any) -> list[Any]:
    """The metrics that an alarm reads, by itself or in an expression."""
    if "MetricName" in alarm:
        return [alarm]
    return [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]


def test_what_it_takes_from_the_services_stack_is_there() -> None:
    (service,) = (stack for stack in compose(spec()).stacks if stack.kind == "service")
    assert service.resource_types["NoHealthyHosts"] == "AWS::CloudWatch::Alarm"
    assert service.resource_types["ApplicationLog"] == "AWS::Logs::LogGroup"


class TestLogs:
    """What the application writes."""

    def test_errors_in_its_log_are_counted_where_the_alarm_looks(self) -> None:
        (transformation,) = RESOURCES["ErrorsInLog"]["Properties"]["MetricTransformations"]
        assert RESOURCES["ErrorsInLog"]["Properties"]["LogGroupName"] == {"Ref": "ApplicationLogGroup"}
        source = STACK.sources["us-west-2"]["ApplicationLogGroup"]
        assert source == FromOutput("service/us-west-2", "ApplicationLogGroup")
        alarm = ALARMS["ApplicationErrors"]
        assert (alarm["Namespace"], alarm["MetricName"]) == (
            transformation["MetricNamespace"],
            transformation["MetricName"],
        )
